// SPDX-License-Identifier: MIT
// Transmit rebatching, the last thing that happens to a forwarded packet: collect per egress port,
// send a full buffer at once, send a waiting one when its time is over. Half a buffer that comes in
// one piece when nothing waits goes without being collected first. A full queue never blocks
// the unit. While a port takes all, packets leave in the order in which they came, and nobody looks
// at their priority, which follows from the DSCP. Once it does not, a buffer is sorted before it is
// offered: higher priority first, each in its order, so flows stay in order (RFC 2474 4.2.2.2,
// RFC 1812 5.3.3.1). What the port then leaves is dropped, packets of priority 0 and the lowest
// beyond a bound, or offered again.
#include "queues/distributor.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"
#include "queues/count.h"
#include "reasons.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITIES 8
#define PRIORITY_HIGHEST 7
#define KEPT_MAX (TR_BATCH_MAX / 2) // as many again can come before the next offer
#define COLLECT_MIN 32              // packets between two offers to a congested port
#define RETRIES_PER_S 50000         // at first,
#define RETRIES_PER_S_MIN 1000      // and when the port has taken nothing for long

int tr_distributor_init(struct tr_distributor *distributor, const struct tr_config *config,
	struct io_core *core, const struct tr_port *ports, uint16_t tx_queue,
	struct tr_counters *counters, struct tr_drop_log *drop_log)
{
	*distributor = (struct tr_distributor){
		.core = core,
		.counters = counters,
		.drop_log = drop_log,
		.ports = ports,
		.port_count = config->ports,
		.tx_queue = tx_queue,
		.size = config->tx_buffer,
		.flush_cycles = config->tx_flush_cycles,
		.retry_cycles_min = io_cycles_hz(core) / RETRIES_PER_S + 1,
		.retry_cycles_max = io_cycles_hz(core) / RETRIES_PER_S_MIN + 1,
		.queue = calloc(config->ports, sizeof(*distributor->queue)),
	};
	if (!distributor->queue)
		return -ENOMEM;
	memcpy(distributor->priority, config->priority, sizeof(distributor->priority));
	for (uint32_t port = 0; port < config->ports; port++)
		distributor->queue[port].full = distributor->size;
	return 0;
}

void tr_distributor_fini(struct tr_distributor *distributor)
{
	for (uint32_t port = 0; distributor->queue && port < distributor->port_count; port++) {
		struct tr_distributor_queue *queue = &distributor->queue[port];
		pkt_free_bulk(queue->pkt, queue->count);
	}
	free(distributor->queue);
	distributor->queue = NULL;
}

static void drop(struct tr_distributor *distributor, struct pkt **pkts, unsigned n,
	enum tr_drop reason)
{
	if (n == 0)
		return;
	tr_count(&distributor->counters->dropped[reason], n);
	for (unsigned i = 0; i < n; i++)
		tr_drop_log(distributor->drop_log, pkts[i], reason);
	if (io_trace_on(distributor->core)) {
		for (unsigned i = 0; i < n; i++)
			io_trace(distributor->core, pkts[i], TR_STEP_TRANSMIT,
				tr_drop_verdict(reason));
	}
	pkt_free_bulk(pkts, n);
}

// What is not IP is the link's own business, without which no packet goes (ARP).
static uint8_t priority_of(const struct tr_distributor *distributor, const struct pkt *pkt)
{
	const struct ether_header *ether = (const struct ether_header *)pkt_data(pkt);
	const struct ipv4_header *ip = (const struct ipv4_header *)(ether + 1);

	if (pkt_bytes(pkt) < ETHER_HEADER_BYTES + IPV4_HEADER_BYTES ||
		ether->type_be != be16(ETHER_TYPE_IPV4))
		return PRIORITY_HIGHEST;
	return distributor->priority[ip->dscp_ecn >> 2];
}

// Higher priority first, each in its order: a counting sort.
static void sort(const struct tr_distributor *distributor, struct tr_distributor_queue *queue)
{
	struct pkt *pkt[TR_BATCH_MAX];
	uint8_t priority[TR_BATCH_MAX];
	uint32_t place[PRIORITIES + 1] = {0}; // place[p]: where the next of priority 7 - p goes

	for (uint32_t i = 0; i < queue->count; i++) {
		pkt[i] = queue->pkt[i];
		priority[i] =
			i < queue->kept ? queue->priority[i] : priority_of(distributor, pkt[i]);
		place[PRIORITY_HIGHEST - priority[i] + 1]++;
	}
	for (unsigned p = 1; p < PRIORITIES; p++)
		place[p] += place[p - 1];
	for (uint32_t i = 0; i < queue->count; i++) {
		uint32_t to = place[PRIORITY_HIGHEST - priority[i]]++;
		queue->pkt[to] = pkt[i];
		queue->priority[to] = priority[i];
	}
	queue->kept = queue->count;
}

// Offers the buffer's packets, wherever they are, to the port. Returns how many it took; others are
// in the buffer then.
static uint32_t offer(struct tr_distributor *distributor, uint32_t port, struct pkt **pkt)
{
	struct tr_distributor_queue *queue = &distributor->queue[port];
	struct tr_counters *counters = distributor->counters;
	uint32_t n = queue->count;
	uint64_t bytes_left = 0;
	uint32_t taken;

	if (queue->has_short)
		io_tx_fill(pkt, n);
	taken = io_tx_burst(distributor->core, distributor->ports[port].io, distributor->tx_queue,
		pkt, n);
	for (uint32_t i = taken; i < n; i++)
		bytes_left += pkt_bytes(pkt[i]);
	if (taken < n)
		memmove(queue->pkt, pkt + taken, (n - taken) * sizeof(pkt[0]));
	tr_count(&counters->sent[port], taken);
	tr_count(&counters->sent_bytes[port], queue->bytes - bytes_left);
	queue->bytes = bytes_left;
	queue->count = n - taken;
	return taken;
}

