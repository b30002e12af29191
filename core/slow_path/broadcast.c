// SPDX-License-Identifier: MIT
// Packets to a broadcast address. The limited one is for the router alone (RFC 1812 5.3.5.1). The
// one of an attached subnet, a directed broadcast, is received and forwarded only where the port of
// the subnet says so (RFC 2644): then the host stack gets it, and the link as a link broadcast. The
// zero forms are nothing any more (RFC 1812 5.3.5).
#include "slow_path/slow_path.h"

static bool is_directed(const struct tr_port_config *port, uint32_t address)
{
	for (uint32_t i = 0; i < port->addresses; i++) {
		const struct tr_port_address *own = &port->address[i];
		if (own->bits <= 30 && (own->address | ~ipv4_mask(own->bits)) == address)
			return true;
	}
	return false;
}

void tr_slow_broadcast(struct tr_slow_path *slow, struct pkt *pkt, const struct tr_next_hop *hop)
{
	const struct ether_header *ether = (const struct ether_header *)pkt_data(pkt);
	uint32_t destination = be32(slow_ip(pkt)->destination_be);
	bool receive, forward;
	struct pkt *copy;

	if (destination == IPV4_LIMITED_BROADCAST) {
		tr_slow_local(slow, pkt);
		return;
	}
	if (hop->port >= slow->config->ports ||
		!is_directed(&slow->config->port[hop->port], destination)) {
		tr_slow_drop(slow, pkt, TR_DROP_DIRECTED_BROADCAST);
		return;
	}
	receive = slow->groups.receive_directed >> hop->port & 1;
	// RFC 1812 5.3.4: what came as a link broadcast is forwarded to no unicast link, nor back.
	forward = slow->groups.forward_directed >> hop->port & 1 &&
		!ether_is_group(ether->destination);
	if (receive && forward) {
		copy = tr_slow_copy(slow, pkt);
		if (copy)
			tr_slow_local(slow, copy);
	} else if (receive) {
		tr_slow_local(slow, pkt);
	}
	if (forward)
		tr_slow_forward_group(slow, pkt, hop->port, ether_broadcast);
	else if (!receive)
		tr_slow_drop(slow, pkt, TR_DROP_DIRECTED_BROADCAST);
}
