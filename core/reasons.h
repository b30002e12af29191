// SPDX-License-Identifier: MIT
// Drop reasons, punt reasons and step names as enums, made from the tables drops.def, punts.def
// and steps.def, which are the only places to add one.
#pragma once
#include "api.h"
#include <assert.h>
#include <stddef.h>

enum tr_drop {
#define DROP(name, ...) TR_DROP_##name,
#define DONE(name, ...) TR_DROP_##name,
#include "drops.def"
#undef DROP
#undef DONE
	TR_DROP_COUNT,
};

enum tr_punt {
#define PUNT(name, ...) TR_PUNT_##name,
#include "punts.def"
#undef PUNT
	TR_PUNT_COUNT,
};

enum tr_step {
#define STEP(name, text) TR_STEP_##name,
#include "steps.def"
#undef STEP
	TR_STEP_BUILTIN_COUNT, // steps written outside are numbered from here
};

static_assert(TR_DROP_COUNT <= TR_DROPS_MAX, "api.h's counters are too small");
static_assert(TR_PUNT_COUNT <= TR_PUNTS_MAX, "api.h's counters are too small");
static_assert(TR_STEP_BUILTIN_COUNT < TR_STEPS_MAX, "api.h's counters are too small");

// What became of a lane: 0 while it is live, else a punt or a drop with its reason.
#define TR_VERDICT_LIVE 0
#define TR_VERDICT_DROP 0x100
#define TR_VERDICT_PUNT 0x200
#define TR_VERDICT_DONE 0x300  // trace only: left by the place named, with no reason to give
#define TR_VERDICT_GROUP 0x400 // next hops only: one of several, to be chosen (multipath.h)

static inline uint16_t tr_drop_verdict(enum tr_drop reason)
{
	return TR_VERDICT_DROP | (uint16_t)reason;
}

static inline uint16_t tr_punt_verdict(enum tr_punt reason)
{
	return TR_VERDICT_PUNT | (uint16_t)reason;
}

static inline unsigned tr_verdict_class(uint16_t verdict)
{
	return verdict & 0xff00;
}

static inline unsigned tr_verdict_reason(uint16_t verdict)
{
	return verdict & 0xff;
}
