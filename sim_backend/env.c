// SPDX-License-Identifier: MIT
// Makes a simulated router, and answers the set-up functions of core/backend.h while the core makes
// its own part of it.
#include "env.h"
#include "clock.h"
#include "formats/ethernet.h"
#include "router.h"
#include "rss.h"
#include "world.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void init_core(struct io_env *env, const struct tr_profile *profile, uint16_t unit)
{
	struct tr_core *core = &env->core[unit];
	struct tr_world *world = env->world;
	struct tr_rng rng;

	tr_rng_init(&rng, world->seed, TR_RNG_CORE_TIE, (uint64_t)env->id * TR_UNITS_MAX + unit);
	*core = (struct tr_core){
		.io =
			{
				.millicycles = clock_millicycles(world->now_ps, profile->hz),
				.cycles = clock_cycles(world->now_ps, profile->hz),
				.hz = profile->hz,
				.cost = profile->functional ? NULL : env->cost,
				.trace_on = world->trace.on,
			},
		.actor = {.kind = TR_ACTOR_CORE, .tie = tr_rng_next(&rng)},
		.world = world,
		.env = env,
		.unit = unit,
		.functional = profile->functional,
		.poll_millicycles = profile->poll_millicycles,
		.turn_ps = TR_SIM_NEVER,
	};
	core->next_millicycles = core->io.millicycles;
	core->converted_millicycles = core->io.millicycles;
	core->converted_ps = profile->functional
		? world->now_ps
		: clock_millicycles_ps(core->io.millicycles, profile->hz);
}

static int init_cores(struct io_env *env, const struct tr_sim_router *router)
{
	env->core = calloc(env->units, sizeof(*env->core));
	if (!env->core)
		return -ENOMEM;
	for (uint16_t unit = 0; unit < env->units; unit++) {
		init_core(env, &router->profile, unit);
		if (tr_heap_add(&env->world->heap, &env->core[unit].actor)) {
			env->units = unit;
			return -ENOMEM;
		}
	}
	return 0;
}

static int init_ports(struct io_env *env, const struct tr_sim_router *router)
{
	env->port = calloc(env->ports, sizeof(*env->port));
	if (!env->port)
		return -ENOMEM;
	for (uint16_t i = 0; i < env->ports; i++) {
		env->port[i].env = env;
		env->port[i].id = i;
		env->port[i].fast_units = (uint16_t)router->config.fast_units;
		env->port[i].config = router->nic[i];
		if (env->port[i].fast_units > 1 &&
			tr_rss_prepare(env->world, router->nic[i].rss_symmetric))
			return -ENOMEM;
	}
	return 0;
}

void tr_env_free(struct io_env *env)
{
	if (!env)
		return;
	if (env->router)
		tr_router_free(env->router);
	for (uint16_t i = 0; env->port && i < env->ports; i++) {
		struct io_port *port = &env->port[i];

		while (port->twin_rx.count)
			tr_pkt_free(env->world, tr_fifo_pop(&port->twin_rx));
		tr_fifo_free(&port->twin_rx);
		for (unsigned queue = 0; queue < TR_UNITS_MAX; queue++) {
			while (port->rx[queue].count)
				tr_pkt_free(env->world, tr_fifo_pop(&port->rx[queue]));
			tr_fifo_free(&port->rx[queue]);
		}
	}
	for (uint16_t unit = 0; env->core && unit < env->units; unit++) {
		env->world->busy_cores -= env->core[unit].is_busy;
		tr_heap_remove(&env->world->heap, &env->core[unit].actor);
	}
	free(env->core);
	free(env->port);
	free(env);
}

static bool is_valid(const struct tr_sim_router *router)
{
	const struct tr_config *config = &router->config;

	if (config->ports == 0 || config->ports > TR_PORTS_MAX || config->fast_units == 0 ||
		config->fast_units >= TR_UNITS_MAX || router->profile.hz == 0)
		return false;
	for (uint32_t i = 0; i < config->ports; i++)
		if (router->nic[i].rx_descriptors == 0 || router->nic[i].tx_descriptors == 0 ||
			config->port[i].mtu + ETHER_HEADER_BYTES > POOL_DATA_MAX)
			return false;
	return true;
}

