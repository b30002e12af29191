// SPDX-License-Identifier: MIT
// A fast-path unit's life and its loop: for each port a burst through the pipeline, then what is
// due by time, then commands of the slow path. Between two bursts nothing of the tables is held, so
// this is the place where another FIB or pipeline can be put in.
#include "fast_path/fast_unit.h"
#include "queues/count.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tr_fast_unit_init(struct tr_fast_unit *unit, const struct tr_config *config, struct io_env *env,
	uint16_t index)
{
	unit->core = tr_io_core(env, index);
	unit->port_count = config->ports;
	unit->burst = config->burst;
	unit->index = index;
	unit->vector = tr_vector_find(config->vector);
	if (!unit->vector)
		return -ENOTSUP;
	unit->rebatch_cycles = config->rebatch_cycles;
	tr_redirect_copies_init(&unit->redirect_copies, config, env, io_cycles_hz(unit->core));
	// In the slow path's own unit no packet waits for others to come.
	if (config->scatter == TR_SCATTER_SPLIT && config->rebatch && !unit->slow) {
		unit->rebatch =
			calloc((size_t)config->ports * TR_STEPS_MAX, sizeof(*unit->rebatch));
		if (unit->rebatch == NULL)
			return -ENOMEM;
	}
	return tr_distributor_init(&unit->distributor, config, unit->core, unit->port, index,
		&unit->counters, &unit->drop_log);
}

void tr_fast_unit_fini(struct tr_fast_unit *unit)
{
	for (size_t i = 0; unit->rebatch && i < (size_t)unit->port_count * TR_STEPS_MAX; i++)
		pkt_free_bulk(unit->rebatch[i].batch.pkt, unit->rebatch[i].batch.lanes);
	free(unit->rebatch);
	unit->rebatch = NULL;
	tr_distributor_fini(&unit->distributor);
}

// Runs new commands once the earlier ones are acknowledged.
static unsigned handle_commands(struct tr_fast_unit *unit)
{
	unsigned n = 0, taken;

	if (unit->unacknowledged == 0) {
		n = io_ring_dequeue(unit->core, unit->command.requests, unit->acknowledge,
			TR_COMMANDS_MAX);
		for (unsigned i = 0; i < n; i++) {
			struct tr_command *command = unit->acknowledge[i];
			command->run(unit, command->argument);
		}
		unit->unacknowledged = n;
	}
	if (unit->unacknowledged == 0)
		return 0;
	taken = io_ring_enqueue(unit->core, unit->command.acknowledgements, unit->acknowledge,
		unit->unacknowledged);
	unit->unacknowledged -= taken;
	memmove(unit->acknowledge, unit->acknowledge + taken,
		unit->unacknowledged * sizeof(unit->acknowledge[0]));
	return n + taken;
}

unsigned tr_fast_receive(struct tr_fast_unit *unit)
{
	struct tr_batch *batch = &unit->batch;
	unsigned work = 0;

	for (uint16_t port = 0; port < unit->port_count; port++) {
		unsigned n = io_rx_burst(unit->core, unit->port[port].io, unit->index, batch->pkt,
			unit->burst);
		if (n == 0)
			continue;
		uint32_t gate = tr_port_gate(&unit->port[port]);
		unit->stopwatch.times_burst = unit->counters.bursts % IO_BURSTS_A_TIMING == 0;
		tr_step_begin(unit, TR_STEP_RECEIVE, n);
		tr_receive(unit, batch, port, n);
		if (gate)
			tr_refuse(unit, batch, gate);
		else
			tr_pipeline_run(unit, batch);
		work += n;
	}
	return work;
}

unsigned tr_fast_poll(struct tr_fast_unit *unit)
{
	unsigned work = tr_fast_receive(unit);

	if (unit->rebatch)
		work += tr_rebatch_flush(unit, false);
	work += tr_distributor_flush_due(&unit->distributor);
	return work + handle_commands(unit);
}

uint64_t tr_fast_deadline(const struct tr_fast_unit *unit)
{
	uint64_t deadline = tr_distributor_deadline(&unit->distributor);
	uint64_t rebatch = unit->rebatch ? tr_rebatch_deadline(unit) : UINT64_MAX;

	if (unit->unacknowledged && io_cycles(unit->core) + TR_COMMAND_RETRY_CYCLES < deadline)
		deadline = io_cycles(unit->core) + TR_COMMAND_RETRY_CYCLES;
	return rebatch < deadline ? rebatch : deadline;
}

uint64_t tr_fast_held(const struct tr_fast_unit *unit)
{
	uint64_t held = tr_distributor_held(&unit->distributor);

	for (size_t i = 0; unit->rebatch && i < (size_t)unit->port_count * TR_STEPS_MAX; i++)
		held += unit->rebatch[i].batch.lanes;
	return held;
}

void tr_fast_switch_fib(struct tr_fast_unit *unit, void *argument)
{
	// Lanes that wait behind the lookup hold indices of the old table.
	if (unit->rebatch)
		tr_rebatch_flush(unit, true);
	unit->fib = argument;
	tr_count(&unit->counters.swaps, 1);
}
