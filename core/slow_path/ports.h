// SPDX-License-Identifier: MIT
// The ports as they are at the moment: links, what was put down by command, and the own addresses
// with their way into use (RFC 5227). What follows from a change goes to whom it concerns: routes
// (tables.h), neighbours, what the fast path does with frames that come in, and everybody's
// view of the port (router.h). Slow-path thread only.
#pragma once
#include "backend.h"
#include "formats/arp.h"

struct tr_slow_path;

struct tr_own_address {
	struct tr_port_address own;
	uint8_t state;          // enum tr_address_state
	uint8_t left;           // probes or announcements still to be sent
	uint64_t due_cycles;    // when the next one is, or probing is over; UINT64_MAX: never
	uint64_t defend_cycles; // no announcement against a conflict before
};

struct tr_own_port {
	uint32_t addresses; // configured; struct tr_config has those in use
	struct tr_own_address address[TR_PORT_ADDRESSES_MAX];
};

// --- ports.c -------------------------------------------------------------------------------------
// All addresses are in use, and no port has a link before the first look.
void tr_ports_init(struct tr_slow_path *slow);
// Looks at the links and does what is due. Returns the work done.
unsigned tr_ports_poll(struct tr_slow_path *slow);
uint64_t tr_ports_deadline(const struct tr_slow_path *slow);
// Another configuration of a port; name and MAC address stay.
void tr_ports_configure(struct tr_slow_path *slow, uint16_t port,
	const struct tr_port_config *config);
// Whoever has changed a port's state calls this.
void tr_ports_settle(struct tr_slow_path *slow);

// --- addresses.c ---------------------------------------------------------------------------------
struct tr_own_address *tr_addresses_find(struct tr_slow_path *slow, uint16_t port,
	uint32_t address);
// The port has a link now and is not down by command; or not any more.
void tr_addresses_up(struct tr_slow_path *slow, uint16_t port);
void tr_addresses_down(struct tr_slow_path *slow, uint16_t port);
// The addresses of this configuration; those that are new are probed, if the settings say so.
void tr_addresses_configure(struct tr_slow_path *slow, uint16_t port,
	const struct tr_port_config *config);
// True if the ARP packet, of another station, shows that it has an address that is being probed.
bool tr_addresses_hear(struct tr_slow_path *slow, uint16_t port, const struct arp_packet *arp);
bool tr_addresses_is_probing(const struct tr_own_port *port);
// Probes and announcements that are due. Returns how many.
unsigned tr_addresses_tick(struct tr_slow_path *slow, uint64_t now);
