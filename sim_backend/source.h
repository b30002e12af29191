// SPDX-License-Identifier: MIT
// What a station is going to send: sets of frames as they were handed in, each sorted by time and
// copied once, and the answers that it makes by itself. A packet is made only when the wire takes
// its frame, so a million frames to come need no buffers.
#pragma once
#include "fifo.h"
#include "sim_api.h"

struct tr_bulk;

struct tr_source {
	struct tr_bulk **bulk; // heap by time of the next frame, then by sequence
	uint32_t bulks;
	uint32_t room;
	uint64_t sequence;
	struct tr_fifo answers;
};

// When the next frame may leave, TR_SIM_NEVER: there is none.
uint64_t tr_source_ready_ps(const struct tr_source *source);
// Takes the next frame. NULL: no memory, and the world has been told.
struct pkt *tr_source_next(struct tr_source *source, struct tr_world *world, bool *flagged);
void tr_source_free(struct tr_source *source, struct tr_world *world);
// Adds frames; arguments as in tr_station_send(). 0 or -ENOMEM.
int tr_source_add(struct tr_source *source, struct tr_world *world, const uint8_t *data,
	const uint64_t *offset, const uint32_t *bytes, const uint64_t *at_ps, const uint8_t *trace,
	uint64_t n);
