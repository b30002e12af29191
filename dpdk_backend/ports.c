// SPDX-License-Identifier: MIT
// A port's life: its device is found or probed, set up and started, and closed. The queues: a
// receive and a transmit queue for each fast-path unit, a transmit queue for the slow path, and a
// receive queue for it too where the NIC can be told what belongs there. What a driver lacks is
// done without where that is possible (checksums in the core, a transmit queue shared under a lock,
// all frames where single MAC addresses cannot be asked for), and port_info.c says so.
#include "env.h"
#include <ctype.h>
#include <errno.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>

#define RSS_WANTED                                                                 \
	(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | \
		RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV4_OTHER)

static const char *name_of(const struct tr_dpdk_port *port)
{
	return port->env->config.config.port[port->index].name;
}

static int fail(const struct tr_dpdk_port *port, char *error, int code, const char *what)
{
	const char *why = tr_log_last();

	return tr_say(error, -code, "port %s: %s: %s: %s%s%s%s", name_of(port),
		port->config->device, what, rte_strerror(-code), *why ? " (" : "", why,
		*why ? ")" : "");
}

// --- opening -------------------------------------------------------------------------------------
static int find(const char *name, uint16_t *ethdev)
{
	char device[TR_DPDK_DEVICE];

	snprintf(device, sizeof(device), "%.*s", (int)strcspn(name, ","), name);
	return rte_eth_dev_get_port_by_name(device, ethdev);
}

static int probe(struct tr_dpdk_port *port, char *error)
{
	const char *device = port->config->device;
	struct rte_dev_iterator iterator;
	uint16_t ethdev = RTE_MAX_ETHPORTS;
	int code;

	tr_log_forget();
	code = rte_dev_probe(device);
	if (code < 0)
		return fail(port, error, code, "no such device, or no driver for it");
	port->is_probed = true;
	if (find(device, &ethdev) != 0) {
		RTE_ETH_FOREACH_MATCHING_DEV(ethdev, device, &iterator)
		{
			rte_eth_iterator_cleanup(&iterator);
			break;
		}
	}
	if (ethdev >= RTE_MAX_ETHPORTS)
		return tr_say(error, ENODEV, "port %s: %s: no Ethernet device", name_of(port),
			device);
	port->io.ethdev = ethdev;
	return 0;
}

// net_e1000_em promises two queues of each kind to NICs with one; what is put into the second stays
// there.
static void correct(struct rte_eth_dev_info *info)
{
	if (strcmp(info->driver_name, "net_e1000_em") == 0)
		info->max_rx_queues = info->max_tx_queues = 1;
}

int tr_port_open(struct tr_dpdk_port *port, char *error)
{
	struct tr_port_config *config = &port->env->config.config.port[port->index];
	struct rte_ether_addr mac;
	int code;

	rte_spinlock_init(&port->io.tx_lock);
	if (find(port->config->device, &port->io.ethdev) != 0) {
		code = probe(port, error);
		if (code)
			return code;
	}
	if (tr_port_of_ethdev[port->io.ethdev] != TR_NO_PORT)
		return tr_say(error, EBUSY, "port %s: %s: another port uses it", name_of(port),
			port->config->device);
	tr_port_of_ethdev[port->io.ethdev] = port->index;
	port->is_open = true;
	code = rte_eth_dev_info_get(port->io.ethdev, &port->info);
	if (code)
		return fail(port, error, code, "no information");
	correct(&port->info);
	if (port->config->keep_mac && rte_eth_macaddr_get(port->io.ethdev, &mac) == 0 &&
		rte_is_valid_assigned_ether_addr(&mac))
		memcpy(config->mac, mac.addr_bytes, sizeof(config->mac));
	return 0;
}

// Drivers keep packets until they are closed, and their pool goes with the engine: so what EAL
// found at its start is closed too. Ports in memory belong to who made them.
static bool is_ours(const struct tr_dpdk_port *port)
{
	const struct rte_device *device = port->info.device;
	bool is_pci = device && strcmp(rte_bus_name(rte_dev_bus(device)), "pci") == 0;

	return port->is_probed || is_pci;
}

void tr_port_close(struct tr_dpdk_port *port)
{
	struct rte_device *device = port->info.device;

	tr_filters_remove(port);
	if (port->is_started)
		rte_eth_dev_stop(port->io.ethdev);
	if (port->is_open)
		tr_port_of_ethdev[port->io.ethdev] = TR_NO_PORT;
	if (is_ours(port)) {
		if (port->is_open)
			rte_eth_dev_close(port->io.ethdev);
		if (device && rte_eth_find_next_of(0, device) >= RTE_MAX_ETHPORTS)
			rte_dev_remove(device);
	}
	port->is_open = port->is_probed = port->is_started = false;
}

