// SPDX-License-Identifier: MIT
// Lane by lane, for any processor, and the reference for the other variants. No branch depends on
// a packet: what differs from the most frequent answer is gathered in bits.
#include "fast_path/vector.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"

#define FIRST_6_BYTES 0xffffffffffffu
#define FIRST_3_BYTES 0xffffffu

static uint64_t sum_up(struct tr_batch *batch)
{
	unsigned n = batch->lanes;
	uint32_t sum = 0;
	uint16_t least = UINT16_MAX;
	uint8_t odd = 0;

	for (unsigned lane = 0; lane < n; lane++) {
		sum += batch->bytes[lane];
		least = batch->bytes[lane] < least ? batch->bytes[lane] : least;
	}
	for (unsigned lane = 0; lane < n; lane++)
		odd |= batch->checksum[lane] ^ PKT_CHECKSUM_GOOD;
	batch->bytes_min = least;
	batch->checksums_good = odd == 0;
	return sum;
}

static inline bool is_plain(struct tr_batch *batch, unsigned lane, const struct tr_form *form,
	bool sum)
{
	const uint8_t *frame = batch->frame[lane];
	const struct ipv4_header *ip = (const struct ipv4_header *)(frame + ETHER_HEADER_BYTES);
	const uint8_t *head = frame + offsetof(struct ether_header, type_be);
	uint64_t odd = (load64(frame) ^ form->destination) & FIRST_6_BYTES;

	odd |= (load64(head) ^ form->head) & FIRST_3_BYTES;
	odd |= (be16(ip->total_bytes_be) + (uint64_t)ETHER_HEADER_BYTES) ^ batch->bytes[lane];
	if (sum) {
		uint8_t nic = batch->checksum[lane];
		bool right = checksum_sum_header20(ip) == 0xffff;
		odd |= (nic == PKT_CHECKSUM_BAD) | ((nic != PKT_CHECKSUM_GOOD) & !right);
	}
	batch->source[lane] = be32(ip->source_be);
	batch->destination[lane] = be32(ip->destination_be);
	return (odd == 0) & (ip->source_be != 0);
}

static inline uint64_t find_plain_of(struct tr_batch *batch, unsigned first,
	const struct tr_form *form, bool sum)
{
	unsigned n = batch->lanes - first < 64 ? batch->lanes - first : 64;
	uint64_t plain = 0;

	for (unsigned i = 0; i < n; i++)
		plain |= (uint64_t)is_plain(batch, first + i, form, sum) << i;
	return plain;
}

// A loop of its own for each, without a question in it.
static uint64_t find_plain(struct tr_batch *batch, unsigned first, const struct tr_form *form,
	bool sum)
{
	return sum ? find_plain_of(batch, first, form, true)
		   : find_plain_of(batch, first, form, false);
}

static uint64_t find_suspects(const struct tr_suspects *suspects, const uint32_t *source,
	unsigned n)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < n; i++)
		found |= (uint64_t)tr_is_suspect(suspects, source[i]) << i;
	return found;
}

static uint64_t forward(struct tr_batch *batch, unsigned first, const struct tr_next_hop *hops)
{
	uint64_t done = 0;

	for (uint64_t live = batch->live[first / 64]; live; live &= live - 1) {
		unsigned lane = first + (unsigned)__builtin_ctzll(live);
		const struct tr_next_hop *hop = &hops[batch->hop[lane]];
		uint8_t *frame = batch->frame[lane];
		struct ipv4_header *ip = (struct ipv4_header *)(frame + ETHER_HEADER_BYTES);
		bool is_long = batch->bytes[lane] > hop->mtu + (uint32_t)ETHER_HEADER_BYTES;

		if ((hop->verdict != TR_VERDICT_LIVE) | is_long | (ip->ttl <= 1))
			continue;
		batch->egress[lane] = hop->port;
		memcpy(frame, hop->macs, sizeof(hop->macs));
		checksum_lower_ttl(&ip->ttl);
		done |= live & -live;
	}
	return done;
}

static uint64_t match(const struct tr_batch *batch, unsigned first, uint16_t port)
{
	unsigned n = batch->lanes - first < 64 ? batch->lanes - first : 64;
	uint64_t found = 0;

	for (unsigned i = 0; i < n; i++)
		found |= (uint64_t)(batch->egress[first + i] == port) << i;
	return found;
}

void tr_vector_pack(const struct tr_batch *batch, const uint64_t *mask, struct tr_packed *packed)
{
	unsigned n = 0;

	for (unsigned first = 0; first < batch->lanes; first += 64) {
		for (uint64_t left = mask[first / 64]; left; left &= left - 1) {
			unsigned lane = first + (unsigned)__builtin_ctzll(left);
			packed->pkt[n] = batch->pkt[lane];
			packed->bytes[n++] = batch->bytes[lane];
		}
	}
	packed->lanes = n;
}

const struct tr_vector_ops tr_vector_scalar = {
	.name = "scalar",
	.sum_up = sum_up,
	.find_plain = find_plain,
	.find_suspects = find_suspects,
	.forward = forward,
	.match = match,
	.pack = tr_vector_pack,
};
