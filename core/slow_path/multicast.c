// SPDX-License-Identifier: MIT
// Packets to a multicast group (RFC 1812 5.2.3, 5.3.10): the host stack gets those of the groups
// that the port has joined, TTL and all as received. A multicast route sends copies on by its
// ports, if the packet came by the right one; 224.0.0.0/24 never leaves its link. Routes are
// static. IGMP is for a daemon behind the twin, which must hear it whatever the group (RFC 2236 3).
#include "slow_path/slow_path.h"

#define ALL_HOSTS 0xe0000001u // 224.0.0.1, of which everybody is a member (RFC 1112 4)
#define LINK_LOCAL_PREFIX 0xe00000u

static bool is_joined(const struct tr_slow_path *slow, uint32_t group, uint16_t port)
{
	const struct tr_group_config *groups = &slow->groups;

	for (uint32_t i = 0; i < groups->groups; i++) {
		if (groups->group[i].group == group)
			return groups->group[i].ports >> port & 1;
	}
	return group == ALL_HOSTS;
}

// The route of the source, else the one of any source. NULL: none.
static const struct tr_multicast_route *find_route(const struct tr_slow_path *slow,
	const struct ipv4_header *ip)
{
	const struct tr_group_config *groups = &slow->groups;
	uint32_t group = be32(ip->destination_be), source = be32(ip->source_be);
	const struct tr_multicast_route *found = NULL;

	if (source == 0 || group >> 8 == LINK_LOCAL_PREFIX)
		return NULL;
	for (uint32_t i = 0; i < groups->routes; i++) {
		const struct tr_multicast_route *route = &groups->route[i];
		if (route->group != group || (route->source && route->source != source))
			continue;
		if (!found || route->source)
			found = route;
	}
	return found;
}

// RFC 1112 6.4: the low 23 bits of the group.
static void group_mac(uint32_t group, uint8_t *mac)
{
	const uint8_t bytes[ETHER_ADDRESS_BYTES] = {
		0x01, 0x00, 0x5e, group >> 16 & 0x7f, group >> 8 & 0xff, group & 0xff};

	memcpy(mac, bytes, sizeof(bytes));
}

// Sends copies by all ports that the packet may leave by. Says how the packet itself has fared.
static enum tr_drop send_copies(struct tr_slow_path *slow, const struct pkt *pkt,
	const struct tr_multicast_route *route)
{
	const struct ipv4_header *ip = slow_ip(pkt);
	enum tr_drop fate = TR_DROP_TTL_THRESHOLD;
	uint8_t mac[ETHER_ADDRESS_BYTES];

	if (route->from != pkt_port(pkt))
		return TR_DROP_MULTICAST_PATH;
	group_mac(be32(ip->destination_be), mac);
	for (uint32_t ports = route->to; ports; ports &= ports - 1) {
		uint16_t port = (uint16_t)__builtin_ctz(ports);
		struct pkt *copy;

		if (ip->ttl <= slow->groups.ttl_threshold[port])
			continue;
		fate = TR_DROP_MULTICAST_COPIED;
		copy = tr_slow_copy(slow, pkt);
		if (copy)
			tr_slow_forward_group(slow, copy, port, mac);
	}
	return fate;
}

void tr_slow_multicast(struct tr_slow_path *slow, struct pkt *pkt)
{
	const struct ipv4_header *ip = slow_ip(pkt);
	const struct tr_multicast_route *route = find_route(slow, ip);
	bool local = is_joined(slow, be32(ip->destination_be), pkt_port(pkt)) ||
		ip->protocol == IPV4_PROTOCOL_IGMP;
	enum tr_drop fate = route ? send_copies(slow, pkt, route) : TR_DROP_MULTICAST;

	if (local)
		tr_slow_local(slow, pkt);
	else
		tr_slow_drop(slow, pkt, fate);
}
