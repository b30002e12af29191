// SPDX-License-Identifier: MIT
// RIB to FIB. A change goes to the RIB at once and only marks its prefix dirty; while the swap is
// ready, tr_tables_poll() compares what each dirty prefix should be with what the FIB holds of it,
// and adds the difference to the set. A prefix changed many times between two swaps is thus one
// operation, or none. The set is published when nothing is dirty any more and all is there that
// belongs together (a bulk load is a swap). A prefix for which table or next hops have no room
// stays out, so the next shorter one serves; it is counted, and tried again when room may have come
// free.
// The default route is entry 0 of the next hops: a copy of the entry of its own next hop.
#include "tables/tables_private.h"
#include "formats/ipv4.h"
#include "tables/initial_routes.h"
#include "tables/route_check.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void tr_tables_mark(struct tr_tables *tables, uint32_t index)
{
	struct tr_rib_prefix *prefix = tr_rib_at(tables->rib, index);

	if (!prefix->dirty)
		tr_dirty_push(&tables->dirty, index);
	prefix->dirty = true;
}

void tr_tables_hold(struct tr_tables *tables, bool hold)
{
	tables->hold = hold;
}

bool tr_tables_are_behind(const struct tr_tables *tables)
{
	return tr_dirty_count(&tables->dirty) != 0;
}

static int change_rib(struct tr_tables *tables, const struct tr_route_change *change)
{
	const struct tr_route *route = &change->route;
	uint32_t index;
	bool best_changed;

	// Room for the mark comes first: no change of the RIB without it.
	int error = tr_dirty_reserve(&tables->dirty);
	if (error)
		return error;
	if (change->add)
		error = tr_rib_add(tables->rib, route, &index, &best_changed);
	else
		error = tr_rib_delete(tables->rib, route, &index, &best_changed);
	if (!error && best_changed)
		tr_tables_mark(tables, index);
	return error;
}

int tr_tables_change(struct tr_tables *tables, const struct tr_route_change *change)
{
	if (change->add && !tr_hops_fits(tables->hops, &change->route))
		return -ENOSPC;
	return change_rib(tables, change);
}

// A route without a next hop stays in the RIB, as one for which the FIB has no room does: those
// that the same message deletes become free a swap later.
uint64_t tr_tables_apply(struct tr_tables *tables, const struct tr_route_change *changes,
	uint64_t n)
{
	struct tr_route_change change = changes[0];
	struct tr_path path[TR_PATHS_MAX] = {{change.route.gateway, change.route.port, 0}};
	unsigned gateways = 1;
	uint16_t mtu = 0;
	uint64_t rows = 1;
	int error;

	assert(!tr_route_is_part(&change.route));
	for (; rows < n && tr_route_is_part(&changes[rows].route); rows++) {
		const struct tr_route *part = &changes[rows].route;
		if (part->kind == TR_ROUTE_MTU)
			mtu = (uint16_t)part->gateway;
		else if (gateways < TR_PATHS_MAX)
			path[gateways++] = (struct tr_path){part->gateway, part->port, 0};
	}
	if (rows > 1 && change.add) {
		change.route.kind = TR_ROUTE_GROUP;
		change.route.port = TR_NO_PORT;
		change.route.gateway = tr_paths_take(tables->paths, path, gateways, mtu);
		if (!change.route.gateway) {
			tables->lost++;
			return rows;
		}
	}
	error = change_rib(tables, &change);
	if (error && change.route.kind == TR_ROUTE_GROUP)
		tr_paths_give(tables->paths, change.route.gateway);
	tables->lost += error == -ENOMEM;
	return rows;
}

// Adds to the set what makes the FIB hold a prefix by that next hop, 0 for not at all.
static int change_fib(struct tr_tables *tables, const struct tr_rib_prefix *prefix, uint16_t hop)
{
	const struct tr_route *best = &prefix->best;
	struct tr_fib_change change = {
		.prefix = best->prefix,
		.bits = best->bits,
		.set = hop != 0,
		.no_source = tr_is_no_source(best->kind),
		.hop = hop,
	};

	if (best->bits == 0) {
		struct tr_next_hop entry;
		tables->default_hop = hop;
		tr_hops_entry(tables->hops, hop, &entry);
		tr_swap_hop(tables->swap, TR_HOP_DEFAULT, &entry);
		return 0;
	}
	if (!hop) {
		const struct tr_rib_prefix *cover =
			tr_rib_cover(tables->rib, best->prefix, best->bits);
		if (cover) {
			change.cover_bits = cover->best.bits;
			change.hop = cover->hop;
		}
		tables->retry |= best->bits > 24; // may free a group
	}
	return tr_swap_prefix(tables->swap, &change);
}

