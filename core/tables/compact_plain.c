// SPDX-License-Identifier: MIT
// Lookup in the compressed structure for any processor: what the others have to find. And what is
// the same on all of them: the lookup of a single address, and what a lookup touches.
#include "tables/compact_lookup.h"

void tr_compact_lookup_plain(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops,
	uint32_t n)
{
	tr_compact_look_up(lpm, addresses, hops, n);
}

uint16_t tr_compact_find(const struct tr_lpm *lpm, uint32_t address)
{
	const struct tr_node *nodes = ((const struct tr_compact *)lpm)->nodes;
	uint16_t leaf = tr_compact_leaf(nodes, address >> 16, address >> 8 & 0xff);

	if (leaf & TR_LEAF_GROUP)
		leaf = tr_compact_leaf(nodes, tr_compact_group(leaf), address & 0xff);
	return leaf;
}

// A node is a line, and a leaf may be in another one.
static uint16_t touch_slot(const struct tr_compact *table, struct io_core *core, uint32_t index,
	uint32_t slot)
{
	struct tr_leaf_place place = tr_compact_place(table->nodes, index, slot);

	io_cost_touch(core, &table->nodes[index], sizeof(table->nodes[index]));
	io_cost_touch(core, (const uint8_t *)table->nodes + place.at, sizeof(uint32_t));
	return tr_compact_leaf(table->nodes, index, slot);
}

void tr_compact_touch(const struct tr_lpm *lpm, struct io_core *core, const uint32_t *addresses,
	uint32_t n)
{
	const struct tr_compact *table = (const struct tr_compact *)lpm;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t leaf =
			touch_slot(table, core, addresses[i] >> 16, addresses[i] >> 8 & 0xff);
		if (leaf & TR_LEAF_GROUP)
			touch_slot(table, core, tr_compact_group(leaf), addresses[i] & 0xff);
	}
}
