// SPDX-License-Identifier: MIT
// The slow path: one unit that does all that the fast path does not, slower and complete. It
// owns the tables and the neighbours, takes packets from a bounded ring of every fast-path unit,
// and routes what it generates by itself: nothing re-enters the fast path.
//
// Ownership of packets: a handler that is given a packet owns it and ends with exactly one of
// tr_slow_drop(), tr_slow_output(), tr_slow_send(), a local delivery or a neighbour's queue.
#pragma once
#include "formats/arp.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/icmp.h"
#include "formats/ipv4.h"
#include "queues/command.h"
#include "queues/distributor.h"
#include "queues/drop_log.h"
#include "queues/icmp_pause.h"
#include "router.h"
#include "slow_path/neighbors.h"
#include "slow_path/ports.h"
#include "slow_path/rate_limit.h"
#include "slow_path/reassembly.h"
#include "tables/rules.h"
#include "tables/tables.h"

struct tr_reply_options;

// Rules of the packet filter on their way to the units.
struct tr_rules_swap {
	struct tr_rules *old;    // NULL: no unit can hold any but slow->rules
	struct tr_rules *next;   // wait until then
	uint32_t unsent;         // units whose command ring was full: bit mask
	uint32_t unacknowledged; // units that may still hold the old ones
	struct tr_command command[TR_UNITS_MAX];
};

struct tr_slow_path {
	struct io_core *core;
	struct io_pool *pool;
	const struct tr_config *config; // as it is now: handlers ask this one
	struct tr_config present;       // the same, for whoever changes it
	struct tr_port *port;           // config->ports
	struct io_port **io_port;
	uint16_t index; // unit number, and its queue on every port
	uint32_t fast_units;
	struct io_ring *punt_ring[TR_UNITS_MAX]; // from each fast-path unit
	struct tr_fast_unit *unit; // over what the NICs' filters brought: checked by nobody yet
	struct tr_command_channel channel[TR_UNITS_MAX];
	struct tr_command swap_command[TR_UNITS_MAX]; // one swap is outstanding at a time
	uint32_t swap_unsent;                         // units whose command ring was full: bit mask
	struct io_ring *control_ring;                 // struct tr_control * from the control thread
	struct tr_control *control;                   // being applied, in turns
	uint64_t control_done;                        // of its routes
	struct tr_tables *tables;
	struct tr_rules *rules; // of the packet filter
	struct tr_rules_swap rules_swap;
	struct tr_neighbors *neighbors;
	struct tr_reassembly *reassembly;
	struct tr_rate_limit icmp_limit;                // of all errors
	struct tr_rate_limit kind_limit[TR_ICMP_KINDS]; // of each kind
	struct tr_group_config groups;
	struct tr_icmp_pause icmp_pause; // units read it; in no cache line that changes often
	uint8_t option_policy[256];      // enum tr_option_policy
	bool unreachables_off;
	bool prohibited_off;
	bool echo_off;
	bool icmp_extensions;
	uint8_t icmp_ttl;
	uint8_t error_tos;
	uint32_t time_exceeded_off; // ports: bit mask
	uint32_t link;              // ports with a link at the last look: bit mask
	uint32_t up;                // and not down by command
	struct tr_own_port own[TR_PORTS_MAX];
	uint64_t addresses_due_cycles; // when one of them has something to do
	uint16_t step;                 // handler at work, and since when: for the step counters
	uint64_t step_cycles;
	struct tr_distributor distributor; // emptied each turn, but for congested ports
	struct tr_counters counters;
	struct tr_drop_log drop_log;
};

// A message from the control thread: allocated by it, freed by the slow path.
struct tr_control {
	enum {
		TR_CONTROL_CHANGES,
		TR_CONTROL_CALL,
	} kind;
	tr_call_fn call; // call
	void *argument;
	uint32_t *is_done;
	bool has_settings; // changes
	struct tr_settings settings;
	uint64_t port_count;
	struct tr_port_change *port; // in this memory, behind the neighbours
	struct tr_rules *rules;      // NULL: none; the message's until the slow path takes them
	uint64_t neighbor_count;
	struct tr_neighbor_change *neighbor; // in this memory, behind the routes
	uint64_t route_count;
	struct tr_route_change route[];
};

