// SPDX-License-Identifier: MIT
// What a router is made from: ports, routes, the packet filter, limits and policies. Part of api.h,
// and read by cffi as that is, with the same rules.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define TR_BATCH_MAX 512
#define TR_PORTS_MAX 32
#define TR_UNITS_MAX 17
#define TR_STEPS_MAX 32
#define TR_DROPS_MAX 96
#define TR_DROP_WORDS 2    // of 64 bits, for all reasons
#define TR_DROP_SAMPLES 64 // a unit keeps at most
#define TR_DROP_BYTES 80   // Ethernet, an IP header with all options, ports
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

// What routes are looked up in: one read of a big table, or several of one that fits into a cache.
enum tr_lpm_kind {
	TR_LPM_DIR24_8,
	TR_LPM_COMPACT,
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
	bool extensions;            // errors say by which port the packet came (RFC 4884, RFC 5837)
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
	char vector[16];          // variant of the fast path's inner loops; "": the fastest
	uint32_t lpm;             // enum tr_lpm_kind
	bool rebatch;             // TR_SCATTER_SPLIT: refill split batches from later bursts
	uint64_t rebatch_cycles;  // how long a split batch waits for more packets
	uint32_t tx_buffer;       // packets a distributor queue collects, 1..TR_BATCH_MAX, but
				  // half as many that come together do not wait
	uint64_t tx_flush_cycles; // how long it waits for them
	uint64_t hash_seed;       // of the choice between a route's gateways
	uint8_t priority[64];     // of a DSCP, 0..7: at a congested port the highest goes first
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
