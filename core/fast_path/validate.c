// SPDX-License-Identifier: MIT
// Second on the packet's way: is this frame for us, and is it a sound IPv4 packet? RFC 1812 5.2.2
// asks for five checks; what fails one is discarded silently. A packet that passes has a whole
// header inside the frame. If more of it is missing, its sender is told, by the slow path; else the
// frame ends where the packet ends.
#include "fast_path/fast_unit.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"

static bool checksum_wrong(const struct ipv4_header *ip, uint32_t header_bytes, uint8_t nic)
{
	if (nic == PKT_CHECKSUM_GOOD || nic == PKT_CHECKSUM_BAD)
		return nic == PKT_CHECKSUM_BAD;
	if (header_bytes == IPV4_HEADER_BYTES)
		return checksum_sum_header20(ip) != 0xffff;
	return tr_checksum(ip, header_bytes) != 0;
}

// The order differs from the text (the checksum is its second): the checksum can be summed only
// when version and header length are known to be sound.
static uint16_t check_ipv4(const struct ipv4_header *ip, uint32_t link_bytes, uint8_t nic)
{
	uint32_t header_bytes, total_bytes;

	if (link_bytes < IPV4_HEADER_BYTES)
		return tr_drop_verdict(TR_DROP_IP_SHORT); // RFC 1812 5.2.2 (1)
	if (ip->version_ihl >> 4 != 4)
		return tr_drop_verdict(TR_DROP_IP_VERSION); // (3)
	header_bytes = ipv4_header_bytes(ip);
	if (header_bytes < IPV4_HEADER_BYTES || header_bytes > link_bytes)
		return tr_drop_verdict(TR_DROP_IP_HEADER_LENGTH); // (4)
	total_bytes = be16(ip->total_bytes_be);
	if (total_bytes < header_bytes)
		return tr_drop_verdict(TR_DROP_IP_TOTAL_LENGTH); // (5)
	if (checksum_wrong(ip, header_bytes, nic))
		return tr_drop_verdict(TR_DROP_IP_CHECKSUM); // (2)
	if (total_bytes > link_bytes)
		return tr_punt_verdict(TR_PUNT_TRUNCATED);
	return TR_VERDICT_LIVE;
}

// RFC 1042: an 802.3 frame with an EtherType becomes one of RFC 894, and goes on as such. The MAC
// addresses move to where that type is already.
static uint16_t unwrap_snap(struct tr_batch *batch, unsigned lane)
{
	static const uint8_t snap[] = {0xaa, 0xaa, 0x03, 0, 0, 0};
	uint8_t *frame = batch->frame[lane];
	uint32_t bytes = be16(((const struct ether_header *)frame)->type_be);
	const uint8_t *header = frame + ETHER_HEADER_BYTES;
	struct pkt *pkt = batch->pkt[lane];

	if (bytes < SNAP_BYTES || ETHER_HEADER_BYTES + bytes > batch->bytes[lane] ||
		memcmp(header, snap, sizeof(snap)) != 0)
		return tr_drop_verdict(TR_DROP_LLC);
	pkt_trim(pkt, ETHER_HEADER_BYTES + bytes);
	memmove(frame + SNAP_BYTES, frame, 2 * ETHER_ADDRESS_BYTES);
	pkt_pull(pkt, SNAP_BYTES);
	batch->frame[lane] = pkt_data(pkt);
	batch->bytes[lane] = (uint16_t)pkt_bytes(pkt);
	batch->checksum[lane] = PKT_CHECKSUM_UNKNOWN; // the NIC may have seen no IP packet in it
	return TR_VERDICT_LIVE;
}

static uint16_t check_type(struct tr_batch *batch, unsigned lane)
{
	const struct ether_header *ether = (const struct ether_header *)batch->frame[lane];

	if (ether->type_be == be16(ETHER_TYPE_IPV4))
		return check_ipv4((const struct ipv4_header *)(ether + 1),
			batch->bytes[lane] - ETHER_HEADER_BYTES, batch->checksum[lane]);
	if (ether->type_be == be16(ETHER_TYPE_ARP))
		return tr_punt_verdict(TR_PUNT_ARP);
	return tr_drop_verdict(TR_DROP_ETHER_TYPE); // RFC 1812 3.3.1
}

