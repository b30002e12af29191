// SPDX-License-Identifier: MIT
// Measures the pipeline and its steps (loop.h). The pipeline as a whole: turns of the unit until a
// block of packets has gone through. A step alone: every burst goes through all of them in their
// order, as in the pipeline, and only one is looked at. The steps come from the pipeline that the
// core puts together, under their names there.
// callgrind counts in loop_turns() and loop_step() only, without what the stand-in of the NIC does
// to hand out packets, and writes its count down at loop_count_ends().
#include "loop.h"
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#define CALIBRATIONS 1000
#define RECEIVE 0 // the places of a burst: this one, the pipeline's steps, and two more

struct burst {
	struct tr_fast_unit *unit;
	const struct tr_pipeline *pipeline;
	struct loop_feed *feed;
	uint32_t most;
	uint32_t lanes;
	struct tr_drop_out left;
};

void loop_count_ends(void);
void loop_turns(struct tr_fast_unit *unit, const struct loop_feed *feed);
void loop_step(struct burst *burst, uint32_t place);

__attribute__((noinline)) void loop_count_ends(void)
{
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void loop_turns(struct tr_fast_unit *unit, const struct loop_feed *feed)
{
	while (feed->taken < feed->ready)
		tr_fast_poll(unit);
}

static __attribute__((noinline)) void run_place(struct burst *burst, uint32_t place)
{
	struct tr_fast_unit *unit = burst->unit;
	const struct tr_pipeline *pipeline = burst->pipeline;

	if (place == RECEIVE) {
		tr_receive(unit, &unit->batch, 0, burst->lanes);
	} else if (place <= pipeline->steps) {
		const struct tr_pipeline_step *step = &pipeline->step[place - 1];

		step->run(step->state ? step->state : unit, &unit->batch);
	} else if (place == pipeline->steps + 1) {
		tr_transmit(unit, &unit->batch);
	} else {
		tr_hand_over(unit, burst->left.pkt, burst->left.verdict, burst->left.count);
	}
}

__attribute__((noinline)) void loop_step(struct burst *burst, uint32_t place)
{
	run_place(burst, place);
	__asm__ volatile("" ::: "memory"); // so that this is a call, which returns to here
}

// The lanes that the steps took off, as the scatterings gather them.
static void gather_left(struct burst *burst)
{
	const struct tr_batch *batch = &burst->unit->batch;
	struct tr_drop_out *left = &burst->left;

	left->count = 0;
	for (uint32_t lane = 0; lane < batch->lanes; lane++) {
		if (batch->live[lane / 64] >> (lane % 64) & 1)
			continue;
		left->verdict[left->count] = batch->verdict[lane];
		left->pkt[left->count++] = batch->pkt[lane];
	}
}

static bool next_burst(struct burst *burst)
{
	struct loop_feed *feed = burst->feed;
	struct tr_fast_unit *unit = burst->unit;

	burst->lanes = loop_feed_take(feed, unit->batch.pkt, burst->most);
	return burst->lanes > 0;
}

static uint64_t clock_start(void)
{
	_mm_lfence();
	return __rdtsc();
}

static uint64_t clock_stop(void)
{
	unsigned core;
	uint64_t cycles = __rdtscp(&core);

	_mm_lfence();
	return cycles;
}

static uint64_t clock_costs(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < CALIBRATIONS; i++) {
		uint64_t start = clock_start(), cycles = clock_stop() - start;

		if (cycles < least)
			least = cycles;
	}
	return least;
}

// --- counting, by callgrind ----------------------------------------------------------------------
static void count_pipeline(struct burst *burst, uint32_t blocks)
{
	for (uint32_t i = 0; i < blocks; i++) {
		loop_feed_fill(burst->feed, LOOP_BLOCK);
		loop_turns(burst->unit, burst->feed);
	}
	loop_count_ends();
}

static void count_place(struct burst *burst, uint32_t blocks, uint32_t places, uint32_t counted)
{
	for (uint32_t i = 0; i < blocks; i++) {
		loop_feed_fill(burst->feed, LOOP_BLOCK);
		while (next_burst(burst)) {
			for (uint32_t place = 0; place < places; place++) {
				if (place == burst->pipeline->steps + 2)
					gather_left(burst);
				if (place == counted)
					loop_step(burst, place);
				else
					run_place(burst, place);
			}
		}
	}
	loop_count_ends();
}

