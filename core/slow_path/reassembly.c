// SPDX-License-Identifier: MIT
// The reassembly table (reassembly.h). Datagrams stand in the order of their age, which is the
// order in which their time ends, since it is the same for all (RFC 1122 3.3.2: not the TTL). A
// source that takes more than its share loses its own oldest datagram, a full table the oldest of
// all: whoever is quick gets through while somebody else lets his datagrams rot. Datagrams whose
// fragments overlap are dropped whole, as no sender makes them (RFC 1858 3.2, RFC 5722 for IPv6).
#include "slow_path/reassembly.h"
#include "slow_path/slow_path.h"
#include <errno.h>
#include <stdlib.h>

#define DATAGRAMS_MAX 256
#define SHARES 4 // a source holds at most this part of all fragments

#define ECN_MASK 3
#define ECN_NOT_CAPABLE_SEEN 1 // 1 << codepoint
#define ECN_CONGESTED_SEEN 8

struct datagram {
	uint32_t source;
	uint32_t destination;
	uint16_t id_be;
	uint8_t ecn;        // codepoints seen: bit mask
	uint32_t fragments; // in the list
	uint32_t bytes;     // data octets in them
	uint32_t end;       // data octets of the whole, 0: the last fragment is not there yet
	uint64_t since_cycles;
	struct tr_fragment *first;
};

struct tr_reassembly {
	uint64_t timeout_cycles;
	uint32_t used; // datagrams
	uint32_t share;
	uint64_t held;
	struct tr_fragment *free;
	struct tr_fragment *fragment;           // all of them
	struct datagram *by_age[DATAGRAMS_MAX]; // oldest first; those from `used` on are free
	struct datagram datagram[DATAGRAMS_MAX];
};

struct tr_reassembly *tr_reassembly_new(const struct tr_config *config, uint64_t hz)
{
	struct tr_reassembly *reassembly = calloc(1, sizeof(*reassembly));
	uint32_t most = config->reassembly_fragments;

	if (!reassembly)
		return NULL;
	reassembly->fragment = calloc(most + 1ul, sizeof(*reassembly->fragment));
	if (!reassembly->fragment) {
		free(reassembly);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i < most; i++) {
		reassembly->fragment[i].next = reassembly->free;
		reassembly->free = &reassembly->fragment[i];
	}
	for (uint32_t i = 0; i < DATAGRAMS_MAX; i++)
		reassembly->by_age[i] = &reassembly->datagram[i];
	reassembly->share = most / SHARES;
	tr_reassembly_settings(reassembly,
		&(struct tr_settings){.reassembly_ms = config->reassembly_ms}, hz);
	return reassembly;
}

void tr_reassembly_settings(struct tr_reassembly *reassembly, const struct tr_settings *settings,
	uint64_t hz)
{
	reassembly->timeout_cycles =
		hz / 1000 * settings->reassembly_ms + hz % 1000 * settings->reassembly_ms / 1000;
}

void tr_reassembly_free(struct tr_reassembly *reassembly)
{
	if (!reassembly)
		return;
	for (uint32_t i = 0; i < reassembly->used; i++) {
		struct tr_fragment *at = reassembly->by_age[i]->first;
		for (; at; at = at->next)
			pkt_free_bulk(&at->pkt, 1);
	}
	free(reassembly->fragment);
	free(reassembly);
}

// --- what a fragment covers, in octets of the datagram's data ------------------------------------

static uint32_t first_of(const struct pkt *pkt)
{
	return (be16(slow_ip(pkt)->fragment_be) & IPV4_OFFSET_MASK) * 8u;
}

static uint32_t bytes_of(const struct pkt *pkt)
{
	return be16(slow_ip(pkt)->total_bytes_be) - ipv4_header_bytes(slow_ip(pkt));
}

static uint32_t end_of(const struct pkt *pkt)
{
	return first_of(pkt) + bytes_of(pkt);
}

