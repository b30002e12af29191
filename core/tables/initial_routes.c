// SPDX-License-Identifier: MIT
// The routes that a router has before anybody adds one: what RFC 1812 says of whole address blocks,
// and what follows from the addresses of the ports. They make the fast path's only classification
// of destinations: own, broadcast, multicast and martian addresses are routes like others.
#include "tables/initial_routes.h"
#include "formats/ipv4.h"

#define PORT_ROUTES_MAX (4 * TR_PORT_ADDRESSES_MAX) // subnet, two broadcast addresses, own address

static int change(struct tr_tables *tables, const struct tr_route *route, bool add)
{
	struct tr_route_change change = {.route = *route, .add = add};

	return tr_tables_change(tables, &change);
}

#define MARTIAN_PREFERENCE 255 // whatever else is said of the same prefix wins

// Addresses that no route may make sense of (RFC 1812 4.2.2.11, 5.3.7).
static int add_builtin_routes(struct tr_tables *tables)
{
	static const struct tr_route builtin[] = {
		{.prefix = 0x00000000, .bits = 8, .kind = TR_ROUTE_MARTIAN},
		{.prefix = 0x7f000000, .bits = 8, .kind = TR_ROUTE_MARTIAN},
		{.prefix = 0xe0000000, .bits = 4, .kind = TR_ROUTE_MULTICAST},
		{.prefix = 0xf0000000, .bits = 4, .kind = TR_ROUTE_MARTIAN},
		{.prefix = IPV4_LIMITED_BROADCAST, .bits = 32, .kind = TR_ROUTE_BROADCAST},
	};
	int error = 0;

	for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]) && !error; i++) {
		struct tr_route route = builtin[i];
		route.source = TR_SOURCE_BUILTIN;
		route.port = TR_NO_PORT;
		error = change(tables, &route, true);
	}
	return error;
}

// Addresses that are not to be seen outside (RFC 6890), unless an operator's route of the prefix or
// of a longer one says so; a shorter one, as the default route, does not.
static int add_martians(struct tr_tables *tables, const struct tr_config *config)
{
	int error = 0;

	for (uint32_t i = 0; i < config->martians && !error; i++)
		error = change(tables,
			&(struct tr_route){
				.prefix = config->martian[i].prefix,
				.bits = config->martian[i].bits,
				.kind = TR_ROUTE_MARTIAN,
				.source = TR_SOURCE_BUILTIN,
				.preference = MARTIAN_PREFERENCE,
				.port = TR_NO_PORT,
			},
			true);
	return error;
}

// The routes that follow from the addresses of a port, a prefix once.
struct port_routes {
	uint16_t port;
	uint32_t count;
	struct tr_route route[PORT_ROUTES_MAX];
};

static const struct tr_route *find(const struct port_routes *routes, const struct tr_route *key)
{
	for (uint32_t i = 0; i < routes->count; i++) {
		if (routes->route[i].prefix == key->prefix && routes->route[i].bits == key->bits)
			return &routes->route[i];
	}
	return NULL;
}

// What comes later wins.
static void put(struct port_routes *routes, uint32_t prefix, uint8_t bits, uint8_t kind)
{
	struct tr_route route = {
		.prefix = prefix,
		.bits = bits,
		.kind = kind,
		.source = TR_SOURCE_PORT,
		.port = routes->port,
	};
	const struct tr_route *there = find(routes, &route);

	routes->route[there ? there - routes->route : routes->count++] = route;
}

// Subnets with their broadcast addresses, all-ones and all-zeros (RFC 1812 4.2.3.1, 5.3.5), which
// a subnet of 31 or 32 bits has not (RFC 3021). Own addresses come last: they win over a subnet and
// over another subnet's broadcast address.
static void list_routes(struct port_routes *routes, const struct tr_port_config *port)
{
	for (uint32_t i = 0; i < port->addresses; i++) {
		const struct tr_port_address *own = &port->address[i];
		uint32_t mask = ipv4_mask(own->bits);
		put(routes, own->address & mask, own->bits, TR_ROUTE_CONNECTED);
		if (own->bits > 30)
			continue;
		put(routes, own->address & mask, 32, TR_ROUTE_BROADCAST);
		put(routes, own->address | ~mask, 32, TR_ROUTE_BROADCAST);
	}
	for (uint32_t i = 0; i < port->addresses; i++)
		put(routes, port->address[i].address, 32, TR_ROUTE_LOCAL);
}

int tr_port_routes(struct tr_tables *tables, uint16_t port, const struct tr_port_config *before,
	const struct tr_port_config *after)
{
	struct port_routes old = {.port = port}, new = {.port = port};
	int error = 0;

	if (before)
		list_routes(&old, before);
	list_routes(&new, after);
	for (uint32_t i = 0; i < old.count; i++) {
		if (!find(&new, &old.route[i]))
			change(tables, &old.route[i], false);
	}
	for (uint32_t i = 0; i < new.count; i++) {
		int failed = change(tables, &new.route[i], true);
		error = error ? error : failed;
	}
	return error;
}

int tr_initial_routes(struct tr_tables *tables, const struct tr_config *config)
{
	int error = add_builtin_routes(tables);

	if (!error)
		error = add_martians(tables, config);
	for (uint16_t i = 0; i < config->ports && !error; i++)
		error = tr_port_routes(tables, i, NULL, &config->port[i]);
	return error;
}
