// SPDX-License-Identifier: MIT
// Recorded frames (record.h): bytes in one array, facts in one each. Room doubles, so that a frame
// costs a copy.
#include "record.h"
#include "backend.h"
#include "grow.h"
#include <stdlib.h>
#include <string.h>

static bool grow(struct tr_record *record)
{
	uint64_t room = record->room ? 2 * record->room : 64;
	bool ok = true;

	record->offset = tr_grow(record->offset, room, sizeof(*record->offset), &ok);
	record->bytes = tr_grow(record->bytes, room, sizeof(*record->bytes), &ok);
	record->time_ps = tr_grow(record->time_ps, room, sizeof(*record->time_ps), &ok);
	record->latency_ps = tr_grow(record->latency_ps, room, sizeof(*record->latency_ps), &ok);
	if (ok)
		record->room = room;
	return ok;
}

static bool grow_data(struct tr_record *record, uint32_t bytes)
{
	uint64_t room = record->data_room ? 2 * record->data_room : 4096;
	bool ok = true;

	while (room < record->data_bytes + bytes)
		room *= 2;
	record->data = tr_grow(record->data, room, 1, &ok);
	if (ok)
		record->data_room = room;
	return ok;
}

bool tr_record_add(struct tr_record *record, const struct pkt *pkt, uint64_t time_ps)
{
	uint64_t i = record->count;

	if (i == record->room && !grow(record))
		return false;
	if (record->data_bytes + pkt->bytes > record->data_room && !grow_data(record, pkt->bytes))
		return false;
	memcpy(record->data + record->data_bytes, pkt->data, pkt->bytes);
	record->offset[i] = record->data_bytes;
	record->bytes[i] = pkt->bytes;
	record->time_ps[i] = time_ps;
	record->latency_ps[i] = pkt->latency_ps;
	record->data_bytes += pkt->bytes;
	record->count++;
	return true;
}

void tr_record_clear(struct tr_record *record)
{
	record->count = 0;
	record->data_bytes = 0;
}

void tr_record_free(struct tr_record *record)
{
	free(record->data);
	free(record->offset);
	free(record->bytes);
	free(record->time_ps);
	free(record->latency_ps);
	*record = (struct tr_record){0};
}

struct tr_frames tr_record_frames(const struct tr_record *record)
{
	return (struct tr_frames){
		.count = record->count,
		.data = record->data,
		.offset = record->offset,
		.bytes = record->bytes,
		.time_ps = record->time_ps,
		.latency_ps = record->latency_ps,
	};
}
