// SPDX-License-Identifier: MIT
// Everything that Python may call in the core. cffi reads this very file, so it stays in cffi's
// subset: no function bodies, no attributes, plain integer macros. Addresses are IPv4 in host byte
// order unless a name ends in `_be`; times are cycles of the backend's clock unless a name says
// otherwise. Set-up and control functions return 0 or -errno.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define TR_BATCH_MAX 512
#define TR_PORTS_MAX 32
#define TR_UNITS_MAX 17
#define TR_STEPS_MAX 32
#define TR_DROPS_MAX 96
#define TR_PUNTS_MAX 32
#define TR_PORT_ADDRESSES_MAX 16
#define TR_GROUPS_MAX 256
#define TR_MULTICAST_ROUTES_MAX 256
#define TR_PATHS_MAX 16
#define TR_ROUTE_ROWS_MAX 17
#define TR_MARTIANS_MAX 256
#define TR_RULES_MAX 256
#define TR_RULE_ANY 0xffff
#define TR_NO_PORT 0xffff

// How a pipeline keeps the lanes that leave it (Emmerich et al. 2017, section 4).
enum tr_scatter {
	TR_SCATTER_DROP_OUT,
	TR_SCATTER_MASKS,
	TR_SCATTER_SPLIT,
};

// What a route does with a packet. TR_ROUTE_VIA needs port and gateway, TR_ROUTE_CONNECTED and
// TR_ROUTE_LOCAL a port; the others stand alone. A route with several gateways (RFC 2991) or an MTU
// of its own is several rows of an array: TR_ROUTE_VIA, TR_ROUTE_MORE for each further gateway, of
// TR_PATHS_MAX at most, then TR_ROUTE_MTU with the bytes of an IP packet in the place of a gateway.
// Inside the tables, and never seen outside, it is one of kind TR_ROUTE_GROUP.
enum tr_route_kind {
	TR_ROUTE_NONE,
	TR_ROUTE_VIA,
	TR_ROUTE_CONNECTED,
	TR_ROUTE_LOCAL,
	TR_ROUTE_BROADCAST,
	TR_ROUTE_MULTICAST,
	TR_ROUTE_BLACKHOLE,
	TR_ROUTE_UNREACHABLE,
	TR_ROUTE_PROHIBIT,
	TR_ROUTE_MARTIAN,
	TR_ROUTE_MORE,
	TR_ROUTE_MTU,
	TR_ROUTE_GROUP,
};

// Where a route comes from. The lowest preference of a prefix wins; equal preferences are decided
// by the lowest source, and equal sources by the lowest metric.
enum tr_route_source {
	TR_SOURCE_BUILTIN,
	TR_SOURCE_PORT,
	TR_SOURCE_CONFIG,
	TR_SOURCE_API,
	TR_SOURCE_KERNEL,
	TR_SOURCE_LEARNED,
	TR_SOURCE_COUNT,
};

struct tr_route {
	uint32_t prefix;    // host order, no bit set below the prefix length
	uint32_t gateway;   // TR_ROUTE_VIA, MORE: the neighbour to send to
	uint16_t port;      // egress port, TR_NO_PORT: found from the gateway
	uint8_t bits;       // prefix length, 0..32
	uint8_t kind;       // enum tr_route_kind
	uint8_t source;     // enum tr_route_source
	uint8_t preference; // lower wins
	uint16_t metric;    // tells routes of one source to one prefix apart; lower wins
};

// One change of the routing table: `add` adds or replaces the route of (prefix, bits, source,
// metric), otherwise it is deleted; then only these four count.
struct tr_route_change {
	struct tr_route route;
	bool add;
};

// What becomes of a packet with an IP option (RFC 7126): it goes on as if the option were not
// there, it is dropped, or the option does what it is for, where the router knows that.
enum tr_option_policy {
	TR_OPTION_IGNORE,
	TR_OPTION_DROP,
	TR_OPTION_PROCESS,
};

struct tr_port_address {
	uint32_t address;
	uint8_t bits;
};

// Which sources a port takes packets from, by the routes that lead to them (RFC 3704).
enum tr_urpf {
	TR_URPF_OFF,
	TR_URPF_STRICT,           // the best route leaves by this port
	TR_URPF_FEASIBLE,         // some route of the same prefix leaves by this port
	TR_URPF_LOOSE,            // there is a route
	TR_URPF_LOOSE_NO_DEFAULT, // there is one, and not the default route
};

struct tr_port_config {
	char name[16];
	uint8_t mac[6];
	uint16_t mtu;   // bytes of the IP packet
	bool redirects; // are sent by it (RFC 1812 5.2.7.2)
	bool disabled;  // down by command, whatever its link
	uint32_t addresses;
	struct tr_port_address address[TR_PORT_ADDRESSES_MAX];
	uint8_t urpf;        // enum tr_urpf
	bool forwarding_off; // takes packets for the router only, and sends none of others
};

struct tr_prefix {
	uint32_t prefix; // host order, no bit set below the prefix length
	uint8_t bits;
};

enum tr_rule_action {
	TR_RULE_PERMIT,
	TR_RULE_DROP,
	TR_RULE_REJECT, // drop, and tell the source: ICMP 3/13
};

// A rule of the packet filter: what a packet must be like, and what is done with it. The first rule
// that fits decides; a packet that none fits may pass.
struct tr_rule {
	uint32_t ports;  // ingress ports: bit mask
	uint32_t source; // no bit set that is not in the mask
	uint32_t source_mask;
	uint32_t destination;
	uint32_t destination_mask;
	uint16_t protocol;  // TR_RULE_ANY: every one
	uint16_t icmp_type; // TR_RULE_ANY: every one
	bool by_ports;      // source and destination port, each from min to max
	uint8_t tcp_mask;   // 0: flags do not matter; else only for TCP
	uint8_t tcp_flags;  // what those of the mask are
	uint8_t action;     // enum tr_rule_action
	uint16_t source_port_min;
	uint16_t source_port_max;
	uint16_t destination_port_min;
	uint16_t destination_port_max;
	uint16_t counter; // index of its counter, below TR_RULES_MAX
	bool fresh;       // its counter begins at 0 when the unit begins to judge by it
};

