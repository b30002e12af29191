// SPDX-License-Identifier: MIT
// The routes that a router has before anybody adds one: what RFC 1812 says of whole address blocks,
// and what follows from the addresses of the ports. They make the fast path's only classification
// of destinations: own, broadcast, multicast and martian addresses are routes like others.
#include "tables/initial_routes.h"
#include "formats/ipv4.h"

static int add_route(struct tr_tables *tables, uint32_t prefix, uint8_t bits, uint8_t kind,
	uint8_t source, uint16_t port)
{
	struct tr_route_change change = {
		.route =
			{
				.prefix = prefix,
				.bits = bits,
				.kind = kind,
				.source = source,
				.port = port,
			},
		.add = true,
	};

	return tr_tables_change(tables, &change);
}

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

	for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]) && !error; i++)
		error = add_route(tables, builtin[i].prefix, builtin[i].bits, builtin[i].kind,
			TR_SOURCE_BUILTIN, TR_NO_PORT);
	return error;
}

// Subnets with their broadcast addresses, all-ones and all-zeros (RFC 1812 4.2.3.1, 5.3.5), which
// a subnet of 31 or 32 bits has not (RFC 3021).
static int add_subnet(struct tr_tables *tables, uint16_t port, const struct tr_port_address *own)
{
	uint32_t mask = ipv4_mask(own->bits);
	uint32_t first = own->address & mask;
	int error = add_route(tables, first, own->bits, TR_ROUTE_CONNECTED, TR_SOURCE_PORT, port);

	if (!error && own->bits <= 30)
		error = add_route(tables, first, 32, TR_ROUTE_BROADCAST, TR_SOURCE_PORT, port);
	if (!error && own->bits <= 30)
		error = add_route(tables, first | ~mask, 32, TR_ROUTE_BROADCAST, TR_SOURCE_PORT,
			port);
	return error;
}

// Own addresses come last: they win over a subnet and over another subnet's broadcast address.
static int add_port_routes(struct tr_tables *tables, const struct tr_config *config)
{
	int error = 0;

	for (uint32_t pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < config->ports; i++) {
			const struct tr_port_config *port = &config->port[i];
			for (uint32_t j = 0; j < port->addresses && !error; j++)
				error = pass == 0
					? add_subnet(tables, (uint16_t)i, &port->address[j])
					: add_route(tables, port->address[j].address, 32,
						  TR_ROUTE_LOCAL, TR_SOURCE_PORT, (uint16_t)i);
		}
	}
	return error;
}

int tr_initial_routes(struct tr_tables *tables, const struct tr_config *config)
{
	int error = add_builtin_routes(tables);

	return error ? error : add_port_routes(tables, config);
}
