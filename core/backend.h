// SPDX-License-Identifier: MIT
// What an I/O backend must supply: packets, ports, rings, the clock, memory, cost and trace hooks.
// The include path picks the backend: "backend_inline.h" is sim_backend's or dpdk_backend's, holds
// the bodies of the static inline functions below and defines the structs. The core knows no more
// than this file, so it has no #ifdef, and no indirect call per packet.
//
// Units: a router has n fast-path units, numbered 0..n-1, and the slow path, unit n. Receive queue
// and transmit queue i of a port belong to unit i alone. Into the slow path's receive queue come
// the frames that the NIC itself picked out as the slow path's, if it can do that: else nothing.
#pragma once
#include "api.h"
#include <stddef.h>

struct pkt;     // a packet buffer: one Ethernet frame without FCS, contiguous
struct io_env;  // what the backend holds for one router
struct io_core; // the processor that runs one unit
struct io_port;
struct io_pool; // packet buffers
struct io_ring; // bounded single-producer single-consumer ring of pointers

// The NIC's verdict on the IPv4 header checksum: any other number is no verdict. The bits are those
// of DPDK's flags, so that nothing has to be translated.
enum pkt_checksum {
	PKT_CHECKSUM_UNKNOWN = 0,
	PKT_CHECKSUM_BAD = 1 << 4,
	PKT_CHECKSUM_GOOD = 1 << 7,
};

// --- packets -------------------------------------------------------------------------------------
static inline uint8_t *pkt_data(const struct pkt *pkt);  // first byte of the frame
static inline uint32_t pkt_bytes(const struct pkt *pkt); // length of the frame
static inline uint16_t pkt_port(const struct pkt *pkt);  // ingress port, TR_NO_PORT: made here
static inline void pkt_set_port(struct pkt *pkt, uint16_t port);
static inline uint8_t pkt_checksum(const struct pkt *pkt); // enum pkt_checksum
static inline unsigned pkt_pieces(const struct pkt *pkt);  // more than 1: see io_rx_whole()
// The punt reason travels with the packet through the ring to the slow path.
static inline uint8_t pkt_punt(const struct pkt *pkt);
static inline void pkt_set_punt(struct pkt *pkt, uint8_t reason);
// Grow or shrink the frame. prepend and append return the new bytes (uninitialised), or NULL where
// the buffer has no room; pull removes bytes from the front, trim cuts to a length.
static inline uint8_t *pkt_prepend(struct pkt *pkt, uint32_t bytes);
static inline uint8_t *pkt_append(struct pkt *pkt, uint32_t bytes);
static inline void pkt_pull(struct pkt *pkt, uint32_t bytes);
static inline void pkt_trim(struct pkt *pkt, uint32_t bytes);
// All n or none: 0 or -ENOMEM. New packets are empty, with headroom for an Ethernet header and
// more, ingress port TR_NO_PORT, not traced.
static inline int pkt_alloc_bulk(struct io_pool *pool, struct pkt **pkts, unsigned n);
static inline void pkt_free_bulk(struct pkt **pkts, unsigned n);
// What the functions above read of a packet will be needed soon; only a hint.
static inline void pkt_prefetch(const struct pkt *pkt);
// A packet made because of another one (fragment, ICMP error, reply) is traced with it.
static inline void pkt_inherit(struct pkt *child, const struct pkt *parent);

// --- ports and their twins -----------------------------------------------------------------------
// rx: packets received now belong to the caller. tx: takes the first k of the n packets and returns
// k; the others stay the caller's. A twin is the port's counterpart in the host's network stack;
// its rx gives frames to be sent by the port, its tx delivers frames that came in by the port.
static inline unsigned io_rx_burst(struct io_core *core, struct io_port *port, uint16_t queue,
	struct pkt **pkts, unsigned n);
// To be called if any of the n packets received is a frame in several buffers. Puts such frames
// into one, or frees them where they do not fit; returns how many are left.
static inline unsigned io_rx_whole(struct io_port *port, struct pkt **pkts, unsigned n);
static inline unsigned io_tx_burst(struct io_core *core, struct io_port *port, uint16_t queue,
	struct pkt **pkts, unsigned n);
// To be called before io_tx_burst() if any of the packets is shorter than 60 bytes: not every
// driver fills such frames up, and what it fills them with might be anything.
static inline void io_tx_fill(struct pkt **pkts, unsigned n);
static inline unsigned io_twin_rx_burst(struct io_core *core, struct io_port *port,
	struct pkt **pkts, unsigned n);
static inline unsigned io_twin_tx_burst(struct io_core *core, struct io_port *port,
	struct pkt **pkts, unsigned n);
static inline bool io_twin_present(const struct io_port *port);
static inline bool io_link_up(const struct io_port *port);

// --- rings ---------------------------------------------------------------------------------------
// Enqueue takes the first k of n and returns k; never blocks. `core` is the caller's own, NULL for
// the control thread.
static inline unsigned io_ring_enqueue(struct io_core *core, struct io_ring *ring,
	void *const *items, unsigned n);
static inline unsigned io_ring_dequeue(struct io_core *core, struct io_ring *ring, void **items,
	unsigned n);
static inline unsigned io_ring_count(const struct io_ring *ring);

// --- the clock, the only one in the core ---------------------------------------------------------
static inline uint64_t io_cycles(const struct io_core *core);
static inline uint64_t io_cycles_hz(const struct io_core *core);

// IO_BURSTS_A_TIMING: in which part of the bursts the clock is read at each step.

// --- cost and trace hooks: empty on DPDK ---------------------------------------------------------
static inline void io_cost_step(struct io_core *core, unsigned step, unsigned lanes);
static inline void io_cost_touch(struct io_core *core, const void *address, size_t bytes);
static inline bool io_trace_on(const struct io_core *core);
// Records that a place (enum tr_step) gave a traced packet a verdict; others are passed over.
static inline void io_trace(struct io_core *core, const struct pkt *pkt, unsigned step,
	uint16_t verdict);

// --- set-up; not inline --------------------------------------------------------------------------
struct io_core *tr_io_core(struct io_env *env, unsigned unit);
struct io_port *tr_io_port(struct io_env *env, unsigned port);
struct io_pool *tr_io_pool(struct io_env *env);
// `capacity` is a power of two. NULL with errno. `consumer` is the unit that dequeues.
struct io_ring *tr_io_ring_new(struct io_env *env, uint32_t capacity, unsigned consumer);
void tr_io_ring_free(struct io_ring *ring);

// Memory for big tables: zeroed, page aligned, huge pages where there are any. NULL with errno.
void *tr_io_table_alloc(struct io_env *env, size_t bytes);
void tr_io_table_free(struct io_env *env, void *table, size_t bytes);
// Who may touch a table now. The simulator can enforce it by page protection, so that a read of
// the shadow or a write to a published table is a crash in a test; elsewhere this does nothing.
enum io_access {
	IO_ACCESS_NONE,
	IO_ACCESS_READ,
	IO_ACCESS_WRITE,
};
void tr_io_table_guard(struct io_env *env, void *table, size_t bytes, enum io_access access);

#include "backend_inline.h"
