// SPDX-License-Identifier: MIT
// What a router is made of, for router.c and control.c alone: everything else knows its own unit
// and nothing of the others.
#pragma once
#include "fast_path/fast_unit.h"
#include "slow_path/slow_path.h"

struct tr_router {
	struct tr_config config;
	struct tr_port port[TR_PORTS_MAX];
	struct io_port *io_port[TR_PORTS_MAX];
	struct tr_pipeline pipeline; // fast: ro
	// config.fast_units, each touched by its own thread only, and the slow path's own.
	struct tr_fast_unit *fast;
	struct tr_slow_path slow;
};