static bool is_last(const struct pkt *pkt)
{
	return !(slow_ip(pkt)->fragment_be & be16(IPV4_MF));
}

// --- datagrams -----------------------------------------------------------------------------------

// Takes the datagram at that place of the order out of the table. Its packets are the caller's
// until its list is given back.
static struct datagram *take_out(struct tr_reassembly *reassembly, uint32_t place)
{
	struct datagram *datagram = reassembly->by_age[place];

	assert(place < reassembly->used);
	reassembly->used--;
	reassembly->held -= datagram->fragments;
	memmove(&reassembly->by_age[place], &reassembly->by_age[place + 1],
		(reassembly->used - place) * sizeof(datagram));
	reassembly->by_age[reassembly->used] = datagram;
	return datagram;
}

static void give_back(struct tr_reassembly *reassembly, struct tr_fragment *list)
{
	while (list) {
		struct tr_fragment *next = list->next;
		list->next = reassembly->free;
		reassembly->free = list;
		list = next;
	}
}

static void drop_datagram(struct tr_slow_path *slow, uint32_t place, enum tr_drop reason)
{
	struct datagram *datagram = take_out(slow->reassembly, place);

	for (struct tr_fragment *at = datagram->first; at; at = at->next)
		tr_slow_drop(slow, at->pkt, reason);
	give_back(slow->reassembly, datagram->first);
}

// Place of the fragment's datagram in the order; `used` if it has none yet.
static uint32_t place_of(const struct tr_reassembly *reassembly, const struct ipv4_header *ip)
{
	uint32_t place = 0;

	for (; place < reassembly->used; place++) {
		const struct datagram *one = reassembly->by_age[place];
		if (one->id_be == ip->id_be && one->source == ip->source_be &&
			one->destination == ip->destination_be)
			break;
	}
	return place;
}

static void make_room(struct tr_slow_path *slow, uint32_t source)
{
	struct tr_reassembly *reassembly = slow->reassembly;
	uint32_t oldest = reassembly->used;
	uint32_t fragments = 0;

	for (uint32_t place = reassembly->used; place-- > 0;) {
		if (reassembly->by_age[place]->source != source)
			continue;
		fragments += reassembly->by_age[place]->fragments;
		oldest = place;
	}
	if (fragments && fragments >= reassembly->share)
		drop_datagram(slow, oldest, TR_DROP_REASSEMBLY_FULL);
	else if (!reassembly->free || reassembly->used == DATAGRAMS_MAX)
		drop_datagram(slow, 0, TR_DROP_REASSEMBLY_FULL);
}

// Puts the fragment into the list: TR_DROP_COUNT, or why it cannot be.
static enum tr_drop insert(struct tr_reassembly *reassembly, struct datagram *datagram,
	struct pkt *pkt)
{
	uint32_t first = first_of(pkt), end = end_of(pkt);
	struct tr_fragment **link = &datagram->first;
	struct tr_fragment *fragment;
	uint32_t before = 0;

	for (; *link && first_of((*link)->pkt) < first; link = &(*link)->next)
		before = end_of((*link)->pkt);
	if (*link && first_of((*link)->pkt) == first && end_of((*link)->pkt) == end &&
		is_last((*link)->pkt) == is_last(pkt))
		return TR_DROP_FRAGMENT_DUPLICATE;
	if (before > first || (*link && first_of((*link)->pkt) < end))
		return TR_DROP_FRAGMENT_OVERLAP;
	// Nothing is behind the last one, and there is only one.
	if ((datagram->end && end > datagram->end) || (is_last(pkt) && (*link || datagram->end)))
		return TR_DROP_FRAGMENT_OVERLAP;
	fragment = reassembly->free;
	reassembly->free = fragment->next;
	*fragment = (struct tr_fragment){.next = *link, .pkt = pkt};
	*link = fragment;
	if (is_last(pkt))
		datagram->end = end;
	datagram->fragments++;
	datagram->bytes += end - first;
	datagram->ecn |= (uint8_t)(1u << (slow_ip(pkt)->dscp_ecn & ECN_MASK));
	reassembly->held++;
	return TR_DROP_COUNT;
}

