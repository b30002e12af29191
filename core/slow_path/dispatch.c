// SPDX-License-Identifier: MIT
// First handler of a packet that the fast path punted. The fast path's checks stop at the first
// one that says "punt", so an IP packet may have more than one reason: a DHCP discover has a zero
// source and came as a link broadcast. All reasons are thus checked here, whatever it was that
// brought the packet. A packet with options then takes the way round by them (options.c). The next
// hop says, by the table of this moment, where the packet goes: to the router itself (local.c), on
// its way (forward.c), or to rest.
#include "slow_path/slow_path.h"
#include "queues/count.h"

#define PORT_BOOTP_SERVER 67
#define TOTAL_LENGTH_OCTET 2u
#define DATA_AHEAD 4 // packets whose headers are on their way from the other processor's cache

// Cycles since the last border go to the handler that is at work.
static void account(struct tr_slow_path *slow)
{
	uint64_t now = io_cycles(slow->core);

	tr_count(&slow->counters.step[slow->step].cycles, now - slow->step_cycles);
	slow->step_cycles = now;
}

static void begin(struct tr_slow_path *slow, const struct pkt *pkt, enum tr_step step,
	uint16_t verdict)
{
	slow->step = (uint16_t)step;
	io_cost_step(slow->core, step, 1);
	tr_count(&slow->counters.step[step].calls, 1);
	tr_count(&slow->counters.step[step].lanes, 1);
	io_trace(slow->core, pkt, step, verdict);
}

uint16_t tr_slow_enter(struct tr_slow_path *slow, const struct pkt *pkt, enum tr_step step,
	uint16_t verdict)
{
	uint16_t before = slow->step;

	account(slow);
	begin(slow, pkt, step, verdict);
	return before;
}

void tr_slow_leave(struct tr_slow_path *slow, uint16_t before)
{
	account(slow);
	slow->step = before;
}

static bool is_link_group(const struct pkt *pkt)
{
	return ether_is_group(((const struct ether_header *)pkt_data(pkt))->destination);
}

// A source of 0.0.0.0 is for those who have no address yet: DHCP and BOOTP clients, and IGMP
// reports (RFC 3376 4.2.13). Any other packet is dropped (RFC 1812 4.2.2.11, 5.3.7, 9.1.2).
static bool is_zero_source_allowed(const struct pkt *pkt, uint8_t kind)
{
	const struct ipv4_header *ip = slow_ip(pkt);
	uint32_t udp = ETHER_HEADER_BYTES + ipv4_header_bytes(ip);
	uint16_t port_be;

	if (kind == TR_ROUTE_MULTICAST)
		return ip->protocol == IPV4_PROTOCOL_IGMP;
	if (kind != TR_ROUTE_LOCAL && kind != TR_ROUTE_BROADCAST)
		return false;
	if (ip->protocol != IPV4_PROTOCOL_UDP || (be16(ip->fragment_be) & IPV4_OFFSET_MASK) != 0 ||
		pkt_bytes(pkt) < udp + 4)
		return false;
	memcpy(&port_be, pkt_data(pkt) + udp + 2, sizeof(port_be));
	return be16(port_be) == PORT_BOOTP_SERVER;
}

// RFC 1812 4.2.2.11, 5.3.7: a source is an address that a single host can have. Martians and
// broadcast addresses of attached subnets are known by their routes.
static bool is_host(const struct tr_slow_path *slow, uint32_t source)
{
	return ipv4_is_unicast(source) &&
		!tr_is_no_source(tr_tables_lookup(slow->tables, source)->kind);
}

// The checks of the port that the fast path has left to the slow path: true if the packet may go
// on, else it has been dropped.
static bool passes_port(struct tr_slow_path *slow, struct pkt *pkt)
{
	const struct ipv4_header *ip = slow_ip(pkt);
	uint16_t port = pkt_port(pkt);
	uint16_t verdict = TR_VERDICT_LIVE;

	if (pkt_punt(pkt) == TR_PUNT_REVERSE_PATH) {
		if (!tr_tables_is_feasible(slow->tables, be32(ip->source_be), port))
			verdict = tr_drop_verdict(TR_DROP_URPF);
		else
			verdict = tr_rules_judge(slow->rules, &slow->counters, port, ip);
	} else if (pkt_punt(pkt) == TR_PUNT_FILTERED) {
		verdict = tr_punt_verdict(TR_PUNT_FILTERED);
	}
	if (verdict == TR_VERDICT_LIVE)
		return true;
	if (tr_verdict_class(verdict) == TR_VERDICT_PUNT) { // RFC 1812 5.3.9: the rule rejects
		tr_slow_icmp_error(slow, pkt, ICMP_UNREACHABLE, ICMP_ADMIN_PROHIBITED, 0);
		verdict = tr_drop_verdict(TR_DROP_FILTERED);
	}
	tr_slow_drop(slow, pkt, (enum tr_drop)tr_verdict_reason(verdict));
	return false;
}

