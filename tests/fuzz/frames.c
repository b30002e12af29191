// SPDX-License-Identifier: MIT
// The fuzzer's target: reads an input as a sequence of frames, waits and failing links, lets one of
// the beds live through it, and checks what must hold after any (check.c). An input: a byte for
// the bed, then records (input.h). A bed lives on, back in its first state, for many inputs.
#include "input.h"
#include <string.h>

#define INPUTS_PER_BED 500 // then what it never frees would show, too
#define RECORDS_MAX 64

static struct bed beds[BED_KINDS];
static unsigned lived[BED_KINDS];

static struct bed *bed_for(uint8_t choice)
{
	unsigned kind = choice % BED_KINDS;

	if (beds[kind].world && ++lived[kind] < INPUTS_PER_BED)
		return &beds[kind];
	if (beds[kind].world)
		bed_free(&beds[kind]);
	lived[kind] = 0;
	bed_make(&beds[kind], kind);
	return &beds[kind];
}

static void play(struct bed *bed, const struct input_record *record)
{
	static const uint32_t wait_us[] = {0, 0, 0, 1, 20, 1000, 600000, 6000000};
	unsigned port = (record->head->flags & INPUT_PORT) % BED_PORTS;
	uint8_t frame[BED_FRAME_MAX];
	uint32_t bytes = record->bytes;

	if (record->head->flags & INPUT_LINK) {
		tr_link_set_up(bed->world, bed->link[port], record->head->wait & 0x80);
	} else if (bytes) {
		memcpy(frame, record->frame, bytes);
		if (record->head->flags & INPUT_REPAIR)
			input_repair(bed_mac(port), frame, bytes);
		for (unsigned n = record->head->flags & INPUT_BURST ? 40 : 1; n > 0; n--) {
			if (bed->kind == BED_TWINS && record->head->flags & INPUT_TWIN)
				bed_send(bed, bed->twin[port], frame, bytes);
			else
				bed_send(bed, bed->station[port], frame, bytes);
		}
	}
	if (wait_us[record->head->wait & 7])
		bed_run_us(bed, wait_us[record->head->wait & 7]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input_record record;
	struct bed *bed;
	size_t at = 1;

	if (bytes < 1)
		return 0;
	bed = bed_for(data[0]);
	for (unsigned n = 0; n < RECORDS_MAX && input_next(data, bytes, &at, &record); n++)
		play(bed, &record);
	bed_check_quiet(bed);
	bed_check_sent(bed);
	bed_check_works(bed);
	return 0;
}
