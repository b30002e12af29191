// SPDX-License-Identifier: MIT
// Next-hop indices: a hash table of chains over an array. Indices given back wait in a queue, first
// in first out, and only those that had been there at the last tr_hops_reuse() are given out again:
// until then one of the two tables may still hold the old entry. Fresh indices come last, which
// keeps the array that the fast path reads dense.
#include "tables/next_hops.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOP_NONE 0

struct hop {
	uint32_t gateway;
	uint32_t references; // 0: not in use
	uint16_t port;
	uint16_t next; // in its hash chain
	uint8_t kind;
	bool mac_known;
	bool changed; // is in the list of changed ones
	uint8_t mac[6];
};

struct tr_hops {
	struct tr_config config;
	uint32_t used;
	uint32_t begun;         // indices from here on were never used
	uint32_t free_first;    // queue of free indices, counted without end
	uint32_t free_reusable; // those before it may be given out
	uint32_t free_end;
	uint32_t changed_n;
	uint16_t free[TR_HOPS_MAX];
	uint16_t changed[TR_HOPS_MAX];
	uint16_t chain[TR_HOPS_MAX];
	struct hop hop[TR_HOPS_MAX];
};

struct tr_hops *tr_hops_new(const struct tr_config *config)
{
	struct tr_hops *hops = calloc(1, sizeof(*hops));

	if (!hops)
		return NULL;
	hops->config = *config;
	hops->begun = 1;
	return hops;
}

void tr_hops_free(struct tr_hops *hops)
{
	free(hops);
}

// What tells next hops apart: routes of the same effect share one.
static struct hop key_of(const struct tr_route *route)
{
	struct hop key = {.kind = route->kind, .port = TR_NO_PORT};

	switch (route->kind) {
	case TR_ROUTE_VIA:
		key.gateway = route->gateway;
		key.port = route->port;
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

static uint16_t find(const struct tr_hops *hops, const struct hop *key)
{
	uint16_t at = hops->chain[chain_of(key)];

	for (; at; at = hops->hop[at].next) {
		const struct hop *hop = &hops->hop[at];
		if (hop->gateway == key->gateway && hop->port == key->port &&
			hop->kind == key->kind)
			return at;
	}
	return HOP_NONE;
}

static void mark_changed(struct tr_hops *hops, uint16_t at)
{
	if (hops->hop[at].changed)
		return;
	hops->hop[at].changed = true;
	hops->changed[hops->changed_n++] = at;
}

uint16_t tr_hops_take(struct tr_hops *hops, const struct tr_route *route)
{
	struct hop key = key_of(route);
	uint16_t at = find(hops, &key);

	if (at) {
		hops->hop[at].references++;
		return at;
	}
	if (hops->free_first != hops->free_reusable)
		at = hops->free[hops->free_first++ % TR_HOPS_MAX];
	else if (hops->begun < TR_HOPS_MAX)
		at = (uint16_t)hops->begun++;
	else
		return HOP_NONE;
	assert(hops->hop[at].references == 0);
	uint32_t chain = chain_of(&key);
	key.changed = hops->hop[at].changed;
	key.references = 1;
	key.next = hops->chain[chain];
	hops->hop[at] = key;
	hops->chain[chain] = at;
	hops->used++;
	mark_changed(hops, at);
	return at;
}

void tr_hops_give(struct tr_hops *hops, uint16_t at)
{
	struct hop *hop = &hops->hop[at];

	assert(at && hop->references);
	if (--hop->references)
		return;
	uint16_t *link = &hops->chain[chain_of(hop)];
	while (*link != at)
		link = &hops->hop[*link].next;
	*link = hop->next;
	hops->free[hops->free_end++ % TR_HOPS_MAX] = at;
	hops->used--;
}

bool tr_hops_reuse(struct tr_hops *hops)
{
	bool more = hops->free_reusable != hops->free_end;

	hops->free_reusable = hops->free_end;
	return more;
}

bool tr_hops_fits(const struct tr_hops *hops, const struct tr_route *route)
{
	struct hop key = key_of(route);

	return hops->used < TR_HOPS_MAX - 1 || find(hops, &key);
}

uint16_t tr_hops_find(const struct tr_hops *hops, uint16_t port, uint32_t gateway)
{
	struct hop key = {.kind = TR_ROUTE_VIA, .port = port, .gateway = gateway};

	return find(hops, &key);
}

uint32_t tr_hops_references(const struct tr_hops *hops, uint16_t at)
{
	return hops->hop[at].references;
}

const uint8_t *tr_hops_mac(const struct tr_hops *hops, uint16_t at)
{
	return hops->hop[at].mac_known ? hops->hop[at].mac : NULL;
}

void tr_hops_set_mac(struct tr_hops *hops, uint16_t at, const uint8_t *mac)
{
	struct hop *hop = &hops->hop[at];

	assert(hop->references && hop->kind == TR_ROUTE_VIA);
	hop->mac_known = mac != NULL;
	if (mac)
		memcpy(hop->mac, mac, sizeof(hop->mac));
	mark_changed(hops, at);
}

uint16_t tr_hops_next_neighbor(const struct tr_hops *hops, uint16_t at, struct tr_neighbor_key *key)
{
	while (++at < hops->begun) {
		const struct hop *hop = &hops->hop[at];
		if (!hop->references || !hop->mac_known)
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

static uint16_t verdict_of(const struct hop *hop)
{
	switch (hop->kind) {
	case TR_ROUTE_VIA:
		return hop->mac_known ? TR_VERDICT_LIVE : tr_punt_verdict(TR_PUNT_NEIGHBOR);
	case TR_ROUTE_CONNECTED: // the packet's own destination is the neighbour
		return tr_punt_verdict(TR_PUNT_NEIGHBOR);
	case TR_ROUTE_LOCAL:
		return tr_punt_verdict(TR_PUNT_LOCAL);
	case TR_ROUTE_BROADCAST:
		return tr_punt_verdict(TR_PUNT_BROADCAST);
	case TR_ROUTE_MULTICAST:
		return tr_punt_verdict(TR_PUNT_MULTICAST);
	case TR_ROUTE_BLACKHOLE:
		return tr_drop_verdict(TR_DROP_BLACKHOLE);
	case TR_ROUTE_UNREACHABLE: // RFC 1812 5.2.7.1
		return tr_punt_verdict(TR_PUNT_UNREACHABLE);
	case TR_ROUTE_PROHIBIT:
		return tr_punt_verdict(TR_PUNT_PROHIBIT);
	case TR_ROUTE_MARTIAN: // RFC 1812 5.3.7
		return tr_drop_verdict(TR_DROP_MARTIAN_DESTINATION);
	default:
		return tr_punt_verdict(TR_PUNT_NO_ROUTE);
	}
}

void tr_hops_entry(const struct tr_hops *hops, uint16_t at, struct tr_next_hop *entry)
{
	static const struct hop none = {.kind = TR_ROUTE_NONE, .port = TR_NO_PORT};
	const struct hop *hop = at ? &hops->hop[at] : &none;

	*entry = (struct tr_next_hop){
		.port = hop->port,
		.verdict = verdict_of(hop),
		.kind = hop->kind,
		.gateway = hop->gateway,
	};
	if (hop->port < hops->config.ports) {
		const struct tr_port_config *port = &hops->config.port[hop->port];
		entry->mtu = port->mtu;
		memcpy(entry->macs + 6, port->mac, 6);
	}
	if (hop->mac_known)
		memcpy(entry->macs, hop->mac, 6);
}

uint32_t tr_hops_used(const struct tr_hops *hops)
{
	return hops->used;
}
