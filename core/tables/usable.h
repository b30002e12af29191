// SPDX-License-Identifier: MIT
// Which routes can be used at this moment: RFC 1812 5.3.12.3 wants those out of the table that need
// a port that is down, and 5.3.12.4 wants them back. All that decides it is here; a change of it
// is told to the tables (tables.h), which then go over the RIB.
#pragma once
#include "api.h"
#include <assert.h>

struct tr_paths;

struct tr_usable {
	const struct tr_config *config; // the ports' addresses that are in use
	const struct tr_paths *paths;   // of routes of kind TR_ROUTE_GROUP
	uint32_t ports;                 // that can send: bit mask
};

static_assert(TR_PORTS_MAX <= 32, "a bit a port");

// A gateway needs its port, and a subnet that both are in.
bool tr_gateway_is_usable(const struct tr_usable *usable, uint16_t port, uint32_t gateway);
// A route needs one of its gateways, and one without a gateway the port by which it sends. Own
// addresses and broadcast addresses stay what they are, whatever port they are of: an address
// of a port that is down is reached through the others.
bool tr_route_is_usable(const struct tr_usable *usable, const struct tr_route *route);
