// SPDX-License-Identifier: MIT
// What the slow path asks the published table: where an address, a packet or something that the
// router made itself goes. The choice between several next hops is the fast path's, by the same
// function: all packets of a flow, and all fragments of a datagram, leave by one (RFC 1812
// 5.2.1.2).
#include "tables/tables_private.h"

static const struct tr_next_hop *find(const struct tr_fib *fib, uint32_t address)
{
	return &fib->hops[fib->lpm->ops->find(fib->lpm, address)];
}

const struct tr_next_hop *tr_tables_lookup(const struct tr_tables *tables, uint32_t address)
{
	const struct tr_fib *fib = tr_swap_active(tables->swap);
	const struct tr_next_hop *hop = find(fib, address);

	return hop->kind == TR_ROUTE_GROUP ? &fib->hops[fib->hops[hop->list].member[0]] : hop;
}

static const struct tr_next_hop *choose(const struct tr_fib *fib, const struct tr_next_hop *hop,
	uint64_t flow)
{
	return &fib->hops[tr_multipath_choose(fib->hops, hop, flow)];
}

const struct tr_next_hop *tr_tables_route(const struct tr_tables *tables,
	const struct ipv4_header *ip)
{
	const struct tr_fib *fib = tr_swap_active(tables->swap);
	const struct tr_next_hop *hop = find(fib, be32(ip->destination_be));

	if (hop->kind != TR_ROUTE_GROUP)
		return hop;
	return choose(fib, hop, tr_flow_hash(&fib->flow, ip));
}

const struct tr_next_hop *tr_tables_route_own(const struct tr_tables *tables, uint32_t destination)
{
	const struct tr_fib *fib = tr_swap_active(tables->swap);
	const struct tr_next_hop *hop = find(fib, destination);

	if (hop->kind != TR_ROUTE_GROUP)
		return hop;
	return choose(fib, hop, tr_flow_hash_own(&fib->flow, destination));
}

uint64_t tr_tables_rows(const struct tr_tables *tables, uint32_t address, struct tr_route *out,
	uint64_t room)
{
	const struct tr_fib *fib = tr_swap_active(tables->swap);
	const struct tr_next_hop *hop = find(fib, address);
	uint64_t n = hop->kind == TR_ROUTE_GROUP ? hop->members : 1;

	for (uint64_t i = 0; i < n && i < room; i++) {
		const struct tr_next_hop *one = hop->kind == TR_ROUTE_GROUP
			? &fib->hops[fib->hops[hop->list].member[i]]
			: hop;
		out[i] = (struct tr_route){
			.prefix = address,
			.bits = 32,
			.kind = i ? TR_ROUTE_MORE : one->kind,
			.gateway = one->gateway,
			.port = one->port,
		};
	}
	return n;
}

// Will what is unplaced be tried again, now that something may have come free?
static bool is_retry_due(const struct tr_tables *tables)
{
	return tables->unplaced &&
		(tables->retry || !tables->was_ready || !tr_swap_ready(tables->swap));
}

void tr_tables_info(const struct tr_tables *tables, struct tr_table_info *out)
{
	uint64_t unwritten =
		tr_dirty_count(&tables->dirty) + tr_walk_left(&tables->walk, tables->rib);

	*out = (struct tr_table_info){
		.routes = tr_rib_prefixes(tables->rib),
		.next_hops = tr_hops_used(tables->hops),
		.generation = tr_swap_active(tables->swap)->generation,
		.pending = unwritten + tr_hops_changed_count(tables->hops) +
			tr_swap_set_size(tables->swap) + is_retry_due(tables),
		.unwritten = unwritten,
		.unplaced = tables->unplaced,
		.lost = tables->lost,
		.hops_room = tr_hops_room(tables->hops),
		.blocks_room = tr_swap_room(tables->swap),
		.swap_outstanding = tr_swap_outstanding(tables->swap),
	};
}
