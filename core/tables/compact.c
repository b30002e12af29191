// SPDX-License-Identifier: MIT
// The compressed lookup structure: what changes it. The writer keeps the runs of every node with
// their depths (tables/runs.h). A change goes over the runs of the nodes that its prefix covers,
// whose images are then written anew, at another place where they need a block of another size.
// A group that one short prefix fills folds back into the leaf that led to it, and its memory is
// given back, so that an empty table is as small as it was. Only groups can run out; there is room
// for all else, most of it never touched.
#include "tables/blocks.h"
#include "tables/runs.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define DEPTH_GROUP 255 // of a slot that leads to a group: longer than any prefix
#define NO_GROUP 0xffffffffu

// Sizes of blocks in units of 16 bytes: for up to 256 leaves of 16 bits, some of which are in the
// node, and for up to 256 runs.
static const uint8_t leaf_sizes[TR_BLOCK_CLASSES] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 22, 32};
static const uint8_t run_sizes[TR_BLOCK_CLASSES] = {1, 2, 3, 4, 6, 8, 10, 12, 16, 24, 40, 64};

// The writer's side of a node.
struct owner {
	uint32_t runs;   // place of the block; of a free group: the next one
	uint16_t runs_n; // 0: one prefix has all slots, or none
	uint16_t more;   // bytes of leaves in the node's block
	uint8_t depth;   // of that one prefix
};

struct compact {
	struct tr_compact read;
	struct io_env *env;
	size_t bytes;
	struct tr_node *nodes; // at the beginning of the memory
	struct owner *owners;
	struct tr_blocks leaves;
	struct tr_blocks runs;
	uint32_t nodes_used;   // that some prefix has slots of
	uint32_t groups_begun; // groups from here on were never used
	uint32_t groups_used;
	uint32_t free_group; // first of the chain of groups given back
};

static struct tr_lpm *create(struct io_env *env, const struct tr_lpm_ops *ops)
{
	struct compact *table = calloc(1, sizeof(*table));
	uint64_t nodes = TR_COMPACT_NODES * sizeof(struct tr_node) / TR_BLOCK_UNIT;
	uint64_t leaves = tr_blocks_units(leaf_sizes, TR_COMPACT_NODES);
	uint64_t owners = TR_COMPACT_NODES * sizeof(struct owner) / TR_BLOCK_UNIT;
	uint64_t runs = tr_blocks_units(run_sizes, TR_COMPACT_NODES);

	static_assert(sizeof(struct owner) == 12, "owners end with a cache line");
	if (!table)
		return NULL;
	table->read.lpm.ops = ops;
	table->env = env;
	table->free_group = NO_GROUP;
	table->bytes = (nodes + leaves + owners + runs) * TR_BLOCK_UNIT;
	uint8_t *memory = tr_io_table_alloc(env, table->bytes);
	if (!memory) {
		free(table);
		errno = ENOMEM;
		return NULL;
	}
	table->nodes = (struct tr_node *)memory;
	table->read.nodes = table->nodes;
	table->owners = (struct owner *)(memory + (nodes + leaves) * TR_BLOCK_UNIT);
	tr_blocks_init(&table->leaves, memory, leaf_sizes, TR_COMPACT_NODES, (uint32_t)nodes);
	tr_blocks_init(&table->runs, memory, run_sizes, TR_COMPACT_NODES,
		(uint32_t)(nodes + leaves + owners));
	return &table->read.lpm;
}

static void compact_destroy(struct tr_lpm *lpm)
{
	struct compact *table = (struct compact *)lpm;

	tr_io_table_free(table->env, table->nodes, table->bytes);
	free(table);
}

static uint8_t *at(const struct compact *table, uint32_t place)
{
	return (uint8_t *)table->nodes + (uint64_t)place * TR_BLOCK_UNIT;
}

// Fits a node's block of some size to another size; 0 bytes are no block. Returns the place.
static uint32_t resize(struct tr_blocks *blocks, uint32_t place, uint32_t before, uint32_t after)
{
	unsigned class_before = before ? tr_blocks_class(blocks, before) : TR_BLOCK_CLASSES;
	unsigned class_after = after ? tr_blocks_class(blocks, after) : TR_BLOCK_CLASSES;

	if (class_before == class_after)
		return place;
	if (before)
		tr_blocks_give(blocks, class_before, place);
	return after ? tr_blocks_take(blocks, class_after) : 0;
}

// The runs of a node. `whole` is where they are written if there is one that has all slots.
static const struct tr_run *runs_of(const struct compact *table, uint32_t index, uint32_t *n,
	struct tr_run *whole)
{
	const struct owner *owner = &table->owners[index];

	*n = owner->runs_n;
	if (*n)
		return (const struct tr_run *)at(table, owner->runs);
	*n = 1;
	*whole = (struct tr_run){0, owner->depth, tr_compact_leaf(table->nodes, index, 0)};
	return whole;
}

static bool in_use(const struct owner *owner)
{
	return owner->runs_n || owner->depth;
}

