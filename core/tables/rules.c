// SPDX-License-Identifier: MIT
// How a rule of the packet filter is matched with a packet. Addresses and protocol come first: a
// rule that they exclude does not look any further, so that RFC 1858's tests of fragments hit only
// what a filter has to see more of.
#include "tables/rules.h"
#include "queues/count.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PROTOCOL_TCP 6
#define TCP_FLAGS 13
#define TCP_HEADER_BYTES 20      // RFC 1858 3.2.1: where flags and ports lie, and all else
#define TRANSPORT_HEADER_BYTES 8 // UDP, ICMP; the ports of every other protocol that has some

enum match {
	MATCH_NO,
	MATCH_YES,
	MATCH_TINY, // the packet hides what the rule looks at
};

// What rules look at, taken apart once a packet.
struct packet {
	uint32_t source;
	uint32_t destination;
	uint32_t fragment_offset;
	uint32_t transport_bytes;
	const uint8_t *transport;
	uint8_t protocol;
};

struct tr_rules *tr_rules_new(const struct tr_rule *rules, uint32_t n)
{
	struct tr_rules *made = malloc(sizeof(*made) + n * sizeof(rules[0]));

	if (!made) {
		errno = ENOMEM;
		return NULL;
	}
	made->ports = 0;
	made->count = n;
	for (uint32_t i = 0; i < n; i++) {
		assert(rules[i].counter < TR_RULES_MAX);
		made->rule[i] = rules[i];
		made->ports |= rules[i].ports;
	}
	return made;
}

void tr_rules_begin(const struct tr_rules *rules, struct tr_counters *counters)
{
	for (uint32_t i = 0; i < rules->count; i++) {
		if (rules->rule[i].fresh)
			__atomic_store_n(&counters->rule[rules->rule[i].counter], 0,
				__ATOMIC_RELAXED);
	}
}

static struct packet take_apart(const struct ipv4_header *ip)
{
	uint32_t header = ipv4_header_bytes(ip);

	return (struct packet){
		.source = be32(ip->source_be),
		.destination = be32(ip->destination_be),
		.fragment_offset = be16(ip->fragment_be) & IPV4_OFFSET_MASK,
		.transport_bytes = be16(ip->total_bytes_be) - header,
		.transport = (const uint8_t *)ip + header,
		.protocol = ip->protocol,
	};
}

static bool looks_further(const struct tr_rule *rule)
{
	return rule->by_ports || rule->tcp_mask || rule->icmp_type != TR_RULE_ANY;
}

static bool is_in(uint16_t low, const uint8_t *port_be, uint16_t high)
{
	uint32_t port = (uint32_t)port_be[0] << 8 | port_be[1];

	return low <= port && port <= high;
}

static enum match match_transport(const struct tr_rule *rule, const struct packet *packet)
{
	const uint8_t *transport = packet->transport;
	bool tcp = packet->protocol == PROTOCOL_TCP;

	if (tcp && packet->fragment_offset == 1) // RFC 1858 4.2, RFC 3128 3
		return MATCH_TINY;
	if (packet->fragment_offset)
		return rule->action == TR_RULE_PERMIT ? MATCH_YES : MATCH_NO;
	// RFC 1858 3.2.1
	if (packet->transport_bytes < (tcp ? TCP_HEADER_BYTES : TRANSPORT_HEADER_BYTES))
		return MATCH_TINY;
	if (rule->by_ports &&
		!(is_in(rule->source_port_min, transport, rule->source_port_max) &&
			is_in(rule->destination_port_min, transport + 2,
				rule->destination_port_max)))
		return MATCH_NO;
	if (rule->tcp_mask && (!tcp || (transport[TCP_FLAGS] & rule->tcp_mask) != rule->tcp_flags))
		return MATCH_NO;
	return rule->icmp_type == TR_RULE_ANY || transport[0] == rule->icmp_type ? MATCH_YES
										 : MATCH_NO;
}

static enum match match(const struct tr_rule *rule, const struct packet *packet)
{
	if ((packet->source & rule->source_mask) != rule->source ||
		(packet->destination & rule->destination_mask) != rule->destination)
		return MATCH_NO;
	if (rule->protocol != TR_RULE_ANY && rule->protocol != packet->protocol)
		return MATCH_NO;
	return looks_further(rule) ? match_transport(rule, packet) : MATCH_YES;
}

static uint16_t verdict_of(const struct tr_rule *rule)
{
	switch (rule->action) {
	case TR_RULE_PERMIT:
		return TR_VERDICT_LIVE;
	case TR_RULE_REJECT: // RFC 1812 5.2.7.1, 5.3.9
		return tr_punt_verdict(TR_PUNT_FILTERED);
	default:
		return tr_drop_verdict(TR_DROP_FILTERED);
	}
}

uint16_t tr_rules_judge(const struct tr_rules *rules, struct tr_counters *counters, uint16_t port,
	const struct ipv4_header *ip)
{
	struct packet packet = take_apart(ip);

	for (uint32_t i = 0; i < rules->count; i++) {
		const struct tr_rule *rule = &rules->rule[i];
		enum match found;

		if (!(rule->ports >> port & 1))
			continue;
		found = match(rule, &packet);
		if (found == MATCH_NO)
			continue;
		if (found == MATCH_TINY)
			return tr_drop_verdict(TR_DROP_TINY_FRAGMENT);
		tr_count(&counters->rule[rule->counter], 1);
		return verdict_of(rule);
	}
	return TR_VERDICT_LIVE;
}
