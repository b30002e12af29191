// SPDX-License-Identifier: MIT
// Third on the packet's way: which sound packets may be forwarded by the fast path at all? Sources
// that no packet may carry end here (martians, RFC 1812 5.3.7), then what the port's reverse path
// check (urpf.c) and packet filter (packet_filter.c) object to; broadcast frames, options and hosts
// without an address need judgement and go to the slow path.
#include "fast_path/fast_unit.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"

static const struct ipv4_header *ip_of(const struct tr_batch *batch, unsigned lane)
{
	return (const struct ipv4_header *)(batch->frame[lane] + ETHER_HEADER_BYTES);
}

// Takes a lane off that only the slow path can judge.
static void leave_if_odd(struct tr_batch *batch, unsigned lane)
{
	const struct ether_header *ether = (const struct ether_header *)batch->frame[lane];
	const struct ipv4_header *ip = (const struct ipv4_header *)(ether + 1);

	if (ip->source_be == 0) // RFC 1812 9.1.2
		tr_batch_leave(batch, lane, tr_punt_verdict(TR_PUNT_ZERO_SOURCE));
	else if (ether_is_group(ether->destination)) // RFC 1812 5.3.4
		tr_batch_leave(batch, lane, tr_punt_verdict(TR_PUNT_LINK_BROADCAST));
	else if (ip->version_ihl != IPV4_VERSION_IHL)
		tr_batch_leave(batch, lane, tr_punt_verdict(TR_PUNT_IP_OPTIONS));
}

// The routes tell whether a suspect may be a source. 0.0.0.0 may, of a host without an address.
static void judge_suspects(const struct tr_fast_unit *unit, struct tr_batch *batch,
	const uint16_t *suspect, unsigned n, bool port_checks)
{
	const struct tr_lpm *lpm = unit->fib->lpm;
	uint32_t source[TR_BATCH_MAX];
	uint16_t hop[TR_BATCH_MAX];

	for (unsigned i = 0; i < n; i++)
		source[i] = be32(ip_of(batch, suspect[i])->source_be);
	lpm->ops->lookup(lpm, source, hop, n);
	lpm->ops->touch(lpm, unit->core, source, n);
	for (unsigned i = 0; i < n; i++) {
		if (source[i] && tr_is_no_source(unit->fib->hops[hop[i]].kind))
			tr_batch_leave(batch, suspect[i], tr_drop_verdict(TR_DROP_MARTIAN_SOURCE));
		else if (!port_checks)
			leave_if_odd(batch, suspect[i]);
	}
}

// The odd ones must pass the port's checks too before they leave.
static void check_port(struct tr_fast_unit *unit, struct tr_batch *batch)
{
	if (unit->port[batch->port].config->urpf != TR_URPF_OFF)
		tr_urpf(unit, batch);
	if (tr_rules_concern(unit->rules, batch->port))
		tr_packet_filter(unit, batch);
	TR_FOR_EACH_LIVE (lane, batch)
		leave_if_odd(batch, lane);
}

void tr_filter(void *state, struct tr_batch *batch)
{
	struct tr_fast_unit *unit = state;
	const struct tr_suspects *suspects = unit->fib->suspects;
	bool port_checks = unit->port[batch->port].config->urpf != TR_URPF_OFF ||
		tr_rules_concern(unit->rules, batch->port);
	uint16_t suspect[TR_BATCH_MAX];
	unsigned n = 0;

	TR_FOR_EACH_LIVE (lane, batch) {
		uint32_t source = be32(ip_of(batch, lane)->source_be);

		tr_suspects_touch(suspects, unit->core, source);
		if (tr_is_suspect(suspects, source))
			suspect[n++] = (uint16_t)lane;
		else if (!port_checks)
			leave_if_odd(batch, lane);
	}
	if (n)
		judge_suspects(unit, batch, suspect, n, port_checks);
	if (port_checks)
		check_port(unit, batch);
}
