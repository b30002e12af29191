// SPDX-License-Identifier: MIT
// The forwarder of the slow path (RFC 1812 5.2.1): packets of others that the fast path could not
// send on, with the ICMP error of each reason, and the packets that the router makes itself.
// Checks come first and changes last: until everything is known the packet stays as it was
// received, so an ICMP error quotes it unaltered, and a packet that waits for a neighbour can be
// routed anew when the answer comes. That needs one order: next hop, TTL, MTU, neighbour; then the
// options get what they ask for, the TTL goes down, and the packet is sent or cut.
#include "formats/checksum.h"
#include "slow_path/options.h"
#include "slow_path/slow_path.h"
#include "queues/count.h"

// A next hop that leads nowhere: why, and what the source is told (code < 0: nothing).
struct dead_end {
	enum tr_drop reason;
	int code;
};

static struct dead_end dead_end(const struct tr_next_hop *hop)
{
	switch (hop->kind) {
	case TR_ROUTE_NONE: // RFC 1812 4.3.3.1
		return (struct dead_end){TR_DROP_NO_ROUTE, ICMP_NET_UNREACHABLE};
	case TR_ROUTE_UNREACHABLE: // RFC 1812 5.2.7.1
		return (struct dead_end){TR_DROP_UNREACHABLE, ICMP_HOST_UNREACHABLE};
	case TR_ROUTE_PROHIBIT: // RFC 1812 5.2.7.1
		return (struct dead_end){TR_DROP_PROHIBIT, ICMP_ADMIN_PROHIBITED};
	case TR_ROUTE_BLACKHOLE:
		return (struct dead_end){TR_DROP_BLACKHOLE, -1};
	default: // RFC 1812 5.3.7
		return (struct dead_end){TR_DROP_MARTIAN_DESTINATION, -1};
	}
}

bool tr_slow_may_forward(const struct tr_slow_path *slow, const struct pkt *pkt, uint16_t port)
{
	const struct tr_port_config *config = slow->config->port;

	assert(pkt_port(pkt) < slow->config->ports);
	return !config[pkt_port(pkt)].forwarding_off &&
		(port == TR_NO_PORT || !config[port].forwarding_off);
}

static uint32_t neighbor_of(const struct tr_next_hop *hop, uint32_t destination)
{
	return hop->kind == TR_ROUTE_VIA ? hop->gateway : destination;
}

static bool is_too_long(const struct ipv4_header *ip, const struct tr_next_hop *hop)
{
	return be16(ip->total_bytes_be) > hop->mtu;
}

static void send_on(struct tr_slow_path *slow, struct pkt *pkt, const struct tr_next_hop *hop,
	const uint8_t *mac)
{
	if (is_too_long(slow_ip(pkt), hop))
		tr_slow_fragment(slow, pkt, hop, mac);
	else
		tr_slow_send(slow, pkt, hop->port, mac);
}

// True if the packet may go by this next hop, else it has been dropped.
static bool may_pass(struct tr_slow_path *slow, struct pkt *pkt, const struct tr_next_hop *hop,
	uint32_t destination)
{
	const struct ipv4_header *ip = slow_ip(pkt);
	struct dead_end end;

	if (!tr_slow_may_forward(slow, pkt, tr_is_way_out(hop->kind) ? hop->port : TR_NO_PORT)) {
		tr_slow_drop(slow, pkt, TR_DROP_FORWARDING_OFF);
		return false;
	}
	if (!tr_is_way_out(hop->kind)) {
		end = dead_end(hop);
		if (end.code >= 0)
			tr_slow_icmp_error(slow, pkt, ICMP_UNREACHABLE, (uint8_t)end.code, 0);
		tr_slow_drop(slow, pkt, end.reason);
		return false;
	}
	if (ip->ttl <= 1) { // RFC 1812 5.3.1
		tr_slow_icmp_error(slow, pkt, ICMP_TIME_EXCEEDED, ICMP_TTL_IN_TRANSIT, 0);
		tr_slow_drop(slow, pkt, TR_DROP_TTL_EXPIRED);
		return false;
	}
	if (!tr_port_is_up(&slow->port[hop->port])) { // RFC 1812 5.3.12.3
		bool on_link = neighbor_of(hop, destination) == destination;
		tr_slow_icmp_error(slow, pkt, ICMP_UNREACHABLE,
			on_link ? ICMP_HOST_UNREACHABLE : ICMP_NET_UNREACHABLE, 0);
		tr_slow_drop(slow, pkt, TR_DROP_PORT_DOWN);
		return false;
	}
	if (is_too_long(ip, hop) && (ip->fragment_be & be16(IPV4_DF))) { // RFC 1812 5.2.7.1
		tr_slow_icmp_error(slow, pkt, ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED,
			hop->mtu);
		tr_slow_drop(slow, pkt, TR_DROP_FRAGMENTATION_NEEDED);
		return false;
	}
	return true;
}

void tr_slow_forward(struct tr_slow_path *slow, struct pkt *pkt, const struct tr_next_hop *hop)
{
	uint32_t destination = tr_options_destination(slow, slow_ip(pkt));
	uint32_t neighbor = neighbor_of(hop, destination);
	const uint8_t *mac;

	tr_slow_enter(slow, pkt, TR_STEP_SLOW_FORWARD, TR_VERDICT_LIVE);
	if (!may_pass(slow, pkt, hop, destination))
		return;
	mac = tr_neighbors_find(slow->neighbors, hop->port, neighbor);
	if (!mac) {
		tr_neighbors_wait(slow, pkt, hop->port, neighbor);
		return;
	}
	tr_slow_redirect(slow, pkt, hop);
	tr_options_record(slow, slow_ip(pkt), hop->port, neighbor);
	checksum_lower_ttl(&slow_ip(pkt)->ttl);
	tr_count(&slow->counters.forwarded, 1);
	send_on(slow, pkt, hop, mac);
}

void tr_slow_output(struct tr_slow_path *slow, struct pkt *pkt)
{
	const struct ipv4_header *ip = slow_ip(pkt);
	uint32_t destination = be32(ip->destination_be);
	const struct tr_next_hop *hop = tr_tables_route_own(slow->tables, destination);
	uint32_t neighbor = neighbor_of(hop, destination);
	const uint8_t *mac;

	if (!tr_is_way_out(hop->kind)) {
		tr_slow_drop(slow, pkt, dead_end(hop).reason);
		return;
	}
	if (is_too_long(ip, hop) && (ip->fragment_be & be16(IPV4_DF))) {
		tr_slow_drop(slow, pkt, TR_DROP_FRAGMENTATION_NEEDED);
		return;
	}
	if (neighbor != destination && tr_options_is_strict(slow, ip)) { // RFC 1812 5.2.4.3
		tr_slow_drop(slow, pkt, TR_DROP_SOURCE_ROUTE_FAILED);
		return;
	}
	mac = tr_neighbors_find(slow->neighbors, hop->port, neighbor);
	if (!mac) {
		tr_neighbors_wait(slow, pkt, hop->port, neighbor);
		return;
	}
	tr_options_record(slow, slow_ip(pkt), hop->port, neighbor);
	send_on(slow, pkt, hop, mac);
}

void tr_slow_resume(struct tr_slow_path *slow, struct pkt *pkt)
{
	if (pkt_port(pkt) == TR_NO_PORT)
		tr_slow_output(slow, pkt);
	else if (ipv4_header_bytes(slow_ip(pkt)) > IPV4_HEADER_BYTES)
		tr_slow_options(slow, pkt);
	else
		tr_slow_route(slow, pkt, tr_tables_route(slow->tables, slow_ip(pkt)));
}
