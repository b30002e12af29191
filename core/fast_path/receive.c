// SPDX-License-Identifier: MIT
// First on the packet's way: a received burst becomes a batch, a structure of arrays with every
// lane live. What later steps need of a packet buffer is read here, once.
#include "fast_path/fast_unit.h"
#include "queues/count.h"

#include <string.h>

// Sets the first n bits of the mask.
static void all_live(struct tr_batch *batch, unsigned n)
{
	for (unsigned word = 0; word * 64 < n; word++) {
		unsigned left = n - word * 64;
		batch->live[word] = left >= 64 ? ~0ULL : (1ULL << left) - 1;
	}
}

// False if any packet is in several pieces. Unrolled: a loop of few rounds ends where the processor
// expects it to.
static bool read_packets(struct io_core *core, struct tr_batch *batch, unsigned n)
{
	unsigned pieces = 0;

#pragma GCC unroll 8
	for (unsigned lane = 0; lane < n; lane++) {
		const struct pkt *pkt = batch->pkt[lane];

		batch->frame[lane] = pkt_data(pkt);
		__builtin_prefetch(batch->frame[lane]);
		batch->bytes[lane] = (uint16_t)pkt_bytes(pkt);
		batch->checksum[lane] = pkt_checksum(pkt);
		pieces |= pkt_pieces(pkt);
		io_cost_touch(core, batch->frame[lane], 64);
	}
	return pieces == 1;
}

void tr_receive(struct tr_fast_unit *unit, struct tr_batch *batch, uint16_t port, unsigned n)
{
	if (!read_packets(unit->core, batch, n)) {
		n = io_rx_whole(unit->port[port].io, batch->pkt, n);
		read_packets(unit->core, batch, n);
	}
	batch->lanes = n;
	batch->port = port;
	all_live(batch, n);
	memset(batch->verdict, TR_VERDICT_LIVE, n * sizeof(batch->verdict[0]));
	tr_count(&unit->counters.received[port], n);
	tr_count(&unit->counters.received_bytes[port], unit->vector->sum_up(batch));
	tr_count(&unit->counters.bursts, 1);
}

// RFC 1812 10.2.1: no forwarding before there is an address. While one is being probed, the answer
// has to come in (RFC 5227 2.1).
void tr_refuse(struct tr_fast_unit *unit, struct tr_batch *batch, uint32_t gate)
{
	if (gate & TR_GATE_ARP)
		tr_validate(unit, batch);
	TR_FOR_EACH_LIVE (lane, batch)
		tr_batch_leave(batch, lane, (uint16_t)gate);
	if (io_trace_on(unit->core)) {
		for (unsigned lane = 0; lane < batch->lanes; lane++)
			io_trace(unit->core, batch->pkt[lane], TR_STEP_RECEIVE,
				batch->verdict[lane]);
	}
	tr_hand_over(unit, batch->pkt, batch->verdict, batch->lanes);
	tr_step_end(unit);
}
