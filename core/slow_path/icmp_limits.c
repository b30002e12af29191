// SPDX-License-Identifier: MIT
// Which ICMP messages the router sends, and how many (RFC 1812 4.3.2.8): errors within a limit
// of all and one of their kind, echo replies within one of theirs. A message takes a token of
// each or of none. What comes of a limit that is used up the fast-path units are told.
#include "slow_path/slow_path.h"

void tr_slow_icmp_settings(struct tr_slow_path *slow, const struct tr_settings *settings)
{
	uint64_t hz = io_cycles_hz(slow->core);

	tr_rate_limit_init(&slow->icmp_limit, hz, settings->icmp_errors_per_s,
		settings->icmp_errors_burst);
	for (unsigned i = 0; i < TR_ICMP_KINDS; i++) {
		tr_rate_limit_init(&slow->kind_limit[i], hz, settings->icmp.limit[i].per_s,
			settings->icmp.limit[i].burst);
		tr_icmp_pause(&slow->icmp_pause, i, 0);
	}
	slow->unreachables_off = settings->icmp.unreachables_off;
	slow->prohibited_off = settings->icmp.prohibited_off;
	slow->echo_off = settings->icmp.echo_off;
	slow->icmp_extensions = settings->icmp.extensions;
	slow->icmp_ttl = settings->icmp.ttl ? settings->icmp.ttl : IPV4_TTL_DEFAULT;
	slow->error_tos = (uint8_t)(settings->icmp.dscp << 2); // not ECN-capable
	slow->time_exceeded_off = settings->icmp.time_exceeded_off;
}

// No error of a kind before the next token of both limits.
static void pause_errors(struct tr_slow_path *slow, enum tr_icmp_kind kind, uint64_t now)
{
	uint64_t of_kind = tr_rate_limit_next(&slow->kind_limit[kind], now);
	uint64_t of_all = tr_rate_limit_next(&slow->icmp_limit, now);

	tr_icmp_pause(&slow->icmp_pause, kind, of_kind > of_all ? of_kind : of_all);
}

bool tr_slow_icmp_may_send(struct tr_slow_path *slow, enum tr_icmp_kind kind)
{
	struct tr_rate_limit *limit = &slow->kind_limit[kind];
	uint64_t now;

	if (tr_rate_limit_is_off(limit) && tr_rate_limit_is_off(&slow->icmp_limit))
		return true;
	now = io_cycles(slow->core);
	if (kind == TR_ICMP_ECHO_REPLY)
		return tr_rate_limit_take(limit, now);
	if (!tr_rate_limit_has(limit, now) || !tr_rate_limit_take(&slow->icmp_limit, now)) {
		pause_errors(slow, kind, now);
		return false;
	}
	return tr_rate_limit_take(limit, now);
}
