// SPDX-License-Identifier: MIT
// What a wire does when its time has come (wire.h): deliver what has arrived, begin with what may
// begin, fail or come back. A frame begins exactly when the wire is free and its sender ready, so a
// transmit descriptor comes free at the right picosecond; the remainder of each division is carried
// to the next frame of a busy wire, so the rate is exact however long it lasts.
#include "wire.h"
#include "clock.h"
#include "env.h"
#include "station.h"
#include "world.h"
#include <errno.h>

#define WIRE_FRAME_BYTES_MIN 60
#define WIRE_OVERHEAD_BYTES 24 // FCS, preamble, gap

static uint64_t wire_ps(uint64_t bits_per_s, uint32_t bytes, uint64_t *remainder)
{
	uint64_t bits = (bytes < WIRE_FRAME_BYTES_MIN ? WIRE_FRAME_BYTES_MIN : bytes);
	uint64_t numerator;

	if (bits_per_s == 0)
		return 0;
	bits = (bits + WIRE_OVERHEAD_BYTES) * 8;
	numerator = bits * CLOCK_PS_PER_S + *remainder;
	*remainder = numerator % bits_per_s;
	return numerator / bits_per_s;
}

static bool has_station(const struct tr_wire_end *end)
{
	return end->kind == TR_END_STATION;
}

// --- the sender's side ---------------------------------------------------------------------------
// The queue whose first frame has been ready longest, after skipping skip[i] frames of queue i.
static int first_queue(const struct tr_wire *wire, const uint32_t *skip, uint64_t *ready_ps)
{
	int first = -1;

	*ready_ps = TR_SIM_NEVER;
	for (uint32_t bits = wire->queued; bits; bits &= bits - 1) {
		unsigned i = (unsigned)__builtin_ctz(bits);
		const struct tr_fifo *queue = &wire->queue[i];
		uint64_t ps;

		if (skip && skip[i] == queue->count)
			continue;
		ps = tr_fifo_at(queue, skip ? skip[i] : 0)->ps;
		if (ps >= *ready_ps)
			continue;
		*ready_ps = ps;
		first = (int)i;
	}
	return first;
}

// A core's turn runs ahead of the world, so the wire has not yet begun with what it will have by
// ps: go through the queues as it will, as far as is known by now.
static uint32_t begun_by(const struct tr_wire *wire, unsigned queue, uint64_t ps)
{
	uint32_t skip[TR_UNITS_MAX] = {0};
	uint64_t free_ps = wire->free_ps;
	uint64_t remainder = wire->remainder;

	for (;;) {
		uint64_t ready_ps;
		int next = first_queue(wire, skip, &ready_ps);

		if (next < 0 || ready_ps > ps || free_ps > ps)
			return skip[queue];
		if (ready_ps > free_ps) {
			free_ps = ready_ps;
			remainder = 0;
		}
		free_ps += wire_ps(wire->link->config.bits_per_s,
			tr_fifo_at(&wire->queue[next], skip[next])->pkt->bytes, &remainder);
		skip[next]++;
	}
}

unsigned tr_wire_room(const struct tr_wire *wire, unsigned queue, uint32_t descriptors, unsigned n,
	uint64_t ps)
{
	uint32_t used = wire->queue[queue].count;

	if (used + n <= descriptors)
		return n;
	used -= begun_by(wire, queue, ps);
	if (used >= descriptors)
		return 0;
	return n < descriptors - used ? n : descriptors - used;
}

void tr_wire_queue(struct tr_wire *wire, unsigned queue, struct pkt *pkt, uint64_t ps)
{
	if (!tr_fifo_push(&wire->queue[queue], pkt, ps)) {
		tr_world_fail(wire->world, -ENOMEM);
		tr_pkt_free(wire->world, pkt);
		return;
	}
	wire->queued |= 1u << queue;
}

static uint64_t ready(const struct tr_wire *wire)
{
	uint64_t ps;

	if (has_station(&wire->from))
		return tr_source_ready_ps(&wire->from.station->source);
	first_queue(wire, NULL, &ps);
	return ps;
}

// When the next frame begins.
static uint64_t begin_ps(const struct tr_wire *wire)
{
	uint64_t ps = ready(wire);

	return ps == TR_SIM_NEVER || ps > wire->free_ps ? ps : wire->free_ps;
}

void tr_wire_kick(struct tr_wire *wire)
{
	uint64_t ps = begin_ps(wire);

	if (ps < wire->actor.ps)
		tr_world_at(wire->world, &wire->actor, ps);
}

static struct pkt *take(struct tr_wire *wire)
{
	uint64_t ps;
	struct io_port *port = wire->from.port;
	struct pkt *pkt;
	int queue;

	if (has_station(&wire->from))
		return tr_station_next(wire->from.station);
	queue = first_queue(wire, NULL, &ps);
	pkt = tr_fifo_pop(&wire->queue[queue]);
	if (wire->queue[queue].count == 0)
		wire->queued &= ~(1u << queue);
	tr_pool_release(pkt);
	pkt->latency_ps = -1;
	if (pkt->rx_ps != TR_SIM_NEVER)
		pkt->latency_ps = (int64_t)(wire->world->now_ps - pkt->rx_ps);
	if (wire->from.kind == TR_END_PORT) {
		port->counters.sent++;
		port->counters.sent_bytes += pkt->bytes;
	}
	return pkt;
}

