// SPDX-License-Identifier: MIT
// The Internet checksum over any run of bytes (RFC 1071): the slow path's headers and ICMP
// messages, and the fast path's headers with options.
#include "formats/checksum.h"
#include "api.h"

uint16_t tr_checksum(const void *data, uint32_t bytes)
{
	const uint8_t *at = data;
	uint64_t sum = 0;

	for (; bytes >= 4; at += 4, bytes -= 4) {
		uint32_t word;
		memcpy(&word, at, 4);
		sum += word;
	}
	if (bytes) {
		uint32_t word = 0; // odd bytes are padded with zero
		memcpy(&word, at, bytes);
		sum += word;
	}
	return (uint16_t)~checksum_fold(sum);
}

uint16_t tr_checksum_ttl_decrement(uint16_t checksum_be)
{
	return (uint16_t)(checksum_ttl_lowered((uint32_t)checksum_be << 16 | 64) >> 16);
}
