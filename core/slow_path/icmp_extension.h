// SPDX-License-Identifier: MIT
// What an ICMP error has behind the packet that it quotes (RFC 4884): the interface by which that
// packet came (RFC 5837), which no address tells where a port has none of its own or the error
// leaves by another port. The quote before it is padded, and its length stands in the message.
#pragma once
#include <stdint.h>

struct pkt;
struct icmp_header;
struct tr_slow_path;

// Header, object, index, address, 64 octets of a name at most, MTU; a name here has 15 octets.
#define ICMP_EXTENSION_BYTES_MAX (8 + 4 + 8 + 16 + 4)

struct tr_icmp_extension {
	uint32_t quoted; // octets of the packet
	uint32_t zeros;  // behind them
	uint32_t bytes;  // of what follows; 0: nothing, and no zeros
	uint8_t octet[ICMP_EXTENSION_BYTES_MAX];
};

// How much of a packet an error quotes that has so much room behind its headers, and what stands
// behind that. Sets the message's length attribute.
void tr_icmp_extend(const struct tr_slow_path *slow, const struct pkt *about, uint32_t room,
	struct icmp_header *message, struct tr_icmp_extension *out);
