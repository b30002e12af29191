// SPDX-License-Identifier: MIT
// The RIB as a hash table. A prefix is a node of one pool, named by its index; its best route is
// in the node and the others hang from it in nodes of the same pool, so a prefix with one route (a
// full table) costs 24 bytes and its slot. A slot keeps the hash beside the index: probing, growth
// and deletion (by shifting back, without tombstones) hardly touch the pool. How many prefixes of
// each length the FIB holds is counted, so that a search for a cover skips the lengths without any.
#include "tables/rib_private.h"
#include "formats/ipv4.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 1024u
#define POOL_FIRST 512u
#define POOL_MAX (1u << RIB_INDEX_BITS)

struct tr_rib *tr_rib_new(struct tr_paths *paths, const struct tr_usable *usable)
{
	struct tr_rib *rib = calloc(1, sizeof(*rib));

	if (!rib)
		return NULL;
	rib->paths = paths;
	rib->usable = usable;
	rib->slots = calloc(SLOTS_FIRST, sizeof(*rib->slots));
	rib->pool = calloc(POOL_FIRST, sizeof(*rib->pool));
	if (!rib->slots || !rib->pool) {
		tr_rib_free(rib);
		errno = ENOMEM;
		return NULL;
	}
	rib->slot_mask = SLOTS_FIRST - 1;
	rib->pool_size = POOL_FIRST;
	rib->pool_end = 1;
	return rib;
}

void tr_rib_free(struct tr_rib *rib)
{
	if (!rib)
		return;
	free(rib->slots);
	free(rib->pool);
	free(rib);
}

static uint32_t hash_of(uint32_t prefix, uint8_t bits)
{
	uint64_t mixed = ((uint64_t)prefix << 6 | bits) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(mixed >> 32);
}

// Slot of the prefix, or the empty one where it would go.
static struct slot *find_slot(const struct tr_rib *rib, uint32_t prefix, uint8_t bits)
{
	uint32_t hash = hash_of(prefix, bits);

	for (uint32_t i = hash & rib->slot_mask;; i = (i + 1) & rib->slot_mask) {
		struct slot *slot = &rib->slots[i];
		if (!slot->index)
			return slot;
		if (slot->hash != hash)
			continue;
		const struct tr_route *best = &rib->pool[slot->index].best;
		if (best->prefix == prefix && best->bits == bits)
			return slot;
	}
}

static int grow_slots(struct tr_rib *rib)
{
	uint32_t mask = rib->slot_mask * 2 + 1;
	struct slot *slots = calloc((size_t)mask + 1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i <= rib->slot_mask; i++) {
		if (!rib->slots[i].index)
			continue;
		uint32_t to = rib->slots[i].hash & mask;
		while (slots[to].index)
			to = (to + 1) & mask;
		slots[to] = rib->slots[i];
	}
	free(rib->slots);
	rib->slots = slots;
	rib->slot_mask = mask;
	return 0;
}

// Index of a zeroed node, 0 where there is no memory.
static uint32_t take_node(struct tr_rib *rib)
{
	uint32_t index = rib->free_node;

	if (index) {
		rib->free_node = rib->pool[index].others;
	} else {
		if (rib->pool_end == rib->pool_size) {
			size_t size = (size_t)rib->pool_size * 2;
			struct tr_rib_prefix *pool =
				size > POOL_MAX ? NULL : realloc(rib->pool, size * sizeof(*pool));
			if (!pool)
				return 0;
			rib->pool = pool;
			rib->pool_size = (uint32_t)size;
		}
		index = rib->pool_end++;
	}
	memset(&rib->pool[index], 0, sizeof(rib->pool[index]));
	return index;
}

static void give_node(struct tr_rib *rib, uint32_t index)
{
	memset(&rib->pool[index], 0, sizeof(rib->pool[index]));
	rib->pool[index].others = rib->free_node;
	rib->free_node = index;
}

// RFC 1812 5.2.4.3 (4): of the routes of one source the inferior metric is discarded; 5.3.12.3: of
// all routes those that cannot be used.
bool tr_rib_is_better(const struct tr_rib *rib, const struct tr_route *a, const struct tr_route *b)
{
	bool is_usable = tr_route_is_usable(rib->usable, a);

	if (is_usable != tr_route_is_usable(rib->usable, b))
		return is_usable;
	if (a->preference != b->preference)
		return a->preference < b->preference;
	return a->source != b->source ? a->source < b->source : a->metric < b->metric;
}

