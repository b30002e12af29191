// SPDX-License-Identifier: MIT
// A simulated core: runs one unit of one router. Its clock counts millicycles from the start of the
// world; it is ahead of the world while a turn of its unit's loop takes time, and behind while the
// unit has nothing to do. A turn is one event: it begins at the core's clock, sees what was there
// by then, and what it sends on bears the clock's time at that moment.
#pragma once
#include "backend.h"
#include "heap.h"

struct io_env;
struct tr_world;

struct tr_core {
	struct io_core io; // first: the core's pointer is this one
	struct tr_actor actor;
	struct tr_world *world;
	struct io_env *env;
	uint16_t unit;
	bool functional;
	bool is_busy; // the last turn found something: the next one follows at the clock
	uint64_t poll_millicycles;
	uint64_t next_millicycles; // the clock at the next turn
	uint64_t busy_millicycles;
	uint64_t converted_millicycles; // for tr_core_ps(): the last one
	uint64_t converted_ps;
	uint64_t turn_ps; // of the last turn
	uint64_t turn_moves;
	uint32_t turns_at_rest; // since time or packets moved
	struct io_ring *rings;  // that it consumes
	uint64_t ring_items;    // in them
};

static inline struct tr_core *tr_core_of(struct io_core *io)
{
	return (struct tr_core *)((char *)io - offsetof(struct tr_core, io));
}

static inline struct tr_core *tr_core_of_actor(struct tr_actor *actor)
{
	return (struct tr_core *)((char *)actor - offsetof(struct tr_core, actor));
}

// The core's clock in the world's time.
uint64_t tr_core_ps(struct tr_core *core);
// Something comes for the unit at ps: it looks at its next turn from then on.
void tr_core_wake(struct tr_core *core, uint64_t ps);
void tr_core_run(struct tr_core *core);
