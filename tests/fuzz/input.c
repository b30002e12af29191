// SPDX-License-Identifier: MIT
// Reads the records of an input, and mends the frames in them (input.h), so that what the fuzzer
// makes of a header is judged for itself and not for its checksum.
#include "input.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"
#include <string.h>

bool input_next(const uint8_t *data, size_t bytes, size_t *at, struct input_record *out)
{
	size_t left;

	if (bytes < *at + sizeof(struct input_head))
		return false;
	out->head = (const struct input_head *)(data + *at);
	*at += sizeof(struct input_head);
	left = bytes - *at;
	out->frame = data + *at;
	out->bytes = out->head->bytes_le[0] + 256u * out->head->bytes_le[1];
	if (out->bytes > left)
		out->bytes = (uint32_t)left;
	*at += out->bytes;
	// The rest of a longer frame is skipped.
	if (out->bytes > 1600)
		out->bytes = 1600;
	return true;
}

static void mend_body(const struct ipv4_header *ip, uint32_t header, uint32_t total)
{
	uint8_t *body = (uint8_t *)ip + header;
	uint16_t checksum;

	if (ip->protocol != IPV4_PROTOCOL_ICMP || total - header < 8 ||
		ip->fragment_be & be16(IPV4_OFFSET_MASK | IPV4_MF))
		return;
	memset(body + 2, 0, 2);
	checksum = tr_checksum(body, total - header);
	memcpy(body + 2, &checksum, 2);
}

void input_repair(const uint8_t *mac, uint8_t *frame, uint32_t bytes)
{
	struct ether_header *ether = (struct ether_header *)frame;
	struct ipv4_header *ip = (struct ipv4_header *)(ether + 1);
	uint32_t header, total;

	if (bytes < sizeof(*ether))
		return;
	if (!ether_is_group(ether->destination))
		memcpy(ether->destination, mac, ETHER_ADDRESS_BYTES);
	if (ether->type_be != be16(ETHER_TYPE_IPV4) || bytes < sizeof(*ether) + sizeof(*ip))
		return;
	bytes -= sizeof(*ether);
	header = ipv4_header_bytes(ip);
	if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip) || header > bytes) {
		ip->version_ihl = IPV4_VERSION_IHL;
		header = sizeof(*ip);
	}
	total = be16(ip->total_bytes_be);
	if (total < header || total > bytes) {
		total = bytes;
		ip->total_bytes_be = be16((uint16_t)total);
	}
	ip->checksum_be = 0;
	ip->checksum_be = tr_checksum(ip, header);
	mend_body(ip, header, total);
}
