// SPDX-License-Identifier: MIT
// What must hold after any input (bed.h): every packet is accounted for, every buffer is free,
// every learned thing forgotten, what left was fit to be sent, and the router still works.
#include "bed.h"
#include "formats/arp.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"
#include <stdlib.h>
#include <string.h>

#define QUIET_US 60000000 // longer than any timer of the bed
#define SHORT_US 100000
#define SECOND_PS 1000000000000
#define FRAME_BYTES 60
#define NEIGHBORS_MAX 64
#define LOST_GATEWAY 0x0a0300fd
#define H1 0x0a010002
#define R1 0x0a010001
#define A1 0xc6120001

static void add(const struct tr_counters *from, uint64_t *came, uint64_t *left)
{
	*came += from->generated;
	for (unsigned i = 0; i < BED_PORTS; i++) {
		*came += from->received[i] + from->received_twin[i];
		*left += from->sent[i] + from->sent_twin[i];
	}
	for (unsigned i = 0; i < TR_DROPS_MAX; i++)
		*left += from->dropped[i];
}

static void check_balance(const struct bed *bed)
{
	struct tr_counters counters;
	uint64_t came = 0, left = 0, received = 0;

	for (unsigned unit = 0; tr_router_counters(bed->router, unit, &counters) == 0; unit++) {
		if (tr_router_held(bed->router, unit))
			bed_fail(bed, "a unit holds packets");
		add(&counters, &came, &left);
		for (unsigned i = 0; i < BED_PORTS; i++)
			received += counters.received[i];
	}
	if (came != left)
		bed_fail(bed, "packets are not conserved");
	for (unsigned i = 0; i < BED_PORTS; i++) {
		struct tr_nic_counters nic;

		tr_nic_counters(bed->world, 0, i, &nic);
		received -= nic.received;
	}
	if (received)
		bed_fail(bed, "the NICs and the core received different numbers of frames");
}

// One of several gateways is asked as long as it does not answer, and who answers for itself is
// remembered.
static bool may_stay(const struct bed *bed, const struct tr_neighbor_info *neighbor)
{
	return neighbor->is_static || neighbor->address == LOST_GATEWAY ||
		(bed->kind == BED_SPLIT && (neighbor->address & 0xff) == BED_STATION);
}

static void check_memory(const struct bed *bed)
{
	struct tr_neighbor_info neighbor[NEIGHBORS_MAX];
	uint64_t n = tr_neighbors_read(bed->router, neighbor, NEIGHBORS_MAX), learned = 0;
	struct tr_table_info info;

	if (n > NEIGHBORS_MAX)
		bed_fail(bed, "the neighbour table has too many entries");
	for (uint64_t i = 0; i < n; i++) {
		if (!may_stay(bed, &neighbor[i]))
			bed_fail(bed, "the neighbour table does not forget");
		learned += !neighbor[i].is_static &&
			(neighbor[i].state == TR_NEIGHBOR_REACHABLE ||
				neighbor[i].state == TR_NEIGHBOR_REFRESHING);
	}
	tr_router_table_info(bed->router, &info);
	if (info.routes != bed->routes + learned || info.pending || info.swap_outstanding ||
		info.unplaced)
		bed_fail(bed, "frames have changed the routes");
}

void bed_check_quiet(struct bed *bed)
{
	for (unsigned i = 0; i < BED_PORTS; i++)
		tr_link_set_up(bed->world, bed->link[i], true);
	bed_run_us(bed, QUIET_US);
	// A gateway that does not answer is asked for ever: such a request may be out.
	if (tr_world_in_flight(bed->world) &&
		tr_world_run(bed->world, tr_world_now_ps(bed->world) + SECOND_PS, true) !=
			TR_RUN_IDLE)
		bed_fail(bed, "packets are held when every timer has run out");
	check_balance(bed);
	check_memory(bed);
}

// --- what left -----------------------------------------------------------------------------------
static void check_frame(const struct bed *bed, unsigned port, const uint8_t *frame, uint32_t bytes)
{
	const struct ether_header *ether = (const struct ether_header *)frame;
	const struct ipv4_header *ip = (const struct ipv4_header *)(ether + 1);
	uint32_t header, total;

	if (bytes < FRAME_BYTES)
		bed_fail(bed, "a frame left that is too short");
	if (!ether_equal(ether->source, bed_mac(port)))
		bed_fail(bed, "a frame left that bears another MAC address");
	if (ether->type_be == be16(ETHER_TYPE_ARP))
		return;
	if (ether->type_be != be16(ETHER_TYPE_IPV4))
		bed_fail(bed, "a frame left of an unknown type");
	header = ipv4_header_bytes(ip);
	total = be16(ip->total_bytes_be);
	if (ip->version_ihl >> 4 != 4 || header < IPV4_HEADER_BYTES || total < header ||
		ETHER_HEADER_BYTES + total > bytes || tr_checksum(ip, header) != 0)
		bed_fail(bed, "a packet left with a bad header");
	if (total > bed_mtu(bed, port))
		bed_fail(bed, "a packet left that is longer than the MTU");
	if (ip->ttl == 0)
		bed_fail(bed, "a packet left whose time was over");
}

