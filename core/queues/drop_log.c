// SPDX-License-Identifier: MIT
// The ring of drop_log.h: one producer, one consumer, indices that run on and wrap by themselves.
// A sample belongs to the consumer from the store of `put` that counts it to that of `taken`.
#include "queues/drop_log.h"
#include "queues/count.h"
#include <string.h>

static_assert((TR_DROP_SAMPLES & (TR_DROP_SAMPLES - 1)) == 0, "indices wrap");

void tr_drop_log_put(struct tr_drop_log *log, const struct pkt *pkt, unsigned reason)
{
	uint32_t put = log->put;
	struct tr_drop_sample *sample = &log->sample[put % TR_DROP_SAMPLES];
	uint32_t bytes = pkt_bytes(pkt);

	if (put - __atomic_load_n(&log->taken, __ATOMIC_ACQUIRE) == TR_DROP_SAMPLES) {
		tr_count(&log->missed, 1);
		return;
	}
	sample->reason = (uint16_t)reason;
	sample->port = pkt_port(pkt);
	sample->bytes = (uint16_t)bytes;
	sample->copied = (uint16_t)(bytes < TR_DROP_BYTES ? bytes : TR_DROP_BYTES);
	memcpy(sample->data, pkt_data(pkt), sample->copied);
	__atomic_store_n(&log->put, put + 1, __ATOMIC_RELEASE);
}

void tr_drop_log_want(struct tr_drop_log *log, const uint64_t *reasons)
{
	for (unsigned i = 0; i < TR_DROP_WORDS; i++)
		__atomic_store_n(&log->wanted[i], reasons[i], __ATOMIC_RELAXED);
}

uint32_t tr_drop_log_take(struct tr_drop_log *log, struct tr_drop_sample *out, uint32_t room,
	uint64_t *missed)
{
	uint32_t put = __atomic_load_n(&log->put, __ATOMIC_ACQUIRE);
	uint32_t taken = log->taken;
	uint32_t n = 0;

	while (n < room && taken != put)
		out[n++] = log->sample[taken++ % TR_DROP_SAMPLES];
	__atomic_store_n(&log->taken, taken, __ATOMIC_RELEASE);
	*missed += __atomic_load_n(&log->missed, __ATOMIC_RELAXED);
	return n;
}
