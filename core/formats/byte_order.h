// SPDX-License-Identifier: MIT
// Network byte order. The router runs on little-endian machines, where a conversion is one
// instruction; names tell which order a value has.
#pragma once
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "twinroute is written for little-endian machines"
#endif

static inline uint16_t be16(uint16_t value)
{
	return __builtin_bswap16(value);
}

static inline uint32_t be32(uint32_t value)
{
	return __builtin_bswap32(value);
}

// From anywhere, in the memory's order.
static inline uint64_t load64(const void *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}
