// SPDX-License-Identifier: MIT
// The reverse path as all routes see it: RFC 3704 2.3, feasible-path reverse path forwarding, takes
// a source from every port by which a route for it leaves, be it the best one or an alternative.
// The fast path knows best routes alone; this asks the RIB for those it did not choose.
#include "formats/ipv4.h"
#include "tables/tables_private.h"

struct question {
	const struct tr_tables *tables;
	uint16_t port;
};

// True for a route that can be used, and leads to a neighbour behind the port.
static bool leaves_by(void *argument, const struct tr_route *route)
{
	const struct question *question = argument;
	const struct tr_path *path;
	unsigned n;

	if (!tr_route_is_usable(&question->tables->usable, route))
		return false;
	if (route->kind != TR_ROUTE_GROUP)
		return tr_is_way_out(route->kind) && route->port == question->port;
	path = tr_paths_of(question->tables->paths, route->gateway, &n);
	for (unsigned i = 0; i < n; i++) {
		if (path[i].port == question->port)
			return true;
	}
	return false;
}

bool tr_tables_is_feasible(const struct tr_tables *tables, uint32_t address, uint16_t port)
{
	struct question question = {.tables = tables, .port = port};

	for (int bits = 32; bits >= 0; bits--) {
		uint32_t prefix = address & ipv4_mask((uint8_t)bits);
		const struct tr_rib_prefix *found = tr_rib_find(tables->rib, prefix, (uint8_t)bits);

		if (!found || found->best.kind == TR_ROUTE_NONE ||
			!tr_route_is_usable(&tables->usable, &found->best))
			continue;
		// What the best route refuses to send to has no alternatives either.
		return tr_is_way_out(found->best.kind) &&
			tr_rib_any(tables->rib, found, leaves_by, &question);
	}
	return false;
}
