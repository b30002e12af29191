// SPDX-License-Identifier: MIT
// Packet buffers (pool.h). Buffers are made in chunks, facts and bytes apart, and go back to a
// stack, so which buffer a packet gets depends on nothing but the order of events.
#include "pool.h"
#include "world.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POOL_CHUNK 256

struct tr_stock_chunk {
	struct tr_stock_chunk *next;
	uint8_t *buffers;
	struct pkt pkt[POOL_CHUNK];
};

void tr_stock_init(struct tr_stock *stock)
{
	stock->room = PKT_HEADROOM + POOL_DATA_MIN;
}

void tr_stock_free(struct tr_stock *stock)
{
	while (stock->chunks) {
		struct tr_stock_chunk *chunk = stock->chunks;

		stock->chunks = chunk->next;
		free(chunk->buffers);
		free(chunk);
	}
	free(stock->free);
}

void tr_stock_fit(struct tr_stock *stock, uint32_t frame_bytes)
{
	uint32_t room = (PKT_HEADROOM + frame_bytes + 63) & ~63u;

	if (room <= stock->room)
		return;
	stock->room = room;
	stock->free_count = 0;
}

uint32_t tr_stock_frame_max(const struct tr_stock *stock)
{
	uint32_t most = stock->room - PKT_HEADROOM;

	return most < POOL_DATA_MAX ? most : POOL_DATA_MAX;
}

static void rest(struct tr_stock *stock, struct pkt *pkt)
{
#ifdef __SANITIZE_ADDRESS__
	__asan_poison_memory_region(pkt->buffer, pkt->room);
#endif
	if (pkt->room == stock->room)
		stock->free[stock->free_count++] = pkt;
}

static bool grow(struct tr_stock *stock)
{
	uint64_t total = stock->total + POOL_CHUNK;
	struct pkt **list = realloc(stock->free, total * sizeof(*list));
	struct tr_stock_chunk *chunk = malloc(sizeof(*chunk));
	uint8_t *buffers = aligned_alloc(64, POOL_CHUNK * (size_t)stock->room);

	if (list)
		stock->free = list;
	if (!list || !chunk || !buffers) {
		free(chunk);
		free(buffers);
		return false;
	}
	memset(buffers, 0, POOL_CHUNK * (size_t)stock->room);
	chunk->next = stock->chunks;
	chunk->buffers = buffers;
	stock->chunks = chunk;
	stock->total = total;
	for (unsigned i = POOL_CHUNK; i-- > 0;) {
		chunk->pkt[i] = (struct pkt){
			.buffer = buffers + (size_t)i * stock->room,
			.room = stock->room,
		};
		rest(stock, &chunk->pkt[i]);
	}
	return true;
}

struct pkt *tr_pkt_new(struct tr_world *world)
{
	struct tr_stock *stock = &world->stock;
	struct pkt *pkt;

	if (stock->free_count == 0 && !grow(stock)) {
		tr_world_fail(world, -ENOMEM);
		return NULL;
	}
	pkt = stock->free[--stock->free_count];
	stock->in_use++;
	pkt->data = pkt->buffer + PKT_HEADROOM;
	pkt->owner = NULL;
	pkt->rx_ps = TR_SIM_NEVER;
	pkt->latency_ps = -1;
	pkt->bytes = 0;
	pkt->trace = 0;
	pkt->rss = 0;
	pkt->port = TR_NO_PORT;
	pkt->punt = 0;
	pkt->checksum = PKT_CHECKSUM_UNKNOWN;
	pkt_fence(pkt);
	return pkt;
}

struct pkt *tr_pkt_copy(struct tr_world *world, const uint8_t *data, uint32_t bytes)
{
	struct pkt *pkt = tr_pkt_new(world);

	if (!pkt)
		return NULL;
	assert(bytes <= pkt->room);
	// The core may have grown a frame into its headroom.
	if (bytes > pkt->room - PKT_HEADROOM)
		pkt->data = pkt->buffer;
	pkt->bytes = bytes;
	pkt_fence(pkt);
	memcpy(pkt->data, data, bytes);
	return pkt;
}

void tr_pkt_free(struct tr_world *world, struct pkt *pkt)
{
	tr_pool_release(pkt);
	assert(world->stock.in_use);
	world->stock.in_use--;
	rest(&world->stock, pkt);
}

bool tr_pool_charge(struct io_pool *pool, struct pkt *pkt)
{
	assert(pkt->owner == NULL);
	if (pool->used >= pool->limit || tr_rng_chance(&pool->rng, pool->no_buffer_ppm))
		return false;
	pool->used++;
	pkt->owner = pool;
	return true;
}

void tr_pool_release(struct pkt *pkt)
{
	if (!pkt->owner)
		return;
	pkt->owner->used--;
	pkt->owner = NULL;
}

int tr_pkt_alloc_bulk(struct io_pool *pool, struct pkt **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pkts[i] = tr_pkt_new(pool->world);
		if (pkts[i] && tr_pool_charge(pool, pkts[i]))
			continue;
		if (pkts[i])
			tr_pkt_free(pool->world, pkts[i]);
		tr_pkt_free_bulk(pkts, i);
		return -ENOMEM;
	}
	return 0;
}

// The core frees only what is in its router's account.
void tr_pkt_free_bulk(struct pkt **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert(pkts[i]->owner);
		tr_pkt_free(pkts[i]->owner->world, pkts[i]);
	}
}
