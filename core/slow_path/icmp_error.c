// SPDX-License-Identifier: MIT
// ICMP errors (RFC 1812 4.3.2) about packets that the slow path is about to drop. Whether one
// may be sent at all is decided first, by the rules of 4.3.2.7 in its order, and the rate limits
// (icmp_limits.c) last, so that a packet which gets no error uses up no token. The packet quoted is
// as it was received. An error about a source-routed packet goes back the way that it came.
#include "slow_path/icmp_extension.h"
#include "slow_path/options.h"
#include "slow_path/slow_path.h"

#define ICMP_ERROR_BYTES_MAX 576 // RFC 1812 4.3.2.3: of the whole datagram
#define HEADERS_BYTES (IPV4_HEADER_BYTES + (uint32_t)sizeof(struct icmp_header))

struct error {
	struct icmp_header message;
	uint32_t first; // where it is sent to: the source, unless a source route leads there
	uint32_t option_bytes;
	bool is_strict;
	uint8_t option[OPTIONS_BYTES_MAX]; // that source route
	struct tr_icmp_extension extension;
};

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

static bool is_switched_off(const struct tr_slow_path *slow, const struct icmp_header *message,
	uint16_t port)
{
	if (message->type == ICMP_TIME_EXCEEDED && port < TR_PORTS_MAX) // RFC 1812 5.2.7.3
		return slow->time_exceeded_off >> port & 1;
	if (message->type != ICMP_UNREACHABLE || message->code == ICMP_FRAGMENTATION_NEEDED)
		return false;
	// RFC 1812 5.2.7.1
	return slow->unreachables_off ||
		(slow->prohibited_off && message->code == ICMP_ADMIN_PROHIBITED);
}

static enum tr_icmp_kind kind_of(uint8_t type)
{
	switch (type) {
	case ICMP_UNREACHABLE:
		return TR_ICMP_UNREACHABLE;
	case ICMP_TIME_EXCEEDED:
		return TR_ICMP_TIME_EXCEEDED;
	case ICMP_REDIRECT:
		return TR_ICMP_REDIRECT;
	default:
		return TR_ICMP_PARAMETER_PROBLEM;
	}
}

// The way to the source of a packet, or to the last station on its way here; NULL if that is no
// single host elsewhere. Own addresses, broadcasts of attached networks and martians have other
// kinds of next hop.
static const struct tr_next_hop *way_back(const struct tr_slow_path *slow, uint32_t source)
{
	const struct tr_next_hop *hop = tr_tables_route_own(slow->tables, source);

	if (!ipv4_is_unicast(source))
		return NULL;
	return tr_is_way_out(hop->kind) ? hop : NULL;
}

// Reads how the packet came (RFC 1812 4.3.2.6), and what that changes about the message.
static void trace_back(const struct tr_slow_path *slow, const struct pkt *about,
	struct error *error)
{
	const struct ipv4_header *ip = slow_ip(about);
	struct icmp_header *message = &error->message;
	struct tr_options options;
	struct tr_options_flaw flaw;

	error->first = be32(ip->source_be);
	if (ip->version_ihl == IPV4_VERSION_IHL)
		return;
	flaw = tr_options_read(slow, ip, &options);
	// RFC 1812 5.2.4.3: no way to an address that came from a source route.
	if (options.hops && message->type == ICMP_UNREACHABLE &&
		(message->code == ICMP_NET_UNREACHABLE || message->code == ICMP_HOST_UNREACHABLE))
		message->code = ICMP_SOURCE_ROUTE_FAILED;
	// Nobody goes by a source route that is itself the problem.
	if (flaw.reason == TR_DROP_TWO_SOURCE_ROUTES ||
		(options.is_strict && !tr_slow_is_own(slow, be32(ip->destination_be))))
		return;
	error->option_bytes = tr_options_reverse(slow, ip, &options, error->option, &error->first);
	error->option_bytes = (error->option_bytes + 3) & ~3u;
	error->is_strict = error->option_bytes && options.is_strict;
}

// IP bytes of an error that may have so many at most; settles what it quotes.
static uint32_t measure(const struct tr_slow_path *slow, const struct pkt *about,
	uint32_t bytes_max, struct error *error)
{
	const struct tr_icmp_extension *extension = &error->extension;
	uint32_t headers = HEADERS_BYTES + error->option_bytes;

	tr_icmp_extend(slow, about, bytes_max - headers, &error->message, &error->extension);
	return headers + extension->quoted + extension->zeros + extension->bytes;
}

