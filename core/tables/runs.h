// SPDX-License-Identifier: MIT
// What the writer of the compressed lookup structure knows of a node: its 256 slots as runs, each
// with what the slots lead to and the length of the prefix that this comes from. What lookups read
// of it, a struct tr_node (tables/compact.h), has no depths.
#pragma once
#include "tables/compact.h"

#define TR_RUNS_MAX 256u

struct tr_run {
	uint8_t first; // slot; the run ends where the next one begins, the last with slot 255
	uint8_t depth;
	uint16_t leaf;
};

// Slots first..last whose depth is in low..high, and what becomes of them.
struct tr_run_change {
	uint8_t first;
	uint8_t last;
	uint8_t low;
	uint8_t high;
	uint8_t depth;
	uint16_t leaf;
};

// Makes a change to n runs, and returns the number of those that come of it.
uint32_t tr_runs_change(const struct tr_run *runs, uint32_t n, const struct tr_run_change *change,
	struct tr_run *out);

// The place among n runs of the one with this slot.
uint32_t tr_runs_find(const struct tr_run *runs, uint32_t n, uint8_t slot);

struct tr_node_form {
	uint8_t form; // as in the node
	uint16_t commonest;
	uint16_t bytes; // of all leaves
};

// A lookup may read some bytes beyond the last leaf.
static inline uint32_t tr_node_block_bytes(const struct tr_node_form *form)
{
	return form->form & TR_NODE_MORE ? form->bytes - TR_NODE_BLOCK + TR_NODE_READ - 1 : 0;
}

struct tr_node_form tr_node_choose_form(const struct tr_run *runs, uint32_t n);

// Writes a node and its block, which begins `block` bytes behind the first node.
void tr_node_write(struct tr_node *nodes, uint32_t index, const struct tr_node_form *form,
	const struct tr_run *runs, uint32_t n, uint32_t block);