// Of two routes of one prefix: would one replace the other?
static bool is_same(const struct tr_route *a, const struct tr_route *b)
{
	return a->source == b->source && a->metric == b->metric;
}

// Brings the best of the routes that hang from a prefix into its node, if it beats that one.
static void promote(struct tr_rib *rib, struct tr_rib_prefix *prefix)
{
	for (uint32_t i = prefix->others; i; i = rib->pool[i].others) {
		struct tr_route *other = &rib->pool[i].best;
		if (tr_rib_is_better(rib, other, &prefix->best)) {
			struct tr_route better = *other;
			*other = prefix->best;
			prefix->best = better;
		}
	}
}

// Index of the prefix, made where it is missing; 0 where there is no memory.
static uint32_t find_or_make(struct tr_rib *rib, uint32_t prefix, uint8_t bits)
{
	struct slot *slot = find_slot(rib, prefix, bits);

	if (slot->index)
		return slot->index;
	if (rib->slots_used >= rib->slot_mask / 4 * 3) {
		if (grow_slots(rib))
			return 0;
		slot = find_slot(rib, prefix, bits);
	}
	uint32_t index = take_node(rib);
	if (!index)
		return 0;
	rib->pool[index].best.prefix = prefix;
	rib->pool[index].best.bits = bits;
	slot->hash = hash_of(prefix, bits);
	slot->index = index;
	rib->slots_used++;
	return index;
}

// A route is replaced or deleted: it refers to its gateways no more.
static void forget(struct tr_rib *rib, const struct tr_route *route)
{
	if (route->kind == TR_ROUTE_GROUP)
		tr_paths_give(rib->paths, route->gateway);
}

int tr_rib_add(struct tr_rib *rib, const struct tr_route *route, uint32_t *index,
	bool *best_changed)
{
	assert(route->kind != TR_ROUTE_NONE && route->bits <= 32);
	assert(!(route->prefix & ~ipv4_mask(route->bits)));
	*index = find_or_make(rib, route->prefix, route->bits);
	if (!*index)
		return -ENOMEM;

	struct tr_rib_prefix *prefix = &rib->pool[*index];
	struct tr_route before = prefix->best;
	struct tr_route *place = &prefix->best;
	if (before.kind != TR_ROUTE_NONE && !is_same(&before, route)) {
		uint32_t other = prefix->others;
		while (other && !is_same(&rib->pool[other].best, route))
			other = rib->pool[other].others;
		if (!other) {
			other = take_node(rib);
			if (!other)
				return -ENOMEM;
			prefix = &rib->pool[*index]; // the pool may have moved
			rib->pool[other].others = prefix->others;
			prefix->others = other;
			rib->routes++;
		}
		place = &rib->pool[other].best;
	} else if (before.kind == TR_ROUTE_NONE) {
		rib->prefixes++;
		rib->routes++;
	}
	struct tr_route replaced = *place;
	*place = *route;
	forget(rib, &replaced);
	promote(rib, prefix);
	*best_changed = memcmp(&before, &prefix->best, sizeof(before)) != 0;
	return 0;
}

int tr_rib_delete(struct tr_rib *rib, const struct tr_route *key, uint32_t *index,
	bool *best_changed)
{
	*index = find_slot(rib, key->prefix, key->bits)->index;
	if (!*index)
		return -ENOENT;

	struct tr_rib_prefix *node = &rib->pool[*index];
	*best_changed = is_same(&node->best, key);
	if (node->best.kind == TR_ROUTE_NONE)
		return -ENOENT;
	if (*best_changed && !node->others) {
		forget(rib, &node->best);
		node->best.kind = TR_ROUTE_NONE;
		rib->prefixes--;
	} else {
		uint32_t *link = &node->others;
		uint32_t gone = *link;
		if (*best_changed) {
			forget(rib, &node->best);
			node->best = rib->pool[gone].best;
		} else {
			while (gone && !is_same(&rib->pool[gone].best, key)) {
				link = &rib->pool[gone].others;
				gone = *link;
			}
			if (!gone)
				return -ENOENT;
			forget(rib, &rib->pool[gone].best);
		}
		*link = rib->pool[gone].others;
		give_node(rib, gone);
		promote(rib, node);
	}
	rib->routes--;
	return 0;
}

