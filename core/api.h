// SPDX-License-Identifier: MIT
// Everything that Python may call in the core. cffi reads this very file, so it stays in cffi's
// subset: no function bodies, no attributes, plain integer macros. Addresses are IPv4 in host byte
// order unless a name ends in `_be`; times are cycles of the backend's clock unless a name says
// otherwise. Set-up and control functions return 0 or -errno.
#pragma once
#include "api_config.h"
#include <stdbool.h>
#include <stdint.h>

struct tr_step_counters {
	uint64_t calls;
	uint64_t lanes;
	uint64_t cycles;      // that it took for some of its lanes:
	uint64_t timed_lanes; // the clock is not read in every burst
};

// Counters of one unit. Written by that unit only, readable at any time without stopping it.
// received + received_twin + generated = sent + sent_twin + sum of dropped + held, where a packet
// that was answered or consumed is in `dropped` under a reason of class "consumed".
struct tr_counters {
	uint64_t received[TR_PORTS_MAX];
	uint64_t received_bytes[TR_PORTS_MAX];
	uint64_t received_twin[TR_PORTS_MAX];
	uint64_t generated;
	uint64_t sent[TR_PORTS_MAX];
	uint64_t sent_bytes[TR_PORTS_MAX];
	uint64_t sent_twin[TR_PORTS_MAX];
	uint64_t forwarded;            // packets sent on by this unit for others
	uint64_t punted[TR_PUNTS_MAX]; // to the slow path; no part of the balance
	uint64_t dropped[TR_DROPS_MAX];
	uint64_t bursts;
	uint64_t flushes_full;
	uint64_t flushes_timeout;
	uint64_t swaps;
	uint64_t rule[TR_RULES_MAX]; // packets that a rule of the filter has decided on
	struct tr_step_counters step[TR_STEPS_MAX];
};

struct tr_neighbor_info {
	uint32_t address;
	uint16_t port;
	uint8_t mac[6];
	uint8_t state; // enum tr_neighbor_state
	uint8_t is_static;
	uint16_t pending;
};

enum tr_neighbor_state {
	TR_NEIGHBOR_FREE,
	TR_NEIGHBOR_INCOMPLETE, // asked, no answer yet
	TR_NEIGHBOR_REACHABLE,
	TR_NEIGHBOR_REFRESHING, // still used, asked again by unicast
	TR_NEIGHBOR_FAILED,     // did not answer; not asked again for arp_failed_ms
};

// State of the double-buffered tables, for show and for tests.
struct tr_table_info {
	uint64_t routes;       // prefixes with at least one route
	uint64_t next_hops;    // in use
	uint64_t generation;   // swaps published
	uint64_t pending;      // changes, and messages with some, not yet in a published table
	uint64_t unwritten;    // of those, prefixes not yet in the table to publish either
	uint64_t unplaced;     // prefixes for which the table or the next hops have no room
	uint64_t lost;         // changes of routes for which there was no memory, since the start
	uint64_t hops_room;    // next hops that are free
	uint64_t blocks_room;  // further blocks of 256 addresses with prefixes longer than 24 bits
	bool swap_outstanding; // published, but not acknowledged by every unit; also filter rules
};

// A port as the slow path saw it at its last look.
struct tr_port_state {
	bool enabled; // not down by command
	bool link_up;
	bool usable; // enabled, with a link and an address: routes by it are used
	uint8_t reserved;
	uint16_t mtu;
	uint16_t addresses; // configured
	struct tr_port_address address[TR_PORT_ADDRESSES_MAX];
	uint8_t address_state[TR_PORT_ADDRESSES_MAX]; // enum tr_address_state
};

struct tr_router;

struct tr_reason_info {
	const char *name;
	const char *rfc; // section that asks for it, or ""
	const char *text;
	bool consumed; // drops: the packet was answered or used up, nothing was lost
};

// Names and texts of the tables drops.def, punts.def and steps.def; NULL above the last one.
const struct tr_reason_info *tr_drop_info(unsigned reason);
const struct tr_reason_info *tr_punt_info(unsigned reason);
const char *tr_step_name(unsigned step);

// Copies the counters of a unit; unit == fast_units is the slow path. -EINVAL: no such unit.
int tr_router_counters(const struct tr_router *router, unsigned unit, struct tr_counters *out);
// Packets inside a unit (distributor, rebatching, pending on neighbours, rings that it consumes).
// Exact only while the unit rests.
uint64_t tr_router_held(const struct tr_router *router, unsigned unit);
void tr_router_table_info(const struct tr_router *router, struct tr_table_info *out);

// A packet that was dropped, as it was then.
struct tr_drop_sample {
	uint16_t reason;
	uint16_t port;  // by which it came, TR_NO_PORT: made here
	uint16_t bytes; // of the frame
	uint16_t copied;
	uint8_t data[TR_DROP_BYTES];
};
// Which reasons (TR_DROP_WORDS words of bits) packets are sampled for from now on; at first none.
// From one thread, at any time, as the next one.
void tr_router_sample_drops(struct tr_router *router, const uint64_t *reasons);
// Takes samples, at most TR_DROP_SAMPLES of a unit wait. *missed: wanted packets of which none was
// kept, ever.
uint32_t tr_router_drop_samples(struct tr_router *router, struct tr_drop_sample *out, uint32_t room,
	uint64_t *missed);

