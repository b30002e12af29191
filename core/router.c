// SPDX-License-Identifier: MIT
// A router's life: the slow path first, because it owns the tables and makes the rings, then the
// fast-path units around them. The backend calls tr_router_poll() for each unit in turn; nothing
// here runs by itself.
#include "router_private.h"

#include <errno.h>
#include <stdlib.h>

static int init_ports(struct tr_router *router, struct io_env *env)
{
	for (uint32_t i = 0; i < router->config.ports; i++) {
		router->io_port[i] = tr_io_port(env, i);
		router->port[i].io = router->io_port[i];
		router->port[i].config = &router->config.port[i];
		if (router->io_port[i] == NULL)
			return -ENODEV;
	}
	return 0;
}

static int init_fast_units(struct tr_router *router, struct io_env *env)
{
	const struct tr_config *config = &router->config;
	size_t bytes = (config->fast_units + 1) * sizeof(struct tr_fast_unit);

	router->fast = calloc(1, bytes);
	if (router->fast == NULL)
		return -ENOMEM;
	for (uint16_t i = 0; i <= config->fast_units; i++) {
		struct tr_fast_unit *unit = &router->fast[i];
		int error;

		unit->fib = tr_tables_active(router->slow.tables);
		unit->rules = router->slow.rules;
		unit->pipeline = &router->pipeline;
		unit->port = router->port;
		if (i == config->fast_units) {
			unit->slow = &router->slow;
			router->slow.unit = unit;
		}
		unit->punt_ring = router->slow.punt_ring[i];
		unit->icmp_pause = &router->slow.icmp_pause;
		unit->command = router->slow.channel[i];
		error = tr_fast_unit_init(unit, config, env, i);
		if (error)
			return error;
	}
	return 0;
}

struct tr_router *tr_router_new(const struct tr_config *config, struct io_env *env)
{
	struct tr_router *router = calloc(1, sizeof(*router));
	int error;

	if (router == NULL)
		return NULL;
	router->config = *config;
	tr_pipeline_default(&router->pipeline, config->scatter);
	error = init_ports(router, env);
	if (error == 0)
		error = tr_slow_init(&router->slow, &router->config, env, router->port,
			router->io_port);
	if (error == 0)
		error = init_fast_units(router, env);
	if (error) {
		tr_router_free(router);
		errno = -error;
		return NULL;
	}
	return router;
}

void tr_router_free(struct tr_router *router)
{
	if (router == NULL)
		return;
	for (uint32_t i = 0; router->fast && i <= router->config.fast_units; i++)
		tr_fast_unit_fini(&router->fast[i]);
	free(router->fast);
	tr_slow_fini(&router->slow);
	free(router);
}

const struct tr_config *tr_router_config(const struct tr_router *router)
{
	return &router->config;
}

unsigned tr_router_poll(struct tr_router *router, unsigned unit)
{
	if (unit < router->config.fast_units)
		return tr_fast_poll(&router->fast[unit]);
	return tr_slow_poll(&router->slow);
}

uint64_t tr_router_deadline(const struct tr_router *router, unsigned unit)
{
	if (unit < router->config.fast_units)
		return tr_fast_deadline(&router->fast[unit]);
	return tr_slow_deadline(&router->slow);
}
