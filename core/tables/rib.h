// SPDX-License-Identifier: MIT
// The RIB: every route of every source. The best one of a prefix (usable before others, then lowest
// preference, source, metric) is what the FIB gets, if it is usable. What the FIB holds of a prefix
// is kept with it, so that a change costs one search and a prefix can be named by its index until
// the FIB has forgotten it. A route with several gateways, or an MTU, is of kind TR_ROUTE_GROUP and
// refers to a set of them. Slow-path thread only.
#pragma once
#include "tables/paths.h"
#include "tables/usable.h"
#include <assert.h>

struct tr_rib;

struct tr_rib_prefix {
	struct tr_route best; // kind TR_ROUTE_NONE: no route left, but the FIB may still hold it
	uint32_t others;      // rib.c: chain of the routes that are not the best
	uint16_t hop;         // next-hop index in the FIB, 0: not in the FIB (tr_rib_install)
	uint8_t dirty;        // tables.c: waits to be brought to the FIB
	uint8_t unplaced;     // tables.c: the FIB had no room for it
};

static_assert(sizeof(struct tr_rib_prefix) == 24, "16 million prefixes in 384 MiB");

// NULL with errno.
struct tr_rib *tr_rib_new(struct tr_paths *paths, const struct tr_usable *usable);
void tr_rib_free(struct tr_rib *rib);
// Adds or replaces the route of (prefix, bits, source, metric). *index names the prefix;
// *best_changed tells whether its best route is another one now. 0 or -ENOMEM. With 0 the reference
// to a set of gateways is the RIB's, until the route is replaced or deleted.
int tr_rib_add(struct tr_rib *rib, const struct tr_route *route, uint32_t *index,
	bool *best_changed);
// Deletes the route with that prefix, bits, source and metric. -ENOENT: there is no such route. A
// prefix without routes stays until tr_rib_release().
int tr_rib_delete(struct tr_rib *rib, const struct tr_route *key, uint32_t *index,
	bool *best_changed);
// After a change of what is usable: if the route in a node goes by one of these ports, its prefix
// chooses its best route anew. Index of the prefix, 0: there is no such route in the node.
uint32_t tr_rib_revisit(struct tr_rib *rib, uint32_t node, uint32_t ports);
// A prefix by its index, valid until the next change. Indices run from 1 below tr_rib_end(); those
// in between that name no prefix are all zero, or hold a route of another one and no FIB state.
struct tr_rib_prefix *tr_rib_at(struct tr_rib *rib, uint32_t index);
uint32_t tr_rib_end(const struct tr_rib *rib);
// Notes the next-hop index by which the FIB holds the prefix, 0 for not at all.
void tr_rib_install(struct tr_rib *rib, uint32_t index, uint16_t hop);
// Forgets a prefix that has neither a route nor a place in the FIB; others stay.
void tr_rib_release(struct tr_rib *rib, uint32_t index);
// That very prefix, NULL if it is not known. Valid until the next change.
const struct tr_rib_prefix *tr_rib_find(const struct tr_rib *rib, uint32_t prefix, uint8_t bits);
// The route with that prefix, bits, source and metric; NULL without one. Valid until the next
// change.
const struct tr_route *tr_rib_route(const struct tr_rib *rib, const struct tr_route *key);
// Longest prefix of 1..bits-1 bits around this one that the FIB holds, NULL without one.
const struct tr_rib_prefix *tr_rib_cover(const struct tr_rib *rib, uint32_t prefix, uint8_t bits);
// True if the function says so of any route of the prefix, usable or not.
bool tr_rib_any(const struct tr_rib *rib, const struct tr_rib_prefix *prefix,
	bool (*is_wanted)(void *argument, const struct tr_route *route), void *argument);
uint64_t tr_rib_prefixes(const struct tr_rib *rib); // with at least one route
// Rows sorted by prefix, length, and the order in which routes win; further gateways and the MTU of
// a route behind it (api.h). Returns how many there are, copies at most `room`, and none where
// memory for the sorting is lacking.
uint64_t tr_rib_read(const struct tr_rib *rib, struct tr_route *out, uint64_t room, bool all);
