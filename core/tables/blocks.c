// SPDX-License-Identifier: MIT
// The allocator of a compressed lookup structure. The chain of free blocks of a class runs through
// the blocks themselves; a block taken holds whatever was in it.
#include "tables/blocks.h"
#include <assert.h>
#include <string.h>

#define LINE_UNITS (64u / TR_BLOCK_UNIT) // a region begins with a cache line

static uint32_t region_units(uint8_t size, uint32_t most)
{
	return (size * most + LINE_UNITS - 1) / LINE_UNITS * LINE_UNITS;
}

uint64_t tr_blocks_units(const uint8_t *size, uint32_t most)
{
	uint64_t units = 0;

	for (unsigned i = 0; i < TR_BLOCK_CLASSES; i++)
		units += region_units(size[i], most);
	return units;
}

void tr_blocks_init(struct tr_blocks *blocks, uint8_t *memory, const uint8_t *size, uint32_t most,
	uint32_t first)
{
	assert(first > 0 && first % LINE_UNITS == 0);
	*blocks = (struct tr_blocks){.memory = memory, .size = size};
	for (unsigned i = 0; i < TR_BLOCK_CLASSES; i++) {
		blocks->class[i].first = first;
		first += region_units(size[i], most);
	}
}

unsigned tr_blocks_class(const struct tr_blocks *blocks, uint32_t bytes)
{
	unsigned class = 0;

	while (blocks->size[class] * TR_BLOCK_UNIT < bytes)
		class ++;
	assert(class < TR_BLOCK_CLASSES);
	return class;
}

uint32_t tr_blocks_take(struct tr_blocks *blocks, unsigned class)
{
	struct tr_block_class *region = &blocks->class[class];
	uint32_t place = region->free;

	blocks->units_used += blocks->size[class];
	if (!place)
		return region->first + region->begun++ * blocks->size[class];
	memcpy(&region->free, blocks->memory + (uint64_t)place * TR_BLOCK_UNIT,
		sizeof(region->free));
	return place;
}

void tr_blocks_give(struct tr_blocks *blocks, unsigned class, uint32_t place)
{
	struct tr_block_class *region = &blocks->class[class];

	blocks->units_used -= blocks->size[class];
	memcpy(blocks->memory + (uint64_t)place * TR_BLOCK_UNIT, &region->free,
		sizeof(region->free));
	region->free = place;
}
