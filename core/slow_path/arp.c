// SPDX-License-Identifier: MIT
// ARP for Ethernet and IPv4: RFC 826 with the rules of RFC 1122 2.3.2 and RFC 5227. Answers
// requests for the addresses of the very port, learns from the sender, defends own addresses
// against other stations that claim them, and makes the requests that neighbors.c decides on.
// Frames are not padded here: the NIC does that.
#include "slow_path/slow_path.h"
#include "queues/count.h"

#define DEFEND_SECONDS 10 // RFC 5227 1.1: DEFEND_INTERVAL
#define ARP_FRAME_BYTES (ETHER_HEADER_BYTES + (uint32_t)sizeof(struct arp_packet))

static const uint8_t mac_zero[ETHER_ADDRESS_BYTES];

// Fields that RFC 826 "Packet Reception" asks for, and a sender that can be a single station
// (RFC 1812 3.3.2: no group address is believed).
static bool is_valid(const struct pkt *pkt, struct arp_packet *arp)
{
	if (pkt_bytes(pkt) < ARP_FRAME_BYTES)
		return false;
	memcpy(arp, pkt_data(pkt) + ETHER_HEADER_BYTES, sizeof(*arp));
	return arp->hardware_be == be16(ARP_HARDWARE_ETHERNET) &&
		arp->protocol_be == be16(ETHER_TYPE_IPV4) &&
		arp->hardware_bytes == ETHER_ADDRESS_BYTES && arp->protocol_bytes == 4 &&
		!ether_is_group(arp->sender_mac) && !ether_equal(arp->sender_mac, mac_zero);
}

// Is the address among the port's own?
static bool is_ports_own(const struct tr_port_config *port, uint32_t address)
{
	for (uint32_t i = 0; i < port->addresses; i++) {
		if (port->address[i].address == address)
			return true;
	}
	return false;
}

// Can a station with that address be on the port's link?
static bool is_on_link(const struct tr_port_config *port, uint32_t address)
{
	for (uint32_t i = 0; i < port->addresses; i++) {
		uint32_t mask = ipv4_mask(port->address[i].bits);
		if (((port->address[i].address ^ address) & mask) != 0)
			continue;
		// RFC 3021: a /31 has no broadcast addresses, nor has a /32.
		return port->address[i].bits >= 31 ||
			((address & ~mask) != 0 && (address | mask) != ~0u);
	}
	return false;
}

static void send_arp(struct tr_slow_path *slow, uint16_t port, const uint8_t *to,
	const struct arp_packet *fields, const struct pkt *parent)
{
	const uint8_t *mac = slow->config->port[port].mac;
	struct pkt *pkt = tr_slow_make(slow, ARP_FRAME_BYTES, parent);
	struct ether_header *ether;
	struct arp_packet *arp;

	if (!pkt)
		return;
	ether = (struct ether_header *)pkt_data(pkt);
	memcpy(ether->destination, to, ETHER_ADDRESS_BYTES);
	memcpy(ether->source, mac, ETHER_ADDRESS_BYTES);
	ether->type_be = be16(ETHER_TYPE_ARP);
	arp = (struct arp_packet *)(ether + 1);
	*arp = *fields;
	arp->hardware_be = be16(ARP_HARDWARE_ETHERNET);
	arp->protocol_be = be16(ETHER_TYPE_IPV4);
	arp->hardware_bytes = ETHER_ADDRESS_BYTES;
	arp->protocol_bytes = 4;
	memcpy(arp->sender_mac, mac, ETHER_ADDRESS_BYTES);
	tr_slow_transmit(slow, pkt, port);
}

void tr_slow_arp_request(struct tr_slow_path *slow, uint16_t port, uint32_t target,
	const uint8_t *mac)
{
	struct arp_packet fields = {
		.operation_be = be16(ARP_REQUEST),
		.sender_be = be32(tr_slow_source(slow, port, target)),
		.target_be = be32(target),
	};

	send_arp(slow, port, mac ? mac : ether_broadcast, &fields, NULL);
}

void tr_slow_arp_probe(struct tr_slow_path *slow, uint16_t port, uint32_t address)
{
	struct arp_packet fields = {
		.operation_be = be16(ARP_REQUEST),
		.target_be = be32(address),
	};

	send_arp(slow, port, ether_broadcast, &fields, NULL);
}

