// SPDX-License-Identifier: MIT
// DPDK's side of core/backend.h: the structs that the core's accessors look into, and the bodies of
// those accessors. A packet is an rte_mbuf under another name, a ring an rte_ring with one producer
// and one consumer. What happens once a packet is here; what happens seldom is a call.
// An mbuf says by which ethdev it came. Packets made by the router say so instead, and
// pkt_set_port() writes a router's port: both have the top bit set, which no ethdev has.
#pragma once
#include "formats/ethernet.h"

#include <assert.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_spinlock.h>
#include <string.h>

#define PKT_ROUTER_PORT 0x8000
#define IO_BURSTS_A_TIMING 16 // a reading of the clock costs as much as a step over a few packets

struct tr_trace;

// What a packet carries besides what an mbuf has, in its dynamic field. The number counts only
// where the flag is set: drivers clear flags, not fields.
struct pkt_facts {
	uint32_t trace;
	uint8_t punt;
	uint8_t reserved[3];
};

// The first two are the same for the whole process, as mbufs are.
extern int tr_pkt_facts_offset;
extern uint64_t tr_pkt_traced_flag;
extern uint16_t tr_port_of_ethdev[RTE_MAX_ETHPORTS];

struct io_core {
	bool trace_on; // control: rw, unit: ro
	uint16_t unit;
	uint64_t hz;
	struct tr_trace *trace;
	struct rte_ring *events; // of the trace; this unit produces, the control thread consumes
	uint64_t events_lost;    // the ring was full
};

// Read by all units; written at set-up, and where it says so.
struct io_port {
	uint16_t ethdev;
	uint16_t rx_queues;   // to be polled; control: rw, 0 while draining
	uint16_t shared_tx;   // transmit queues from this one on belong to several units
	bool link_up;         // control: rw
	int twin;             // file descriptor of the TAP, -1: none
	uint64_t twin_cycles; // slow: rw; the twin is not asked before
	rte_spinlock_t tx_lock;
	uint64_t chained; // frames in several buffers that did not fit into one: dropped
	char reserved[RTE_CACHE_LINE_SIZE];
};

unsigned tr_rx_whole(struct io_port *port, struct rte_mbuf **mbufs, unsigned n);
void tr_tx_pad(struct rte_mbuf *mbuf);
unsigned tr_twin_rx(struct io_core *core, struct io_port *port, struct pkt **pkts, unsigned n);
unsigned tr_twin_tx(struct io_port *port, struct pkt **pkts, unsigned n);
void tr_trace_pick(struct io_core *core, struct pkt **pkts, unsigned n);
void tr_trace_event(struct io_core *core, const struct pkt *pkt, unsigned step, uint16_t verdict);

// --- packets -------------------------------------------------------------------------------------
static inline struct rte_mbuf *pkt_mbuf(const struct pkt *pkt)
{
	return (struct rte_mbuf *)(uintptr_t)pkt;
}

static inline struct pkt_facts *pkt_facts(const struct pkt *pkt)
{
	return RTE_MBUF_DYNFIELD(pkt_mbuf(pkt), tr_pkt_facts_offset, struct pkt_facts *);
}

static inline uint8_t *pkt_data(const struct pkt *pkt)
{
	return rte_pktmbuf_mtod(pkt_mbuf(pkt), uint8_t *);
}

static inline uint32_t pkt_bytes(const struct pkt *pkt)
{
	return pkt_mbuf(pkt)->data_len;
}

static inline uint16_t pkt_port(const struct pkt *pkt)
{
	uint16_t port = pkt_mbuf(pkt)->port;

	if (port == RTE_MBUF_PORT_INVALID)
		return TR_NO_PORT;
	return port & PKT_ROUTER_PORT ? port & ~PKT_ROUTER_PORT : tr_port_of_ethdev[port];
}

static inline void pkt_set_port(struct pkt *pkt, uint16_t port)
{
	pkt_mbuf(pkt)->port = port | PKT_ROUTER_PORT;
}

