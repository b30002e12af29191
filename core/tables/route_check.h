// SPDX-License-Identifier: MIT
// Checks routes against the ports before they are posted; the RIB takes them as they are.
// Used for route files (route_text.c) and for changes from Python (tr_routes_check of api.h).
#pragma once
#include "api.h"

// Is this row no route, but a further gateway or the MTU of the one before?
static inline bool tr_route_is_part(const struct tr_route *route)
{
	return route->kind == TR_ROUTE_MORE || route->kind == TR_ROUTE_MTU;
}

// A route to be added: the key, kind, port and gateway. Fills in the egress port, and sets port and
// gateway to TR_NO_PORT and 0 where the kind has none.
int tr_route_check(const struct tr_config *config, struct tr_route *route, const char **what);
// The first of n changes with the further gateways and the MTU that follow it: *rows of them, or
// -EINVAL with the wrong one in *bad. Fills in as above, and puts the gateways in ascending order.
int tr_route_check_rows(const struct tr_config *config, struct tr_route_change *changes, uint64_t n,
	uint64_t *rows, uint64_t *bad, const char **what);
