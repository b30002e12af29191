// SPDX-License-Identifier: MIT
// Stations (station.h): how their frames get numbers for the trace and what becomes of those that
// reach them: recorded first, then answered or handed to the callback. Below, what Python asks.
#include "station.h"
#include "pool.h"
#include "wire.h"
#include "world.h"
#include <errno.h>
#include <stdlib.h>

int tr_world_station(struct tr_world *world, const struct tr_station_config *config)
{
	struct tr_station **list;
	struct tr_station *station;

	if (config->bits > 32 || config->arp > TR_STATION_SUBNET)
		return -EINVAL;
	list = tr_world_grown(world->station, world->stations);
	if (!list)
		return -ENOMEM;
	world->station = list;
	station = calloc(1, sizeof(*station));
	if (!station)
		return -ENOMEM;
	station->world = world;
	station->id = world->stations;
	station->config = *config;
	tr_rng_init(&station->rng, world->seed, TR_RNG_STATION, station->id);
	world->station[world->stations] = station;
	return (int)world->stations++;
}

void tr_station_free(struct tr_station *station)
{
	tr_source_free(&station->source, station->world);
	tr_record_free(&station->record);
	free(station);
}

struct pkt *tr_station_next(struct tr_station *station)
{
	struct tr_world *world = station->world;
	bool flagged;
	struct pkt *pkt = tr_source_next(&station->source, world, &flagged);

	if (!pkt)
		return NULL;
	if (world->trace.on) {
		tr_trace_pick(world, pkt, flagged);
		if (pkt->trace)
			tr_world_event(world, TR_PLACE_SENT, pkt, TR_NOWHERE, station->id, 0);
	}
	return pkt;
}

void tr_station_receive(struct tr_station *station, struct pkt *pkt)
{
	struct tr_world *world = station->world;
	const struct tr_station_config *config = &station->config;

	tr_world_event(world, TR_PLACE_RECEIVED, pkt, TR_NOWHERE, station->id, 0);
	if (config->record && !tr_record_add(&station->record, pkt, world->now_ps))
		tr_world_fail(world, -ENOMEM);
	if (!tr_station_answer(station, pkt) && config->call && world->on_frame)
		world->on_frame(world->on_frame_context, station->id, pkt->data, pkt->bytes,
			world->now_ps);
	tr_pkt_free(world, pkt);
}

int tr_station_send(struct tr_world *world, uint32_t id, const uint8_t *data,
	const uint64_t *offset, const uint32_t *bytes, const uint64_t *at_ps, const uint8_t *trace,
	uint64_t n, uint64_t *bad)
{
	struct tr_station *station;
	bool traced = false;
	int error;

	if (id >= world->stations)
		return -EINVAL;
	station = world->station[id];
	if (!station->wire)
		return -ENOTCONN;
	for (uint64_t i = 0; i < n; i++) {
		traced |= trace && trace[i];
		if (bytes[i] && bytes[i] <= tr_stock_frame_max(&world->stock))
			continue;
		*bad = i;
		return -EMSGSIZE;
	}
	if (n == 0)
		return 0;
	error = tr_source_add(&station->source, world, data, offset, bytes, at_ps, trace, n);
	if (error)
		return error;
	if (traced)
		tr_trace_enable(world);
	tr_wire_kick(station->wire);
	return 0;
}

int tr_station_received(const struct tr_world *world, uint32_t station, struct tr_frames *out)
{
	if (station >= world->stations)
		return -EINVAL;
	*out = tr_record_frames(&world->station[station]->record);
	return 0;
}

int tr_station_clear(struct tr_world *world, uint32_t station)
{
	if (station >= world->stations)
		return -EINVAL;
	tr_record_clear(&world->station[station]->record);
	return 0;
}
