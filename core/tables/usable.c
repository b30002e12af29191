// SPDX-License-Identifier: MIT
// Whether a route can be used (usable.h), and the walk over the RIB that a change of it takes: a
// bounded number of nodes at a time, around and around, until each was seen since the last change.
// A port that flaps faster than that keeps the walk going and holds up nothing.
#include "tables/usable.h"
#include "formats/ipv4.h"
#include "tables/tables_private.h"

static bool is_on_link(const struct tr_port_config *port, uint32_t address)
{
	for (uint32_t i = 0; i < port->addresses; i++) {
		const struct tr_port_address *own = &port->address[i];
		if (((own->address ^ address) & ipv4_mask(own->bits)) == 0)
			return true;
	}
	return false;
}

static bool is_up(const struct tr_usable *usable, uint16_t port)
{
	return port < TR_PORTS_MAX && usable->ports >> port & 1;
}

bool tr_gateway_is_usable(const struct tr_usable *usable, uint16_t port, uint32_t gateway)
{
	return is_up(usable, port) && is_on_link(&usable->config->port[port], gateway);
}

bool tr_route_is_usable(const struct tr_usable *usable, const struct tr_route *route)
{
	bool found = false;
	unsigned n;

	switch (route->kind) {
	case TR_ROUTE_CONNECTED:
		return is_up(usable, route->port);
	case TR_ROUTE_VIA:
	case TR_ROUTE_MORE:
		// Who was learned is on the link, or behind a route that says so.
		if (route->source == TR_SOURCE_LEARNED)
			return is_up(usable, route->port);
		return tr_gateway_is_usable(usable, route->port, route->gateway);
	case TR_ROUTE_GROUP: {
		const struct tr_path *path = tr_paths_of(usable->paths, route->gateway, &n);
		for (unsigned i = 0; i < n && !found; i++)
			found = tr_gateway_is_usable(usable, path[i].port, path[i].gateway);
		return found;
	}
	default:
		return true;
	}
}

void tr_walk_begin(struct tr_walk *walk, uint32_t ports)
{
	if (!walk->ports)
		walk->at = 1;
	walk->ports |= ports;
	walk->stop = walk->at;
	walk->is_second = false;
}

uint64_t tr_walk_left(const struct tr_walk *walk, const struct tr_rib *rib)
{
	if (!walk->ports)
		return 0;
	if (walk->is_second)
		return walk->stop - walk->at + 1;
	return tr_rib_end(rib) - walk->at + walk->stop;
}

// Moves on at the end of the pool, and ends where the walk began. False: it is over.
static bool is_under_way(struct tr_walk *walk, const struct tr_rib *rib)
{
	if (walk->ports && !walk->is_second && walk->at >= tr_rib_end(rib)) {
		walk->is_second = true;
		walk->at = 1;
	}
	if (walk->is_second && walk->at >= walk->stop)
		walk->ports = 0;
	return walk->ports != 0;
}

unsigned tr_walk(struct tr_tables *tables, unsigned most)
{
	struct tr_walk *walk = &tables->walk;
	unsigned done = 0;

	for (; done < most && is_under_way(walk, tables->rib); done++, walk->at++) {
		if (tr_dirty_reserve(&tables->dirty))
			break; // again at the next poll
		uint32_t index = tr_rib_revisit(tables->rib, walk->at, walk->ports);
		if (index)
			tr_tables_mark(tables, index);
	}
	return done;
}