// The port has left packets, behind those that it took.
static void keep(struct tr_distributor *distributor, struct tr_distributor_queue *queue,
	uint32_t taken)
{
	uint32_t left = queue->count;
	uint32_t kept = 0;

	if (queue->is_congested)
		memmove(queue->priority, queue->priority + taken, left);
	else
		sort(distributor, queue);
	while (kept < left && kept < KEPT_MAX && queue->priority[kept])
		kept++;
	for (uint32_t i = kept; i < left; i++)
		queue->bytes -= pkt_bytes(queue->pkt[i]);
	drop(distributor, queue->pkt + kept, left - kept, TR_DROP_TX_FULL);
	queue->count = queue->kept = kept;
	queue->full = distributor->size;
	if (kept) {
		uint32_t more = distributor->size > COLLECT_MIN ? distributor->size : COLLECT_MIN;
		queue->full = kept + more < TR_BATCH_MAX ? kept + more : TR_BATCH_MAX;
	}
	if (taken || !queue->is_congested)
		queue->retry_cycles = distributor->retry_cycles_min;
	else if (queue->retry_cycles < distributor->retry_cycles_max)
		queue->retry_cycles *= 2;
	queue->due_cycles = io_cycles(distributor->core) + queue->retry_cycles;
	queue->is_congested = true;
}

// Sends the buffer's packets, wherever they are. Returns how many have left it.
static unsigned flush(struct tr_distributor *distributor, uint32_t port, struct pkt **pkt)
{
	struct tr_distributor_queue *queue = &distributor->queue[port];
	uint32_t n = queue->count;
	uint32_t taken = 0;

	if (!tr_port_is_up(&distributor->ports[port])) {
		drop(distributor, pkt, n, TR_DROP_PORT_DOWN);
		queue->count = 0;
	} else {
		if (queue->is_congested)
			sort(distributor, queue);
		taken = offer(distributor, port, pkt);
	}
	if (queue->count) {
		keep(distributor, queue, taken);
		return n - queue->count;
	}
	queue->is_congested = false;
	queue->has_short = false;
	queue->bytes = 0;
	queue->kept = 0;
	queue->full = distributor->size;
	return n;
}

static void add_up(struct tr_distributor_queue *queue, const uint16_t *bytes, uint32_t n)
{
	uint32_t sum = 0;
	uint16_t shortest = UINT16_MAX;

	for (uint32_t i = 0; i < n; i++) {
		sum += bytes[i];
		shortest = bytes[i] < shortest ? bytes[i] : shortest;
	}
	queue->count += n;
	queue->bytes += sum;
	queue->has_short |= shortest < ETHER_FRAME_BYTES_MIN;
}

void tr_distributor_send(struct tr_distributor *distributor, uint16_t port, struct pkt **pkt,
	const uint16_t *bytes, uint32_t n)
{
	struct tr_distributor_queue *queue = &distributor->queue[port];

	while (n) {
		if (queue->count == 0 && n >= queue->full / 2 && !queue->is_congested) {
			add_up(queue, bytes, n);
			tr_count(&distributor->counters->flushes_full, 1);
			flush(distributor, port, pkt);
			return;
		}
		uint32_t room = TR_BATCH_MAX - queue->count;
		uint32_t now = n < room ? n : room;
		bool is_first = queue->count == 0;

		memcpy(&queue->pkt[queue->count], pkt, now * sizeof(pkt[0]));
		add_up(queue, bytes, now);
		if (queue->count >= queue->full) {
			tr_count(&distributor->counters->flushes_full, 1);
			flush(distributor, port, queue->pkt);
		} else if (is_first) {
			queue->due_cycles =
				io_cycles(distributor->core) + distributor->flush_cycles;
		}
		pkt += now;
		bytes += now;
		n -= now;
	}
}

// The clock, which is not for nothing, is read only if a packet waits.
unsigned tr_distributor_flush_due(struct tr_distributor *distributor)
{
	unsigned left = 0;

	for (uint32_t port = 0; port < distributor->port_count; port++) {
		struct tr_distributor_queue *queue = &distributor->queue[port];

		if (queue->count == 0 || io_cycles(distributor->core) < queue->due_cycles)
			continue;
		tr_count(&distributor->counters->flushes_timeout, 1);
		left += flush(distributor, port, queue->pkt);
	}
	return left;
}

unsigned tr_distributor_flush_all(struct tr_distributor *distributor)
{
	unsigned left = 0;

	for (uint32_t port = 0; port < distributor->port_count; port++) {
		struct tr_distributor_queue *queue = &distributor->queue[port];

		if (queue->count == 0 ||
			(queue->kept && io_cycles(distributor->core) < queue->due_cycles))
			continue;
		left += flush(distributor, port, queue->pkt);
	}
	return left;
}

uint64_t tr_distributor_deadline(const struct tr_distributor *distributor)
{
	uint64_t deadline = UINT64_MAX;

	for (uint32_t port = 0; port < distributor->port_count; port++) {
		const struct tr_distributor_queue *queue = &distributor->queue[port];

		if (queue->count && queue->due_cycles < deadline)
			deadline = queue->due_cycles;
	}
	return deadline;
}

uint64_t tr_distributor_held(const struct tr_distributor *distributor)
{
	uint64_t held = 0;

	for (uint32_t port = 0; port < distributor->port_count; port++)
		held += distributor->queue[port].count;
	return held;
}
