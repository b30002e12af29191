// SPDX-License-Identifier: MIT
// What the router writes into the options of a packet, last thing before it leaves: the address of
// the interface that it leaves by (RFC 1812 4.2.2.2, 5.2.1) into the route behind it, and a
// timestamp. A packet for the host stack is given to it as it came (RFC 1812 5.2.1): the stack
// stamps what it receives.
#include "slow_path/options.h"
#include "slow_path/slow_path.h"

// Milliseconds of the router's own clock, marked as a non-standard value, which need not count from
// midnight UT (RFC 791 3.1, RFC 1122 3.2.2.8).
static uint32_t timestamp(const struct tr_slow_path *slow)
{
	uint64_t now = io_cycles(slow->core);
	uint64_t hz = io_cycles_hz(slow->core);

	return (uint32_t)(now / hz * 1000 + now % hz * 1000 / hz) | 1u << 31;
}

// Uses up the addresses of the source route that lead through the router (RFC 791 3.1).
static void record_hops(uint8_t *option, const struct tr_options *options, uint32_t own)
{
	for (uint32_t i = 0; i < options->hops; i++) {
		option_set_word(option + option[OPTION_POINTER] - 1, own);
		option[OPTION_POINTER] += OPTION_ADDRESS_BYTES;
	}
}

static void record_route(uint8_t *option, uint32_t own)
{
	if (option[OPTION_POINTER] > option[OPTION_LENGTH]) // full
		return;
	option_set_word(option + option[OPTION_POINTER] - 1, own);
	option[OPTION_POINTER] += OPTION_ADDRESS_BYTES;
}

static void record_timestamp(const struct tr_slow_path *slow, uint8_t *option, uint32_t own)
{
	uint8_t kind = option[OPTION_FLAGS] & OPTION_FLAG_MASK;
	uint8_t *entry = option + option[OPTION_POINTER] - 1;

	if (option[OPTION_POINTER] > option[OPTION_LENGTH]) {
		// Only whom the list names may stamp such an option, so nobody was left out.
		if (kind != OPTION_STAMP_PRESET)
			option[OPTION_FLAGS] += OPTION_OVERFLOW_ONE;
		return;
	}
	// RFC 1812 5.3.13.6: any address of the router will do.
	if (kind == OPTION_STAMP_PRESET && !tr_slow_is_own(slow, option_word(entry)))
		return;
	if (kind == OPTION_STAMP_ADDRESS)
		option_set_word(entry, own);
	if (kind != OPTION_STAMP_ALONE)
		entry += OPTION_ADDRESS_BYTES;
	option_set_word(entry, timestamp(slow));
	option[OPTION_POINTER] = (uint8_t)(entry + sizeof(uint32_t) + 1 - option);
}

static void mend_checksum(struct ipv4_header *ip)
{
	ip->checksum_be = 0;
	ip->checksum_be = tr_checksum(ip, ipv4_header_bytes(ip));
}

void tr_options_record(const struct tr_slow_path *slow, struct ipv4_header *ip, uint16_t port,
	uint32_t neighbor)
{
	uint32_t own = tr_slow_source(slow, port, neighbor);
	uint8_t *octet = (uint8_t *)ip;
	struct tr_options options;

	if (ip->version_ihl == IPV4_VERSION_IHL ||
		tr_options_read(slow, ip, &options).reason != TR_DROP_COUNT)
		return;
	if (!options.hops && !options.record_route && !options.timestamp)
		return;
	if (options.hops)
		record_hops(octet + options.source_route, &options, own);
	if (options.record_route)
		record_route(octet + options.record_route, own);
	if (options.timestamp)
		record_timestamp(slow, octet + options.timestamp, own);
	ip->destination_be = be32(options.destination);
	mend_checksum(ip);
}

void tr_options_arrive(const struct tr_slow_path *slow, struct ipv4_header *ip)
{
	struct tr_options options;

	if (tr_options_read(slow, ip, &options).reason != TR_DROP_COUNT)
		return;
	// It leaves by no interface: what is known of the router is where the packet was sent to.
	record_hops((uint8_t *)ip + options.source_route, &options, be32(ip->destination_be));
	ip->destination_be = be32(options.destination);
	mend_checksum(ip);
}
