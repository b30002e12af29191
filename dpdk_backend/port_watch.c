// SPDX-License-Identifier: MIT
// What follows from a port's state outside of the router, 50 times a second: the link as the device
// has it is told to the units, a port that was put down by command takes its light away where the
// driver can do that, and the twin has a carrier, an MTU and addresses as the port has them.
#include "env.h"

static void follow_switch(struct tr_dpdk_port *port, bool enabled)
{
	if (enabled == port->is_enabled)
		return;
	port->is_enabled = enabled;
	// A driver that cannot do it leaves the link up: the router does without it all the same.
	if (enabled)
		rte_eth_dev_set_link_up(port->io.ethdev);
	else
		rte_eth_dev_set_link_down(port->io.ethdev);
}

static bool is_same(const struct tr_port_config *a, const struct tr_port_config *b)
{
	bool same = a->addresses == b->addresses && a->mtu == b->mtu;

	for (uint32_t i = 0; same && i < a->addresses; i++)
		same = a->address[i].address == b->address[i].address &&
			a->address[i].bits == b->address[i].bits;
	return same;
}

// Addresses that are probed, or in conflict, are not the twin's (RFC 5227 2.1).
static void follow_addresses(struct tr_dpdk_port *port, const struct tr_port_state *state)
{
	struct tr_port_config wanted = port->twin;

	wanted.mtu = state->mtu;
	wanted.addresses = 0;
	for (uint32_t i = 0; i < state->addresses; i++) {
		if (state->address_state[i] == TR_ADDRESS_IN_USE)
			wanted.address[wanted.addresses++] = state->address[i];
	}
	if (is_same(&wanted, &port->twin))
		return;
	// Whatever the kernel refuses is not asked for again and again.
	tr_twin_change(port->config, &port->twin, &wanted);
	port->twin = wanted;
}

void tr_port_follow(struct tr_dpdk_port *port)
{
	struct tr_port_state state;
	bool carrier;

	tr_port_state_read(port->env->router, port->index, &state);
	follow_switch(port, state.enabled);
	tr_port_watch(port);
	if (port->io.twin < 0)
		return;
	carrier = io_link_up(&port->io) && state.enabled;
	if (carrier != port->has_carrier)
		tr_twin_carrier(port->io.twin, carrier);
	port->has_carrier = carrier;
	follow_addresses(port, &state);
}
