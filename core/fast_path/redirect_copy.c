// SPDX-License-Identifier: MIT
// A packet that leaves by the port it came in by may deserve a redirect (RFC 1812 5.2.7.2). It is
// forwarded all the same and in its order; a copy of as much as an ICMP error quotes goes to the
// slow path, which decides. Copies are made while the unit has tokens, as many as redirects may
// leave: a router with one port loses nothing, and one whose port sends no redirects asks nothing.
#include "fast_path/fast_unit.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"
#include "queues/count.h"

#define COPY_BYTES_MAX (ETHER_HEADER_BYTES + 576) // RFC 1812 4.3.2.3: no error is longer

void tr_redirect_copies_init(struct tr_redirect_copies *copies, const struct tr_config *config,
	struct io_env *env, uint64_t hz)
{
	const struct tr_icmp_limit *limit = &config->icmp.limit[TR_ICMP_REDIRECT];

	copies->pool = tr_io_pool(env);
	tr_rate_limit_init(&copies->limit, hz, limit->per_s, limit->burst);
	for (uint32_t i = 0; i < config->ports; i++) {
		if (config->port[i].redirects)
			copies->ports |= 1u << i;
	}
}

static bool is_on_link(const struct tr_port_config *port, uint32_t address)
{
	for (uint32_t i = 0; i < port->addresses; i++) {
		if (((port->address[i].address ^ address) & ipv4_mask(port->address[i].bits)) == 0)
			return true;
	}
	return false;
}

// The packet has been made ready to leave: of that its TTL is undone.
static void write_copy(struct pkt *copy, uint8_t *to, const struct pkt *pkt, uint32_t bytes)
{
	struct ipv4_header *ip = (struct ipv4_header *)(to + ETHER_HEADER_BYTES);

	memcpy(to, pkt_data(pkt), bytes);
	ip->ttl++;
	ip->checksum_be = 0;
	ip->checksum_be = tr_checksum(ip, IPV4_HEADER_BYTES);
	pkt_set_port(copy, pkt_port(pkt));
	pkt_inherit(copy, pkt);
}

void tr_redirect_copy(struct tr_fast_unit *unit, const struct pkt *pkt, uint16_t port)
{
	struct tr_redirect_copies *copies = &unit->redirect_copies;
	const struct ipv4_header *ip =
		(const struct ipv4_header *)(pkt_data(pkt) + ETHER_HEADER_BYTES);
	uint64_t now = unit->stopwatch.since_cycles; // the clock was read when the step began
	uint32_t bytes = pkt_bytes(pkt) < COPY_BYTES_MAX ? pkt_bytes(pkt) : COPY_BYTES_MAX;
	struct pkt *copy;
	uint8_t *to;

	if (!tr_rate_limit_has(&copies->limit, now) ||
		!is_on_link(unit->port[port].config, be32(ip->source_be)))
		return;
	if (pkt_alloc_bulk(copies->pool, &copy, 1) != 0)
		return;
	to = pkt_append(copy, bytes);
	if (!to) {
		pkt_free_bulk(&copy, 1);
		return;
	}
	write_copy(copy, to, pkt, bytes);
	tr_rate_limit_take(&copies->limit, now);
	tr_count(&unit->counters.generated, 1);
	copies->verdict[copies->count] = tr_punt_verdict(TR_PUNT_REDIRECT);
	copies->pkt[copies->count++] = copy;
}

void tr_redirect_hand_over(struct tr_fast_unit *unit)
{
	struct tr_redirect_copies *copies = &unit->redirect_copies;
	uint32_t count = copies->count;

	copies->count = 0;
	tr_hand_over(unit, copies->pkt, copies->verdict, count);
}
