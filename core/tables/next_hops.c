// SPDX-License-Identifier: MIT
// Next-hop indices: a hash table of chains over an array. Indices given back wait in a queue, first
// in first out, and only those that had been there at the last tr_hops_reuse() are given out again:
// until then one of the two tables may still hold the old entry. Fresh indices come last, which
// keeps the array that the fast path reads dense. A group refers to the next hops of its gateways,
// which are those of routes by one of them alone. What is known of a neighbour is the same in all
// next hops by it, which differ in their MTU: they are in one chain.
#include "tables/next_hops_private.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tr_hops *tr_hops_new(const struct tr_usable *usable, struct tr_paths *paths)
{
	struct tr_hops *hops = calloc(1, sizeof(*hops));

	if (!hops)
		return NULL;
	hops->usable = usable;
	hops->paths = paths;
	hops->begun = 1;
	return hops;
}

void tr_hops_free(struct tr_hops *hops)
{
	free(hops);
}

// What tells next hops apart: routes of the same effect share one.
static struct hop key_of(const struct tr_hops *hops, const struct tr_route *route)
{
	struct hop key = {.kind = route->kind, .port = TR_NO_PORT};
	const struct tr_path *path;
	unsigned n;

	switch (route->kind) {
	case TR_ROUTE_VIA:
		key.gateway = route->gateway;
		key.port = route->port;
		break;
	case TR_ROUTE_GROUP:
		path = tr_paths_of(hops->paths, route->gateway, &n);
		key.gateway = route->gateway;
		key.mtu = tr_paths_mtu(hops->paths, route->gateway);
		if (n == 1)
			return hop_key_of_path(path, key.mtu);
		break;
	case TR_ROUTE_CONNECTED:
	case TR_ROUTE_LOCAL:
	case TR_ROUTE_BROADCAST:
		key.port = route->port;
		break;
	default:
		break;
	}
	return key;
}

static uint32_t chain_of(const struct hop *key)
{
	uint64_t mixed = ((uint64_t)key->gateway << 24 ^ (uint64_t)key->port << 8 ^ key->kind) *
		0x9e3779b97f4a7c15u;

	return (uint32_t)(mixed >> 49); // TR_HOPS_MAX chains: 15 bits
}

uint16_t tr_hop_find(const struct tr_hops *hops, const struct hop *key)
{
	uint16_t at = hops->chain[chain_of(key)];

	for (; at; at = hops->hop[at].next) {
		const struct hop *hop = &hops->hop[at];
		if (hop->gateway == key->gateway && hop->port == key->port &&
			hop->kind == key->kind && hop->mtu == key->mtu)
			return at;
	}
	return HOP_NONE;
}

uint16_t tr_hop_of_neighbor(const struct tr_hops *hops, uint16_t port, uint32_t gateway,
	uint16_t at)
{
	struct hop key = {.kind = TR_ROUTE_VIA, .port = port, .gateway = gateway};

	at = at ? hops->hop[at].next : hops->chain[chain_of(&key)];
	for (; at; at = hops->hop[at].next) {
		const struct hop *hop = &hops->hop[at];
		if (hop->gateway == gateway && hop->port == port && hop->kind == TR_ROUTE_VIA)
			return at;
	}
	return HOP_NONE;
}

void tr_hop_mark_changed(struct tr_hops *hops, uint16_t at)
{
	if (hops->hop[at].changed)
		return;
	hops->hop[at].changed = true;
	hops->changed[hops->changed_n++] = at;
}

// An index for the key, with one reference; HOP_NONE: none is left.
static uint16_t claim(struct tr_hops *hops, struct hop key)
{
	uint32_t chain = chain_of(&key);
	uint16_t at;

	if (hops->free_first != hops->free_reusable)
		at = hops->free[hops->free_first++ % TR_HOPS_MAX];
	else if (hops->begun < TR_HOPS_MAX)
		at = (uint16_t)hops->begun++;
	else
		return HOP_NONE;
	assert(hops->hop[at].references == 0);
	key.changed = hops->hop[at].changed;
	key.references = 1;
	key.next = hops->chain[chain];
	hops->hop[at] = key;
	hops->chain[chain] = at;
	hops->used++;
	tr_hop_mark_changed(hops, at);
	return at;
}

// The index is free once both tables have forgotten it.
static void unclaim(struct tr_hops *hops, uint16_t at)
{
	struct hop *hop = &hops->hop[at];
	uint16_t *link = &hops->chain[chain_of(hop)];

	while (*link != at)
		link = &hops->hop[*link].next;
	*link = hop->next;
	hop->references = 0;
	hops->free[hops->free_end++ % TR_HOPS_MAX] = at;
	hops->used--;
}

static uint16_t take(struct tr_hops *hops, struct hop key)
{
	uint16_t at = tr_hop_find(hops, &key);
	uint16_t other;

	if (at) {
		hops->hop[at].references++;
		return at;
	}
	if (key.kind == TR_ROUTE_VIA &&
		(other = tr_hop_of_neighbor(hops, key.port, key.gateway, HOP_NONE))) {
		key.mac_known = hops->hop[other].mac_known;
		key.failed = hops->hop[other].failed;
		memcpy(key.mac, hops->hop[other].mac, sizeof(key.mac));
	}
	return claim(hops, key);
}

