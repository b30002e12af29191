// SPDX-License-Identifier: MIT
// Drop-out batching (Emmerich et al. 2017): after each step the lanes that left are gathered in a
// second batch, which is settled once, at the end of the burst. The first batch keeps its places,
// so nothing moves and the common case (nobody leaves) costs one comparison of the mask.
#include "fast_path/fast_unit.h"

#include <string.h>

static void gather(struct tr_drop_out *out, const struct tr_batch *batch,
	const uint64_t *live_before)
{
	for (unsigned word = 0; word * 64 < batch->lanes; word++) {
		uint64_t left = live_before[word] & ~batch->live[word];

		for (; left; left &= left - 1) {
			unsigned lane = word * 64 + (unsigned)__builtin_ctzll(left);
			out->verdict[out->count] = batch->verdict[lane];
			out->pkt[out->count++] = batch->pkt[lane];
		}
	}
}

void tr_scatter_drop_out(struct tr_fast_unit *unit, struct tr_batch *batch)
{
	const struct tr_pipeline *pipeline = unit->pipeline;
	struct tr_drop_out *out = &unit->drop_out;
	uint64_t live_before[TR_LIVE_WORDS];

	out->count = 0;
	for (uint32_t i = 0; i < pipeline->steps; i++) {
		memcpy(live_before, batch->live, sizeof(live_before));
		tr_pipeline_step(unit, &pipeline->step[i], batch);
		gather(out, batch, live_before);
	}
	tr_transmit(unit, batch);
	tr_hand_over(unit, out->pkt, out->verdict, out->count);
}
