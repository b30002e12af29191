// SPDX-License-Identifier: MIT
// Memory for the core's big tables: anonymous pages that take room only once they are written, so
// that a world of many routers stays small. A simulated router therefore does without huge pages, a
// table on its own (a benchmark's) asks for them. Guards are page protection.
#include "env.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

// Maps pages that begin where a huge page may.
static void *map_aligned(size_t pages)
{
	uint8_t *memory = mmap(NULL, pages + HUGE_PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	size_t before = -(uintptr_t)memory % HUGE_PAGE;

	if (before)
		munmap(memory, before);
	munmap(memory + before + pages, HUGE_PAGE - before);
	return memory + before;
}

void *tr_io_table_alloc(struct io_env *env, size_t bytes)
{
	size_t pages = whole_pages(bytes);
	void *table = map_aligned(pages);

	if (!table)
		return NULL;
	// Only advice: a kernel without huge pages refuses it.
	(void)madvise(table, pages, env ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	return table;
}

void tr_io_table_free(struct io_env *env, void *table, size_t bytes)
{
	(void)env;
	if (table)
		munmap(table, whole_pages(bytes));
}

void tr_io_table_guard(struct io_env *env, void *table, size_t bytes, enum io_access access)
{
	static const int protection[] = {
		[IO_ACCESS_NONE] = PROT_NONE,
		[IO_ACCESS_READ] = PROT_READ,
		[IO_ACCESS_WRITE] = PROT_READ | PROT_WRITE,
	};

	if (!env || !env->guard_tables)
		return;
	// The kernel refuses when the process has too many mappings; then there is no guard.
	(void)mprotect(table, whole_pages(bytes), protection[access]);
}
