// SPDX-License-Identifier: MIT
// An engine: one router on DPDK ports, with a thread a unit. This is what core/backend.h calls an
// io_env; the core hands it back to the set-up functions in env.c.
#pragma once
#include "backend.h"
#include "eal.h"
#include "router.h"
#include <pthread.h>
#include <rte_mempool.h>

#define LINK_BYTES 26 // Ethernet header, two VLAN tags, FCS
#define FILTERS_MAX (1 + TR_PORTS_MAX * TR_PORT_ADDRESSES_MAX)

struct rte_flow;

// A port; opened, set up, closed by ports.c.
struct tr_dpdk_port {
	struct io_port io; // first: the core's pointer is this one
	const struct tr_dpdk_port_config *config;
	struct io_env *env;
	uint16_t index;
	bool is_open;
	bool is_probed; // EAL did not have it before
	bool is_started;
	uint16_t rx_queues; // set up; io.rx_queues are those to be polled now
	uint16_t tx_queues;
	bool promiscuous;
	uint16_t mtu; // the device's, at least
	// What the watch has brought about, by the state of the router's port.
	bool is_enabled;
	bool has_carrier; // the twin
	struct tr_port_config twin;
	uint64_t rx_offloads;
	uint64_t rss;
	uint32_t filter_count;
	struct rte_flow *filter[FILTERS_MAX];
	char filters_why[64];
	struct rte_eth_dev_info info;
};

struct tr_dpdk_unit {
	struct io_core core; // first: the core's pointer is this one
	struct io_env *env;
	pthread_t thread;
	bool has_thread;
	bool yields;
	int32_t cpu;
	int32_t ready;  // 0: not yet, 1: runs, -errno: could not. Unit: rw, control: ro
	uint64_t turns; // unit: rw, control: ro
	uint64_t idle;
	uint64_t held; // while draining
	char reserved[RTE_CACHE_LINE_SIZE];
};

struct io_env {
	struct tr_dpdk_config config;
	struct tr_router *router;
	uint16_t ports;
	uint16_t units; // the slow path included
	bool is_running;
	bool has_watch;
	bool drain; // control: rw, units: ro
	bool stop;
	pthread_t watch;
	struct rte_mempool *pool[RTE_MAX_NUMA_NODES];
	struct tr_trace *trace;
	struct tr_dpdk_port port[TR_PORTS_MAX];
	struct tr_dpdk_unit unit[TR_UNITS_MAX];
};

// --- ports.c, port_info.c, port_watch.c, filters.c -----------------------------------------------
int tr_port_open(struct tr_dpdk_port *port, char *error);
int tr_port_set_up(struct tr_dpdk_port *port, char *error);
void tr_port_close(struct tr_dpdk_port *port);
// Reads the link's state.
void tr_port_watch(struct tr_dpdk_port *port);
// Brings the device and the twin to the state that the router's port has, and the other way round.
void tr_port_follow(struct tr_dpdk_port *port);
// Rules that lead ARP and own addresses to the slow path's queue. True if all are in place, else
// none and filters_why.
bool tr_filters_install(struct tr_dpdk_port *port, uint16_t queue);
void tr_filters_remove(struct tr_dpdk_port *port);

// --- env.c ---------------------------------------------------------------------------------------
// The pool for a port's buffers, made on the port's NUMA node.
struct rte_mempool *tr_env_pool(struct io_env *env, int node, char *error);

// --- twin.c, twin_set_up.c ----------------------------------------------------------------------
// The TAP's file descriptor or -errno.
int tr_twin_open(const struct tr_dpdk_port_config *twin, const struct tr_port_config *port,
	char *error);
// From one MTU and one set of addresses to another. 0 or -errno, for the first that failed.
int tr_twin_change(const struct tr_dpdk_port_config *twin, const struct tr_port_config *before,
	const struct tr_port_config *after);
void tr_twin_carrier(int twin, bool up);
void tr_twin_close(int twin);

// --- engine.c ------------------------------------------------------------------------------------
// Waits until every unit has begun another turn, so that none uses what was taken out before.
void tr_engine_pass(struct io_env *env);

// --- trace.c, capture.c --------------------------------------------------------------------------
void tr_trace_free(struct io_env *env);
struct bpf_program;
// 0 or -EINVAL with libpcap's words.
int tr_compile_filter(const char *text, struct bpf_program *filter, char *error);