static void give_members(struct tr_hops *hops, uint32_t set, uint16_t mtu, unsigned n)
{
	unsigned all;
	const struct tr_path *path = tr_paths_of(hops->paths, set, &all);

	for (unsigned i = 0; i < n && i < all; i++) {
		struct hop key = hop_key_of_path(&path[i], mtu);
		uint16_t at = tr_hop_find(hops, &key);
		hops->hop[at].groups--;
		tr_hops_give(hops, at);
	}
}

// Takes a next hop of each gateway, the place of their indices, and then the group's own.
static uint16_t make_group(struct tr_hops *hops, struct hop key)
{
	unsigned n;
	const struct tr_path *path = tr_paths_of(hops->paths, key.gateway, &n);
	struct hop list = key;

	for (unsigned i = 0; i < n; i++) {
		uint16_t at = take(hops, hop_key_of_path(&path[i], key.mtu));
		if (!at) {
			give_members(hops, key.gateway, key.mtu, i);
			return HOP_NONE;
		}
		hops->hop[at].groups++;
	}
	list.kind = HOP_KIND_MEMBERS;
	key.list = claim(hops, list);
	uint16_t at = key.list ? claim(hops, key) : HOP_NONE;
	if (at) {
		tr_paths_hold(hops->paths, key.gateway);
		return at;
	}
	if (key.list)
		unclaim(hops, key.list);
	give_members(hops, key.gateway, key.mtu, n);
	return HOP_NONE;
}

uint16_t tr_hops_take(struct tr_hops *hops, const struct tr_route *route)
{
	struct hop key = key_of(hops, route);

	if (key.kind == TR_ROUTE_GROUP && !tr_hop_find(hops, &key))
		return make_group(hops, key);
	return take(hops, key);
}

void tr_hops_give(struct tr_hops *hops, uint16_t at)
{
	struct hop *hop = &hops->hop[at];

	assert(at && hop->references);
	if (--hop->references)
		return;
	unclaim(hops, at);
	if (hop->kind != TR_ROUTE_GROUP)
		return;
	unclaim(hops, hop->list);
	give_members(hops, hop->gateway, hop->mtu, TR_PATHS_MAX);
	tr_paths_give(hops->paths, hop->gateway);
}

bool tr_hops_reuse(struct tr_hops *hops)
{
	bool more = hops->free_reusable != hops->free_end;

	hops->free_reusable = hops->free_end;
	return more;
}

bool tr_hops_fits(const struct tr_hops *hops, const struct tr_route *route)
{
	struct hop key = key_of(hops, route);
	unsigned n = 0; // what a group needs beside its own index at most

	if (key.kind == TR_ROUTE_GROUP) {
		tr_paths_of(hops->paths, key.gateway, &n);
		n++;
	}
	return hops->used + n < TR_HOPS_MAX - 1 || tr_hop_find(hops, &key);
}

uint16_t tr_hops_find(const struct tr_hops *hops, uint16_t port, uint32_t gateway)
{
	struct hop key = {.kind = TR_ROUTE_VIA, .port = port, .gateway = gateway};

	return tr_hop_find(hops, &key);
}

uint32_t tr_hops_references(const struct tr_hops *hops, uint16_t at)
{
	return hops->hop[at].references;
}

uint8_t tr_hops_kind(const struct tr_hops *hops, uint16_t at)
{
	return at ? hops->hop[at].kind : TR_ROUTE_NONE;
}

const uint8_t *tr_hops_mac(const struct tr_hops *hops, uint16_t at)
{
	return hops->hop[at].mac_known ? hops->hop[at].mac : NULL;
}

void tr_hops_set_mac(struct tr_hops *hops, uint16_t at, const uint8_t *mac)
{
	uint16_t port = hops->hop[at].port;
	uint32_t gateway = hops->hop[at].gateway;

	assert(hops->hop[at].references && hops->hop[at].kind == TR_ROUTE_VIA);
	at = HOP_NONE;
	while ((at = tr_hop_of_neighbor(hops, port, gateway, at))) {
		struct hop *hop = &hops->hop[at];
		hop->mac_known = mac != NULL;
		if (mac)
			memcpy(hop->mac, mac, sizeof(hop->mac));
		tr_hop_mark_changed(hops, at);
	}
}

void tr_hops_mtu(struct tr_hops *hops, uint16_t port)
{
	for (uint16_t at = 1; at < hops->begun; at++) {
		if (hops->hop[at].references && hops->hop[at].port == port)
			tr_hop_mark_changed(hops, at);
	}
}

uint16_t tr_hops_next_neighbor(const struct tr_hops *hops, uint16_t at, struct tr_neighbor_key *key)
{
	while (++at < hops->begun) {
		const struct hop *hop = &hops->hop[at];
		if (!hop->references || !hop->mac_known || hop->mtu) // once for all MTUs
			continue;
		*key = (struct tr_neighbor_key){.address = hop->gateway, .port = hop->port};
		return at;
	}
	return HOP_NONE;
}

uint16_t tr_hops_changed(struct tr_hops *hops)
{
	if (!hops->changed_n)
		return HOP_NONE;
	uint16_t at = hops->changed[--hops->changed_n];
	hops->hop[at].changed = false;
	return at;
}

uint32_t tr_hops_changed_count(const struct tr_hops *hops)
{
	return hops->changed_n;
}

uint32_t tr_hops_used(const struct tr_hops *hops)
{
	return hops->used;
}

uint32_t tr_hops_room(const struct tr_hops *hops)
{
	return TR_HOPS_MAX - 1 - hops->used;
}
