// SPDX-License-Identifier: MIT
// The simulator's side of core/backend.h: the structs that the core's accessors look into, and the
// bodies of those accessors. What happens once a burst is a call into nic.c, ring.c or pool.c; what
// happens once a packet is here. Under AddressSanitizer a packet's buffer is poisoned outside of
// its frame, so that the core reading beyond a frame fails a test.
#pragma once
#include "fifo.h"
#include "sim_api.h"
#include <assert.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#define PKT_HEADROOM 128
#define IO_BURSTS_A_TIMING 1 // the virtual clock is read for nothing

struct tr_wire;

struct pkt {
	uint8_t *data;         // the frame, within buffer
	uint8_t *buffer;       // `room` bytes
	struct io_pool *owner; // the router that the buffer is charged to, NULL: none
	uint64_t rx_ps;        // when it reached the router, TR_SIM_NEVER: made here
	int64_t latency_ps;    // in the last router, -1: none
	uint32_t bytes;
	uint32_t room;
	uint32_t trace; // number of the traced packet, 0: not traced
	uint32_t rss;   // hash of the NIC, 0: not computed
	uint16_t port;
	uint8_t punt;
	uint8_t checksum; // enum pkt_checksum
};

static_assert(sizeof(struct pkt) == 64, "a cache line of facts a packet");

struct io_core {
	uint64_t cycles; // the clock as the core sees it
	uint64_t millicycles;
	const struct tr_step_cost *cost; // NULL: functional, nothing takes time
	uint64_t hz;
	uint64_t moves; // packets and ring items that came or went
	bool trace_on;
};

struct io_port {
	struct io_env *env;
	uint16_t id;
	uint16_t fast_units; // queues that RSS spreads over
	bool link_up;
	struct tr_nic_config config;
	struct tr_wire *wire;      // away from the port, NULL: no link
	struct tr_wire *twin_wire; // away from its twin
	struct tr_nic_counters counters;
	struct tr_fifo twin_rx;
	struct tr_fifo rx[TR_UNITS_MAX];
};

struct io_ring_item {
	void *item;
	uint64_t visible_ps; // on its producer's clock
};

struct io_ring {
	struct io_env *env;
	struct io_core *consumer;
	struct io_ring *next; // of the same consumer
	uint32_t capacity;    // power of two
	uint32_t head;
	uint32_t count;
	struct io_ring_item item[];
};

void tr_pkt_free_bulk(struct pkt **pkts, unsigned n);
int tr_pkt_alloc_bulk(struct io_pool *pool, struct pkt **pkts, unsigned n);
unsigned tr_nic_rx(struct io_core *core, struct tr_fifo *queue, struct pkt **pkts, unsigned n);
unsigned tr_nic_tx(struct io_core *core, struct io_port *port, uint16_t queue, struct pkt **pkts,
	unsigned n);
unsigned tr_twin_tx(struct io_core *core, struct io_port *port, struct pkt **pkts, unsigned n);
unsigned tr_ring_enqueue(struct io_core *core, struct io_ring *ring, void *const *items,
	unsigned n);
unsigned tr_ring_dequeue(struct io_core *core, struct io_ring *ring, void **items, unsigned n);
void tr_core_trace(struct io_core *core, const struct pkt *pkt, unsigned step, uint16_t verdict);

// --- packets -------------------------------------------------------------------------------------
// To be called whenever the frame's place or length has changed.
static inline void pkt_fence(struct pkt *pkt)
{
#ifdef __SANITIZE_ADDRESS__
	__asan_poison_memory_region(pkt->buffer, pkt->room);
	__asan_unpoison_memory_region(pkt->data, pkt->bytes);
#else
	(void)pkt;
#endif
}

static inline uint8_t *pkt_data(const struct pkt *pkt)
{
	return pkt->data;
}

static inline uint32_t pkt_bytes(const struct pkt *pkt)
{
	return pkt->bytes;
}

static inline uint16_t pkt_port(const struct pkt *pkt)
{
	return pkt->port;
}

static inline void pkt_set_port(struct pkt *pkt, uint16_t port)
{
	pkt->port = port;
}

static inline uint8_t pkt_checksum(const struct pkt *pkt)
{
	return pkt->checksum;
}

static inline unsigned pkt_pieces(const struct pkt *pkt)
{
	(void)pkt;
	return 1;
}

static inline void pkt_prefetch(const struct pkt *pkt)
{
	__builtin_prefetch(pkt);
}

static inline uint8_t pkt_punt(const struct pkt *pkt)
{
	return pkt->punt;
}

static inline void pkt_set_punt(struct pkt *pkt, uint8_t reason)
{
	pkt->punt = reason;
}

