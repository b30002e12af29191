// SPDX-License-Identifier: MIT
// The default pipeline, in packet order, and what surrounds every step: counters, cost, trace. The
// steps themselves are in fast_path/, a file each; how lanes that leave are kept apart is in
// fast_path/scatter_*.c.
#include "fast_path/fast_unit.h"
#include "queues/count.h"

#include <string.h>

void tr_pipeline_default(struct tr_pipeline *pipeline, enum tr_scatter scatter)
{
	*pipeline = (struct tr_pipeline){
		.scatter = scatter,
		.steps = 4,
		.step =
			{
				{tr_validate, NULL, TR_STEP_VALIDATE},
				{tr_filter, NULL, TR_STEP_FILTER},
				{tr_lookup, NULL, TR_STEP_LOOKUP},
				{tr_next_hop, NULL, TR_STEP_NEXT_HOP},
			},
	};
}

static void end_at(struct tr_fast_unit *unit, uint64_t now)
{
	struct tr_stopwatch *watch = &unit->stopwatch;

	if (!watch->runs)
		return;
	tr_count(&unit->counters.step[watch->step].cycles, now - watch->since_cycles);
	watch->runs = false;
}

void tr_step_end(struct tr_fast_unit *unit)
{
	if (unit->stopwatch.runs)
		end_at(unit, io_cycles(unit->core));
}

void tr_step_begin(struct tr_fast_unit *unit, unsigned step, unsigned lanes)
{
	struct tr_step_counters *counters = &unit->counters.step[step];

	tr_count(&counters->calls, 1);
	tr_count(&counters->lanes, lanes);
	if (unit->stopwatch.times_burst) {
		uint64_t now = io_cycles(unit->core);

		end_at(unit, now);
		unit->stopwatch.since_cycles = now;
		unit->stopwatch.step = step;
		unit->stopwatch.runs = true;
		tr_count(&counters->timed_lanes, lanes);
	}
	io_cost_step(unit->core, step, lanes);
}

// What each lane that was live before the step got from it.
static void trace_step(struct tr_fast_unit *unit, unsigned step, struct tr_batch *batch,
	const uint64_t *live_before)
{
	for (unsigned lane = 0; lane < batch->lanes; lane++) {
		if (live_before[lane / 64] >> (lane % 64) & 1)
			io_trace(unit->core, batch->pkt[lane], step, batch->verdict[lane]);
	}
}

void tr_pipeline_step(struct tr_fast_unit *unit, const struct tr_pipeline_step *step,
	struct tr_batch *batch)
{
	unsigned live = tr_live_count(batch);
	uint64_t live_before[TR_LIVE_WORDS];
	bool tracing = io_trace_on(unit->core);

	if (live == 0)
		return;
	if (tracing)
		memcpy(live_before, batch->live, sizeof(live_before));
	tr_step_begin(unit, step->id, live);
	step->run(step->state ? step->state : unit, batch);
	if (tracing)
		trace_step(unit, step->id, batch, live_before);
}

void tr_pipeline_run(struct tr_fast_unit *unit, struct tr_batch *batch)
{
	switch (unit->pipeline->scatter) {
	case TR_SCATTER_DROP_OUT:
		tr_scatter_drop_out(unit, batch);
		break;
	case TR_SCATTER_MASKS:
		tr_scatter_masks(unit, batch);
		break;
	case TR_SCATTER_SPLIT:
		tr_scatter_split(unit, batch);
		break;
	}
	tr_step_end(unit);
}
