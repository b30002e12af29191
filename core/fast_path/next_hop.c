// SPDX-License-Identifier: MIT
// Fifth on the packet's way: do what the route says. Routes that are not a known neighbour carry a
// verdict (own address, no route, blackhole, ...), so there is no second classification. TTL is
// looked at only now: a packet for the router itself may arrive with TTL 1 (RFC 1812 4.2.2.9). A
// packet that leaves is untouched: the slow path answers for it as it came. Of several next hops a
// flow takes one; only the lanes of such routes pay for the choice.
#include "fast_path/fast_unit.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"

static uint16_t judge(const struct tr_next_hop *hop, const struct ipv4_header *ip, uint32_t bytes)
{
	if (hop->verdict != TR_VERDICT_LIVE)
		return hop->verdict;
	if (ip->ttl <= 1)
		return tr_punt_verdict(TR_PUNT_TTL_EXPIRED); // RFC 1812 5.3.1
	if (bytes - ETHER_HEADER_BYTES > hop->mtu)
		return tr_punt_verdict(TR_PUNT_TOO_LONG); // RFC 1812 5.2.6
	return TR_VERDICT_LIVE;
}

static struct ipv4_header *ip_of(const struct tr_batch *batch, unsigned lane)
{
	return (struct ipv4_header *)(batch->frame[lane] + ETHER_HEADER_BYTES);
}

// The next hop of several that the lane's flow takes (RFC 2991).
static const struct tr_next_hop *choose(struct tr_fast_unit *unit, struct tr_batch *batch,
	unsigned lane)
{
	const struct tr_fib *fib = unit->fib;
	const struct tr_next_hop *group = &fib->hops[batch->hop[lane]];
	uint64_t flow = tr_flow_hash(&fib->flow, ip_of(batch, lane));
	const struct tr_next_hop *hop;

	io_cost_touch(unit->core, &fib->hops[group->list], sizeof(*hop));
	batch->hop[lane] = tr_multipath_choose(fib->hops, group, flow);
	hop = &fib->hops[batch->hop[lane]];
	io_cost_touch(unit->core, hop, sizeof(*hop));
	return hop;
}

// A lane that is not as most are: of several next hops one takes it, or it leaves.
static void choose_or_leave(struct tr_fast_unit *unit, struct tr_batch *batch, unsigned lane)
{
	const struct tr_next_hop *hop = &unit->fib->hops[batch->hop[lane]];
	uint16_t verdict;

	if (hop->verdict == TR_VERDICT_GROUP)
		hop = choose(unit, batch, lane);
	verdict = judge(hop, ip_of(batch, lane), batch->bytes[lane]);
	if (verdict != TR_VERDICT_LIVE) {
		tr_batch_leave(batch, lane, verdict);
		return;
	}
	memcpy(batch->frame[lane], hop->macs, sizeof(hop->macs));
	checksum_lower_ttl(&ip_of(batch, lane)->ttl);
	batch->egress[lane] = hop->port;
}

// RFC 1812 5.3.11: a port that does not forward takes what is for the router, and nothing else.
static void keep_own(const struct tr_fast_unit *unit, struct tr_batch *batch)
{
	TR_FOR_EACH_LIVE (lane, batch) {
		if (!tr_is_for_router(unit->fib->hops[batch->hop[lane]].kind))
			tr_batch_leave(batch, lane, tr_drop_verdict(TR_DROP_FORWARDING_OFF));
	}
}

void tr_next_hop(void *state, struct tr_batch *batch)
{
	struct tr_fast_unit *unit = state;
	const struct tr_vector_ops *vector = tr_vector_of(unit, batch);
	const struct tr_next_hop *hops = unit->fib->hops;

	if (unit->port[batch->port].config->forwarding_off)
		keep_own(unit, batch);
	TR_FOR_EACH_LIVE (lane, batch)
		io_cost_touch(unit->core, &hops[batch->hop[lane]], sizeof(*hops));
	for (unsigned word = 0; word * 64 < batch->lanes; word++) {
		uint64_t odd = batch->live[word] & ~vector->forward(batch, word * 64, hops);

		for (; odd; odd &= odd - 1)
			choose_or_leave(unit, batch, word * 64 + (unsigned)__builtin_ctzll(odd));
	}
}
