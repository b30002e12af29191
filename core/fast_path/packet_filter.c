// SPDX-License-Identifier: MIT
// The packet filter, third part of the filter step (RFC 1812 5.3.9). Only bursts from ports that
// have a rule come here. It judges whatever came in, for the router itself too, and before TTL and
// options: a packet that is filtered has no other fate.
#include "fast_path/fast_unit.h"
#include "formats/ethernet.h"

void tr_packet_filter(struct tr_fast_unit *unit, struct tr_batch *batch)
{
	const struct tr_rules *rules = unit->rules;

	io_cost_touch(unit->core, rules->rule, rules->count * sizeof(rules->rule[0]));
	TR_FOR_EACH_LIVE (lane, batch) {
		const struct ipv4_header *ip =
			(const struct ipv4_header *)(batch->frame[lane] + ETHER_HEADER_BYTES);
		uint16_t verdict = tr_rules_judge(rules, &unit->counters, batch->port, ip);

		if (verdict != TR_VERDICT_LIVE)
			tr_batch_leave(batch, lane, verdict);
	}
}

void tr_fast_switch_rules(struct tr_fast_unit *unit, void *argument)
{
	unit->rules = argument;
	tr_rules_begin(unit->rules, &unit->counters);
}
