// SPDX-License-Identifier: MIT
// The list of dirty prefixes: an array that is appended to, taken from the front, and moved up
// between two sets. Room is reserved apart from pushing, so that it can be had before the RIB is
// changed.
#include "tables/dirty.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DIRTY_FIRST 256u
#define DIRTY_KEPT 65536u // a longer list is given back once it is empty

int tr_dirty_reserve(struct tr_dirty *dirty)
{
	if (dirty->end < dirty->size)
		return 0;
	uint64_t size = dirty->size ? dirty->size * 2 : DIRTY_FIRST;
	uint32_t *index = realloc(dirty->index, size * sizeof(*index));
	if (!index)
		return -ENOMEM;
	dirty->index = index;
	dirty->size = size;
	return 0;
}

void tr_dirty_push(struct tr_dirty *dirty, uint32_t index)
{
	assert(dirty->end < dirty->size);
	dirty->index[dirty->end++] = index;
}

void tr_dirty_compact(struct tr_dirty *dirty)
{
	uint64_t left = tr_dirty_count(dirty);

	if (left && dirty->first)
		memmove(dirty->index, dirty->index + dirty->first, left * sizeof(*dirty->index));
	dirty->first = 0;
	dirty->end = left;
	if (!left && dirty->size > DIRTY_KEPT) {
		free(dirty->index);
		dirty->index = NULL;
		dirty->size = 0;
	}
}