// Fills in a frame of `bytes` IP bytes, but for its Ethernet header. Nothing is read back from the
// frame, which no cache has: checksums come from what it is made of.
static void fill(const struct tr_slow_path *slow, uint8_t *frame, uint32_t bytes,
	const struct pkt *about, uint32_t from, const struct error *error)
{
	const struct tr_icmp_extension *extension = &error->extension;
	uint32_t header_bytes = IPV4_HEADER_BYTES + error->option_bytes;
	struct icmp_header message = error->message;
	uint8_t *at = frame + ETHER_HEADER_BYTES;
	struct ipv4_header ip = {
		.version_ihl = (uint8_t)(0x40 | header_bytes / 4),
		.dscp_ecn = slow->error_tos,
		.total_bytes_be = be16((uint16_t)bytes),
		.id_be = 0, // RFC 6864 4.1: an atomic datagram needs none
		.fragment_be = be16(IPV4_DF),
		.ttl = slow->icmp_ttl,
		.protocol = IPV4_PROTOCOL_ICMP,
		.source_be = be32(from),
		.destination_be = be32(error->first),
	};
	uint32_t sum = (uint16_t)~tr_checksum(error->option, error->option_bytes);

	ip.checksum_be = (uint16_t)~checksum_fold(sum + checksum_sum_header20(&ip));
	sum = (uint16_t)~tr_checksum(&message, sizeof(message));
	sum += (uint16_t)~tr_checksum(slow_ip(about), extension->quoted);
	sum += (uint16_t)~tr_checksum(extension->octet, extension->bytes);
	message.checksum_be = (uint16_t)~checksum_fold(sum);
	memset(frame, 0, ETHER_HEADER_BYTES);
	memcpy(at, &ip, sizeof(ip));
	memcpy(at + sizeof(ip), error->option, error->option_bytes);
	at += header_bytes;
	memcpy(at, &message, sizeof(message));
	at += sizeof(message);
	memcpy(at, slow_ip(about), extension->quoted);
	at += extension->quoted;
	memset(at, 0, extension->zeros);
	memcpy(at + extension->zeros, extension->octet, extension->bytes);
}

static bool send_error(struct tr_slow_path *slow, const struct pkt *about, struct error *error)
{
	const struct tr_next_hop *hop;
	uint32_t neighbor, bytes, from;
	struct pkt *pkt;

	trace_back(slow, about, error);
	hop = way_back(slow, error->first);
	if (!hop || !tr_slow_is_answerable(slow, be32(slow_ip(about)->source_be)) ||
		is_switched_off(slow, &error->message, pkt_port(about)) || !is_subject(slow, about))
		return false;
	neighbor = hop->kind == TR_ROUTE_VIA ? hop->gateway : error->first;
	if (error->is_strict && neighbor != error->first)
		return false;
	// RFC 1812 4.3.2.4: an address of the interface by which the error leaves.
	from = tr_slow_source(slow, hop->port, neighbor);
	if (from == 0 || !tr_slow_icmp_may_send(slow, kind_of(error->message.type)))
		return false;
	bytes = hop->mtu < ICMP_ERROR_BYTES_MAX ? hop->mtu : ICMP_ERROR_BYTES_MAX;
	bytes = measure(slow, about, bytes, error);
	pkt = tr_slow_make(slow, ETHER_HEADER_BYTES + bytes, about);
	if (!pkt)
		return false;
	fill(slow, pkt_data(pkt), bytes, about, from, error);
	tr_slow_output(slow, pkt);
	return true;
}

bool tr_slow_icmp_error(struct tr_slow_path *slow, const struct pkt *pkt, uint8_t type,
	uint8_t code, uint32_t rest)
{
	struct error error = {
		.message =
			{
				.type = type,
				.code = code,
				.id_be = be16((uint16_t)(rest >> 16)),
				.sequence_be = be16((uint16_t)rest),
			},
	};
	uint16_t before = tr_slow_enter(slow, pkt, TR_STEP_SLOW_ICMP_ERROR, TR_VERDICT_LIVE);
	bool sent = send_error(slow, pkt, &error);

	tr_slow_leave(slow, before);
	return sent;
}
