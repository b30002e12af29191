// SPDX-License-Identifier: MIT
// Chance, from the world's seed alone. Every entity draws from a generator of its own, seeded by
// (seed, kind, id), so that one more router or link does not change what befalls the others.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum tr_rng_kind {
	TR_RNG_CORE_TIE,
	TR_RNG_WIRE_TIE,
	TR_RNG_WIRE,
	TR_RNG_WIRE_STATE, // up and down; apart, so that it does not depend on the frames
	TR_RNG_POOL,
	TR_RNG_RING,
	TR_RNG_STATION,
};

struct tr_rng {
	uint64_t state;
};

void tr_rng_init(struct tr_rng *rng, uint64_t seed, enum tr_rng_kind kind, uint64_t id);
// Exponential about the mean, at least 1; the same on every machine (no floating point).
uint64_t tr_rng_exponential(struct tr_rng *rng, uint64_t mean);

// splitmix64
static inline uint64_t tr_rng_next(struct tr_rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

// A number below `limit`.
static inline uint64_t tr_rng_below(struct tr_rng *rng, uint32_t limit)
{
	return (tr_rng_next(rng) >> 32) * limit >> 32;
}

// True with a chance of so many millionths. Without a chance nothing is drawn.
static inline bool tr_rng_chance(struct tr_rng *rng, uint32_t ppm)
{
	return ppm && tr_rng_below(rng, 1000000) < ppm;
}
