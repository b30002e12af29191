// SPDX-License-Identifier: MIT
// Transmit rebatching, the last thing that happens to a forwarded packet: collect per egress port,
// send a full buffer at once, send a waiting one when its time is over. What the port does not take
// is dropped here: a full queue never blocks the unit.
#include "queues/distributor.h"
#include "queues/count.h"
#include "reasons.h"

#include <errno.h>
#include <stdlib.h>

int tr_distributor_init(struct tr_distributor *distributor, const struct tr_config *config,
	struct io_core *core, struct io_port **ports, uint16_t tx_queue,
	struct tr_counters *counters)
{
	*distributor = (struct tr_distributor){
		.core = core,
		.counters = counters,
		.ports = ports,
		.port_count = config->ports,
		.tx_queue = tx_queue,
		.size = config->tx_buffer,
		.flush_cycles = config->tx_flush_cycles,
		.queue = calloc(config->ports, sizeof(*distributor->queue)),
	};
	return distributor->queue ? 0 : -ENOMEM;
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
	if (io_trace_on(distributor->core)) {
		for (unsigned i = 0; i < n; i++)
			io_trace(distributor->core, pkts[i], TR_STEP_TRANSMIT,
				tr_drop_verdict(reason));
	}
	pkt_free_bulk(pkts, n);
}

static void flush(struct tr_distributor *distributor, uint32_t port)
{
	struct tr_distributor_queue *queue = &distributor->queue[port];
	struct tr_counters *counters = distributor->counters;
	unsigned n = queue->count;
	unsigned taken = 0;
	uint64_t bytes = 0;

	queue->count = 0;
	if (!io_link_up(distributor->ports[port])) {
		drop(distributor, queue->pkt, n, TR_DROP_PORT_DOWN);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		bytes += pkt_bytes(queue->pkt[i]);
	taken = io_tx_burst(distributor->core, distributor->ports[port], distributor->tx_queue,
		queue->pkt, n);
	for (unsigned i = taken; i < n; i++)
		bytes -= pkt_bytes(queue->pkt[i]);
	tr_count(&counters->sent[port], taken);
	tr_count(&counters->sent_bytes[port], bytes);
	drop(distributor, queue->pkt + taken, n - taken, TR_DROP_TX_FULL);
}

void tr_distributor_send(struct tr_distributor *distributor, uint16_t port, struct pkt *pkt)
{
	struct tr_distributor_queue *queue = &distributor->queue[port];

	if (queue->count == 0)
		queue->first_cycles = io_cycles(distributor->core);
	queue->pkt[queue->count++] = pkt;
	if (queue->count >= distributor->size) {
		tr_count(&distributor->counters->flushes_full, 1);
		flush(distributor, port);
	}
}

unsigned tr_distributor_flush_due(struct tr_distributor *distributor, uint64_t now)
{
	unsigned sent = 0;

	for (uint32_t port = 0; port < distributor->port_count; port++) {
		struct tr_distributor_queue *queue = &distributor->queue[port];

		if (queue->count == 0 || now - queue->first_cycles < distributor->flush_cycles)
			continue;
		sent += queue->count;
		tr_count(&distributor->counters->flushes_timeout, 1);
		flush(distributor, port);
	}
	return sent;
}

unsigned tr_distributor_flush_all(struct tr_distributor *distributor)
{
	unsigned sent = 0;

	for (uint32_t port = 0; port < distributor->port_count; port++) {
		if (distributor->queue[port].count == 0)
			continue;
		sent += distributor->queue[port].count;
		flush(distributor, port);
	}
	return sent;
}

uint64_t tr_distributor_deadline(const struct tr_distributor *distributor)
{
	uint64_t deadline = UINT64_MAX;

	for (uint32_t port = 0; port < distributor->port_count; port++) {
		const struct tr_distributor_queue *queue = &distributor->queue[port];
		uint64_t due = queue->first_cycles + distributor->flush_cycles;

		if (queue->count && due < deadline)
			deadline = due;
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
