// SPDX-License-Identifier: MIT
// The world's life and its main loop: the actor whose event is next runs, until the time or the
// traffic is over. Whatever can happen is a function of the seed and of what Python did, in order.
#include "world.h"
#include "core.h"
#include "env.h"
#include "rss.h"
#include "station.h"
#include "wire.h"
#include <errno.h>
#include <stdlib.h>

struct tr_world *tr_world_new(uint64_t seed)
{
	struct tr_world *world = calloc(1, sizeof(*world));

	if (!world)
		return NULL;
	world->seed = seed;
	tr_stock_init(&world->stock);
	return world;
}

void tr_world_free(struct tr_world *world)
{
	if (!world)
		return;
	assert(!world->running);
	// What a core put into a ring ahead of the world is to be seen now, by whoever frees it.
	world->now_ps = TR_SIM_NEVER;
	// Frames that wait for a wire are still in the account of their router.
	for (uint32_t i = 0; i < world->links; i++)
		tr_link_free(world->link[i]);
	for (uint32_t i = 0; i < world->routers; i++)
		tr_env_free(world->router[i]);
	for (uint32_t i = 0; i < world->stations; i++)
		tr_station_free(world->station[i]);
	assert(world->stock.in_use == 0);
	free(world->router);
	free(world->link);
	free(world->station);
	free(world->rss[0]);
	free(world->rss[1]);
	free(world->heap.entry);
	tr_trace_free(&world->trace);
	tr_stock_free(&world->stock);
	free(world);
}

void *tr_world_grown(void *array, uint32_t count)
{
	return realloc(array, ((size_t)count + 1) * sizeof(void *));
}

void tr_world_fail(struct tr_world *world, int error)
{
	if (!world->error)
		world->error = error;
	world->stop = true;
}

static bool is_idle(const struct tr_world *world)
{
	return (world->stock.in_use | world->unsent | world->ring_items | world->busy_cores) == 0;
}

static void run_events(struct tr_world *world, uint64_t until_ps, bool stop_idle)
{
	while (!world->stop && !(stop_idle && is_idle(world))) {
		struct tr_actor *actor = world->heap.count ? world->heap.entry[0].actor : NULL;

		if (!actor || actor->ps > until_ps || actor->ps == TR_SIM_NEVER) {
			// Without an end there is no time to go on to.
			if (until_ps != TR_SIM_NEVER)
				world->now_ps = until_ps;
			return;
		}
		assert(actor->ps >= world->now_ps);
		world->now_ps = actor->ps;
		if (actor->kind == TR_ACTOR_CORE)
			tr_core_run(tr_core_of_actor(actor));
		else
			tr_wire_run(tr_wire_of(actor));
	}
}

int tr_world_run(struct tr_world *world, uint64_t until_ps, bool stop_idle)
{
	if (world->running)
		return -EBUSY;
	if (until_ps < world->now_ps)
		return -EINVAL;
	if (world->error)
		return world->error;
	world->running = true;
	world->stop = false;
	run_events(world, until_ps, stop_idle);
	world->running = false;
	if (world->error)
		return world->error;
	if (world->stop)
		return TR_RUN_STOPPED;
	return stop_idle && is_idle(world) ? TR_RUN_IDLE : TR_RUN_TIME;
}

void tr_world_stop(struct tr_world *world)
{
	world->stop = true;
}

uint64_t tr_world_now_ps(const struct tr_world *world)
{
	return world->now_ps;
}

uint64_t tr_world_in_flight(const struct tr_world *world)
{
	return world->stock.in_use + world->unsent;
}

uint64_t tr_world_hash(const struct tr_world *world)
{
	return world->hash;
}

void tr_world_on_frame(struct tr_world *world, tr_frame_fn fn, void *context)
{
	world->on_frame = fn;
	world->on_frame_context = context;
}
