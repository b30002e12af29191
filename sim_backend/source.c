// SPDX-License-Identifier: MIT
// A station's frames to come (source.h): a heap of cursors, one for each set that was handed in. A
// set that comes in order of time, as most do, is copied and not sorted.
#include "source.h"
#include "pool.h"
#include "world.h"
#include "grow.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tr_bulk_frame {
	uint64_t at_ps;
	uint64_t index; // as handed in, then the place of its bytes
	uint32_t bytes;
	bool trace;
};

struct tr_bulk {
	uint64_t sequence;
	uint64_t next;
	uint64_t count;
	uint8_t *data;
	struct tr_bulk_frame frame[];
};

static bool is_before(const struct tr_bulk *a, const struct tr_bulk *b)
{
	uint64_t a_ps = a->frame[a->next].at_ps;
	uint64_t b_ps = b->frame[b->next].at_ps;

	return a_ps < b_ps || (a_ps == b_ps && a->sequence < b->sequence);
}

static void sift_up(struct tr_source *source, uint32_t at, struct tr_bulk *bulk)
{
	for (; at && is_before(bulk, source->bulk[(at - 1) / 2]); at = (at - 1) / 2)
		source->bulk[at] = source->bulk[(at - 1) / 2];
	source->bulk[at] = bulk;
}

// Puts a set in at the top and lets it sink.
static void sift_down(struct tr_source *source, struct tr_bulk *bulk)
{
	uint32_t at = 0;

	for (uint32_t child = 1; child < source->bulks; child = 2 * at + 1) {
		if (child + 1 < source->bulks &&
			is_before(source->bulk[child + 1], source->bulk[child]))
			child++;
		if (!is_before(source->bulk[child], bulk))
			break;
		source->bulk[at] = source->bulk[child];
		at = child;
	}
	source->bulk[at] = bulk;
}

uint64_t tr_source_ready_ps(const struct tr_source *source)
{
	uint64_t ps = tr_fifo_ps(&source->answers);

	if (source->bulks) {
		const struct tr_bulk *bulk = source->bulk[0];
		uint64_t bulk_ps = bulk->frame[bulk->next].at_ps;

		if (bulk_ps < ps)
			ps = bulk_ps;
	}
	return ps;
}

static void free_bulk(struct tr_bulk *bulk)
{
	free(bulk->data);
	free(bulk);
}

struct pkt *tr_source_next(struct tr_source *source, struct tr_world *world, bool *flagged)
{
	struct tr_bulk *bulk = source->bulks ? source->bulk[0] : NULL;
	const struct tr_bulk_frame *frame = bulk ? &bulk->frame[bulk->next] : NULL;
	struct pkt *pkt;

	*flagged = false;
	if (!frame || tr_fifo_ps(&source->answers) <= frame->at_ps)
		return tr_fifo_pop(&source->answers);
	*flagged = frame->trace;
	pkt = tr_pkt_copy(world, bulk->data + frame->index, frame->bytes);
	if (!pkt)
		return NULL;
	world->unsent--;
	if (++bulk->next == bulk->count) {
		source->bulks--;
		if (source->bulks)
			sift_down(source, source->bulk[source->bulks]);
		free_bulk(bulk);
	} else if (source->bulks > 1) {
		sift_down(source, bulk);
	}
	return pkt;
}

void tr_source_free(struct tr_source *source, struct tr_world *world)
{
	while (source->answers.count)
		tr_pkt_free(world, tr_fifo_pop(&source->answers));
	tr_fifo_free(&source->answers);
	for (uint32_t i = 0; i < source->bulks; i++)
		free_bulk(source->bulk[i]);
	free(source->bulk);
}

static int compare_frames(const void *a, const void *b)
{
	const struct tr_bulk_frame *x = a;
	const struct tr_bulk_frame *y = b;

	if (x->at_ps != y->at_ps)
		return x->at_ps < y->at_ps ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static struct tr_bulk *new_bulk(uint64_t now_ps, const uint8_t *data, const uint64_t *offset,
	const uint32_t *bytes, const uint64_t *at_ps, const uint8_t *trace, uint64_t n)
{
	bool ok = true, is_sorted = true;
	uint64_t total = 0;
	struct tr_bulk *bulk = tr_grow(NULL, sizeof(*bulk) + n * sizeof(bulk->frame[0]), 1, &ok);

	if (!ok)
		return NULL;
	for (uint64_t i = 0; i < n; i++) {
		bulk->frame[i] = (struct tr_bulk_frame){
			.at_ps = at_ps && at_ps[i] > now_ps ? at_ps[i] : now_ps,
			.index = i,
			.bytes = bytes[i],
			.trace = trace && trace[i],
		};
		total += bytes[i];
		is_sorted &= i == 0 || bulk->frame[i - 1].at_ps <= bulk->frame[i].at_ps;
	}
	bulk->data = tr_grow(NULL, total, 1, &ok);
	if (!ok) {
		free(bulk);
		return NULL;
	}
	if (!is_sorted)
		qsort(bulk->frame, n, sizeof(bulk->frame[0]), compare_frames);
	total = 0;
	for (uint64_t i = 0; i < n; i++) {
		struct tr_bulk_frame *frame = &bulk->frame[i];

		memcpy(bulk->data + total, data + offset[frame->index], frame->bytes);
		frame->index = total;
		total += frame->bytes;
	}
	bulk->count = n;
	bulk->next = 0;
	return bulk;
}

int tr_source_add(struct tr_source *source, struct tr_world *world, const uint8_t *data,
	const uint64_t *offset, const uint32_t *bytes, const uint64_t *at_ps, const uint8_t *trace,
	uint64_t n)
{
	struct tr_bulk *bulk;

	if (source->bulks == source->room) {
		uint32_t room = source->room ? 2 * source->room : 16;
		struct tr_bulk **list = realloc(source->bulk, room * sizeof(struct tr_bulk *));

		if (!list)
			return -ENOMEM;
		source->bulk = list;
		source->room = room;
	}
	bulk = new_bulk(world->now_ps, data, offset, bytes, at_ps, trace, n);
	if (!bulk)
		return -ENOMEM;
	bulk->sequence = source->sequence++;
	world->unsent += n;
	sift_up(source, source->bulks++, bulk);
	return 0;
}
