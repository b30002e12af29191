// SPDX-License-Identifier: MIT
// Runs of slots: how they change, and the image of them that lookups read. A change or an image
// takes a pass or two over the runs, of which a node has 30 in a full table of the Internet's shape
// and never more than 256: this bounds the time of a change to the table.
#include "tables/runs.h"
#include <assert.h>
#include <string.h>

#define LEAF_BYTES_MAX (TR_RUNS_MAX * sizeof(uint16_t))

struct list {
	struct tr_run *run;
	uint32_t n;
};

// Runs that are alike become one.
static inline void append(struct list *list, uint32_t first, uint8_t depth, uint16_t leaf)
{
	if (list->n) {
		const struct tr_run *last = &list->run[list->n - 1];
		if (last->depth == depth && last->leaf == leaf)
			return;
	}
	list->run[list->n++] = (struct tr_run){(uint8_t)first, depth, leaf};
}

static inline uint32_t run_end(const struct tr_run *runs, uint32_t n, uint32_t i)
{
	return i + 1 < n ? runs[i + 1].first : TR_RUNS_MAX;
}

uint32_t tr_runs_change(const struct tr_run *runs, uint32_t n, const struct tr_run_change *change,
	struct tr_run *out)
{
	struct list list = {.run = out};
	uint32_t end = change->last + 1u;

	for (uint32_t i = 0; i < n; i++) {
		const struct tr_run *run = &runs[i];
		uint32_t first = run->first;
		uint32_t next = run_end(runs, n, i);
		if (next <= change->first || first >= end || run->depth < change->low ||
			run->depth > change->high) {
			append(&list, first, run->depth, run->leaf);
			continue;
		}
		if (first < change->first) {
			append(&list, first, run->depth, run->leaf);
			first = change->first;
		}
		append(&list, first, change->depth, change->leaf);
		if (next > end)
			append(&list, end, run->depth, run->leaf);
	}
	assert(list.n >= 1 && list.n <= TR_RUNS_MAX);
	return list.n;
}

uint32_t tr_runs_find(const struct tr_run *runs, uint32_t n, uint8_t slot)
{
	uint32_t low = 0;

	while (n > 1) {
		uint32_t half = n / 2;
		if (runs[low + half].first <= slot)
			low += half;
		n -= half;
	}
	return low;
}

// The leaf of the longest run stands for the commonest: to find that one takes longer.
struct tr_node_form tr_node_choose_form(const struct tr_run *runs, uint32_t n)
{
	struct tr_node_form form = {0};
	uint32_t leaves = 1; // in the form by run
	uint32_t others = TR_RUNS_MAX;
	uint32_t longest = 0;
	uint16_t any = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t slots = run_end(runs, n, i) - runs[i].first;
		any |= runs[i].leaf;
		leaves += i && runs[i].leaf != runs[i - 1].leaf;
		if (slots > longest) {
			longest = slots;
			form.commonest = runs[i].leaf;
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		if (runs[i].leaf == form.commonest)
			others -= run_end(runs, n, i) - runs[i].first;
	}
	form.form = (uint8_t)(any ? 32 - __builtin_clz(any) : 1);
	if (leaves <= others + 1)
		form.form |= TR_NODE_BY_RUN;
	else
		leaves = others + 1;
	form.bytes = (uint16_t)((leaves * (form.form & TR_NODE_WIDTH) + 7) / 8);
	if (form.bytes > TR_NODE_ALL_LEAVES)
		form.form |= TR_NODE_MORE;
	return form;
}

struct writer {
	struct tr_node *node;
	uint8_t count[4]; // bits set in each word
	unsigned width;   // of a leaf
	unsigned bits;    // of leaves that are not written yet
	uint64_t waiting; // these bits
	uint8_t *leaf;    // where they go
};

// Writes 8 bytes, of which the last ones are not leaves yet, and are written again.
static inline void put_leaf(struct writer *writer, uint16_t leaf)
{
	writer->waiting |= (uint64_t)leaf << writer->bits;
	writer->bits += writer->width;
	memcpy(writer->leaf, &writer->waiting, sizeof(writer->waiting));
	writer->leaf += writer->bits / 8;
	writer->waiting >>= writer->bits & ~7u;
	writer->bits %= 8;
}

static inline void mark(struct writer *writer, uint32_t slot)
{
	writer->node->bits[slot / 64] |= 1ull << slot % 64;
	writer->count[slot / 64]++;
}

// The first run's bit stays 0, so that the leaf of a slot has the number of bits up to the slot.
static void write_by_run(struct writer *writer, const struct tr_run *runs, uint32_t n)
{
	put_leaf(writer, runs[0].leaf);
	for (uint32_t i = 1; i < n; i++) {
		if (runs[i].leaf == runs[i - 1].leaf)
			continue;
		mark(writer, runs[i].first);
		put_leaf(writer, runs[i].leaf);
	}
}

static void write_by_slot(struct writer *writer, const struct tr_run *runs, uint32_t n,
	uint16_t commonest)
{
	put_leaf(writer, commonest);
	for (uint32_t i = 0; i < n; i++) {
		if (runs[i].leaf == commonest)
			continue;
		uint32_t end = run_end(runs, n, i);
		for (uint32_t slot = runs[i].first; slot < end; slot++) {
			mark(writer, slot);
			put_leaf(writer, runs[i].leaf);
		}
	}
}

void tr_node_write(struct tr_node *nodes, uint32_t index, const struct tr_node_form *form,
	const struct tr_run *runs, uint32_t n, uint32_t block)
{
	struct tr_node made = {.form = form->form};
	uint8_t leaves[LEAF_BYTES_MAX + sizeof(uint64_t)];
	struct writer writer = {.node = &made, .leaf = leaves, .width = form->form & TR_NODE_WIDTH};
	uint8_t before = 0;

	memset(leaves, 0, TR_NODE_ALL_LEAVES);
	if (form->form & TR_NODE_BY_RUN)
		write_by_run(&writer, runs, n);
	else
		write_by_slot(&writer, runs, n, form->commonest);
	for (unsigned i = 0; i < 3; i++)
		made.before[i] = before = (uint8_t)(before + writer.count[i]);
	memcpy(made.leaf, leaves, TR_NODE_LEAVES);
	memcpy(&made.more, leaves + TR_NODE_LEAVES, sizeof(made.more));
	if (form->form & TR_NODE_MORE) {
		made.more = block - TR_NODE_BLOCK;
		memcpy((uint8_t *)nodes + block, leaves + TR_NODE_BLOCK, tr_node_block_bytes(form));
	}
	nodes[index] = made;
}
