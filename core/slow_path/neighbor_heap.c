// SPDX-License-Identifier: MIT
// The timers of the neighbour table: a binary heap of entry numbers, the next one due on top, each
// entry knowing its place in it. Setting or stopping one costs a walk of the heap's depth, and the
// slow path's deadline is a look at the top.
#include "slow_path/neighbor_table.h"

static bool is_before(const struct tr_neighbors *neighbors, uint32_t a, uint32_t b)
{
	const struct tr_neighbor *left = &neighbors->entry[a];
	const struct tr_neighbor *right = &neighbors->entry[b];

	// Equal times go by number, so the order does not depend on how the heap came about.
	return left->due_cycles < right->due_cycles ||
		(left->due_cycles == right->due_cycles && a < b);
}

static void put(struct tr_neighbors *neighbors, uint32_t place, uint32_t number)
{
	neighbors->heap[place] = number;
	neighbors->entry[number].timer = place;
}

static void rise(struct tr_neighbors *neighbors, uint32_t place, uint32_t number)
{
	while (place > 0) {
		uint32_t above = (place - 1) / 2;
		if (!is_before(neighbors, number, neighbors->heap[above]))
			break;
		put(neighbors, place, neighbors->heap[above]);
		place = above;
	}
	put(neighbors, place, number);
}

static void sink(struct tr_neighbors *neighbors, uint32_t place, uint32_t number)
{
	uint32_t *heap = neighbors->heap;

	for (;;) {
		uint32_t below = 2 * place + 1;
		if (below >= neighbors->timers)
			break;
		if (below + 1 < neighbors->timers &&
			is_before(neighbors, heap[below + 1], heap[below]))
			below++;
		if (!is_before(neighbors, heap[below], number))
			break;
		put(neighbors, place, heap[below]);
		place = below;
	}
	put(neighbors, place, number);
}

static void settle(struct tr_neighbors *neighbors, uint32_t place, uint32_t number)
{
	if (place > 0 && is_before(neighbors, number, neighbors->heap[(place - 1) / 2]))
		rise(neighbors, place, number);
	else
		sink(neighbors, place, number);
}

void tr_neighbor_timer(struct tr_neighbors *neighbors, struct tr_neighbor *entry, uint64_t due)
{
	uint32_t number = (uint32_t)(entry - neighbors->entry);
	uint32_t place = entry->timer;
	uint32_t last;

	entry->due_cycles = due;
	if (due != UINT64_MAX) {
		if (place == NEIGHBOR_NONE)
			place = neighbors->timers++;
		settle(neighbors, place, number);
		return;
	}
	if (place == NEIGHBOR_NONE)
		return;
	entry->timer = NEIGHBOR_NONE;
	last = neighbors->heap[--neighbors->timers];
	if (last != number)
		settle(neighbors, place, last);
}
