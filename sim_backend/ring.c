// SPDX-License-Identifier: MIT
// Rings between the units of one router. An item is seen by the consumer once its clock has reached
// the producer's at the moment of the enqueue; it takes room from then on, whoever looks.
#include "env.h"
#include "world.h"
#include <errno.h>
#include <stdlib.h>

struct io_ring *tr_io_ring_new(struct io_env *env, uint32_t capacity, unsigned consumer)
{
	struct io_ring *ring;
	struct tr_core *core;

	assert(capacity && (capacity & (capacity - 1)) == 0);
	assert(consumer < env->units);
	ring = calloc(1, sizeof(*ring) + capacity * sizeof(ring->item[0]));
	if (!ring)
		return NULL;
	core = &env->core[consumer];
	ring->env = env;
	ring->capacity = capacity;
	ring->consumer = &core->io;
	ring->next = core->rings;
	core->rings = ring;
	return ring;
}

void tr_io_ring_free(struct io_ring *ring)
{
	struct tr_core *core;
	struct io_ring **link;

	if (!ring)
		return;
	core = tr_core_of(ring->consumer);
	core->ring_items -= ring->count;
	core->world->ring_items -= ring->count;
	for (link = &core->rings; *link != ring; link = &(*link)->next)
		assert(*link);
	*link = ring->next;
	free(ring);
}

unsigned tr_ring_enqueue(struct io_core *io, struct io_ring *ring, void *const *items, unsigned n)
{
	struct tr_core *consumer = tr_core_of(ring->consumer);
	struct tr_core *producer = io ? tr_core_of(io) : NULL;
	uint64_t ps = producer ? tr_core_ps(producer) : consumer->world->now_ps;
	uint32_t room = ring->capacity - ring->count;

	if (n > room)
		n = room;
	if (n == 0 || (producer && tr_rng_chance(&ring->env->ring_rng, ring->env->ring_full_ppm)))
		return 0; // no room, or a fault of chance
	for (unsigned i = 0; i < n; i++) {
		uint32_t at = (ring->head + ring->count + i) & (ring->capacity - 1);

		ring->item[at] = (struct io_ring_item){items[i], ps};
	}
	ring->count += n;
	consumer->ring_items += n;
	consumer->world->ring_items += n;
	if (producer)
		io->moves += n;
	tr_core_wake(consumer, ps);
	return n;
}

unsigned tr_ring_dequeue(struct io_core *io, struct io_ring *ring, void **items, unsigned n)
{
	struct tr_core *core = tr_core_of(io);
	uint64_t now_ps = tr_core_ps(core);
	unsigned taken = 0;

	assert(io == ring->consumer);
	while (taken < n && ring->count && ring->item[ring->head].visible_ps <= now_ps) {
		items[taken++] = ring->item[ring->head].item;
		ring->head = (ring->head + 1) & (ring->capacity - 1);
		ring->count--;
	}
	core->ring_items -= taken;
	core->world->ring_items -= taken;
	io->moves += taken;
	return taken;
}
