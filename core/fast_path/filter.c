// SPDX-License-Identifier: MIT
// Third on the packet's way: which sound packets may be forwarded by the fast path at all? Sources
// that no packet may carry end here (martians, RFC 1812 5.3.7), then what the port's reverse path
// check (urpf.c) and packet filter (packet_filter.c) object to; broadcast frames, options and hosts
// without an address need judgement and go to the slow path.
#include "fast_path/fast_unit.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"

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
	const uint16_t *suspect, unsigned n)
{
	const struct tr_lpm *lpm = unit->fib->lpm;
	uint32_t source[TR_BATCH_MAX];
	uint16_t hop[TR_BATCH_MAX];

	for (unsigned i = 0; i < n; i++)
		source[i] = batch->source[suspect[i]];
	lpm->ops->lookup(lpm, source, hop, n);
	lpm->ops->touch(lpm, unit->core, source, n);
	for (unsigned i = 0; i < n; i++) {
		if (source[i] && tr_is_no_source(unit->fib->hops[hop[i]].kind))
			tr_batch_leave(batch, suspect[i], tr_drop_verdict(TR_DROP_MARTIAN_SOURCE));
	}
}

// A source without a mark is innocent. Lanes that have left may look like suspects.
static void end_martians(const struct tr_fast_unit *unit, struct tr_batch *batch)
{
	const struct tr_vector_ops *vector = tr_vector_of(unit, batch);
	const struct tr_suspects *suspects = unit->fib->suspects;
	uint16_t suspect[TR_BATCH_MAX];
	unsigned n = 0;

	TR_FOR_EACH_LIVE (lane, batch)
		tr_suspects_touch(suspects, unit->core, batch->source[lane]);
	for (unsigned first = 0; first < batch->lanes; first += 64) {
		unsigned lanes = batch->lanes - first < 64 ? batch->lanes - first : 64;
		uint64_t found = vector->find_suspects(suspects, &batch->source[first], lanes);

		for (found &= batch->live[first / 64]; found; found &= found - 1)
			suspect[n++] = (uint16_t)(first + (unsigned)__builtin_ctzll(found));
	}
	if (n)
		judge_suspects(unit, batch, suspect, n);
}

void tr_filter(void *state, struct tr_batch *batch)
{
	struct tr_fast_unit *unit = state;

	end_martians(unit, batch);
	if (unit->port[batch->port].config->urpf != TR_URPF_OFF)
		tr_urpf(unit, batch);
	if (tr_rules_concern(unit->rules, batch->port))
		tr_packet_filter(unit, batch);
	for (unsigned word = 0; word * 64 < batch->lanes; word++) {
		uint64_t odd = batch->live[word] & ~batch->plain[word];

		for (; odd; odd &= odd - 1)
			leave_if_odd(batch, word * 64 + (unsigned)__builtin_ctzll(odd));
	}
}
