// SPDX-License-Identifier: MIT
// Ends of a packet's way through the slow path: into the distributor, or to rest under a reason.
// Also the making of the packets that the router sends of its own, and the own addresses that they
// carry. What the slow path sends never meets the fast path again.
#include "slow_path/slow_path.h"
#include "queues/count.h"

struct pkt *tr_slow_make(struct tr_slow_path *slow, uint32_t bytes, const struct pkt *parent)
{
	struct pkt *pkt;

	tr_count(&slow->counters.generated, 1);
	if (pkt_alloc_bulk(slow->pool, &pkt, 1) != 0)
		goto none;
	if (!pkt_append(pkt, bytes)) {
		pkt_free_bulk(&pkt, 1);
		goto none;
	}
	if (parent)
		pkt_inherit(pkt, parent);
	return pkt;
none:
	tr_count(&slow->counters.dropped[TR_DROP_NO_BUFFER], 1);
	return NULL;
}

void tr_slow_drop(struct tr_slow_path *slow, struct pkt *pkt, enum tr_drop reason)
{
	tr_count(&slow->counters.dropped[reason], 1);
	tr_drop_log(&slow->drop_log, pkt, reason);
	io_trace(slow->core, pkt, slow->step, tr_drop_verdict(reason));
	pkt_free_bulk(&pkt, 1);
}

void tr_slow_transmit(struct tr_slow_path *slow, struct pkt *pkt, uint16_t port)
{
	uint16_t bytes = (uint16_t)pkt_bytes(pkt);
	uint16_t before;

	assert(port < slow->config->ports);
	before = tr_slow_enter(slow, pkt, TR_STEP_SLOW_TRANSMIT, TR_VERDICT_DONE);
	tr_distributor_send(&slow->distributor, port, &pkt, &bytes, 1);
	tr_slow_leave(slow, before);
}

void tr_slow_send(struct tr_slow_path *slow, struct pkt *pkt, uint16_t port, const uint8_t *mac)
{
	struct ether_header *ether = (struct ether_header *)pkt_data(pkt);

	memcpy(ether->destination, mac, ETHER_ADDRESS_BYTES);
	memcpy(ether->source, slow->config->port[port].mac, ETHER_ADDRESS_BYTES);
	ether->type_be = be16(ETHER_TYPE_IPV4);
	tr_slow_transmit(slow, pkt, port);
}

uint32_t tr_slow_source(const struct tr_slow_path *slow, uint16_t port, uint32_t peer)
{
	const struct tr_port_config *config = &slow->config->port[port];

	for (uint32_t i = 0; i < config->addresses; i++) {
		const struct tr_port_address *own = &config->address[i];
		if (((own->address ^ peer) & ipv4_mask(own->bits)) == 0)
			return own->address;
	}
	if (config->addresses)
		return config->address[0].address;
	for (uint32_t i = 0; i < slow->config->ports; i++) {
		if (slow->config->port[i].addresses)
			return slow->config->port[i].address[0].address;
	}
	return 0;
}

bool tr_slow_is_own(const struct tr_slow_path *slow, uint32_t address)
{
	for (uint32_t i = 0; i < slow->config->ports; i++) {
		const struct tr_port_config *port = &slow->config->port[i];
		for (uint32_t j = 0; j < port->addresses; j++) {
			if (port->address[j].address == address)
				return true;
		}
	}
	return false;
}
