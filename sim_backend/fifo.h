// SPDX-License-Identifier: MIT
// A queue of packets with a time each: NIC queues, what is on a wire, answers of a station. It
// grows as needed; who wants a bound compares `count` before. Nothing here depends on addresses, so
// the order of packets is the same in every process.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct pkt;

struct tr_fifo_item {
	struct pkt *pkt;
	uint64_t ps; // when the packet may go on
};

struct tr_fifo {
	struct tr_fifo_item *item;
	uint32_t room; // power of two, or 0 before the first packet
	uint32_t head;
	uint32_t count;
};

bool tr_fifo_grow(struct tr_fifo *fifo); // false: no memory
void tr_fifo_free(struct tr_fifo *fifo); // packets in it stay as they are

static inline struct tr_fifo_item *tr_fifo_at(const struct tr_fifo *fifo, uint32_t index)
{
	return &fifo->item[(fifo->head + index) & (fifo->room - 1)];
}

static inline bool tr_fifo_push(struct tr_fifo *fifo, struct pkt *pkt, uint64_t ps)
{
	if (fifo->count == fifo->room && !tr_fifo_grow(fifo))
		return false;
	*tr_fifo_at(fifo, fifo->count++) = (struct tr_fifo_item){pkt, ps};
	return true;
}

// Keeps the queue in order of time; equal times stay in order of insertion.
static inline bool tr_fifo_insert(struct tr_fifo *fifo, struct pkt *pkt, uint64_t ps)
{
	uint32_t at = fifo->count;

	if (fifo->count == fifo->room && !tr_fifo_grow(fifo))
		return false;
	for (; at && tr_fifo_at(fifo, at - 1)->ps > ps; at--)
		*tr_fifo_at(fifo, at) = *tr_fifo_at(fifo, at - 1);
	*tr_fifo_at(fifo, at) = (struct tr_fifo_item){pkt, ps};
	fifo->count++;
	return true;
}

static inline struct pkt *tr_fifo_pop(struct tr_fifo *fifo)
{
	struct pkt *pkt = fifo->item[fifo->head].pkt;

	fifo->head = (fifo->head + 1) & (fifo->room - 1);
	fifo->count--;
	return pkt;
}

static inline uint64_t tr_fifo_ps(const struct tr_fifo *fifo)
{
	return fifo->count ? fifo->item[fifo->head].ps : UINT64_MAX;
}