// Does the route go by one of these ports?
static bool goes_by(const struct tr_rib *rib, const struct tr_route *route, uint32_t ports)
{
	unsigned n;

	if (route->kind == TR_ROUTE_NONE)
		return false;
	if (route->kind != TR_ROUTE_GROUP)
		return route->port < TR_PORTS_MAX && ports >> route->port & 1;
	const struct tr_path *path = tr_paths_of(rib->paths, route->gateway, &n);
	for (unsigned i = 0; i < n; i++) {
		if (ports >> path[i].port & 1)
			return true;
	}
	return false;
}

uint32_t tr_rib_revisit(struct tr_rib *rib, uint32_t node, uint32_t ports)
{
	const struct tr_route *route = &rib->pool[node].best;
	uint32_t index;

	assert(node && node < rib->pool_end);
	if (!goes_by(rib, route, ports))
		return 0;
	index = find_slot(rib, route->prefix, route->bits)->index;
	promote(rib, &rib->pool[index]);
	return index;
}

struct tr_rib_prefix *tr_rib_at(struct tr_rib *rib, uint32_t index)
{
	assert(index && index < rib->pool_end);
	return &rib->pool[index];
}

uint32_t tr_rib_end(const struct tr_rib *rib)
{
	return rib->pool_end;
}

void tr_rib_install(struct tr_rib *rib, uint32_t index, uint16_t hop)
{
	struct tr_rib_prefix *prefix = tr_rib_at(rib, index);
	uint8_t bits = prefix->best.bits;

	rib->installed[bits] += (hop != 0) - (prefix->hop != 0);
	prefix->hop = hop;
	if (rib->installed[bits])
		rib->lengths |= 1ull << bits;
	else
		rib->lengths &= ~(1ull << bits);
}

void tr_rib_release(struct tr_rib *rib, uint32_t index)
{
	const struct tr_rib_prefix *prefix = tr_rib_at(rib, index);

	if (prefix->best.kind != TR_ROUTE_NONE || prefix->hop || prefix->dirty || prefix->unplaced)
		return;
	uint32_t hole =
		(uint32_t)(find_slot(rib, prefix->best.prefix, prefix->best.bits) - rib->slots);
	// Moves later slots of the run into the hole, unless their home lies behind it.
	for (uint32_t i = (hole + 1) & rib->slot_mask; rib->slots[i].index;
		i = (i + 1) & rib->slot_mask) {
		uint32_t home = rib->slots[i].hash & rib->slot_mask;
		if (((i - home) & rib->slot_mask) >= ((i - hole) & rib->slot_mask)) {
			rib->slots[hole] = rib->slots[i];
			hole = i;
		}
	}
	rib->slots[hole].index = 0;
	rib->slots_used--;
	give_node(rib, index);
}

const struct tr_rib_prefix *tr_rib_find(const struct tr_rib *rib, uint32_t prefix, uint8_t bits)
{
	uint32_t index = find_slot(rib, prefix, bits)->index;

	return index ? &rib->pool[index] : NULL;
}

const struct tr_route *tr_rib_route(const struct tr_rib *rib, const struct tr_route *key)
{
	uint32_t index = find_slot(rib, key->prefix, key->bits)->index;

	for (; index; index = rib->pool[index].others) {
		const struct tr_route *route = &rib->pool[index].best;
		if (route->kind != TR_ROUTE_NONE && is_same(route, key))
			return route;
	}
	return NULL;
}

const struct tr_rib_prefix *tr_rib_cover(const struct tr_rib *rib, uint32_t prefix, uint8_t bits)
{
	uint64_t lengths = rib->lengths & ((1ull << bits) - 1) & ~1ull;

	while (lengths) {
		uint8_t length = (uint8_t)(63 - __builtin_clzll(lengths));
		const struct tr_rib_prefix *found =
			tr_rib_find(rib, prefix & ipv4_mask(length), length);
		if (found && found->hop)
			return found;
		lengths &= ~(1ull << length);
	}
	return NULL;
}

uint64_t tr_rib_prefixes(const struct tr_rib *rib)
{
	return rib->prefixes;
}
