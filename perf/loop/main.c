// SPDX-License-Identifier: MIT
// The loop as a program (loop.h), which loop.py starts: a line of `key=value` words on standard
// input makes the bed, each further one runs a case, and a line of JSON answers each. A case runs
// on all units of the bed at once, a thread each.
//   routes=FILE (pairs of 32 bits: prefix, length) gateways=N paths=N rules=N units=N
//   vector=NAME compact=0|1
//   destinations=FILE (32 bits each) burst=N size=small|imix complex=PERCENT checksum=nic|software
//   scatter=drop_out|masks|split blocks=N measure=pipeline|steps count=0|1
#include "loop.h"
#include "words.h"
#include <pthread.h>
#include <time.h>
#include <x86intrin.h>

#define CLOCK_NS 20000000

struct thread {
	pthread_t id;
	struct loop_bed *bed;
	uint16_t unit;
	const struct loop_case *what;
	struct loop_result result;
};

// --- lines ---------------------------------------------------------------------------------------
// The frequency of the time stamp counter, by the system's clock.
static double clock_hz(void)
{
	struct timespec begin, end, pause = {.tv_nsec = CLOCK_NS};
	uint64_t cycles;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	cycles = __rdtsc();
	nanosleep(&pause, NULL);
	cycles = __rdtsc() - cycles;
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (double)cycles /
		((double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
}

static void make(struct loop_bed *bed, const char *line)
{
	struct words_file routes = words_map(line, "routes");
	char vector[LINE_BYTES_MAX];
	const struct loop_bed_config config = {
		.route = routes.data,
		.routes = (uint32_t)(routes.bytes / sizeof(struct loop_route)),
		.gateways = words_number(line, "gateways", 1),
		.paths = words_number(line, "paths", 1),
		.rules = words_number(line, "rules", 0),
		.units = words_number(line, "units", 1),
		.vector = words_get(line, "vector", "", vector),
		.compact = words_number(line, "compact", 0),
	};

	loop_bed_make(bed, &config);
	words_unmap(routes);
	printf("{\"compiler\": \"gcc-%d\", \"hz\": %.0f}\n", __GNUC__, clock_hz());
}

static void print(const struct thread *thread)
{
	const struct loop_result *result = &thread->result;

	printf("{\"packets\": %lu, \"sent\": %lu, \"punted\": %lu, \"dropped\": %lu, \"cycles\": {",
		result->packets, result->sent, result->punted, result->dropped);
	for (uint32_t i = 0; i < result->places; i++)
		printf("%s\"%s\": %lu", i ? ", " : "", result->name[i], result->cycles[i]);
	printf("}}");
}

static void *work(void *argument)
{
	struct thread *thread = argument;

	loop_run(thread->bed, thread->unit, thread->what, &thread->result);
	return NULL;
}

static void run(struct loop_bed *bed, const char *line)
{
	static const char *const sizes[] = {"small", "imix", NULL};
	static const char *const checksums[] = {"nic", "software", NULL};
	static const char *const scatters[] = {"drop_out", "masks", "split", NULL};
	static const char *const measures[] = {"pipeline", "steps", NULL};
	struct thread threads[TR_UNITS_MAX];
	struct words_file to = words_map(line, "destinations");
	const struct loop_case what = {
		.traffic =
			{
				.destination = to.data,
				.destinations = (uint32_t)(to.bytes / sizeof(uint32_t)),
				.size = words_choice(line, "size", sizes),
				.complex_percent = words_number(line, "complex", 0),
				.software_checksum = words_choice(line, "checksum", checksums) == 1,
			},
		.burst = words_number(line, "burst", 64),
		.scatter = words_choice(line, "scatter", scatters),
		.blocks = words_number(line, "blocks", 64),
		.count = words_number(line, "count", 0) != 0,
		.steps = words_choice(line, "measure", measures) == 1,
	};

	if (!to.data || what.burst < 1 || what.burst > TR_BATCH_MAX)
		loop_fail(line);
	for (uint16_t i = 0; i < bed->units; i++) {
		threads[i] = (struct thread){.bed = bed, .unit = i, .what = &what};
		if (i && pthread_create(&threads[i].id, NULL, work, &threads[i]))
			loop_fail("no thread");
	}
	work(&threads[0]);
	printf("[");
	for (uint16_t i = 0; i < bed->units; i++) {
		if (i)
			pthread_join(threads[i].id, NULL);
		printf("%s", i ? ", " : "");
		print(&threads[i]);
	}
	printf("]\n");
	words_unmap(to);
}

int main(void)
{
	static struct loop_bed bed;
	char line[LINE_BYTES_MAX];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	make(&bed, line);
	while (fgets(line, sizeof(line), stdin))
		run(&bed, line);
	loop_bed_free(&bed);
	return 0;
}
