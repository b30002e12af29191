// SPDX-License-Identifier: MIT
// What the fast path reads of a next hop, made from what is known of it. A group's entry names the
// members that can be used now: one whose port is down or whose gateway does not answer leaves the
// choice, and its flows go to the others (RFC 2991 3). Entries are made anew when that changes and
// come into the tables like any other change.
#include "tables/next_hops_private.h"
#include <string.h>

// RFC 1812 5.3.11: nothing of others leaves by a port that does not forward.
static bool is_closed(const struct tr_hops *hops, const struct hop *hop)
{
	return tr_is_way_out(hop->kind) && hop->port < hops->usable->config->ports &&
		hops->usable->config->port[hop->port].forwarding_off;
}

static bool is_usable(const struct tr_hops *hops, const struct hop *hop)
{
	return !hop->failed && tr_gateway_is_usable(hops->usable, hop->port, hop->gateway) &&
		!is_closed(hops, hop);
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
	case TR_ROUTE_GROUP:
		return TR_VERDICT_GROUP;
	default:
		return tr_punt_verdict(TR_PUNT_NO_ROUTE);
	}
}

// The members of a group that can be used; all, where none can: they say why. Returns how many.
static unsigned list_members(const struct tr_hops *hops, const struct hop *group, uint16_t *member)
{
	unsigned n, usable = 0;
	const struct tr_path *path = tr_paths_of(hops->paths, group->gateway, &n);

	for (unsigned pass = 0; usable == 0 && pass < 2; pass++) {
		for (unsigned i = 0; i < n; i++) {
			struct hop key = hop_key_of_path(&path[i], group->mtu);
			uint16_t at = tr_hop_find(hops, &key);
			if (pass == 1 || is_usable(hops, &hops->hop[at]))
				member[usable++] = at;
		}
	}
	return usable;
}

static uint16_t mtu_of(const struct hop *hop, const struct tr_port_config *port)
{
	return hop->mtu && hop->mtu < port->mtu ? hop->mtu : port->mtu;
}

void tr_hops_entry(const struct tr_hops *hops, uint16_t at, struct tr_next_hop *entry)
{
	static const struct hop none = {.kind = TR_ROUTE_NONE, .port = TR_NO_PORT};
	const struct hop *hop = at ? &hops->hop[at] : &none;
	uint16_t member[TR_PATHS_MAX];

	*entry = (struct tr_next_hop){.port = TR_NO_PORT};
	if (hop->kind == HOP_KIND_MEMBERS) {
		list_members(hops, hop, entry->member);
		return;
	}
	entry->verdict =
		is_closed(hops, hop) ? tr_drop_verdict(TR_DROP_FORWARDING_OFF) : verdict_of(hop);
	entry->kind = hop->kind;
	if (hop->kind == TR_ROUTE_GROUP) {
		entry->members = (uint8_t)list_members(hops, hop, member);
		entry->list = hop->list;
		return;
	}
	entry->port = hop->port;
	entry->gateway = hop->gateway;
	if (hop->port < hops->usable->config->ports) {
		const struct tr_port_config *port = &hops->usable->config->port[hop->port];
		entry->mtu = mtu_of(hop, port);
		memcpy(entry->macs + 6, port->mac, 6);
	}
	if (hop->mac_known)
		memcpy(entry->macs, hop->mac, 6);
}

// --- what can be used ----------------------------------------------------------------------------
static bool contains(const struct tr_hops *hops, const struct hop *group, uint16_t port,
	const uint32_t *gateway)
{
	unsigned n;
	const struct tr_path *path = tr_paths_of(hops->paths, group->gateway, &n);

	for (unsigned i = 0; i < n; i++) {
		if (path[i].port == port && (!gateway || path[i].gateway == *gateway))
			return true;
	}
	return false;
}

// Groups with a member by that port, or by that gateway there, get new entries.
static void remake_groups(struct tr_hops *hops, uint16_t port, const uint32_t *gateway)
{
	for (uint16_t at = 1; at < hops->begun; at++) {
		const struct hop *hop = &hops->hop[at];
		if (!hop->references || hop->kind != TR_ROUTE_GROUP ||
			!contains(hops, hop, port, gateway))
			continue;
		tr_hop_mark_changed(hops, at);
		tr_hop_mark_changed(hops, hop->list);
	}
}

bool tr_hops_in_group(const struct tr_hops *hops, uint16_t port, uint32_t gateway)
{
	uint16_t at = HOP_NONE;

	while ((at = tr_hop_of_neighbor(hops, port, gateway, at))) {
		if (hops->hop[at].groups)
			return true;
	}
	return false;
}

void tr_hops_gateway(struct tr_hops *hops, uint16_t port, uint32_t gateway, bool usable)
{
	bool remake = false;
	uint16_t at = HOP_NONE;

	while ((at = tr_hop_of_neighbor(hops, port, gateway, at))) {
		struct hop *hop = &hops->hop[at];
		remake |= hop->groups && hop->failed == usable;
		hop->failed = !usable;
	}
	if (remake)
		remake_groups(hops, port, &gateway);
}

void tr_hops_port(struct tr_hops *hops, uint16_t port)
{
	remake_groups(hops, port, NULL);
}
