// SPDX-License-Identifier: MIT
// The router as seen from outside (api.h): counters, tables and changes. Changes are checked in the
// caller's thread against the ports as that thread has configured them, and then go to the slow
// path as a message, because it alone writes the tables.
#include "port_state.h"
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
	out->pending += tr_slow_controls(&router->slow);
	out->swap_outstanding |= router->slow.rules_swap.old != NULL;
}

void tr_router_sample_drops(struct tr_router *router, const uint64_t *reasons)
{
	for (uint32_t i = 0; i <= router->config.fast_units; i++)
		tr_drop_log_want(&router->fast[i].drop_log, reasons);
	tr_drop_log_want(&router->slow.drop_log, reasons);
}

uint32_t tr_router_drop_samples(struct tr_router *router, struct tr_drop_sample *out, uint32_t room,
	uint64_t *missed)
{
	uint32_t n;

	*missed = 0;
	n = tr_drop_log_take(&router->slow.drop_log, out, room, missed);
	for (uint32_t i = 0; i <= router->config.fast_units; i++)
		n += tr_drop_log_take(&router->fast[i].drop_log, out + n, room - n, missed);
	return n;
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

void tr_control_free(struct tr_control *control)
{
	if (control)
		free(control->rules);
	free(control);
}

static int post(struct tr_router *router, struct tr_control *control)
{
	void *item = control;

	if (io_ring_enqueue(NULL, router->slow.control_ring, &item, 1) == 1)
		return 0;
	tr_control_free(control);
	return -ENOSPC;
}

static bool names_ports(const struct tr_changes *changes, uint32_t ports)
{
	for (uint64_t i = 0; i < changes->neighbor_count; i++) {
		if (changes->neighbors[i].port >= ports)
			return false;
	}
	for (uint64_t i = 0; i < changes->port_count; i++) {
		if (changes->ports[i].port >= ports ||
			changes->ports[i].config.addresses > TR_PORT_ADDRESSES_MAX)
			return false;
	}
	return true;
}

int tr_changes_post(struct tr_router *router, const struct tr_changes *changes)
{
	size_t route_bytes = changes->route_count * sizeof(changes->routes[0]);
	size_t neighbor_bytes = changes->neighbor_count * sizeof(changes->neighbors[0]);
	size_t port_bytes = changes->port_count * sizeof(changes->ports[0]);
	struct tr_control *control;
	int error;

	if (!names_ports(changes, router->config.ports))
		return -EINVAL;
	if (changes->rules && changes->rule_count > TR_RULES_MAX)
		return -EINVAL;
	control = malloc(sizeof(*control) + route_bytes + neighbor_bytes + port_bytes);
	if (control == NULL)
		return -ENOMEM;
	memset(control, 0, sizeof(*control));
	control->kind = TR_CONTROL_CHANGES;
	control->route_count = changes->route_count;
	control->neighbor_count = changes->neighbor_count;
	control->port_count = changes->port_count;
	control->neighbor = (struct tr_neighbor_change *)&control->route[changes->route_count];
	control->port = (struct tr_port_change *)&control->neighbor[changes->neighbor_count];
	if (route_bytes)
		memcpy(control->route, changes->routes, route_bytes);
	if (neighbor_bytes)
		memcpy(control->neighbor, changes->neighbors, neighbor_bytes);
	if (port_bytes)
		memcpy(control->port, changes->ports, port_bytes);
	control->has_settings = changes->settings != NULL;
	if (changes->settings)
		control->settings = *changes->settings;
	if (changes->rules) {
		control->rules = tr_rules_new(changes->rules, (uint32_t)changes->rule_count);
		if (control->rules == NULL) {
			free(control);
			return -ENOMEM;
		}
	}
	error = post(router, control);
	for (uint64_t i = 0; i < changes->port_count && !error; i++)
		tr_port_stage(router, changes->ports[i].port, &changes->ports[i].config);
	return error;
}

uint64_t tr_rules_read(const struct tr_router *router, struct tr_rule *out, uint64_t room)
{
	const struct tr_rules *rules = router->slow.rules;

	for (uint32_t i = 0; i < rules->count && i < room; i++)
		out[i] = rules->rule[i];
	return rules->count;
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

int tr_port_staged(const struct tr_router *router, uint16_t port, struct tr_port_config *out)
{
	if (port >= router->config.ports)
		return -EINVAL;
	*out = router->config.port[port];
	return 0;
}

// Units read the MAC address, and nothing else, of the same structure: it is not touched.
int tr_port_stage(struct tr_router *router, uint16_t port, const struct tr_port_config *config)
{
	struct tr_port_config *own = &router->config.port[port];

	if (port >= router->config.ports || config->addresses > TR_PORT_ADDRESSES_MAX)
		return -EINVAL;
	own->mtu = config->mtu;
	own->disabled = config->disabled;
	own->addresses = config->addresses;
	memcpy(own->address, config->address, sizeof(own->address));
	return 0;
}

int tr_port_state_read(const struct tr_router *router, uint16_t port, struct tr_port_state *out)
{
	if (port >= router->config.ports)
		return -EINVAL;
	tr_port_state_copy(&router->port[port], out);
	return 0;
}

int tr_routes_usable(const struct tr_router *router, const struct tr_route *routes, uint64_t n,
	bool *usable)
{
	struct tr_config *config = calloc(1, sizeof(*config));
	struct tr_usable ports = {.config = config}; // rows refer to no sets of gateways

	if (config == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < router->config.ports; i++) {
		struct tr_port_config *port = &config->port[i];
		struct tr_port_state state;
		tr_port_state_copy(&router->port[i], &state);
		ports.ports |= (uint32_t)state.usable << i;
		for (uint32_t j = 0; j < state.addresses; j++) {
			if (state.address_state[j] == TR_ADDRESS_IN_USE)
				port->address[port->addresses++] = state.address[j];
		}
	}
	for (uint64_t i = 0; i < n; i++)
		usable[i] = tr_route_is_usable(&ports, &routes[i]);
	free(config);
	return 0;
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
