// SPDX-License-Identifier: MIT
// One direction of a link. It takes the next frame of its sender as soon as it is free, holds it
// for as long as its bits take, and hands it to the receiver after the link's delay. Senders are a
// station's source, or the transmit queues of a port (one a unit) or of its twin (one).
#pragma once
#include "backend.h"
#include "faults.h"
#include "heap.h"
#include "record.h"

struct tr_link;
struct tr_station;
struct tr_world;

struct tr_wire_end {
	uint32_t kind; // enum tr_end_kind
	struct tr_station *station;
	struct io_port *port;
};

struct tr_wire {
	struct tr_actor actor;
	struct tr_world *world;
	struct tr_link *link;
	uint32_t direction;
	struct tr_wire_end from;
	struct tr_wire_end to;
	uint64_t free_ps;   // when the next frame may begin,
	uint64_t remainder; // and what is missing to it, in 1 / bits_per_s of a picosecond
	uint32_t queued;    // bit i: queue i has a frame
	struct tr_fifo queue[TR_UNITS_MAX];
	struct tr_fifo flight; // by time of arrival
	bool failed;           // by a fault
	uint64_t change_ps;    // when it fails or comes back
	struct tr_rng rng;
	struct tr_rng state_rng;
	bool record_on;
	struct tr_record record;
};

struct tr_link {
	struct tr_world *world;
	uint32_t id;
	bool is_up; // as set; a fault of either direction takes the link down as well
	struct tr_link_config config;
	struct tr_link_counters counters;
	struct tr_wire wire[2];
};

void tr_wire_run(struct tr_wire *wire);
// A frame that was put on the wire does not arrive.
void tr_wire_lose(struct tr_wire *wire, struct pkt *pkt);
// The sender has a frame: find out when the wire must run.
void tr_wire_kick(struct tr_wire *wire);
// How many of n frames a queue takes at ps.
unsigned tr_wire_room(const struct tr_wire *wire, unsigned queue, uint32_t descriptors, unsigned n,
	uint64_t ps);
// A frame into a queue, ready at ps. tr_wire_kick() has to follow.
void tr_wire_queue(struct tr_wire *wire, unsigned queue, struct pkt *pkt, uint64_t ps);

void tr_link_free(struct tr_link *link);
// A wire has failed or come back, or the link was set: tell ports, lose what is on the way.
void tr_link_changed(struct tr_link *link);
bool tr_link_carries(const struct tr_link *link);

static inline struct tr_wire *tr_wire_of(struct tr_actor *actor)
{
	return (struct tr_wire *)((char *)actor - offsetof(struct tr_wire, actor));
}
