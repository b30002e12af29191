// SPDX-License-Identifier: MIT
// A router: n fast-path units and a slow path over one set of ports. A backend makes it from a
// configuration, runs each unit by calling its poll function again and again on a thread (or a
// simulated core) of its own, and frees it when no unit runs any more.
#pragma once
#include "backend.h"
#include "reasons.h"

#define TR_PORT_STATE_WORDS ((sizeof(struct tr_port_state) + 7) / 8)
#define TR_GATE_ARP 0x10000 // with a drop's verdict: ARP comes in nevertheless

// What all units know about a port. Where nothing else is said it is written before they start.
struct tr_port {
	struct io_port *io;
	const struct tr_port_config *config; // units: the MAC address alone, which stays
	uint32_t gate; // what becomes of frames that come in. slow: rw, others: ro
	// The state for others to read (port_state.c): odd while it is being written.
	uint32_t version;
	uint64_t state[TR_PORT_STATE_WORDS];
};

static_assert(TR_VERDICT_LIVE == 0, "an open gate");

// The verdict for every frame that comes in by the port, with TR_GATE_ARP; 0: the pipeline's.
static inline uint32_t tr_port_gate(const struct tr_port *port)
{
	return __atomic_load_n(&port->gate, __ATOMIC_RELAXED);
}

// May frames go out?
static inline bool tr_port_is_up(const struct tr_port *port)
{
	return io_link_up(port->io) &&
		(uint16_t)tr_port_gate(port) != tr_drop_verdict(TR_DROP_PORT_DOWN);
}

// NULL with errno. `config` is copied and must hold (Python checks it whole before).
struct tr_router *tr_router_new(const struct tr_config *config, struct io_env *env);
// Frees the packets that it still holds.
void tr_router_free(struct tr_router *router);
const struct tr_config *tr_router_config(const struct tr_router *router);

typedef void (*tr_call_fn)(void *argument);
// Has the slow path call a function between two turns, after the changes posted before: the way to
// whatever may be read only while it rests. `*is_done`, 0 before, becomes 1 afterwards (release).
// Same return as tr_changes_post().
int tr_router_call(struct tr_router *router, tr_call_fn call, void *argument, uint32_t *is_done);

// One turn of unit `unit` (== fast_units: the slow path): takes what there is to take, does all
// that it causes and all that is due. Returns the number of packets, commands and table changes
// handled: 0 means that a further turn does nothing before something comes in or the deadline.
unsigned tr_router_poll(struct tr_router *router, unsigned unit);
// When the unit has something to do by itself; UINT64_MAX: never. Cycles of the unit's core.
uint64_t tr_router_deadline(const struct tr_router *router, unsigned unit);
