// SPDX-License-Identifier: MIT
// Longest-prefix match by DIR-24-8 (Gupta, Lin, McKeown 1998). Lookups read one or two entries.
// Beside each entry stands its depth, the length of the prefix that it belongs to, so prefixes are
// added and deleted in place: a prefix overwrites what is not longer, and a deleted one finds its
// entries by their depth. All is one allocation of zero pages, of which an empty table uses none.
#include "tables/dir24_8.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define SLOTS (1u << 24)
#define GROUPS_MAX 32768u // as many as 15 bits name
#define GROUP_SLOTS TR_DIR_GROUP_SLOTS
#define GROUP_FLAG TR_DIR_GROUP
#define DEPTH_GROUP 255 // depth24 of such an entry: longer than any prefix
#define NO_GROUP 0xffff

struct memory {
	uint16_t entry24[SLOTS];
	uint16_t entry8[GROUPS_MAX][GROUP_SLOTS];
	uint8_t depth24[SLOTS];
	uint8_t depth8[GROUPS_MAX][GROUP_SLOTS];
	uint16_t longer
		[GROUPS_MAX]; // entries of the group deeper than 24; the next group while free
};

struct dir24_8 {
	struct tr_dir24_8 read;
	struct io_env *env;
	struct memory *memory;
	uint32_t groups_begun; // groups from here on were never used
	uint32_t groups_used;
	uint16_t free_group; // first of the chain of groups given back
};

static struct tr_lpm *create(struct io_env *env, const struct tr_lpm_ops *ops)
{
	struct dir24_8 *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->read.lpm.ops = ops;
	table->env = env;
	table->free_group = NO_GROUP;
	table->memory = tr_io_table_alloc(env, sizeof(*table->memory));
	if (!table->memory) {
		free(table);
		errno = ENOMEM;
		return NULL;
	}
	table->read.entry24 = table->memory->entry24;
	table->read.lpm.first = (const uint8_t *)table->memory->entry24;
	table->read.lpm.first_shift = 7; // two bytes for 256 addresses
	table->read.entry8 = table->memory->entry8[0];
	return &table->read.lpm;
}

static void dir24_8_destroy(struct tr_lpm *lpm)
{
	struct dir24_8 *table = (struct dir24_8 *)lpm;

	tr_io_table_free(table->env, table->memory, sizeof(*table->memory));
	free(table);
}

// Turns the entry of a /24 into a group whose entries all say what it said.
static int begin_group(struct dir24_8 *table, uint32_t slot)
{
	struct memory *memory = table->memory;
	uint32_t group = table->free_group;

	if (group != NO_GROUP)
		table->free_group = memory->longer[group];
	else if (table->groups_begun < GROUPS_MAX)
		group = table->groups_begun++;
	else
		return -ENOSPC;
	for (uint32_t i = 0; i < GROUP_SLOTS; i++) {
		memory->entry8[group][i] = memory->entry24[slot];
		memory->depth8[group][i] = memory->depth24[slot];
	}
	memory->longer[group] = 0;
	memory->entry24[slot] = (uint16_t)(GROUP_FLAG | group);
	memory->depth24[slot] = DEPTH_GROUP;
	table->groups_used++;
	return 0;
}

// Folds a group back once no prefix in it is longer than /24: its entries are all alike again.
static void end_group(struct dir24_8 *table, uint32_t slot)
{
	struct memory *memory = table->memory;
	uint16_t group = memory->entry24[slot] & (uint16_t)~GROUP_FLAG;

	memory->entry24[slot] = memory->entry8[group][0];
	memory->depth24[slot] = memory->depth8[group][0];
	memory->longer[group] = table->free_group;
	table->free_group = group;
	table->groups_used--;
}

// Gives the entries whose depth is in [low, high] to (bits, hop).
static void fill(uint16_t *entry, uint8_t *depth, uint32_t n, uint8_t low, uint8_t high,
	uint8_t bits, uint16_t hop)
{
	for (uint32_t i = 0; i < n; i++) {
		if (depth[i] < low || depth[i] > high)
			continue;
		entry[i] = hop;
		depth[i] = bits;
	}
}

