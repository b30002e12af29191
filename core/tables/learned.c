// SPDX-License-Identifier: MIT
// Host routes that are learned: a neighbour whose MAC address is known gets a /32 by a next hop of
// its own, so that the fast path sends to it. They give way to every other route of the same
// address, and to a longer route that an operator put into the subnet: when such a route comes or
// goes, host routes go or come in the same set.
#include "tables/tables_private.h"
#include <errno.h>
#include <string.h>

#define LEARNED_PREFERENCE 255 // whatever else is said of the same address wins

static bool is_own_address(const struct tr_config *config, uint32_t address)
{
	for (uint32_t i = 0; i < config->ports; i++) {
		const struct tr_port_config *port = &config->port[i];
		for (uint32_t j = 0; j < port->addresses; j++) {
			if (port->address[j].address == address)
				return true;
		}
	}
	return false;
}

// A host route is learned where the connected subnet decides, not inside a longer route that an
// operator put there.
static bool is_connected(const struct tr_tables *tables, const struct tr_route *host)
{
	const struct tr_rib_prefix *cover = tr_rib_cover(tables->rib, host->prefix, 32);

	return cover && cover->best.kind == TR_ROUTE_CONNECTED && cover->best.port == host->port;
}

// The subnet's best route may change and change back before it is brought to the FIB, which then
// sees no change of it: what was decided about a host route in between has to be looked at again.
static void decide_later(struct tr_tables *tables, const struct tr_route *host)
{
	const struct tr_rib_prefix *cover = tr_rib_cover(tables->rib, host->prefix, 32);

	tables->relearn |= cover && cover->dirty;
}

static int neighbor_known(struct tr_tables *tables, const struct tr_route *host, uint16_t hop,
	const uint8_t *mac)
{
	const uint8_t *before = hop ? tr_hops_mac(tables->hops, hop) : NULL;

	if (before) {
		if (memcmp(before, mac, 6) != 0)
			tr_hops_set_mac(tables->hops, hop, mac);
		return 0;
	}
	if (is_own_address(tables->config, host->gateway))
		return -EINVAL;
	// This reference keeps the MAC address while no route uses the next hop.
	hop = tr_hops_take(tables->hops, host);
	if (!hop)
		return -ENOSPC;
	struct tr_route_change change = {.route = *host, .add = true};
	int error = is_connected(tables, host) ? tr_tables_change(tables, &change) : 0;
	if (error) {
		tr_hops_give(tables->hops, hop);
		return error;
	}
	tr_hops_set_mac(tables->hops, hop, mac);
	decide_later(tables, host);
	return 0;
}

static int neighbor_unknown(struct tr_tables *tables, const struct tr_route *host, uint16_t hop)
{
	if (!hop || !tr_hops_mac(tables->hops, hop))
		return 0;
	const struct tr_route *learned = tr_rib_route(tables->rib, host);
	// The same address may have been learned again, behind another port: that route stays.
	if (learned && learned->port == host->port) {
		struct tr_route_change change = {.route = *host, .add = false};
		int error = tr_tables_change(tables, &change);
		if (error)
			return error;
	}
	tr_hops_set_mac(tables->hops, hop, NULL);
	tr_hops_give(tables->hops, hop);
	return 0;
}

static struct tr_route host_route(uint16_t port, uint32_t address)
{
	return (struct tr_route){
		.prefix = address,
		.gateway = address,
		.port = port,
		.bits = 32,
		.kind = TR_ROUTE_VIA,
		.source = TR_SOURCE_LEARNED,
		.preference = LEARNED_PREFERENCE,
	};
}

int tr_tables_neighbor(struct tr_tables *tables, uint16_t port, uint32_t address,
	const uint8_t *mac)
{
	struct tr_route host = host_route(port, address);
	uint16_t hop = tr_hops_find(tables->hops, port, address);

	if (port >= tables->config->ports)
		return -EINVAL;
	if (!mac)
		return neighbor_unknown(tables, &host, hop);
	tr_hops_gateway(tables->hops, port, address, true);
	return neighbor_known(tables, &host, hop, mac);
}

void tr_tables_gateway(struct tr_tables *tables, uint16_t port, uint32_t address, bool usable)
{
	tr_hops_gateway(tables->hops, port, address, usable);
}

bool tr_tables_in_group(const struct tr_tables *tables, uint16_t port, uint32_t address)
{
	return tr_hops_in_group(tables->hops, port, address);
}

unsigned tr_tables_relearn(struct tr_tables *tables)
{
	unsigned done = 0;
	uint16_t hop = 0;
	struct tr_neighbor_key key;

	tables->relearn = false;
	while ((hop = tr_hops_next_neighbor(tables->hops, hop, &key))) {
		struct tr_route_change change = {.route = host_route(key.port, key.address)};
		const struct tr_route *learned = tr_rib_route(tables->rib, &change.route);
		bool is_there = learned && learned->port == key.port;

		change.add = is_connected(tables, &change.route);
		if (change.add == is_there)
			continue;
		if (tr_tables_change(tables, &change)) {
			tables->relearn = true; // again at the next poll
			break;
		}
		done++;
	}
	return done;
}
