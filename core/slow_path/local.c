// SPDX-License-Identifier: MIT
// Packets for the router itself: own addresses, limited broadcast, link-local multicast. The slow
// path answers echo requests, in fragments too; everything else goes unmodified, a fragment as a
// fragment, to the host stack behind the twin of the port by which it came. Where there is none the
// router knows no protocol but ICMP, and says so.
#include "slow_path/slow_path.h"
#include "queues/count.h"

// RFC 1122 3.2.2.1: no port is open, no other protocol is there. ICMP messages that are not for the
// slow path are for nobody (RFC 1812 4.3.2.1).
static void refuse(struct tr_slow_path *slow, struct pkt *pkt)
{
	uint8_t protocol = slow_ip(pkt)->protocol;

	if (protocol == IPV4_PROTOCOL_UDP)
		tr_slow_icmp_error(slow, pkt, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0);
	else if (protocol != IPV4_PROTOCOL_ICMP)
		tr_slow_icmp_error(slow, pkt, ICMP_UNREACHABLE, ICMP_PROTOCOL_UNREACHABLE, 0);
	tr_slow_drop(slow, pkt, TR_DROP_NO_TWIN);
}

void tr_slow_deliver(struct tr_slow_path *slow, struct pkt *pkt)
{
	uint16_t port = pkt_port(pkt);

	if (!io_twin_present(slow->io_port[port])) {
		refuse(slow, pkt);
		return;
	}
	io_trace(slow->core, pkt, TR_STEP_SLOW_LOCAL, TR_VERDICT_DONE);
	if (io_twin_tx_burst(slow->core, slow->io_port[port], &pkt, 1) == 1)
		tr_count(&slow->counters.sent_twin[port], 1);
	else
		tr_slow_drop(slow, pkt, TR_DROP_TWIN_FULL);
}

void tr_slow_local(struct tr_slow_path *slow, struct pkt *pkt)
{
	assert(pkt_port(pkt) < slow->config->ports);
	tr_slow_enter(slow, pkt, TR_STEP_SLOW_LOCAL, TR_VERDICT_LIVE);
	if (slow_ip(pkt)->protocol == IPV4_PROTOCOL_ICMP) {
		if (tr_slow_icmp_query(slow, pkt))
			return;
		tr_slow_leave(slow, TR_STEP_SLOW_LOCAL);
	}
	tr_slow_deliver(slow, pkt);
}
