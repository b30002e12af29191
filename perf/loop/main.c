// SPDX-License-Identifier: MIT
// The loop as a program (loop.h), which loop.py starts: a line of `key=value` words on standard
// input makes the bed, each further one runs a case, and a line of JSON answers each. A case runs
// on all units of the bed at once, a thread each.
//   routes=FILE (pairs of 32 bits: prefix, length) gateways=N paths=N rules=N units=N
//   destinations=FILE (32 bits each) burst=N size=small|imix complex=PERCENT checksum=nic|software
//   scatter=drop_out|masks|split blocks=N measure=pipeline|steps count=0|1
#include "loop.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

struct file {
	const void *data;
	size_t bytes;
};

struct thread {
	pthread_t id;
	struct loop_bed *bed;
	uint16_t unit;
	const struct loop_case *what;
	struct loop_result result;
};

// --- words ---------------------------------------------------------------------------------------
// The value of a key in the line, or `otherwise`.
static const char *word(const char *line, const char *key, const char *otherwise, char *room)
{
	size_t length = strlen(key);
	const char *at = line;

	while ((at = strstr(at, key)) && ((at != line && at[-1] != ' ') || at[length] != '='))
		at += length;
	if (!at)
		return otherwise;
	at += length + 1;
	length = strcspn(at, " \n");
	memcpy(room, at, length);
	room[length] = '\0';
	return room;
}

static uint32_t number(const char *line, const char *key, uint32_t otherwise)
{
	char room[LINE_MAX_BYTES];
	const char *text = word(line, key, NULL, room);

	return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

// The index of a key's value among some names; the first is the default.
static uint32_t choice(const char *line, const char *key, const char *const *names)
{
	char room[LINE_MAX_BYTES];
	const char *text = word(line, key, names[0], room);

	for (uint32_t i = 0; names[i]; i++) {
		if (strcmp(names[i], text) == 0)
			return i;
	}
	loop_fail(key);
}

static struct file map(const char *line, const char *key)
{
	char room[LINE_MAX_BYTES];
	const char *path = word(line, key, NULL, room);
	struct file file = {NULL, 0};
	struct stat status;
	int fd;

	if (!path)
		return file;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) || status.st_size == 0)
		loop_fail(path);
	file.bytes = (size_t)status.st_size;
	file.data = mmap(NULL, file.bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (file.data == MAP_FAILED)
		loop_fail(path);
	close(fd);
	return file;
}

static void unmap(struct file file)
{
	if (file.data)
		munmap((void *)file.data, file.bytes);
}

// --- lines ---------------------------------------------------------------------------------------
static void make(struct loop_bed *bed, const char *line)
{
	struct file routes = map(line, "routes");
	const struct loop_bed_config config = {
		.route = routes.data,
		.routes = (uint32_t)(routes.bytes / sizeof(struct loop_route)),
		.gateways = number(line, "gateways", 1),
		.paths = number(line, "paths", 1),
		.rules = number(line, "rules", 0),
		.units = number(line, "units", 1),
	};

	loop_bed_make(bed, &config);
	unmap(routes);
	printf("{\"compiler\": \"gcc-%d\", \"units\": %u}\n", __GNUC__, bed->units);
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
	struct file to = map(line, "destinations");
	const struct loop_case what = {
		.traffic =
			{
				.destination = to.data,
				.destinations = (uint32_t)(to.bytes / sizeof(uint32_t)),
				.size = choice(line, "size", sizes),
				.complex_percent = number(line, "complex", 0),
				.software_checksum = choice(line, "checksum", checksums) == 1,
			},
		.burst = number(line, "burst", 64),
		.scatter = choice(line, "scatter", scatters),
		.blocks = number(line, "blocks", 64),
		.count = number(line, "count", 0) != 0,
		.steps = choice(line, "measure", measures) == 1,
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
	unmap(to);
}

int main(void)
{
	static struct loop_bed bed;
	char line[LINE_MAX_BYTES];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	make(&bed, line);
	while (fgets(line, sizeof(line), stdin))
		run(&bed, line);
	loop_bed_free(&bed);
	return 0;
}
