// SPDX-License-Identifier: MIT
// The routes that a router has before anybody adds one: those of address blocks that RFC 1812 sets
// apart, and those that follow from the addresses of the ports.
#pragma once
#include "tables/tables.h"

// Adds them as changes: sources TR_SOURCE_BUILTIN and TR_SOURCE_PORT, preference 0. 0 or -errno.
int tr_initial_routes(struct tr_tables *tables, const struct tr_config *config);