// --- timing --------------------------------------------------------------------------------------
// Cycles of each block, place by place: blocks that were disturbed do not move their median.
// The first of them warm the caches up after what else this CPU has done, and do not count.
struct samples {
	uint32_t warm_up;
	uint32_t blocks;  // these too
	uint64_t *cycles; // [place][block]
};

static int compare_cycles(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static uint64_t median(const struct samples *samples, uint32_t place)
{
	uint64_t *cycles = samples->cycles + (size_t)place * samples->blocks + samples->warm_up;
	uint32_t n = samples->blocks - samples->warm_up;

	qsort(cycles, n, sizeof(*cycles), compare_cycles);
	return cycles[n / 2];
}

static void time_pipeline(struct burst *burst, struct samples *samples)
{
	uint64_t costs = clock_costs();

	for (uint32_t i = 0; i < samples->blocks; i++) {
		loop_feed_fill(burst->feed, LOOP_BLOCK);
		uint64_t start = clock_start();
		loop_turns(burst->unit, burst->feed);
		samples->cycles[i] = clock_stop() - start - costs;
	}
}

static void time_places(struct burst *burst, struct samples *samples, uint32_t places)
{
	uint64_t costs = clock_costs();

	for (uint32_t i = 0; i < samples->blocks; i++) {
		loop_feed_fill(burst->feed, LOOP_BLOCK);
		while (next_burst(burst)) {
			for (uint32_t place = 0; place < places; place++) {
				if (place == burst->pipeline->steps + 2)
					gather_left(burst);
				uint64_t start = clock_start();
				run_place(burst, place);
				uint64_t took = clock_stop() - start;

				samples->cycles[place * samples->blocks + i] +=
					took > costs ? took - costs : 0;
			}
		}
	}
}

static void time_case(struct burst *burst, const struct loop_case *what, struct loop_result *out)
{
	struct samples samples = {.warm_up = what->blocks / 2};

	samples.blocks = what->blocks + samples.warm_up;
	out->packets = (uint64_t)samples.blocks * LOOP_BLOCK;
	samples.cycles = calloc((size_t)samples.blocks * out->places, sizeof(uint64_t));
	if (!samples.cycles)
		loop_fail("no memory for samples");
	if (what->steps)
		time_places(burst, &samples, out->places);
	else
		time_pipeline(burst, &samples);
	for (uint32_t place = 0; place < out->places; place++)
		out->cycles[place] = median(&samples, place);
	free(samples.cycles);
}

// --- a case --------------------------------------------------------------------------------------
static void name_places(const struct loop_case *what, const struct tr_pipeline *pipeline,
	struct loop_result *out)
{
	if (!what->steps) {
		out->name[out->places++] = "pipeline";
		return;
	}
	out->name[out->places++] = tr_step_name(TR_STEP_RECEIVE);
	for (uint32_t i = 0; i < pipeline->steps; i++)
		out->name[out->places++] = tr_step_name(pipeline->step[i].id);
	out->name[out->places++] = tr_step_name(TR_STEP_TRANSMIT);
	out->name[out->places++] = tr_step_name(TR_STEP_HAND_OVER);
}

void loop_run(struct loop_bed *bed, uint16_t index, const struct loop_case *what,
	struct loop_result *out)
{
	struct tr_fast_unit *unit = &bed->router->fast[index];
	const struct tr_pipeline *before = unit->pipeline;
	struct loop_feed *feed = &bed->feed[index];
	struct tr_pipeline pipeline;
	struct burst burst = {unit, &pipeline, feed, what->burst, 0, {0}};

	*out = (struct loop_result){.packets = (uint64_t)what->blocks * LOOP_BLOCK};
	tr_pipeline_default(&pipeline, (enum tr_scatter)what->scatter);
	name_places(what, &pipeline, out);
	unit->pipeline = &pipeline;
	unit->burst = what->burst;
	feed->traffic = &what->traffic;
	if (what->count)
		feed->next = 0; // the same packets each time; else never the same ones soon
	loop_feed_begin(feed);
	feed->sent = feed->punted = feed->dropped = 0;
	if (what->count && what->steps) {
		for (uint32_t place = 0; place < out->places; place++)
			count_place(&burst, what->blocks, out->places, place);
	} else if (what->count) {
		count_pipeline(&burst, what->blocks);
	} else {
		time_case(&burst, what, out);
	}
	tr_distributor_flush_all(&unit->distributor);
	out->sent = feed->sent;
	out->punted = feed->punted;
	out->dropped = feed->dropped;
	loop_feed_end(feed);
	unit->pipeline = before;
}