// --- queues --------------------------------------------------------------------------------------
static int node_of(const struct tr_dpdk_port *port)
{
	return rte_eth_dev_socket_id(port->io.ethdev);
}

// Packets that a port sends were received by any other. If all come from one pool, a driver may
// give them back without looking at each: none is shared, none is in several buffers. The ports in
// memory receive what the other side has made.
static bool is_one_pool(const struct io_env *env)
{
	for (uint16_t i = 0; i < env->ports; i++) {
		if (node_of(&env->port[i]) != node_of(&env->port[0]) ||
			strcmp(env->port[i].info.driver_name, "net_ring") == 0)
			return false;
	}
	return true;
}

static int configure(struct tr_dpdk_port *port, uint16_t fast_units)
{
	const struct rte_eth_dev_info *info = &port->info;
	// RFC 1812 3.3.4: a port takes what its link may carry, even if it sends less.
	uint16_t link_mtu = RTE_MIN(info->max_mtu, (uint16_t)RTE_ETHER_MTU);
	uint16_t mtu = RTE_MAX(port->env->config.config.port[port->index].mtu, link_mtu);
	struct rte_eth_conf conf = {.rxmode.mtu = mtu};
	int code;

	port->rx_offloads = info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	port->rss = fast_units > 1 ? info->flow_type_rss_offloads & RSS_WANTED : 0;
	conf.rxmode.offloads = port->rx_offloads;
	if (is_one_pool(port->env))
		conf.txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	if (port->rss) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = port->rss;
	}
	code = rte_eth_dev_configure(port->io.ethdev, port->rx_queues, port->tx_queues, &conf);
	if (code)
		return code;
	code = rte_eth_dev_set_mtu(port->io.ethdev, mtu);
	port->mtu = mtu;
	return code == -ENOTSUP ? 0 : code;
}

// A device that takes longer frames than its port's MTU does no harm.
int tr_engine_fit_mtu(struct io_env *env, uint32_t index, uint16_t mtu, char *error)
{
	struct tr_dpdk_port *port = &env->port[index];
	struct rte_mempool *pool;
	uint32_t most;
	int code;

	if (index >= env->ports)
		return -EINVAL;
	if (mtu <= port->mtu)
		return 0;
	pool = tr_env_pool(env, node_of(port), error);
	most = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM - LINK_BYTES;
	if (mtu > most)
		return tr_say(error, ENOBUFS,
			"at most %u, as buffers are made for that: restart the router for more",
			most);
	code = rte_eth_dev_set_mtu(port->io.ethdev, mtu);
	if (code && code != -ENOTSUP)
		return tr_say(error, -code,
			"at most %u, the device refuses more while it runs (%s): restart the "
			"router",
			port->mtu, rte_strerror(-code));
	port->mtu = mtu;
	return 0;
}

static int make_queues(struct tr_dpdk_port *port, char *error)
{
	uint16_t rx = port->config->rx_descriptors, tx = port->config->tx_descriptors;
	struct rte_mempool *pool = tr_env_pool(port->env, node_of(port), error);
	struct rte_eth_rxconf rxconf = port->info.default_rxconf;
	struct rte_eth_txconf txconf = port->info.default_txconf;
	unsigned node = (unsigned)node_of(port);
	int code;

	if (!pool)
		return -ENOMEM;
	rxconf.offloads = port->rx_offloads;
	code = rte_eth_dev_adjust_nb_rx_tx_desc(port->io.ethdev, &rx, &tx);
	if (code)
		return fail(port, error, code, "descriptors");
	for (uint16_t i = 0; i < port->rx_queues; i++) {
		code = rte_eth_rx_queue_setup(port->io.ethdev, i, rx, node, &rxconf, pool);
		if (code)
			return fail(port, error, code, "receive queue");
	}
	for (uint16_t i = 0; i < port->tx_queues; i++) {
		code = rte_eth_tx_queue_setup(port->io.ethdev, i, tx, node, &txconf);
		if (code)
			return fail(port, error, code, "transmit queue");
	}
	return 0;
}

