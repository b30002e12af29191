// SPDX-License-Identifier: MIT
// Captures on running ports. A callback on each queue, there only while a capture runs, copies the
// frames that match into buffers of the capture's own and puts them into a bounded ring, from which
// the control thread takes them. What finds no buffer is counted as lost; nothing waits.
#include "env.h"
#include <errno.h>
#include <pcap/pcap.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <stdlib.h>

struct stamp { // in a copy's private area
	uint64_t cycles;
	uint32_t bytes;
	uint16_t port;
	uint16_t direction;
};

struct tr_capture {
	struct io_env *env;
	struct rte_mempool *pool;
	struct rte_ring *ring;
	struct bpf_program filter;
	bool has_filter;
	uint32_t snap_bytes;
	uint64_t lost;
	const struct rte_eth_rxtx_callback *rx[TR_PORTS_MAX][TR_UNITS_MAX];
	const struct rte_eth_rxtx_callback *tx[TR_PORTS_MAX][TR_UNITS_MAX];
};

int tr_compile_filter(const char *text, struct bpf_program *filter, char *error)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, UINT16_MAX);
	int code = 0;

	if (!pcap)
		return tr_say(error, ENOMEM, "no memory");
	if (pcap_compile(pcap, filter, text, 1, PCAP_NETMASK_UNKNOWN))
		code = tr_say(error, EINVAL, "%s", pcap_geterr(pcap));
	pcap_close(pcap);
	return code;
}

// --- in the units --------------------------------------------------------------------------------
static void copy(struct tr_capture *capture, uint16_t ethdev, uint16_t direction,
	struct rte_mbuf *const *mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
		uint32_t bytes = mbufs[i]->pkt_len;
		struct rte_mbuf *made;

		if (capture->has_filter &&
			!bpf_filter(capture->filter.bf_insns, frame, bytes, mbufs[i]->data_len))
			continue;
		made = rte_pktmbuf_copy(mbufs[i], capture->pool, 0, capture->snap_bytes);
		if (made) {
			*(struct stamp *)rte_mbuf_to_priv(made) = (struct stamp){
				.cycles = rte_rdtsc(),
				.bytes = bytes,
				.port = tr_port_of_ethdev[ethdev],
				.direction = direction,
			};
			if (rte_ring_mp_enqueue(capture->ring, made) == 0)
				continue;
			rte_pktmbuf_free(made);
		}
		__atomic_fetch_add(&capture->lost, 1, __ATOMIC_RELAXED);
	}
}

static uint16_t on_rx(uint16_t ethdev, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
	uint16_t room, void *argument)
{
	(void)queue;
	(void)room;
	copy(argument, ethdev, TR_CAPTURE_IN, mbufs, n);
	return n;
}

static uint16_t on_tx(uint16_t ethdev, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
	void *argument)
{
	(void)queue;
	copy(argument, ethdev, TR_CAPTURE_OUT, mbufs, n);
	return n;
}

// --- control thread ------------------------------------------------------------------------------
static int install(struct tr_capture *capture, uint32_t ports, uint32_t direction)
{
	for (uint16_t i = 0; i < capture->env->ports; i++) {
		const struct tr_dpdk_port *port = &capture->env->port[i];

		if (!(ports & 1u << i))
			continue;
		for (uint16_t q = 0; direction & TR_CAPTURE_IN && q < port->rx_queues; q++) {
			capture->rx[i][q] =
				rte_eth_add_rx_callback(port->io.ethdev, q, on_rx, capture);
			if (!capture->rx[i][q])
				return -rte_errno;
		}
		for (uint16_t q = 0; direction & TR_CAPTURE_OUT && q < port->tx_queues; q++) {
			capture->tx[i][q] =
				rte_eth_add_tx_callback(port->io.ethdev, q, on_tx, capture);
			if (!capture->tx[i][q])
				return -rte_errno;
		}
	}
	return 0;
}

static void uninstall(struct tr_capture *capture)
{
	for (uint16_t i = 0; i < capture->env->ports; i++) {
		uint16_t ethdev = capture->env->port[i].io.ethdev;

		for (uint16_t q = 0; q < TR_UNITS_MAX; q++) {
			if (capture->rx[i][q])
				rte_eth_remove_rx_callback(ethdev, q, capture->rx[i][q]);
			if (capture->tx[i][q])
				rte_eth_remove_tx_callback(ethdev, q, capture->tx[i][q]);
		}
	}
	tr_engine_pass(capture->env);
}