static struct io_env *new_env(struct tr_world *world, const struct tr_sim_router *router)
{
	struct io_env *env = calloc(1, sizeof(*env));

	if (!env)
		return NULL;
	env->world = world;
	env->id = (uint16_t)world->routers;
	env->ports = (uint16_t)router->config.ports;
	env->units = (uint16_t)(router->config.fast_units + 1);
	env->guard_tables = router->guard_tables;
	env->ring_full_ppm = router->ring_full_ppm;
	memcpy(env->cost, router->profile.step, sizeof(env->cost));
	env->pool = (struct io_pool){
		.world = world,
		.limit = router->buffers,
		.no_buffer_ppm = router->no_buffer_ppm,
	};
	tr_rng_init(&env->pool.rng, world->seed, TR_RNG_POOL, env->id);
	tr_rng_init(&env->ring_rng, world->seed, TR_RNG_RING, env->id);
	return env;
}

int tr_world_router(struct tr_world *world, const struct tr_sim_router *router)
{
	struct io_env **list;
	struct io_env *env;
	int error;

	if (!is_valid(router))
		return -EINVAL;
	if (world->routers >= TR_NOWHERE)
		return -ENOSPC;
	list = tr_world_grown(world->router, world->routers);
	if (!list)
		return -ENOMEM;
	world->router = list;
	env = new_env(world, router);
	if (!env)
		return -ENOMEM;
	for (uint32_t i = 0; i < router->config.ports; i++)
		tr_stock_fit(&world->stock, router->config.port[i].mtu + ETHER_HEADER_BYTES);
	error = init_cores(env, router);
	if (error == 0)
		error = init_ports(env, router);
	if (error == 0) {
		errno = 0;
		env->router = tr_router_new(&router->config, env);
		if (!env->router)
			error = errno ? -errno : -ENOMEM;
	}
	if (error) {
		tr_env_free(env);
		return error;
	}
	// The first turn of every unit is at once: it may have something to say.
	for (uint16_t unit = 0; unit < env->units; unit++) {
		env->core[unit].is_busy = true;
		world->busy_cores++;
		tr_world_at(world, &env->core[unit].actor, tr_core_ps(&env->core[unit]));
	}
	world->router[world->routers] = env;
	return (int)world->routers++;
}

int tr_world_fit_mtu(struct tr_world *world, uint32_t mtu)
{
	if (mtu + ETHER_HEADER_BYTES > POOL_DATA_MAX)
		return -EINVAL;
	tr_stock_fit(&world->stock, mtu + ETHER_HEADER_BYTES);
	return 0;
}

// --- core/backend.h ------------------------------------------------------------------------------
struct io_core *tr_io_core(struct io_env *env, unsigned unit)
{
	return unit < env->units ? &env->core[unit].io : NULL;
}

struct io_port *tr_io_port(struct io_env *env, unsigned port)
{
	return port < env->ports ? &env->port[port] : NULL;
}

struct io_pool *tr_io_pool(struct io_env *env)
{
	return &env->pool;
}

// --- sim_api.h -----------------------------------------------------------------------------------
struct tr_router *tr_world_core_router(const struct tr_world *world, uint32_t router)
{
	return router < world->routers ? world->router[router]->router : NULL;
}

int tr_nic_counters(const struct tr_world *world, uint32_t router, uint32_t port,
	struct tr_nic_counters *out)
{
	if (router >= world->routers || port >= world->router[router]->ports)
		return -EINVAL;
	*out = world->router[router]->port[port].counters;
	return 0;
}

int tr_unit_cycles(const struct tr_world *world, uint32_t router, uint32_t unit, uint64_t *busy,
	uint64_t *now)
{
	const struct tr_core *core;

	if (router >= world->routers || unit >= world->router[router]->units)
		return -EINVAL;
	core = &world->router[router]->core[unit];
	*busy = core->busy_millicycles / 1000;
	*now = clock_cycles(world->now_ps, core->io.hz);
	if (!core->functional && core->io.cycles > *now)
		*now = core->io.cycles;
	return 0;
}
