// SPDX-License-Identifier: MIT
// An input's records: 4 bytes of struct input_head, then the frame as it is sent or, where the
// record says so, after its lengths and checksums have been mended, so that it gets beyond the
// first checks. The last record may be cut short.
#pragma once
#include "bed.h"
#include <stddef.h>

struct input_head {
	uint8_t flags;
	uint8_t wait;        // lowest three bits: how long, after it; INPUT_LINK: 0x80 is up
	uint8_t bytes_le[2]; // of the frame
};

#define INPUT_PORT 3    // by which port, modulo their number
#define INPUT_TWIN 4    // from the host stack instead, in a bed that has one
#define INPUT_LINK 8    // no frame: the link goes up or down
#define INPUT_REPAIR 16 // mend the frame
#define INPUT_BURST 32  // send it many times

struct input_record {
	const struct input_head *head;
	const uint8_t *frame;
	uint32_t bytes;
};

// Reads the record at *at and goes on behind it; false: there is none.
bool input_next(const uint8_t *data, size_t bytes, size_t *at, struct input_record *out);
// Mends destination MAC, lengths and checksums of an IPv4 packet, each only where it is wrong.
void input_repair(const uint8_t *mac, uint8_t *frame, uint32_t bytes);

// libFuzzer's names for what it calls.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t room, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t bytes, size_t room);
