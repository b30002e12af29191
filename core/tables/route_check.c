// SPDX-License-Identifier: MIT
// What makes a route possible: a gateway has to be a neighbour, so it lies in the subnet of a port
// and is neither the router itself nor a broadcast address there; and no route leads packets to
// addresses that no single station has (RFC 1812 4.2.2.11, 5.3.7). The texts say what was expected.
#include "tables/route_check.h"
#include "formats/ipv4.h"
#include <errno.h>

static int refuse(const char **what, const char *text)
{
	*what = text;
	return -EINVAL;
}

// What a deletion names too: prefix, length, source.
static int check_key(const struct tr_route *route, const char **what)
{
	if (route->bits > 32)
		return refuse(what, "prefix length 0 to 32 expected");
	if (route->prefix & ~ipv4_mask(route->bits))
		return refuse(what, "prefix without bits below its length expected");
	if (route->source < TR_SOURCE_CONFIG || route->source > TR_SOURCE_KERNEL)
		return refuse(what, "source config, api or kernel expected");
	return 0;
}

// RFC 1812 4.2.3.1: all-ones and all-zeros hosts are broadcast; not so in 31 bits (RFC 3021).
static bool is_broadcast(const struct tr_port_address *own, uint32_t address)
{
	uint32_t host = address & ~ipv4_mask(own->bits);

	return own->bits <= 30 && (host == 0 || host == ~ipv4_mask(own->bits));
}

// Whether a gateway can be reached by a port; *port TR_NO_PORT: finds the port.
static int check_gateway(const struct tr_config *config, uint32_t gateway, uint16_t *port,
	const char **what)
{
	int best_bits = -1;
	uint16_t best_port = TR_NO_PORT;
	bool broadcast = false;

	for (uint32_t i = 0; i < config->ports; i++) {
		for (uint32_t j = 0; j < config->port[i].addresses; j++) {
			const struct tr_port_address *own = &config->port[i].address[j];
			if (own->address == gateway)
				return refuse(what, "gateway other than an own address expected");
			if ((*port != TR_NO_PORT && *port != i) || own->bits <= best_bits ||
				(own->address ^ gateway) & ipv4_mask(own->bits))
				continue;
			best_bits = own->bits;
			best_port = (uint16_t)i;
			broadcast = is_broadcast(own, gateway);
		}
	}
	if (best_port == TR_NO_PORT)
		return refuse(what,
			*port == TR_NO_PORT ? "gateway on a connected subnet expected"
					    : "gateway on a subnet of that port expected");
	if (broadcast || !ipv4_is_unicast(gateway))
		return refuse(what, "gateway other than a broadcast address expected");
	*port = best_port;
	return 0;
}

// True for prefixes within 0/8, 127/8, 224/4 and 240/4. Shorter ones around them are fine: the
// built-in routes are longer.
static bool is_martian(const struct tr_route *route)
{
	return !ipv4_is_unicast(route->prefix) && (route->prefix || route->bits >= 8);
}

int tr_route_check(const struct tr_config *config, struct tr_route *route, const char **what)
{
	int error = check_key(route, what);

	if (error)
		return error;
	if (route->port != TR_NO_PORT && route->port >= config->ports)
		return refuse(what, "known port expected");
	switch (route->kind) {
	case TR_ROUTE_VIA:
	case TR_ROUTE_MORE:
		if (is_martian(route))
			return refuse(what, "prefix of unicast addresses expected");
		return check_gateway(config, route->gateway, &route->port, what);
	case TR_ROUTE_MTU:
		if (route->gateway < IPV4_MTU_MIN || route->gateway > UINT16_MAX)
			return refuse(what, "MTU of 68 to 65535 bytes expected");
		route->port = TR_NO_PORT;
		return 0;
	case TR_ROUTE_CONNECTED:
	case TR_ROUTE_LOCAL:
		if (is_martian(route))
			return refuse(what, "prefix of unicast addresses expected");
		if (route->port == TR_NO_PORT)
			return refuse(what, "port expected");
		break;
	case TR_ROUTE_BROADCAST:
		break;
	case TR_ROUTE_MULTICAST:
	case TR_ROUTE_BLACKHOLE:
	case TR_ROUTE_UNREACHABLE:
	case TR_ROUTE_PROHIBIT:
	case TR_ROUTE_MARTIAN:
		route->port = TR_NO_PORT;
		break;
	default:
		return refuse(what, "known kind of route expected");
	}
	route->gateway = 0;
	return 0;
}

static bool is_same_route(const struct tr_route_change *a, const struct tr_route_change *b)
{
	return a->add == b->add && a->route.prefix == b->route.prefix &&
		a->route.bits == b->route.bits && a->route.source == b->route.source &&
		a->route.preference == b->route.preference && a->route.metric == b->route.metric;
}

// Puts the last of n rows in its place among those before, by gateway. False: it is there already.
static bool insert(struct tr_route_change *changes, uint64_t n)
{
	uint32_t gateway = changes[n - 1].route.gateway;
	uint16_t port = changes[n - 1].route.port;
	uint64_t at = n - 1;

	for (; at && changes[at - 1].route.gateway >= gateway; at--) {
		if (changes[at - 1].route.gateway == gateway)
			return false;
	}
	for (uint64_t i = n - 1; i > at; i--) {
		changes[i].route.gateway = changes[i - 1].route.gateway;
		changes[i].route.port = changes[i - 1].route.port;
	}
	changes[at].route.gateway = gateway;
	changes[at].route.port = port;
	return true;
}

// Whether row n fits behind those before it.
static int check_part(struct tr_route_change *changes, uint64_t n, const char **what)
{
	const struct tr_route_change *part = &changes[n];

	if (!is_same_route(part, &changes[0]))
		return refuse(what, "further gateways of the same route expected");
	if (!part->add)
		return 0;
	if (changes[0].route.kind != TR_ROUTE_VIA || changes[n - 1].route.kind == TR_ROUTE_MTU)
		return refuse(what, "gateways before an MTU expected");
	if (part->route.kind == TR_ROUTE_MTU)
		return 0;
	if (n == TR_PATHS_MAX)
		return refuse(what, "at most 16 gateways expected");
	return insert(changes, n + 1) ? 0 : refuse(what, "each gateway once expected");
}

int tr_route_check_rows(const struct tr_config *config, struct tr_route_change *changes, uint64_t n,
	uint64_t *rows, uint64_t *bad, const char **what)
{
	int error = 0;

	for (*rows = 0; *rows < n && !error; ++*rows) {
		struct tr_route_change *change = &changes[*rows];
		bool is_part = tr_route_is_part(&change->route);
		if (*rows && !is_part)
			break;
		*bad = *rows;
		if (*rows == 0 && is_part)
			return refuse(what, "route before its further gateways expected");
		error = change->add ? tr_route_check(config, &change->route, what)
				    : check_key(&change->route, what);
		if (!error && is_part)
			error = check_part(changes, *rows, what);
	}
	return error;
}