void tr_slow_arp_announce(struct tr_slow_path *slow, uint16_t port, uint32_t address)
{
	struct arp_packet fields = {
		.operation_be = be16(ARP_REQUEST),
		.sender_be = be32(address),
		.target_be = be32(address),
	};

	send_arp(slow, port, ether_broadcast, &fields, NULL);
}

// RFC 5227 2.4 (c): a router keeps its address; one announcement at most in each interval.
static void defend(struct tr_slow_path *slow, uint16_t port, uint32_t address)
{
	uint64_t now = io_cycles(slow->core);
	struct tr_own_address *own = tr_addresses_find(slow, port, address);

	if (now < own->defend_cycles)
		return;
	own->defend_cycles = now + DEFEND_SECONDS * io_cycles_hz(slow->core);
	tr_slow_arp_announce(slow, port, address);
}

static void reply(struct tr_slow_path *slow, const struct pkt *pkt, const struct arp_packet *arp)
{
	struct arp_packet fields = {
		.operation_be = be16(ARP_REPLY),
		.sender_be = arp->target_be,
		.target_be = arp->sender_be,
	};

	memcpy(fields.target_mac, arp->sender_mac, ETHER_ADDRESS_BYTES);
	send_arp(slow, pkt_port(pkt), arp->sender_mac, &fields, pkt);
}

// The host stack resolves for itself what it sends by the twin, so it hears the answers too.
static void tell_twin(struct tr_slow_path *slow, const struct pkt *pkt)
{
	struct io_port *port = slow->io_port[pkt_port(pkt)];
	struct pkt *copy;

	if (!io_twin_present(port))
		return;
	copy = tr_slow_make(slow, pkt_bytes(pkt), pkt);
	if (!copy)
		return;
	memcpy(pkt_data(copy), pkt_data(pkt), pkt_bytes(pkt));
	if (io_twin_tx_burst(slow->core, port, &copy, 1) == 1)
		tr_count(&slow->counters.sent_twin[pkt_port(pkt)], 1);
	else
		tr_slow_drop(slow, copy, TR_DROP_TWIN_FULL);
}

void tr_slow_arp(struct tr_slow_path *slow, struct pkt *pkt)
{
	uint16_t port = pkt_port(pkt);
	const struct tr_port_config *config = &slow->config->port[port];
	uint16_t here = TR_STEP_SLOW_ARP;
	struct arp_packet arp;
	uint32_t sender;
	bool for_us;

	tr_slow_enter(slow, pkt, TR_STEP_SLOW_ARP, TR_VERDICT_LIVE);
	if (!is_valid(pkt, &arp)) {
		tr_slow_drop(slow, pkt, TR_DROP_ARP_MALFORMED);
		return;
	}
	if (ether_equal(arp.sender_mac, config->mac)) { // the link brought our own frame back
		tr_slow_drop(slow, pkt, TR_DROP_ARP_DONE);
		return;
	}
	sender = be32(arp.sender_be);
	if (is_ports_own(config, sender)) {
		defend(slow, port, sender);
		tr_slow_drop(slow, pkt, TR_DROP_ARP_CONFLICT);
		return;
	}
	if (tr_addresses_hear(slow, port, &arp)) {
		tr_slow_drop(slow, pkt, TR_DROP_ARP_CONFLICT);
		return;
	}
	for_us = is_ports_own(config, be32(arp.target_be));
	// RFC 826: an entry is updated by any ARP packet and made only by one that is for us, of a
	// station on the link: others are known only if a route by the port has had them asked for.
	// The sender of a probe has no address yet (RFC 5227 1.1).
	if (!tr_slow_is_own(slow, sender)) {
		bool may_be_new = for_us && is_on_link(config, sender);
		tr_neighbors_learn(slow, port, sender, arp.sender_mac, may_be_new);
		tr_slow_leave(slow, here);
	}
	if (for_us && arp.operation_be == be16(ARP_REQUEST))
		reply(slow, pkt, &arp);
	else if (arp.operation_be == be16(ARP_REPLY))
		tell_twin(slow, pkt);
	tr_slow_drop(slow, pkt, TR_DROP_ARP_DONE);
}
