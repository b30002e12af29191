// SPDX-License-Identifier: MIT
// Samples of the packets that a unit drops, for who logs them (RFC 1812 5.3.7, 5.3.9, 10.4.1). The
// control thread says which reasons it wants and takes the samples; the unit copies headers into a
// bounded ring as long as there is room. A packet dropped for a reason that nobody wants costs one
// look at a bit mask, and one that is not dropped nothing. Counters count them all.
#pragma once
#include "backend.h"

struct tr_drop_log {
	uint64_t wanted[TR_DROP_WORDS]; // reasons: bit mask; control: rw, unit: ro
	uint64_t missed;                // wanted, and found no room; unit: rw
	uint32_t put;                   // unit: rw
	uint32_t taken;                 // control: rw
	struct tr_drop_sample sample[TR_DROP_SAMPLES];
};

static_assert(TR_DROP_WORDS * 64 >= TR_DROPS_MAX, "a bit a reason");

// By the unit, for a packet that it is about to free.
void tr_drop_log_put(struct tr_drop_log *log, const struct pkt *pkt, unsigned reason);

static inline bool tr_drop_log_wants(const struct tr_drop_log *log, unsigned reason)
{
	uint64_t wanted = __atomic_load_n(&log->wanted[reason / 64], __ATOMIC_RELAXED);

	return wanted >> (reason % 64) & 1;
}

static inline void tr_drop_log(struct tr_drop_log *log, const struct pkt *pkt, unsigned reason)
{
	if (tr_drop_log_wants(log, reason))
		tr_drop_log_put(log, pkt, reason);
}

// By the control thread. take() returns the number of samples and adds what was missed so far.
void tr_drop_log_want(struct tr_drop_log *log, const uint64_t *reasons);
uint32_t tr_drop_log_take(struct tr_drop_log *log, struct tr_drop_sample *out, uint32_t room,
	uint64_t *missed);
