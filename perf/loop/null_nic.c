// SPDX-License-Identifier: MIT
// Ports without NICs for the loop (loop.h). The linker's --wrap brings the core's calls here. While
// a thread uses a feed its router receives the feed's packets, and all that it sends, punts or
// drops is counted and forgotten; for other threads, and at set-up, the simulator's own functions
// answer.
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"
#include "loop.h"
#include <string.h>

// Filled, and still waiting in the distributor of either port.
#define SLOTS (4 * LOOP_BLOCK)
#define BUFFER 2048
#define STRIDE (BUFFER + 128) // not a power of two, or all headers would share few cache sets
#define HEADERS 42            // Ethernet, IPv4, UDP
#define SOURCE 0x0a000002     // 10.0.0.2

unsigned __real_tr_nic_rx(struct io_core *core, struct tr_fifo *queue, struct pkt **pkts,
	unsigned n);
unsigned __real_tr_nic_tx(struct io_core *core, struct io_port *port, uint16_t queue,
	struct pkt **pkts, unsigned n);
unsigned __real_tr_ring_enqueue(struct io_core *core, struct io_ring *ring, void *const *items,
	unsigned n);
void __real_tr_pkt_free_bulk(struct pkt **pkts, unsigned n);
void *__real_tr_io_table_alloc(struct io_env *env, size_t bytes);

unsigned __wrap_tr_nic_rx(struct io_core *core, struct tr_fifo *queue, struct pkt **pkts,
	unsigned n);
unsigned __wrap_tr_nic_tx(struct io_core *core, struct io_port *port, uint16_t queue,
	struct pkt **pkts, unsigned n);
unsigned __wrap_tr_ring_enqueue(struct io_core *core, struct io_ring *ring, void *const *items,
	unsigned n);
void __wrap_tr_pkt_free_bulk(struct pkt **pkts, unsigned n);
void *__wrap_tr_io_table_alloc(struct io_env *env, size_t bytes);

static _Thread_local struct loop_feed *used;

void loop_feed_begin(struct loop_feed *feed)
{
	used = feed;
	feed->port->rx[feed->unit].count = 1; // what io_rx_burst() asks for before it calls
}

void loop_feed_end(struct loop_feed *feed)
{
	used = NULL;
	feed->port->rx[feed->unit].count = 0;
}

void loop_feed_init(struct loop_feed *feed, struct loop_bed *bed, uint16_t unit)
{
	*feed = (struct loop_feed){
		.port = bed->router->io_port[0],
		.unit = unit,
		.pkt = tr_io_table_alloc(NULL, SLOTS * sizeof(struct pkt)),
		.buffers = tr_io_table_alloc(NULL, (size_t)SLOTS * STRIDE),
	};
	if (!feed->pkt || !feed->buffers)
		loop_fail("no memory for packets");
}

void loop_feed_free(struct loop_feed *feed)
{
	tr_io_table_free(NULL, feed->pkt, SLOTS * sizeof(struct pkt));
	tr_io_table_free(NULL, feed->buffers, (size_t)SLOTS * STRIDE);
}

// --- packets -------------------------------------------------------------------------------------
static uint32_t size_of(const struct loop_traffic *traffic, uint64_t number)
{
	if (traffic->size == LOOP_SMALL)
		return 60;
	switch (number % 12) {
	case 11:
		return 1514;
	case 2:
	case 4:
	case 6:
	case 8:
		return 590;
	default:
		return 60;
	}
}

static void write_headers(uint8_t *frame, const struct loop_traffic *traffic, uint64_t number,
	uint32_t bytes)
{
	static const uint8_t ether[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 8, 0, 8, 0};
	struct ipv4_header *ip = (struct ipv4_header *)(frame + ETHER_HEADER_BYTES);
	uint32_t header_bytes = IPV4_HEADER_BYTES;
	uint32_t chance = (uint32_t)(number * 2654435761u >> 12) % 100;
	bool complex = chance < traffic->complex_percent;

	memcpy(frame, ether, sizeof(ether));
	memset(ip, 0, HEADERS - ETHER_HEADER_BYTES);
	*ip = (struct ipv4_header){
		.version_ihl = IPV4_VERSION_IHL,
		.total_bytes_be = be16((uint16_t)(bytes - ETHER_HEADER_BYTES)),
		.ttl = complex && chance % 2 ? 1 : 64,
		.protocol = 17,
		.source_be = be32(SOURCE),
		.destination_be = be32(traffic->destination[number % traffic->destinations]),
	};
	if (complex && chance % 2 == 0) {
		ip->version_ihl++;
		header_bytes += 4;
		memset(ip + 1, 1, 4); // four times "no operation"
	}
	ip->checksum_be = tr_checksum(ip, header_bytes);
	memcpy((uint8_t *)ip + header_bytes, &(uint16_t){(uint16_t)(number * 40503)}, 2);
}

void loop_feed_fill(struct loop_feed *feed, unsigned n)
{
	const struct loop_traffic *traffic = feed->traffic;

	for (unsigned i = 0; i < n; i++, feed->next++) {
		uint64_t slot = feed->next % SLOTS;
		uint8_t *buffer = feed->buffers + slot * STRIDE;
		uint32_t bytes = size_of(traffic, feed->next);

		feed->pkt[slot] = (struct pkt){
			.data = buffer + PKT_HEADROOM,
			.buffer = buffer,
			.latency_ps = -1,
			.bytes = bytes,
			.room = BUFFER,
			.checksum = traffic->software_checksum ? PKT_CHECKSUM_UNKNOWN
							       : PKT_CHECKSUM_GOOD,
		};
		write_headers(buffer + PKT_HEADROOM, traffic, feed->next, bytes);
	}
	feed->ready = n;
	feed->taken = 0;
}

unsigned loop_feed_take(struct loop_feed *feed, struct pkt **pkts, unsigned n)
{
	unsigned left = feed->ready - feed->taken;
	uint64_t first = feed->next - left;

	if (n > left)
		n = left;
	for (unsigned i = 0; i < n; i++)
		pkts[i] = &feed->pkt[(first + i) % SLOTS];
	feed->taken += n;
	return n;
}

// --- what the core calls -------------------------------------------------------------------------
unsigned __wrap_tr_nic_rx(struct io_core *core, struct tr_fifo *queue, struct pkt **pkts,
	unsigned n)
{
	if (!used)
		return __real_tr_nic_rx(core, queue, pkts, n);
	return loop_feed_take(used, pkts, n);
}

unsigned __wrap_tr_nic_tx(struct io_core *core, struct io_port *port, uint16_t queue,
	struct pkt **pkts, unsigned n)
{
	if (!used)
		return __real_tr_nic_tx(core, port, queue, pkts, n);
	used->sent += n;
	return n;
}

unsigned __wrap_tr_ring_enqueue(struct io_core *core, struct io_ring *ring, void *const *items,
	unsigned n)
{
	if (!used)
		return __real_tr_ring_enqueue(core, ring, items, n);
	used->punted += n;
	return n;
}

void __wrap_tr_pkt_free_bulk(struct pkt **pkts, unsigned n)
{
	if (used)
		used->dropped += n;
	else
		__real_tr_pkt_free_bulk(pkts, n);
}

// The simulator has many routers, and its tables small pages; this one's shall be huge, as on DPDK.
void *__wrap_tr_io_table_alloc(struct io_env *env, size_t bytes)
{
	(void)env;
	return __real_tr_io_table_alloc(NULL, bytes);
}
