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

int tr_route_check_key(const struct tr_route *route, const char **what)
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

int tr_gateway_check(const struct tr_config *config, uint32_t gateway, uint16_t *port,
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
	int error = tr_route_check_key(route, what);

	if (error)
		return error;
	if (route->port != TR_NO_PORT && route->port >= config->ports)
		return refuse(what, "known port expected");
	switch (route->kind) {
	case TR_ROUTE_VIA:
		if (is_martian(route))
			return refuse(what, "prefix of unicast addresses expected");
		return tr_gateway_check(config, route->gateway, &route->port, what);
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
