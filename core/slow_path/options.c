// SPDX-License-Identifier: MIT
// Options of a punted packet, before it is delivered or sent on. A policy by type says what becomes
// of a packet with that option (RFC 7126): it is dropped, it goes on as if the option were not
// there, or the option is processed, and must be well formed. All options are read before anything
// is changed, so that an ICMP error quotes the packet as it came (RFC 1812 4.3.3.5); what they ask
// for is written when the packet is sent (options_record.c).
#include "slow_path/options.h"
#include "slow_path/slow_path.h"

#define SOUND ((struct tr_options_flaw){TR_DROP_COUNT, 0})
#define DESTINATION_OCTET 16 // of the IP header

static struct tr_options_flaw flaw(uint32_t pointer)
{
	return (struct tr_options_flaw){TR_DROP_BAD_OPTIONS, pointer};
}

static enum tr_drop refusal(uint8_t type)
{
	switch (type) {
	case OPTION_LOOSE_SOURCE_ROUTE:
	case OPTION_STRICT_SOURCE_ROUTE:
		return TR_DROP_SOURCE_ROUTE;
	case OPTION_RECORD_ROUTE:
		return TR_DROP_RECORD_ROUTE;
	case OPTION_TIMESTAMP:
		return TR_DROP_TIMESTAMP_OPTION;
	case OPTION_STREAM_ID:
		return TR_DROP_STREAM_ID;
	case OPTION_ROUTER_ALERT:
		return TR_DROP_ROUTER_ALERT;
	case OPTION_QUICK_START:
		return TR_DROP_QUICK_START;
	case 130: // basic security, extended security, CIPSO (RFC 7126 4.12 to 4.14)
	case 133:
	case 134:
		return TR_DROP_SECURITY_OPTION;
	case 11: // probe and reply MTU, traceroute, VISA, EIP, address extension, SDMDD, DPS, UMP
	case 12:
	case 82:
	case 142:
	case 145:
	case 147:
	case 149:
	case 151:
	case 152:
		return TR_DROP_OBSOLETE_OPTION;
	case 30: // RFC 4727
	case 94:
	case 158:
	case 222:
		return TR_DROP_EXPERIMENTAL_OPTION;
	default:
		return TR_DROP_UNKNOWN_OPTION;
	}
}

// Form of a source route or record route at octet `at` of the header.
static struct tr_options_flaw check_route(const uint8_t *option, uint32_t at)
{
	uint32_t length = option[OPTION_LENGTH];
	uint32_t pointer = option[OPTION_POINTER];

	if (length < OPTION_ROUTE + OPTION_ADDRESS_BYTES)
		return flaw(at + OPTION_LENGTH);
	// The router may use up several addresses of a source route: there are only whole ones.
	if (option_is_source_route(option[0]) &&
		(length - OPTION_ROUTE) % OPTION_ADDRESS_BYTES != 0)
		return flaw(at + OPTION_LENGTH);
	if (pointer < OPTION_ROUTE_POINTER)
		return flaw(at + OPTION_POINTER);
	// RFC 791 3.1: room for only part of an address is an error, no room at all is none.
	if (pointer <= length &&
		((pointer - OPTION_ROUTE_POINTER) % OPTION_ADDRESS_BYTES != 0 ||
			pointer + OPTION_ADDRESS_BYTES - 1 > length))
		return flaw(at + OPTION_POINTER);
	return SOUND;
}

static struct tr_options_flaw check_timestamp(const uint8_t *option, uint32_t at)
{
	uint32_t length = option[OPTION_LENGTH];
	uint32_t pointer = option[OPTION_POINTER];
	uint32_t kind, entry;

	if (length < OPTION_STAMPS)
		return flaw(at + OPTION_LENGTH);
	if (pointer < OPTION_STAMPS_POINTER)
		return flaw(at + OPTION_POINTER);
	kind = option[OPTION_FLAGS] & OPTION_FLAG_MASK;
	if (kind != OPTION_STAMP_ALONE && kind != OPTION_STAMP_ADDRESS &&
		kind != OPTION_STAMP_PRESET)
		return flaw(at + OPTION_FLAGS);
	entry = kind == OPTION_STAMP_ALONE ? 4 : 8;
	// RFC 791 3.1: likewise, but every module that finds no room counts, and 15 is the last.
	if (pointer <= length)
		return (pointer - OPTION_STAMPS_POINTER) % entry != 0 ||
				pointer + entry - 1 > length
			? flaw(at + OPTION_POINTER)
			: SOUND;
	if (kind != OPTION_STAMP_PRESET &&
		(option[OPTION_FLAGS] & OPTION_OVERFLOW_MASK) == OPTION_OVERFLOW_MASK)
		return flaw(at + OPTION_FLAGS);
	return SOUND;
}

