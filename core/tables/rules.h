// SPDX-License-Identifier: MIT
// The packet filter's rules (RFC 1812 5.3.9): a list that is never written again once units read
// it. Rules are tried in order and the first that fits decides; a packet that none fits may pass,
// so what an operator wants of the rest is a last rule. Rules that look at ports, TCP flags or ICMP
// types need the transport header, which only the first fragment of a packet holds (RFC 1858):
//   a later fragment fits a rule that permits by addresses and protocol alone, and no other one,
//   because without the first fragment it is of no use to anybody;
//   a first fragment too short for the header, and a TCP fragment that overwrites the flags of
//   another one (RFC 3128), end in drop reason "tiny_fragment" where such a rule is reached.
#pragma once
#include "formats/ipv4.h"
#include "reasons.h"

struct tr_rules {
	uint32_t ports; // ingress ports that have a rule at all: bit mask
	uint32_t count;
	struct tr_rule rule[];
};

// NULL with errno. Freed with free().
struct tr_rules *tr_rules_new(const struct tr_rule *rules, uint32_t n);
// TR_VERDICT_LIVE, a drop, or punt reason FILTERED for an error to the source. Counts the rule that
// decided in `counters`. The packet's header is sound, and the packet lies before its last octet.
uint16_t tr_rules_judge(const struct tr_rules *rules, struct tr_counters *counters, uint16_t port,
	const struct ipv4_header *ip);
// A unit begins to judge by these rules: the counters that are new begin at 0.
void tr_rules_begin(const struct tr_rules *rules, struct tr_counters *counters);

static inline bool tr_rules_concern(const struct tr_rules *rules, uint16_t port)
{
	return rules->ports >> port & 1;
}