static void free_callbacks(struct tr_capture *capture)
{
	// DPDK gives them away; they are freed as what it allocated them from.
	for (unsigned i = 0; i < TR_PORTS_MAX; i++) {
		for (unsigned q = 0; q < TR_UNITS_MAX; q++) {
			rte_free((void *)(uintptr_t)capture->rx[i][q]);
			rte_free((void *)(uintptr_t)capture->tx[i][q]);
		}
	}
}

void tr_capture_stop(struct tr_capture *capture)
{
	struct rte_mbuf *mbuf;

	if (!capture)
		return;
	uninstall(capture);
	free_callbacks(capture);
	while (capture->ring && rte_ring_sc_dequeue(capture->ring, (void **)&mbuf) == 0)
		rte_pktmbuf_free(mbuf);
	rte_ring_free(capture->ring);
	rte_mempool_free(capture->pool);
	if (capture->has_filter)
		pcap_freecode(&capture->filter);
	free(capture);
}

static int make(struct tr_capture *capture, const char *filter, uint32_t buffers, char *error)
{
	uint16_t room = (uint16_t)(RTE_ALIGN_CEIL(capture->snap_bytes, 64) + RTE_PKTMBUF_HEADROOM);
	static unsigned number;
	char name[RTE_RING_NAMESIZE];
	int code = 0;

	if (*filter) {
		code = tr_compile_filter(filter, &capture->filter, error);
		if (code)
			return code;
		capture->has_filter = true;
	}
	snprintf(name, sizeof(name), "tr_capture_%u", number++);
	capture->pool = rte_pktmbuf_pool_create(name, buffers, 0,
		RTE_ALIGN_CEIL(sizeof(struct stamp), RTE_MBUF_PRIV_ALIGN), room, SOCKET_ID_ANY);
	capture->ring =
		rte_ring_create(name, rte_align32pow2(buffers + 1), SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (!capture->pool || !capture->ring)
		return tr_say(error, ENOMEM, "no memory for %u buffers", buffers);
	return 0;
}

struct tr_capture *tr_capture_start(struct io_env *env, uint32_t ports, uint32_t direction,
	const char *filter, uint32_t snap_bytes, uint32_t buffers, char *error)
{
	struct tr_capture *capture = calloc(1, sizeof(*capture));
	int code;

	if (!capture) {
		tr_say(error, ENOMEM, "no memory");
		return NULL;
	}
	capture->env = env;
	capture->snap_bytes = RTE_MIN(snap_bytes, UINT16_MAX - 2u * RTE_PKTMBUF_HEADROOM);
	code = make(capture, filter, buffers, error);
	if (code == 0) {
		code = install(capture, ports, direction);
		if (code == 0)
			return capture;
		tr_say(error, -code, "the driver refuses: %s", rte_strerror(-code));
	}
	tr_capture_stop(capture);
	return NULL;
}

uint32_t tr_capture_read(struct tr_capture *capture, struct tr_captured *out, uint32_t room,
	uint8_t *data, uint32_t data_bytes)
{
	uint32_t taken = 0, offset = 0;
	struct rte_mbuf *mbuf;

	while (taken < room && data_bytes - offset >= capture->snap_bytes &&
		rte_ring_sc_dequeue(capture->ring, (void **)&mbuf) == 0) {
		const struct stamp *stamp = rte_mbuf_to_priv(mbuf);

		out[taken++] = (struct tr_captured){
			.cycles = stamp->cycles,
			.bytes = stamp->bytes,
			.copied = mbuf->data_len,
			.port = stamp->port,
			.direction = stamp->direction,
			.offset = offset,
		};
		memcpy(data + offset, rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len);
		offset += mbuf->data_len;
		rte_pktmbuf_free(mbuf);
	}
	return taken;
}

uint64_t tr_capture_lost(const struct tr_capture *capture)
{
	return __atomic_load_n(&capture->lost, __ATOMIC_RELAXED);
}
