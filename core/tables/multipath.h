// SPDX-License-Identifier: MIT
// One of several next hops (RFC 2991, RFC 2992): the packets of a flow take the same one, on the
// fast path and on the slow path, on any unit, for as long as it can be used. The choice is by
// highest random weight, so a next hop that comes or goes moves its own flows and no others.
// Where a flow goes depends on a seed, which nobody outside knows (RFC 2991 7).
#pragma once
#include "formats/ipv4.h"
#include "tables/next_hop.h"

struct tr_flow_key {
	uint64_t word[2];
};

struct tr_flow_key tr_flow_key(uint64_t seed);
// Hash of a packet's flow: addresses and protocol, and the ports of a whole TCP, UDP, DCCP, SCTP or
// UDP-Lite datagram. `ip` is sound, and total_bytes of it are there.
uint64_t tr_flow_hash(const struct tr_flow_key *key, const struct ipv4_header *ip);
// Hash of what the router itself sends to an address: it is no matter which of its own it is from,
// as that is chosen by the port.
uint64_t tr_flow_hash_own(const struct tr_flow_key *key, uint32_t destination);
// Index of the member of a group that a flow takes. `table`: the one that the group's entry is in.
uint16_t tr_multipath_choose(const struct tr_next_hop *table, const struct tr_next_hop *group,
	uint64_t flow);
// Whether packets by this next hop, or some of them, leave by a port (RFC 3704 2.2).
bool tr_next_hop_leaves_by(const struct tr_next_hop *table, const struct tr_next_hop *hop,
	uint16_t port);
