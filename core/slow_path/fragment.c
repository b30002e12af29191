// SPDX-License-Identifier: MIT
// Fragmentation (RFC 791 3.2, RFC 1812 5.2.6) of a packet that is too long for its next hop and may
// be cut. All fragments are allocated before the first is sent, so a datagram goes whole or not at
// all; they leave in order of offset and as few as possible. A fragment can be cut again: offsets
// add up, and its last piece keeps its more-fragments bit.
#include "slow_path/slow_path.h"
#include "formats/options.h"
#include "queues/count.h"

// Enough for a jumbo frame by the smallest MTU with the longest header.
#define FRAGMENTS_MAX 1280

// How a datagram is cut. The first fragment has the header as it is, the others the shorter one.
struct cut {
	uint32_t head_bytes;  // header of the first fragment
	uint32_t later_bytes; // header of the others
	uint32_t head_data;   // data octets of the first, multiple of 8
	uint32_t later_data;  // data octets of the others, the last aside
	uint32_t data;        // of all
	uint32_t count;
	uint8_t later[IPV4_HEADER_BYTES_MAX];
};

// The header of later fragments: only options with the copied flag (RFC 791 3.1), zero padded to a
// multiple of 4. The options were found well formed before.
static uint32_t later_header(const struct ipv4_header *ip, uint8_t *later)
{
	const uint8_t *octet = (const uint8_t *)ip;
	uint32_t end = ipv4_header_bytes(ip);
	uint32_t to = IPV4_HEADER_BYTES;
	uint32_t bytes;

	memset(later, 0, IPV4_HEADER_BYTES_MAX);
	memcpy(later, ip, IPV4_HEADER_BYTES);
	for (uint32_t at = IPV4_HEADER_BYTES; at < end && octet[at] != OPTION_END; at += bytes) {
		bytes = option_bytes(octet, at, end);
		if (bytes == 0)
			break;
		if (octet[at] & OPTION_COPIED) {
			memcpy(later + to, octet + at, bytes);
			to += bytes;
		}
	}
	to = (to + 3) & ~3u;
	((struct ipv4_header *)later)->version_ihl = (uint8_t)(0x40 | to / 4);
	return to;
}

static void plan(struct cut *cut, const struct ipv4_header *ip, uint32_t mtu)
{
	uint32_t rest;

	cut->head_bytes = ipv4_header_bytes(ip);
	cut->later_bytes = later_header(ip, cut->later);
	cut->data = be16(ip->total_bytes_be) - cut->head_bytes;
	cut->head_data = (mtu - cut->head_bytes) & ~7u;
	cut->later_data = (mtu - cut->later_bytes) & ~7u;
	if (cut->data <= cut->head_data)
		return;
	// Only the last fragment need not end on 8 octets, so it may use the MTU to the full.
	rest = cut->data - cut->head_data;
	cut->count = 1;
	while (rest > mtu - cut->later_bytes) {
		rest -= cut->later_data;
		cut->count++;
	}
	cut->count++;
}

// Writes fragment `i`, whose data begins at octet `at` of the original's data.
static bool write_fragment(struct pkt *fragment, const struct cut *cut, const struct pkt *pkt,
	uint32_t i, uint32_t at)
{
	const struct ipv4_header *whole = slow_ip(pkt);
	uint16_t field = be16(whole->fragment_be);
	bool last = i + 1 == cut->count;
	uint32_t header = i == 0 ? cut->head_bytes : cut->later_bytes;
	uint32_t data = last ? cut->data - at : i == 0 ? cut->head_data : cut->later_data;
	uint8_t *frame = pkt_append(fragment, ETHER_HEADER_BYTES + header + data);
	struct ipv4_header *ip;

	if (!frame)
		return false;
	memset(frame, 0, ETHER_HEADER_BYTES);
	ip = (struct ipv4_header *)(frame + ETHER_HEADER_BYTES);
	memcpy(ip, i == 0 ? (const uint8_t *)whole : cut->later, header);
	memcpy((uint8_t *)ip + header, (const uint8_t *)whole + cut->head_bytes + at, data);
	ip->total_bytes_be = be16((uint16_t)(header + data));
	// RFC 791 3.2: offsets add up; flags stay, and all but the last have more fragments behind.
	field = (uint16_t)(field + at / 8);
	ip->fragment_be = be16(last ? field : field | IPV4_MF);
	ip->checksum_be = 0;
	ip->checksum_be = tr_checksum(ip, header);
	pkt_inherit(fragment, pkt);
	return true;
}

// Makes all fragments or none.
static bool make_fragments(struct tr_slow_path *slow, struct pkt **fragment, const struct cut *cut,
	const struct pkt *pkt)
{
	uint32_t at = 0;

	if (pkt_alloc_bulk(slow->pool, fragment, cut->count) != 0)
		return false;
	for (uint32_t i = 0; i < cut->count; i++) {
		if (!write_fragment(fragment[i], cut, pkt, i, at)) {
			pkt_free_bulk(fragment, cut->count);
			return false;
		}
		at += i == 0 ? cut->head_data : cut->later_data;
	}
	return true;
}

void tr_slow_fragment(struct tr_slow_path *slow, struct pkt *pkt, const struct tr_next_hop *hop,
	const uint8_t *mac)
{
	const struct ipv4_header *ip = slow_ip(pkt);
	uint32_t offset = be16(ip->fragment_be) & IPV4_OFFSET_MASK;
	struct pkt *fragment[FRAGMENTS_MAX];
	struct cut cut;

	tr_slow_enter(slow, pkt, TR_STEP_SLOW_FRAGMENT, TR_VERDICT_LIVE);
	plan(&cut, ip, hop->mtu);
	// No MTU is below 68 (RFC 791 3.2), so 8 octets of data fit behind every header.
	assert(cut.count > 1 && cut.count <= FRAGMENTS_MAX);
	if (offset + cut.data / 8 > IPV4_OFFSET_MASK) {
		tr_slow_drop(slow, pkt, TR_DROP_FRAGMENT_BEYOND);
		return;
	}
	if (!make_fragments(slow, fragment, &cut, pkt)) {
		tr_slow_drop(slow, pkt, TR_DROP_NO_BUFFER);
		return;
	}
	tr_count(&slow->counters.generated, cut.count);
	for (uint32_t i = 0; i < cut.count; i++)
		tr_slow_send(slow, fragment[i], hop->port, mac);
	tr_slow_drop(slow, pkt, TR_DROP_FRAGMENTED);
}
