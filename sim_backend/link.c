// SPDX-License-Identifier: MIT
// Links: two wires between two ends, and what both share. A link is up while nobody has set it down
// and neither direction has failed: a real port sees no carrier, or is told of a remote fault.
#include "clock.h"
#include "env.h"
#include "station.h"
#include "world.h"
#include <errno.h>
#include <stdlib.h>

bool tr_link_carries(const struct tr_link *link)
{
	return link->is_up && !link->wire[0].failed && !link->wire[1].failed;
}

// The slow path hears of the change, as by an interrupt.
static void set_port(struct io_port *port, bool link_up)
{
	struct io_env *env = port->env;

	if (port->link_up == link_up)
		return;
	port->link_up = link_up;
	tr_core_wake(&env->core[env->units - 1], env->world->now_ps);
}

void tr_link_changed(struct tr_link *link)
{
	bool carries = tr_link_carries(link);

	for (unsigned i = 0; i < 2; i++) {
		if (link->wire[i].from.kind == TR_END_PORT)
			set_port(link->wire[i].from.port, carries);
		while (!carries && link->wire[i].flight.count)
			tr_wire_lose(&link->wire[i], tr_fifo_pop(&link->wire[i].flight));
	}
}

// 0, -EINVAL: no such end, -EBUSY: it has a link.
static int find_end(struct tr_world *world, const struct tr_end *end, struct tr_wire_end *out)
{
	struct io_port *port;

	*out = (struct tr_wire_end){.kind = end->kind};
	if (end->kind == TR_END_STATION) {
		if (end->id >= world->stations)
			return -EINVAL;
		out->station = world->station[end->id];
		return out->station->wire ? -EBUSY : 0;
	}
	if (end->kind != TR_END_PORT && end->kind != TR_END_TWIN)
		return -EINVAL;
	if (end->id >= world->routers || end->port >= world->router[end->id]->ports)
		return -EINVAL;
	port = &world->router[end->id]->port[end->port];
	out->port = port;
	return (end->kind == TR_END_PORT ? port->wire : port->twin_wire) ? -EBUSY : 0;
}

static void attach(struct tr_wire_end *end, struct tr_wire *wire)
{
	if (end->kind == TR_END_STATION)
		end->station->wire = wire;
	else if (end->kind == TR_END_PORT)
		end->port->wire = wire;
	else
		end->port->twin_wire = wire;
}

static int init_wire(struct tr_link *link, unsigned direction)
{
	struct tr_wire *wire = &link->wire[direction];
	struct tr_world *world = link->world;
	const struct tr_faults *faults = &link->config.faults[direction];
	uint64_t id = (uint64_t)link->id * 2 + direction;
	struct tr_rng tie;
	int error;

	wire->world = world;
	wire->link = link;
	wire->direction = direction;
	tr_rng_init(&tie, world->seed, TR_RNG_WIRE_TIE, id);
	tr_rng_init(&wire->rng, world->seed, TR_RNG_WIRE, id);
	tr_rng_init(&wire->state_rng, world->seed, TR_RNG_WIRE_STATE, id);
	wire->actor.kind = TR_ACTOR_WIRE;
	wire->actor.tie = tr_rng_next(&tie);
	error = tr_heap_add(&world->heap, &wire->actor);
	if (error)
		return error;
	wire->change_ps = TR_SIM_NEVER;
	if (faults->up_mean_ps && faults->down_mean_ps) {
		wire->change_ps =
			world->now_ps + tr_rng_exponential(&wire->state_rng, faults->up_mean_ps);
		tr_world_at(world, &wire->actor, wire->change_ps);
	}
	return 0;
}

static bool same_end(const struct tr_wire_end *a, const struct tr_wire_end *b)
{
	return a->kind == b->kind && a->station == b->station && a->port == b->port;
}

int tr_world_link(struct tr_world *world, const struct tr_end *a, const struct tr_end *b,
	const struct tr_link_config *config)
{
	struct tr_wire_end ends[2];
	struct tr_link **list;
	struct tr_link *link;
	int error = find_end(world, a, &ends[0]);

	if (error == 0)
		error = find_end(world, b, &ends[1]);
	if (error)
		return error;
	if (same_end(&ends[0], &ends[1]))
		return -EINVAL;
	list = tr_world_grown(world->link, world->links);
	if (!list)
		return -ENOMEM;
	world->link = list;
	link = calloc(1, sizeof(*link));
	if (!link)
		return -ENOMEM;
	link->world = world;
	link->id = world->links;
	link->is_up = true;
	link->config = *config;
	for (unsigned i = 0; i < 2; i++) {
		link->wire[i].from = ends[i];
		link->wire[i].to = ends[!i];
	}
	error = init_wire(link, 0);
	if (error == 0 && (error = init_wire(link, 1)))
		tr_heap_remove(&world->heap, &link->wire[0].actor);
	if (error) {
		free(link);
		return error;
	}
	attach(&ends[0], &link->wire[0]);
	attach(&ends[1], &link->wire[1]);
	tr_link_changed(link);
	world->link[world->links] = link;
	return (int)world->links++;
}

void tr_link_free(struct tr_link *link)
{
	for (unsigned i = 0; i < 2; i++) {
		struct tr_wire *wire = &link->wire[i];

		for (unsigned queue = 0; queue < TR_UNITS_MAX; queue++) {
			while (wire->queue[queue].count)
				tr_pkt_free(link->world, tr_fifo_pop(&wire->queue[queue]));
			tr_fifo_free(&wire->queue[queue]);
		}
		while (wire->flight.count)
			tr_pkt_free(link->world, tr_fifo_pop(&wire->flight));
		tr_fifo_free(&wire->flight);
		tr_record_free(&wire->record);
		tr_heap_remove(&link->world->heap, &wire->actor);
	}
	free(link);
}

int tr_link_set_up(struct tr_world *world, uint32_t link, bool up)
{
	if (link >= world->links)
		return -EINVAL;
	world->link[link]->is_up = up;
	tr_link_changed(world->link[link]);
	return 0;
}

int tr_link_counters(const struct tr_world *world, uint32_t link, struct tr_link_counters *out)
{
	if (link >= world->links)
		return -EINVAL;
	*out = world->link[link]->counters;
	return 0;
}

int tr_link_record(struct tr_world *world, uint32_t link, uint32_t direction, bool on)
{
	if (link >= world->links || direction > 1)
		return -EINVAL;
	world->link[link]->wire[direction].record_on = on;
	return 0;
}

int tr_link_recorded(const struct tr_world *world, uint32_t link, uint32_t direction,
	struct tr_frames *out)
{
	if (link >= world->links || direction > 1)
		return -EINVAL;
	*out = tr_record_frames(&world->link[link]->wire[direction].record);
	return 0;
}
