// SPDX-License-Identifier: MIT
// NIC filters (rte_flow): ARP and packets for the router's own addresses go straight to the slow
// path's queue, past the fast path's. All rules or none: with some of them a flow could change its
// queue, and so its order, when a rule is refused later.
#include "env.h"
#include "formats/ethernet.h"
#include <rte_flow.h>

static struct rte_flow *add(struct tr_dpdk_port *port, const struct rte_flow_item *pattern,
	uint16_t queue)
{
	const struct rte_flow_attr attributes = {.ingress = 1};
	const struct rte_flow_action_queue to = {.index = queue};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &to},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error error = {0};
	struct rte_flow *flow = NULL;

	if (rte_flow_validate(port->io.ethdev, &attributes, pattern, actions, &error) == 0)
		flow = rte_flow_create(port->io.ethdev, &attributes, pattern, actions, &error);
	if (flow)
		port->filter[port->filter_count++] = flow;
	else
		snprintf(port->filters_why, sizeof(port->filters_why), "%s",
			error.message ? error.message : "the driver refuses them");
	return flow;
}

static bool add_arp(struct tr_dpdk_port *port, uint16_t queue)
{
	const struct rte_flow_item_eth frame = {.type = RTE_BE16(ETHER_TYPE_ARP)};
	const struct rte_flow_item_eth mask = {.type = RTE_BE16(0xffff)};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = &frame, .mask = &mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};

	return add(port, pattern, queue) != NULL;
}

static bool add_address(struct tr_dpdk_port *port, uint32_t address, uint16_t queue)
{
	const struct rte_flow_item_ipv4 packet = {.hdr.dst_addr = rte_cpu_to_be_32(address)};
	const struct rte_flow_item_ipv4 mask = {.hdr.dst_addr = RTE_BE32(UINT32_MAX)};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &packet, .mask = &mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};

	return add(port, pattern, queue) != NULL;
}

bool tr_filters_install(struct tr_dpdk_port *port, uint16_t queue)
{
	const struct tr_config *config = &port->env->config.config;
	bool ok = add_arp(port, queue);

	for (uint32_t i = 0; ok && i < config->ports; i++) {
		for (uint32_t k = 0; ok && k < config->port[i].addresses; k++)
			ok = add_address(port, config->port[i].address[k].address, queue);
	}
	if (!ok)
		tr_filters_remove(port);
	return ok;
}

void tr_filters_remove(struct tr_dpdk_port *port)
{
	struct rte_flow_error error;

	while (port->filter_count)
		rte_flow_destroy(port->io.ethdev, port->filter[--port->filter_count], &error);
}
