// SPDX-License-Identifier: MIT
// The double buffer of forwarding tables. Both see the same operations in the same order, a set
// earlier or later, so after each catch-up they are equal byte for byte, and what fits into one
// fits into the other. A set needs no order of its own: every operation leaves the shadow the
// longest-prefix match of exactly the prefixes installed so far (a deleted prefix's entries go to
// the longest installed prefix around it, a new one overwrites what is not longer), so whichever
// order the changed prefixes come in, the result is the match over those installed at the end.
// Guards: a table at rest in the shadow may not be touched, is writable while a set is built or
// caught up with, and is read-only from publication until every unit has left it.
#include "tables/fib.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOPS_BYTES (TR_HOPS_MAX * sizeof(struct tr_next_hop))
#define CHANGES_FIRST 256u
#define CHANGES_KEPT 65536u // a longer list is given back after its set

enum state {
	STATE_READY,       // a set may be built; the shadow is at rest while it is empty
	STATE_OUTSTANDING, // published, units may still read the old table
	STATE_CATCHING_UP,
};

struct tr_swap {
	struct io_env *env;
	struct tr_fib table[2];
	unsigned active;
	unsigned units;
	unsigned acknowledged;
	enum state state;
	uint64_t generation;
	struct tr_fib_change *changes; // the set: prefixes, in order
	uint64_t changes_size;
	uint64_t changes_n;
	uint64_t changes_done; // by the catch-up
	uint32_t hops_n;       // the set: next hops, whose entries are in the published table
	uint32_t hops_done;
	uint16_t hops[TR_HOPS_MAX];
	bool hop_in_set[TR_HOPS_MAX];
};

static void guard(struct tr_swap *swap, unsigned table, enum io_access access)
{
	struct tr_fib *fib = &swap->table[table];

	fib->lpm->ops->guard(fib->lpm, access);
	tr_io_table_guard(swap->env, fib->hops, HOPS_BYTES, access);
	tr_io_table_guard(swap->env, fib->suspects, sizeof(*fib->suspects), access);
}

struct tr_swap *tr_swap_new(struct io_env *env, const struct tr_lpm_ops *ops, unsigned units,
	uint64_t hash_seed)
{
	struct tr_swap *swap = calloc(1, sizeof(*swap));

	if (!swap)
		return NULL;
	swap->env = env;
	swap->units = units;
	for (unsigned i = 0; i < 2; i++) {
		swap->table[i].flow = tr_flow_key(hash_seed);
		swap->table[i].lpm = ops->create(env);
		swap->table[i].hops = tr_io_table_alloc(env, HOPS_BYTES);
		swap->table[i].suspects = tr_io_table_alloc(env, sizeof(struct tr_suspects));
		if (!swap->table[i].lpm || !swap->table[i].hops || !swap->table[i].suspects) {
			tr_swap_free(swap);
			errno = ENOMEM;
			return NULL;
		}
	}
	guard(swap, 0, IO_ACCESS_READ);
	guard(swap, 1, IO_ACCESS_NONE);
	return swap;
}

void tr_swap_free(struct tr_swap *swap)
{
	if (!swap)
		return;
	for (unsigned i = 0; i < 2; i++) {
		struct tr_fib *fib = &swap->table[i];
		tr_lpm_free(fib->lpm);
		if (fib->hops)
			tr_io_table_free(swap->env, fib->hops, HOPS_BYTES);
		if (fib->suspects)
			tr_io_table_free(swap->env, fib->suspects, sizeof(*fib->suspects));
	}
	free(swap->changes);
	free(swap);
}

const struct tr_fib *tr_swap_active(const struct tr_swap *swap)
{
	return &swap->table[swap->active];
}

bool tr_swap_ready(const struct tr_swap *swap)
{
	return swap->state == STATE_READY;
}

bool tr_swap_outstanding(const struct tr_swap *swap)
{
	return swap->state == STATE_OUTSTANDING;
}

uint64_t tr_swap_set_size(const struct tr_swap *swap)
{
	return swap->state == STATE_READY ? swap->changes_n + swap->hops_n : 0;
}

uint64_t tr_swap_room(const struct tr_swap *swap)
{
	const struct tr_lpm *lpm = swap->table[!swap->active].lpm;

	return lpm->ops->room(lpm);
}

