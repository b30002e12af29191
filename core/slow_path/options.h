// SPDX-License-Identifier: MIT
// What the options of an IP header ask of the router, for the handlers that go by it. Nothing is
// kept with a packet: its options are read again where they count, because until it is sent the
// packet stays as it was received.
#pragma once
#include "formats/options.h"
#include "reasons.h"

struct tr_slow_path;

struct tr_options {
	uint8_t source_route; // octet of the header where it begins, 0: none to be processed
	uint8_t record_route;
	uint8_t timestamp;
	bool is_alert;
	bool is_strict;       // the source route
	uint8_t hops;         // addresses of the source route that are used up here
	uint32_t destination; // IP destination address (RFC 1812 5.2.4.1): where the packet goes
};

// Why a packet's options are its end.
struct tr_options_flaw {
	enum tr_drop reason; // TR_DROP_COUNT: there is no flaw
	uint32_t pointer;    // octet of the header for the parameter problem; 0: the drop is silent
};

// Reads the options of a header of any length by the slow path's policies (RFC 7126).
struct tr_options_flaw tr_options_read(const struct tr_slow_path *slow,
	const struct ipv4_header *ip, struct tr_options *options);
// IP destination address of a header: its own, or the next one of a source route that ends here.
uint32_t tr_options_destination(const struct tr_slow_path *slow, const struct ipv4_header *ip);
// Is there a strict source route to be processed?
bool tr_options_is_strict(const struct tr_slow_path *slow, const struct ipv4_header *ip);
// Does the header hold a source route, whatever the policy? No redirect then (RFC 1812 5.2.7.2).
bool tr_options_is_source_routed(const struct ipv4_header *ip);

// Writes what the router adds to a packet that is about to leave by a port to a neighbour: source
// route, recorded address, timestamp. The header's checksum is right afterwards.
void tr_options_record(const struct tr_slow_path *slow, struct ipv4_header *ip, uint16_t port,
	uint32_t neighbor);
// The same for a packet whose source route ends here by way of the router's own addresses.
void tr_options_arrive(const struct tr_slow_path *slow, struct ipv4_header *ip);

// The way back to the source of a packet: a source route option in `out`, which has room for
// OPTIONS_BYTES_MAX, of so many octets (0: none), and the address to send to.
uint32_t tr_options_reverse(const struct tr_slow_path *slow, const struct ipv4_header *ip,
	const struct tr_options *options, uint8_t *out, uint32_t *first);

// Options of a reply: the way back and what is to be recorded, padded to a multiple of 4.
struct tr_reply_options {
	uint8_t octet[OPTIONS_BYTES_MAX];
	uint32_t bytes;
	uint32_t first; // address to reply to: the source, unless a source route leads there
};

void tr_options_reply(const struct tr_slow_path *slow, const struct ipv4_header *ip,
	struct tr_reply_options *out);
// Those of them that stand in the later fragments of the reply as well.
void tr_options_reply_later(const struct tr_reply_options *options, struct tr_reply_options *out);
