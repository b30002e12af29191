// SPDX-License-Identifier: MIT
// The neighbour table: IPv4 address on a port -> MAC address, with the packets that wait for it.
// Entries are asked for with retries and back-off, refreshed by unicast requests when they age
// (RFC 1122 2.3.2.1), and bounded in number and in what waits. Slow-path thread only.
#pragma once
#include "backend.h"
#include "formats/ethernet.h"

struct tr_slow_path;
struct tr_neighbors;

// NULL with errno. `hz`: of the clock that the timers run on.
struct tr_neighbors *tr_neighbors_new(const struct tr_config *config, uint64_t hz);
// Times and retries from now on; `hz` as above.
void tr_neighbors_settings(struct tr_neighbors *neighbors, const struct tr_settings *settings,
	uint64_t hz);
void tr_neighbors_free(struct tr_neighbors *neighbors);
// The MAC address if it is known, else NULL.
const uint8_t *tr_neighbors_find(const struct tr_neighbors *neighbors, uint16_t port,
	uint32_t address);
// Keeps a packet, unchanged since it came in or was made, until the address is resolved, and
// asks for it if nobody has. Then it is routed anew, so what it meets is the table of that
// moment, and an ICMP error can quote it as it was received. Owns the packet.
void tr_neighbors_wait(struct tr_slow_path *slow, struct pkt *pkt, uint16_t port, uint32_t address);
// A MAC address was heard. `create`: make an entry if there is none (the sender spoke to us, RFC
// 826). Sends what waits and tells the tables.
void tr_neighbors_learn(struct tr_slow_path *slow, uint16_t port, uint32_t address,
	const uint8_t *mac, bool create);
// Static entry (mac) or its removal (NULL).
void tr_neighbors_set(struct tr_slow_path *slow, uint16_t port, uint32_t address,
	const uint8_t *mac);
// Gives up the neighbours that were in the subnets which a port had `before` and are in none of its
// subnets now, and those whose address has become an own one. What was set stays.
void tr_neighbors_forget(struct tr_slow_path *slow, uint16_t port,
	const struct tr_port_config *before);
// Retries, failures, refreshes that are due. Returns the entries handled.
unsigned tr_neighbors_tick(struct tr_slow_path *slow, uint64_t now);
uint64_t tr_neighbors_deadline(const struct tr_neighbors *neighbors); // UINT64_MAX: none
uint64_t tr_neighbors_held(const struct tr_neighbors *neighbors);     // packets that wait
uint64_t tr_neighbors_list(const struct tr_neighbors *neighbors, struct tr_neighbor_info *out,
	uint64_t room);