// --- the way -------------------------------------------------------------------------------------
static void event(struct tr_wire *wire, enum tr_place place, const struct pkt *pkt, uint32_t detail)
{
	tr_world_event(wire->world, place, pkt, TR_NOWHERE, wire->link->id,
		wire->direction | detail << 1);
}

void tr_wire_lose(struct tr_wire *wire, struct pkt *pkt)
{
	wire->link->counters.lost[wire->direction]++;
	event(wire, TR_PLACE_LOST, pkt, 0);
	tr_pkt_free(wire->world, pkt);
}

static void fly(struct tr_wire *wire, struct pkt *pkt, uint64_t ps)
{
	if (tr_fifo_insert(&wire->flight, pkt, ps))
		return;
	tr_world_fail(wire->world, -ENOMEM);
	tr_pkt_free(wire->world, pkt);
}

static void fly_with_faults(struct tr_wire *wire, struct pkt *pkt, uint64_t ps)
{
	const struct tr_faults *faults = &wire->link->config.faults[wire->direction];
	struct tr_link_counters *counters = &wire->link->counters;
	struct tr_rng *rng = &wire->rng;
	unsigned direction = wire->direction;
	struct pkt *copy;

	if (tr_rng_chance(rng, faults->loss_ppm)) {
		tr_wire_lose(wire, pkt);
		return;
	}
	if (pkt->bytes && tr_rng_chance(rng, faults->corrupt_ppm)) {
		uint32_t bit = (uint32_t)tr_rng_below(rng, pkt->bytes * 8);

		pkt->data[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		counters->corrupted[direction]++;
		event(wire, TR_PLACE_CORRUPTED, pkt, bit);
	}
	if (tr_rng_chance(rng, faults->duplicate_ppm) &&
		(copy = tr_pkt_copy(wire->world, pkt->data, pkt->bytes))) {
		copy->trace = pkt->trace;
		copy->latency_ps = pkt->latency_ps;
		counters->duplicated[direction]++;
		event(wire, TR_PLACE_DUPLICATED, pkt, 0);
		fly(wire, copy, ps);
	}
	if (tr_rng_chance(rng, faults->reorder_ppm)) {
		ps += faults->reorder_ps;
		counters->reordered[direction]++;
		event(wire, TR_PLACE_REORDERED, pkt, 0);
	}
	fly(wire, pkt, ps);
}

static void begin(struct tr_wire *wire)
{
	struct tr_world *world = wire->world;
	const struct tr_link_config *config = &wire->link->config;
	struct tr_link_counters *counters = &wire->link->counters;
	struct pkt *pkt = take(wire);

	if (!pkt)
		return;
	if (wire->free_ps < world->now_ps) {
		wire->free_ps = world->now_ps;
		wire->remainder = 0;
	}
	wire->free_ps += wire_ps(config->bits_per_s, pkt->bytes, &wire->remainder);
	counters->sent[wire->direction]++;
	counters->sent_bytes[wire->direction] += pkt->bytes;
	event(wire, TR_PLACE_WIRE, pkt, 0);
	tr_world_hash_bytes(world, pkt->data, pkt->bytes);
	if (wire->record_on && !tr_record_add(&wire->record, pkt, wire->free_ps))
		tr_world_fail(world, -ENOMEM);
	if (!tr_link_carries(wire->link))
		tr_wire_lose(wire, pkt);
	else
		fly_with_faults(wire, pkt, wire->free_ps + config->delay_ps);
}

static void arrive(struct tr_wire *wire, struct pkt *pkt)
{
	if (has_station(&wire->to))
		tr_station_receive(wire->to.station, pkt);
	else if (wire->to.kind == TR_END_PORT)
		tr_nic_receive(wire->to.port, pkt);
	else
		tr_twin_receive(wire->to.port, pkt);
}

static void change(struct tr_wire *wire)
{
	const struct tr_faults *faults = &wire->link->config.faults[wire->direction];

	wire->failed = !wire->failed;
	wire->change_ps += tr_rng_exponential(&wire->state_rng,
		wire->failed ? faults->down_mean_ps : faults->up_mean_ps);
	tr_link_changed(wire->link);
}

void tr_wire_run(struct tr_wire *wire)
{
	struct tr_world *world = wire->world;
	uint64_t now_ps = world->now_ps;
	uint64_t next_ps;

	if (wire->change_ps <= now_ps)
		change(wire);
	// Deliver between two beginnings, so that frames which take no time do not pile up.
	for (;;) {
		while (tr_fifo_ps(&wire->flight) <= now_ps && !world->stop)
			arrive(wire, tr_fifo_pop(&wire->flight));
		if (world->stop || begin_ps(wire) > now_ps)
			break;
		begin(wire);
	}
	next_ps = begin_ps(wire);
	if (tr_fifo_ps(&wire->flight) < next_ps)
		next_ps = tr_fifo_ps(&wire->flight);
	if (wire->change_ps < next_ps)
		next_ps = wire->change_ps;
	tr_world_at(world, &wire->actor, next_ps > now_ps ? next_ps : now_ps);
}
