// SPDX-License-Identifier: MIT
// The forwarder for packets to more than one station: directed broadcasts (broadcast.c) and
// multicasts (multicast.c). It needs no neighbour, since the link's own groups take the packet, and
// nobody is told of what goes wrong (RFC 1812 4.3.2.7).
#include "formats/checksum.h"
#include "queues/count.h"
#include "slow_path/options.h"
#include "slow_path/slow_path.h"

struct pkt *tr_slow_copy(struct tr_slow_path *slow, const struct pkt *pkt)
{
	struct pkt *copy = tr_slow_make(slow, pkt_bytes(pkt), pkt);

	if (!copy)
		return NULL;
	memcpy(pkt_data(copy), pkt_data(pkt), pkt_bytes(pkt));
	pkt_set_port(copy, pkt_port(pkt));
	return copy;
}

void tr_slow_forward_group(struct tr_slow_path *slow, struct pkt *pkt, uint16_t port,
	const uint8_t *mac)
{
	struct tr_next_hop hop = {.port = port, .mtu = slow->config->port[port].mtu};
	struct ipv4_header *ip = slow_ip(pkt);
	bool too_long = be16(ip->total_bytes_be) > hop.mtu;
	uint32_t gate = tr_port_gate(&slow->port[port]);

	tr_slow_enter(slow, pkt, TR_STEP_SLOW_FORWARD, TR_VERDICT_LIVE);
	if (!tr_slow_may_forward(slow, pkt, port)) {
		tr_slow_drop(slow, pkt, TR_DROP_FORWARDING_OFF);
		return;
	}
	if (ip->ttl <= 1) { // RFC 1812 5.3.1
		tr_slow_drop(slow, pkt, TR_DROP_TTL_EXPIRED);
		return;
	}
	if (gate) { // RFC 1812 10.2.1
		tr_slow_drop(slow, pkt, tr_verdict_reason((uint16_t)gate));
		return;
	}
	if (!io_link_up(slow->io_port[port])) {
		tr_slow_drop(slow, pkt, TR_DROP_PORT_DOWN);
		return;
	}
	if (too_long && (ip->fragment_be & be16(IPV4_DF))) {
		tr_slow_drop(slow, pkt, TR_DROP_FRAGMENTATION_NEEDED);
		return;
	}
	checksum_lower_ttl(&ip->ttl);
	tr_options_record(slow, ip, port, be32(ip->destination_be));
	tr_count(&slow->counters.forwarded, 1);
	if (too_long)
		tr_slow_fragment(slow, pkt, &hop, mac);
	else
		tr_slow_send(slow, pkt, port, mac);
}
