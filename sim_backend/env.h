// SPDX-License-Identifier: MIT
// One simulated router: its cores, ports, buffers, and the core's router that runs on them. This is
// what core/backend.h calls an io_env; the core hands it back to the set-up functions in env.c.
#pragma once
#include "core.h"
#include "pool.h"
#include "wire.h"

struct io_env {
	struct tr_world *world;
	struct tr_router *router; // NULL while it is being made
	struct io_pool pool;
	struct tr_rng ring_rng;
	uint32_t ring_full_ppm;
	bool guard_tables;
	uint16_t id;
	uint16_t ports;
	uint16_t units;
	struct tr_step_cost cost[TR_STEPS_MAX];
	struct tr_core *core;
	struct io_port *port;
};

void tr_env_free(struct io_env *env);

// A frame has arrived at a port or at its twin (nic.c).
void tr_nic_receive(struct io_port *port, struct pkt *pkt);
void tr_twin_receive(struct io_port *port, struct pkt *pkt);
