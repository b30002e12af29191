// SPDX-License-Identifier: MIT
// A pipeline: an array of (function, state) and the way in which lanes that leave are kept apart.
// Put together at start; a unit changes to another one between two bursts, by command.
//
// The three scatterings of the paper (Emmerich et al. 2017, section 4) differ in what happens
// between two steps, never in the steps:
//   drop-out   the leaving lanes are gathered in a second batch and settled once, at the end
//   masks      nothing moves; each way out is a mask over the batch, walked once at the end
//   split      leaving lanes are settled at once and the others move together, so that each step
//              sees a dense batch; with re-batching a batch that became small waits for the next
//              burst of its port
#pragma once
#include "step.h"

struct tr_fast_unit;

struct tr_pipeline_step {
	tr_step_fn run;
	void *state; // NULL: the unit itself
	uint16_t id; // enum tr_step, or from TR_STEP_BUILTIN_COUNT on
};

struct tr_pipeline {
	enum tr_scatter scatter;
	uint32_t steps;
	struct tr_pipeline_step step[TR_STEPS_MAX];
};

// Lanes that left during a burst, in the order in which they left.
struct tr_drop_out {
	uint32_t count;
	uint16_t verdict[TR_BATCH_MAX];
	struct pkt *pkt[TR_BATCH_MAX];
};

// Re-batching: the dense lanes that wait behind one step for more of their port.
struct tr_rebatch {
	uint64_t first_cycles; // when the oldest came
	struct tr_batch batch;
};

// validate, filter, lookup, next hop.
void tr_pipeline_default(struct tr_pipeline *pipeline, enum tr_scatter scatter);
// Runs the steps over a received batch and settles every lane.
void tr_pipeline_run(struct tr_fast_unit *unit, struct tr_batch *batch);
// One step over a batch, with its counters, cost and trace. For the scatterings.
void tr_pipeline_step(struct tr_fast_unit *unit, const struct tr_pipeline_step *step,
	struct tr_batch *batch);

// The scatterings, each in the file of its name.
void tr_scatter_drop_out(struct tr_fast_unit *unit, struct tr_batch *batch);
void tr_scatter_masks(struct tr_fast_unit *unit, struct tr_batch *batch);
void tr_scatter_split(struct tr_fast_unit *unit, struct tr_batch *batch);

// Re-batching (scatter_split.c): batches that have waited long enough, or all, go on. Returns their
// lanes.
unsigned tr_rebatch_flush(struct tr_fast_unit *unit, bool all);
uint64_t tr_rebatch_deadline(const struct tr_fast_unit *unit);
