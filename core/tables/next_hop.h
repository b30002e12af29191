// SPDX-License-Identifier: MIT
// A next-hop entry as the fast path reads it: everything it needs to know about a route, in half a
// cache line. It is opaque to the lookup. A route with several next hops has an entry with the
// verdict TR_VERDICT_GROUP, which names another entry, where the indices of its members are.
#pragma once
#include "reasons.h"

struct tr_next_hop {
	union {
		struct {
			uint8_t macs[12]; // destination and source MAC, as a frame begins
			uint16_t port;    // egress port
			uint16_t mtu;     // bytes of the IP packet
			uint16_t verdict; // TR_VERDICT_LIVE: forward; else punt or drop (reasons.h)
			uint8_t kind;     // enum tr_route_kind, for the slow path
			uint8_t members;  // TR_ROUTE_GROUP: how many, from 1 on
			uint32_t gateway; // TR_ROUTE_VIA: neighbour's address
			uint16_t list;    // TR_ROUTE_GROUP: index of the entry with `member`
			uint16_t padding[3];
		};
		uint16_t member[TR_PATHS_MAX];
	};
};

static_assert(sizeof(struct tr_next_hop) == 32, "two entries in a cache line");

// True for a kind of route whose packets the slow path may deliver to the router itself.
static inline bool tr_is_for_router(uint8_t kind)
{
	return kind == TR_ROUTE_LOCAL || kind == TR_ROUTE_BROADCAST || kind == TR_ROUTE_MULTICAST;
}

// True for a kind of route that leads to neighbours, known or not.
static inline bool tr_is_way_out(uint8_t kind)
{
	return kind == TR_ROUTE_VIA || kind == TR_ROUTE_CONNECTED || kind == TR_ROUTE_GROUP;
}