// An own address that was added to a running router (RFC 5227 2.1).
enum tr_address_state {
	TR_ADDRESS_PROBING, // not used: it is asked whether somebody else has it
	TR_ADDRESS_IN_USE,
	TR_ADDRESS_CONFLICT, // not used: somebody else has it
};

// ICMP messages that have a limit of their own, besides the one of all errors (RFC 1812 4.3.2.8).
enum tr_icmp_kind {
	TR_ICMP_UNREACHABLE,
	TR_ICMP_TIME_EXCEEDED,
	TR_ICMP_PARAMETER_PROBLEM,
	TR_ICMP_REDIRECT,
	TR_ICMP_ECHO_REPLY,
};
#define TR_ICMP_KINDS 5

struct tr_icmp_limit {
	uint32_t per_s; // 0: no limit
	uint32_t burst;
};

struct tr_icmp_config {
	bool unreachables_off;      // but fragmentation needed, without which no path MTU is found
	bool prohibited_off;        // code 13 of them (RFC 1812 5.2.7.1)
	bool echo_off;              // requests are not answered (RFC 1812 4.3.3.6)
	uint8_t ttl;                // of messages; 0: 64 (RFC 1812 4.2.2.9)
	uint8_t dscp;               // of errors (RFC 1812 4.3.2.5)
	uint32_t time_exceeded_off; // about what came by these ports: bit mask (RFC 1812 5.2.7.3)
	struct tr_icmp_limit limit[TR_ICMP_KINDS];
};

// A multicast group, and the ports that have joined it.
struct tr_group {
	uint32_t group;
	uint32_t ports; // bit mask
};

// Packets of a source to a group that come by a port, and where copies of them go.
struct tr_multicast_route {
	uint32_t source; // 0: any that has no route of its own
	uint32_t group;
	uint32_t to; // ports: bit mask
	uint16_t from;
	uint16_t reserved;
};

// What ports do with packets to more than one station.
struct tr_group_config {
	uint32_t receive_directed; // ports whose subnets' broadcasts are received: bit mask
	uint32_t forward_directed; // and forwarded (RFC 2644)
	uint8_t ttl_threshold[TR_PORTS_MAX]; // a multicast leaves by a port with a TTL above it
	uint32_t groups;
	struct tr_group group[TR_GROUPS_MAX]; // each once
	uint32_t routes;
	struct tr_multicast_route route[TR_MULTICAST_ROUTES_MAX];
};

struct tr_config {
	uint32_t ports;
	struct tr_port_config port[TR_PORTS_MAX];
	uint32_t fast_units;      // 1..TR_UNITS_MAX-1; the slow path is one unit more
	uint32_t burst;           // packets a receive call takes at most, 1..TR_BATCH_MAX
	uint32_t scatter;         // enum tr_scatter
	bool rebatch;             // TR_SCATTER_SPLIT: refill split batches from later bursts
	uint64_t rebatch_cycles;  // how long a split batch waits for more packets
	uint32_t tx_buffer;       // packets a distributor queue collects, 1..TR_BATCH_MAX
	uint64_t tx_flush_cycles; // how long it waits for them
	uint64_t hash_seed;       // of the choice between a route's gateways
	uint32_t punt_ring;     // packets between a fast-path unit and the slow path, power of two
	uint32_t neighbors_max; // entries of the neighbour table
	uint32_t neighbor_pending; // packets that wait for one neighbour
	uint32_t arp_retries;      // requests before a neighbour counts as unreachable
	uint32_t arp_retry_ms;     // between the first two; doubles with each (RFC 1122 2.3.2.1)
	uint32_t arp_lifetime_ms;  // age at which an entry is refreshed by unicast requests
	uint32_t arp_failed_ms;    // how long an unreachable neighbour is not asked again
	bool arp_announce;      // own addresses are announced when their port comes up (RFC 5227)
	bool arp_probe;         // an address that is added later is probed before it is used
	uint32_t reassembly_ms; // how long a datagram may stay incomplete (RFC 1122 3.3.2)
	uint32_t reassembly_fragments; // held for that; a source at most a quarter of them
	uint32_t icmp_errors_per_s;    // 0: no limit (RFC 1812 4.3.2.8)
	uint32_t icmp_errors_burst;
	uint8_t option_policy[256]; // by option type: enum tr_option_policy
	struct tr_icmp_config icmp;
	struct tr_group_config groups;
	// Martians beside those that no configuration can make valid: a route of the same prefix or
	// a longer one wins over them.
	uint32_t martians;
	struct tr_prefix martian[TR_MARTIANS_MAX];
	uint32_t rules; // of the packet filter, to begin with
	struct tr_rule rule[TR_RULES_MAX];
};

struct tr_step_counters {
	uint64_t calls;
	uint64_t lanes;
	uint64_t cycles;
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
	uint64_t pending;      // changes not yet in a published table
	uint64_t unplaced;     // prefixes for which the table or the next hops have no room
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
int tr_routes_post(struct tr_router *router, const struct tr_route_change *routes, uint64_t n);

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
uint64_t tr_lpm_bytes(const struct tr_lpm *lpm);

// Checksum functions as the router uses them, for their property tests.
uint16_t tr_checksum(const void *data, uint32_t bytes);
uint16_t tr_checksum_ttl_decrement(uint16_t checksum_be);