static uint16_t check_frame(const struct tr_fast_unit *unit, struct tr_batch *batch, unsigned lane)
{
	const struct ether_header *ether = (const struct ether_header *)batch->frame[lane];
	uint16_t verdict;

	if (batch->bytes[lane] < ETHER_HEADER_BYTES)
		return tr_drop_verdict(TR_DROP_FRAME_SHORT);
	if (!ether_equal(ether->destination, unit->port[batch->port].config->mac) &&
		!ether_is_group(ether->destination))
		return tr_drop_verdict(TR_DROP_NOT_FOR_US); // RFC 1812 5.3.4
	if (be16(ether->type_be) > ETHER_LENGTH_MAX)
		return check_type(batch, lane);
	verdict = unwrap_snap(batch, lane); // RFC 1812 3.3.3
	return verdict == TR_VERDICT_LIVE ? check_type(batch, lane) : verdict;
}

// Lets the frame end where the packet ends: the link may have padded it. The packet's addresses are
// taken down for the steps to come. True for a plain lane (step.h).
static bool settle(struct tr_batch *batch, unsigned lane)
{
	const struct ether_header *ether = (const struct ether_header *)batch->frame[lane];
	const struct ipv4_header *ip = (const struct ipv4_header *)(ether + 1);
	uint32_t frame_bytes = ETHER_HEADER_BYTES + be16(ip->total_bytes_be);

	if (frame_bytes != batch->bytes[lane]) {
		pkt_trim(batch->pkt[lane], frame_bytes);
		batch->bytes[lane] = (uint16_t)frame_bytes;
	}
	batch->source[lane] = be32(ip->source_be);
	batch->destination[lane] = be32(ip->destination_be);
	return !ether_is_group(ether->destination) && ip->version_ihl == IPV4_VERSION_IHL &&
		ip->source_be != 0;
}

static struct tr_form form_of(const struct tr_port_config *port)
{
	static const uint8_t head[] = {
		ETHER_TYPE_IPV4 >> 8, ETHER_TYPE_IPV4 & 0xff, IPV4_VERSION_IHL};
	struct tr_form form = {0};

	memcpy(&form.destination, port->mac, ETHER_ADDRESS_BYTES);
	memcpy(&form.head, head, sizeof(head));
	return form;
}

// Addresses of lanes that have none do no harm.
static void prefetch_routes(const struct tr_lpm *lpm, const struct tr_batch *batch, unsigned first)
{
	unsigned lanes = batch->lanes - first < 64 ? batch->lanes - first : 64;

	tr_lpm_prefetch(lpm, &batch->destination[first], lanes);
}

void tr_validate(void *state, struct tr_batch *batch)
{
	struct tr_fast_unit *unit = state;
	const struct tr_vector_ops *vector = tr_vector_of(unit, batch);
	struct tr_form form = form_of(unit->port[batch->port].config);

	for (unsigned word = 0; word * 64 < batch->lanes; word++) {
		uint64_t plain = 0;

		if (batch->bytes_min >= ETHER_HEADER_BYTES + IPV4_HEADER_BYTES)
			plain = vector->find_plain(batch, word * 64, &form, !batch->checksums_good);
		batch->plain[word] = plain;
		if (plain)
			prefetch_routes(unit->fib->lpm, batch, word * 64);
		for (uint64_t odd = batch->live[word] & ~plain; odd; odd &= odd - 1) {
			unsigned lane = word * 64 + (unsigned)__builtin_ctzll(odd);
			uint16_t verdict = check_frame(unit, batch, lane);

			if (verdict != TR_VERDICT_LIVE)
				tr_batch_leave(batch, lane, verdict);
			else if (settle(batch, lane))
				batch->plain[word] |= odd & -odd;
		}
	}
}
