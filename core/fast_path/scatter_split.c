// SPDX-License-Identifier: MIT
// Array splitting: the lanes that left a step are settled at once and the others move together, so
// that every step sees a dense batch. Batches shrink that way; with re-batching a shrunken batch
// waits behind the step, per port, until later bursts fill it or its time is over.
// Order within a port is kept: what waits goes first.
#include "fast_path/fast_unit.h"

#include <string.h>

static void copy_lane(struct tr_batch *to, unsigned to_lane, const struct tr_batch *from,
	unsigned lane)
{
	to->verdict[to_lane] = from->verdict[lane];
	to->bytes[to_lane] = from->bytes[lane];
	to->checksum[to_lane] = from->checksum[lane];
	to->source[to_lane] = from->source[lane];
	to->destination[to_lane] = from->destination[lane];
	to->hop[to_lane] = from->hop[lane];
	to->egress[to_lane] = from->egress[lane];
	to->frame[to_lane] = from->frame[lane];
	to->pkt[to_lane] = from->pkt[lane];
	to->plain[to_lane / 64] &= ~(1ULL << (to_lane % 64));
	to->plain[to_lane / 64] |= (from->plain[lane / 64] >> (lane % 64) & 1) << (to_lane % 64);
}

static void set_dense(struct tr_batch *batch, unsigned lanes)
{
	batch->lanes = lanes;
	memset(batch->live, 0, sizeof(batch->live));
	for (unsigned lane = 0; lane < lanes; lane++)
		batch->live[lane / 64] |= 1ULL << (lane % 64);
}

// Settles the lanes that left and makes the rest dense. True if any had left.
static bool split(struct tr_fast_unit *unit, struct tr_batch *batch)
{
	struct tr_drop_out *out = &unit->drop_out;
	unsigned kept = 0;

	out->count = 0;
	for (unsigned lane = 0; lane < batch->lanes; lane++) {
		if (tr_is_live(batch, lane)) {
			if (kept != lane)
				copy_lane(batch, kept, batch, lane);
			kept++;
		} else {
			out->verdict[out->count] = batch->verdict[lane];
			out->pkt[out->count++] = batch->pkt[lane];
		}
	}
	if (out->count == 0)
		return false;
	set_dense(batch, kept);
	tr_hand_over(unit, out->pkt, out->verdict, out->count);
	return true;
}

// Moves lanes of `from`, beginning at `first`, behind those of `to`, up to `most` in all.
static unsigned append(struct tr_batch *to, const struct tr_batch *from, unsigned first,
	unsigned most)
{
	unsigned lanes = to->lanes;

	to->checksums_good = false; // said of a burst, as is its shortest frame
	to->bytes_min = 0;
	while (first < from->lanes && lanes < most)
		copy_lane(to, lanes++, from, first++);
	set_dense(to, lanes);
	return first;
}

static void run_from(struct tr_fast_unit *unit, struct tr_batch *batch, uint32_t first);

// True if the batch now waits (or has gone on, in part) behind step i, and the caller is done.
static bool rebatch(struct tr_fast_unit *unit, struct tr_batch *batch, uint32_t i, bool shrunk)
{
	struct tr_rebatch *wait = &unit->rebatch[batch->port * TR_STEPS_MAX + i];
	unsigned taken;

	if (wait->batch.lanes == 0 && !shrunk)
		return false;
	if (wait->batch.lanes == 0) {
		wait->first_cycles = io_cycles(unit->core);
		wait->batch.port = batch->port;
	}
	taken = append(&wait->batch, batch, 0, unit->burst);
	if (wait->batch.lanes >= unit->burst) {
		run_from(unit, &wait->batch, i + 1);
		set_dense(&wait->batch, 0);
		wait->first_cycles = io_cycles(unit->core);
		append(&wait->batch, batch, taken, unit->burst);
	}
	return true;
}

static void run_from(struct tr_fast_unit *unit, struct tr_batch *batch, uint32_t first)
{
	const struct tr_pipeline *pipeline = unit->pipeline;

	for (uint32_t i = first; i < pipeline->steps && batch->lanes; i++) {
		bool shrunk;

		tr_pipeline_step(unit, &pipeline->step[i], batch);
		shrunk = split(unit, batch);
		if (unit->rebatch && batch->lanes && i + 1 < pipeline->steps &&
			rebatch(unit, batch, i, shrunk))
			return;
	}
	tr_transmit(unit, batch);
}

void tr_scatter_split(struct tr_fast_unit *unit, struct tr_batch *batch)
{
	run_from(unit, batch, 0);
}

unsigned tr_rebatch_flush(struct tr_fast_unit *unit, bool all)
{
	uint64_t now = io_cycles(unit->core);
	unsigned lanes = 0;

	for (uint32_t port = 0; port < unit->port_count; port++) {
		// In packet order, so that what goes on may join what waits behind a later step.
		for (uint32_t i = 0; i < unit->pipeline->steps; i++) {
			struct tr_rebatch *wait = &unit->rebatch[port * TR_STEPS_MAX + i];

			if (wait->batch.lanes == 0 ||
				(!all && now - wait->first_cycles < unit->rebatch_cycles))
				continue;
			lanes += wait->batch.lanes;
			run_from(unit, &wait->batch, i + 1);
			set_dense(&wait->batch, 0);
		}
	}
	tr_step_end(unit);
	return lanes;
}

uint64_t tr_rebatch_deadline(const struct tr_fast_unit *unit)
{
	uint64_t deadline = UINT64_MAX;

	for (size_t i = 0; i < (size_t)unit->port_count * TR_STEPS_MAX; i++) {
		uint64_t due = unit->rebatch[i].first_cycles + unit->rebatch_cycles;

		if (unit->rebatch[i].batch.lanes && due < deadline)
			deadline = due;
	}
	return deadline;
}
