// SPDX-License-Identifier: MIT
// Extensions of ICMP errors: see icmp_extension.h. An error that has no room for 128 octets of the
// packet and the extension goes without one: the packet quoted counts for more.
#include "slow_path/icmp_extension.h"
#include "slow_path/slow_path.h"

// RFC 4884 4.6
static bool is_extensible(uint8_t type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED ||
		type == ICMP_PARAMETER_PROBLEM;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	uint32_t value_be = be32(value);

	memcpy(at, &value_be, sizeof(value_be));
	return at + sizeof(value_be);
}

// RFC 5837 4.3: a length that counts itself, the name, zeros up to a multiple of 4.
static uint8_t *put_name(uint8_t *at, const char *name, size_t size)
{
	uint32_t length = (uint32_t)strnlen(name, size - 1);
	uint32_t bytes = (1 + length + 3) & ~3u;

	memset(at, 0, bytes);
	at[0] = (uint8_t)bytes;
	memcpy(at + 1, name, length);
	return at + bytes;
}

// Writes header and object in the order of RFC 5837 4.1. Returns their octets.
static uint32_t describe(const struct tr_slow_path *slow, uint16_t port, uint8_t *out)
{
	const struct tr_port_config *config = &slow->config->port[port];
	struct icmp_extension header = {
		.version = ICMP_EXTENSION_VERSION,
		.class = ICMP_INTERFACE_CLASS,
		.c_type = ICMP_INTERFACE_INDEX | ICMP_INTERFACE_NAME | ICMP_INTERFACE_MTU,
	};
	uint8_t *at = put32(out + sizeof(header), port + 1u); // an ifIndex is not 0 (RFC 2863)
	uint32_t bytes;

	if (config->addresses) {
		header.c_type |= ICMP_INTERFACE_ADDRESS;
		at = put32(at, 1u << 16); // address family: IPv4
		at = put32(at, config->address[0].address);
	}
	at = put_name(at, config->name, sizeof(config->name));
	at = put32(at, config->mtu);
	bytes = (uint32_t)(at - out);
	header.object_bytes_be = be16((uint16_t)(bytes - 4));
	memcpy(out, &header, sizeof(header));
	header.checksum_be = tr_checksum(out, bytes);
	memcpy(out, &header, sizeof(header));
	return bytes;
}

void tr_icmp_extend(const struct tr_slow_path *slow, const struct pkt *about, uint32_t room,
	struct icmp_header *message, struct tr_icmp_extension *out)
{
	uint32_t bytes = pkt_bytes(about) - ETHER_HEADER_BYTES;
	uint32_t field;

	out->zeros = 0;
	out->bytes = 0;
	out->quoted = bytes < room ? bytes : room;
	if (!slow->icmp_extensions || !is_extensible(message->type))
		return;
	if (room < ICMP_EXTENSION_QUOTE_MIN + ICMP_EXTENSION_BYTES_MAX)
		return;
	out->bytes = describe(slow, pkt_port(about), out->octet);
	// RFC 4884 4: at least 128 octets, and whole words.
	field = (bytes + 3) & ~3u;
	if (field < ICMP_EXTENSION_QUOTE_MIN)
		field = ICMP_EXTENSION_QUOTE_MIN;
	if (field > room - out->bytes)
		field = (room - out->bytes) & ~3u;
	out->quoted = bytes < field ? bytes : field;
	out->zeros = field - out->quoted;
	message->id_be |= be16((uint16_t)(field / 4)); // octet 5; octet 4 may be a pointer
}