// Notes an option that is to be processed, if its form is right. None may be there twice (RFC 791
// 3.1), and the second is what is wrong.
static struct tr_options_flaw note(struct tr_options *options, const uint8_t *option, uint32_t at)
{
	struct tr_options_flaw found = SOUND;

	switch (option[0]) {
	case OPTION_LOOSE_SOURCE_ROUTE:
	case OPTION_STRICT_SOURCE_ROUTE:
		found = check_route(option, at);
		if (found.reason == TR_DROP_COUNT) {
			options->source_route = (uint8_t)at;
			options->is_strict = option[0] == OPTION_STRICT_SOURCE_ROUTE;
		}
		break;
	case OPTION_RECORD_ROUTE:
		found = options->record_route ? flaw(at) : check_route(option, at);
		options->record_route = (uint8_t)at;
		break;
	case OPTION_TIMESTAMP:
		found = options->timestamp ? flaw(at) : check_timestamp(option, at);
		options->timestamp = (uint8_t)at;
		break;
	case OPTION_ROUTER_ALERT: // RFC 2113 2.1
		if (option[OPTION_LENGTH] != OPTION_ALERT_BYTES)
			found = flaw(at + OPTION_LENGTH);
		options->is_alert = true;
		break;
	}
	return found;
}

static struct tr_options_flaw walk(const struct tr_slow_path *slow, const uint8_t *octet,
	uint32_t end, struct tr_options *options)
{
	struct tr_options_flaw found;
	bool is_source_routed = false;
	uint32_t bytes;

	for (uint32_t at = IPV4_HEADER_BYTES; at < end && octet[at] != OPTION_END; at += bytes) {
		uint8_t policy = slow->option_policy[octet[at]];

		bytes = option_bytes(octet, at, end);
		if (octet[at] == OPTION_NOP)
			continue;
		// RFC 7126 4.3.5 and others: the packet goes before the option's form is looked at.
		if (policy == TR_OPTION_DROP)
			return (struct tr_options_flaw){refusal(octet[at]), 0};
		// RFC 1122 3.2.1.8: absurd lengths must not lead the walk astray.
		if (bytes == 0)
			return flaw(at + OPTION_LENGTH < end ? at + OPTION_LENGTH : at);
		// RFC 1812 5.2.4.1, RFC 7126 4.3: whatever is to be done with either of them.
		if (option_is_source_route(octet[at])) {
			if (is_source_routed)
				return (struct tr_options_flaw){TR_DROP_TWO_SOURCE_ROUTES, at};
			is_source_routed = true;
		}
		if (policy != TR_OPTION_PROCESS)
			continue;
		found = note(options, octet + at, at);
		if (found.reason != TR_DROP_COUNT)
			return found;
	}
	return SOUND;
}

// RFC 1812 5.2.3: the pointer goes on until it is past the last address, or the next address is
// none of the router's own.
static void follow(const struct tr_slow_path *slow, const uint8_t *option,
	struct tr_options *options)
{
	for (uint32_t pointer = option[OPTION_POINTER];
		pointer <= option[OPTION_LENGTH] && tr_slow_is_own(slow, options->destination);
		pointer += OPTION_ADDRESS_BYTES) {
		options->destination = option_word(option + pointer - 1);
		options->hops++;
	}
}

struct tr_options_flaw tr_options_read(const struct tr_slow_path *slow,
	const struct ipv4_header *ip, struct tr_options *options)
{
	const uint8_t *octet = (const uint8_t *)ip;
	struct tr_options_flaw found;

	*options = (struct tr_options){.destination = be32(ip->destination_be)};
	found = walk(slow, octet, ipv4_header_bytes(ip), options);
	if (found.reason == TR_DROP_COUNT && options->source_route)
		follow(slow, octet + options->source_route, options);
	return found;
}

