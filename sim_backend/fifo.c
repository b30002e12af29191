// SPDX-License-Identifier: MIT
// Growth of the packet queues (fifo.h): twice the room each time, so that a queue settles at what
// its traffic needs and then never allocates again.
#include "fifo.h"
#include <stdlib.h>

#define FIFO_ROOM_MIN 16

bool tr_fifo_grow(struct tr_fifo *fifo)
{
	uint32_t room = fifo->room ? 2 * fifo->room : FIFO_ROOM_MIN;
	struct tr_fifo_item *item = room ? malloc(room * sizeof(*item)) : NULL;

	if (!item)
		return false;
	for (uint32_t i = 0; i < fifo->count; i++)
		item[i] = *tr_fifo_at(fifo, i);
	free(fifo->item);
	fifo->item = item;
	fifo->room = room;
	fifo->head = 0;
	return true;
}

void tr_fifo_free(struct tr_fifo *fifo)
{
	free(fifo->item);
	*fifo = (struct tr_fifo){0};
}