static_assert(sizeof(struct tr_route_change) % _Alignof(struct tr_neighbor_change) == 0,
	"neighbours stand behind routes");
static_assert(sizeof(struct tr_neighbor_change) % _Alignof(struct tr_port_change) == 0,
	"ports stand behind neighbours");

void tr_control_free(struct tr_control *control); // control.c

int tr_slow_init(struct tr_slow_path *slow, const struct tr_config *config, struct io_env *env,
	struct tr_port *ports, struct io_port **io_ports);
void tr_slow_fini(struct tr_slow_path *slow);
unsigned tr_slow_poll(struct tr_slow_path *slow);
uint64_t tr_slow_deadline(const struct tr_slow_path *slow);
uint64_t tr_slow_held(const struct tr_slow_path *slow);
// Messages of the control thread that wait, and changes left of the one at hand.
uint64_t tr_slow_controls(const struct tr_slow_path *slow);

// --- handlers, each in the file of its name ------------------------------------------------------
// Packets that were punted (dispatch.c): whole Ethernet frames whose IP headers were validated.
void tr_slow_dispatch(struct tr_slow_path *slow, struct pkt *pkt);
void tr_slow_dispatch_burst(struct tr_slow_path *slow, struct pkt *const *pkts, unsigned n);
// By what the next hop says: local delivery, the forwarder, or a drop. No checks of the packet.
void tr_slow_route(struct tr_slow_path *slow, struct pkt *pkt, const struct tr_next_hop *hop);
void tr_slow_arp(struct tr_slow_path *slow, struct pkt *pkt);
// Asks for the MAC address of `target`; `mac`: the one to ask by unicast, NULL: broadcast.
void tr_slow_arp_request(struct tr_slow_path *slow, uint16_t port, uint32_t target,
	const uint8_t *mac);
// Asks whether anybody has the address (RFC 5227 2.1.1).
void tr_slow_arp_probe(struct tr_slow_path *slow, uint16_t port, uint32_t address);
// Tells everybody an own address of the port (RFC 5227 3).
void tr_slow_arp_announce(struct tr_slow_path *slow, uint16_t port, uint32_t address);
// Routes a packet with options by what they ask for, if they let it pass at all (RFC 7126).
void tr_slow_options(struct tr_slow_path *slow, struct pkt *pkt);
// For the router itself: echo request, or to the port's twin.
void tr_slow_local(struct tr_slow_path *slow, struct pkt *pkt);
// To the twin of the port by which it came, as it is.
void tr_slow_deliver(struct tr_slow_path *slow, struct pkt *pkt);
// True if the packet was an ICMP message for the slow path (and is gone), else it is for the twin.
bool tr_slow_icmp_query(struct tr_slow_path *slow, struct pkt *pkt);
// Replies go to single hosts only (RFC 1812 4.2.2.11, 4.3.3.6).
bool tr_slow_is_answerable(const struct tr_slow_path *slow, uint32_t source);
// IP header of an echo reply or of a fragment of it: `bytes` in all, `fragment` flags and offset.
void tr_slow_echo_header(const struct tr_slow_path *slow, struct ipv4_header *ip,
	const struct ipv4_header *request, const struct tr_reply_options *options, uint16_t bytes,
	uint16_t fragment);
// To a broadcast address, to a multicast group: to the host stack, on its way, both, or to rest.
void tr_slow_broadcast(struct tr_slow_path *slow, struct pkt *pkt, const struct tr_next_hop *hop);
void tr_slow_multicast(struct tr_slow_path *slow, struct pkt *pkt);
// Sends a packet of others on to a link-layer group: TTL, link and MTU, without ICMP errors.
void tr_slow_forward_group(struct tr_slow_path *slow, struct pkt *pkt, uint16_t port,
	const uint8_t *mac);
