// SPDX-License-Identifier: MIT
// Bit masks: nothing is gathered or moved while the steps run. At the end one mask names the lanes
// that go out, its complement those that left, and each is walked once.
#include "fast_path/fast_unit.h"

void tr_scatter_masks(struct tr_fast_unit *unit, struct tr_batch *batch)
{
	const struct tr_pipeline *pipeline = unit->pipeline;
	struct tr_drop_out *out = &unit->drop_out;

	for (uint32_t i = 0; i < pipeline->steps; i++)
		tr_pipeline_step(unit, &pipeline->step[i], batch);
	tr_transmit(unit, batch);

	out->count = 0;
	for (unsigned lane = 0; lane < batch->lanes; lane++) {
		if (tr_is_live(batch, lane))
			continue;
		out->verdict[out->count] = batch->verdict[lane];
		out->pkt[out->count++] = batch->pkt[lane];
	}
	tr_hand_over(unit, out->pkt, out->verdict, out->count);
}
