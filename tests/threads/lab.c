// SPDX-License-Identifier: MIT
// Buffers and ports for the thread test (lab.h): a mempool handler under a mutex, and ports whose
// bursts are rings with one producer and one consumer, as the engine's own.
#include "lab.h"
#include "backend.h"
#include "formats/byte_order.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"
#include <errno.h>
#include <pthread.h>
#include <rte_mempool.h>
#include <stdlib.h>

#define RING 1024
#define FRAME_BYTES 60

static struct {
	struct rte_ring *rx[RTE_MAX_ETHPORTS][TR_UNITS_MAX];
	struct rte_ring *tx[RTE_MAX_ETHPORTS][TR_UNITS_MAX];
	struct rte_mempool *pool;
} lab;

// --- buffers -------------------------------------------------------------------------------------
struct stack {
	pthread_mutex_t mutex;
	unsigned count;
	void *item[];
};

static int stack_alloc(struct rte_mempool *pool)
{
	struct stack *stack = calloc(1, sizeof(*stack) + pool->size * sizeof(void *));

	if (!stack)
		return -ENOMEM;
	pthread_mutex_init(&stack->mutex, NULL);
	pool->pool_data = stack;
	return 0;
}

static void stack_free(struct rte_mempool *pool)
{
	free(pool->pool_data);
}

static int stack_put(struct rte_mempool *pool, void *const *items, unsigned n)
{
	struct stack *stack = pool->pool_data;

	pthread_mutex_lock(&stack->mutex);
	for (unsigned i = 0; i < n; i++)
		stack->item[stack->count++] = items[i];
	pthread_mutex_unlock(&stack->mutex);
	return 0;
}

static int stack_take(struct rte_mempool *pool, void **items, unsigned n)
{
	struct stack *stack = pool->pool_data;
	int code = -ENOBUFS;

	pthread_mutex_lock(&stack->mutex);
	if (stack->count >= n) {
		for (unsigned i = 0; i < n; i++)
			items[i] = stack->item[--stack->count];
		code = 0;
	}
	pthread_mutex_unlock(&stack->mutex);
	return code;
}

static unsigned stack_count(const struct rte_mempool *pool)
{
	const struct stack *stack = pool->pool_data;

	return stack->count;
}

static const struct rte_mempool_ops stack_ops = {
	.name = LAB_POOL,
	.alloc = stack_alloc,
	.free = stack_free,
	.enqueue = stack_put,
	.dequeue = stack_take,
	.get_count = stack_count,
};

RTE_MEMPOOL_REGISTER_OPS(stack_ops)

int lab_start(void)
{
	lab.pool = rte_pktmbuf_pool_create("lab", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	return lab.pool ? 0 : -1;
}

// --- ports ---------------------------------------------------------------------------------------
static uint16_t receive(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	return (uint16_t)rte_ring_sc_dequeue_burst(queue, (void **)mbufs, n, NULL);
}

static uint16_t transmit(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	return (uint16_t)rte_ring_sp_enqueue_burst(queue, (void **)mbufs, n, NULL);
}

static struct rte_ring *new_ring(void)
{
	static unsigned number;
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "lab_%u", number++);
	return rte_ring_create(name, RING, 0, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

void lab_take_over(uint16_t ethdev, uint16_t rx_queues, uint16_t tx_queues)
{
	for (uint16_t i = 0; i < rx_queues; i++)
		lab.rx[ethdev][i] = new_ring();
	for (uint16_t i = 0; i < tx_queues; i++)
		lab.tx[ethdev][i] = new_ring();
	rte_eth_fp_ops[ethdev].rx_pkt_burst = receive;
	rte_eth_fp_ops[ethdev].tx_pkt_burst = transmit;
	rte_eth_fp_ops[ethdev].rxq.data = (void **)lab.rx[ethdev];
	rte_eth_fp_ops[ethdev].txq.data = (void **)lab.tx[ethdev];
}

bool lab_send(uint16_t ethdev, uint16_t queue, const uint8_t *mac, uint32_t destination)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(lab.pool);
	struct ether_header *ether;
	struct ipv4_header *ip;

	if (!mbuf)
		return false;
	mbuf->port = ethdev;
	ether = (struct ether_header *)rte_pktmbuf_append(mbuf, FRAME_BYTES);
	memset(ether, 0, FRAME_BYTES);
	memcpy(ether->destination, mac, ETHER_ADDRESS_BYTES);
	ether->source[0] = 2;
	ether->type_be = be16(ETHER_TYPE_IPV4);
	ip = (struct ipv4_header *)(ether + 1);
	*ip = (struct ipv4_header){
		.version_ihl = IPV4_VERSION_IHL,
		.total_bytes_be = be16(FRAME_BYTES - ETHER_HEADER_BYTES),
		.ttl = 64,
		.protocol = 17,
		.source_be = be32(0x0a010002),
		.destination_be = be32(destination),
	};
	ip->checksum_be = tr_checksum(ip, IPV4_HEADER_BYTES);
	if (rte_ring_sp_enqueue(lab.rx[ethdev][queue], mbuf) == 0)
		return true;
	rte_pktmbuf_free(mbuf);
	return false;
}

bool lab_receive(uint16_t ethdev, uint16_t queue, struct lab_frame *out)
{
	const struct ether_header *ether;
	struct rte_mbuf *mbuf;

	if (rte_ring_sc_dequeue(lab.tx[ethdev][queue], (void **)&mbuf) != 0)
		return false;
	ether = rte_pktmbuf_mtod(mbuf, const struct ether_header *);
	memcpy(out->mac, ether->destination, sizeof(out->mac));
	out->destination = be32(((const struct ipv4_header *)(ether + 1))->destination_be);
	rte_pktmbuf_free(mbuf);
	return true;
}
