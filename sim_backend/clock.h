// SPDX-License-Identifier: MIT
// The two time bases: picoseconds of the world, millicycles of a core. All conversions are exact
// integer arithmetic with one direction of rounding each, so a time converted there and back never
// comes out earlier than it was.
#pragma once
#include "sim_api.h"

#define CLOCK_PS_PER_S 1000000000000

// floor(a * b / c), TR_SIM_NEVER where that does not fit.
static inline uint64_t clock_scale(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 result = (unsigned __int128)a * b / c;

	return result > TR_SIM_NEVER ? TR_SIM_NEVER : (uint64_t)result;
}

// ceil(a * b / c), TR_SIM_NEVER where that does not fit.
static inline uint64_t clock_scale_up(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 result = ((unsigned __int128)a * b + (c - 1)) / c;

	return result > TR_SIM_NEVER ? TR_SIM_NEVER : (uint64_t)result;
}

// Whole cycles that have passed at ps.
static inline uint64_t clock_cycles(uint64_t ps, uint64_t hz)
{
	return clock_scale(ps, hz, CLOCK_PS_PER_S);
}

// The first picosecond at which so many cycles have passed.
static inline uint64_t clock_cycles_ps(uint64_t cycles, uint64_t hz)
{
	return clock_scale_up(cycles, CLOCK_PS_PER_S, hz);
}

// The first millicycle that does not lie before ps.
static inline uint64_t clock_millicycles(uint64_t ps, uint64_t hz)
{
	return clock_scale_up(ps, hz, CLOCK_PS_PER_S / 1000);
}

static inline uint64_t clock_millicycles_ps(uint64_t millicycles, uint64_t hz)
{
	return clock_scale_up(millicycles, CLOCK_PS_PER_S / 1000, hz);
}