// The table by which RSS spreads over queues leaves out the slow path's.
static int spread(const struct tr_dpdk_port *port, uint16_t fast_units)
{
	struct rte_eth_rss_reta_entry64 entry[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	uint16_t size = port->info.reta_size;

	if (size == 0 || size > RTE_ETH_RSS_RETA_SIZE_512)
		return -ENOTSUP;
	for (uint16_t i = 0; i < size; i++) {
		entry[i / RTE_ETH_RETA_GROUP_SIZE].mask = UINT64_MAX;
		entry[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
			i % fast_units;
	}
	return rte_eth_dev_rss_reta_update(port->io.ethdev, entry, size);
}

static int start(struct tr_dpdk_port *port, uint16_t fast_units, char *error)
{
	int code;

	tr_log_forget();
	code = configure(port, fast_units);
	if (code)
		return fail(port, error, code, "refuses its configuration");
	code = make_queues(port, error);
	if (code)
		return code;
	code = rte_eth_dev_start(port->io.ethdev);
	if (code)
		return fail(port, error, code, "does not start");
	port->is_started = true;
	return 0;
}

// --- what it receives ----------------------------------------------------------------------------
static void choose_frames(struct tr_dpdk_port *port)
{
	const uint8_t *wanted = port->env->config.config.port[port->index].mac;
	struct rte_ether_addr mac;

	memcpy(mac.addr_bytes, wanted, sizeof(mac.addr_bytes));
	if (rte_eth_promiscuous_get(port->io.ethdev) == 1)
		rte_eth_promiscuous_disable(port->io.ethdev);
	rte_eth_dev_default_mac_addr_set(port->io.ethdev, &mac);
	// Routing protocols of the host behind the twin speak to groups.
	rte_eth_allmulticast_enable(port->io.ethdev);
	if (rte_eth_macaddr_get(port->io.ethdev, &mac) != 0 ||
		memcmp(mac.addr_bytes, wanted, sizeof(mac.addr_bytes)) != 0)
		rte_eth_promiscuous_enable(port->io.ethdev);
	port->promiscuous = rte_eth_promiscuous_get(port->io.ethdev) == 1;
}

static bool try_filters(struct tr_dpdk_port *port, uint16_t fast_units, char *error)
{
	if (port->info.reta_size == 0 || port->info.max_rx_queues <= fast_units) {
		snprintf(port->filters_why, sizeof(port->filters_why), "%s",
			port->info.reta_size ? "no receive queue left for the slow path"
					     : "the driver has no RSS table");
		return false;
	}
	port->rx_queues = fast_units + 1;
	if (start(port, fast_units, error) == 0) {
		if (spread(port, fast_units) != 0)
			snprintf(port->filters_why, sizeof(port->filters_why),
				"the driver does not change its RSS table");
		else if (tr_filters_install(port, fast_units))
			return true;
		rte_eth_dev_stop(port->io.ethdev);
		port->is_started = false;
	}
	port->rx_queues = fast_units;
	return false;
}

// A transmit queue of net_memif is a receive queue of its peer, which has one for each fast-path
// unit as this side does. With more, a client is refused, and what a server sends goes astray.
static uint16_t most_tx(const struct tr_dpdk_port *port)
{
	bool is_memif = strcmp(port->info.driver_name, "net_memif") == 0;

	return is_memif ? port->rx_queues : port->info.max_tx_queues;
}

// At most so many transmit queues: units that find none of their own share the last.
static void share_tx(struct tr_dpdk_port *port, uint16_t most)
{
	uint16_t units = port->env->units;

	port->tx_queues = RTE_MIN(most, units);
	port->io.shared_tx = most < units ? (uint16_t)(most - 1) : UINT16_MAX;
}

// The kernel spreads frames over all sockets of net_af_packet, so every one has to be polled: by
// the slow path too, whose own unit forwards whatever it gets.
static int count_rx(struct tr_dpdk_port *port, char *error)
{
	uint16_t units = port->env->units, most = port->info.max_rx_queues;

	if (most < units - 1)
		return tr_say(error, EINVAL,
			"port %s: %s: %u receive queues, but %u fast-path units", name_of(port),
			port->config->device, most, units - 1);
	port->rx_queues = (uint16_t)(units - 1);
	if (strcmp(port->info.driver_name, "net_af_packet") != 0)
		return 0;
	if (most > units)
		return tr_say(error, EINVAL,
			"port %s: %s: qpairs=%u expected, a queue for each unit", name_of(port),
			port->config->device, units);
	port->rx_queues = most;
	return 0;
}

int tr_port_set_up(struct tr_dpdk_port *port, char *error)
{
	uint16_t fast_units = (uint16_t)(port->env->units - 1);
	int code = count_rx(port, error);

	if (code)
		return code;
	share_tx(port, most_tx(port));
	if (port->tx_queues == 0)
		return tr_say(error, EINVAL, "port %s: %s: no transmit queue", name_of(port),
			port->config->device);
	if (!try_filters(port, fast_units, error)) {
		code = start(port, fast_units, error);
		if (code && port->tx_queues > port->rx_queues) {
			// Some drivers want as many of one kind as of the other.
			share_tx(port, port->rx_queues);
			code = start(port, fast_units, error);
		}
		if (code)
			return code;
	}
	choose_frames(port);
	tr_port_watch(port);
	return 0;
}
