// SPDX-License-Identifier: MIT
// The neighbour table: where a packet waits while its next hop's MAC address is asked for, and
// what tells the tables that the fast path may send to that neighbour from now on. A hash of
// entries that were all made at start. An entry is INCOMPLETE, then REACHABLE, REFRESHING and
// REACHABLE again, or FAILED and gone; neighbor_timers.c has the moves that time makes.
#include "slow_path/neighbor_table.h"
#include <errno.h>
#include <stdlib.h>

static uint64_t to_cycles(uint64_t hz, uint32_t ms)
{
	return hz / 1000 * ms + hz % 1000 * ms / 1000;
}

static uint32_t power_of_two(uint32_t least)
{
	uint32_t size = 1;

	while (size < least)
		size *= 2;
	return size;
}

struct tr_neighbors *tr_neighbors_new(const struct tr_config *config, uint64_t hz)
{
	struct tr_neighbors *neighbors = calloc(1, sizeof(*neighbors));
	uint32_t max = config->neighbors_max;

	if (!neighbors)
		return NULL;
	neighbors->max = max;
	neighbors->pending = config->neighbor_pending;
	tr_neighbors_settings(neighbors,
		&(struct tr_settings){
			.arp_retries = config->arp_retries,
			.arp_retry_ms = config->arp_retry_ms,
			.arp_lifetime_ms = config->arp_lifetime_ms,
			.arp_failed_ms = config->arp_failed_ms,
		},
		hz);
	neighbors->bucket_mask = power_of_two(max) - 1;
	neighbors->bucket = malloc((neighbors->bucket_mask + 1ul) * sizeof(*neighbors->bucket));
	neighbors->heap = calloc(max + 1ul, sizeof(*neighbors->heap));
	neighbors->entry = calloc(max + 1ul, sizeof(*neighbors->entry));
	neighbors->waiting = calloc((uint64_t)max * neighbors->pending + 1, sizeof(struct pkt *));
	if (!neighbors->bucket || !neighbors->heap || !neighbors->entry || !neighbors->waiting) {
		tr_neighbors_free(neighbors);
		errno = ENOMEM;
		return NULL;
	}
	memset(neighbors->bucket, 0xff, (neighbors->bucket_mask + 1ul) * sizeof(uint32_t));
	neighbors->free = max ? 0 : NEIGHBOR_NONE;
	for (uint32_t i = 0; i < max; i++) {
		struct tr_neighbor *entry = &neighbors->entry[i];
		entry->next = i + 1 < max ? i + 1 : NEIGHBOR_NONE;
		entry->timer = NEIGHBOR_NONE;
		entry->waiting = neighbors->waiting + (uint64_t)i * neighbors->pending;
	}
	return neighbors;
}

void tr_neighbors_settings(struct tr_neighbors *neighbors, const struct tr_settings *settings,
	uint64_t hz)
{
	neighbors->requests_max = settings->arp_retries;
	neighbors->retry_cycles = to_cycles(hz, settings->arp_retry_ms);
	neighbors->lifetime_cycles = to_cycles(hz, settings->arp_lifetime_ms);
	neighbors->failed_cycles = to_cycles(hz, settings->arp_failed_ms);
}

void tr_neighbors_free(struct tr_neighbors *neighbors)
{
	if (!neighbors)
		return;
	for (uint32_t i = 0; neighbors->entry && neighbors->waiting && i < neighbors->max; i++) {
		while (neighbors->entry[i].count) {
			struct pkt *pkt = tr_neighbor_pop(neighbors, &neighbors->entry[i]);
			pkt_free_bulk(&pkt, 1);
		}
	}
	free(neighbors->bucket);
	free(neighbors->heap);
	free(neighbors->entry);
	free(neighbors->waiting);
	free(neighbors);
}

static uint32_t *bucket_of(const struct tr_neighbors *neighbors, uint16_t port, uint32_t address)
{
	uint32_t hash = (address ^ ((uint32_t)port << 24)) * 0x9e3779b1u; // Fibonacci hashing

	return &neighbors->bucket[(hash >> 12) & neighbors->bucket_mask];
}

static struct tr_neighbor *lookup(const struct tr_neighbors *neighbors, uint16_t port,
	uint32_t address)
{
	uint32_t i = *bucket_of(neighbors, port, address);

	for (; i != NEIGHBOR_NONE; i = neighbors->entry[i].next) {
		struct tr_neighbor *entry = &neighbors->entry[i];
		if (entry->address == address && entry->port == port)
			return entry;
	}
	return NULL;
}

