// SPDX-License-Identifier: MIT
// An ICMP message to the router that came in fragments and is whole now. An echo request is
// answered (RFC 1812 4.3.3.6: with all its data) by fragments that fit the way back: they are
// written from the chain of packets that came, so nothing needs a buffer for 65,535 octets. Each is
// routed by itself, and has the options that it would have if a whole reply had been cut. Any other
// message goes to the host stack as the fragments that it came in.
#include "queues/count.h"
#include "slow_path/options.h"
#include "slow_path/reassembly.h"
#include "slow_path/slow_path.h"

#define DATA_BYTES_MAX (UINT16_MAX - IPV4_HEADER_BYTES)
#define DATA_BYTES_MIN ((IPV4_MTU_MIN - IPV4_HEADER_BYTES_MAX) & ~7) // of all but the last
#define FRAGMENTS_MAX (DATA_BYTES_MAX / DATA_BYTES_MIN + 1)

// Reads the data of a chain from its front to its end.
struct reader {
	const struct tr_fragment *at;
	uint32_t done; // octets of its data
};

// The reply to be: how it is cut, and what it says.
struct reply {
	const struct pkt *request; // its first fragment
	struct icmp_header icmp;
	uint32_t data; // octets of the whole ICMP message
	uint32_t mtu;
	uint32_t fragments;
	struct tr_reply_options head;  // of the first fragment
	struct tr_reply_options later; // of the others
};

static const uint8_t *data_of(const struct pkt *pkt, uint32_t *bytes)
{
	const struct ipv4_header *ip = slow_ip(pkt);

	*bytes = be16(ip->total_bytes_be) - ipv4_header_bytes(ip);
	return (const uint8_t *)ip + ipv4_header_bytes(ip);
}

static void read(struct reader *reader, uint8_t *to, uint32_t wanted)
{
	while (wanted) {
		uint32_t bytes;
		const uint8_t *data = data_of(reader->at->pkt, &bytes);
		uint32_t part = bytes - reader->done < wanted ? bytes - reader->done : wanted;

		memcpy(to, data + reader->done, part);
		to += part;
		wanted -= part;
		reader->done += part;
		if (reader->done == bytes)
			*reader = (struct reader){.at = reader->at->next};
	}
}

// Checks the message and makes its reply's header. All fragments but the last are a multiple of 8
// octets, so their sums add up, and the first holds the whole ICMP header.
static bool make_header(struct reply *reply, const struct tr_fragment *first)
{
	uint64_t behind = 0; // sum of all that follows the ICMP header
	uint32_t bytes;
	const uint8_t *data = data_of(first->pkt, &bytes);
	uint64_t sum;

	memcpy(&reply->icmp, data, sizeof(reply->icmp));
	behind += (uint16_t)~tr_checksum(data + sizeof(reply->icmp), bytes - sizeof(reply->icmp));
	reply->data = bytes;
	for (const struct tr_fragment *at = first->next; at; at = at->next) {
		data = data_of(at->pkt, &bytes);
		behind += (uint16_t)~tr_checksum(data, bytes);
		reply->data += bytes;
	}
	sum = behind + (uint16_t)~tr_checksum(&reply->icmp, sizeof(reply->icmp));
	if (checksum_fold(sum) != 0xffff) // RFC 792
		return false;
	reply->icmp.type = ICMP_ECHO_REPLY;
	reply->icmp.checksum_be = 0;
	sum = behind + (uint16_t)~tr_checksum(&reply->icmp, sizeof(reply->icmp));
	reply->icmp.checksum_be = (uint16_t)~checksum_fold(sum);
	return true;
}

// Octets of data in the fragment that begins at octet `at` of the message.
static uint32_t share(const struct reply *reply, uint32_t at)
{
	const struct tr_reply_options *options = at ? &reply->later : &reply->head;
	uint32_t room = reply->mtu - IPV4_HEADER_BYTES - options->bytes;
	uint32_t rest = reply->data - at;

	return rest <= room ? rest : room & ~7u;
}

// As few fragments as the way back allows (RFC 1812 4.2.2.7).
static void plan(struct tr_slow_path *slow, struct reply *reply)
{
	reply->mtu = tr_tables_route_own(slow->tables, reply->head.first)->mtu;
	if (reply->mtu < IPV4_MTU_MIN) // no way back: each fragment will find out
		reply->mtu = IPV4_MTU_MIN;
	tr_options_reply_later(&reply->head, &reply->later);
	for (uint32_t at = 0; at < reply->data; at += share(reply, at))
		reply->fragments++;
	assert(reply->fragments && reply->fragments <= FRAGMENTS_MAX);
}