// False if a packet of others that came in by the packet's port may not leave by `port`, for one of
// the two does not forward (RFC 1812 5.3.11). TR_NO_PORT: wherever it is to go.
bool tr_slow_may_forward(const struct tr_slow_path *slow, const struct pkt *pkt, uint16_t port);
// Sends a packet of others on: TTL, MTU, neighbour, with the ICMP errors of each.
void tr_slow_forward(struct tr_slow_path *slow, struct pkt *pkt, const struct tr_next_hop *hop);
// A packet that has waited for a neighbour is routed anew.
void tr_slow_resume(struct tr_slow_path *slow, struct pkt *pkt);
// Sends an ICMP error about `pkt`, which is as it was received and stays the caller's, unless RFC
// 1812 4.3.2.7 or the rate limit forbids it: then false. `rest`, in host order, goes into octets 4
// to 7: the MTU of fragmentation needed (RFC 1191), the pointer of parameter problem, else 0.
bool tr_slow_icmp_error(struct tr_slow_path *slow, const struct pkt *pkt, uint8_t type,
	uint8_t code, uint32_t rest);
// May a message of that kind be sent now? Then it counts as sent.
bool tr_slow_icmp_may_send(struct tr_slow_path *slow, enum tr_icmp_kind kind);
void tr_slow_icmp_settings(struct tr_slow_path *slow, const struct tr_settings *settings);
// Tells the source of a packet, which is being sent to that next hop, that it could go there by
// itself, if that is so (RFC 1812 5.2.7.2). The packet stays the caller's.
void tr_slow_redirect(struct tr_slow_path *slow, const struct pkt *pkt,
	const struct tr_next_hop *hop);
// The same for a copy of a packet that the fast path has sent. Ends the copy.
void tr_slow_redirect_copy(struct tr_slow_path *slow, struct pkt *pkt);
// Sends as fragments of at most hop->mtu bytes (RFC 791 3.2). Owns the packet.
void tr_slow_fragment(struct tr_slow_path *slow, struct pkt *pkt, const struct tr_next_hop *hop,
	const uint8_t *mac);
// Routes an IP packet that the router generated (frame with an Ethernet header to be filled in).
void tr_slow_output(struct tr_slow_path *slow, struct pkt *pkt);
// An IP packet to a neighbour whose MAC address is known: fills in the Ethernet header.
void tr_slow_send(struct tr_slow_path *slow, struct pkt *pkt, uint16_t port, const uint8_t *mac);
// A complete frame into the distributor.
void tr_slow_transmit(struct tr_slow_path *slow, struct pkt *pkt, uint16_t port);
// Ends a packet under a reason.
void tr_slow_drop(struct tr_slow_path *slow, struct pkt *pkt, enum tr_drop reason);
// A new frame of so many bytes (uninitialised), counted as generated, made because of `parent` (or
// NULL). NULL without a buffer, which is counted as a packet dropped.
struct pkt *tr_slow_make(struct tr_slow_path *slow, uint32_t bytes, const struct pkt *parent);

// A copy of a received packet, counted as tr_slow_make() does.
struct pkt *tr_slow_copy(struct tr_slow_path *slow, const struct pkt *pkt);

// Step counters, cost and trace of a handler that begins. Returns the handler before it, for
// tr_slow_leave() where that one goes on.
uint16_t tr_slow_enter(struct tr_slow_path *slow, const struct pkt *pkt, enum tr_step step,
	uint16_t verdict);
void tr_slow_leave(struct tr_slow_path *slow, uint16_t before);

// By command, in the fast-path unit: the published table becomes the unit's (fast_path).
void tr_fast_switch_fib(struct tr_fast_unit *unit, void *argument);

// The packet filter's rules (filter_swap.c): those of the configuration, 0 or -errno; new ones,
// which become the slow path's own.
int tr_slow_rules_init(struct tr_slow_path *slow);
void tr_slow_rules_replace(struct tr_slow_path *slow, struct tr_rules *rules);
unsigned tr_slow_rules_send(struct tr_slow_path *slow); // commands sent
void tr_slow_rules_acknowledge(struct tr_slow_path *slow, unsigned unit);
void tr_slow_rules_free(struct tr_slow_path *slow);

// Own address to send from by that port: the one whose subnet holds `peer`, else the port's first,
// else (unnumbered, RFC 1812 4.3.2.4) the router's first; 0 if the router has none.
uint32_t tr_slow_source(const struct tr_slow_path *slow, uint16_t port, uint32_t peer);
bool tr_slow_is_own(const struct tr_slow_path *slow, uint32_t address);

static inline struct ipv4_header *slow_ip(const struct pkt *pkt)
{
	return (struct ipv4_header *)(pkt_data(pkt) + ETHER_HEADER_BYTES);
}
