// SPDX-License-Identifier: MIT
// Third on the packet's way: which sound packets may be forwarded by the fast path at all? Sources
// that no packet may carry end here (martians, RFC 1812 5.3.7); broadcast frames, options and hosts
// without an address need judgement and go to the slow path.
#include "fast_path/fast_unit.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"

static uint16_t filter_packet(const uint8_t *frame)
{
	const struct ether_header *ether = (const struct ether_header *)frame;
	const struct ipv4_header *ip = (const struct ipv4_header *)(ether + 1);

	if (!ipv4_is_unicast(be32(ip->source_be))) {
		if (ip->source_be == 0)
			return tr_punt_verdict(TR_PUNT_ZERO_SOURCE); // RFC 1812 9.1.2
		return tr_drop_verdict(TR_DROP_MARTIAN_SOURCE);
	}
	if (ether_is_group(ether->destination))
		return tr_punt_verdict(TR_PUNT_LINK_BROADCAST); // RFC 1812 5.3.4
	if (ip->version_ihl != IPV4_VERSION_IHL)
		return tr_punt_verdict(TR_PUNT_IP_OPTIONS);
	return TR_VERDICT_LIVE;
}

void tr_filter(void *state, struct tr_batch *batch)
{
	(void)state;
	TR_FOR_EACH_LIVE (lane, batch) {
		uint16_t verdict = filter_packet(batch->frame[lane]);

		if (verdict != TR_VERDICT_LIVE)
			tr_batch_leave(batch, lane, verdict);
	}
}
