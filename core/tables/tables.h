// SPDX-License-Identifier: MIT
// RIB, next-hop indices and the double-buffered FIB, tied together: what the slow path changes and
// routes by. A change marks its prefix (or next hop) dirty; tr_tables_poll() turns what is dirty
// into one coalesced set, publishes it, and lets the old table catch up after the last
// acknowledgement. Next hops are shared by what they do. Slow-path thread only.
#pragma once
#include "tables/fib.h"
#include "tables/rib.h"

struct tr_tables;

// Most changes handled in one poll, so that the slow path stays awake during a bulk load.
#define TR_TABLES_POLL_MAX 16384

// Leaves both tables holding the built-in and port routes, as generation 1, already acknowledged,
// as if all ports could send. NULL with errno. `config` stays the caller's, who may change a port's
// addresses and MTU in it and then tells by tr_tables_port().
struct tr_tables *tr_tables_new(struct io_env *env, const struct tr_config *config);
void tr_tables_free(struct tr_tables *tables);

// Whether more changes are to come before anything is published: those that belong together.
void tr_tables_hold(struct tr_tables *tables, bool hold);
// True while there are changes that the last poll did not come to.
bool tr_tables_are_behind(const struct tr_tables *tables);
// Makes the first of n checked changes, with the further gateways and the MTU that follow it.
// Returns how many rows that were, 1 at least. A route that is not there to be deleted changes
// nothing, nor does one for which there is no memory, which is counted as lost; one that no next
// hop is left for is unplaced until there is.
uint64_t tr_tables_apply(struct tr_tables *tables, const struct tr_route_change *changes,
	uint64_t n);
// A change of a single row. 0, -ENOENT (delete), -ENOMEM, -ENOSPC (no next-hop index left).
int tr_tables_change(struct tr_tables *tables, const struct tr_route_change *change);
// The neighbour's MAC address is known (mac) or not any more (NULL): updates the next hop by it
// and adds or removes the learned host route of its address (source TR_SOURCE_LEARNED). Cheap when
// nothing changes. -EINVAL: no such port, or an address of the router's own; -ENOMEM, -ENOSPC.
int tr_tables_neighbor(struct tr_tables *tables, uint16_t port, uint32_t address,
	const uint8_t *mac);
// A gateway is known not to answer, or may be tried again (as it may at first, and when its MAC
// address becomes known). While a route has other gateways packets go by those. Cheap when nothing
// changes.
void tr_tables_gateway(struct tr_tables *tables, uint16_t port, uint32_t address, bool usable);
// True if the neighbour is one of several gateways of a route: somebody has to find out when it
// answers again, as no packet will.
bool tr_tables_in_group(const struct tr_tables *tables, uint16_t port, uint32_t address);

// Which ports can send, as a bit mask: routes by the others are not used from now on.
void tr_tables_ports(struct tr_tables *tables, uint32_t ports);
// A port's addresses or MTU have changed from what they were `before`: so do the routes that follow
// from them, and those through gateways in its subnets are used, or not any more.
void tr_tables_port(struct tr_tables *tables, uint16_t port, const struct tr_port_config *before);

// One turn of the swap. Returns the work done (0: nothing to do). *publish is set to the table that
// the caller must now send down every unit's command ring, else NULL.
unsigned tr_tables_poll(struct tr_tables *tables, const struct tr_fib **publish);
void tr_tables_acknowledge(struct tr_tables *tables, uint64_t generation);

// Next hop of an address by the published table; of several, one. That of a packet is the one that
// the fast path takes for its flow, and what the router itself sends to an address goes one way.
const struct tr_next_hop *tr_tables_lookup(const struct tr_tables *tables, uint32_t address);
const struct tr_next_hop *tr_tables_route(const struct tr_tables *tables,
	const struct ipv4_header *ip);
const struct tr_next_hop *tr_tables_route_own(const struct tr_tables *tables, uint32_t destination);
// A row for each next hop of an address that is in use now. Returns how many there are, copies at
// most `room`.
uint64_t tr_tables_rows(const struct tr_tables *tables, uint32_t address, struct tr_route *out,
	uint64_t room);
const struct tr_fib *tr_tables_active(const struct tr_tables *tables);
const struct tr_rib *tr_tables_rib(const struct tr_tables *tables);
// True if some route of the longest prefix around the address, the best one or an alternative,
// leaves by that port (RFC 3704 2.3). By the RIB, which may be ahead of the published table.
bool tr_tables_is_feasible(const struct tr_tables *tables, uint32_t address, uint16_t port);
void tr_tables_info(const struct tr_tables *tables, struct tr_table_info *out);
