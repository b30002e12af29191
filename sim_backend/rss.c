// SPDX-License-Identifier: MIT
// Toeplitz hashing as NICs do it (rss.h): the input's bit i, counted from the left, adds the 32
// bits of the key that begin at bit i. So a byte's share is the sum of its bits' shares, and a
// table has them all.
#include "rss.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"
#include "world.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RSS_KEY_BYTES 40
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

// The key of Microsoft's RSS documents, which most drivers use.
static const uint8_t usual_key[RSS_KEY_BYTES] = {
	0x6d,
	0x5a,
	0x56,
	0xda,
	0x25,
	0x5b,
	0x0e,
	0xc2,
	0x41,
	0x67,
	0x25,
	0x3d,
	0x43,
	0xa3,
	0x8f,
	0xb0,
	0xd0,
	0xca,
	0x2b,
	0xcb,
	0xae,
	0x7b,
	0x30,
	0xb4,
	0x77,
	0xcb,
	0x2d,
	0xa3,
	0x80,
	0x30,
	0xf2,
	0x0c,
	0x6a,
	0x42,
	0xb7,
	0x3b,
	0xbe,
	0xac,
	0x01,
	0xfa,
};

// Woo and Park: a key that repeats after 16 bits does not tell source from destination.
static uint8_t key_byte(unsigned i, bool symmetric)
{
	if (symmetric)
		return i % 2 ? 0x5a : 0x6d;
	return usual_key[i];
}

void tr_rss_init(struct tr_rss *rss, bool symmetric)
{
	for (unsigned i = 0; i < RSS_INPUT_BYTES; i++) {
		uint64_t window = 0; // 32 bits from bit 8 * i on, and the 8 that slide in

		for (unsigned k = 0; k < 5; k++)
			window = window << 8 | key_byte(i + k, symmetric);
		for (unsigned value = 0; value < 256; value++) {
			uint32_t sum = 0;

			for (unsigned bit = 0; bit < 8; bit++)
				if (value & (0x80u >> bit))
					sum ^= (uint32_t)(window >> (8 - bit));
			rss->table[i][value] = sum;
		}
	}
}

int tr_rss_prepare(struct tr_world *world, bool symmetric)
{
	if (world->rss[symmetric])
		return 0;
	world->rss[symmetric] = malloc(sizeof(struct tr_rss));
	if (!world->rss[symmetric])
		return -ENOMEM;
	tr_rss_init(world->rss[symmetric], symmetric);
	return 0;
}

uint32_t tr_rss_hash(const struct tr_rss *rss, const uint8_t *input, unsigned bytes)
{
	uint32_t hash = 0;

	for (unsigned i = 0; i < bytes; i++)
		hash ^= rss->table[i][input[i]];
	return hash;
}

// Bytes of the input; 0: not IPv4.
static unsigned gather(const uint8_t *frame, uint32_t bytes, uint8_t *input)
{
	const struct ether_header *ether = (const struct ether_header *)frame;
	const struct ipv4_header *ip = (const struct ipv4_header *)(ether + 1);
	uint32_t header;

	if (bytes < sizeof(*ether) + sizeof(*ip) || ether->type_be != be16(ETHER_TYPE_IPV4))
		return 0;
	header = ipv4_header_bytes(ip);
	if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip))
		return 0;
	memcpy(input, &ip->source_be, 8);
	if (be16(ip->fragment_be) & (IPV4_MF | IPV4_OFFSET_MASK))
		return 8;
	if (ip->protocol != PROTOCOL_TCP && ip->protocol != PROTOCOL_UDP)
		return 8;
	if (bytes < sizeof(*ether) + header + 4)
		return 8;
	memcpy(input + 8, (const uint8_t *)ip + header, 4);
	return 12;
}

uint32_t tr_rss_frame(const struct tr_rss *rss, const uint8_t *frame, uint32_t bytes,
	unsigned queues, unsigned *queue)
{
	uint8_t input[RSS_INPUT_BYTES] = {0};
	unsigned length = gather(frame, bytes, input);
	uint32_t hash = tr_rss_hash(rss, input, length);

	*queue = length ? hash % RSS_INDIRECTION % queues : 0;
	return hash;
}
