// SPDX-License-Identifier: MIT
// Options of an IPv4 header (RFC 791 3.1): their types, and the way from one to the next. An octet
// of an option is counted from its type octet, as the option's own pointer does, less one.
#pragma once
#include "formats/ipv4.h"
#include <string.h>

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_RECORD_ROUTE 7
#define OPTION_QUICK_START 25
#define OPTION_TIMESTAMP 68
#define OPTION_LOOSE_SOURCE_ROUTE 131
#define OPTION_STREAM_ID 136
#define OPTION_STRICT_SOURCE_ROUTE 137
#define OPTION_ROUTER_ALERT 148

#define OPTION_COPIED 0x80 // into every fragment

// Octets of an option. The pointer counts from 1, and what it points at follows the fixed part.
#define OPTION_LENGTH 1
#define OPTION_POINTER 2
#define OPTION_FLAGS 3 // timestamp: overflow count, flag
#define OPTION_ROUTE 3
#define OPTION_ROUTE_POINTER (OPTION_ROUTE + 1)
#define OPTION_STAMPS 4
#define OPTION_STAMPS_POINTER (OPTION_STAMPS + 1)
#define OPTION_ADDRESS_BYTES 4
#define OPTION_ALERT_BYTES 4
#define OPTIONS_BYTES_MAX (IPV4_HEADER_BYTES_MAX - IPV4_HEADER_BYTES)

// Flags of a timestamp option, and the overflow count above them.
#define OPTION_STAMP_ALONE 0
#define OPTION_STAMP_ADDRESS 1
#define OPTION_STAMP_PRESET 3
#define OPTION_FLAG_MASK 0x0f
#define OPTION_OVERFLOW_ONE 0x10
#define OPTION_OVERFLOW_MASK 0xf0

static inline bool option_is_source_route(uint8_t type)
{
	return type == OPTION_LOOSE_SOURCE_ROUTE || type == OPTION_STRICT_SOURCE_ROUTE;
}

// Octets of the option at `at` of a header that ends at `end`; 0 if it does not hold together.
static inline uint32_t option_bytes(const uint8_t *header, uint32_t at, uint32_t end)
{
	if (header[at] == OPTION_NOP)
		return 1;
	if (at + OPTION_LENGTH >= end)
		return 0;
	return header[at + OPTION_LENGTH] >= 2 && header[at + OPTION_LENGTH] <= end - at
		? header[at + OPTION_LENGTH]
		: 0;
}

// Addresses and timestamps, at no alignment, in host order.
static inline uint32_t option_word(const uint8_t *at)
{
	uint32_t word_be;

	memcpy(&word_be, at, sizeof(word_be));
	return be32(word_be);
}

static inline void option_set_word(uint8_t *at, uint32_t word)
{
	uint32_t word_be = be32(word);

	memcpy(at, &word_be, sizeof(word_be));
}
