// SPDX-License-Identifier: MIT
// ARP packet for Ethernet and IPv4 (RFC 826), in wire byte order. The slow path alone reads and
// writes it.
#pragma once
#include "formats/ethernet.h"

#define ARP_HARDWARE_ETHERNET 1
#define ARP_REQUEST 1
#define ARP_REPLY 2

struct arp_packet {
	uint16_t hardware_be;
	uint16_t protocol_be;
	uint8_t hardware_bytes;
	uint8_t protocol_bytes;
	uint16_t operation_be;
	uint8_t sender_mac[ETHER_ADDRESS_BYTES];
	uint32_t sender_be;
	uint8_t target_mac[ETHER_ADDRESS_BYTES];
	uint32_t target_be;
} __attribute__((packed));

static_assert(sizeof(struct arp_packet) == 28, "as on the wire");
