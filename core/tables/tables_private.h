// SPDX-License-Identifier: MIT
// Inside of the tables, shared by their three files: what is brought to the FIB and when
// (tables.c), the host routes that neighbours get (learned.c), and the walk over the RIB when ports
// have changed (usable.c).
#pragma once
#include "tables/dirty.h"
#include "tables/next_hops.h"
#include "tables/tables.h"
#include "tables/usable.h"

// Over the RIB's nodes: from the one where the last change found it to the end of the pool, then
// from the first to that one again.
struct tr_walk {
	uint32_t ports; // whose routes it looks for: bit mask, 0: no walk
	uint32_t at;    // next node
	uint32_t stop;
	bool is_second; // before `stop`
};

struct tr_tables {
	const struct tr_config *config;
	struct tr_usable usable;
	struct tr_walk walk;
	struct tr_paths *paths; // of the RIB and of the next hops
	struct tr_rib *rib;
	struct tr_hops *hops;
	struct tr_swap *swap;
	struct tr_dirty dirty;
	uint64_t unplaced;
	uint64_t lost;        // changes without memory
	uint16_t default_hop; // next hop that entry 0 copies, 0: no default route
	bool hold;            // nothing is published
	bool was_ready;       // at the last poll
	bool retry;           // room may have come free since the unplaced prefixes were tried
	bool relearn;         // a route within a subnet has come or gone
};

// tables.c: the prefix is brought to the FIB. Room for the mark has been reserved (dirty.h).
void tr_tables_mark(struct tr_tables *tables, uint32_t index);

// usable.c: the routes by these ports are looked at anew.
void tr_walk_begin(struct tr_walk *walk, uint32_t ports);
// Goes on by at most so many nodes. Returns how many.
unsigned tr_walk(struct tr_tables *tables, unsigned most);
uint64_t tr_walk_left(const struct tr_walk *walk, const struct tr_rib *rib);

// learned.c: adds and deletes host routes as the prefixes now in the FIB call for. How many.
unsigned tr_tables_relearn(struct tr_tables *tables);
