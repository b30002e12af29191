// SPDX-License-Identifier: MIT
// Seeding, and times between failures. The exponential distribution needs a logarithm, which is
// taken bit by bit in integers: libm's differs between machines, and a run must not.
#include "faults.h"
#include "clock.h"
#include <assert.h>

#define FAULTS_LN2_Q32 2977044472 // ln 2 in units of 2^-32

void tr_rng_init(struct tr_rng *rng, uint64_t seed, enum tr_rng_kind kind, uint64_t id)
{
	rng->state = seed;
	rng->state = tr_rng_next(rng) ^ kind;
	rng->state = tr_rng_next(rng) ^ id;
	rng->state = tr_rng_next(rng);
}

// log2 in units of 2^-32: squaring a number in [1, 2) doubles its logarithm, whose next bit is thus
// whether the square reaches 2.
static uint64_t log2_q32(uint64_t value)
{
	unsigned whole = 63 - (unsigned)__builtin_clzll(value);
	uint64_t mantissa = value << (63 - whole); // 1.0 is 2^63
	uint64_t log2 = whole;

	for (unsigned bit = 0; bit < 32; bit++) {
		unsigned __int128 square = (unsigned __int128)mantissa * mantissa;

		mantissa = (uint64_t)(square >> 64); // 1.0 is 2^62
		log2 = log2 << 1 | mantissa >> 63;
		if (!(mantissa >> 63))
			mantissa <<= 1;
	}
	return log2;
}

uint64_t tr_rng_exponential(struct tr_rng *rng, uint64_t mean)
{
	uint64_t uniform = tr_rng_next(rng) | 1;
	uint64_t below_one = (64ULL << 32) - log2_q32(uniform);
	uint64_t nats = clock_scale(below_one, FAULTS_LN2_Q32, 1ULL << 32);
	uint64_t result = clock_scale(mean, nats, 1ULL << 32);

	assert(mean);
	return result ? result : 1;
}