// Writes the fragment that begins at octet `at` of the message.
static bool write_fragment(const struct tr_slow_path *slow, struct pkt *pkt,
	const struct reply *reply, struct reader *reader, uint32_t at)
{
	const struct tr_reply_options *options = at ? &reply->later : &reply->head;
	uint32_t header_bytes = IPV4_HEADER_BYTES + options->bytes;
	uint32_t bytes = share(reply, at);
	uint16_t more = at + bytes < reply->data ? IPV4_MF : 0;
	uint8_t *frame = pkt_append(pkt, ETHER_HEADER_BYTES + header_bytes + bytes);

	if (!frame)
		return false;
	memset(frame, 0, ETHER_HEADER_BYTES);
	tr_slow_echo_header(slow, slow_ip(pkt), slow_ip(reply->request), options,
		(uint16_t)(header_bytes + bytes), (uint16_t)(at / 8 | more));
	frame += ETHER_HEADER_BYTES + header_bytes;
	read(reader, frame, bytes);
	if (at == 0)
		memcpy(frame, &reply->icmp, sizeof(reply->icmp));
	pkt_inherit(pkt, reply->request);
	return true;
}

// Makes all fragments of the reply or none.
static bool make_fragments(struct tr_slow_path *slow, struct pkt **pkts, const struct reply *reply,
	const struct tr_fragment *first)
{
	struct reader reader = {.at = first};
	uint32_t at = 0;

	if (pkt_alloc_bulk(slow->pool, pkts, reply->fragments) != 0)
		return false;
	for (uint32_t i = 0; i < reply->fragments; i++) {
		if (!write_fragment(slow, pkts[i], reply, &reader, at)) {
			pkt_free_bulk(pkts, reply->fragments);
			return false;
		}
		at += share(reply, at);
	}
	return true;
}

static void drop_all(struct tr_slow_path *slow, const struct tr_fragment *at, enum tr_drop reason)
{
	for (; at; at = at->next)
		tr_slow_drop(slow, at->pkt, reason);
}

static void answer(struct tr_slow_path *slow, const struct tr_fragment *first,
	const struct tr_reply_options *options)
{
	struct reply reply = {.request = first->pkt, .head = *options};
	struct pkt *pkts[FRAGMENTS_MAX];

	if (!make_header(&reply, first)) {
		drop_all(slow, first, TR_DROP_ICMP_MALFORMED);
		return;
	}
	if (IPV4_HEADER_BYTES + reply.head.bytes + reply.data > UINT16_MAX) {
		drop_all(slow, first, TR_DROP_FRAGMENT_BEYOND);
		return;
	}
	if (slow->echo_off) {
		drop_all(slow, first, TR_DROP_ECHO_IGNORED);
		return;
	}
	if (!tr_slow_icmp_may_send(slow, TR_ICMP_ECHO_REPLY)) {
		drop_all(slow, first, TR_DROP_ECHO_LIMITED);
		return;
	}
	plan(slow, &reply);
	if (!make_fragments(slow, pkts, &reply, first)) {
		drop_all(slow, first, TR_DROP_NO_BUFFER);
		return;
	}
	tr_count(&slow->counters.generated, reply.fragments);
	for (uint32_t i = 0; i < reply.fragments; i++)
		tr_slow_output(slow, pkts[i]);
	drop_all(slow, first->next, TR_DROP_REASSEMBLED);
	tr_slow_drop(slow, first->pkt, TR_DROP_ECHO_ANSWERED);
}

void tr_slow_icmp_whole(struct tr_slow_path *slow, const struct tr_fragment *first)
{
	const struct ipv4_header *ip = slow_ip(first->pkt);
	struct tr_reply_options options;
	uint32_t bytes;

	// RFC 791 3.1: the first fragment has all options of the whole.
	tr_options_reply(slow, ip, &options);
	if (*data_of(first->pkt, &bytes) == ICMP_ECHO_REQUEST &&
		tr_slow_is_answerable(slow, be32(ip->source_be)) &&
		tr_slow_is_answerable(slow, options.first)) {
		answer(slow, first, &options);
		return;
	}
	for (const struct tr_fragment *at = first; at; at = at->next)
		tr_slow_deliver(slow, at->pkt);
}
