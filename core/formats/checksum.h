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

// The checksum after the TTL has been lowered by one. TTL is the high byte of its 16-bit word m, so
// HC' = ~(~HC + ~m + m') = ~(~HC - 0x0100) in one's complement, which never yields 0xffff where
// 0x0000 is right (RFC 1624 section 3).
static inline uint16_t checksum_ttl_decrement(uint16_t checksum_be)
{
	uint32_t sum = (uint16_t)~be16(checksum_be) + (uint32_t)(uint16_t)~0x0100;

	sum = (sum & 0xffff) + (sum >> 16);
	return be16((uint16_t)~sum);
}

// Checksum of any bytes, wire order, 0 where the covered bytes hold a right one.
uint16_t tr_checksum(const void *data, uint32_t bytes);
