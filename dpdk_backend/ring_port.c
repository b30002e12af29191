// SPDX-License-Identifier: MIT
// Ports in memory (net_ring), for tests and measurements: this process puts frames into the receive
// queues of an Ethernet device and collects what is sent by it.
#include "env.h"
#include <errno.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <stdlib.h>

struct tr_ring_port {
	uint16_t ethdev;
	uint16_t rx_queues;
	uint16_t tx_queues;
	uint16_t frame_bytes_max;
	struct rte_mempool *pool;
	struct rte_ring *rx[TR_UNITS_MAX];
	struct rte_ring *tx[TR_UNITS_MAX];
};

static struct rte_ring *new_ring(const char *name, const char *kind, uint16_t queue,
	uint32_t capacity)
{
	char text[RTE_RING_NAMESIZE];

	snprintf(text, sizeof(text), "tr_%s_%s%u", name, kind, queue);
	return rte_ring_create(text, capacity, SOCKET_ID_ANY,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static int make(struct tr_ring_port *port, const char *name, uint32_t capacity, char *error)
{
	char pool[RTE_MEMPOOL_NAMESIZE];
	int ethdev;

	for (uint16_t i = 0; i < port->rx_queues; i++) {
		port->rx[i] = new_ring(name, "rx", i, capacity);
		if (!port->rx[i])
			return tr_say(error, rte_errno, "ring: %s", rte_strerror(rte_errno));
	}
	for (uint16_t i = 0; i < port->tx_queues; i++) {
		port->tx[i] = new_ring(name, "tx", i, capacity);
		if (!port->tx[i])
			return tr_say(error, rte_errno, "ring: %s", rte_strerror(rte_errno));
	}
	snprintf(pool, sizeof(pool), "tr_pool_%s", name);
	port->pool = rte_pktmbuf_pool_create(pool, 2 * capacity - 1, 0, 0,
		(uint16_t)(port->frame_bytes_max + RTE_PKTMBUF_HEADROOM), SOCKET_ID_ANY);
	if (!port->pool)
		return tr_say(error, rte_errno, "buffers: %s", rte_strerror(rte_errno));
	ethdev = rte_eth_from_rings(name, port->rx, port->rx_queues, port->tx, port->tx_queues, 0);
	if (ethdev < 0)
		return tr_say(error, rte_errno, "net_ring: %s", rte_strerror(rte_errno));
	port->ethdev = (uint16_t)ethdev;
	return 0;
}

struct tr_ring_port *tr_ring_port_new(const char *name, uint16_t rx_queues, uint16_t tx_queues,
	uint32_t capacity, uint16_t frame_bytes_max, char *error)
{
	struct tr_ring_port *port = calloc(1, sizeof(*port));

	if (!port || rx_queues > TR_UNITS_MAX || tx_queues > TR_UNITS_MAX) {
		tr_say(error, EINVAL, "ring port %s: too many queues, or no memory", name);
		free(port);
		return NULL;
	}
	port->ethdev = RTE_MAX_ETHPORTS;
	port->rx_queues = rx_queues;
	port->tx_queues = tx_queues;
	port->frame_bytes_max = frame_bytes_max;
	if (make(port, name, capacity, error) == 0)
		return port;
	tr_ring_port_free(port);
	return NULL;
}

static void empty(struct rte_ring *ring)
{
	struct rte_mbuf *mbuf;

	while (ring && rte_ring_sc_dequeue(ring, (void **)&mbuf) == 0)
		rte_pktmbuf_free(mbuf);
	rte_ring_free(ring);
}

void tr_ring_port_free(struct tr_ring_port *port)
{
	struct rte_eth_dev_info info;

	if (!port)
		return;
	if (port->ethdev < RTE_MAX_ETHPORTS && rte_eth_dev_info_get(port->ethdev, &info) == 0) {
		rte_eth_dev_stop(port->ethdev);
		rte_eth_dev_close(port->ethdev);
		rte_dev_remove(info.device);
	}
	for (unsigned i = 0; i < TR_UNITS_MAX; i++) {
		empty(port->rx[i]);
		empty(port->tx[i]);
	}
	rte_mempool_free(port->pool);
	free(port);
}

// A frame in `segments` buffers, the last of which takes what is left.
static struct rte_mbuf *make_frame(struct tr_ring_port *port, const uint8_t *frame, uint32_t bytes,
	uint16_t segments)
{
	struct rte_mbuf *whole = NULL;

	for (uint16_t i = 0; i < segments; i++) {
		uint16_t part = (uint16_t)(i + 1 == segments ? bytes : bytes / (segments - i));
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pool);
		char *room = mbuf ? rte_pktmbuf_append(mbuf, part) : NULL;

		if (!room || (whole && rte_pktmbuf_chain(whole, mbuf))) {
			rte_pktmbuf_free(mbuf);
			rte_pktmbuf_free(whole);
			return NULL;
		}
		memcpy(room, frame, part);
		frame += part;
		bytes -= part;
		if (!whole)
			whole = mbuf;
	}
	return whole;
}

int tr_ring_port_inject(struct tr_ring_port *port, uint16_t queue, const uint8_t *frame,
	uint32_t bytes, uint16_t segments)
{
	struct rte_mbuf *mbuf;

	if (queue >= port->rx_queues || segments == 0 || bytes > port->frame_bytes_max * segments)
		return -EINVAL;
	mbuf = make_frame(port, frame, bytes, segments);
	if (!mbuf)
		return -ENOMEM;
	mbuf->port = port->ethdev;
	if (rte_ring_sp_enqueue(port->rx[queue], mbuf) == 0)
		return 0;
	rte_pktmbuf_free(mbuf);
	return -ENOSPC;
}

int tr_ring_port_link(struct tr_ring_port *port, bool up)
{
	return up ? rte_eth_dev_set_link_up(port->ethdev) : rte_eth_dev_set_link_down(port->ethdev);
}

uint32_t tr_ring_port_collect(struct tr_ring_port *port, uint16_t queue, uint8_t *frame,
	uint32_t room)
{
	struct rte_mbuf *mbuf;
	uint32_t bytes;

	if (queue >= port->tx_queues || rte_ring_sc_dequeue(port->tx[queue], (void **)&mbuf) != 0)
		return 0;
	bytes = RTE_MIN(room, mbuf->pkt_len);
	rte_memcpy(frame, rte_pktmbuf_mtod(mbuf, void *), RTE_MIN(bytes, mbuf->data_len));
	rte_pktmbuf_free(mbuf);
	return bytes;
}
