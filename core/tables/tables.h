// SPDX-License-Identifier: MIT
// RIB, next-hop indices and the double-buffered FIB, tied together: what the slow path changes and
// routes by. A change marks its prefix (or next hop) dirty; tr_tables_poll() turns what is dirty
// into one coalesced set, publishes it, and lets the old table catch up after the last
// acknowledgement. Next hops are shared by (kind, port, gateway). Slow-path thread only.
#pragma once
#include "tables/fib.h"
#include "tables/rib.h"

struct tr_tables;

// Most changes handled in one poll, so that the slow path stays awake during a bulk load.
#define TR_TABLES_POLL_MAX 16384

// Leaves both tables holding the built-in and port routes, as generation 1, already acknowledged.
struct tr_tables *tr_tables_new(struct io_env *env, const struct tr_config *config); // NULL, errno
void tr_tables_free(struct tr_tables *tables);

// Whether more changes are to come before anything is published: those that belong together.
void tr_tables_hold(struct tr_tables *tables, bool hold);
// True while there are changes that the last poll did not come to.
bool tr_tables_are_behind(const struct tr_tables *tables);
// 0, -ENOENT (delete), -ENOMEM, -ENOSPC (no next-hop index left).
int tr_tables_change(struct tr_tables *tables, const struct tr_route_change *change);
// The neighbour's MAC address is known (mac) or not any more (NULL): updates the next hop by it
// and adds or removes the learned host route of its address (source TR_SOURCE_LEARNED). Cheap when
// nothing changes. -EINVAL: no such port, or an address of the router's own; -ENOMEM, -ENOSPC.
int tr_tables_neighbor(struct tr_tables *tables, uint16_t port, uint32_t address,
	const uint8_t *mac);
// True if a route other than the learned host route goes through this neighbour.
bool tr_tables_is_gateway(const struct tr_tables *tables, uint16_t port, uint32_t address);

// One turn of the swap. Returns the work done (0: nothing to do). *publish is set to the table that
// the caller must now send down every unit's command ring, else NULL.
unsigned tr_tables_poll(struct tr_tables *tables, const struct tr_fib **publish);
void tr_tables_acknowledge(struct tr_tables *tables, uint64_t generation);

// Next hop of an address by the published table.
const struct tr_next_hop *tr_tables_lookup(const struct tr_tables *tables, uint32_t address);
const struct tr_fib *tr_tables_active(const struct tr_tables *tables);
const struct tr_rib *tr_tables_rib(const struct tr_tables *tables);
void tr_tables_info(const struct tr_tables *tables, struct tr_table_info *out);