static inline uint8_t *pkt_prepend(struct pkt *pkt, uint32_t bytes)
{
	if (bytes > (uint64_t)(pkt->data - pkt->buffer))
		return NULL;
	pkt->data -= bytes;
	pkt->bytes += bytes;
	pkt_fence(pkt);
	return pkt->data;
}

static inline uint8_t *pkt_append(struct pkt *pkt, uint32_t bytes)
{
	uint32_t old = pkt->bytes;

	if (bytes > (uint64_t)(pkt->buffer + pkt->room - pkt->data) - old)
		return NULL;
	pkt->bytes += bytes;
	pkt_fence(pkt);
	return pkt->data + old;
}

static inline void pkt_pull(struct pkt *pkt, uint32_t bytes)
{
	assert(bytes <= pkt->bytes);
	pkt->data += bytes;
	pkt->bytes -= bytes;
	pkt_fence(pkt);
}

static inline void pkt_trim(struct pkt *pkt, uint32_t bytes)
{
	assert(bytes <= pkt->bytes);
	pkt->bytes = bytes;
	pkt_fence(pkt);
}

static inline int pkt_alloc_bulk(struct io_pool *pool, struct pkt **pkts, unsigned n)
{
	return tr_pkt_alloc_bulk(pool, pkts, n);
}

static inline void pkt_free_bulk(struct pkt **pkts, unsigned n)
{
	if (n)
		tr_pkt_free_bulk(pkts, n);
}

static inline void pkt_inherit(struct pkt *child, const struct pkt *parent)
{
	child->trace = parent->trace;
}

// --- ports and their twins -----------------------------------------------------------------------
static inline unsigned io_rx_burst(struct io_core *core, struct io_port *port, uint16_t queue,
	struct pkt **pkts, unsigned n)
{
	if (port->rx[queue].count == 0)
		return 0;
	return tr_nic_rx(core, &port->rx[queue], pkts, n);
}

static inline unsigned io_rx_whole(struct io_port *port, struct pkt **pkts, unsigned n)
{
	(void)port;
	(void)pkts;
	return n;
}

// The simulated NIC fills them.
static inline void io_tx_fill(struct pkt **pkts, unsigned n)
{
	(void)pkts;
	(void)n;
}

static inline unsigned io_tx_burst(struct io_core *core, struct io_port *port, uint16_t queue,
	struct pkt **pkts, unsigned n)
{
	return tr_nic_tx(core, port, queue, pkts, n);
}

static inline unsigned io_twin_rx_burst(struct io_core *core, struct io_port *port,
	struct pkt **pkts, unsigned n)
{
	if (port->twin_rx.count == 0)
		return 0;
	return tr_nic_rx(core, &port->twin_rx, pkts, n);
}

static inline unsigned io_twin_tx_burst(struct io_core *core, struct io_port *port,
	struct pkt **pkts, unsigned n)
{
	return tr_twin_tx(core, port, pkts, n);
}

static inline bool io_twin_present(const struct io_port *port)
{
	return port->twin_wire != NULL;
}

static inline bool io_link_up(const struct io_port *port)
{
	return port->link_up;
}

// --- rings ---------------------------------------------------------------------------------------
static inline unsigned io_ring_enqueue(struct io_core *core, struct io_ring *ring,
	void *const *items, unsigned n)
{
	return tr_ring_enqueue(core, ring, items, n);
}

static inline unsigned io_ring_dequeue(struct io_core *core, struct io_ring *ring, void **items,
	unsigned n)
{
	if (ring->count == 0)
		return 0;
	return tr_ring_dequeue(core, ring, items, n);
}

static inline unsigned io_ring_count(const struct io_ring *ring)
{
	return ring->count;
}

// --- the clock -----------------------------------------------------------------------------------
static inline uint64_t io_cycles(const struct io_core *core)
{
	return core->cycles;
}

static inline uint64_t io_cycles_hz(const struct io_core *core)
{
	return core->hz;
}

// --- cost and trace hooks ------------------------------------------------------------------------
static inline void io_cost_step(struct io_core *core, unsigned step, unsigned lanes)
{
	if (!core->cost)
		return;
	assert(step < TR_STEPS_MAX);
	core->millicycles += core->cost[step].call_millicycles;
	core->millicycles += core->cost[step].lane_millicycles * lanes;
	core->cycles = core->millicycles / 1000;
}

// The profile has no caches: what memory costs is part of a lane's price.
static inline void io_cost_touch(struct io_core *core, const void *address, size_t bytes)
{
	(void)core;
	(void)address;
	(void)bytes;
}

static inline bool io_trace_on(const struct io_core *core)
{
	return core->trace_on;
}

static inline void io_trace(struct io_core *core, const struct pkt *pkt, unsigned step,
	uint16_t verdict)
{
	if (pkt->trace)
		tr_core_trace(core, pkt, step, verdict);
}
