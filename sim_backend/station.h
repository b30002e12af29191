// SPDX-License-Identifier: MIT
// A station: a host, a tester, or the host's stack behind a port's twin. It sends what it is told,
// answers ARP and echo if it is to, keeps what it receives, and hands it to the world's callback.
#pragma once
#include "faults.h"
#include "record.h"
#include "source.h"

struct pkt;
struct tr_wire;
struct tr_world;

struct tr_station {
	struct tr_world *world;
	uint32_t id;
	struct tr_station_config config;
	struct tr_wire *wire; // away from it, NULL: no link
	struct tr_source source;
	struct tr_record record;
	struct tr_rng rng;
};

void tr_station_free(struct tr_station *station);
// The next frame for its wire.
struct pkt *tr_station_next(struct tr_station *station);
void tr_station_receive(struct tr_station *station, struct pkt *pkt);
// Sends the answer that a frame asks for, if any (answer.c). True: the frame is dealt with.
bool tr_station_answer(struct tr_station *station, const struct pkt *pkt);
