// SPDX-License-Identifier: MIT
// Unicast reverse path forwarding, second part of the filter step (RFC 1812 5.3.8, RFC 3704): is
// there a way back to the source, and by the port by which the packet came? Only bursts from ports
// that ask for it come here. A packet that fails ends silently, one for the router itself too.
#include "fast_path/fast_unit.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"

static uint16_t judge(const struct tr_fib *fib, uint16_t hop, uint16_t port, uint8_t mode)
{
	const struct tr_next_hop *way = &fib->hops[hop];
	bool exists = tr_is_way_out(way->kind);

	switch (mode) {
	case TR_URPF_LOOSE: // RFC 3704 2.4
		break;
	case TR_URPF_LOOSE_NO_DEFAULT: // RFC 3704 2.5
		exists &= hop != TR_HOP_DEFAULT;
		break;
	case TR_URPF_FEASIBLE: // RFC 3704 2.3
		// Alternatives of a route that is not there, or that refuses, do not count.
		if (exists && !tr_next_hop_leaves_by(fib->hops, way, port))
			return tr_punt_verdict(TR_PUNT_REVERSE_PATH);
		break;
	default: // RFC 3704 2.2
		exists = tr_next_hop_leaves_by(fib->hops, way, port);
	}
	return exists ? TR_VERDICT_LIVE : tr_drop_verdict(TR_DROP_URPF);
}

void tr_urpf(struct tr_fast_unit *unit, struct tr_batch *batch)
{
	uint8_t mode = unit->port[batch->port].config->urpf;
	const struct tr_lpm *lpm = unit->fib->lpm;
	uint32_t source[TR_BATCH_MAX];
	uint16_t hop[TR_BATCH_MAX];
	uint16_t place[TR_BATCH_MAX];
	unsigned n = 0;

	TR_FOR_EACH_LIVE (lane, batch) {
		const struct ipv4_header *ip =
			(const struct ipv4_header *)(batch->frame[lane] + ETHER_HEADER_BYTES);

		if (ip->source_be == 0) // a host without an address: the slow path judges
			continue;
		source[n] = be32(ip->source_be);
		place[n++] = (uint16_t)lane;
	}
	if (n == 0)
		return;
	lpm->ops->lookup(lpm, source, hop, n);
	lpm->ops->touch(lpm, unit->core, source, n);
	for (unsigned i = 0; i < n; i++) {
		uint16_t verdict;

		io_cost_touch(unit->core, &unit->fib->hops[hop[i]], sizeof(struct tr_next_hop));
		verdict = judge(unit->fib, hop[i], batch->port, mode);
		if (verdict != TR_VERDICT_LIVE)
			tr_batch_leave(batch, place[i], verdict);
	}
}
