// SPDX-License-Identifier: MIT
// ICMP header (RFC 792), in wire byte order, and the types and codes that the router handles.
// The slow path alone reads and writes it.
#pragma once
#include <assert.h>
#include <stdint.h>

#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_REDIRECT 5
#define ICMP_ECHO_REQUEST 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12

#define ICMP_NET_UNREACHABLE 0
#define ICMP_HOST_UNREACHABLE 1
#define ICMP_PROTOCOL_UNREACHABLE 2
#define ICMP_PORT_UNREACHABLE 3
#define ICMP_FRAGMENTATION_NEEDED 4
#define ICMP_SOURCE_ROUTE_FAILED 5
#define ICMP_ADMIN_PROHIBITED 13 // RFC 1812 5.2.7.1
#define ICMP_REDIRECT_HOST 1
#define ICMP_TTL_IN_TRANSIT 0
#define ICMP_REASSEMBLY_TIME 1

struct icmp_header {
	uint8_t type;
	uint8_t code;
	uint16_t checksum_be;
	uint16_t id_be;       // errors: zero
	uint16_t sequence_be; // fragmentation needed: MTU of the next hop (RFC 1191)
} __attribute__((packed));

static_assert(sizeof(struct icmp_header) == 8, "as on the wire");

// Behind the quoted packet of an error (RFC 4884 7): one object here, of an interface (RFC 5837 4).
#define ICMP_EXTENSION_VERSION 0x20
#define ICMP_EXTENSION_QUOTE_MIN 128 // octets quoted before it
#define ICMP_INTERFACE_CLASS 2
#define ICMP_INTERFACE_INDEX 0x08 // C-Type: what is told of the interface by which a packet came
#define ICMP_INTERFACE_ADDRESS 0x04
#define ICMP_INTERFACE_NAME 0x02
#define ICMP_INTERFACE_MTU 0x01

struct icmp_extension {
	uint8_t version;
	uint8_t reserved;
	uint16_t checksum_be;
	uint16_t object_bytes_be; // with these four octets
	uint8_t class;
	uint8_t c_type;
} __attribute__((packed));

static_assert(sizeof(struct icmp_extension) == 8, "as on the wire");
