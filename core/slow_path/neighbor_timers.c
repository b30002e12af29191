// SPDX-License-Identifier: MIT
// What time does to the neighbour table: requests again with growing gaps (RFC 1122 2.3.2.1),
// giving up, a unicast request when an entry has aged, and forgetting. Also the table as a list,
// for show. Errors sent from here are routed like any packet and may so come back into the
// table: an entry is not given up by others while something waits for it. One of several gateways
// that does not answer gets no packets, so it is asked here until it does.
#include "slow_path/neighbor_table.h"
#include <stdlib.h>

// Gaps double up to this power of the first.
#define BACKOFF_MAX 10

void tr_neighbor_ask(struct tr_slow_path *slow, struct tr_neighbor *entry)
{
	uint64_t gap = slow->neighbors->retry_cycles;

	gap <<= entry->requests < BACKOFF_MAX ? entry->requests : BACKOFF_MAX;
	entry->requests++;
	tr_neighbor_timer(slow->neighbors, entry, io_cycles(slow->core) + gap);
	tr_slow_arp_request(slow, entry->port, entry->address,
		entry->state == TR_NEIGHBOR_REFRESHING ? entry->mac : NULL);
}

// Packets go by the other gateways of their routes meanwhile.
static void ask_anew(struct tr_slow_path *slow, struct tr_neighbor *entry)
{
	tr_tables_gateway(slow->tables, entry->port, entry->address, false);
	entry->requests = 0;
	tr_neighbor_set_state(slow->neighbors, entry, TR_NEIGHBOR_INCOMPLETE);
	tr_neighbor_ask(slow, entry);
}

static void fail(struct tr_slow_path *slow, struct tr_neighbor *entry)
{
	struct tr_neighbors *neighbors = slow->neighbors;
	bool told = false;

	tr_neighbor_set_state(neighbors, entry, TR_NEIGHBOR_FAILED);
	tr_neighbor_timer(neighbors, entry, io_cycles(slow->core) + neighbors->failed_cycles);
	tr_tables_gateway(slow->tables, entry->port, entry->address, false);
	while (entry->count) {
		// RFC 1812 3.3.2: one of the packets that wait gets the error, not every one. The
		// packet leaves the queue after it, so that the entry outlives what the error does.
		if (!told)
			told = tr_slow_icmp_error(slow, entry->waiting[entry->first],
				ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, 0);
		tr_slow_drop(slow, tr_neighbor_pop(neighbors, entry), TR_DROP_NEIGHBOR_FAILED);
	}
}

static void expire(struct tr_slow_path *slow, struct tr_neighbor *entry)
{
	struct tr_neighbors *neighbors = slow->neighbors;
	bool in_group = tr_tables_in_group(slow->tables, entry->port, entry->address);

	switch (entry->state) {
	case TR_NEIGHBOR_INCOMPLETE:
		if (entry->requests < neighbors->requests_max)
			tr_neighbor_ask(slow, entry);
		else
			fail(slow, entry);
		break;
	case TR_NEIGHBOR_REACHABLE:
		entry->requests = 0;
		tr_neighbor_set_state(neighbors, entry, TR_NEIGHBOR_REFRESHING);
		tr_neighbor_ask(slow, entry);
		break;
	case TR_NEIGHBOR_REFRESHING:
		if (entry->requests < neighbors->requests_max) {
			tr_neighbor_ask(slow, entry);
			break;
		}
		tr_tables_neighbor(slow->tables, entry->port, entry->address, NULL);
		if (in_group)
			ask_anew(slow, entry);
		else
			tr_neighbor_remove(neighbors, entry);
		break;
	default:
		assert(entry->state == TR_NEIGHBOR_FAILED);
		if (in_group)
			ask_anew(slow, entry);
		else
			tr_neighbor_forget(slow, entry);
	}
}

static bool is_in_subnet(const struct tr_port_config *port, uint32_t address)
{
	for (uint32_t i = 0; i < port->addresses; i++) {
		const struct tr_port_address *own = &port->address[i];
		if (((own->address ^ address) & ipv4_mask(own->bits)) == 0)
			return true;
	}
	return false;
}

void tr_neighbors_forget(struct tr_slow_path *slow, uint16_t port,
	const struct tr_port_config *before)
{
	const struct tr_port_config *now = &slow->config->port[port];

	for (uint32_t i = 0; i < slow->neighbors->max; i++) {
		struct tr_neighbor *entry = &slow->neighbors->entry[i];
		bool is_gone =
			is_in_subnet(before, entry->address) && !is_in_subnet(now, entry->address);

		if (entry->state == TR_NEIGHBOR_FREE || entry->port != port || entry->is_static ||
			!(is_gone || tr_slow_is_own(slow, entry->address)))
			continue;
		if (entry->state == TR_NEIGHBOR_INCOMPLETE)
			fail(slow, entry);
		tr_tables_neighbor(slow->tables, port, entry->address, NULL);
		tr_neighbor_forget(slow, entry);
	}
}

unsigned tr_neighbors_tick(struct tr_slow_path *slow, uint64_t now)
{
	struct tr_neighbors *neighbors = slow->neighbors;
	unsigned handled = 0;

	slow->step = TR_STEP_SLOW_NEIGHBOR;
	slow->step_cycles = io_cycles(slow->core);
	while (tr_neighbors_deadline(neighbors) <= now) {
		expire(slow, &neighbors->entry[neighbors->heap[0]]);
		handled++;
	}
	return handled;
}

uint64_t tr_neighbors_deadline(const struct tr_neighbors *neighbors)
{
	return neighbors->timers ? neighbors->entry[neighbors->heap[0]].due_cycles : UINT64_MAX;
}

static int by_port_and_address(const void *left, const void *right)
{
	const struct tr_neighbor_info *a = left;
	const struct tr_neighbor_info *b = right;

	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

uint64_t tr_neighbors_list(const struct tr_neighbors *neighbors, struct tr_neighbor_info *out,
	uint64_t room)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < neighbors->max; i++) {
		const struct tr_neighbor *entry = &neighbors->entry[i];
		if (entry->state == TR_NEIGHBOR_FREE)
			continue;
		if (count < room) {
			out[count] = (struct tr_neighbor_info){
				.address = entry->address,
				.port = entry->port,
				.state = entry->state,
				.is_static = entry->is_static,
				.pending = (uint16_t)entry->count,
			};
			memcpy(out[count].mac, entry->mac, ETHER_ADDRESS_BYTES);
		}
		count++;
	}
	if (room)
		qsort(out, count < room ? count : room, sizeof(*out), by_port_and_address);
	return count;
}