void tr_neighbor_set_state(struct tr_neighbors *neighbors, struct tr_neighbor *entry,
	enum tr_neighbor_state state)
{
	neighbors->failed -= entry->state == TR_NEIGHBOR_FAILED;
	neighbors->failed += state == TR_NEIGHBOR_FAILED;
	entry->state = (uint8_t)state;
}

void tr_neighbor_remove(struct tr_neighbors *neighbors, struct tr_neighbor *entry)
{
	uint32_t number = (uint32_t)(entry - neighbors->entry);
	uint32_t *link = bucket_of(neighbors, entry->port, entry->address);

	assert(entry->state != TR_NEIGHBOR_FREE && entry->count == 0);
	while (*link != number)
		link = &neighbors->entry[*link].next;
	*link = entry->next;
	tr_neighbor_timer(neighbors, entry, UINT64_MAX);
	tr_neighbor_set_state(neighbors, entry, TR_NEIGHBOR_FREE);
	entry->next = neighbors->free;
	neighbors->free = number;
}

void tr_neighbor_forget(struct tr_slow_path *slow, struct tr_neighbor *entry)
{
	tr_tables_gateway(slow->tables, entry->port, entry->address, true);
	tr_neighbor_remove(slow->neighbors, entry);
}

// Gives up an unreachable neighbour, if there is one that nothing is being done with.
static void evict(struct tr_slow_path *slow)
{
	struct tr_neighbors *neighbors = slow->neighbors;

	for (uint32_t i = 0; neighbors->failed && i < neighbors->max; i++) {
		struct tr_neighbor *entry = &neighbors->entry[neighbors->evicted];
		neighbors->evicted = (neighbors->evicted + 1) % neighbors->max;
		if (entry->state == TR_NEIGHBOR_FAILED && entry->count == 0) {
			tr_neighbor_forget(slow, entry);
			return;
		}
	}
}

// A new entry, INCOMPLETE and without a timer; NULL: the table is full.
static struct tr_neighbor *create(struct tr_slow_path *slow, uint16_t port, uint32_t address)
{
	struct tr_neighbors *neighbors = slow->neighbors;
	uint32_t *bucket = bucket_of(neighbors, port, address);
	struct tr_neighbor *entry;
	uint32_t number;

	if (neighbors->free == NEIGHBOR_NONE)
		evict(slow);
	number = neighbors->free;
	if (number == NEIGHBOR_NONE)
		return NULL;
	entry = &neighbors->entry[number];
	neighbors->free = entry->next;
	*entry = (struct tr_neighbor){
		.address = address,
		.port = port,
		.state = TR_NEIGHBOR_INCOMPLETE,
		.next = *bucket,
		.timer = NEIGHBOR_NONE,
		.waiting = entry->waiting,
	};
	*bucket = number;
	return entry;
}

const uint8_t *tr_neighbors_find(const struct tr_neighbors *neighbors, uint16_t port,
	uint32_t address)
{
	const struct tr_neighbor *entry = lookup(neighbors, port, address);

	if (entry &&
		(entry->state == TR_NEIGHBOR_REACHABLE || entry->state == TR_NEIGHBOR_REFRESHING))
		return entry->mac;
	return NULL;
}

struct pkt *tr_neighbor_pop(struct tr_neighbors *neighbors, struct tr_neighbor *entry)
{
	struct pkt *pkt = entry->waiting[entry->first];

	assert(entry->count > 0);
	entry->first = (entry->first + 1) % neighbors->pending;
	entry->count--;
	neighbors->held--;
	return pkt;
}

// RFC 1122 2.3.2.2: the latest packets are kept.
static void push(struct tr_slow_path *slow, struct tr_neighbor *entry, struct pkt *pkt)
{
	struct tr_neighbors *neighbors = slow->neighbors;

	if (neighbors->pending == 0) {
		tr_slow_drop(slow, pkt, TR_DROP_NEIGHBOR_QUEUE_FULL);
		return;
	}
	if (entry->count == neighbors->pending)
		tr_slow_drop(slow, tr_neighbor_pop(neighbors, entry), TR_DROP_NEIGHBOR_QUEUE_FULL);
	entry->waiting[(entry->first + entry->count) % neighbors->pending] = pkt;
	entry->count++;
	neighbors->held++;
}

