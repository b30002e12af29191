// SPDX-License-Identifier: MIT
// IPv4 header (RFC 791), in wire byte order, and the address classes that RFC 1812 tells apart.
// Addresses in functions are in host order.
#pragma once
#include "formats/byte_order.h"
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define IPV4_HEADER_BYTES 20 // without options
#define IPV4_HEADER_BYTES_MAX 60
#define IPV4_VERSION_IHL 0x45 // version 4, no options
#define IPV4_DF 0x4000
#define IPV4_MF 0x2000
#define IPV4_OFFSET_MASK 0x1fff // in units of 8 bytes
#define IPV4_PROTOCOL_ICMP 1
#define IPV4_PROTOCOL_IGMP 2
#define IPV4_PROTOCOL_UDP 17
#define IPV4_TTL_DEFAULT 64 // RFC 1812 4.2.2.9
#define IPV4_MTU_MIN 68     // RFC 791 3.2
#define IPV4_LIMITED_BROADCAST 0xffffffffu

struct ipv4_header {
	uint8_t version_ihl;
	uint8_t dscp_ecn;
	uint16_t total_bytes_be;
	uint16_t id_be;
	uint16_t fragment_be; // DF, MF, offset
	uint8_t ttl;
	uint8_t protocol;
	uint16_t checksum_be;
	uint32_t source_be;
	uint32_t destination_be;
} __attribute__((packed));

static_assert(sizeof(struct ipv4_header) == IPV4_HEADER_BYTES, "as on the wire");

static inline uint32_t ipv4_header_bytes(const struct ipv4_header *ip)
{
	return (ip->version_ihl & 0xfu) * 4;
}

static inline bool ipv4_is_multicast(uint32_t address)
{
	return address >> 28 == 0xe;
}

// 0/8, 127/8, 224/4 and 240/4: no single station has such an address (RFC 1812 4.2.2.11).
static inline bool ipv4_is_unicast(uint32_t address)
{
	uint32_t top = address >> 24;

	return top != 0 && top != 127 && top < 224;
}

// Network mask of a prefix length 0..32.
static inline uint32_t ipv4_mask(uint8_t bits)
{
	return bits ? ~0u << (32 - bits) : 0;
}
