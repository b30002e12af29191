// SPDX-License-Identifier: MIT
// The prefixes that wait to be brought to the FIB, by their index in the RIB, in the order of their
// first change. That none is in it twice is a flag in the RIB's node (rib.h).
#pragma once
#include <stdint.h>

struct tr_dirty {
	uint32_t *index;
	uint64_t size;
	uint64_t first; // what stands before it has been taken
	uint64_t end;
};

static inline uint64_t tr_dirty_count(const struct tr_dirty *dirty)
{
	return dirty->end - dirty->first;
}

static inline uint32_t tr_dirty_first(const struct tr_dirty *dirty)
{
	return dirty->index[dirty->first];
}

static inline void tr_dirty_pop(struct tr_dirty *dirty)
{
	dirty->first++;
}

// Makes room for one more. 0 or -ENOMEM.
int tr_dirty_reserve(struct tr_dirty *dirty);
void tr_dirty_push(struct tr_dirty *dirty, uint32_t index);
// Gives back the memory of what has been taken.
void tr_dirty_compact(struct tr_dirty *dirty);