// Host routes are learned in subnets, and not in what is a longer route there.
static bool is_part_of_subnet(const struct tr_config *config, const struct tr_route *route)
{
	for (uint32_t i = 0; i < config->ports; i++) {
		const struct tr_port_config *port = &config->port[i];
		for (uint32_t j = 0; j < port->addresses; j++) {
			const struct tr_port_address *own = &port->address[j];
			if (own->bits < route->bits && route->bits < 32 &&
				!((own->address ^ route->prefix) & ipv4_mask(own->bits)))
				return true;
		}
	}
	return false;
}

// Do host routes depend on the prefix, whose next hop changes?
static bool matters_to_neighbors(const struct tr_tables *tables, const struct tr_route *route,
	uint16_t before, uint16_t hop)
{
	return tr_hops_kind(tables->hops, before) == TR_ROUTE_CONNECTED ||
		tr_hops_kind(tables->hops, hop) == TR_ROUTE_CONNECTED ||
		is_part_of_subnet(tables->config, route);
}

// Brings a dirty prefix to the FIB. -ENOMEM: it stays dirty.
static int place(struct tr_tables *tables, uint32_t index)
{
	struct tr_rib_prefix *prefix = tr_rib_at(tables->rib, index);
	bool wanted = prefix->best.kind != TR_ROUTE_NONE &&
		tr_route_is_usable(&tables->usable, &prefix->best);
	uint16_t before = prefix->hop;
	uint16_t hop = wanted ? tr_hops_take(tables->hops, &prefix->best) : 0;
	int error = hop != before ? change_fib(tables, prefix, hop) : 0;

	if (error) {
		if (hop)
			tr_hops_give(tables->hops, hop);
		if (error != -ENOSPC)
			return error;
		assert(!before); // what is in the table can be replaced there
		hop = 0;
	}
	tables->relearn |=
		hop != before && matters_to_neighbors(tables, &prefix->best, before, hop);
	if (before)
		tr_hops_give(tables->hops, before);
	tr_rib_install(tables->rib, index, hop);
	tables->unplaced += (wanted && !hop) - prefix->unplaced;
	prefix->unplaced = wanted && !hop;
	prefix->dirty = false;
	tr_rib_release(tables->rib, index);
	return 0;
}

// Unplaced prefixes are so rare that a walk over the RIB finds them.
static void retry_unplaced(struct tr_tables *tables)
{
	uint64_t left = tables->unplaced;

	tables->retry = false;
	for (uint32_t i = 1; left && i < tr_rib_end(tables->rib); i++) {
		if (!tr_rib_at(tables->rib, i)->unplaced)
			continue;
		if (tr_dirty_reserve(&tables->dirty)) {
			tables->retry = true;
			return;
		}
		tr_tables_mark(tables, i);
		left--;
	}
}

static unsigned put_hops_in_set(struct tr_tables *tables)
{
	unsigned done = 0;

	for (uint16_t hop; (hop = tr_hops_changed(tables->hops)); done++) {
		struct tr_next_hop entry;
		if (!tr_hops_references(tables->hops, hop))
			continue;
		tr_hops_entry(tables->hops, hop, &entry);
		tr_swap_hop(tables->swap, hop, &entry);
		if (hop == tables->default_hop)
			tr_swap_hop(tables->swap, TR_HOP_DEFAULT, &entry);
	}
	return done;
}

void tr_tables_ports(struct tr_tables *tables, uint32_t ports)
{
	uint32_t changed = tables->usable.ports ^ ports;

	tables->usable.ports = ports;
	if (!changed)
		return;
	tr_walk_begin(&tables->walk, changed);
	for (; changed; changed &= changed - 1)
		tr_hops_port(tables->hops, (uint16_t)__builtin_ctz(changed));
}