// The shadow, writable. It becomes so with the first operation of a set.
static struct tr_fib *open_shadow(struct tr_swap *swap)
{
	assert(swap->state == STATE_READY);
	if (swap->changes_n + swap->hops_n == 0)
		guard(swap, !swap->active, IO_ACCESS_WRITE);
	return &swap->table[!swap->active];
}

// Takes the access back where the operation that opened the shadow failed.
static void close_empty_set(struct tr_swap *swap)
{
	if (swap->changes_n + swap->hops_n == 0)
		guard(swap, !swap->active, IO_ACCESS_NONE);
}

static int apply(struct tr_fib *fib, const struct tr_fib_change *change)
{
	struct tr_lpm *lpm = fib->lpm;
	int error;

	if (!change->set) {
		lpm->ops->clear(lpm, change->prefix, change->bits, change->cover_bits, change->hop);
		return 0;
	}
	error = lpm->ops->set(lpm, change->prefix, change->bits, change->hop);
	if (!error && change->no_source)
		tr_suspects_mark(fib->suspects, change->prefix, change->bits);
	return error;
}

int tr_swap_prefix(struct tr_swap *swap, const struct tr_fib_change *change)
{
	if (swap->changes_n == swap->changes_size) {
		uint64_t size = swap->changes_size ? swap->changes_size * 2 : CHANGES_FIRST;
		struct tr_fib_change *changes = realloc(swap->changes, size * sizeof(*changes));
		if (!changes)
			return -ENOMEM;
		swap->changes = changes;
		swap->changes_size = size;
	}
	int error = apply(open_shadow(swap), change);
	if (error) {
		close_empty_set(swap);
		return error;
	}
	swap->changes[swap->changes_n++] = *change;
	return 0;
}

void tr_swap_hop(struct tr_swap *swap, uint16_t hop, const struct tr_next_hop *entry)
{
	assert(hop < TR_HOPS_MAX);
	open_shadow(swap)->hops[hop] = *entry;
	if (!swap->hop_in_set[hop]) {
		swap->hop_in_set[hop] = true;
		swap->hops[swap->hops_n++] = hop;
	}
}

const struct tr_fib *tr_swap_publish(struct tr_swap *swap)
{
	if (swap->state != STATE_READY || swap->changes_n + swap->hops_n == 0)
		return NULL;
	swap->active = !swap->active;
	guard(swap, swap->active, IO_ACCESS_READ);
	swap->table[swap->active].generation = ++swap->generation;
	swap->acknowledged = 0;
	swap->state = swap->units ? STATE_OUTSTANDING : STATE_CATCHING_UP;
	return &swap->table[swap->active];
}

void tr_swap_acknowledge(struct tr_swap *swap, uint64_t generation)
{
	assert(swap->state == STATE_OUTSTANDING && generation == swap->generation);
	if (swap->state != STATE_OUTSTANDING || generation != swap->generation)
		return;
	if (++swap->acknowledged == swap->units)
		swap->state = STATE_CATCHING_UP;
}

static void end_set(struct tr_swap *swap)
{
	guard(swap, !swap->active, IO_ACCESS_NONE);
	for (uint32_t i = 0; i < swap->hops_n; i++)
		swap->hop_in_set[swap->hops[i]] = false;
	if (swap->changes_size > CHANGES_KEPT) {
		free(swap->changes);
		swap->changes = NULL;
		swap->changes_size = 0;
	}
	swap->changes_n = swap->changes_done = 0;
	swap->hops_n = swap->hops_done = 0;
	swap->state = STATE_READY;
}

unsigned tr_swap_catch_up(struct tr_swap *swap, unsigned most)
{
	const struct tr_fib *published = tr_swap_active(swap);
	struct tr_fib *old = &swap->table[!swap->active];
	unsigned done = 0;

	if (swap->state != STATE_CATCHING_UP || most == 0)
		return 0;
	if (swap->changes_done + swap->hops_done == 0)
		guard(swap, !swap->active, IO_ACCESS_WRITE);
	for (; done < most && swap->hops_done < swap->hops_n; done++) {
		uint16_t hop = swap->hops[swap->hops_done++];
		old->hops[hop] = published->hops[hop];
	}
	for (; done < most && swap->changes_done < swap->changes_n; done++) {
		int error = apply(old, &swap->changes[swap->changes_done++]);
		assert(!error); // the tables were equal, and it fitted into the other one
		(void)error;
	}
	if (swap->hops_done == swap->hops_n && swap->changes_done == swap->changes_n)
		end_set(swap);
	return done;
}
