// SPDX-License-Identifier: MIT
// Inside of the tables, shared by their two files: what is brought to the FIB and when (tables.c),
// and the host routes that neighbours get (learned.c).
#pragma once
#include "tables/dirty.h"
#include "tables/next_hops.h"
#include "tables/tables.h"

struct tr_tables {
	struct tr_config config;
	struct tr_paths *paths; // of the RIB and of the next hops
	struct tr_rib *rib;
	struct tr_hops *hops;
	struct tr_swap *swap;
	struct tr_dirty dirty;
	uint64_t unplaced;
	uint16_t default_hop; // next hop that entry 0 copies, 0: no default route
	bool hold;            // nothing is published
	bool was_ready;       // at the last poll
	bool retry;           // room may have come free since the unplaced prefixes were tried
	bool relearn;         // a route within a subnet has come or gone
};

// learned.c: adds and deletes host routes as the prefixes now in the FIB call for. How many.
unsigned tr_tables_relearn(struct tr_tables *tables);
