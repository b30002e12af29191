// SPDX-License-Identifier: MIT
// The seldom cases of packets at ports: a frame that a driver left in several buffers becomes one
// in one, or is dropped and counted, because the core reads frames as a piece; a frame too short
// for Ethernet is filled with zeros before it leaves.
#include "env.h"

unsigned tr_rx_whole(struct io_port *port, struct rte_mbuf **mbufs, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		if (mbufs[i]->nb_segs == 1 || rte_pktmbuf_linearize(mbufs[i]) == 0) {
			mbufs[kept++] = mbufs[i];
			continue;
		}
		rte_pktmbuf_free(mbufs[i]);
		// Units may receive by one port at a time, each from its own queue.
		__atomic_fetch_add(&port->chained, 1, __ATOMIC_RELAXED);
	}
	return kept;
}

// A buffer has room for it: the smallest is far larger.
void tr_tx_pad(struct rte_mbuf *mbuf)
{
	uint16_t missing = ETHER_FRAME_BYTES_MIN - mbuf->data_len;
	char *tail = rte_pktmbuf_append(mbuf, missing);

	if (tail)
		memset(tail, 0, missing);
}
