// SPDX-License-Identifier: MIT
// Arrays that grow: recorded frames, captures, frames to be sent. Long ones ask for huge pages,
// because the first touch of a small page can cost more than the frame that is written to it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The array with room for n items, or as it was and *ok false.
void *tr_grow(void *array, uint64_t n, size_t size, bool *ok);
