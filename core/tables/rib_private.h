// SPDX-License-Identifier: MIT
// Inside of the RIB, shared by its two files: what is kept and how it changes (rib.c), and the list
// of it for those who ask (rib_read.c).
#pragma once
#include "tables/rib.h"

#define RIB_INDEX_BITS 26 // an index is the low part of a sort key, beside 32 + 6 bits of prefix

struct slot {
	uint32_t hash;
	uint32_t index; // 0: empty
};

struct tr_rib {
	struct slot *slots;
	uint32_t slot_mask;
	uint32_t slots_used;
	struct tr_rib_prefix *pool; // node 0 is none
	struct tr_paths *paths;     // sets that routes of kind TR_ROUTE_GROUP refer to
	const struct tr_usable *usable;
	uint32_t pool_size;
	uint32_t pool_end;  // nodes from here on were never used
	uint32_t free_node; // chain by `others`
	uint64_t prefixes;
	uint64_t routes;
	uint32_t installed[33]; // by length
	uint64_t lengths;       // bit b: installed[b] != 0
};

// What comes first of two routes of a prefix.
bool tr_rib_is_better(const struct tr_rib *rib, const struct tr_route *a, const struct tr_route *b);
