// SPDX-License-Identifier: MIT
// A port's twin at work: frames between the slow path and a TAP of the kernel, a system call each.
// So that a silent twin costs next to nothing, it is asked again only a while after it had nothing.
#include "env.h"
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ASK_AGAIN_US 20
#define RX_FRAMES_MAX 16 // a turn

// Buffers are made before it is known how long the frame is; what is longer than one is cut by the
// kernel, and such a frame is beyond any port's MTU.
unsigned tr_twin_rx(struct io_core *core, struct io_port *port, struct pkt **pkts, unsigned n)
{
	uint64_t now = rte_rdtsc();
	struct tr_dpdk_unit *unit = (struct tr_dpdk_unit *)core;
	struct io_pool *pool = tr_io_pool(unit->env);
	unsigned taken = 0;

	// No more frames while the router is being drained.
	if (now < port->twin_cycles || __atomic_load_n(&port->rx_queues, __ATOMIC_RELAXED) == 0)
		return 0;
	for (n = RTE_MIN(n, (unsigned)RX_FRAMES_MAX); taken < n; taken++) {
		struct rte_mbuf *mbuf;
		ssize_t bytes;

		if (pkt_alloc_bulk(pool, &pkts[taken], 1) != 0)
			break;
		mbuf = pkt_mbuf(pkts[taken]);
		bytes = read(port->twin, pkt_data(pkts[taken]), rte_pktmbuf_tailroom(mbuf));
		if (bytes <= 0) {
			rte_pktmbuf_free(mbuf);
			break;
		}
		mbuf->data_len = (uint16_t)bytes;
		mbuf->pkt_len = (uint32_t)bytes;
	}
	if (taken < n)
		port->twin_cycles = now + core->hz / 1000000 * ASK_AGAIN_US;
	return taken;
}

// A frame that the kernel does not take (its interface is down, its queue full) stays the caller's.
unsigned tr_twin_tx(struct io_port *port, struct pkt **pkts, unsigned n)
{
	unsigned sent = 0;

	while (sent < n && write(port->twin, pkt_data(pkts[sent]), pkt_bytes(pkts[sent])) > 0)
		sent++;
	pkt_free_bulk(pkts, sent);
	return sent;
}

void tr_twin_carrier(int twin, bool up)
{
	unsigned carrier = up;

	if (twin >= 0)
		ioctl(twin, TUNSETCARRIER, &carrier);
}

void tr_twin_close(int twin)
{
	if (twin >= 0)
		close(twin);
}
