// SPDX-License-Identifier: MIT
// Last on the packet's way through the fast path: every lane that is still live goes to the
// distributor queue of its egress port. A port that sends redirects (RFC 1812 5.2.7.2) has those
// copied that leave by it again.
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

// Whether all lanes, live or not, have the same way out.
static bool have_one_egress(const uint16_t *egress, unsigned n)
{
	uint16_t differs = 0;

	for (unsigned lane = 0; lane < n; lane++)
		differs |= egress[lane] ^ egress[0];
	return differs == 0;
}

// Sends the lanes that are left and leave by a port, from the mask word `word` on.
static void send_port(struct tr_fast_unit *unit, const struct tr_batch *batch, unsigned word,
	uint16_t port, uint64_t *left)
{
	const struct tr_vector_ops *vector = tr_vector_of(unit, batch);
	uint64_t taken[TR_LIVE_WORDS] = {0};
	struct tr_packed packed;

	for (; word * 64 < batch->lanes; word++) {
		taken[word] = left[word] & vector->match(batch, word * 64, port);
		left[word] &= ~taken[word];
	}
	vector->pack(batch, taken, &packed);
	tr_distributor_send(&unit->distributor, port, packed.pkt, packed.bytes, packed.lanes);
}

// All lanes with the same way out go together, each port's in their order.
static void send_live(struct tr_fast_unit *unit, const struct tr_batch *batch)
{
	uint64_t left[TR_LIVE_WORDS];

	memcpy(left, batch->live, sizeof(left));
	for (unsigned word = 0; word * 64 < batch->lanes; word++) {
		while (left[word]) {
			unsigned lane = word * 64 + (unsigned)__builtin_ctzll(left[word]);
			send_port(unit, batch, word, batch->egress[lane], left);
		}
	}
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
	if (live == batch->lanes && have_one_egress(batch->egress, live))
		tr_distributor_send(&unit->distributor, batch->egress[0], batch->pkt, batch->bytes,
			live);
	else
		send_live(unit, batch);
	tr_count(&unit->counters.forwarded, live);
	if (unit->redirect_copies.count)
		tr_redirect_hand_over(unit);
}
