// SPDX-License-Identifier: MIT
// Lines of `key=value` words, by which loop.py asks the programs of this folder, and files of
// numbers that such a word names.
#pragma once
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX 4096

struct words_file {
	const void *data; // NULL: there is no such word
	size_t bytes;
};

_Noreturn static inline void words_fail(const char *what)
{
	fprintf(stderr, "perf: %s\n", what);
	exit(1);
}

// The value of a key in the line, copied into `room`, or `otherwise`.
static inline const char *words_get(const char *line, const char *key, const char *otherwise,
	char *room)
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

static inline uint32_t words_number(const char *line, const char *key, uint32_t otherwise)
{
	char room[LINE_BYTES_MAX];
	const char *text = words_get(line, key, NULL, room);

	return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

// The index of a key's value among some names; the first is the default.
static inline uint32_t words_choice(const char *line, const char *key, const char *const *names)
{
	char room[LINE_BYTES_MAX];
	const char *text = words_get(line, key, names[0], room);

	for (uint32_t i = 0; names[i]; i++) {
		if (strcmp(names[i], text) == 0)
			return i;
	}
	words_fail(line);
}

static inline struct words_file words_map(const char *line, const char *key)
{
	char room[LINE_BYTES_MAX];
	const char *path = words_get(line, key, NULL, room);
	struct words_file file = {NULL, 0};
	struct stat status;
	int fd;

	if (!path)
		return file;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) || status.st_size == 0)
		words_fail(path);
	file.bytes = (size_t)status.st_size;
	file.data = mmap(NULL, file.bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (file.data == MAP_FAILED)
		words_fail(path);
	close(fd);
	return file;
}

static inline void words_unmap(struct words_file file)
{
	if (file.data)
		munmap((void *)file.data, file.bytes);
}
