// SPDX-License-Identifier: MIT
// Where lanes end that left the fast path: dropped under their reason, or handed to the slow path
// through a bounded ring. A full ring drops; it never blocks the burst. A punt that could only
// bring an error which the slow path may not send now ends here, as it would there. The slow path's
// own unit, which takes what the NIC picked out for it, has no ring to cross.
#include "fast_path/fast_unit.h"
#include "queues/count.h"
#include "slow_path/slow_path.h"

// What the packets of these punts are dropped for, with an error or without.
static const uint8_t drop_of[TR_PUNT_COUNT] = {
	[TR_PUNT_NO_ROUTE] = TR_DROP_NO_ROUTE,
	[TR_PUNT_UNREACHABLE] = TR_DROP_UNREACHABLE,
	[TR_PUNT_PROHIBIT] = TR_DROP_PROHIBIT,
	[TR_PUNT_TTL_EXPIRED] = TR_DROP_TTL_EXPIRED,
};

// Punts about which no error may be sent now: bit mask.
static uint32_t find_paused(const struct tr_fast_unit *unit)
{
	uint64_t unreachable = tr_icmp_paused_until(unit->icmp_pause, TR_ICMP_UNREACHABLE);
	uint64_t exceeded = tr_icmp_paused_until(unit->icmp_pause, TR_ICMP_TIME_EXCEEDED);
	uint32_t paused = 0;
	uint64_t now;

	if ((unreachable | exceeded) == 0)
		return 0;
	now = io_cycles(unit->core);
	if (now < unreachable)
		paused =
			1u << TR_PUNT_NO_ROUTE | 1u << TR_PUNT_UNREACHABLE | 1u << TR_PUNT_PROHIBIT;
	if (now < exceeded)
		paused |= 1u << TR_PUNT_TTL_EXPIRED;
	return paused;
}

static void drop(struct tr_fast_unit *unit, struct pkt **pkts, unsigned n, enum tr_drop reason)
{
	tr_count(&unit->counters.dropped[reason], n);
	if (tr_drop_log_wants(&unit->drop_log, reason)) {
		for (unsigned i = 0; i < n; i++)
			tr_drop_log_put(&unit->drop_log, pkts[i], reason);
	}
	pkt_free_bulk(pkts, n);
}

// The same, where the trace of the packets does not say it yet.
static void drop_here(struct tr_fast_unit *unit, struct pkt **pkts, unsigned n, enum tr_drop reason)
{
	if (n == 0)
		return;
	for (unsigned i = 0; i < n && io_trace_on(unit->core); i++)
		io_trace(unit->core, pkts[i], TR_STEP_HAND_OVER, tr_drop_verdict(reason));
	drop(unit, pkts, n, reason);
}

static void punt(struct tr_fast_unit *unit, struct pkt **pkts, unsigned n, enum tr_punt reason)
{
	unsigned taken;

	for (unsigned i = 0; i < n; i++)
		pkt_set_punt(pkts[i], (uint8_t)reason);
	if (unit->slow) {
		tr_step_end(unit);
		for (unsigned i = 0; i < n; i++)
			tr_slow_dispatch(unit->slow, pkts[i]);
		return;
	}
	taken = io_ring_enqueue(unit->core, unit->punt_ring, (void *const *)pkts, n);
	drop_here(unit, pkts + taken, n - taken, TR_DROP_PUNT_RING_FULL);
}

// Lanes with the same verdict, one behind the other, are settled together.
void tr_hand_over(struct tr_fast_unit *unit, struct pkt **pkts, const uint16_t *verdicts,
	unsigned n)
{
	uint32_t paused;

	if (n == 0)
		return;
	tr_step_begin(unit, TR_STEP_HAND_OVER, n);
	paused = find_paused(unit);
	for (unsigned i = 0, end; i < n; i = end) {
		unsigned reason = tr_verdict_reason(verdicts[i]);

		for (end = i + 1; end < n && verdicts[end] == verdicts[i];)
			end++;
		switch (tr_verdict_class(verdicts[i])) {
		case TR_VERDICT_PUNT:
			tr_count(&unit->counters.punted[reason], end - i);
			if (paused >> reason & 1)
				drop_here(unit, pkts + i, end - i, drop_of[reason]);
			else
				punt(unit, pkts + i, end - i, reason);
			break;
		case TR_VERDICT_DROP:
			drop(unit, pkts + i, end - i, reason);
			break;
		default:
			assert(!"a step took a lane off without a verdict");
		}
	}
}
