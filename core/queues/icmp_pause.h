// SPDX-License-Identifier: MIT
// Until when the slow path would send no ICMP error of some kind, as what is allowed of them is
// used up (RFC 1812 4.3.2.8). A packet of which only such an error could come is as good as
// dropped: a fast-path unit that knows need not have it cross to another processor for that.
#pragma once
#include "api.h"

struct tr_icmp_pause {
	uint64_t until_cycles[TR_ICMP_KINDS]; // slow path: rw, units: ro
};

static inline void tr_icmp_pause(struct tr_icmp_pause *pause, enum tr_icmp_kind kind,
	uint64_t until_cycles)
{
	__atomic_store_n(&pause->until_cycles[kind], until_cycles, __ATOMIC_RELAXED);
}

static inline uint64_t tr_icmp_paused_until(const struct tr_icmp_pause *pause,
	enum tr_icmp_kind kind)
{
	return __atomic_load_n(&pause->until_cycles[kind], __ATOMIC_RELAXED);
}
