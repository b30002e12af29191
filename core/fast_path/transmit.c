// SPDX-License-Identifier: MIT
// Last on the packet's way through the fast path: every lane that is still live goes to the
// distributor queue of its egress port. A port that sends redirects (RFC 1812 5.2.7.2) has those
// copied that leave by it again; the others are compared with no port.
#include "fast_path/fast_unit.h"
#include "queues/count.h"

void tr_transmit(struct tr_fast_unit *unit, struct tr_batch *batch)
{
	unsigned live = tr_live_count(batch);
	bool tracing = io_trace_on(unit->core);
	uint16_t watched =
		unit->redirect_copies.ports >> batch->port & 1 ? batch->port : TR_NO_PORT;

	if (live == 0)
		return;
	tr_step_begin(unit, TR_STEP_TRANSMIT, live);
	TR_FOR_EACH_LIVE (lane, batch) {
		if (tracing)
			io_trace(unit->core, batch->pkt[lane], TR_STEP_TRANSMIT, TR_VERDICT_LIVE);
		if (batch->egress[lane] == watched)
			tr_redirect_copy(unit, batch->pkt[lane], watched);
		tr_distributor_send(&unit->distributor, batch->egress[lane], batch->pkt[lane]);
	}
	tr_count(&unit->counters.forwarded, live);
	if (unit->redirect_copies.count)
		tr_redirect_hand_over(unit);
}