// Without memory a route is missing, as it is for whoever adds one.
void tr_tables_port(struct tr_tables *tables, uint16_t port, const struct tr_port_config *before)
{
	const struct tr_port_config *after = &tables->config->port[port];

	tr_port_routes(tables, port, before, after);
	if (before->mtu != after->mtu)
		tr_hops_mtu(tables->hops, port);
	tr_hops_port(tables->hops, port);
	tr_walk_begin(&tables->walk, 1u << port);
	tables->relearn = true;
}

unsigned tr_tables_poll(struct tr_tables *tables, const struct tr_fib **publish)
{
	unsigned done = tr_walk(tables, TR_TABLES_POLL_MAX);
	unsigned marked = done;
	bool stuck = false;

	*publish = NULL;
	if (!tr_swap_ready(tables->swap)) {
		tables->was_ready = false;
		return done + tr_swap_catch_up(tables->swap, TR_TABLES_POLL_MAX);
	}
	if (!tables->was_ready) {
		tables->was_ready = true;
		tables->retry |= tr_hops_reuse(tables->hops);
		if (tables->retry)
			retry_unplaced(tables);
	}
	while (done - marked < TR_TABLES_POLL_MAX && tr_dirty_count(&tables->dirty)) {
		stuck = place(tables, tr_dirty_first(&tables->dirty)) != 0;
		if (stuck)
			break;
		tr_dirty_pop(&tables->dirty);
		done++;
	}
	if (tables->relearn && !tr_dirty_count(&tables->dirty))
		done += tr_tables_relearn(tables);
	if (tables->hold || (tr_dirty_count(&tables->dirty) && !stuck))
		return done;
	tr_dirty_compact(&tables->dirty);
	done += put_hops_in_set(tables);
	*publish = tr_swap_publish(tables->swap);
	return done;
}

void tr_tables_acknowledge(struct tr_tables *tables, uint64_t generation)
{
	tr_swap_acknowledge(tables->swap, generation);
}

const struct tr_fib *tr_tables_active(const struct tr_tables *tables)
{
	return tr_swap_active(tables->swap);
}

const struct tr_rib *tr_tables_rib(const struct tr_tables *tables)
{
	return tables->rib;
}

// No unit runs yet, so the first set is acknowledged in their place.
static int publish_first(struct tr_tables *tables)
{
	const struct tr_fib *published;
	struct tr_next_hop none;

	tr_hops_entry(tables->hops, 0, &none);
	tr_swap_hop(tables->swap, TR_HOP_DEFAULT, &none);
	do
		tr_tables_poll(tables, &published);
	while (!published);
	for (uint32_t i = 0; i < tables->config->fast_units; i++)
		tr_tables_acknowledge(tables, published->generation);
	while (!tr_swap_ready(tables->swap))
		tr_tables_poll(tables, &published);
	return tables->unplaced || tr_dirty_count(&tables->dirty) ? -ENOMEM : 0;
}

struct tr_tables *tr_tables_new(struct io_env *env, const struct tr_config *config)
{
	struct tr_tables *tables = calloc(1, sizeof(*tables));
	int error = ENOMEM;

	if (!tables)
		return NULL;
	tables->config = config;
	tables->usable = (struct tr_usable){.config = config, .ports = UINT32_MAX};
	tables->was_ready = true;
	tables->paths = tr_paths_new();
	tables->usable.paths = tables->paths;
	tables->rib = tr_rib_new(tables->paths, &tables->usable);
	tables->hops = tr_hops_new(&tables->usable, tables->paths);
	tables->swap = tr_swap_new(env, tr_lpm_of(config), config->fast_units, config->hash_seed);
	if (!tables->paths || !tables->rib || !tables->hops || !tables->swap)
		goto err;
	error = -tr_initial_routes(tables, config);
	if (!error)
		error = -publish_first(tables);
	if (!error)
		return tables;
err:
	tr_tables_free(tables);
	errno = error;
	return NULL;
}

void tr_tables_free(struct tr_tables *tables)
{
	if (!tables)
		return;
	tr_swap_free(tables->swap);
	tr_hops_free(tables->hops);
	tr_rib_free(tables->rib);
	tr_paths_free(tables->paths);
	free(tables->dirty.index);
	free(tables);
}
