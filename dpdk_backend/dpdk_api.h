// SPDX-License-Identifier: MIT
// Everything that Python may call in the DPDK backend; cffi reads this file after core/api.h.
// EAL is started once a process; an engine (struct io_env) is one router on ports of it. Set-up
// functions return 0 or -errno, makers NULL, and then leave one line in error[TR_DPDK_TEXT]. One
// control thread at a time calls the functions of an engine.
#pragma once
#include "api.h"

#define TR_DPDK_TEXT 512
#define TR_DPDK_DEVICE 256
#define TR_DPDK_PATH 256
#define TR_DPDK_ANY_CPU -1

// `prefix`: a second process with the same one is refused. `verbose`: DPDK's log goes to stderr.
int tr_eal_start(int argc, char **argv, const char *prefix, bool verbose, char *error);
// Once all engines are freed. EAL cannot start again in this process.
void tr_eal_stop(void);
const char *tr_dpdk_version(void);

// --- engines -------------------------------------------------------------------------------------
struct tr_dpdk_port_config {
	char device[TR_DPDK_DEVICE]; // PCI address, vdev arguments, or the name of a port of EAL's
	uint16_t rx_descriptors;
	uint16_t tx_descriptors;
	bool keep_mac; // the device's own MAC address replaces the configuration's
	bool twin;
	char twin_name[16];
	char twin_netns[TR_DPDK_PATH]; // path of a network namespace, "": the process's own
};

struct tr_dpdk_config {
	struct tr_config config;
	struct tr_dpdk_port_config port[TR_PORTS_MAX];
	uint32_t buffers; // of each NUMA node that has ports
};

struct tr_dpdk_port_info {
	char device[64];
	char driver[64];
	uint8_t mac[6];
	uint16_t mtu;
	int32_t numa_node;  // -1: none
	uint16_t rx_queues; // the filters' one included
	uint16_t tx_queues;
	bool tx_shared; // too few transmit queues: units share the last one
	bool rss;
	bool checksum;    // the NIC checks IPv4 header checksums
	bool filters;     // the NIC picks out what is for the slow path; else software does
	bool promiscuous; // no other way to get frames for the port's MAC address
	bool twin;
	bool link_up;
	uint32_t link_mbps;   // 0: unknown
	char filters_why[64]; // why there are no filters
};

struct tr_dpdk_nic_counters {
	uint64_t received;
	uint64_t received_bytes;
	uint64_t missed; // receive queue full
	uint64_t errors;
	uint64_t no_buffer;
	uint64_t chained; // dropped: in several buffers that did not fit into one
	uint64_t sent;
	uint64_t sent_bytes;
	uint64_t send_errors;
};

struct tr_dpdk_unit_info {
	int32_t cpu;          // TR_DPDK_ANY_CPU: wherever the kernel runs it
	bool yields;          // gives its processor away while there is nothing to do
	uint64_t turns;       // of its loop
	uint64_t idle;        // turns that found nothing
	uint64_t events_lost; // of the trace: its ring was full
};

struct io_env;

// Opens the devices, sets them up, makes the router. Addresses of NICs that are kept are in the
// router's configuration afterwards.
struct io_env *tr_engine_new(const struct tr_dpdk_config *config, char *error);
void tr_engine_free(struct io_env *engine); // stops it first
struct tr_router *tr_engine_router(const struct io_env *engine);
// Runs every unit on a thread, unit i on cpu[i] (the slow path last). yields[i]: the unit shares
// its processor with others.
int tr_engine_start(struct io_env *engine, const int32_t *cpu, const bool *yields, char *error);
// Stops receiving, lets the units send what they hold for at most drain_ms, stops them. Returns
// the packets that are still held.
uint64_t tr_engine_stop(struct io_env *engine, uint32_t drain_ms);
bool tr_engine_is_running(const struct io_env *engine);
// While no unit runs: has each make one turn, so that the slow path takes its messages.
void tr_engine_turn(struct io_env *engine);

int tr_engine_port_info(const struct io_env *engine, uint32_t port, struct tr_dpdk_port_info *out);
int tr_engine_nic_counters(const struct io_env *engine, uint32_t port,
	struct tr_dpdk_nic_counters *out);
