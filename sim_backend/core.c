// SPDX-License-Identifier: MIT
// Turns of a simulated core, and its sleep between them (core.h). A unit that found nothing is not
// polled until something comes for it or its deadline is over; then its clock is put on the grid of
// the turns that it would have made meanwhile.
#include "core.h"
#include "clock.h"
#include "env.h"
#include "router.h"
#include "world.h"
#include <stdio.h>
#include <stdlib.h>

#define CORE_TURNS_AT_REST_MAX 1000000

uint64_t tr_core_ps(struct tr_core *core)
{
	if (core->functional)
		return core->world->now_ps;
	if (core->converted_millicycles != core->io.millicycles) {
		core->converted_millicycles = core->io.millicycles;
		core->converted_ps = clock_millicycles_ps(core->io.millicycles, core->io.hz);
	}
	// The clock of a core that sleeps is behind the world.
	return core->converted_ps > core->world->now_ps ? core->converted_ps : core->world->now_ps;
}

// The first turn at or after `target` when turns follow each other from `clock` on.
static uint64_t on_grid(uint64_t clock, uint64_t target, uint64_t poll)
{
	if (target <= clock)
		return clock;
	return poll ? clock + (target - clock + poll - 1) / poll * poll : target;
}

static uint64_t not_before(uint64_t ps, uint64_t now_ps)
{
	return ps > now_ps ? ps : now_ps;
}

void tr_core_wake(struct tr_core *core, uint64_t ps)
{
	uint64_t next;

	// A turn that is due will see it.
	if (core->actor.ps <= ps)
		return;
	if (core->functional) {
		tr_world_at(core->world, &core->actor, ps);
		return;
	}
	next = on_grid(core->io.millicycles, clock_millicycles(ps, core->io.hz),
		core->poll_millicycles);
	ps = not_before(clock_millicycles_ps(next, core->io.hz), core->world->now_ps);
	if (ps >= core->actor.ps)
		return;
	core->next_millicycles = next;
	tr_world_at(core->world, &core->actor, ps);
}

// A loop that always finds something while nothing moves would hold the world for ever.
static void check_moves(struct tr_core *core)
{
	if (core->turn_ps != core->world->now_ps || core->turn_moves != core->io.moves) {
		core->turn_ps = core->world->now_ps;
		core->turn_moves = core->io.moves;
		core->turns_at_rest = 0;
		return;
	}
	if (++core->turns_at_rest < CORE_TURNS_AT_REST_MAX)
		return;
	fprintf(stderr,
		"twinroute: router %u unit %u: tr_router_poll() found work %u times while neither "
		"time nor packets moved\n",
		core->env->id, core->unit, core->turns_at_rest);
	abort();
}

// When the unit itself has something to do. What is due already and was not done waits until the
// clock shows another time.
static uint64_t deadline_ps(struct tr_core *core)
{
	uint64_t cycles = tr_router_deadline(core->env->router, core->unit);
	uint64_t clock = core->io.millicycles;
	uint64_t poll = core->poll_millicycles;

	if (cycles == UINT64_MAX)
		return TR_SIM_NEVER;
	if (cycles <= core->io.cycles && (core->functional || poll == 0))
		cycles = core->io.cycles + 1;
	if (core->functional)
		return clock_cycles_ps(cycles, core->io.hz);
	if (cycles > UINT64_MAX / 1000)
		return TR_SIM_NEVER;
	core->next_millicycles = clock;
	if (cycles * 1000 > clock)
		core->next_millicycles = on_grid(clock, cycles * 1000, poll);
	return clock_millicycles_ps(core->next_millicycles, core->io.hz);
}

// Chooses the next turn of a unit that found nothing.
static void sleep_core(struct tr_core *core)
{
	uint64_t now_ps = core->world->now_ps;
	uint64_t ps = deadline_ps(core);

	tr_world_at(core->world, &core->actor, ps == TR_SIM_NEVER ? ps : not_before(ps, now_ps));
	if (core->ring_items == 0)
		return;
	for (const struct io_ring *ring = core->rings; ring; ring = ring->next)
		if (ring->count)
			tr_core_wake(core, not_before(ring->item[ring->head].visible_ps, now_ps));
}

static void set_busy(struct tr_core *core, bool is_busy)
{
	if (core->is_busy == is_busy)
		return;
	core->is_busy = is_busy;
	core->world->busy_cores += is_busy ? 1 : -1;
}

static void run_functional(struct tr_core *core)
{
	struct tr_world *world = core->world;

	if (core->converted_ps != world->now_ps) {
		core->converted_ps = world->now_ps;
		core->io.cycles = clock_cycles(world->now_ps, core->io.hz);
	}
	set_busy(core, tr_router_poll(core->env->router, core->unit) > 0);
	if (core->is_busy)
		tr_world_at(world, &core->actor, world->now_ps);
	else
		sleep_core(core);
}

static void run_costed(struct tr_core *core)
{
	uint64_t start = core->io.millicycles;

	if (core->next_millicycles > start)
		start = core->next_millicycles;
	core->io.millicycles = start;
	core->io.cycles = start / 1000;
	set_busy(core, tr_router_poll(core->env->router, core->unit) > 0);
	// An empty turn costs the same whether it is simulated or passed over.
	if (!core->is_busy || core->io.millicycles == start)
		core->io.millicycles = start + core->poll_millicycles;
	core->io.cycles = core->io.millicycles / 1000;
	if (!core->is_busy) {
		sleep_core(core);
		return;
	}
	core->busy_millicycles += core->io.millicycles - start;
	core->next_millicycles = core->io.millicycles;
	tr_world_at(core->world, &core->actor, tr_core_ps(core));
}

void tr_core_run(struct tr_core *core)
{
	check_moves(core);
	if (core->functional)
		run_functional(core);
	else
		run_costed(core);
}
