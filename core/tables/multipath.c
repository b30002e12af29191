// SPDX-License-Identifier: MIT
// The flow hash and the choice by highest random weight. The hash is two words of the packet, each
// masked by a word made from the seed, multiplied to 128 bits and folded; a member's weight is the
// hash masked by the member's address, mixed once more. Only the first fragment has ports, so those
// of no fragment count (RFC 2991 3). Neither the identification nor TOS or flags take part (RFC
// 6864 4.1, RFC 1812 5.2.5).
#include "tables/multipath.h"
#include <string.h>

#define GOLDEN 0x9e3779b97f4a7c15u
#define PORTS_BYTES 4

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// SplitMix64: seeds that differ in a bit give words that have nothing in common.
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

struct tr_flow_key tr_flow_key(uint64_t seed)
{
	return (struct tr_flow_key){{mix(seed + GOLDEN), mix(seed + 2 * GOLDEN)}};
}

// TCP, UDP, DCCP, SCTP, UDP-Lite: source and destination port come first in all of them.
static bool has_ports(uint8_t protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 ||
		protocol == 136;
}

static uint32_t ports_of(const struct ipv4_header *ip)
{
	uint32_t header_bytes = ipv4_header_bytes(ip);
	uint32_t ports_be;

	if (!has_ports(ip->protocol) || (ip->fragment_be & be16(IPV4_MF | IPV4_OFFSET_MASK)) ||
		be16(ip->total_bytes_be) < header_bytes + PORTS_BYTES)
		return 0;
	memcpy(&ports_be, (const uint8_t *)ip + header_bytes, PORTS_BYTES);
	return be32(ports_be);
}

static uint64_t hash(const struct tr_flow_key *key, uint32_t source, uint32_t destination,
	uint64_t rest)
{
	uint64_t addresses = (uint64_t)source << 32 | destination;

	return fold(addresses ^ key->word[0], rest ^ key->word[1]);
}

uint64_t tr_flow_hash(const struct tr_flow_key *key, const struct ipv4_header *ip)
{
	return hash(key, be32(ip->source_be), be32(ip->destination_be),
		(uint64_t)ports_of(ip) << 8 | ip->protocol);
}

uint64_t tr_flow_hash_own(const struct tr_flow_key *key, uint32_t destination)
{
	return hash(key, 0, destination, 0);
}

uint16_t tr_multipath_choose(const struct tr_next_hop *table, const struct tr_next_hop *group,
	uint64_t flow)
{
	const uint16_t *member = table[group->list].member;
	uint16_t best = member[0];
	uint64_t best_weight = 0;

	for (unsigned i = 0; i < group->members; i++) {
		uint64_t weight = fold(flow ^ table[member[i]].gateway * GOLDEN, GOLDEN);
		if (weight > best_weight) {
			best_weight = weight;
			best = member[i];
		}
	}
	return best;
}

bool tr_next_hop_leaves_by(const struct tr_next_hop *table, const struct tr_next_hop *hop,
	uint16_t port)
{
	if (hop->kind != TR_ROUTE_GROUP)
		return hop->port == port &&
			(hop->kind == TR_ROUTE_VIA || hop->kind == TR_ROUTE_CONNECTED);
	for (unsigned i = 0; i < hop->members; i++) {
		if (table[table[hop->list].member[i]].port == port)
			return true;
	}
	return false;
}
