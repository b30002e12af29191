// SPDX-License-Identifier: MIT
// A mutator that knows records and IPv4 headers: half of the time it puts an address, option,
// fragment offset or such that the bed cares about into a frame, or repeats, drops or moves a
// record; otherwise libFuzzer does what it does to any bytes.
#include "input.h"
#include "formats/byte_order.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"
#include <string.h>

#define RECORDS 64

struct sequence {
	uint8_t *data;
	size_t bytes, room;
	uint64_t random;
	size_t start[RECORDS + 1]; // of each record; the last: where they end
	unsigned count;
};

static uint32_t draw(struct sequence *sequence, uint32_t below)
{
	sequence->random = sequence->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((sequence->random >> 33) % below);
}

static void read_records(struct sequence *sequence)
{
	struct input_record record;
	size_t at = 1;

	sequence->count = 0;
	sequence->start[0] = at;
	while (sequence->count < RECORDS &&
		input_next(sequence->data, sequence->bytes, &at, &record))
		sequence->start[++sequence->count] = at;
}

static uint32_t an_address(struct sequence *sequence)
{
	static const uint32_t known[] = {0x0a010001, 0x0a020001, 0x0a030001, 0x0a040001, 0x0a0100ff,
		0x0a0200ff, 0x0a040003, 0x0a010002, 0x0a020002, 0x0a0300fe, 0x0a030009, 0x0a02004d,
		0xc6120001, 0xc6130001, 0xc6140001, 0xc6150001, 0xc6160001, 0xc6170001, 0xc6170101,
		0xc6170201, 0xc6180001, 0x0a630001, 0xef010101, 0xe0000001, 0xe0000002, 0xffffffff,
		0, 0x7f000001, 0xf0000001, 0xe1000001};
	uint32_t address = known[draw(sequence, sizeof(known) / sizeof(*known))];

	return draw(sequence, 4) ? address : address + draw(sequence, 256);
}

// --- within a frame ------------------------------------------------------------------------------
static void set_option(struct sequence *sequence, struct ipv4_header *ip, uint32_t room)
{
	static const uint8_t types[] = {0, 1, 7, 68, 130, 131, 133, 136, 137, 148, 25, 30, 82, 200};
	uint8_t *options = (uint8_t *)(ip + 1);
	uint32_t words = 1 + draw(sequence, 10), bytes = 4 * words, address;

	if (sizeof(*ip) + bytes > room)
		return;
	ip->version_ihl = (uint8_t)(0x45 + words);
	if (draw(sequence, 3) == 0)
		return;
	memset(options, 0, bytes);
	options[0] = types[draw(sequence, sizeof(types))];
	options[1] = (uint8_t)(draw(sequence, 3) ? bytes - draw(sequence, 2) : draw(sequence, 48));
	options[2] = (uint8_t)(draw(sequence, 2) ? 4 + draw(sequence, 2) : draw(sequence, 44));
	options[3] = (uint8_t)draw(sequence, 4); // a time stamp's flag
	for (uint32_t at = 3 + draw(sequence, 2); at + 4 <= bytes; at += 4) {
		address = be32(an_address(sequence));
		memcpy(options + at, &address, 4);
	}
}

static void set_fragment(struct sequence *sequence, struct ipv4_header *ip)
{
	uint16_t offset = (uint16_t)(draw(sequence, 4) ? draw(sequence, 8) : draw(sequence, 8192));
	uint16_t flags = (uint16_t)(draw(sequence, 2) ? IPV4_MF : 0);

	ip->fragment_be = draw(sequence, 6) ? be16(offset | flags) : be16(IPV4_DF);
	if (draw(sequence, 2))
		ip->id_be = be16((uint16_t)draw(sequence, 2));
}

static void change_header(struct sequence *sequence, struct ipv4_header *ip, uint32_t room)
{
	static const uint8_t protocols[] = {1, 1, 2, 6, 17, 17, 47, 255};
	static const uint8_t icmp[] = {0, 3, 4, 5, 8, 8, 10, 11, 12, 13, 15, 17};

	switch (draw(sequence, 8)) {
	case 0:
		ip->source_be = be32(an_address(sequence));
		break;
	case 1:
	case 2:
		ip->destination_be = be32(an_address(sequence));
		break;
	case 3:
		ip->ttl = (uint8_t)(draw(sequence, 2) ? draw(sequence, 3) : draw(sequence, 256));
		break;
	case 4:
		ip->protocol = protocols[draw(sequence, sizeof(protocols))];
		break;
	case 5:
		set_fragment(sequence, ip);
		break;
	case 6:
		set_option(sequence, ip, room);
		break;
	default:
		ip->protocol = IPV4_PROTOCOL_ICMP;
		if (room > sizeof(*ip))
			((uint8_t *)(ip + 1))[0] = icmp[draw(sequence, sizeof(icmp))];
	}
}

