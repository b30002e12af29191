// SPDX-License-Identifier: MIT
// Growing arrays (grow.h). The C library maps long arrays on their own and moves them by page
// tables, so growth copies nothing there.
#include "grow.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LONG_BYTES (4u << 20)

void *tr_grow(void *array, uint64_t n, size_t size, bool *ok)
{
	size_t bytes = n * size;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *result = realloc(array, bytes);

	if (!result) {
		*ok = false;
		return array;
	}
	if (bytes >= LONG_BYTES) {
		uintptr_t first = ((uintptr_t)result + page - 1) / page * page;
		uintptr_t end = ((uintptr_t)result + bytes) / page * page;

		// Only advice: a kernel without huge pages refuses it.
		(void)madvise((void *)first, end - first, MADV_HUGEPAGE);
	}
	return result;
}
