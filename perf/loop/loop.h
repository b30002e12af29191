// SPDX-License-Identifier: MIT
// The fast path in a tight loop, without NICs and without a world around it: a router of the
// simulator whose receive and transmit calls end in null_nic.c, which hands out prepared packets
// and forgets what it gets, as DPDK's net_null does. For counting instructions (under callgrind)
// and for timing, by the same code.
#pragma once
#include "router_private.h"
#include "sim_api.h"

#define LOOP_PORTS 2
#define LOOP_GATEWAYS_MAX 64
#define LOOP_BLOCK 1024 // packets between two refills: as many as a NIC's ring holds

enum loop_size {
	LOOP_SMALL, // 60 bytes without FCS
	LOOP_IMIX,  // 7 of 60 bytes, 4 of 590, 1 of 1514
};

// What the packets of a case are like.
struct loop_traffic {
	const uint32_t *destination; // host order, one after the other
	uint32_t destinations;
	uint32_t size;            // enum loop_size
	uint32_t complex_percent; // leave the fast path: TTL 1 and IP options by turns
	bool software_checksum;   // the NIC has no verdict
};

// The packets of one unit.
struct loop_feed {
	const struct loop_traffic *traffic;
	struct io_port *port; // that receives
	uint16_t unit;
	uint64_t next; // number of the next packet to be written
	uint32_t ready, taken;
	uint64_t sent, punted, dropped;
	struct pkt *pkt; // LOOP_SLOTS, used in turn
	uint8_t *buffers;
};

struct loop_bed {
	struct tr_world *world;
	struct tr_router *router;
	uint16_t units;
	struct loop_feed feed[TR_UNITS_MAX];
};

struct loop_route {
	uint32_t prefix; // host order
	uint32_t bits;
};

// What no route covers takes a default route.
struct loop_bed_config {
	const struct loop_route *route;
	uint32_t routes;
	uint32_t gateways; // that the routes take in turn
	uint32_t paths;    // gateways of each route
	uint32_t rules;    // of the packet filter, of which no packet meets one
	uint32_t units;
	const char *vector; // variant of the inner loops, "": the fastest
	bool compact;       // look up in the compressed structure
};

// Leaves the program where that can not be made.
void loop_bed_make(struct loop_bed *bed, const struct loop_bed_config *config);
void loop_bed_free(struct loop_bed *bed);
_Noreturn void loop_fail(const char *what);

void loop_feed_init(struct loop_feed *feed, struct loop_bed *bed, uint16_t unit);
void loop_feed_free(struct loop_feed *feed);
// Makes n packets, of LOOP_BLOCK at most, ready to be received.
void loop_feed_fill(struct loop_feed *feed, unsigned n);
unsigned loop_feed_take(struct loop_feed *feed, struct pkt **pkts, unsigned n);
// From here to there the calling thread's ports are those of the feed.
void loop_feed_begin(struct loop_feed *feed);
void loop_feed_end(struct loop_feed *feed);

#define LOOP_STEPS_MAX (TR_STEPS_MAX + 2)

// What is measured: the whole turn of the unit, or one place that takes a batch.
struct loop_result {
	uint32_t places;
	const char *name[LOOP_STEPS_MAX];
	uint64_t packets;
	uint64_t cycles[LOOP_STEPS_MAX]; // of the time stamp counter: a block's, the median of all
	uint64_t sent, punted, dropped;
};

struct loop_case {
	struct loop_traffic traffic;
	uint32_t burst;
	uint32_t scatter; // enum tr_scatter
	uint32_t blocks;
	bool count; // callgrind counts: one place after the other
	bool steps; // every place alone, else the pipeline as a whole
};

// Runs a case by one unit.
void loop_run(struct loop_bed *bed, uint16_t unit, const struct loop_case *what,
	struct loop_result *out);
