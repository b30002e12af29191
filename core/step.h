// SPDX-License-Identifier: MIT
// The ABI of a pipeline step, for the built-in ones and for steps written outside. A step is one
// function over a batch: it reads and writes the arrays of its live lanes, and takes a lane off the
// fast path by tr_batch_leave(). It never frees and never sends a packet: the pipeline settles
// every lane that is not live any more, whatever the scattering.
#pragma once
#include "reasons.h"
#include <stddef.h>

struct pkt;

#define TR_LIVE_WORDS 8 // TR_BATCH_MAX / 64

// The packets of one receive call as a structure of arrays; a lane is an index into all of them.
// Owned by one unit. Lanes are dense from 0 to `lanes` - 1; bit i of `live` tells whether lane i is
// still on the fast path.
struct tr_batch {
	uint32_t lanes;
	uint16_t port;       // ingress port of every lane
	uint16_t bytes_min;  // no lane's frame is shorter
	bool checksums_good; // the NIC says so of every lane
	uint8_t reserved;
	uint64_t live[TR_LIVE_WORDS];
	// Of live lanes, set by validate: unicast frames with a source address and no IP options.
	uint64_t plain[TR_LIVE_WORDS];
	uint16_t verdict[TR_BATCH_MAX]; // 0, or why the lane left (reasons.h)
	uint16_t bytes[TR_BATCH_MAX];   // frame length
	uint8_t checksum[TR_BATCH_MAX]; // NIC's verdict, enum pkt_checksum
	uint32_t source[TR_BATCH_MAX]; // IP addresses in host order, set by validate for live lanes
	uint32_t destination[TR_BATCH_MAX];
	uint16_t hop[TR_BATCH_MAX];    // next-hop index, set by lookup
	uint16_t egress[TR_BATCH_MAX]; // egress port, set by next_hop
	uint8_t *frame[TR_BATCH_MAX];  // the Ethernet header
	struct pkt *pkt[TR_BATCH_MAX];
};

static_assert(TR_LIVE_WORDS * 64 == TR_BATCH_MAX, "a bit a lane");

typedef void (*tr_step_fn)(void *state, struct tr_batch *batch);

// Takes a lane off the fast path with a verdict from tr_drop_verdict() or tr_punt_verdict().
static inline void tr_batch_leave(struct tr_batch *batch, unsigned lane, uint16_t verdict)
{
	batch->live[lane / 64] &= ~(1ULL << (lane % 64));
	batch->verdict[lane] = verdict;
}

static inline bool tr_is_live(const struct tr_batch *batch, unsigned lane)
{
	return batch->live[lane / 64] >> (lane % 64) & 1;
}

static inline unsigned tr_live_count(const struct tr_batch *batch)
{
	unsigned count = 0;
	for (unsigned word = 0; word * 64 < batch->lanes; word++)
		count += batch->live[word] == ~0ULL
			? 64 // most often, and without a count
			: (unsigned)__builtin_popcountll(batch->live[word]);
	return count;
}

// Runs the statement that follows for every live lane, in order. The mask word is read once per 64
// lanes, so the statement may take its own lane off.
#define TR_FOR_EACH_LIVE(lane, batch)                                                       \
	for (unsigned word_ = 0; word_ * 64 < (batch)->lanes; word_++)                      \
		for (uint64_t bits_ = (batch)->live[word_]; bits_; bits_ &= bits_ - 1)      \
			for (unsigned lane = word_ * 64 + (unsigned)__builtin_ctzll(bits_), \
				      once_ = 1;                                            \
				once_; once_ = 0)
