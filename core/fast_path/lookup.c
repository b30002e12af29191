// SPDX-License-Identifier: MIT
// Fourth on the packet's way: the longest prefix of the destination, for the whole batch in one
// call, so that the lookup structure can prefetch all lanes ahead of reading the first.
#include "fast_path/fast_unit.h"

// The lanes that have left may hold no destination: the others are put together for the lookup.
static void look_up_live(const struct tr_lpm *lpm, struct io_core *core, struct tr_batch *batch)
{
	uint32_t address[TR_BATCH_MAX];
	uint16_t hop[TR_BATCH_MAX];
	unsigned n = 0;

	TR_FOR_EACH_LIVE (lane, batch)
		address[n++] = batch->destination[lane];
	lpm->ops->lookup(lpm, address, hop, n);
	lpm->ops->touch(lpm, core, address, n);
	n = 0;
	TR_FOR_EACH_LIVE (lane, batch)
		batch->hop[lane] = hop[n++];
}

void tr_lookup(void *state, struct tr_batch *batch)
{
	struct tr_fast_unit *unit = state;
	const struct tr_lpm *lpm = unit->fib->lpm;

	if (tr_live_count(batch) < batch->lanes) {
		look_up_live(lpm, unit->core, batch);
		return;
	}
	lpm->ops->lookup(lpm, batch->destination, batch->hop, batch->lanes);
	lpm->ops->touch(lpm, unit->core, batch->destination, batch->lanes);
}