static inline uint8_t pkt_checksum(const struct pkt *pkt)
{
	static_assert(PKT_CHECKSUM_GOOD == RTE_MBUF_F_RX_IP_CKSUM_GOOD &&
			PKT_CHECKSUM_BAD == RTE_MBUF_F_RX_IP_CKSUM_BAD,
		"the flags as they are");
	return (uint8_t)(pkt_mbuf(pkt)->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK);
}

static inline unsigned pkt_pieces(const struct pkt *pkt)
{
	return pkt_mbuf(pkt)->nb_segs;
}

static inline void pkt_prefetch(const struct pkt *pkt)
{
	rte_prefetch0(pkt_mbuf(pkt));
	rte_prefetch0(pkt_facts(pkt));
}

static inline uint8_t pkt_punt(const struct pkt *pkt)
{
	return pkt_facts(pkt)->punt;
}

static inline void pkt_set_punt(struct pkt *pkt, uint8_t reason)
{
	pkt_facts(pkt)->punt = reason;
}

static inline uint8_t *pkt_prepend(struct pkt *pkt, uint32_t bytes)
{
	if (bytes > UINT16_MAX)
		return NULL;
	return (uint8_t *)rte_pktmbuf_prepend(pkt_mbuf(pkt), (uint16_t)bytes);
}

static inline uint8_t *pkt_append(struct pkt *pkt, uint32_t bytes)
{
	if (bytes > UINT16_MAX)
		return NULL;
	return (uint8_t *)rte_pktmbuf_append(pkt_mbuf(pkt), (uint16_t)bytes);
}

static inline void pkt_pull(struct pkt *pkt, uint32_t bytes)
{
	assert(bytes <= pkt_bytes(pkt));
	rte_pktmbuf_adj(pkt_mbuf(pkt), (uint16_t)bytes);
}

static inline void pkt_trim(struct pkt *pkt, uint32_t bytes)
{
	struct rte_mbuf *mbuf = pkt_mbuf(pkt);

	assert(bytes <= mbuf->data_len);
	mbuf->data_len = (uint16_t)bytes;
	mbuf->pkt_len = bytes;
}

static inline int pkt_alloc_bulk(struct io_pool *pool, struct pkt **pkts, unsigned n)
{
	if (rte_pktmbuf_alloc_bulk((struct rte_mempool *)pool, (struct rte_mbuf **)pkts, n) == 0)
		return 0;
	return -ENOMEM;
}

// A buffer that only has to go back to its pool: of one segment, its own, and nobody else's.
static inline bool pkt_is_simple(const struct rte_mbuf *mbuf, const struct rte_mempool *pool)
{
	return (rte_mbuf_refcnt_read(mbuf) == 1) & (mbuf->nb_segs == 1) & (mbuf->pool == pool) &
		((mbuf->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) == 0);
}

static inline void pkt_free_bulk(struct pkt **pkts, unsigned n)
{
	struct rte_mbuf **mbufs = (struct rte_mbuf **)pkts;
	bool are_simple = true;

	if (n == 0)
		return;
	for (unsigned i = 0; i < n; i++)
		are_simple &= pkt_is_simple(mbufs[i], mbufs[0]->pool);
	if (likely(are_simple))
		rte_mempool_put_bulk(mbufs[0]->pool, (void **)mbufs, n);
	else
		rte_pktmbuf_free_bulk(mbufs, n);
}

static inline void pkt_inherit(struct pkt *child, const struct pkt *parent)
{
	pkt_mbuf(child)->ol_flags |= pkt_mbuf(parent)->ol_flags & tr_pkt_traced_flag;
	pkt_facts(child)->trace = pkt_facts(parent)->trace;
}

// --- trace hooks ---------------------------------------------------------------------------------
// What the control thread prepared before it set the flag is seen with it.
static inline bool io_trace_on(const struct io_core *core)
{
	return __atomic_load_n(&core->trace_on, __ATOMIC_ACQUIRE);
}

static inline void io_trace(struct io_core *core, const struct pkt *pkt, unsigned step,
	uint16_t verdict)
{
	if (io_trace_on(core) && pkt_mbuf(pkt)->ol_flags & tr_pkt_traced_flag)
		tr_trace_event(core, pkt, step, verdict);
}

