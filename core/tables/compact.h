// SPDX-License-Identifier: MIT
// The compressed lookup structure as its lookups read it: a node for each /16, which is one cache
// line at the place that the address says, so that the reads of a run depend on nothing. A node has
// 256 slots, one for each /24, and leaves. A leaf is a next hop, or leads to a group: a node with a
// slot for each address. The leaves are packed by whichever of two forms is shorter: a bit for each
// slot where other leaves begin, and a leaf for each such run; or a bit for each slot that differs
// from the node's commonest leaf, which comes first, and a leaf for each of them. All leaves of a
// node have as many bits as its highest one. Those that find no room in the line are in a block.
#pragma once
#include "tables/lpm.h"
#include <string.h>

#define TR_COMPACT_CHUNKS 65536u
#define TR_COMPACT_GROUPS 32768u // as many as 15 bits name
#define TR_COMPACT_NODES (TR_COMPACT_CHUNKS + TR_COMPACT_GROUPS)

#define TR_NODE_WIDTH 31u  // form: bits of a leaf
#define TR_NODE_BY_RUN 32u // form: a bit and a leaf for each run
#define TR_NODE_MORE 64u   // form: leaves that do not fit are in a block

#define TR_NODE_LEAVES 24u     // bytes of them in a node that has more in a block
#define TR_NODE_ALL_LEAVES 28u // in one that has no block
#define TR_NODE_TWICE 4u       // bytes of them in both places, for leaves that cross the border
#define TR_LEAF_GROUP 0x8000u  // the rest of the leaf is the number of a group
#define TR_PLACE_UNIT 16u      // bytes; places of blocks count from the first node

// All zero: hop 0 for every slot.
struct tr_node {
	uint64_t bits[4];
	uint8_t form;
	uint8_t before[3]; // bits set before the second, third and fourth word
	uint8_t leaf[TR_NODE_LEAVES];
	uint32_t more; // place of the block, or leaves
};

static_assert(sizeof(struct tr_node) == 64, "a cache line");
static_assert(offsetof(struct tr_node, form) == 32, "lookups read form and counts as one word");
static_assert(offsetof(struct tr_node, leaf) == 36, "with no gap");

// First member of the writer's struct: what lookups read.
struct tr_compact {
	struct tr_lpm lpm;
	const struct tr_node *nodes;
};

// Where a leaf is: (four bytes >> shift) & mask.
struct tr_leaf_place {
	uint64_t at; // of the four bytes, counted from the first node
	uint32_t shift;
	uint32_t mask;
};

// The bits up to the slot tell how many leaves are before the slot's; in the form by slot only if
// its own is set. The four bytes are those that end with the leaf, so that they are in the line.
static inline __attribute__((always_inline)) struct tr_leaf_place
tr_compact_place(const struct tr_node *nodes, uint32_t index, uint32_t slot)
{
	const struct tr_node *node = &nodes[index];
	uint32_t head;

	memcpy(&head, &node->form, sizeof(head));
	uint32_t before = (head & ~0xffu) >> slot / 64 * 8 & 0xff;
	uint64_t up_to_slot = node->bits[slot / 64] << (~slot & 63);
	uint32_t counts = head / TR_NODE_BY_RUN | (uint32_t)(up_to_slot >> 63);
	uint32_t rank = ((uint32_t)__builtin_popcountll(up_to_slot) + before) & -(counts & 1);
	uint32_t width = head & TR_NODE_WIDTH;
	uint32_t bit = rank * width;
	uint32_t end = (bit + width + 7) / 8;
	uint64_t at = index * sizeof(*node) + offsetof(struct tr_node, leaf);
	uint64_t block_at = (uint64_t)node->more * TR_PLACE_UNIT - (TR_NODE_LEAVES - TR_NODE_TWICE);
	uint64_t in_block = (head / TR_NODE_MORE & 1) & (end > TR_NODE_LEAVES);

	// No branch, which nobody could predict.
	at = (at & (in_block - 1)) + (block_at & -in_block) + end;
	return (struct tr_leaf_place){at - 4, 32 + bit - 8 * end, (1u << width) - 1};
}

static inline __attribute__((always_inline)) uint16_t tr_compact_leaf(const struct tr_node *nodes,
	uint32_t index, uint32_t slot)
{
	struct tr_leaf_place place = tr_compact_place(nodes, index, slot);
	uint32_t four;

	memcpy(&four, (const uint8_t *)nodes + place.at, sizeof(four));
	return (uint16_t)((uint64_t)four >> place.shift & place.mask);
}

// The node of the group that a leaf leads to.
static inline uint32_t tr_compact_group(uint16_t leaf)
{
	return TR_COMPACT_CHUNKS + (leaf & ~TR_LEAF_GROUP);
}

uint16_t tr_compact_find(const struct tr_lpm *lpm, uint32_t address);
void tr_compact_touch(const struct tr_lpm *lpm, struct io_core *core, const uint32_t *addresses,
	uint32_t n);
bool tr_compact_has_popcnt(void);
bool tr_compact_has_avx512(void);
void tr_compact_lookup_plain(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops,
	uint32_t n);
void tr_compact_lookup_popcnt(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops,
	uint32_t n);
void tr_compact_lookup_avx512(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops,
	uint32_t n);
