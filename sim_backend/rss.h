// SPDX-License-Identifier: MIT
// Receive-side scaling: which unit's queue a frame goes to. Toeplitz over the IPv4 addresses, and
// over the ports of TCP and UDP unless the packet is a fragment, by tables of one key: an entry for
// each value of each input byte. What is not IPv4 goes to queue 0.
#pragma once
#include "sim_api.h"

#define RSS_INPUT_BYTES 12 // addresses and ports
#define RSS_INDIRECTION 128

struct tr_world;

struct tr_rss {
	uint32_t table[RSS_INPUT_BYTES][256];
};

void tr_rss_init(struct tr_rss *rss, bool symmetric);
// Makes the world's tables of a key if they are not there yet. 0 or -ENOMEM.
int tr_rss_prepare(struct tr_world *world, bool symmetric);
// The hash of the input's first bytes.
uint32_t tr_rss_hash(const struct tr_rss *rss, const uint8_t *input, unsigned bytes);
// The hash of a frame, 0 without an IPv4 header. *queue: where n queues share the traffic.
uint32_t tr_rss_frame(const struct tr_rss *rss, const uint8_t *frame, uint32_t bytes,
	unsigned queues, unsigned *queue);