// Has the device of a port take packets of that MTU. -errno with a line in error: it cannot.
int tr_engine_fit_mtu(struct io_env *engine, uint32_t port, uint16_t mtu, char *error);
int tr_engine_unit_info(const struct io_env *engine, uint32_t unit, struct tr_dpdk_unit_info *out);
// The units' clock.
uint64_t tr_dpdk_cycles(void);
uint64_t tr_dpdk_hz(void);

// What api.h allows only while the slow path rests, at any time: the slow path does it itself,
// between two turns.
uint64_t tr_engine_held(struct io_env *engine);
void tr_engine_table_info(struct io_env *engine, struct tr_table_info *out);
uint64_t tr_engine_routes_read(struct io_env *engine, struct tr_route *out, uint64_t room,
	bool all);
uint64_t tr_engine_neighbors_read(struct io_env *engine, struct tr_neighbor_info *out,
	uint64_t room);
uint64_t tr_engine_rules_read(struct io_env *engine, struct tr_rule *out, uint64_t room);
uint64_t tr_engine_routes_lookup(struct io_env *engine, const uint32_t *addresses, uint64_t n,
	struct tr_route *out, uint64_t room);

// --- trace ---------------------------------------------------------------------------------------
struct tr_dpdk_trace_event {
	uint64_t cycles;
	uint32_t packet; // number of the traced packet, from 1; children share their parent's
	uint16_t bytes;
	uint16_t place;   // enum tr_step
	uint16_t verdict; // reasons.h; 0: goes on
	uint16_t unit;
	uint16_t port; // by which the packet came
	uint16_t reserved;
};
// Traces the next `most` packets received that match a libpcap filter ("": all). Forgets the events
// of the trace before. 0 ends tracing. -EINVAL with libpcap's words in error.
int tr_engine_trace(struct io_env *engine, const char *filter, uint64_t most, char *error);
// Takes at most `room` events, those of one unit in order.
uint64_t tr_engine_trace_read(struct io_env *engine, struct tr_dpdk_trace_event *out,
	uint64_t room);

// --- capture on running ports --------------------------------------------------------------------
struct tr_capture;
enum tr_capture_direction {
	TR_CAPTURE_IN = 1,
	TR_CAPTURE_OUT = 2,
};
struct tr_captured {
	uint64_t cycles;
	uint32_t bytes; // of the frame
	uint32_t copied;
	uint16_t port;
	uint16_t direction;
	uint32_t offset; // of the copy in the data
};
// ports, direction: bit masks. `buffers`: frames that wait to be read; more are lost.
struct tr_capture *tr_capture_start(struct io_env *engine, uint32_t ports, uint32_t direction,
	const char *filter, uint32_t snap_bytes, uint32_t buffers, char *error);
uint32_t tr_capture_read(struct tr_capture *capture, struct tr_captured *out, uint32_t room,
	uint8_t *data, uint32_t data_bytes);
uint64_t tr_capture_lost(const struct tr_capture *capture);
void tr_capture_stop(struct tr_capture *capture);

// --- ports in memory, for tests and measurements -------------------------------------------------
// An ethdev named net_ring_NAME whose queues are rings of this process. Frames put into its receive
// queues come out of nothing else; frames sent by it wait to be collected. `capacity` frames fit
// into a queue, and twice as many buffers are there for all.
struct tr_ring_port;
struct tr_ring_port *tr_ring_port_new(const char *name, uint16_t rx_queues, uint16_t tx_queues,
	uint32_t capacity, uint16_t frame_bytes_max, char *error);
void tr_ring_port_free(struct tr_ring_port *port);
// Segments: into how many buffers the frame is put. -ENOSPC: queue full, -ENOMEM: no buffer.
int tr_ring_port_inject(struct tr_ring_port *port, uint16_t queue, const uint8_t *frame,
	uint32_t bytes, uint16_t segments);
// Puts the port's link up or down.
int tr_ring_port_link(struct tr_ring_port *port, bool up);
// The next frame sent by a queue: its length, 0: there is none.
uint32_t tr_ring_port_collect(struct tr_ring_port *port, uint16_t queue, uint8_t *frame,
	uint32_t room);
