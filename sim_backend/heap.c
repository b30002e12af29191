// SPDX-License-Identifier: MIT
// An indexed binary heap (heap.h). Entries carry their key, so that sifting reads one array and not
// the actors.
#include "heap.h"
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

static bool is_before(const struct tr_heap_entry *a, const struct tr_heap_entry *b)
{
	return a->ps < b->ps || (a->ps == b->ps && a->tie < b->tie);
}

static void put(struct tr_heap *heap, uint32_t at, struct tr_heap_entry entry)
{
	heap->entry[at] = entry;
	entry.actor->position = at;
}

static void sift(struct tr_heap *heap, uint32_t at, struct tr_heap_entry entry)
{
	while (at && is_before(&entry, &heap->entry[(at - 1) / 2])) {
		put(heap, at, heap->entry[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
			is_before(&heap->entry[child + 1], &heap->entry[child]))
			child++;
		if (!is_before(&heap->entry[child], &entry))
			break;
		put(heap, at, heap->entry[child]);
		at = child;
	}
	put(heap, at, entry);
}

int tr_heap_add(struct tr_heap *heap, struct tr_actor *actor)
{
	if (heap->count == heap->room) {
		uint32_t room = heap->room ? 2 * heap->room : 16;
		struct tr_heap_entry *entry = realloc(heap->entry, room * sizeof(*entry));

		if (!entry)
			return -ENOMEM;
		heap->entry = entry;
		heap->room = room;
	}
	actor->ps = TR_SIM_NEVER;
	heap->count++;
	sift(heap, heap->count - 1, (struct tr_heap_entry){actor->ps, actor->tie, actor});
	return 0;
}

void tr_heap_remove(struct tr_heap *heap, struct tr_actor *actor)
{
	struct tr_heap_entry last = heap->entry[--heap->count];

	if (last.actor != actor)
		sift(heap, actor->position, last);
}

void tr_heap_set(struct tr_heap *heap, struct tr_actor *actor, uint64_t ps)
{
	assert(heap->entry[actor->position].actor == actor);
	if (actor->ps == ps)
		return;
	actor->ps = ps;
	sift(heap, actor->position, (struct tr_heap_entry){ps, actor->tie, actor});
}
