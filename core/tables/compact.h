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

#define TR_NODE_WIDTH 31u   // form: bits of a leaf
#define TR_NODE_MORE 64u    // form: leaves that do not fit are in a block
#define TR_NODE_BY_RUN 128u // form: a bit and a leaf for each run

#define TR_NODE_LEAVES 24u     // bytes of them in a node that has more in a block
#define TR_NODE_ALL_LEAVES 28u // in one that has no block
#define TR_NODE_BLOCK 22u      // the byte of the leaves that a block begins with
#define TR_NODE_READ 4u        // bytes that a lookup reads, from the one on that a leaf begins in
#define TR_LEAF_GROUP 0x8000u  // the rest of the leaf is the number of a group

// All zero: hop 0 for every slot. What stands behind the leaves lets a lookup read four bytes of
// them with no look at the border of the line.
struct tr_node {
	uint64_t bits[4];
	uint8_t leaf[TR_NODE_LEAVES];
	uint32_t more;     // leaves, or where all would begin for the last to be the block's
	uint8_t before[3]; // bits set before the second, third and fourth word
	uint8_t form;
};

static_assert(sizeof(struct tr_node) == 64, "a cache line");
static_assert(offsetof(struct tr_node, more) == 56, "lookups read all that follows as one word");
static_assert(TR_NODE_ALL_LEAVES + TR_NODE_READ <= 32, "no leaf is read beyond the line");

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
// its own is set. A leaf that ends beyond those of the line begins in the block.
static inline __attribute__((always_inline)) struct tr_leaf_place
tr_compact_place(const struct tr_node *nodes, uint32_t index, uint32_t slot)
{
	const struct tr_node *node = &nodes[index];
	uint32_t head;

	memcpy(&head, &node->before, sizeof(head));
	uint32_t before = head << 8 >> slot / 64 * 8 & 0xff;
	uint64_t up_to_slot = node->bits[slot / 64] << (~slot & 63);
	uint32_t counts = (head | (uint32_t)(up_to_slot >> 32)) >> 31;
	uint32_t rank = ((uint32_t)__builtin_popcountll(up_to_slot) + before) & -counts;
	uint32_t width = head >> 24 & TR_NODE_WIDTH;
	uint32_t bit = rank * width;
	uint64_t in_line = index * sizeof(*node) + offsetof(struct tr_node, leaf);
	uint64_t more = (head >> 24) / TR_NODE_MORE & (bit + width > TR_NODE_LEAVES * 8);

	// No branch, which nobody could predict.
	uint64_t leaves = (in_line & (more - 1)) + (node->more & -more);
	return (struct tr_leaf_place){leaves + bit / 8, bit % 8, (1u << width) - 1};
}

static inline __attribute__((always_inline)) uint16_t tr_compact_leaf(const struct tr_node *nodes,
	uint32_t index, uint32_t slot)
{
	struct tr_leaf_place place = tr_compact_place(nodes, index, slot);
	uint32_t four;

	memcpy(&four, (const uint8_t *)nodes + place.at, sizeof(four));
	return (uint16_t)(four >> place.shift & place.mask);
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
