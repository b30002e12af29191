// SPDX-License-Identifier: MIT
// Lookup in the compressed structure without vectors, to be compiled for several processors. The
// nodes of chunks are prefetched; those of groups, of which few packets have need, are not.
#pragma once
#include "tables/compact.h"

static inline __attribute__((always_inline)) void tr_compact_look_up(const struct tr_lpm *lpm,
	const uint32_t *addresses, uint16_t *hops, uint32_t n)
{
	const struct tr_node *nodes = ((const struct tr_compact *)lpm)->nodes;
	uint16_t seen = 0;

	for (uint32_t i = 0; i < n && i < TR_LOOKUP_AHEAD; i++)
		__builtin_prefetch(&nodes[addresses[i] >> 16]);
	for (uint32_t i = 0; i < n; i++) {
		if (i + TR_LOOKUP_AHEAD < n)
			__builtin_prefetch(&nodes[addresses[i + TR_LOOKUP_AHEAD] >> 16]);
		hops[i] = tr_compact_leaf(nodes, addresses[i] >> 16, addresses[i] >> 8 & 0xff);
		seen |= hops[i];
	}
	if (!(seen & TR_LEAF_GROUP))
		return;
	for (uint32_t i = 0; i < n; i++) {
		if (hops[i] & TR_LEAF_GROUP)
			hops[i] = tr_compact_leaf(nodes, tr_compact_group(hops[i]),
				addresses[i] & 0xff);
	}
}
