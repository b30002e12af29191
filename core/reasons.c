// SPDX-License-Identifier: MIT
// Names and texts of the drop reasons, punt reasons and places, from the same tables as the enums:
// what counters, traces and reports show.
#include "reasons.h"

static const struct tr_reason_info drops[] = {
#define DROP(id, name, rfc, text) {name, rfc, text, false},
#define DONE(id, name, rfc, text) {name, rfc, text, true},
#include "drops.def"
#undef DROP
#undef DONE
};

static const struct tr_reason_info punts[] = {
#define PUNT(id, name, rfc, text) {name, rfc, text, false},
#include "punts.def"
#undef PUNT
};

static const char *const steps[] = {
#define STEP(id, name) name,
#include "steps.def"
#undef STEP
};

const struct tr_reason_info *tr_drop_info(unsigned reason)
{
	return reason < TR_DROP_COUNT ? &drops[reason] : NULL;
}

const struct tr_reason_info *tr_punt_info(unsigned reason)
{
	return reason < TR_PUNT_COUNT ? &punts[reason] : NULL;
}

const char *tr_step_name(unsigned step)
{
	return step < TR_STEP_BUILTIN_COUNT ? steps[step] : NULL;
}
