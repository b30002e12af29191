// SPDX-License-Identifier: MIT
// The router as seen from outside (api.h): counters, tables and changes. Changes are checked in the
// caller's thread against the ports, which never change while the router lives, and then go to the
// slow path as a message, because it alone writes the tables.
#include "router_private.h"
#include "tables/route_check.h"

#include <errno.h>
#include <stdlib.h>

int tr_router_counters(const struct tr_router *router, unsigned unit, struct tr_counters *out)
{
	const uint64_t *from, *slow;
	uint64_t *to = (uint64_t *)out;

	if (unit > router->config.fast_units)
		return -EINVAL;
	from = (const uint64_t *)&router->fast[unit].counters;
	slow = unit == router->config.fast_units ? (const uint64_t *)&router->slow.counters : NULL;
	for (size_t i = 0; i < sizeof(*out) / sizeof(uint64_t); i++) {
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
		if (slow)
			to[i] += __atomic_load_n(&slow[i], __ATOMIC_RELAXED);
	}
	return 0;
}

uint64_t tr_router_held(const struct tr_router *router, unsigned unit)
{
	uint64_t held;

	if (unit > router->config.fast_units)
		return 0;
	held = tr_fast_held(&router->fast[unit]);
	return unit == router->config.fast_units ? held + tr_slow_held(&router->slow) : held;
}

void tr_router_table_info(const struct tr_router *router, struct tr_table_info *out)
{
	tr_tables_info(router->slow.tables, out);
}

int tr_routes_check(const struct tr_router *router, struct tr_route_change *changes, uint64_t n,
	uint64_t *bad, const char **what)
{
	for (uint64_t i = 0, rows; i < n; i += rows) {
		uint64_t wrong;
		int error = tr_route_check_rows(&router->config, changes + i, n - i, &rows, &wrong,
			what);

		if (error) {
			*bad = i + wrong;
			return error;
		}
	}
	return 0;
}

static int post(struct tr_router *router, struct tr_control *control)
{
	void *item = control;

	if (io_ring_enqueue(NULL, router->slow.control_ring, &item, 1) == 1)
		return 0;
	free(control);
	return -ENOSPC;
}

int tr_changes_post(struct tr_router *router, const struct tr_changes *changes)
{
	size_t route_bytes = changes->route_count * sizeof(changes->routes[0]);
	size_t neighbor_bytes = changes->neighbor_count * sizeof(changes->neighbors[0]);
	struct tr_control *control;

	for (uint64_t i = 0; i < changes->neighbor_count; i++) {
		if (changes->neighbors[i].port >= router->config.ports)
			return -EINVAL;
	}
	control = malloc(sizeof(*control) + route_bytes + neighbor_bytes);
	if (control == NULL)
		return -ENOMEM;
	memset(control, 0, sizeof(*control));
	control->kind = TR_CONTROL_CHANGES;
	control->route_count = changes->route_count;
	control->neighbor_count = changes->neighbor_count;
	control->neighbor = (struct tr_neighbor_change *)&control->route[changes->route_count];
	if (route_bytes)
		memcpy(control->route, changes->routes, route_bytes);
	if (neighbor_bytes)
		memcpy(control->neighbor, changes->neighbors, neighbor_bytes);
	control->has_settings = changes->settings != NULL;
	if (changes->settings)
		control->settings = *changes->settings;
	return post(router, control);
}

int tr_routes_post(struct tr_router *router, const struct tr_route_change *routes, uint64_t n)
{
	return tr_changes_post(router, &(struct tr_changes){.routes = routes, .route_count = n});
}

int tr_router_call(struct tr_router *router, tr_call_fn call, void *argument, uint32_t *is_done)
{
	struct tr_control *control = calloc(1, sizeof(*control));

	if (control == NULL)
		return -ENOMEM;
	control->kind = TR_CONTROL_CALL;
	control->call = call;
	control->argument = argument;
	control->is_done = is_done;
	return post(router, control);
}

uint64_t tr_routes_read(const struct tr_router *router, struct tr_route *out, uint64_t room,
	bool all)
{
	return tr_rib_read(tr_tables_rib(router->slow.tables), out, room, all);
}

uint64_t tr_neighbors_read(const struct tr_router *router, struct tr_neighbor_info *out,
	uint64_t room)
{
	return tr_neighbors_list(router->slow.neighbors, out, room);
}

uint64_t tr_routes_lookup(const struct tr_router *router, const uint32_t *addresses, uint64_t n,
	struct tr_route *out, uint64_t room)
{
	uint64_t rows = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = rows < room ? rows : room;
		rows += tr_tables_rows(router->slow.tables, addresses[i], out + at, room - at);
	}
	return rows;
}
