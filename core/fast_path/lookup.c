// SPDX-License-Identifier: MIT
// Fourth on the packet's way: the longest prefix of the destination, for the whole batch in one
// call, so that the lookup structure can prefetch all lanes ahead of reading the first.
#include "fast_path/fast_unit.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"

void tr_lookup(void *state, struct tr_batch *batch)
{
	struct tr_fast_unit *unit = state;
	const struct tr_lpm *lpm = unit->fib->lpm;
	uint32_t address[TR_BATCH_MAX];
	uint16_t hop[TR_BATCH_MAX];
	unsigned n = 0;

	// Lanes that have left may be too short to hold a destination.
	TR_FOR_EACH_LIVE (lane, batch) {
		const struct ipv4_header *ip =
			(const struct ipv4_header *)(batch->frame[lane] + ETHER_HEADER_BYTES);
		address[n++] = be32(ip->destination_be);
	}
	lpm->ops->lookup(lpm, address, hop, n);
	lpm->ops->touch(lpm, unit->core, address, n);
	n = 0;
	TR_FOR_EACH_LIVE (lane, batch)
		batch->hop[lane] = hop[n++];
}
