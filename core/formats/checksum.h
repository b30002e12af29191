// SPDX-License-Identifier: MIT
// The Internet checksum (RFC 1071), whole and incremental (RFC 1624 equation 3). Sums are taken in
// wire order: a one's complement sum does not depend on it.
#pragma once
#include "formats/byte_order.h"
#include <stdint.h>
#include <string.h>

static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

// Sum of an IPv4 header without options, checksum field included: 0xffff if the checksum is right.
static inline uint16_t checksum_sum_header20(const void *header)
{
	uint32_t word[5];
	uint64_t sum = 0;

	memcpy(word, header, sizeof(word));
	for (unsigned i = 0; i < 5; i++)
		sum += word[i];
	return checksum_fold(sum);
}

// TTL, protocol and checksum are one word of 4 bytes: the word after the TTL, which is not 0, has
// been lowered by one. TTL is the high byte of its 16-bit word m, so HC' = ~(~HC + ~m + m') = HC +
// 0x0100 in one's complement, and 0x0000 instead of 0xffff (RFC 1624 section 3). In the memory's
// order 0x0100 is 1, and a carry comes out of 0xfffe and 0xffff.
static inline uint32_t checksum_ttl_lowered(uint32_t word)
{
	return word - 1 + 0x10000 + ((uint32_t)(word >= 0xfffe0000) << 16);
}

static inline void checksum_lower_ttl(uint8_t *ttl)
{
	uint32_t word;

	memcpy(&word, ttl, sizeof(word));
	word = checksum_ttl_lowered(word);
	memcpy(ttl, &word, sizeof(word));
}

// Checksum of any bytes, wire order, 0 where the covered bytes hold a right one.
uint16_t tr_checksum(const void *data, uint32_t bytes);
