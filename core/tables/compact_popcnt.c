// SPDX-License-Identifier: MIT
// Lookup in the compressed structure where an x86 processor counts bits by an instruction, as all
// of the last fifteen years do: the same steps as the plain lookup.
#include "tables/compact_lookup.h"

__attribute__((target("popcnt"))) void tr_compact_lookup_popcnt(const struct tr_lpm *lpm,
	const uint32_t *addresses, uint16_t *hops, uint32_t n)
{
	tr_compact_look_up(lpm, addresses, hops, n);
}

bool tr_compact_has_popcnt(void)
{
	return __builtin_cpu_supports("popcnt");
}
