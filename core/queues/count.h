// SPDX-License-Identifier: MIT
// Counters that their owner alone writes and anybody may read while the unit runs. A relaxed load
// and store is an ordinary add on x86 and ARM; the atomics only keep the compiler (and TSan)
// honest.
#pragma once
#include <stdint.h>

static inline void tr_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
