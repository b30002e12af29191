// SPDX-License-Identifier: MIT
// What the fuzzer sends its frames into: the test bed of tests/worlds.py with every feature that
// frames can reach switched on, in kinds that differ in scattering, units, twins and room.
// Addresses: p1 10.1.0.1/24 to p3 10.3.0.1/24, hosts at .2 and routers at .254 of each.
#pragma once
#include "sim_api.h"

#define BED_PORTS 3
#define BED_FRAME_MAX 2048
#define BED_STATION 77 // last byte of the address of what is behind a port

enum bed_kind {
	BED_PLAIN,  // one unit
	BED_TWINS,  // two units, a host stack behind each port, NICs that look into packets
	BED_SPLIT,  // two units that split batches, one address that stations answer ARP for
	BED_NARROW, // processing and wires take time, small MTUs, and room for next to nothing
	BED_KINDS,
};

struct bed {
	struct tr_world *world;
	struct tr_router *router;
	enum bed_kind kind;
	uint32_t station[BED_PORTS]; // what is behind each port
	uint32_t twin[BED_PORTS];
	uint32_t link[BED_PORTS];
	uint64_t routes; // when all is quiet
};

// Leaves the program where the world can not be made.
void bed_make(struct bed *bed, enum bed_kind kind);
void bed_free(struct bed *bed);
const uint8_t *bed_mac(unsigned port); // the router's
uint16_t bed_mtu(const struct bed *bed, unsigned port);

// Sends a frame out of a station at the present time.
void bed_send(struct bed *bed, uint32_t station, const uint8_t *frame, uint32_t bytes);
void bed_run_us(struct bed *bed, uint64_t us);
// Runs until every timer has run out and nothing is held, and checks what must hold then (RFC 1812
// asks for none of it, the design does). Ends the program if something does not.
void bed_check_quiet(struct bed *bed);
// Every frame that left must be one that a router may send.
void bed_check_sent(struct bed *bed);
// A good packet is still forwarded, byte for byte as expected, and a ping still answered.
void bed_check_works(struct bed *bed);

// Says what is wrong and aborts: the fuzzer keeps the input then.
_Noreturn void bed_fail(const struct bed *bed, const char *what);