// Writes a node, for lookups and for the writer. The runs of one whose slots are all of a prefix
// that is no longer than `fold_bits` need no block.
static void write_node(struct compact *table, uint32_t index, uint8_t fold_bits,
	const struct tr_run *runs, uint32_t n)
{
	struct owner *owner = &table->owners[index];
	const struct tr_node *node = &table->nodes[index];
	struct tr_node_form form = tr_node_choose_form(runs, n);
	bool fold = n == 1 && runs[0].depth <= fold_bits;

	table->nodes_used -= in_use(owner);
	uint32_t more = node->form & TR_NODE_MORE ? node->more + TR_NODE_BLOCK : 0;
	more = resize(&table->leaves, more / TR_BLOCK_UNIT, owner->more,
		tr_node_block_bytes(&form));
	tr_node_write(table->nodes, index, &form, runs, n, more * TR_BLOCK_UNIT);
	owner->more = (uint16_t)tr_node_block_bytes(&form);
	owner->runs = resize(&table->runs, owner->runs, owner->runs_n * sizeof(*runs),
		fold ? 0 : n * sizeof(*runs));
	owner->runs_n = fold ? 0 : (uint16_t)n;
	owner->depth = fold ? runs[0].depth : 0;
	if (!fold)
		memcpy(at(table, owner->runs), runs, n * sizeof(*runs));
	table->nodes_used += in_use(owner);
}

static void change_slots(struct compact *table, uint32_t index, uint8_t fold_bits,
	const struct tr_run_change *change)
{
	struct tr_run whole;
	struct tr_run changed[TR_RUNS_MAX];
	uint32_t n;

	__builtin_prefetch(&table->nodes[index], 1); // needed last, and far away as the runs are
	const struct tr_run *runs = runs_of(table, index, &n, &whole);
	n = tr_runs_change(runs, n, change, changed);
	write_node(table, index, fold_bits, changed, n);
}

// Changes all slots of the groups that slots first..last of a chunk lead to.
static void change_groups(struct compact *table, uint32_t chunk, const struct tr_run_change *change)
{
	struct tr_run_change all = *change;
	struct tr_run whole;
	uint32_t n;
	const struct tr_run *runs = runs_of(table, chunk, &n, &whole);

	all.first = 0;
	all.last = 255;
	for (uint32_t i = 0; i < n; i++) {
		if (runs[i].depth == DEPTH_GROUP && runs[i].first >= change->first &&
			runs[i].first <= change->last)
			change_slots(table, tr_compact_group(runs[i].leaf), 24, &all);
	}
}

// Makes a slot of a chunk, which leads to no group, lead to one whose slots all say what it said.
static int begin_group(struct compact *table, uint32_t chunk, const struct tr_run *run,
	uint8_t slot)
{
	uint32_t group = table->free_group;
	struct tr_run whole = *run;

	if (group != NO_GROUP)
		table->free_group = table->owners[TR_COMPACT_CHUNKS + group].runs;
	else if (table->groups_begun < TR_COMPACT_GROUPS)
		group = table->groups_begun++;
	else
		return -ENOSPC;
	table->groups_used++;
	whole.first = 0;
	table->owners[TR_COMPACT_CHUNKS + group].runs = 0;
	write_node(table, TR_COMPACT_CHUNKS + group, 24, &whole, 1);
	struct tr_run_change change = {
		slot, slot, 0, 24, DEPTH_GROUP, (uint16_t)(TR_LEAF_GROUP | group)};
	change_slots(table, chunk, 16, &change);
	return 0;
}

// Takes a group back: what its slots all say goes to the slot that leads to it.
static void end_group(struct compact *table, uint32_t chunk, uint8_t slot, uint32_t index)
{
	struct owner *owner = &table->owners[index];
	struct tr_run_change change = {slot, slot, DEPTH_GROUP, DEPTH_GROUP, owner->depth,
		tr_compact_leaf(table->nodes, index, 0)};

	write_node(table, index, 24, &(struct tr_run){0}, 1);
	owner->runs = table->free_group;
	table->free_group = index - TR_COMPACT_CHUNKS;
	table->groups_used--;
	change_slots(table, chunk, 16, &change);
}

// The run that a slot of a chunk is in.
static struct tr_run find_run(const struct compact *table, uint32_t chunk, uint8_t slot)
{
	struct tr_run whole;
	uint32_t n;
	const struct tr_run *runs = runs_of(table, chunk, &n, &whole);

	return runs[tr_runs_find(runs, n, slot)];
}

// Gives the addresses of a prefix of at most 24 bits to (change->depth, change->leaf), where their
// depth is in the change's range.
static void change_wide(struct compact *table, uint32_t prefix, uint8_t bits,
	struct tr_run_change *change)
{
	uint32_t chunk = prefix >> 16;
	uint32_t end = chunk + (bits < 16 ? 1u << (16 - bits) : 1);

	change->first = (uint8_t)(prefix >> 8);
	change->last = (uint8_t)(change->first + (bits < 16 ? 255 : (1u << (24 - bits)) - 1));
	for (; chunk < end; chunk++) {
		change_groups(table, chunk, change);
		change_slots(table, chunk, 16, change);
	}
}

