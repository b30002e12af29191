// SPDX-License-Identifier: MIT
// What happens, told twice: to the hash over every event, which is how two runs are compared, and
// to the trace, for the packets that somebody wants to follow.
#pragma once
#include "sim_api.h"

struct pkt;
struct tr_world;
struct bpf_program;

// Places of the simulator, numbered after the core's steps. `port` of an event is what stands here.
enum tr_place {
	TR_PLACE_SENT = TR_STEPS_MAX, // station
	TR_PLACE_WIRE,                // link
	TR_PLACE_ARRIVED,             // port
	TR_PLACE_RECEIVED,            // station
	TR_PLACE_MISSED,              // port
	TR_PLACE_NO_BUFFER,           // port
	TR_PLACE_LOST,                // link
	TR_PLACE_CORRUPTED,           // link
	TR_PLACE_DUPLICATED,          // link
	TR_PLACE_REORDERED,           // link
	TR_PLACE_TWIN_OUT,            // port
	TR_PLACE_TWIN_IN,             // port
	TR_PLACE_END,
};

#define TR_NOWHERE 0xffff // router or unit of an event outside of any

struct tr_trace {
	struct tr_trace_event *event;
	uint64_t count;
	uint64_t room;
	uint64_t left;    // frames that the filter may still pick
	uint32_t packets; // numbers given
	bool on;
	struct bpf_program *filter; // NULL: every frame
};

void tr_trace_free(struct tr_trace *trace);
// Numbers a frame that a station sends, if it is to be traced. `flagged`: its sender says so.
void tr_trace_pick(struct tr_world *world, struct pkt *pkt, bool flagged);
// The sender asks for traces by flag from now on.
void tr_trace_enable(struct tr_world *world);
// An event outside of a core's turn, into hash and trace. `detail` is what else tells it from
// others of its kind (direction, queue, a fault's share); only the hash sees it.
void tr_world_event_at(struct tr_world *world, uint64_t ps, enum tr_place place,
	const struct pkt *pkt, uint16_t router, uint32_t port, uint32_t detail);
// The same at the world's time.
void tr_world_event(struct tr_world *world, enum tr_place place, const struct pkt *pkt,
	uint16_t router, uint32_t port, uint32_t detail);
// The bytes of a frame, into the hash.
void tr_world_hash_bytes(struct tr_world *world, const uint8_t *data, uint32_t bytes);