static void whole(struct tr_slow_path *slow, uint32_t place)
{
	struct datagram *datagram = slow->reassembly->by_age[place];

	// RFC 3168 5.3: a mark on a packet that cannot be marked is no sign of congestion.
	if (datagram->ecn & ECN_NOT_CAPABLE_SEEN && datagram->ecn & ECN_CONGESTED_SEEN) {
		drop_datagram(slow, place, TR_DROP_FRAGMENT_ECN);
		return;
	}
	take_out(slow->reassembly, place);
	tr_slow_icmp_whole(slow, datagram->first);
	give_back(slow->reassembly, datagram->first);
}

// TR_DROP_COUNT, or what is wrong with the fragment by itself.
static enum tr_drop check(const struct pkt *pkt)
{
	if (bytes_of(pkt) == 0 || (!is_last(pkt) && bytes_of(pkt) % 8 != 0))
		return TR_DROP_FRAGMENT_LENGTH;
	if (IPV4_HEADER_BYTES + end_of(pkt) > UINT16_MAX)
		return TR_DROP_FRAGMENT_BEYOND;
	return TR_DROP_COUNT;
}

void tr_slow_reassemble(struct tr_slow_path *slow, struct pkt *pkt)
{
	struct tr_reassembly *reassembly = slow->reassembly;
	const struct ipv4_header *ip = slow_ip(pkt);
	struct datagram *datagram;
	enum tr_drop reason = check(pkt);
	uint32_t place;

	tr_slow_enter(slow, pkt, TR_STEP_SLOW_REASSEMBLY, TR_VERDICT_LIVE);
	if (reason != TR_DROP_COUNT) {
		tr_slow_drop(slow, pkt, reason);
		return;
	}
	make_room(slow, ip->source_be);
	place = place_of(reassembly, ip);
	datagram = reassembly->by_age[place];
	if (place == reassembly->used) {
		reassembly->used++;
		*datagram = (struct datagram){
			.source = ip->source_be,
			.destination = ip->destination_be,
			.id_be = ip->id_be,
			.since_cycles = io_cycles(slow->core),
		};
	}
	reason = insert(reassembly, datagram, pkt);
	if (reason != TR_DROP_COUNT)
		tr_slow_drop(slow, pkt, reason);
	if (reason == TR_DROP_FRAGMENT_OVERLAP)
		drop_datagram(slow, place, reason);
	else if (datagram->bytes == datagram->end)
		whole(slow, place);
}

// RFC 1122 3.3.2: the sender is told if its first fragment came, and only then.
static void expire(struct tr_slow_path *slow)
{
	const struct pkt *first = slow->reassembly->by_age[0]->first->pkt;

	if (first_of(first) == 0)
		tr_slow_icmp_error(slow, first, ICMP_TIME_EXCEEDED, ICMP_REASSEMBLY_TIME, 0);
	drop_datagram(slow, 0, TR_DROP_REASSEMBLY_TIMEOUT);
}

unsigned tr_reassembly_tick(struct tr_slow_path *slow, uint64_t now)
{
	unsigned expired = 0;

	slow->step = TR_STEP_SLOW_REASSEMBLY;
	slow->step_cycles = io_cycles(slow->core);
	for (; tr_reassembly_deadline(slow->reassembly) <= now; expired++)
		expire(slow);
	return expired;
}

uint64_t tr_reassembly_deadline(const struct tr_reassembly *reassembly)
{
	if (!reassembly->used)
		return UINT64_MAX;
	return reassembly->by_age[0]->since_cycles + reassembly->timeout_cycles;
}

uint64_t tr_reassembly_held(const struct tr_reassembly *reassembly)
{
	return reassembly->held;
}
