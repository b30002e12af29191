// SPDX-License-Identifier: MIT
// ICMP queries to the router (RFC 1812 4.3.3): echo requests to an own address are turned into
// the reply in their own buffer, which goes back by the request's source route if it has one.
// Fragments wait for their others (reassembly.c). Broadcast requests and every other ICMP message
// are the host stack's. The balance of packets closes as if the request had ended and the reply had
// been made.
#include "slow_path/options.h"
#include "slow_path/slow_path.h"
#include "queues/count.h"

bool tr_slow_is_answerable(const struct tr_slow_path *slow, uint32_t source)
{
	uint8_t kind = tr_tables_lookup(slow->tables, source)->kind;

	return ipv4_is_unicast(source) && kind != TR_ROUTE_LOCAL && kind != TR_ROUTE_BROADCAST &&
		kind != TR_ROUTE_MULTICAST && kind != TR_ROUTE_MARTIAN;
}

void tr_slow_echo_header(const struct tr_slow_path *slow, struct ipv4_header *ip,
	const struct ipv4_header *request, const struct tr_reply_options *options, uint16_t bytes,
	uint16_t fragment)
{
	uint32_t header_bytes = IPV4_HEADER_BYTES + options->bytes;

	*ip = (struct ipv4_header){
		.version_ihl = (uint8_t)(0x40 | header_bytes / 4),
		.dscp_ecn = request->dscp_ecn & 0xfc, // RFC 1812 4.3.2.5; never ECN-capable
		.total_bytes_be = be16(bytes),
		.id_be = request->id_be,
		.fragment_be = be16(fragment),
		.ttl = slow->icmp_ttl, // RFC 1812 4.3.2.2: not the request's
		.protocol = IPV4_PROTOCOL_ICMP,
		.source_be = request->destination_be, // RFC 1812 4.3.3.6
		.destination_be = be32(options->first),
	};
	memcpy(ip + 1, options->octet, options->bytes);
	ip->checksum_be = tr_checksum(ip, header_bytes);
}

// The frame of a request becomes that of its reply. Of the IP options those are kept that record
// the way, and a source route (RFC 1812 4.3.3.6); they are no longer than those of the request.
static void answer(const struct tr_slow_path *slow, struct pkt *pkt,
	const struct tr_reply_options *options)
{
	struct ipv4_header request;
	struct ipv4_header *ip = slow_ip(pkt);
	struct icmp_header *icmp;
	uint32_t header_bytes = IPV4_HEADER_BYTES + options->bytes;
	uint32_t shorter = ipv4_header_bytes(ip) - header_bytes;
	uint32_t bytes;

	memcpy(&request, ip, sizeof(request));
	bytes = be16(request.total_bytes_be) - shorter;
	pkt_pull(pkt, shorter);
	ip = slow_ip(pkt);
	tr_slow_echo_header(slow, ip, &request, options, (uint16_t)bytes,
		be16(request.fragment_be) & IPV4_DF);
	icmp = (struct icmp_header *)((uint8_t *)ip + header_bytes);
	icmp->type = ICMP_ECHO_REPLY;
	icmp->checksum_be = 0;
	icmp->checksum_be = tr_checksum(icmp, bytes - header_bytes);
	pkt_set_port(pkt, TR_NO_PORT);
}

bool tr_slow_icmp_query(struct tr_slow_path *slow, struct pkt *pkt)
{
	const struct ipv4_header *ip = slow_ip(pkt);
	const struct icmp_header *icmp;
	uint32_t bytes = be16(ip->total_bytes_be) - ipv4_header_bytes(ip);
	struct tr_reply_options options;

	tr_slow_enter(slow, pkt, TR_STEP_SLOW_ICMP_QUERY, TR_VERDICT_LIVE);
	if (!tr_slow_is_own(slow, be32(ip->destination_be)))
		return false;
	if ((be16(ip->fragment_be) & (IPV4_MF | IPV4_OFFSET_MASK)) != 0) {
		tr_slow_reassemble(slow, pkt);
		return true;
	}
	icmp = (const struct icmp_header *)((const uint8_t *)ip + ipv4_header_bytes(ip));
	if (bytes < sizeof(*icmp)) {
		tr_slow_drop(slow, pkt, TR_DROP_ICMP_MALFORMED);
		return true;
	}
	if (icmp->type == ICMP_ECHO_REQUEST && slow->echo_off) { // RFC 1812 4.3.3.6
		tr_slow_drop(slow, pkt, TR_DROP_ECHO_IGNORED);
		return true;
	}
	tr_options_reply(slow, ip, &options);
	if (icmp->type != ICMP_ECHO_REQUEST || !tr_slow_is_answerable(slow, be32(ip->source_be)) ||
		!tr_slow_is_answerable(slow, options.first))
		return false;
	if (tr_checksum(icmp, bytes) != 0) { // RFC 792
		tr_slow_drop(slow, pkt, TR_DROP_ICMP_MALFORMED);
		return true;
	}
	if (!tr_slow_icmp_may_send(slow, TR_ICMP_ECHO_REPLY)) {
		tr_slow_drop(slow, pkt, TR_DROP_ECHO_LIMITED);
		return true;
	}
	io_trace(slow->core, pkt, TR_STEP_SLOW_ICMP_QUERY, tr_drop_verdict(TR_DROP_ECHO_ANSWERED));
	tr_count(&slow->counters.dropped[TR_DROP_ECHO_ANSWERED], 1);
	tr_count(&slow->counters.generated, 1);
	answer(slow, pkt, &options);
	tr_slow_output(slow, pkt);
	return true;
}
