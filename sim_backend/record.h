// SPDX-License-Identifier: MIT
// Frames kept for whoever looks at them after the run: what a station received, what was put on a
// wire. Arrays that grow and stay, in the form in which Python reads them.
#pragma once
#include "sim_api.h"

struct pkt;

struct tr_record {
	uint64_t count;
	uint64_t room; // frames
	uint64_t data_bytes;
	uint64_t data_room;
	uint8_t *data;
	uint64_t *offset;
	uint32_t *bytes;
	uint64_t *time_ps;
	int64_t *latency_ps;
};

bool tr_record_add(struct tr_record *record, const struct pkt *pkt, uint64_t time_ps);
// Forgets the frames and keeps the memory.
void tr_record_clear(struct tr_record *record);
void tr_record_free(struct tr_record *record);
struct tr_frames tr_record_frames(const struct tr_record *record);
