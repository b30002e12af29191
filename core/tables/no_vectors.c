// SPDX-License-Identifier: MIT
// In the place of the lookups for x86 processors, on others: none of them is there, so that the
// plain ones are chosen, and these are never called.
#include "tables/compact.h"
#include "tables/dir24_8.h"
#include <stdlib.h>

bool tr_compact_has_popcnt(void)
{
	return false;
}

bool tr_compact_has_avx512(void)
{
	return false;
}

bool tr_dir24_8_has_avx512(void)
{
	return false;
}

void tr_compact_lookup_popcnt(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops,
	uint32_t n)
{
	tr_compact_lookup_plain(lpm, addresses, hops, n);
}

void tr_compact_lookup_avx512(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops,
	uint32_t n)
{
	tr_compact_lookup_plain(lpm, addresses, hops, n);
}

void tr_dir24_8_lookup_avx512(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops,
	uint32_t n)
{
	(void)lpm, (void)addresses, (void)hops, (void)n;
	abort();
}