// Nobody can answer to these addresses, and the tables know better than to send there.
static bool is_neighbor(const struct tr_slow_path *slow, uint16_t port, uint32_t address)
{
	const struct tr_port_config *config = &slow->config->port[port];

	for (uint32_t i = 0; i < config->addresses; i++) {
		uint32_t mask = ipv4_mask(config->address[i].bits);
		if (config->address[i].bits < 31 &&
			((config->address[i].address ^ address) & mask) == 0 &&
			((address & ~mask) == 0 || (address | mask) == ~0u))
			return false;
	}
	return ipv4_is_unicast(address) && !tr_slow_is_own(slow, address);
}

// RFC 1812 4.3.3.1: host unreachable, of a neighbour that does not answer. A route that has come by
// it since then may have other gateways.
static void refuse(struct tr_slow_path *slow, struct pkt *pkt, uint16_t port, uint32_t address)
{
	tr_tables_gateway(slow->tables, port, address, false);
	tr_slow_icmp_error(slow, pkt, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, 0);
	tr_slow_drop(slow, pkt, TR_DROP_NEIGHBOR_FAILED);
}

void tr_neighbors_wait(struct tr_slow_path *slow, struct pkt *pkt, uint16_t port, uint32_t address)
{
	struct tr_neighbor *entry = lookup(slow->neighbors, port, address);
	bool is_new = !entry;

	tr_slow_enter(slow, pkt, TR_STEP_SLOW_NEIGHBOR, TR_VERDICT_LIVE);
	if ((entry && entry->state == TR_NEIGHBOR_FAILED) ||
		(!entry && !is_neighbor(slow, port, address))) {
		refuse(slow, pkt, port, address);
		return;
	}
	if (is_new)
		entry = create(slow, port, address);
	if (!entry) {
		tr_slow_drop(slow, pkt, TR_DROP_NEIGHBOR_TABLE_FULL);
		return;
	}
	assert(entry->state == TR_NEIGHBOR_INCOMPLETE);
	push(slow, entry, pkt);
	if (is_new)
		tr_neighbor_ask(slow, entry);
}

// The MAC address is known now: the tables are told, and what waits is routed anew.
static void resolve(struct tr_slow_path *slow, struct tr_neighbor *entry, const uint8_t *mac)
{
	struct tr_neighbors *neighbors = slow->neighbors;
	bool was_known =
		entry->state == TR_NEIGHBOR_REACHABLE || entry->state == TR_NEIGHBOR_REFRESHING;
	bool changed = !was_known || !ether_equal(entry->mac, mac);
	uint64_t due = UINT64_MAX;

	memcpy(entry->mac, mac, ETHER_ADDRESS_BYTES);
	entry->requests = 0;
	tr_neighbor_set_state(neighbors, entry, TR_NEIGHBOR_REACHABLE);
	if (!entry->is_static && neighbors->lifetime_cycles)
		due = io_cycles(slow->core) + neighbors->lifetime_cycles;
	tr_neighbor_timer(neighbors, entry, due);
	// Without room in the tables the neighbour stays usable here, in the slow path.
	if (changed)
		tr_tables_neighbor(slow->tables, entry->port, entry->address, mac);
	while (entry->count)
		tr_slow_resume(slow, tr_neighbor_pop(neighbors, entry));
}

void tr_neighbors_learn(struct tr_slow_path *slow, uint16_t port, uint32_t address,
	const uint8_t *mac, bool create_it)
{
	struct tr_neighbor *entry = lookup(slow->neighbors, port, address);

	if (!entry && create_it)
		entry = create(slow, port, address);
	if (entry && !entry->is_static)
		resolve(slow, entry, mac);
}

void tr_neighbors_set(struct tr_slow_path *slow, uint16_t port, uint32_t address,
	const uint8_t *mac)
{
	struct tr_neighbor *entry = lookup(slow->neighbors, port, address);

	if (mac) {
		if (!entry)
			entry = create(slow, port, address);
		if (!entry)
			return;
		entry->is_static = true;
		resolve(slow, entry, mac);
	} else if (entry && entry->is_static) {
		tr_tables_neighbor(slow->tables, port, address, NULL);
		tr_neighbor_remove(slow->neighbors, entry);
	}
}

uint64_t tr_neighbors_held(const struct tr_neighbors *neighbors)
{
	return neighbors->held;
}
