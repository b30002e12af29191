// SPDX-License-Identifier: MIT
// The routes that nobody adds: those of address blocks that RFC 1812 sets apart, and those that
// follow from the addresses of the ports.
#pragma once
#include "tables/tables.h"

// Adds them as changes: sources TR_SOURCE_BUILTIN and TR_SOURCE_PORT, preference 0 but for the
// configured martians, which is 255. 0 or -errno.
int tr_initial_routes(struct tr_tables *tables, const struct tr_config *config);
// Brings the routes that follow from a port's addresses from one configuration of it to another;
// NULL: none. Those that both have stay. 0 or -errno.
int tr_port_routes(struct tr_tables *tables, uint16_t port, const struct tr_port_config *before,
	const struct tr_port_config *after);
