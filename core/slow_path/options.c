// SPDX-License-Identifier: MIT
// IP options of a punted packet, before the packet is delivered or sent on. The list must hold
// together (RFC 1812 4.2.2.1); source-routed packets are dropped, which RFC 7126 made the default.
// Every other option is ignored and carried unmodified: Record Route, Timestamp and the settings of
// RFC 7126 for each option are not there.
#include "slow_path/slow_path.h"

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_LOOSE_SOURCE_ROUTE 131
#define OPTION_STRICT_SOURCE_ROUTE 137

// What is wrong with a packet's options.
struct flaw {
	enum tr_drop reason; // TR_DROP_COUNT: nothing
	uint32_t pointer;    // octet of the header
};

static struct flaw inspect(const struct ipv4_header *ip)
{
	const uint8_t *octet = (const uint8_t *)ip;
	uint32_t end = ipv4_header_bytes(ip);
	uint32_t at = IPV4_HEADER_BYTES;

	while (at < end && octet[at] != OPTION_END) {
		if (octet[at] == OPTION_NOP) {
			at++;
			continue;
		}
		// RFC 7126 4.3.5, 4.4.5: the packet goes before the option's form is looked at.
		if (octet[at] == OPTION_LOOSE_SOURCE_ROUTE ||
			octet[at] == OPTION_STRICT_SOURCE_ROUTE)
			return (struct flaw){TR_DROP_SOURCE_ROUTE, at};
		if (at + 1 == end)
			return (struct flaw){TR_DROP_BAD_OPTIONS, at};
		// RFC 1122 3.2.1.8: absurd lengths must not lead the walk astray.
		if (octet[at + 1] < 2 || octet[at + 1] > end - at)
			return (struct flaw){TR_DROP_BAD_OPTIONS, at + 1};
		at += octet[at + 1];
	}
	return (struct flaw){TR_DROP_COUNT, 0};
}

bool tr_slow_options(struct tr_slow_path *slow, struct pkt *pkt)
{
	struct flaw flaw;

	tr_slow_enter(slow, pkt, TR_STEP_SLOW_OPTIONS, TR_VERDICT_LIVE);
	flaw = inspect(slow_ip(pkt));
	if (flaw.reason == TR_DROP_COUNT)
		return true;
	// RFC 1812 4.3.3.5: the pointer, in the first of the four octets, tells the octet in error.
	if (flaw.reason == TR_DROP_BAD_OPTIONS)
		tr_slow_icmp_error(slow, pkt, ICMP_PARAMETER_PROBLEM, 0, flaw.pointer << 24);
	tr_slow_drop(slow, pkt, flaw.reason);
	return false;
}
