// SPDX-License-Identifier: MIT
// What a port says of itself: the link, which the engine's watch follows, and all that a user wants
// to know of the device, read by the control thread while units use it.
#include "env.h"
#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

// Drivers over an interface of the kernel that say "up" whatever it is: the kernel knows better.
static bool kernel_says_down(const struct tr_dpdk_port *port)
{
	struct ifreq request = {0};
	bool is_down;
	int file;

	if (strcmp(port->info.driver_name, "net_af_packet") != 0 &&
		strcmp(port->info.driver_name, "net_af_xdp") != 0)
		return false;
	file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	is_down = if_indextoname(port->info.if_index, request.ifr_name) &&
		ioctl(file, SIOCGIFFLAGS, &request) == 0 && !(request.ifr_flags & IFF_RUNNING);
	close(file);
	return is_down;
}

void tr_port_watch(struct tr_dpdk_port *port)
{
	struct rte_eth_link link = {0};
	bool is_up;

	// A driver that knows nothing of links is always connected.
	is_up = (rte_eth_link_get_nowait(port->io.ethdev, &link) != 0 || link.link_status) &&
		!kernel_says_down(port);
	__atomic_store_n(&port->io.link_up, is_up, __ATOMIC_RELAXED);
}

int tr_engine_port_info(const struct io_env *env, uint32_t index, struct tr_dpdk_port_info *out)
{
	const struct tr_dpdk_port *port;
	struct rte_eth_link link = {0};
	struct tr_port_state state;

	if (index >= env->ports)
		return -EINVAL;
	port = &env->port[index];
	tr_port_state_read(env->router, (uint16_t)index, &state);
	*out = (struct tr_dpdk_port_info){
		.mtu = state.mtu,
		.numa_node = rte_eth_dev_socket_id(port->io.ethdev),
		.rx_queues = port->rx_queues,
		.tx_queues = port->tx_queues,
		.tx_shared = port->io.shared_tx != UINT16_MAX,
		.rss = port->rss != 0,
		.checksum = port->rx_offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM,
		.filters = port->filter_count != 0,
		.promiscuous = port->promiscuous,
		.twin = io_twin_present(&port->io),
		.link_up = io_link_up(&port->io),
	};
	memcpy(out->mac, env->config.config.port[index].mac, sizeof(out->mac));
	memcpy(out->filters_why, port->filters_why, sizeof(out->filters_why));
	snprintf(out->driver, sizeof(out->driver), "%s", port->info.driver_name);
	rte_eth_dev_get_name_by_port(port->io.ethdev, out->device);
	if (rte_eth_link_get_nowait(port->io.ethdev, &link) == 0 &&
		link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		out->link_mbps = link.link_speed;
	return 0;
}

int tr_engine_nic_counters(const struct io_env *env, uint32_t index,
	struct tr_dpdk_nic_counters *out)
{
	const struct tr_dpdk_port *port;
	struct rte_eth_stats stats = {0};
	int code;

	if (index >= env->ports)
		return -EINVAL;
	port = &env->port[index];
	code = rte_eth_stats_get(port->io.ethdev, &stats);
	if (code)
		return code;
	*out = (struct tr_dpdk_nic_counters){
		.received = stats.ipackets,
		.received_bytes = stats.ibytes,
		.missed = stats.imissed,
		.errors = stats.ierrors,
		.no_buffer = stats.rx_nombuf,
		.chained = __atomic_load_n(&port->io.chained, __ATOMIC_RELAXED),
		.sent = stats.opackets,
		.sent_bytes = stats.obytes,
		.send_errors = stats.oerrors,
	};
	return 0;
}
