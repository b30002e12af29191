// SPDX-License-Identifier: MIT
// DIR-24-8 as its lookups read it: an entry for each /24 gives the next hop, or the group of 256
// entries that gives it by the last byte. The two functions that look up find the same.
#pragma once
#include "tables/lpm.h"

#define TR_DIR_GROUP_SLOTS 256u
#define TR_DIR_GROUP 0x8000u // entry24: the rest is the index of a group

// First member of the writer's struct.
struct tr_dir24_8 {
	struct tr_lpm lpm;
	const uint16_t *entry24;
	const uint16_t *entry8; // of the first group, the others follow
};

bool tr_dir24_8_has_avx512(void);
void tr_dir24_8_lookup_avx512(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops,
	uint32_t n);
