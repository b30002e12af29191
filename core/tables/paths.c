// SPDX-License-Identifier: MIT
// The sets of gateways (paths.h): a pool of them, chained from a hash of what they hold. A set is
// named by its place in the pool, which stays while somebody refers to it. Few sets serve many
// routes: a table of a million prefixes has as many as there are combinations of its gateways.
#include "tables/paths.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS_FIRST 64u
#define POOL_FIRST 64u

struct set {
	uint32_t references; // 0: not in use
	uint32_t next;       // in its chain, or the next free one
	uint32_t hash;
	uint16_t count;
	uint16_t mtu;
	struct tr_path path[TR_PATHS_MAX];
};

struct tr_paths {
	struct set *pool; // set 0 is none
	uint32_t pool_size;
	uint32_t pool_end; // sets from here on were never used
	uint32_t free_set;
	uint32_t used;
	uint32_t *chain;
	uint32_t chain_mask;
};

struct tr_paths *tr_paths_new(void)
{
	struct tr_paths *paths = calloc(1, sizeof(*paths));

	if (!paths)
		return NULL;
	paths->pool = calloc(POOL_FIRST, sizeof(*paths->pool));
	paths->chain = calloc(CHAINS_FIRST, sizeof(*paths->chain));
	if (!paths->pool || !paths->chain) {
		tr_paths_free(paths);
		errno = ENOMEM;
		return NULL;
	}
	paths->pool_size = POOL_FIRST;
	paths->pool_end = 1;
	paths->chain_mask = CHAINS_FIRST - 1;
	return paths;
}

void tr_paths_free(struct tr_paths *paths)
{
	if (!paths)
		return;
	free(paths->pool);
	free(paths->chain);
	free(paths);
}

static uint32_t hash_of(const struct tr_path *path, unsigned n, uint16_t mtu)
{
	uint64_t hash = (uint64_t)mtu << 16 | n;

	for (unsigned i = 0; i < n; i++) {
		hash ^= (uint64_t)path[i].gateway << 16 | path[i].port;
		hash *= 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

static uint32_t find(const struct tr_paths *paths, const struct tr_path *path, unsigned n,
	uint16_t mtu, uint32_t hash)
{
	uint32_t at = paths->chain[hash & paths->chain_mask];

	for (; at; at = paths->pool[at].next) {
		const struct set *set = &paths->pool[at];
		if (set->hash == hash && set->count == n && set->mtu == mtu &&
			memcmp(set->path, path, n * sizeof(*path)) == 0)
			return at;
	}
	return 0;
}

static void link_set(struct tr_paths *paths, uint32_t at)
{
	uint32_t *chain = &paths->chain[paths->pool[at].hash & paths->chain_mask];

	paths->pool[at].next = *chain;
	*chain = at;
}

// As many chains as sets, as far as there is memory for them.
static void grow_chains(struct tr_paths *paths)
{
	uint32_t mask = paths->chain_mask * 2 + 1;
	uint32_t *chain = calloc((size_t)mask + 1, sizeof(*chain));

	if (!chain)
		return;
	free(paths->chain);
	paths->chain = chain;
	paths->chain_mask = mask;
	for (uint32_t at = 1; at < paths->pool_end; at++) {
		if (paths->pool[at].references)
			link_set(paths, at);
	}
}

// A place in the pool, 0 where there is no memory.
static uint32_t take_place(struct tr_paths *paths)
{
	uint32_t at = paths->free_set;

	if (at) {
		paths->free_set = paths->pool[at].next;
		return at;
	}
	if (paths->pool_end == paths->pool_size) {
		size_t size = (size_t)paths->pool_size * 2;
		struct set *pool =
			size > UINT32_MAX ? NULL : realloc(paths->pool, size * sizeof(*pool));
		if (!pool)
			return 0;
		paths->pool = pool;
		paths->pool_size = (uint32_t)size;
	}
	return paths->pool_end++;
}

uint32_t tr_paths_take(struct tr_paths *paths, const struct tr_path *path, unsigned n, uint16_t mtu)
{
	uint32_t hash = hash_of(path, n, mtu);
	uint32_t at = find(paths, path, n, mtu, hash);

	assert(n >= 1 && n <= TR_PATHS_MAX);
	if (!at) {
		if (paths->used > paths->chain_mask)
			grow_chains(paths);
		at = take_place(paths);
		if (!at)
			return 0;
		paths->pool[at] = (struct set){.hash = hash, .count = (uint16_t)n, .mtu = mtu};
		memcpy(paths->pool[at].path, path, n * sizeof(*path));
		link_set(paths, at);
		paths->used++;
	}
	paths->pool[at].references++;
	return at;
}

void tr_paths_hold(struct tr_paths *paths, uint32_t set)
{
	assert(paths->pool[set].references);
	paths->pool[set].references++;
}

void tr_paths_give(struct tr_paths *paths, uint32_t set)
{
	struct set *given = &paths->pool[set];
	uint32_t *link = &paths->chain[given->hash & paths->chain_mask];

	assert(given->references);
	if (--given->references)
		return;
	while (*link != set)
		link = &paths->pool[*link].next;
	*link = given->next;
	given->next = paths->free_set;
	paths->free_set = set;
	paths->used--;
}

const struct tr_path *tr_paths_of(const struct tr_paths *paths, uint32_t set, unsigned *n)
{
	assert(paths->pool[set].references);
	*n = paths->pool[set].count;
	return paths->pool[set].path;
}

uint16_t tr_paths_mtu(const struct tr_paths *paths, uint32_t set)
{
	return paths->pool[set].mtu;
}

uint32_t tr_paths_count(const struct tr_paths *paths)
{
	return paths->used;
}
