// SPDX-License-Identifier: MIT
// Redirects for a host, code 1, the only ones there are (RFC 1812 5.2.7.2): the sender of a packet
// that leaves by the port it came in by is told the next hop, if that is his own neighbour. The
// fast path hands over copies of what it forwarded; packets that the slow path forwards come here
// as they are. Whether an error may be sent at all, and how many, is icmp_error.c's to say.
#include "slow_path/options.h"
#include "slow_path/slow_path.h"

// Are both in one subnet of the port?
static bool share_subnet(const struct tr_port_config *port, uint32_t a, uint32_t b)
{
	for (uint32_t i = 0; i < port->addresses; i++) {
		const struct tr_port_address *own = &port->address[i];
		uint32_t mask = ipv4_mask(own->bits);
		if (((own->address ^ a) & mask) == 0 && ((own->address ^ b) & mask) == 0)
			return true;
	}
	return false;
}

// Is the station itself the next hop on the way to it?
static bool is_neighbor(const struct tr_slow_path *slow, uint32_t address, uint16_t port)
{
	const struct tr_next_hop *hop = tr_tables_lookup(slow->tables, address);

	return hop->port == port &&
		(hop->kind == TR_ROUTE_CONNECTED ||
			(hop->kind == TR_ROUTE_VIA && hop->gateway == address));
}

void tr_slow_redirect(struct tr_slow_path *slow, const struct pkt *pkt,
	const struct tr_next_hop *hop)
{
	const struct ipv4_header *ip = slow_ip(pkt);
	uint32_t source = be32(ip->source_be);
	uint16_t port = pkt_port(pkt);
	uint32_t neighbor;

	if (port == TR_NO_PORT || hop->port != port || !slow->config->port[port].redirects)
		return;
	if (hop->kind != TR_ROUTE_VIA && hop->kind != TR_ROUTE_CONNECTED)
		return;
	neighbor = hop->kind == TR_ROUTE_VIA ? hop->gateway : be32(ip->destination_be);
	// Who sent it this way knows the next hop already if he is it.
	if (source == neighbor || !share_subnet(&slow->config->port[port], source, neighbor))
		return;
	if (tr_options_is_source_routed(ip) || !is_neighbor(slow, source, port))
		return;
	tr_slow_icmp_error(slow, pkt, ICMP_REDIRECT, ICMP_REDIRECT_HOST, neighbor);
}

void tr_slow_redirect_copy(struct tr_slow_path *slow, struct pkt *pkt)
{
	tr_slow_redirect(slow, pkt, tr_tables_route(slow->tables, slow_ip(pkt)));
	tr_slow_drop(slow, pkt, TR_DROP_REDIRECT_COPY);
}
