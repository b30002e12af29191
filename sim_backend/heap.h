// SPDX-License-Identifier: MIT
// The world's agenda: a binary heap over all actors (cores and wires), keyed by the time of the
// next event and, at equal times, by a number drawn from the seed. Every actor is in it always,
// with TR_SIM_NEVER when it waits, so an actor that goes on first costs two comparisons.
#pragma once
#include "sim_api.h"

enum tr_actor_kind {
	TR_ACTOR_CORE,
	TR_ACTOR_WIRE,
};

// First member of every actor.
struct tr_actor {
	uint64_t ps;  // next event
	uint64_t tie; // unique
	uint32_t position;
	uint32_t kind;
};

struct tr_heap_entry {
	uint64_t ps;
	uint64_t tie;
	struct tr_actor *actor;
};

struct tr_heap {
	struct tr_heap_entry *entry;
	uint32_t count;
	uint32_t room;
};

// Adds an actor that waits. 0 or -ENOMEM.
int tr_heap_add(struct tr_heap *heap, struct tr_actor *actor);
void tr_heap_remove(struct tr_heap *heap, struct tr_actor *actor);
// Changes the time of an actor's next event.
void tr_heap_set(struct tr_heap *heap, struct tr_actor *actor, uint64_t ps);