// Checks changes against the ports (kinds, ranges, gateway on a connected subnet), fills in the
// egress port of each and puts the gateways of a route in their order. 0, or -EINVAL with the index
// in *bad and why in *what (static string).
int tr_routes_check(const struct tr_router *router, struct tr_route_change *changes, uint64_t n,
	uint64_t *bad, const char **what);

// One change of the neighbour table: `add` sets a static neighbour, otherwise it is deleted; then
// only address and port count.
struct tr_neighbor_change {
	uint32_t address;
	uint16_t port;
	uint8_t mac[6];
	bool add;
};

// What may change while the router runs; the fields are those of struct tr_config.
struct tr_settings {
	uint32_t arp_retries;
	uint32_t arp_retry_ms;
	uint32_t arp_lifetime_ms;
	uint32_t arp_failed_ms;
	uint32_t reassembly_ms;
	uint32_t icmp_errors_per_s;
	uint32_t icmp_errors_burst;
	uint8_t option_policy[256];
	struct tr_icmp_config icmp;
	struct tr_group_config groups;
	bool arp_announce;
	bool arp_probe;
};

// A port's addresses, MTU and switch; name, MAC address and the rest are what it was made with.
struct tr_port_change {
	uint16_t port;
	struct tr_port_config config;
};

// Changes that belong together: no table with a part of them is ever published.
struct tr_changes {
	const struct tr_port_change *ports;
	uint64_t port_count;
	const struct tr_route_change *routes; // checked
	uint64_t route_count;
	const struct tr_neighbor_change *neighbors;
	uint64_t neighbor_count;
	const struct tr_settings
		*settings;           // NULL: as they are; timers that run end as they were set
	const struct tr_rule *rules; // all of the packet filter; NULL: as they are
	uint64_t rule_count;
};
// Hands changes to the slow path, which makes each kind in order. Copies them. -EINVAL: no such
// port, or too many rules; -ENOSPC: the control ring is full, try again after the router has run;
// -ENOMEM.
int tr_changes_post(struct tr_router *router, const struct tr_changes *changes);

// The ports as the router was last told to have them. tr_port_stage() has routes checked against
// another configuration of a port from now on, before it is posted. -EINVAL: no such port, or no
// such number of addresses.
int tr_port_staged(const struct tr_router *router, uint16_t port, struct tr_port_config *out);
int tr_port_stage(struct tr_router *router, uint16_t port, const struct tr_port_config *config);
// At any time, from any thread. -EINVAL: no such port.
int tr_port_state_read(const struct tr_router *router, uint16_t port, struct tr_port_state *out);
// Sets usable[i] to whether row i needs no port, or can be used by its port as it is now. -ENOMEM.
int tr_routes_usable(const struct tr_router *router, const struct tr_route *routes, uint64_t n,
	bool *usable);

// Whether this processor can run the variant of struct tr_config's `vector`.
bool tr_vector_runs(const char *name);

// The rules that the packet filter goes by, in order. Returns how many there are and copies at most
// `room`. To be called while the slow path rests.
uint64_t tr_rules_read(const struct tr_router *router, struct tr_rule *out, uint64_t room);
// Best routes (or every candidate) sorted by prefix and length. Returns the number of rows and
// copies at most `room`. To be called while the slow path rests.
uint64_t tr_routes_read(const struct tr_router *router, struct tr_route *out, uint64_t room,
	bool all);
uint64_t tr_neighbors_read(const struct tr_router *router, struct tr_neighbor_info *out,
	uint64_t room);
// Looks addresses up in the active FIB, as the fast path does: kind and gateway of the next hop,
// with a row for each that packets may take now. Returns the number of rows and copies at most
// `room`. To be called while the slow path rests.
uint64_t tr_routes_lookup(const struct tr_router *router, const uint32_t *addresses, uint64_t n,
	struct tr_route *out, uint64_t room);

// Reads a route file: a route a line, `PREFIX/LEN [via GATEWAY]... [dev PORT] [mtu BYTES] [metric
// N]`, or a kind (blackhole, unreachable, prohibit) before the prefix, with a metric or without;
// '#' starts a comment. A line without a
// target takes gateways[] in turn (round robin). Returns the number of changes in *out (free with
// tr_routes_free), or -EINVAL with the 1-based line and a static text, or -ENOMEM.
int64_t tr_routes_parse(const struct tr_router *router, const char *text, uint64_t bytes,
	uint8_t source, uint8_t preference, const uint32_t *gateways, uint32_t gateway_count,
	struct tr_route_change **out, uint64_t *bad_line, const char **what);
void tr_routes_free(struct tr_route_change *changes);

// A longest-prefix-match table on its own, for its property tests and benchmarks.
struct tr_lpm;
struct tr_lpm *tr_lpm_new(const char *kind);
void tr_lpm_free(struct tr_lpm *lpm);
int tr_lpm_set(struct tr_lpm *lpm, uint32_t prefix, uint8_t bits, uint16_t hop);
int tr_lpm_clear(struct tr_lpm *lpm, uint32_t prefix, uint8_t bits, uint8_t cover_bits,
	uint16_t cover_hop);
void tr_lpm_lookup(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops, uint32_t n);
uint16_t tr_lpm_find(const struct tr_lpm *lpm, uint32_t address);
uint64_t tr_lpm_bytes(const struct tr_lpm *lpm);

// Checksum functions as the router uses them, for their property tests.
uint16_t tr_checksum(const void *data, uint32_t bytes);
uint16_t tr_checksum_ttl_decrement(uint16_t checksum_be);
