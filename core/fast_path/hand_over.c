// SPDX-License-Identifier: MIT
// Where lanes end that left the fast path: dropped under their reason, or handed to the slow path
// through a bounded ring. A full ring drops; it never blocks the burst. The slow path's own unit,
// which takes what the NIC picked out for it, has no ring to cross.
#include "fast_path/fast_unit.h"
#include "queues/count.h"
#include "slow_path/slow_path.h"

static void drop_ring_full(struct tr_fast_unit *unit, struct pkt **pkts, unsigned n)
{
	if (n == 0)
		return;
	tr_count(&unit->counters.dropped[TR_DROP_PUNT_RING_FULL], n);
	for (unsigned i = 0; i < n; i++)
		tr_drop_log(&unit->drop_log, pkts[i], TR_DROP_PUNT_RING_FULL);
	if (io_trace_on(unit->core)) {
		for (unsigned i = 0; i < n; i++)
			io_trace(unit->core, pkts[i], TR_STEP_HAND_OVER,
				tr_drop_verdict(TR_DROP_PUNT_RING_FULL));
	}
	pkt_free_bulk(pkts, n);
}

void tr_hand_over(struct tr_fast_unit *unit, struct pkt *const *pkts, const uint16_t *verdicts,
	unsigned n)
{
	struct pkt *dead[TR_BATCH_MAX];
	struct pkt *punted[TR_BATCH_MAX];
	unsigned dead_count = 0, punted_count = 0, taken;

	if (n == 0)
		return;
	tr_step_begin(unit, TR_STEP_HAND_OVER, n);
	for (unsigned i = 0; i < n; i++) {
		unsigned reason = tr_verdict_reason(verdicts[i]);

		switch (tr_verdict_class(verdicts[i])) {
		case TR_VERDICT_PUNT:
			pkt_set_punt(pkts[i], (uint8_t)reason);
			tr_count(&unit->counters.punted[reason], 1);
			punted[punted_count++] = pkts[i];
			break;
		case TR_VERDICT_DROP:
			tr_count(&unit->counters.dropped[reason], 1);
			tr_drop_log(&unit->drop_log, pkts[i], reason);
			dead[dead_count++] = pkts[i];
			break;
		default:
			assert(!"a step took a lane off without a verdict");
		}
	}
	pkt_free_bulk(dead, dead_count);
	if (punted_count == 0)
		return;
	if (unit->slow) {
		tr_step_end(unit);
		for (unsigned i = 0; i < punted_count; i++)
			tr_slow_dispatch(unit->slow, punted[i]);
		return;
	}
	taken = io_ring_enqueue(unit->core, unit->punt_ring, (void *const *)punted, punted_count);
	drop_ring_full(unit, punted + taken, punted_count - taken);
}
