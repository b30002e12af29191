// SPDX-License-Identifier: MIT
// Packet buffers. The world has one stock that grows as needed; a router's pool is an account: how
// many buffers it has taken from the stock, against the limit that its configuration sets. Packets
// on wires and at stations are in nobody's account.
#pragma once
#include "backend.h"
#include "faults.h"

#define POOL_DATA_MIN 2048
#define POOL_DATA_MAX 65535 // the core counts a frame's bytes in 16 bits

struct tr_world;

struct tr_stock {
	struct pkt **free; // last in, first out
	uint64_t free_count;
	uint64_t total;
	uint64_t in_use;
	uint32_t room; // bytes of a buffer, headroom included
	struct tr_stock_chunk *chunks;
};

struct io_pool {
	struct tr_world *world;
	uint64_t limit;
	uint64_t used;
	uint32_t no_buffer_ppm;
	struct tr_rng rng;
};

void tr_stock_init(struct tr_stock *stock);
void tr_stock_free(struct tr_stock *stock);
// New buffers hold a packet of that many bytes from now on; shorter ones leave the stock.
void tr_stock_fit(struct tr_stock *stock, uint32_t frame_bytes);
// The longest frame that a station may send.
uint32_t tr_stock_frame_max(const struct tr_stock *stock);
// An empty packet in nobody's account. NULL: no memory, and the world has been told.
struct pkt *tr_pkt_new(struct tr_world *world);
// A packet with those bytes.
struct pkt *tr_pkt_copy(struct tr_world *world, const uint8_t *data, uint32_t bytes);
void tr_pkt_free(struct tr_world *world, struct pkt *pkt);
// Takes a packet into the router's account: false at the limit or by fault.
bool tr_pool_charge(struct io_pool *pool, struct pkt *pkt);
void tr_pool_release(struct pkt *pkt);
