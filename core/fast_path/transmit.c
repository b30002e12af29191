// SPDX-License-Identifier: MIT
// Last on the packet's way through the fast path: every lane that is still live goes to the
// distributor queue of its egress port. A port that sends redirects (RFC 1812 5.2.7.2) has those
// copied that leave by it again; the others are compared with no port.
#include "fast_path/fast_unit.h"
#include "queues/count.h"

#include <string.h>

// Whether any of n lanes, live or not, has that way out.
static bool has_egress(const uint16_t *egress, unsigned n, uint16_t port)
{
	uint16_t found = 0; // as wide as what is compared: the compiler makes vectors of it

	for (unsigned lane = 0; lane < n; lane++)
		found |= egress[lane] == port;
	return found;
}

// Packets that leave by the port that they came in by may be worth a redirect.
static void copy_returning(struct tr_fast_unit *unit, const struct tr_batch *batch)
{
	if (!(unit->redirect_copies.ports >> batch->port & 1) ||
		!has_egress(batch->egress, batch->lanes, batch->port))
		return;
	TR_FOR_EACH_LIVE (lane, batch) {
		if (batch->egress[lane] == batch->port)
			tr_redirect_copy(unit, batch->pkt[lane], batch->port);
	}
}

// Where the run of lanes ends that leave by the port of lane `first`: four at a time as long as
// that goes.
static unsigned end_of_run(const uint16_t *egress, unsigned first, unsigned n)
{
	uint64_t same = egress[first] * 0x0001000100010001u;
	uint64_t next;
	unsigned end = first + 1;

	for (; end + 4 <= n; end += 4) {
		memcpy(&next, &egress[end], sizeof(next));
		if (next != same)
			break;
	}
	while (end < n && egress[end] == egress[first])
		end++;
	return end;
}

// Lanes one behind the other that have the same way out go together.
static void send_runs(struct tr_distributor *distributor, struct pkt *const *pkt,
	const uint16_t *egress, const uint16_t *bytes, unsigned n)
{
	for (unsigned first = 0, end; first < n; first = end) {
		end = end_of_run(egress, first, n);
		tr_distributor_send(distributor, egress[first], pkt + first, bytes + first,
			end - first);
	}
}

static void send_live(struct tr_fast_unit *unit, const struct tr_batch *batch)
{
	struct tr_packed packed;

	tr_vector_of(unit, batch)->pack(batch, &packed);
	send_runs(&unit->distributor, packed.pkt, packed.egress, packed.bytes, packed.lanes);
}

void tr_transmit(struct tr_fast_unit *unit, struct tr_batch *batch)
{
	unsigned live = tr_live_count(batch);

	if (live == 0)
		return;
	tr_step_begin(unit, TR_STEP_TRANSMIT, live);
	if (io_trace_on(unit->core)) {
		TR_FOR_EACH_LIVE (lane, batch)
			io_trace(unit->core, batch->pkt[lane], TR_STEP_TRANSMIT, TR_VERDICT_LIVE);
	}
	copy_returning(unit, batch);
	if (live == batch->lanes)
		send_runs(&unit->distributor, batch->pkt, batch->egress, batch->bytes, live);
	else
		send_live(unit, batch);
	tr_count(&unit->counters.forwarded, live);
	if (unit->redirect_copies.count)
		tr_redirect_hand_over(unit);
}
