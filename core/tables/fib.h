// SPDX-License-Identifier: MIT
// The forwarding tables, twice: one published and immutable, one shadow that the slow path writes.
// A coalesced set of changes goes to the shadow, its pointer goes down every unit's command ring,
// each unit switches between two bursts and acknowledges; only then the same changes are applied
// to the old table, which becomes the shadow. No lock, no shared write on the fast path.
// All functions: slow-path thread only.
#pragma once
#include "tables/lpm.h"
#include "tables/multipath.h"
#include "tables/suspects.h"

// One table. fast: ro while published, slow: rw while shadow.
struct tr_fib {
	struct tr_lpm *lpm;
	struct tr_next_hop
		*hops; // TR_HOPS_MAX; entry 0 is a copy of the default route's, or "no route"
	struct tr_suspects *suspects; // marks of the routes whose addresses are no sources
	uint64_t generation;          // number of the swap that published it
	struct tr_flow_key flow;      // by which a next hop of several is chosen; the same in both
};

// One operation that both tables see, in the same order. The order in which changed prefixes are
// turned into operations does not matter for the result (fib.c says why).
struct tr_fib_change {
	uint32_t prefix;
	uint8_t bits;
	uint8_t set;        // 0: clear, what the prefix covered goes to (cover_bits, hop)
	uint8_t cover_bits; // clear only
	uint8_t no_source;  // set only: no packet may come from the prefix (tables/suspects.h)
	uint16_t hop;
	uint16_t reserved2;
};

struct tr_swap;

// `units`: how many acknowledgements a swap takes. NULL with errno.
struct tr_swap *tr_swap_new(struct io_env *env, const struct tr_lpm_ops *ops, unsigned units,
	uint64_t hash_seed);
void tr_swap_free(struct tr_swap *swap);

// The published table: what the fast path uses, and what the slow path itself routes by.
const struct tr_fib *tr_swap_active(const struct tr_swap *swap);

// True while no swap is outstanding and the old table has caught up: a new set may be begun.
bool tr_swap_ready(const struct tr_swap *swap);
// Adds to the set that is being built; only while ready. -ENOMEM, or -ENOSPC when the shadow has no
// room for the prefix: then this change is in neither table.
int tr_swap_prefix(struct tr_swap *swap, const struct tr_fib_change *change);
void tr_swap_hop(struct tr_swap *swap, uint16_t hop, const struct tr_next_hop *entry);
// Operations in the set that is being built.
uint64_t tr_swap_set_size(const struct tr_swap *swap);
// Blocks of 256 addresses that can still get prefixes longer than 24 bits.
uint64_t tr_swap_room(const struct tr_swap *swap);
// True from publication until the last acknowledgement.
bool tr_swap_outstanding(const struct tr_swap *swap);
// Publishes the shadow: returns the table to send to every unit, or NULL when the set is empty.
const struct tr_fib *tr_swap_publish(struct tr_swap *swap);
// A unit has switched to the table of that generation.
void tr_swap_acknowledge(struct tr_swap *swap, uint64_t generation);
// After the last acknowledgement: applies up to `most` changes to the old table. Returns how many.
unsigned tr_swap_catch_up(struct tr_swap *swap, unsigned most);
