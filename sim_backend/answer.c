// SPDX-License-Identifier: MIT
// What a station answers by itself: ARP requests (RFC 826) for its own address or for all of its
// subnet, and echo requests (RFC 1122 3.2.2.6). The answer leaves at once, as far as the wire
// allows.
#include "formats/arp.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/icmp.h"
#include "formats/ipv4.h"
#include "pool.h"
#include "station.h"
#include "wire.h"
#include "world.h"
#include <errno.h>
#include <string.h>

static bool is_for(const struct tr_station *station, const uint8_t *mac)
{
	return ether_equal(mac, station->config.mac) || ether_equal(mac, ether_broadcast);
}

static void send(struct tr_station *station, struct pkt *answer)
{
	struct tr_world *world = station->world;

	if (!station->wire) {
		tr_pkt_free(world, answer);
		return;
	}
	if (!tr_fifo_push(&station->source.answers, answer, world->now_ps)) {
		tr_world_fail(world, -ENOMEM);
		tr_pkt_free(world, answer);
		return;
	}
	tr_wire_kick(station->wire);
}

static bool has_address(const struct tr_station *station, uint32_t target, uint32_t asker)
{
	const struct tr_station_config *config = &station->config;

	if (config->arp == TR_STATION_OWN)
		return config->address && target == config->address;
	if (config->arp == TR_STATION_SUBNET)
		return target != asker &&
			((target ^ config->address) & ipv4_mask(config->bits)) == 0;
	return false;
}

static bool answer_arp(struct tr_station *station, const struct pkt *pkt)
{
	const struct ether_header *ether = (const struct ether_header *)pkt->data;
	const struct arp_packet *arp = (const struct arp_packet *)(ether + 1);
	struct {
		struct ether_header ether;
		struct arp_packet arp;
	} __attribute__((packed)) reply;
	struct pkt *answer;

	if (pkt->bytes < sizeof(reply) || arp->hardware_be != be16(ARP_HARDWARE_ETHERNET) ||
		arp->protocol_be != be16(ETHER_TYPE_IPV4) || arp->hardware_bytes != 6 ||
		arp->protocol_bytes != 4 || arp->operation_be != be16(ARP_REQUEST))
		return false;
	if (!has_address(station, be32(arp->target_be), be32(arp->sender_be)))
		return false;
	if (tr_rng_chance(&station->rng, station->config.silent_ppm))
		return true;
	reply.arp = *arp;
	reply.arp.operation_be = be16(ARP_REPLY);
	memcpy(reply.arp.sender_mac, station->config.mac, ETHER_ADDRESS_BYTES);
	reply.arp.sender_be = arp->target_be;
	memcpy(reply.arp.target_mac, arp->sender_mac, ETHER_ADDRESS_BYTES);
	reply.arp.target_be = arp->sender_be;
	memcpy(reply.ether.destination, arp->sender_mac, ETHER_ADDRESS_BYTES);
	memcpy(reply.ether.source, station->config.mac, ETHER_ADDRESS_BYTES);
	reply.ether.type_be = be16(ETHER_TYPE_ARP);
	answer = tr_pkt_copy(station->world, (const uint8_t *)&reply, sizeof(reply));
	if (answer)
		send(station, answer);
	return true;
}

// A whole, unfragmented echo request to the station with right checksums.
static bool is_echo_request(const struct tr_station *station, const struct pkt *pkt)
{
	const struct ether_header *ether = (const struct ether_header *)pkt->data;
	const struct ipv4_header *ip = (const struct ipv4_header *)(ether + 1);
	uint32_t header, total;

	if (pkt->bytes < sizeof(*ether) + sizeof(*ip) || ip->version_ihl >> 4 != 4)
		return false;
	header = ipv4_header_bytes(ip);
	total = be16(ip->total_bytes_be);
	if (header < sizeof(*ip) || total < header + sizeof(struct icmp_header) ||
		pkt->bytes < sizeof(*ether) + total)
		return false;
	if (be32(ip->destination_be) != station->config.address ||
		ip->protocol != IPV4_PROTOCOL_ICMP ||
		be16(ip->fragment_be) & (IPV4_MF | IPV4_OFFSET_MASK))
		return false;
	return ((const uint8_t *)ip)[header] == ICMP_ECHO_REQUEST && tr_checksum(ip, header) == 0 &&
		tr_checksum((const uint8_t *)ip + header, total - header) == 0;
}

static bool answer_echo(struct tr_station *station, const struct pkt *pkt)
{
	const struct ether_header *request_ether = (const struct ether_header *)pkt->data;
	const struct ipv4_header *request = (const struct ipv4_header *)(request_ether + 1);
	struct ether_header *ether;
	struct ipv4_header *ip;
	struct icmp_header *icmp;
	uint32_t header, bytes;
	struct pkt *answer;

	if (!is_echo_request(station, pkt))
		return false;
	header = ipv4_header_bytes(request);
	bytes = be16(request->total_bytes_be) - header;
	answer = tr_pkt_new(station->world);
	if (!answer)
		return true;
	// The request's options stay behind.
	ether = (struct ether_header *)pkt_append(answer,
		(uint32_t)(sizeof(*ether) + sizeof(*ip)) + bytes);
	if (!ether) {
		tr_pkt_free(station->world, answer);
		return true;
	}
	ip = (struct ipv4_header *)(ether + 1);
	icmp = (struct icmp_header *)(ip + 1);
	memcpy(ether->destination, request_ether->source, ETHER_ADDRESS_BYTES);
	memcpy(ether->source, station->config.mac, ETHER_ADDRESS_BYTES);
	ether->type_be = be16(ETHER_TYPE_IPV4);
	*ip = (struct ipv4_header){
		.version_ihl = IPV4_VERSION_IHL,
		.dscp_ecn = request->dscp_ecn,
		.total_bytes_be = be16((uint16_t)(sizeof(*ip) + bytes)),
		.id_be = request->id_be,
		.ttl = IPV4_TTL_DEFAULT,
		.protocol = IPV4_PROTOCOL_ICMP,
		.source_be = request->destination_be,
		.destination_be = request->source_be,
	};
	ip->checksum_be = tr_checksum(ip, sizeof(*ip));
	memcpy(icmp, (const uint8_t *)request + header, bytes);
	icmp->type = ICMP_ECHO_REPLY;
	icmp->checksum_be = 0;
	icmp->checksum_be = tr_checksum(icmp, bytes);
	send(station, answer);
	return true;
}

bool tr_station_answer(struct tr_station *station, const struct pkt *pkt)
{
	const struct ether_header *ether = (const struct ether_header *)pkt->data;

	if (station->config.arp == TR_STATION_SILENT && !station->config.echo)
		return false;
	if (pkt->bytes < sizeof(*ether) || !is_for(station, ether->destination))
		return false;
	if (ether->type_be == be16(ETHER_TYPE_ARP))
		return answer_arp(station, pkt);
	return station->config.echo && station->config.address &&
		ether->type_be == be16(ETHER_TYPE_IPV4) && answer_echo(station, pkt);
}
