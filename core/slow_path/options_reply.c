// SPDX-License-Identifier: MIT
// Options of what the router sends in answer to a packet: a source route is reversed, so that the
// answer goes the way that the packet came (RFC 1812 4.2.2.1, 4.3.2.6, 4.3.3.6), and in replies the
// options that record go on recording. There is never more than one source route.
#include "slow_path/options.h"
#include "slow_path/slow_path.h"

// How many addresses a source route has recorded: those before its pointer.
static uint32_t recorded(const uint8_t *option)
{
	uint32_t end = option[OPTION_POINTER] <= option[OPTION_LENGTH] ? option[OPTION_POINTER] - 1u
								       : option[OPTION_LENGTH];

	return (end - OPTION_ROUTE) / OPTION_ADDRESS_BYTES;
}

static uint32_t address_of(const uint8_t *option, uint32_t i)
{
	return option_word(option + OPTION_ROUTE + i * OPTION_ADDRESS_BYTES);
}

uint32_t tr_options_reverse(const struct tr_slow_path *slow, const struct ipv4_header *ip,
	const struct tr_options *options, uint8_t *out, uint32_t *first)
{
	const uint8_t *option = (const uint8_t *)ip + options->source_route;
	uint32_t source = be32(ip->source_be);
	uint32_t begin = 0, end;
	uint8_t *to = out + OPTION_ROUTE;

	*first = source;
	if (!options->source_route)
		return 0;
	end = recorded(option);
	// RFC 1812 4.2.2.1: some hosts list themselves first.
	if (end && address_of(option, 0) == source)
		begin = 1;
	while (end > begin && tr_slow_is_own(slow, address_of(option, end - 1)))
		end--;
	if (end == begin)
		return 0;
	*first = address_of(option, end - 1);
	for (uint32_t i = end - 1; i > begin; i--) {
		option_set_word(to, address_of(option, i - 1));
		to += OPTION_ADDRESS_BYTES;
	}
	option_set_word(to, source);
	to += OPTION_ADDRESS_BYTES;
	out[0] = option[0];
	out[OPTION_LENGTH] = (uint8_t)(to - out);
	out[OPTION_POINTER] = OPTION_ROUTE_POINTER;
	return out[OPTION_LENGTH];
}

static uint32_t copy(const struct ipv4_header *ip, uint32_t at, uint8_t *out)
{
	const uint8_t *option = (const uint8_t *)ip + at;

	if (at == 0)
		return 0;
	memcpy(out, option, option[OPTION_LENGTH]);
	return option[OPTION_LENGTH];
}

void tr_options_reply(const struct tr_slow_path *slow, const struct ipv4_header *ip,
	struct tr_reply_options *out)
{
	struct tr_options options;
	uint32_t bytes;

	*out = (struct tr_reply_options){.first = be32(ip->source_be)};
	if (ip->version_ihl == IPV4_VERSION_IHL ||
		tr_options_read(slow, ip, &options).reason != TR_DROP_COUNT)
		return;
	bytes = tr_options_reverse(slow, ip, &options, out->octet, &out->first);
	bytes += copy(ip, options.record_route, out->octet + bytes);
	bytes += copy(ip, options.timestamp, out->octet + bytes);
	out->bytes = (bytes + 3) & ~3u;
	assert(out->bytes <= ipv4_header_bytes(ip) - IPV4_HEADER_BYTES);
}

// RFC 791 3.1: a source route is in every fragment, what records is in the first. It comes first.
void tr_options_reply_later(const struct tr_reply_options *options, struct tr_reply_options *out)
{
	*out = (struct tr_reply_options){.first = options->first};
	if (!options->bytes || !option_is_source_route(options->octet[0]))
		return;
	memcpy(out->octet, options->octet, options->octet[OPTION_LENGTH]);
	out->bytes = (options->octet[OPTION_LENGTH] + 3u) & ~3u;
}
