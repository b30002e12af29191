// SPDX-License-Identifier: MIT
// A next-hop entry as the fast path reads it: everything it needs to know about a route, in half a
// cache line. It is opaque to the lookup.
#pragma once
#include "reasons.h"

struct tr_next_hop {
	uint8_t macs[12]; // destination and source MAC, as the first 12 bytes of a frame
	uint16_t port;    // egress port
	uint16_t mtu;     // bytes of the IP packet
	uint16_t verdict; // TR_VERDICT_LIVE: forward; else punt or drop (reasons.h)
	uint8_t kind;     // enum tr_route_kind, for the slow path
	uint8_t reserved;
	uint32_t gateway; // TR_ROUTE_VIA: neighbour's address
	uint32_t padding[2];
};

static_assert(sizeof(struct tr_next_hop) == 32, "two entries in a cache line");
