// SPDX-License-Identifier: MIT
// Ethernet II frame header (RFC 894), without preamble and FCS, in wire byte order.
// Headers are packed because IP starts 14 bytes into a frame and is thus never aligned.
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ETHER_ADDRESS_BYTES 6
#define ETHER_HEADER_BYTES 14
#define ETHER_FRAME_BYTES_MIN 60 // IEEE 802.3, without FCS
#define ETHER_TYPE_IPV4 0x0800
#define ETHER_TYPE_ARP 0x0806
#define ETHER_LENGTH_MAX 1500 // IEEE 802.3: up to it the type field is a length
#define SNAP_BYTES 8          // RFC 1042: LLC and SNAP header, the EtherType at its end

struct ether_header {
	uint8_t destination[ETHER_ADDRESS_BYTES];
	uint8_t source[ETHER_ADDRESS_BYTES];
	uint16_t type_be;
} __attribute__((packed));

static_assert(sizeof(struct ether_header) == ETHER_HEADER_BYTES, "as on the wire");

static const uint8_t ether_broadcast[ETHER_ADDRESS_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static inline bool ether_is_group(const uint8_t *address)
{
	return address[0] & 1;
}

static inline bool ether_equal(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, ETHER_ADDRESS_BYTES) == 0;
}
