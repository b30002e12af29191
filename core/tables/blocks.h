// SPDX-License-Identifier: MIT
// Blocks of memory for the nodes of a lookup structure, in classes of size. Each class has a region
// of its own, with room for a block of every node that there can be, so that a block is always to
// be had, and blocks of one size never stand in the way of another. Blocks given back are taken
// first; of a region that was never used up to some place, nothing but addresses is spent beyond.
#pragma once
#include <stdint.h>

#define TR_BLOCK_UNIT 16u // bytes; sizes and places are counted in units
#define TR_BLOCK_CLASSES 12

struct tr_block_class {
	uint32_t first; // place of the region
	uint32_t begun; // blocks from here on were never used
	uint32_t free;  // place of the first block of the chain given back, 0: none
};

struct tr_blocks {
	uint8_t *memory;     // places count from here; 0 is no place of a block
	const uint8_t *size; // of each class, in units, growing
	struct tr_block_class class[TR_BLOCK_CLASSES];
	uint64_t units_used;
};

// Units that the regions of all classes take, with `most` blocks in each.
uint64_t tr_blocks_units(const uint8_t *size, uint32_t most);

// Lays the regions out from `first` on.
void tr_blocks_init(struct tr_blocks *blocks, uint8_t *memory, const uint8_t *size, uint32_t most,
	uint32_t first);

// The smallest class of blocks that hold so many bytes.
unsigned tr_blocks_class(const struct tr_blocks *blocks, uint32_t bytes);
uint32_t tr_blocks_take(struct tr_blocks *blocks, unsigned class);
void tr_blocks_give(struct tr_blocks *blocks, unsigned class, uint32_t place);