static void change_frame(struct sequence *sequence, unsigned number)
{
	struct input_head *head = (struct input_head *)(sequence->data + sequence->start[number]);
	uint8_t *frame = (uint8_t *)(head + 1);
	size_t bytes = sequence->start[number + 1] - sequence->start[number] - sizeof(*head);
	struct ether_header *ether = (struct ether_header *)frame;

	switch (draw(sequence, 8)) {
	case 0:
		head->flags ^= (uint8_t)(1u << draw(sequence, 6));
		return;
	case 1:
		head->wait = (uint8_t)draw(sequence, 256);
		return;
	default:
		break;
	}
	if (bytes < sizeof(*ether) + IPV4_HEADER_BYTES)
		return;
	if (draw(sequence, 16) == 0)
		memcpy(ether->destination, ether_broadcast, ETHER_ADDRESS_BYTES);
	ether->type_be = be16(draw(sequence, 24) ? ETHER_TYPE_IPV4 : ETHER_TYPE_ARP);
	head->flags |= draw(sequence, 16) ? INPUT_REPAIR : 0;
	change_header(sequence, (struct ipv4_header *)(ether + 1),
		(uint32_t)(bytes - sizeof(*ether)));
}

// --- whole records -------------------------------------------------------------------------------
static void repeat_record(struct sequence *sequence, unsigned number)
{
	size_t start = sequence->start[number], bytes = sequence->start[number + 1] - start;

	if (sequence->bytes + bytes > sequence->room)
		return;
	memmove(sequence->data + start + bytes, sequence->data + start, sequence->bytes - start);
	sequence->bytes += bytes;
}

static void drop_record(struct sequence *sequence, unsigned number)
{
	size_t start = sequence->start[number], next = sequence->start[number + 1];

	memmove(sequence->data + start, sequence->data + next, sequence->bytes - next);
	sequence->bytes -= next - start;
}

// A frame grows by zeros or loses its end, and its record with it.
static void stretch_record(struct sequence *sequence, unsigned number)
{
	size_t end = sequence->start[number + 1];
	uint8_t *head = sequence->data + sequence->start[number];
	size_t frame = end - sequence->start[number] - sizeof(struct input_head);
	size_t by = draw(sequence, 8) ? draw(sequence, 64) : draw(sequence, 1500);

	if (draw(sequence, 2) == 0) {
		by = by < frame ? by : frame;
		memmove(sequence->data + end - by, sequence->data + end, sequence->bytes - end);
		sequence->bytes -= by;
		frame -= by;
	} else if (sequence->bytes + by <= sequence->room && frame + by <= 1600) {
		memmove(sequence->data + end + by, sequence->data + end, sequence->bytes - end);
		memset(sequence->data + end, 0, by);
		sequence->bytes += by;
		frame += by;
	}
	head[2] = (uint8_t)frame;
	head[3] = (uint8_t)(frame >> 8);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t room, unsigned seed)
{
	struct sequence sequence = {.data = data, .bytes = bytes, .room = room, .random = seed};

	draw(&sequence, 2);
	read_records(&sequence);
	if (sequence.count == 0 || draw(&sequence, 3) == 0)
		return LLVMFuzzerMutate(data, bytes, room);
	if (draw(&sequence, 16) == 0)
		data[0] = (uint8_t)draw(&sequence, BED_KINDS);
	for (unsigned n = 1 + draw(&sequence, 4); n > 0 && sequence.count; n--) {
		unsigned number = draw(&sequence, sequence.count);

		switch (draw(&sequence, 10)) {
		case 0:
			repeat_record(&sequence, number);
			break;
		case 1:
			drop_record(&sequence, number);
			break;
		case 2:
			stretch_record(&sequence, number);
			break;
		default:
			change_frame(&sequence, number);
		}
		read_records(&sequence);
	}
	return sequence.bytes;
}