// The same for a prefix of at most 24 bits, in the groups too.
static void fill_wide(struct memory *memory, uint32_t prefix, uint8_t prefix_bits, uint8_t low,
	uint8_t high, uint8_t bits, uint16_t hop)
{
	uint32_t slot = prefix >> 8;
	uint32_t end = slot + (1u << (24 - prefix_bits));

	for (; slot < end; slot++) {
		uint8_t depth = memory->depth24[slot];
		if (depth == DEPTH_GROUP) {
			uint16_t group = memory->entry24[slot] & (uint16_t)~GROUP_FLAG;
			fill(memory->entry8[group], memory->depth8[group], GROUP_SLOTS, low, high,
				bits, hop);
		} else if (depth >= low && depth <= high) {
			memory->entry24[slot] = hop;
			memory->depth24[slot] = bits;
		}
	}
}

static uint16_t count_longer(const uint8_t *depth)
{
	uint16_t longer = 0;

	for (uint32_t i = 0; i < GROUP_SLOTS; i++)
		longer += depth[i] > 24;
	return longer;
}

static int dir24_8_set(struct tr_lpm *lpm, uint32_t prefix, uint8_t bits, uint16_t hop)
{
	struct dir24_8 *table = (struct dir24_8 *)lpm;
	struct memory *memory = table->memory;
	uint32_t slot = prefix >> 8;
	uint32_t first = prefix & 0xff;

	assert(bits >= 1 && bits <= 32);
	assert(hop != TR_HOP_DEFAULT && hop < TR_HOPS_MAX);
	if (bits <= 24) {
		fill_wide(memory, prefix, bits, 0, bits, bits, hop);
		return 0;
	}
	if (memory->depth24[slot] != DEPTH_GROUP && begin_group(table, slot))
		return -ENOSPC;
	uint16_t group = memory->entry24[slot] & (uint16_t)~GROUP_FLAG;
	fill(memory->entry8[group] + first, memory->depth8[group] + first, 1u << (32 - bits), 0,
		bits, bits, hop);
	memory->longer[group] = count_longer(memory->depth8[group]);
	return 0;
}

// A prefix that never got in (no room) has no entry of its depth, so clearing it changes nothing.
static void dir24_8_clear(struct tr_lpm *lpm, uint32_t prefix, uint8_t bits, uint8_t cover_bits,
	uint16_t cover_hop)
{
	struct dir24_8 *table = (struct dir24_8 *)lpm;
	struct memory *memory = table->memory;
	uint32_t slot = prefix >> 8;
	uint32_t first = prefix & 0xff;

	assert(bits >= 1 && bits <= 32 && cover_bits < bits);
	if (bits <= 24) {
		fill_wide(memory, prefix, bits, bits, bits, cover_bits, cover_hop);
		return;
	}
	if (memory->depth24[slot] != DEPTH_GROUP)
		return;
	uint16_t group = memory->entry24[slot] & (uint16_t)~GROUP_FLAG;
	fill(memory->entry8[group] + first, memory->depth8[group] + first, 1u << (32 - bits), bits,
		bits, cover_bits, cover_hop);
	memory->longer[group] = count_longer(memory->depth8[group]);
	if (!memory->longer[group])
		end_group(table, slot);
}

