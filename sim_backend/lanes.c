// SPDX-License-Identifier: MIT
// A batch without a router, for the functions of a vector variant alone (core/fast_path/vector.h):
// tests hold the variants against each other. Every frame is in memory of its own of just its
// size, so that the address sanitizer sees a read beyond it.
#include "fast_path/vector.h"
#include "sim_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static_assert(TR_SIM_LANES == TR_BATCH_MAX, "room for a whole batch");

static void free_frames(struct tr_batch *batch)
{
	for (uint32_t lane = 0; lane < batch->lanes; lane++)
		free(batch->frame[lane]);
	free(batch);
}

static struct tr_batch *make_batch(const struct tr_sim_lanes *lanes)
{
	struct tr_batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	for (uint32_t lane = 0; lane < lanes->lanes; lane++) {
		batch->frame[lane] = malloc(lanes->bytes[lane]);
		if (!batch->frame[lane]) {
			free_frames(batch);
			return NULL;
		}
		memcpy(batch->frame[lane], lanes->frame[lane], lanes->bytes[lane]);
		batch->pkt[lane] = (struct pkt *)batch->frame[lane]; // nobody looks into it
		batch->lanes = lane + 1;
	}
	memcpy(batch->bytes, lanes->bytes, sizeof(batch->bytes));
	memcpy(batch->checksum, lanes->checksum, sizeof(batch->checksum));
	memcpy(batch->hop, lanes->hop, sizeof(batch->hop));
	memcpy(batch->live, lanes->live, sizeof(batch->live));
	return batch;
}

static void run(const struct tr_vector_ops *ops, struct tr_batch *batch, struct tr_sim_lanes *lanes,
	const struct tr_suspects *suspects, const struct tr_next_hop *hops)
{
	struct tr_form form = {lanes->form_destination, lanes->form_head};

	lanes->bytes_sum = ops->sum_up(batch);
	lanes->bytes_min = batch->bytes_min;
	lanes->checksums_good = batch->checksums_good;
	for (uint32_t first = 0; first < batch->lanes; first += 64) {
		uint32_t n = batch->lanes - first < 64 ? batch->lanes - first : 64;
		uint32_t word = first / 64;

		lanes->plain[word] = ops->find_plain(batch, first, &form, lanes->sums);
		lanes->suspect[word] = ops->find_suspects(suspects, &batch->source[first], n);
		lanes->forwarded[word] = ops->forward(batch, first, hops);
	}
}

static int pack(const struct tr_vector_ops *ops, const struct tr_batch *batch,
	struct tr_sim_lanes *lanes)
{
	struct tr_packed *packed = calloc(1, sizeof(*packed));
	uint32_t lane = 0;

	if (!packed)
		return -ENOMEM;
	for (uint32_t word = 0; word * 64 < batch->lanes; word++)
		lanes->matched[word] = ops->match(batch, word * 64, lanes->match_port);
	ops->pack(batch, batch->live, packed);
	for (uint32_t i = 0; i < packed->lanes; i++) {
		while (lane < batch->lanes && batch->pkt[lane] != packed->pkt[i])
			lane++;
		lanes->packed_lane[i] = lane;
	}
	lanes->packed = packed->lanes;
	memcpy(lanes->packed_bytes, packed->bytes, sizeof(lanes->packed_bytes));
	free(packed);
	return 0;
}

int tr_sim_lanes_run(const char *variant, struct tr_sim_lanes *lanes)
{
	const struct tr_vector_ops *ops = tr_vector_find(variant);
	struct tr_suspects *suspects = calloc(1, sizeof(*suspects));
	struct tr_next_hop *hops = aligned_alloc(sizeof(*hops), TR_SIM_HOPS * sizeof(*hops));
	struct tr_batch *batch = ops && suspects && hops ? make_batch(lanes) : NULL;
	int error = batch ? 0 : -ENOMEM;

	if (batch) {
		memset(hops, 0, TR_SIM_HOPS * sizeof(*hops));
		for (uint32_t i = 0; i < TR_SIM_HOPS; i++) {
			memcpy(hops[i].macs, lanes->hop_macs[i], sizeof(hops[i].macs));
			hops[i].port = lanes->hop_port[i];
			hops[i].mtu = lanes->hop_mtu[i];
			hops[i].verdict = lanes->hop_verdict[i];
		}
		for (uint32_t i = 0; i < lanes->marks; i++)
			tr_suspects_mark(suspects, lanes->mark[i], lanes->mark_bits[i]);
		run(ops, batch, lanes, suspects, hops);
		error = pack(ops, batch, lanes);
		memcpy(lanes->source, batch->source, sizeof(lanes->source));
		memcpy(lanes->destination, batch->destination, sizeof(lanes->destination));
		memcpy(lanes->egress, batch->egress, sizeof(lanes->egress));
		for (uint32_t lane = 0; lane < batch->lanes; lane++)
			memcpy(lanes->frame[lane], batch->frame[lane], batch->bytes[lane]);
		free_frames(batch);
	}
	free(hops);
	free(suspects);
	return ops ? error : -ENOTSUP;
}