uint32_t tr_options_destination(const struct tr_slow_path *slow, const struct ipv4_header *ip)
{
	struct tr_options options;

	if (ip->version_ihl == IPV4_VERSION_IHL)
		return be32(ip->destination_be);
	tr_options_read(slow, ip, &options);
	return options.destination;
}

bool tr_options_is_strict(const struct tr_slow_path *slow, const struct ipv4_header *ip)
{
	struct tr_options options;

	if (ip->version_ihl == IPV4_VERSION_IHL)
		return false;
	tr_options_read(slow, ip, &options);
	return options.is_strict;
}

bool tr_options_is_source_routed(const struct ipv4_header *ip)
{
	const uint8_t *octet = (const uint8_t *)ip;
	uint32_t end = ipv4_header_bytes(ip);
	uint32_t bytes;

	for (uint32_t at = IPV4_HEADER_BYTES; at < end && octet[at] != OPTION_END; at += bytes) {
		bytes = option_bytes(octet, at, end);
		if (bytes == 0)
			return false;
		if (option_is_source_route(octet[at]))
			return true;
	}
	return false;
}

// A neighbour that is known has a host route by way of itself.
static bool is_adjacent(const struct tr_next_hop *hop, uint32_t destination)
{
	return hop->kind == TR_ROUTE_CONNECTED ||
		(hop->kind == TR_ROUTE_VIA && hop->gateway == destination);
}

// A packet that came by its source route, which names where it goes next.
static void source_routed(struct tr_slow_path *slow, struct pkt *pkt,
	const struct tr_options *options)
{
	const struct tr_next_hop *hop = tr_tables_route_own(slow->tables, options->destination);
	bool group = hop->kind == TR_ROUTE_BROADCAST || hop->kind == TR_ROUTE_MULTICAST ||
		hop->kind == TR_ROUTE_MARTIAN;

	if (hop->kind == TR_ROUTE_LOCAL) { // its last address is the router's own
		tr_options_arrive(slow, slow_ip(pkt));
		tr_slow_local(slow, pkt);
	} else if (group || (options->is_strict && !is_adjacent(hop, options->destination))) {
		// RFC 1812 5.2.4.3. A source route leads from station to station, to no group.
		tr_slow_icmp_error(slow, pkt, ICMP_UNREACHABLE, ICMP_SOURCE_ROUTE_FAILED, 0);
		tr_slow_drop(slow, pkt, TR_DROP_SOURCE_ROUTE_FAILED);
	} else {
		tr_slow_forward(slow, pkt, hop);
	}
}

void tr_slow_options(struct tr_slow_path *slow, struct pkt *pkt)
{
	uint32_t destination = be32(slow_ip(pkt)->destination_be);
	const struct tr_next_hop *hop = tr_tables_route(slow->tables, slow_ip(pkt));
	struct tr_options options;
	struct tr_options_flaw found;

	tr_slow_enter(slow, pkt, TR_STEP_SLOW_OPTIONS, TR_VERDICT_LIVE);
	found = tr_options_read(slow, slow_ip(pkt), &options);
	// RFC 1812 5.2.2: whoever sent it here was not to pass it to anybody else.
	if (found.reason == TR_DROP_COUNT && options.is_strict &&
		!tr_slow_is_own(slow, destination))
		found = (struct tr_options_flaw){TR_DROP_STRICT_ROUTE_LEFT, DESTINATION_OCTET};
	if (found.reason != TR_DROP_COUNT) {
		// RFC 1812 4.3.3.5: the first of the four octets tells the octet in error.
		if (found.pointer)
			tr_slow_icmp_error(slow, pkt, ICMP_PARAMETER_PROBLEM, 0,
				found.pointer << 24);
		tr_slow_drop(slow, pkt, found.reason);
	} else if (options.hops) {
		source_routed(slow, pkt, &options);
	} else if (options.is_alert && tr_is_way_out(hop->kind)) {
		tr_slow_local(slow, pkt); // RFC 2113 2.1: the host stack takes it or sends it on
	} else {
		tr_slow_route(slow, pkt, hop);
	}
}
