// SPDX-License-Identifier: MIT
// ICMP errors (RFC 1812 4.3.2) about packets that the slow path is about to drop. Whether one
// may be sent at all is decided first, by the rules of 4.3.2.7 in its order, and the rate limit
// last, so that a packet which gets no error uses up no token. The packet quoted is as it was
// received.
#include "slow_path/slow_path.h"

#define ICMP_ERROR_BYTES_MAX 576 // RFC 1812 4.3.2.3: of the whole datagram
#define ICMP_ERROR_TOS 0xc0      // RFC 1812 4.3.2.5: precedence 6, today CS6; not ECN-capable
#define HEADERS_BYTES (IPV4_HEADER_BYTES + (uint32_t)sizeof(struct icmp_header))

// Echo, router discovery, timestamp, information, mask, extended echo: all others may be errors.
static bool is_icmp_query(uint8_t type)
{
	return type == 0 || (type >= 8 && type <= 10) || (type >= 13 && type <= 18) || type == 42 ||
		type == 43;
}

static bool is_group_route(const struct tr_slow_path *slow, uint32_t address)
{
	uint8_t kind = tr_tables_lookup(slow->tables, address)->kind;

	return kind == TR_ROUTE_BROADCAST || kind == TR_ROUTE_MULTICAST;
}

// May an error be sent about the packet, its source aside (RFC 1812 4.3.2.7)?
static bool is_subject(const struct tr_slow_path *slow, const struct pkt *pkt)
{
	const struct ether_header *ether = (const struct ether_header *)pkt_data(pkt);
	const struct ipv4_header *ip = slow_ip(pkt);
	uint32_t payload = ETHER_HEADER_BYTES + ipv4_header_bytes(ip);
	uint32_t destination = be32(ip->destination_be);

	if (pkt_port(pkt) == TR_NO_PORT) // made by the router
		return false;
	if ((be16(ip->fragment_be) & IPV4_OFFSET_MASK) != 0)
		return false;
	if (ip->protocol == IPV4_PROTOCOL_ICMP &&
		(pkt_bytes(pkt) <= payload || !is_icmp_query(pkt_data(pkt)[payload])))
		return false;
	if (ether_is_group(ether->destination))
		return false;
	return !ipv4_is_multicast(destination) && destination != IPV4_LIMITED_BROADCAST &&
		!is_group_route(slow, destination);
}

// The way back to the source of a packet; NULL if the source is no single host elsewhere. Own
// addresses, broadcasts of attached networks and martians have other kinds of next hop.
static const struct tr_next_hop *way_back(const struct tr_slow_path *slow, uint32_t source)
{
	const struct tr_next_hop *hop = tr_tables_route_own(slow->tables, source);

	if (!ipv4_is_unicast(source))
		return NULL;
	return hop->kind == TR_ROUTE_VIA || hop->kind == TR_ROUTE_CONNECTED ? hop : NULL;
}

// Fills in a frame of `bytes` IP bytes, but for its Ethernet header.
static void fill(uint8_t *frame, uint32_t bytes, const struct pkt *about, uint32_t from,
	const struct icmp_header *message)
{
	const struct ipv4_header *quoted = slow_ip(about);
	struct ipv4_header *ip = (struct ipv4_header *)(frame + ETHER_HEADER_BYTES);
	struct icmp_header *icmp = (struct icmp_header *)(ip + 1);

	memset(frame, 0, ETHER_HEADER_BYTES);
	*ip = (struct ipv4_header){
		.version_ihl = IPV4_VERSION_IHL,
		.dscp_ecn = ICMP_ERROR_TOS,
		.total_bytes_be = be16((uint16_t)bytes),
		.id_be = 0, // RFC 6864 4.1: an atomic datagram needs none
		.fragment_be = be16(IPV4_DF),
		.ttl = IPV4_TTL_DEFAULT,
		.protocol = IPV4_PROTOCOL_ICMP,
		.source_be = be32(from),
		.destination_be = quoted->source_be,
	};
	ip->checksum_be = tr_checksum(ip, IPV4_HEADER_BYTES);
	*icmp = *message;
	memcpy(icmp + 1, quoted, bytes - HEADERS_BYTES);
	icmp->checksum_be = tr_checksum(icmp, bytes - IPV4_HEADER_BYTES);
}

static bool send_error(struct tr_slow_path *slow, const struct pkt *about,
	const struct icmp_header *message)
{
	uint32_t source = be32(slow_ip(about)->source_be);
	const struct tr_next_hop *hop = way_back(slow, source);
	uint32_t bytes;
	uint32_t from;
	struct pkt *pkt;

	if (!hop || !is_subject(slow, about))
		return false;
	// RFC 1812 4.3.2.4: an address of the interface by which the error leaves.
	from = tr_slow_source(slow, hop->port, hop->kind == TR_ROUTE_VIA ? hop->gateway : source);
	if (from == 0 || !tr_rate_limit_take(&slow->icmp_limit, io_cycles(slow->core)))
		return false;
	bytes = HEADERS_BYTES + pkt_bytes(about) - ETHER_HEADER_BYTES;
	if (bytes > ICMP_ERROR_BYTES_MAX)
		bytes = ICMP_ERROR_BYTES_MAX;
	if (bytes > hop->mtu)
		bytes = hop->mtu;
	pkt = tr_slow_make(slow, ETHER_HEADER_BYTES + bytes, about);
	if (!pkt)
		return false;
	fill(pkt_data(pkt), bytes, about, from, message);
	tr_slow_output(slow, pkt);
	return true;
}

bool tr_slow_icmp_error(struct tr_slow_path *slow, const struct pkt *pkt, uint8_t type,
	uint8_t code, uint32_t rest)
{
	struct icmp_header message = {
		.type = type,
		.code = code,
		.id_be = be16((uint16_t)(rest >> 16)),
		.sequence_be = be16((uint16_t)rest),
	};
	uint16_t before = tr_slow_enter(slow, pkt, TR_STEP_SLOW_ICMP_ERROR, TR_VERDICT_LIVE);
	bool sent = send_error(slow, pkt, &message);

	tr_slow_leave(slow, before);
	return sent;
}