// --- ports and their twins -----------------------------------------------------------------------
static inline unsigned io_rx_burst(struct io_core *core, struct io_port *port, uint16_t queue,
	struct pkt **pkts, unsigned n)
{
	struct rte_mbuf **mbufs = (struct rte_mbuf **)pkts;

	if (queue >= __atomic_load_n(&port->rx_queues, __ATOMIC_RELAXED))
		return 0;
	n = rte_eth_rx_burst(port->ethdev, queue, mbufs, (uint16_t)n);
	if (unlikely(io_trace_on(core))) {
		n = tr_rx_whole(port, mbufs, n);
		tr_trace_pick(core, pkts, n);
	}
	return n;
}

static inline unsigned io_rx_whole(struct io_port *port, struct pkt **pkts, unsigned n)
{
	return tr_rx_whole(port, (struct rte_mbuf **)pkts, n);
}

static inline void io_tx_fill(struct pkt **pkts, unsigned n)
{
	struct rte_mbuf **mbufs = (struct rte_mbuf **)pkts;

	for (unsigned i = 0; i < n; i++) {
		if (mbufs[i]->data_len < ETHER_FRAME_BYTES_MIN)
			tr_tx_pad(mbufs[i]);
	}
}

static inline unsigned io_tx_burst(struct io_core *core, struct io_port *port, uint16_t queue,
	struct pkt **pkts, unsigned n)
{
	struct rte_mbuf **mbufs = (struct rte_mbuf **)pkts;

	(void)core;
	if (likely(queue < port->shared_tx))
		return rte_eth_tx_burst(port->ethdev, queue, mbufs, (uint16_t)n);
	rte_spinlock_lock(&port->tx_lock);
	n = rte_eth_tx_burst(port->ethdev, port->shared_tx, mbufs, (uint16_t)n);
	rte_spinlock_unlock(&port->tx_lock);
	return n;
}

static inline unsigned io_twin_rx_burst(struct io_core *core, struct io_port *port,
	struct pkt **pkts, unsigned n)
{
	return port->twin < 0 ? 0 : tr_twin_rx(core, port, pkts, n);
}

static inline unsigned io_twin_tx_burst(struct io_core *core, struct io_port *port,
	struct pkt **pkts, unsigned n)
{
	(void)core;
	return port->twin < 0 ? 0 : tr_twin_tx(port, pkts, n);
}

static inline bool io_twin_present(const struct io_port *port)
{
	return port->twin >= 0;
}

static inline bool io_link_up(const struct io_port *port)
{
	return __atomic_load_n(&port->link_up, __ATOMIC_RELAXED);
}

// --- rings ---------------------------------------------------------------------------------------
static inline unsigned io_ring_enqueue(struct io_core *core, struct io_ring *ring,
	void *const *items, unsigned n)
{
	(void)core;
	return rte_ring_sp_enqueue_burst((struct rte_ring *)ring, items, n, NULL);
}

static inline unsigned io_ring_dequeue(struct io_core *core, struct io_ring *ring, void **items,
	unsigned n)
{
	(void)core;
	return rte_ring_sc_dequeue_burst((struct rte_ring *)ring, items, n, NULL);
}

static inline unsigned io_ring_count(const struct io_ring *ring)
{
	return rte_ring_count((const struct rte_ring *)ring);
}

// --- the clock -----------------------------------------------------------------------------------
static inline uint64_t io_cycles(const struct io_core *core)
{
	(void)core;
	return rte_rdtsc();
}

static inline uint64_t io_cycles_hz(const struct io_core *core)
{
	return core->hz;
}

// --- cost hooks: time is real here ---------------------------------------------------------------
static inline void io_cost_step(struct io_core *core, unsigned step, unsigned lanes)
{
	(void)core;
	(void)step;
	(void)lanes;
}

static inline void io_cost_touch(struct io_core *core, const void *address, size_t bytes)
{
	(void)core;
	(void)address;
	(void)bytes;
}
