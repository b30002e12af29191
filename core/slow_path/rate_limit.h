// SPDX-License-Identifier: MIT
// Token bucket on the backend's clock: how many ICMP messages may leave (RFC 1812 4.3.2.8).
// One is taken when a message is certain to be sent, so what is suppressed anyway costs nothing.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct tr_rate_limit {
	uint64_t cycles_per_token; // 0: no limit
	uint64_t burst;
	uint64_t full_cycles; // when the bucket will be full again
};

static inline void tr_rate_limit_init(struct tr_rate_limit *limit, uint64_t hz, uint32_t per_second,
	uint32_t burst)
{
	limit->cycles_per_token = per_second ? hz / per_second : 0;
	limit->burst = burst ? burst : 1;
	limit->full_cycles = 0;
}

static inline bool tr_rate_limit_is_off(const struct tr_rate_limit *limit)
{
	return limit->cycles_per_token == 0;
}

static inline bool tr_rate_limit_has(const struct tr_rate_limit *limit, uint64_t now)
{
	return limit->full_cycles <= now ||
		limit->full_cycles - now <= (limit->burst - 1) * limit->cycles_per_token;
}

// When there is the next token; 0: there is one.
static inline uint64_t tr_rate_limit_next(const struct tr_rate_limit *limit, uint64_t now)
{
	if (tr_rate_limit_has(limit, now))
		return 0;
	return limit->full_cycles - (limit->burst - 1) * limit->cycles_per_token;
}

// Takes a token if there is one.
static inline bool tr_rate_limit_take(struct tr_rate_limit *limit, uint64_t now)
{
	if (!tr_rate_limit_has(limit, now))
		return false;
	if (limit->full_cycles < now)
		limit->full_cycles = now;
	limit->full_cycles += limit->cycles_per_token;
	return true;
}
