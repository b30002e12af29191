// SPDX-License-Identifier: MIT
// The parts of the steps that look at many lanes at a time, in variants for what a processor can
// do. Which one a unit uses is said at its start; all of them give the same results.
#pragma once
#include "step.h"
#include "tables/next_hop.h"
#include "tables/suspects.h"

// What a frame begins with that needs no second look.
struct tr_form {
	uint64_t destination; // the port's MAC address, in the first 6 of 8 bytes
	uint64_t head;        // EtherType, version and header length, in the first 3 of 8 bytes
};

// Some lanes of a batch, one behind the other; behind them there may be anything.
struct tr_packed {
	unsigned lanes;
	struct pkt *pkt[TR_BATCH_MAX + 8];
	uint16_t bytes[TR_BATCH_MAX + 8];
};

struct tr_vector_ops {
	const char *name;
	// Sets the shortest length and whether all checksums are good; returns the sum of lengths.
	uint64_t (*sum_up)(struct tr_batch *batch);
	// Which of up to 64 lanes from `first` on (a multiple of 64), each with room for an IPv4
	// header, are plain: of that form, from a source that is not 0, as long as the link says.
	// `sum`: the checksum too, where the NIC has not said that it is right. Sets source and
	// destination of these lanes, whether plain or not.
	uint64_t (*find_plain)(struct tr_batch *batch, unsigned first, const struct tr_form *form,
		bool sum);
	// Which of n sources, at most 64, have a mark. The array has room for 64.
	uint64_t (*find_suspects)(const struct tr_suspects *suspects, const uint32_t *source,
		unsigned n);
	// Forwards those of up to 64 live lanes from `first` on (a multiple of 64) that have one
	// known neighbour as next hop, a TTL above 1, and are short enough for the link: MAC
	// addresses, TTL, checksum, egress. Returns which; others are as before, but for egress.
	uint64_t (*forward)(struct tr_batch *batch, unsigned first, const struct tr_next_hop *hops);
	// Which of up to 64 lanes from `first` on (a multiple of 64) leave by a port.
	uint64_t (*match)(const struct tr_batch *batch, unsigned first, uint16_t port);
	// Packs the lanes that a mask of TR_LIVE_WORDS words names.
	void (*pack)(const struct tr_batch *batch, const uint64_t *mask, struct tr_packed *packed);
};

extern const struct tr_vector_ops tr_vector_scalar;
extern const struct tr_vector_ops tr_vector_avx2;
extern const struct tr_vector_ops tr_vector_avx512;

// Packs lane by lane.
void tr_vector_pack(const struct tr_batch *batch, const uint64_t *mask, struct tr_packed *packed);

// The variant of that name, "": the fastest one. NULL if this processor has none of that name.
const struct tr_vector_ops *tr_vector_find(const char *name);
