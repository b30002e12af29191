// SPDX-License-Identifier: MIT
// The RIB as rows in order, for show and for reload: a row a route, and behind it those of its
// further gateways and its MTU.
#include "tables/rib_private.h"
#include <stdlib.h>

static int compare_keys(const void *a, const void *b)
{
	uint64_t key_a = *(const uint64_t *)a;
	uint64_t key_b = *(const uint64_t *)b;

	return (key_a > key_b) - (key_a < key_b);
}

// A row for each gateway, and for the MTU. Returns how many there are.
static uint64_t copy_route(const struct tr_rib *rib, const struct tr_route *route,
	struct tr_route *out, uint64_t room)
{
	if (route->kind != TR_ROUTE_GROUP) {
		if (room)
			*out = *route;
		return 1;
	}
	unsigned n;
	const struct tr_path *path = tr_paths_of(rib->paths, route->gateway, &n);
	uint16_t mtu = tr_paths_mtu(rib->paths, route->gateway);
	for (unsigned i = 0; i < n && i < room; i++) {
		out[i] = *route;
		out[i].kind = i ? TR_ROUTE_MORE : TR_ROUTE_VIA;
		out[i].gateway = path[i].gateway;
		out[i].port = path[i].port;
	}
	if (mtu && n < room) {
		out[n] = *route;
		out[n].kind = TR_ROUTE_MTU;
		out[n].gateway = mtu;
	}
	return n + (mtu != 0);
}

static uint64_t count_rows(const struct tr_rib *rib, const struct tr_route *route)
{
	return copy_route(rib, route, NULL, 0);
}

// The best route of a prefix of those that `last` beats (NULL: of all); NULL: there is none. What
// the prefix holds as its best may wait to be chosen anew (tr_rib_revisit).
static const struct tr_route *next_route(const struct tr_rib *rib, uint32_t index,
	const struct tr_route *last)
{
	const struct tr_route *next = NULL;

	for (; index; index = rib->pool[index].others) {
		const struct tr_route *route = &rib->pool[index].best;
		if (last && !tr_rib_is_better(rib, last, route))
			continue;
		if (!next || tr_rib_is_better(rib, route, next))
			next = route;
	}
	return next;
}

// Copies every route of a prefix, best first; a prefix has few, so the order is found by selection.
// Returns how many rows there are.
static uint64_t read_all(const struct tr_rib *rib, uint32_t index, struct tr_route *out,
	uint64_t room)
{
	const struct tr_route *route = NULL;
	uint64_t n = 0;

	while (n < room && (route = next_route(rib, index, route)))
		n += copy_route(rib, route, out + n, room - n);
	return n < room ? n : room;
}

// Rows of all routes, or of the best alone. Only those with more rows than one are looked for.
static uint64_t count_all(const struct tr_rib *rib, bool all)
{
	uint64_t count = 0;

	if (!tr_paths_count(rib->paths))
		return all ? rib->routes : rib->prefixes;
	for (uint32_t i = 0; i <= rib->slot_mask; i++) {
		uint32_t index = rib->slots[i].index;
		if (!index || rib->pool[index].best.kind == TR_ROUTE_NONE)
			continue;
		count += count_rows(rib, &rib->pool[index].best);
		uint32_t other = all ? rib->pool[index].others : 0;
		for (; other; other = rib->pool[other].others)
			count += count_rows(rib, &rib->pool[other].best);
	}
	return count;
}

uint64_t tr_rib_read(const struct tr_rib *rib, struct tr_route *out, uint64_t room, bool all)
{
	uint64_t count = count_all(rib, all);
	uint64_t *keys = room && count ? malloc(rib->prefixes * sizeof(*keys)) : NULL;
	uint64_t n = 0;
	uint64_t copied = 0;

	if (!keys)
		return count;
	for (uint32_t i = 0; i <= rib->slot_mask; i++) {
		uint32_t index = rib->slots[i].index;
		const struct tr_route *best = &rib->pool[index].best;
		if (index && best->kind != TR_ROUTE_NONE)
			keys[n++] = (uint64_t)best->prefix << 32 |
				(uint64_t)best->bits << RIB_INDEX_BITS | index;
	}
	assert(n == rib->prefixes);
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (uint64_t i = 0; i < n && copied < room; i++) {
		uint32_t index = (uint32_t)(keys[i] & ((1u << RIB_INDEX_BITS) - 1));
		uint64_t left = room - copied;
		if (all)
			copied += read_all(rib, index, out + copied, left);
		else
			copied += copy_route(rib, &rib->pool[index].best, out + copied, left);
	}
	free(keys);
	return count;
}

bool tr_rib_any(const struct tr_rib *rib, const struct tr_rib_prefix *prefix,
	bool (*is_wanted)(void *argument, const struct tr_route *route), void *argument)
{
	bool found = prefix->best.kind != TR_ROUTE_NONE && is_wanted(argument, &prefix->best);

	for (uint32_t other = prefix->others; other && !found; other = rib->pool[other].others)
		found = is_wanted(argument, &rib->pool[other].best);
	return found;
}
