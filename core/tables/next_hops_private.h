// SPDX-License-Identifier: MIT
// Inside of the next hops, shared by their two files: indices and sharing (next_hops.c), and the
// entries that the fast path reads, groups among them (hop_entries.c).
#pragma once
#include "tables/next_hops.h"

#define HOP_NONE 0
// Beside enum tr_route_kind: the place of a group's members, which no route asks for.
#define HOP_KIND_MEMBERS 0xff

struct hop {
	uint32_t gateway;    // TR_ROUTE_GROUP, HOP_KIND_MEMBERS: number of the set of gateways
	uint32_t references; // 0: not in use
	uint32_t groups;     // of which it is a member
	uint16_t port;
	uint16_t mtu;  // of the routes, 0: none
	uint16_t next; // in its hash chain
	uint16_t list; // TR_ROUTE_GROUP: the place of its members
	uint8_t kind;
	bool mac_known;
	bool failed;  // the gateway does not answer
	bool changed; // is in the list of changed ones
	uint8_t mac[6];
};

struct tr_hops {
	const struct tr_usable *usable;
	struct tr_paths *paths;
	uint32_t used;
	uint32_t begun;         // indices from here on were never used
	uint32_t free_first;    // queue of free indices, counted without end
	uint32_t free_reusable; // those before it may be given out
	uint32_t free_end;
	uint32_t changed_n;
	uint16_t free[TR_HOPS_MAX];
	uint16_t changed[TR_HOPS_MAX];
	uint16_t chain[TR_HOPS_MAX];
	struct hop hop[TR_HOPS_MAX];
};

// next_hops.c: index of the next hop with the key's kind, port, gateway and MTU.
uint16_t tr_hop_find(const struct tr_hops *hops, const struct hop *key);
void tr_hop_mark_changed(struct tr_hops *hops, uint16_t at);
// The first next hop by a neighbour, whatever its MTU, or the next one behind `at`.
uint16_t tr_hop_of_neighbor(const struct tr_hops *hops, uint16_t port, uint32_t gateway,
	uint16_t at);

static inline struct hop hop_key_of_path(const struct tr_path *path, uint16_t mtu)
{
	return (struct hop){
		.kind = TR_ROUTE_VIA,
		.port = path->port,
		.gateway = path->gateway,
		.mtu = mtu,
	};
}
