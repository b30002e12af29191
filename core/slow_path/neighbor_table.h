// SPDX-License-Identifier: MIT
// Inside of the neighbour table, shared by its three files: the entries and what waits for them
// (neighbors.c), their timers' order (neighbor_heap.c), and what happens when a timer ends
// (neighbor_timers.c). All memory is taken at start; its size is the bound that RFC 1122 2.3.2.2
// and a scan of an attached network call for.
#pragma once
#include "slow_path/slow_path.h"

#define NEIGHBOR_NONE 0xffffffffu

struct tr_neighbor {
	uint32_t address;
	uint16_t port;
	uint8_t mac[ETHER_ADDRESS_BYTES];
	uint8_t state; // enum tr_neighbor_state
	bool is_static;
	uint32_t requests;   // sent since the last answer
	uint32_t next;       // entry in the same bucket, or next free one
	uint32_t timer;      // place in the heap, NEIGHBOR_NONE: no timer runs
	uint64_t due_cycles; // when it ends
	uint32_t first;      // oldest of the packets that wait
	uint32_t count;
	struct pkt **waiting; // ring of `pending`
};

struct tr_neighbors {
	uint32_t max;
	uint32_t pending; // packets that may wait for one neighbour
	uint32_t requests_max;
	uint64_t retry_cycles;
	uint64_t lifetime_cycles;
	uint64_t failed_cycles;
	uint32_t failed;  // entries in TR_NEIGHBOR_FAILED
	uint32_t evicted; // where the search for one to give up goes on
	uint64_t held;
	uint32_t free;
	uint32_t bucket_mask;
	uint32_t *bucket;
	uint32_t *heap;
	uint32_t timers;
	struct tr_neighbor *entry;
	struct pkt **waiting; // of all entries
};

// neighbors.c
void tr_neighbor_set_state(struct tr_neighbors *neighbors, struct tr_neighbor *entry,
	enum tr_neighbor_state state);
void tr_neighbor_remove(struct tr_neighbors *neighbors, struct tr_neighbor *entry);
// An unreachable neighbour that is given up may be tried anew.
void tr_neighbor_forget(struct tr_slow_path *slow, struct tr_neighbor *entry);
struct pkt *tr_neighbor_pop(struct tr_neighbors *neighbors, struct tr_neighbor *entry);

// neighbor_heap.c: sets, moves or (UINT64_MAX) stops the timer of an entry.
void tr_neighbor_timer(struct tr_neighbors *neighbors, struct tr_neighbor *entry, uint64_t due);

// neighbor_timers.c: sends a request and waits for the answer, longer each time.
void tr_neighbor_ask(struct tr_slow_path *slow, struct tr_neighbor *entry);
