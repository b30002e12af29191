// SPDX-License-Identifier: MIT
// The world as its parts see it: the agenda, the stock of packet buffers, the entities by number,
// and the counts that tell whether anything is still under way. Each entity's own file knows the
// rest.
#pragma once
#include "heap.h"
#include "pool.h"
#include "trace.h"

struct tr_link;
struct tr_rss;
struct tr_station;

struct tr_world {
	uint64_t seed;
	uint64_t now_ps;
	uint64_t hash;
	bool running;
	bool stop;
	int error; // 0, or why the run must end
	struct tr_heap heap;
	struct tr_stock stock;
	uint64_t unsent;     // frames in sources whose time has not come
	uint64_t ring_items; // in all rings
	uint64_t busy_cores; // whose last turn found something
	struct io_env **router;
	struct tr_station **station;
	struct tr_link **link;
	uint32_t routers;
	uint32_t stations;
	uint32_t links;
	struct tr_rss *rss[2]; // usual and symmetric key, made for the first router that spreads
	struct tr_trace trace;
	tr_frame_fn on_frame;
	void *on_frame_context;
};

// Ends the run with an error, after the event at hand.
void tr_world_fail(struct tr_world *world, int error);

static inline void tr_world_at(struct tr_world *world, struct tr_actor *actor, uint64_t ps)
{
	tr_heap_set(&world->heap, actor, ps);
}

// An array of `count` pointers with room for one more, moved. NULL: no memory, and it is as before.
void *tr_world_grown(void *array, uint32_t count);
