// SPDX-License-Identifier: MIT
// Longest-prefix match: the interface between a FIB and a lookup structure. A structure maps
// prefixes to next-hop indices and knows nothing else; index 0 is what no prefix covers.
// One table belongs to one writer; while it is published nobody writes (tables/fib.h).
#pragma once
#include "backend.h"

#define TR_HOP_DEFAULT 0
#define TR_HOPS_MAX 32768 // indices 1..32767 can be given to prefixes
// How many addresses ahead a lookup prefetches: about what a core keeps in flight to memory.
#define TR_LOOKUP_AHEAD 24

struct tr_lpm_ops {
	const char *name;
	// NULL with errno. `env` NULL: plain memory.
	struct tr_lpm *(*create)(struct io_env *env);
	void (*destroy)(struct tr_lpm *lpm);
	// Adds or replaces a prefix of 1..32 bits (length 0 is next-hop entry TR_HOP_DEFAULT, so a
	// default route rewrites nothing). -ENOSPC: no room, and the table is as before.
	int (*set)(struct tr_lpm *lpm, uint32_t prefix, uint8_t bits, uint16_t hop);
	// Deletes a prefix; what it covered goes to the longest shorter prefix around it, given by
	// the caller, who has the RIB: cover_bits 0 and TR_HOP_DEFAULT where there is none.
	void (*clear)(struct tr_lpm *lpm, uint32_t prefix, uint8_t bits, uint8_t cover_bits,
		uint16_t cover_hop);
	// Host-order addresses to next-hop indices, with many reads on their way at a time.
	void (*lookup)(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops,
		uint32_t n);
	// The same for a single address.
	uint16_t (*find)(const struct tr_lpm *lpm, uint32_t address);
	// Tells the cost model which memory a lookup of these addresses reads. Nothing on DPDK.
	void (*touch)(const struct tr_lpm *lpm, struct io_core *core, const uint32_t *addresses,
		uint32_t n);
	// Covers everything that lookups read and that the writer keeps beside it.
	void (*guard)(struct tr_lpm *lpm, enum io_access access);
	// Memory that lookups of the present prefixes may read.
	uint64_t (*bytes)(const struct tr_lpm *lpm);
	// How many more blocks of 256 addresses can have prefixes longer than 24 bits.
	uint64_t (*room)(const struct tr_lpm *lpm);
};

// First member of every structure.
struct tr_lpm {
	const struct tr_lpm_ops *ops;
	// What a lookup reads first is around first[address >> first_shift]. NULL: a structure so
	// small that its own prefetches do.
	const uint8_t *first;
	uint32_t first_shift;
};

// For who knows addresses well before the lookup: the memory has that time to answer.
static inline void tr_lpm_prefetch(const struct tr_lpm *lpm, const uint32_t *addresses, uint32_t n)
{
	const uint8_t *first = lpm->first;
	uint32_t shift = lpm->first_shift;

	if (!first)
		return;
#pragma GCC unroll 8
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(first + (addresses[i] >> shift));
}

// The structures. A table of the first kind of each has the operations of the fastest other kind
// that the processor can do; ENOTSUP: it cannot do that one.
extern const struct tr_lpm_ops tr_dir24_8_ops;
extern const struct tr_lpm_ops tr_dir24_8_plain_ops;
extern const struct tr_lpm_ops tr_dir24_8_avx512_ops;
extern const struct tr_lpm_ops tr_compact_ops;
extern const struct tr_lpm_ops tr_compact_plain_ops;
extern const struct tr_lpm_ops tr_compact_popcnt_ops;
extern const struct tr_lpm_ops tr_compact_avx512_ops;

// The structure that a router was configured to look up in, by no wider vectors than it is to have.
const struct tr_lpm_ops *tr_lpm_of(const struct tr_config *config);
