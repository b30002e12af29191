// SPDX-License-Identifier: MIT
// Fourth on the packet's way: the longest prefix of the destination, for the whole batch in one
// call, so that the lookup structure has many reads on their way at a time.
#include "fast_path/fast_unit.h"

// Lanes that have left are looked up with the others, by whatever address they hold: mostly they
// are few, and to leave them out would cost the others more.
void tr_lookup(void *state, struct tr_batch *batch)
{
	struct tr_fast_unit *unit = state;
	const struct tr_lpm *lpm = unit->fib->lpm;

	lpm->ops->lookup(lpm, batch->destination, batch->hop, batch->lanes);
	lpm->ops->touch(lpm, unit->core, batch->destination, batch->lanes);
}
