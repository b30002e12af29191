// SPDX-License-Identifier: MIT
// One fast-path unit: the state that its steps share. It owns all of it alone; what it reads of
// others is immutable (ports, pipeline, published FIB) or comes through rings.
#pragma once
#include "fast_path/vector.h"
#include "pipeline.h"
#include "queues/command.h"
#include "queues/distributor.h"
#include "queues/drop_log.h"
#include "queues/icmp_pause.h"
#include "router.h"
#include "slow_path/rate_limit.h"
#include "tables/fib.h"
#include "tables/rules.h"

struct tr_slow_path;

// Which step the unit is in and since when: one reading of the clock a step, and only in one of
// IO_BURSTS_A_TIMING bursts.
struct tr_stopwatch {
	uint64_t since_cycles;
	uint32_t step;
	bool times_burst;
	bool runs;
};

// Copies of packets for which the slow path may send a redirect (redirect_copy.c).
struct tr_redirect_copies {
	uint32_t ports; // that send redirects: bit mask
	uint32_t count; // of this burst
	struct tr_rate_limit limit;
	struct io_pool *pool;
	uint16_t verdict[TR_BATCH_MAX];
	struct pkt *pkt[TR_BATCH_MAX];
};

struct tr_fast_unit {
	struct io_core *core;
	const struct tr_fib *fib;     // published table; changed by command only
	const struct tr_rules *rules; // of the packet filter; likewise
	const struct tr_pipeline *pipeline;
	const struct tr_vector_ops *vector;
	const struct tr_port *port; // port_count
	uint32_t port_count;
	uint32_t burst;
	uint16_t index;            // its queue on every port
	struct io_ring *punt_ring; // to the slow path, or:
	const struct tr_icmp_pause *icmp_pause;
	struct tr_slow_path *slow; // this unit is the slow path's own, which takes punts at once
	struct tr_command_channel command;
	void *acknowledge[TR_COMMANDS_MAX]; // commands that have run and are not yet sent back
	uint32_t unacknowledged;
	struct tr_distributor distributor;
	struct tr_drop_out drop_out;
	struct tr_rebatch *rebatch; // [port][step], or NULL without re-batching
	uint64_t rebatch_cycles;
	struct tr_redirect_copies redirect_copies;
	struct tr_stopwatch stopwatch;
	struct tr_batch batch;
	struct tr_counters counters;
	struct tr_drop_log drop_log;
};

// A burst's n packets are in batch->pkt: makes them lanes.
void tr_receive(struct tr_fast_unit *unit, struct tr_batch *batch, uint16_t port, unsigned n);

// The same, but none goes into the pipeline: the gate of the port is closed.
void tr_refuse(struct tr_fast_unit *unit, struct tr_batch *batch, uint32_t gate);

// The variant for a batch: many lanes at a time pay off from a few lanes on.
static inline const struct tr_vector_ops *tr_vector_of(const struct tr_fast_unit *unit,
	const struct tr_batch *batch)
{
	return batch->lanes < 4 ? &tr_vector_scalar : unit->vector;
}

// The steps, in packet order.
void tr_validate(void *state, struct tr_batch *batch);
void tr_filter(void *state, struct tr_batch *batch);
void tr_lookup(void *state, struct tr_batch *batch);
void tr_next_hop(void *state, struct tr_batch *batch);

// Parts of the filter step, for ports that ask for them.
void tr_urpf(struct tr_fast_unit *unit, struct tr_batch *batch);
void tr_packet_filter(struct tr_fast_unit *unit, struct tr_batch *batch);

// Ends of a burst: the live lanes go to the distributor, the others to the slow path or to rest.
void tr_transmit(struct tr_fast_unit *unit, struct tr_batch *batch);
void tr_hand_over(struct tr_fast_unit *unit, struct pkt **pkts, const uint16_t *verdicts,
	unsigned n);

void tr_redirect_copies_init(struct tr_redirect_copies *copies, const struct tr_config *config,
	struct io_env *env, uint64_t hz);
// A packet is about to leave by the port that it came in by, which sends redirects.
void tr_redirect_copy(struct tr_fast_unit *unit, const struct pkt *pkt, uint16_t port);
void tr_redirect_hand_over(struct tr_fast_unit *unit);

// A step begins over n lanes: ends the one before on the stopwatch, counts and charges this one.
void tr_step_begin(struct tr_fast_unit *unit, unsigned step, unsigned lanes);
void tr_step_end(struct tr_fast_unit *unit);

// unit->port, fib, rules, pipeline and rings are set by the caller before. 0 or -errno.
int tr_fast_unit_init(struct tr_fast_unit *unit, const struct tr_config *config, struct io_env *env,
	uint16_t index);
void tr_fast_unit_fini(struct tr_fast_unit *unit);
// The command with which the slow path publishes a table; `argument` is the struct tr_fib.
void tr_fast_switch_fib(struct tr_fast_unit *unit, void *argument);
// The command with which it replaces the packet filter; `argument` is the struct tr_rules.
void tr_fast_switch_rules(struct tr_fast_unit *unit, void *argument);
// A burst from the unit's queue of every port, through the pipeline. Returns the packets.
unsigned tr_fast_receive(struct tr_fast_unit *unit);
// One turn: receive, due distributor queues, commands. Returns the work.
unsigned tr_fast_poll(struct tr_fast_unit *unit);
uint64_t tr_fast_deadline(const struct tr_fast_unit *unit);
uint64_t tr_fast_held(const struct tr_fast_unit *unit);
