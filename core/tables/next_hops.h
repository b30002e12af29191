// SPDX-License-Identifier: MIT
// The next hops in use: their indices, shared by (kind, port, gateway, MTU) or by (set of gateways,
// MTU) and counted, and what a neighbour's MAC address makes of them. Both tables hold the entries;
// this is what they are made from. Slow-path thread only.
#pragma once
#include "tables/lpm.h"
#include "tables/next_hop.h"
#include "tables/paths.h"
#include "tables/usable.h"

struct tr_hops;

struct tr_neighbor_key {
	uint32_t address;
	uint16_t port;
};

// What can be used stays the caller's; the sets of routes with several gateways are looked up in
// `paths`. NULL with errno.
struct tr_hops *tr_hops_new(const struct tr_usable *usable, struct tr_paths *paths);
void tr_hops_free(struct tr_hops *hops);
// Index of the next hop that a route asks for, with one more reference; 0: no index is left. That
// of several gateways is a group, and refers to the next hop of each.
uint16_t tr_hops_take(struct tr_hops *hops, const struct tr_route *route);
// One reference less. An index without any is not given out again before tr_hops_reuse().
void tr_hops_give(struct tr_hops *hops, uint16_t hop);
// Both tables have stopped using what was given so far. True if that makes indices free.
bool tr_hops_reuse(struct tr_hops *hops);
// False if the route needs a new index and all are in use.
bool tr_hops_fits(const struct tr_hops *hops, const struct tr_route *route);
// Index of the next hop by a neighbour with the port's MTU, and references of an index; 0 where
// there is none.
uint16_t tr_hops_find(const struct tr_hops *hops, uint16_t port, uint32_t gateway);
uint32_t tr_hops_references(const struct tr_hops *hops, uint16_t hop);
// enum tr_route_kind of a next hop; of index 0: no route.
uint8_t tr_hops_kind(const struct tr_hops *hops, uint16_t hop);
// The neighbour's MAC address of a next hop, NULL: unknown. It is set in all next hops by it.
const uint8_t *tr_hops_mac(const struct tr_hops *hops, uint16_t hop);
void tr_hops_set_mac(struct tr_hops *hops, uint16_t hop, const uint8_t *mac);
// The MTU of a port has changed: so do the entries of all next hops by it.
void tr_hops_mtu(struct tr_hops *hops, uint16_t port);
// The next neighbour behind index `at` whose MAC address is known: its index, 0: no more.
uint16_t tr_hops_next_neighbor(const struct tr_hops *hops, uint16_t at,
	struct tr_neighbor_key *key);
// Takes one index whose entry is new or changed, 0: no more.
uint16_t tr_hops_changed(struct tr_hops *hops);
uint32_t tr_hops_changed_count(const struct tr_hops *hops);
// The entry of a next hop as the fast path reads it; of index 0: no route.
void tr_hops_entry(const struct tr_hops *hops, uint16_t hop, struct tr_next_hop *entry);
// A gateway answers or not, or what can be used by a port has changed: groups choose among what is
// usable while anything is. Without groups by it nothing changes.
void tr_hops_gateway(struct tr_hops *hops, uint16_t port, uint32_t gateway, bool usable);
void tr_hops_port(struct tr_hops *hops, uint16_t port);
bool tr_hops_in_group(const struct tr_hops *hops, uint16_t port, uint32_t gateway);
uint32_t tr_hops_used(const struct tr_hops *hops);
uint32_t tr_hops_room(const struct tr_hops *hops); // how many more there may be