void tr_slow_route(struct tr_slow_path *slow, struct pkt *pkt, const struct tr_next_hop *hop)
{
	switch (hop->kind) {
	case TR_ROUTE_LOCAL:
		tr_slow_local(slow, pkt);
		break;
	case TR_ROUTE_BROADCAST:
		tr_slow_broadcast(slow, pkt, hop);
		break;
	case TR_ROUTE_MULTICAST:
		tr_slow_multicast(slow, pkt);
		break;
	default:
		tr_slow_forward(slow, pkt, hop);
	}
}

// RFC 1812 5.2.2: the parameter problem points at the total length. A port that is particular about
// what it lets in says nothing: what its checks would look at may be what is lost.
static void truncated(struct tr_slow_path *slow, struct pkt *pkt)
{
	uint16_t port = pkt_port(pkt);

	if (slow->config->port[port].urpf == TR_URPF_OFF && !tr_rules_concern(slow->rules, port))
		tr_slow_icmp_error(slow, pkt, ICMP_PARAMETER_PROBLEM, 0, TOTAL_LENGTH_OCTET << 24);
	tr_slow_drop(slow, pkt, TR_DROP_IP_TOTAL_LENGTH);
}

// Of a truncated packet there may be no ports that a flow's gateway could be chosen by.
static const struct tr_next_hop *route(const struct tr_slow_path *slow, const struct pkt *pkt)
{
	const struct ipv4_header *ip = slow_ip(pkt);

	if (pkt_punt(pkt) == TR_PUNT_TRUNCATED)
		return tr_tables_route_own(slow->tables, be32(ip->destination_be));
	return tr_tables_route(slow->tables, ip);
}

static void dispatch_ip(struct tr_slow_path *slow, struct pkt *pkt)
{
	const struct ipv4_header *ip = slow_ip(pkt);
	const struct tr_next_hop *hop = route(slow, pkt);
	bool group = hop->kind == TR_ROUTE_BROADCAST || hop->kind == TR_ROUTE_MULTICAST;
	bool is_taken = tr_is_for_router(hop->kind) || tr_slow_may_forward(slow, pkt, TR_NO_PORT);
	uint32_t source = be32(ip->source_be);

	// RFC 1812 5.2.1: what is wrong with the header comes before all that is said of it.
	if (pkt_punt(pkt) == TR_PUNT_TRUNCATED && is_taken)
		truncated(slow, pkt);
	// RFC 1812 5.3.4: what came as a link broadcast or multicast goes to IP groups only.
	else if (is_link_group(pkt) && !group)
		tr_slow_drop(slow, pkt, TR_DROP_LINK_BROADCAST);
	else if (source == 0 && !is_zero_source_allowed(pkt, hop->kind))
		tr_slow_drop(slow, pkt, TR_DROP_MARTIAN_SOURCE);
	else if (source != 0 && !is_host(slow, source))
		tr_slow_drop(slow, pkt, TR_DROP_MARTIAN_SOURCE);
	else if (!is_taken)
		tr_slow_drop(slow, pkt, TR_DROP_FORWARDING_OFF); // RFC 1812 5.3.11
	else if (ipv4_header_bytes(ip) == IPV4_HEADER_BYTES)
		tr_slow_route(slow, pkt, hop);
	else
		tr_slow_options(slow, pkt);
}

static void dispatch(struct tr_slow_path *slow, struct pkt *pkt)
{
	assert(pkt_port(pkt) < slow->config->ports);
	begin(slow, pkt, TR_STEP_SLOW_DISPATCH, TR_VERDICT_LIVE);
	if (pkt_punt(pkt) == TR_PUNT_ARP)
		tr_slow_arp(slow, pkt);
	else if (pkt_punt(pkt) == TR_PUNT_REDIRECT)
		tr_slow_redirect_copy(slow, pkt);
	else if (passes_port(slow, pkt))
		dispatch_ip(slow, pkt);
	tr_slow_leave(slow, TR_STEP_SLOW_DISPATCH);
}

void tr_slow_dispatch_burst(struct tr_slow_path *slow, struct pkt *const *pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pkt_prefetch(pkts[i]);
	slow->step = TR_STEP_SLOW_DISPATCH;
	slow->step_cycles = io_cycles(slow->core);
	for (unsigned i = 0; i < n; i++) {
		if (i + DATA_AHEAD < n)
			__builtin_prefetch(pkt_data(pkts[i + DATA_AHEAD]));
		dispatch(slow, pkts[i]);
	}
}

void tr_slow_dispatch(struct tr_slow_path *slow, struct pkt *pkt)
{
	tr_slow_dispatch_burst(slow, &pkt, 1);
}