// The same for a longer prefix, in its group.
static void change_narrow(struct compact *table, uint32_t prefix, uint8_t bits, uint32_t index,
	struct tr_run_change *change)
{
	change->first = (uint8_t)prefix;
	change->last = (uint8_t)(change->first + (1u << (32 - bits)) - 1);
	change_slots(table, index, 24, change);
}

static int compact_set(struct tr_lpm *lpm, uint32_t prefix, uint8_t bits, uint16_t hop)
{
	struct compact *table = (struct compact *)lpm;
	struct tr_run_change change = {.low = 0, .high = bits, .depth = bits, .leaf = hop};
	uint32_t chunk = prefix >> 16;
	uint8_t slot = (uint8_t)(prefix >> 8);

	assert(bits >= 1 && bits <= 32);
	assert(hop != TR_HOP_DEFAULT && hop < TR_HOPS_MAX);
	if (bits <= 24) {
		change_wide(table, prefix, bits, &change);
		return 0;
	}
	struct tr_run run = find_run(table, chunk, slot);
	if (run.depth != DEPTH_GROUP && begin_group(table, chunk, &run, slot))
		return -ENOSPC;
	run = find_run(table, chunk, slot);
	change_narrow(table, prefix, bits, tr_compact_group(run.leaf), &change);
	return 0;
}

// A prefix that never got in (no room) has no slot of its depth, so clearing it changes nothing.
static void compact_clear(struct tr_lpm *lpm, uint32_t prefix, uint8_t bits, uint8_t cover_bits,
	uint16_t cover_hop)
{
	struct compact *table = (struct compact *)lpm;
	struct tr_run_change change = {
		.low = bits, .high = bits, .depth = cover_bits, .leaf = cover_hop};
	uint32_t chunk = prefix >> 16;
	uint8_t slot = (uint8_t)(prefix >> 8);

	assert(bits >= 1 && bits <= 32 && cover_bits < bits);
	if (bits <= 24) {
		change_wide(table, prefix, bits, &change);
		return;
	}
	struct tr_run run = find_run(table, chunk, slot);
	if (run.depth != DEPTH_GROUP)
		return;
	uint32_t index = tr_compact_group(run.leaf);
	change_narrow(table, prefix, bits, index, &change);
	if (!table->owners[index].runs_n)
		end_group(table, chunk, slot, index);
}

static void compact_guard(struct tr_lpm *lpm, enum io_access access)
{
	struct compact *table = (struct compact *)lpm;

	tr_io_table_guard(table->env, table->nodes, table->bytes, access);
}

static uint64_t compact_bytes(const struct tr_lpm *lpm)
{
	const struct compact *table = (const struct compact *)lpm;

	return table->nodes_used * sizeof(struct tr_node) +
		table->leaves.units_used * TR_BLOCK_UNIT;
}

static uint64_t compact_room(const struct tr_lpm *lpm)
{
	return TR_COMPACT_GROUPS - ((const struct compact *)lpm)->groups_used;
}

static struct tr_lpm *create_if(bool able, struct io_env *env, const struct tr_lpm_ops *ops)
{
	if (able)
		return create(env, ops);
	errno = ENOTSUP;
	return NULL;
}

static struct tr_lpm *create_plain(struct io_env *env)
{
	return create(env, &tr_compact_plain_ops);
}

static struct tr_lpm *create_popcnt(struct io_env *env)
{
	return create_if(tr_compact_has_popcnt(), env, &tr_compact_popcnt_ops);
}

static struct tr_lpm *create_avx512(struct io_env *env)
{
	return create_if(tr_compact_has_avx512(), env, &tr_compact_avx512_ops);
}

static struct tr_lpm *create_fastest(struct io_env *env)
{
	if (tr_compact_has_avx512())
		return create_avx512(env);
	return tr_compact_has_popcnt() ? create_popcnt(env) : create_plain(env);
}

#define COMPACT_OPS(its_name, its_create, its_lookup) \
	{                                             \
		.name = (its_name),                   \
		.create = (its_create),               \
		.destroy = compact_destroy,           \
		.set = compact_set,                   \
		.clear = compact_clear,               \
		.lookup = (its_lookup),               \
		.find = tr_compact_find,              \
		.touch = tr_compact_touch,            \
		.guard = compact_guard,               \
		.bytes = compact_bytes,               \
		.room = compact_room,                 \
	}

const struct tr_lpm_ops tr_compact_ops =
	COMPACT_OPS("compact", create_fastest, tr_compact_lookup_plain);
const struct tr_lpm_ops tr_compact_plain_ops =
	COMPACT_OPS("compact/plain", create_plain, tr_compact_lookup_plain);
const struct tr_lpm_ops tr_compact_popcnt_ops =
	COMPACT_OPS("compact/popcnt", create_popcnt, tr_compact_lookup_popcnt);
const struct tr_lpm_ops tr_compact_avx512_ops =
	COMPACT_OPS("compact/avx512", create_avx512, tr_compact_lookup_avx512);