// Two passes, so that the reads of a run overlap: first the /24 entries, then the groups' entries,
// which the first pass has prefetched.
static void dir24_8_lookup(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops,
	uint32_t n)
{
	const struct memory *memory = ((const struct dir24_8 *)lpm)->memory;
	const uint16_t *entry24 = memory->entry24;
	const uint16_t *entry8 = memory->entry8[0];
	uint16_t seen = 0;

	for (uint32_t i = 0; i < n && i < TR_LOOKUP_AHEAD; i++)
		__builtin_prefetch(&entry24[addresses[i] >> 8]);
	for (uint32_t i = 0; i < n; i++) {
		if (i + TR_LOOKUP_AHEAD < n)
			__builtin_prefetch(&entry24[addresses[i + TR_LOOKUP_AHEAD] >> 8]);
		uint16_t entry = entry24[addresses[i] >> 8];
		if (entry & GROUP_FLAG)
			__builtin_prefetch(&entry8[(entry & ~GROUP_FLAG) * GROUP_SLOTS +
				(addresses[i] & 0xff)]);
		hops[i] = entry;
		seen |= entry;
	}
	if (!(seen & GROUP_FLAG))
		return;
	for (uint32_t i = 0; i < n; i++) {
		if (hops[i] & GROUP_FLAG)
			hops[i] = entry8[(hops[i] & ~GROUP_FLAG) * GROUP_SLOTS +
				(addresses[i] & 0xff)];
	}
}

static uint16_t dir24_8_find(const struct tr_lpm *lpm, uint32_t address)
{
	const struct memory *memory = ((const struct dir24_8 *)lpm)->memory;
	uint16_t entry = memory->entry24[address >> 8];

	if (entry & GROUP_FLAG)
		entry = memory->entry8[entry & ~GROUP_FLAG][address & 0xff];
	return entry;
}

static void dir24_8_touch(const struct tr_lpm *lpm, struct io_core *core, const uint32_t *addresses,
	uint32_t n)
{
	const struct memory *memory = ((const struct dir24_8 *)lpm)->memory;

	for (uint32_t i = 0; i < n; i++) {
		const uint16_t *entry = &memory->entry24[addresses[i] >> 8];
		io_cost_touch(core, entry, sizeof(*entry));
		if (*entry & GROUP_FLAG)
			io_cost_touch(core,
				&memory->entry8[*entry & ~GROUP_FLAG][addresses[i] & 0xff],
				sizeof(*entry));
	}
}

static void dir24_8_guard(struct tr_lpm *lpm, enum io_access access)
{
	struct dir24_8 *table = (struct dir24_8 *)lpm;

	tr_io_table_guard(table->env, table->memory, sizeof(*table->memory), access);
}

static uint64_t dir24_8_bytes(const struct tr_lpm *lpm)
{
	const struct dir24_8 *table = (const struct dir24_8 *)lpm;

	return sizeof(table->memory->entry24) +
		table->groups_used * sizeof(table->memory->entry8[0]);
}

static uint64_t dir24_8_room(const struct tr_lpm *lpm)
{
	return GROUPS_MAX - ((const struct dir24_8 *)lpm)->groups_used;
}

static struct tr_lpm *create_plain(struct io_env *env)
{
	return create(env, &tr_dir24_8_plain_ops);
}

static struct tr_lpm *create_avx512(struct io_env *env)
{
	if (!tr_dir24_8_has_avx512()) {
		errno = ENOTSUP;
		return NULL;
	}
	return create(env, &tr_dir24_8_avx512_ops);
}

static struct tr_lpm *create_fastest(struct io_env *env)
{
	return tr_dir24_8_has_avx512() ? create_avx512(env) : create_plain(env);
}

#define DIR24_8_OPS(its_name, its_create, its_lookup) \
	{                                             \
		.name = (its_name),                   \
		.create = (its_create),               \
		.destroy = dir24_8_destroy,           \
		.set = dir24_8_set,                   \
		.clear = dir24_8_clear,               \
		.lookup = (its_lookup),               \
		.find = dir24_8_find,                 \
		.touch = dir24_8_touch,               \
		.guard = dir24_8_guard,               \
		.bytes = dir24_8_bytes,               \
		.room = dir24_8_room,                 \
	}

const struct tr_lpm_ops tr_dir24_8_ops = DIR24_8_OPS("dir24_8", create_fastest, dir24_8_lookup);
const struct tr_lpm_ops tr_dir24_8_plain_ops =
	DIR24_8_OPS("dir24_8/plain", create_plain, dir24_8_lookup);
const struct tr_lpm_ops tr_dir24_8_avx512_ops =
	DIR24_8_OPS("dir24_8/avx512", create_avx512, tr_dir24_8_lookup_avx512);