void bed_check_sent(struct bed *bed)
{
	for (unsigned i = 0; i < BED_PORTS; i++) {
		struct tr_frames out;

		tr_station_received(bed->world, bed->station[i], &out);
		// A host stack may send what it likes.
		for (uint64_t n = 0; n < out.count && bed->kind != BED_TWINS; n++)
			check_frame(bed, i, out.data + out.offset[n], out.bytes[n]);
		tr_station_clear(bed->world, bed->station[i]);
	}
}

// --- still at work -------------------------------------------------------------------------------
static void make_good(uint8_t *frame, uint32_t destination, uint8_t protocol)
{
	struct ether_header *ether = (struct ether_header *)frame;
	struct ipv4_header *ip = (struct ipv4_header *)(ether + 1);
	uint8_t *body = (uint8_t *)(ip + 1);

	memset(frame, 0, FRAME_BYTES);
	memcpy(ether->destination, bed_mac(0), ETHER_ADDRESS_BYTES);
	memcpy(ether->source, (uint8_t[]){2, 0, 0, 0, 1, 2}, ETHER_ADDRESS_BYTES);
	ether->type_be = be16(ETHER_TYPE_IPV4);
	*ip = (struct ipv4_header){
		.version_ihl = IPV4_VERSION_IHL,
		.total_bytes_be = be16(FRAME_BYTES - ETHER_HEADER_BYTES),
		.ttl = 64,
		.protocol = protocol,
		.source_be = be32(H1),
		.destination_be = be32(destination),
	};
	ip->checksum_be = tr_checksum(ip, IPV4_HEADER_BYTES);
	if (protocol != IPV4_PROTOCOL_ICMP)
		return;
	body[0] = 8; // echo request; its checksum, of zeros but for this byte
	body[2] = 0xf7;
	body[3] = 0xff;
}

// Whether a frame is the only one but ARP that left by the port.
static bool is_only(const struct bed *bed, unsigned port, const uint8_t *frame)
{
	struct tr_frames out;
	unsigned found = 0;

	tr_station_received(bed->world, bed->station[port], &out);
	for (uint64_t n = 0; n < out.count; n++) {
		const uint8_t *sent = out.data + out.offset[n];

		if (((const struct ether_header *)sent)->type_be == be16(ETHER_TYPE_ARP))
			continue;
		if (out.bytes[n] != FRAME_BYTES || memcmp(sent, frame, FRAME_BYTES) != 0)
			return false;
		found++;
	}
	return found == 1;
}

static void clear(struct bed *bed)
{
	for (unsigned i = 0; i < BED_PORTS; i++)
		tr_station_clear(bed->world, bed->station[i]);
}

void bed_check_works(struct bed *bed)
{
	uint8_t frame[FRAME_BYTES];
	struct ether_header *ether = (struct ether_header *)frame;
	struct ipv4_header *ip = (struct ipv4_header *)(ether + 1);
	struct tr_frames out;

	clear(bed);
	make_good(frame, A1, IPV4_PROTOCOL_UDP);
	bed_send(bed, bed->station[0], frame, FRAME_BYTES);
	bed_run_us(bed, SHORT_US);
	memcpy(ether->destination, (uint8_t[]){2, 0, 0, 0, 2, 254}, ETHER_ADDRESS_BYTES);
	memcpy(ether->source, bed_mac(1), ETHER_ADDRESS_BYTES);
	ip->ttl--;
	ip->checksum_be = 0;
	ip->checksum_be = tr_checksum(ip, IPV4_HEADER_BYTES);
	if (!is_only(bed, 1, frame))
		bed_fail(bed, "a good packet is not forwarded as it should be");
	make_good(frame, R1, IPV4_PROTOCOL_ICMP);
	bed_send(bed, bed->station[0], frame, FRAME_BYTES);
	bed_run_us(bed, SHORT_US);
	tr_station_received(bed->world, bed->station[0], &out);
	// Where there is a host stack the ping is its own affair.
	if (bed->kind != BED_TWINS && out.count == 0)
		bed_fail(bed, "a ping is not answered");
	clear(bed);
}
