// SPDX-License-Identifier: MIT
// A port's NIC, and its twin: receive queues that overflow, the header checksum's verdict, transmit
// queues whose descriptors come free when the wire begins with their frame.
#include "env.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"
#include "router.h"
#include "rss.h"
#include "world.h"
#include <errno.h>
#include <string.h>

#define FRAME_BYTES_MIN 60 // without FCS

static uint8_t verdict(const struct pkt *pkt)
{
	const struct ether_header *ether = (const struct ether_header *)pkt->data;
	const struct ipv4_header *ip = (const struct ipv4_header *)(ether + 1);
	uint32_t header;
	bool good;

	if (pkt->bytes < sizeof(*ether) + sizeof(*ip) || ether->type_be != be16(ETHER_TYPE_IPV4))
		return PKT_CHECKSUM_UNKNOWN;
	header = ipv4_header_bytes(ip);
	if (ip->version_ihl == IPV4_VERSION_IHL) {
		good = checksum_sum_header20(ip) == 0xffff;
	} else {
		if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip) ||
			pkt->bytes < sizeof(*ether) + header)
			return PKT_CHECKSUM_UNKNOWN;
		good = tr_checksum(ip, header) == 0;
	}
	return good ? PKT_CHECKSUM_GOOD : PKT_CHECKSUM_BAD;
}

// Into a queue of the router, if there is room and a buffer.
static bool take(struct io_port *port, struct tr_fifo *queue, struct pkt *pkt)
{
	struct io_env *env = port->env;
	struct tr_world *world = env->world;

	if (queue->count >= port->config.rx_descriptors) {
		port->counters.missed++;
		tr_world_event(world, TR_PLACE_MISSED, pkt, env->id, port->id, 0);
		tr_pkt_free(world, pkt);
		return false;
	}
	if (!tr_pool_charge(&env->pool, pkt)) {
		port->counters.no_buffer++;
		tr_world_event(world, TR_PLACE_NO_BUFFER, pkt, env->id, port->id, 0);
		tr_pkt_free(world, pkt);
		return false;
	}
	pkt->rx_ps = world->now_ps;
	pkt->latency_ps = -1;
	pkt->port = port->id;
	pkt->punt = 0;
	pkt->rss = 0;
	pkt->checksum = PKT_CHECKSUM_UNKNOWN;
	if (tr_fifo_push(queue, pkt, world->now_ps))
		return true;
	tr_world_fail(world, -ENOMEM);
	tr_pkt_free(world, pkt);
	return false;
}

// As NICs' flow rules are: by EtherType and destination address, with no look at anything else.
static bool is_for_slow_path(const struct io_port *port, const struct pkt *pkt)
{
	const struct ether_header *ether = (const struct ether_header *)pkt->data;
	const struct ipv4_header *ip = (const struct ipv4_header *)(ether + 1);
	const struct tr_config *config = tr_router_config(port->env->router);

	if (pkt->bytes < sizeof(*ether))
		return false;
	if (ether->type_be != be16(ETHER_TYPE_IPV4) || pkt->bytes < sizeof(*ether) + sizeof(*ip))
		return ether->type_be == be16(ETHER_TYPE_ARP);
	for (uint32_t i = 0; i < config->ports; i++) {
		for (uint32_t k = 0; k < config->port[i].addresses; k++) {
			if (ip->destination_be == be32(config->port[i].address[k].address))
				return true;
		}
	}
	return false;
}

void tr_nic_receive(struct io_port *port, struct pkt *pkt)
{
	struct io_env *env = port->env;
	uint32_t bytes = pkt->bytes;
	uint32_t hash = 0;
	unsigned queue = 0;

	if (port->fast_units > 1)
		hash = tr_rss_frame(env->world->rss[port->config.rss_symmetric], pkt->data, bytes,
			port->fast_units, &queue);
	if (port->config.filters && is_for_slow_path(port, pkt))
		queue = port->fast_units;
	tr_world_event(env->world, TR_PLACE_ARRIVED, pkt, env->id, port->id, queue);
	if (!take(port, &port->rx[queue], pkt))
		return;
	pkt->rss = hash;
	if (port->config.checksum_verdict)
		pkt->checksum = verdict(pkt);
	port->counters.received++;
	port->counters.received_bytes += bytes;
	tr_core_wake(&env->core[queue], env->world->now_ps);
}

void tr_twin_receive(struct io_port *port, struct pkt *pkt)
{
	struct io_env *env = port->env;

	tr_world_event(env->world, TR_PLACE_TWIN_IN, pkt, env->id, port->id, 0);
	if (take(port, &port->twin_rx, pkt))
		tr_core_wake(&env->core[env->units - 1], env->world->now_ps);
}

unsigned tr_nic_rx(struct io_core *io, struct tr_fifo *queue, struct pkt **pkts, unsigned n)
{
	if (n > queue->count)
		n = queue->count;
	for (unsigned i = 0; i < n; i++)
		pkts[i] = tr_fifo_pop(queue);
	io->moves += n;
	return n;
}

// A NIC fills short frames up to what Ethernet asks for.
static void pad(struct pkt *pkt)
{
	uint8_t frame[FRAME_BYTES_MIN] = {0};

	if (pkt->bytes >= FRAME_BYTES_MIN)
		return;
	memcpy(frame, pkt->data, pkt->bytes);
	if ((size_t)(pkt->buffer + pkt->room - pkt->data) < FRAME_BYTES_MIN)
		pkt->data = pkt->buffer;
	pkt->bytes = FRAME_BYTES_MIN;
	pkt_fence(pkt);
	memcpy(pkt->data, frame, FRAME_BYTES_MIN);
}

unsigned tr_nic_tx(struct io_core *io, struct io_port *port, uint16_t queue, struct pkt **pkts,
	unsigned n)
{
	uint64_t ps = tr_core_ps(tr_core_of(io));

	if (!port->wire)
		return 0;
	n = tr_wire_room(port->wire, queue, port->config.tx_descriptors, n, ps);
	for (unsigned i = 0; i < n; i++) {
		pad(pkts[i]);
		tr_wire_queue(port->wire, queue, pkts[i], ps);
	}
	if (n)
		tr_wire_kick(port->wire);
	io->moves += n;
	return n;
}

unsigned tr_twin_tx(struct io_core *io, struct io_port *port, struct pkt **pkts, unsigned n)
{
	uint64_t ps = tr_core_ps(tr_core_of(io));
	struct io_env *env = port->env;

	if (!port->twin_wire)
		return 0;
	n = tr_wire_room(port->twin_wire, 0, port->config.tx_descriptors, n, ps);
	for (unsigned i = 0; i < n; i++) {
		tr_world_event_at(env->world, ps, TR_PLACE_TWIN_OUT, pkts[i], env->id, port->id, 0);
		tr_wire_queue(port->twin_wire, 0, pkts[i], ps);
	}
	if (n)
		tr_wire_kick(port->twin_wire);
	io->moves += n;
	return n;
}
