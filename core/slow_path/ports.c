// SPDX-License-Identifier: MIT
// A port's link and switch. Both are looked at once a turn, which costs a load a port; what follows
// from a change is worked out for all ports at once, as changes are rare. A port can be used while
// it has a link, is not down by command, and has an address (RFC 1812 5.3.12.3, 10.2.1).
#include "slow_path/ports.h"
#include "port_state.h"
#include "slow_path/slow_path.h"

static uint32_t links(const struct tr_slow_path *slow)
{
	uint32_t up = 0;

	for (uint32_t i = 0; i < slow->config->ports; i++)
		up |= (uint32_t)io_link_up(slow->io_port[i]) << i;
	return up;
}

static uint32_t disabled(const struct tr_slow_path *slow)
{
	uint32_t ports = 0;

	for (uint32_t i = 0; i < slow->config->ports; i++)
		ports |= (uint32_t)slow->config->port[i].disabled << i;
	return ports;
}

static uint32_t gate_of(const struct tr_slow_path *slow, uint32_t port)
{
	const struct tr_port_config *config = &slow->config->port[port];

	if (config->disabled)
		return tr_drop_verdict(TR_DROP_PORT_DOWN);
	if (config->addresses)
		return TR_VERDICT_LIVE;
	return tr_drop_verdict(TR_DROP_PORT_UNCONFIGURED) |
		(tr_addresses_is_probing(&slow->own[port]) ? TR_GATE_ARP : 0);
}

static void publish(struct tr_slow_path *slow, uint32_t port, bool is_usable)
{
	const struct tr_port_config *config = &slow->config->port[port];
	const struct tr_own_port *own = &slow->own[port];
	struct tr_port_state state = {
		.enabled = !config->disabled,
		.link_up = slow->link >> port & 1,
		.usable = is_usable,
		.mtu = config->mtu,
		.addresses = (uint16_t)own->addresses,
	};

	for (uint32_t i = 0; i < own->addresses; i++) {
		state.address[i] = own->address[i].own;
		state.address_state[i] = own->address[i].state;
	}
	tr_port_state_publish(&slow->port[port], &state);
	__atomic_store_n(&slow->port[port].gate, gate_of(slow, port), __ATOMIC_RELAXED);
}

void tr_ports_settle(struct tr_slow_path *slow)
{
	uint32_t usable = 0;

	for (uint32_t i = 0; i < slow->config->ports; i++) {
		bool is_usable = (slow->up >> i & 1) && slow->config->port[i].addresses;
		usable |= (uint32_t)is_usable << i;
		publish(slow, i, is_usable);
	}
	tr_tables_ports(slow->tables, usable);
}

void tr_ports_init(struct tr_slow_path *slow)
{
	for (uint32_t i = 0; i < slow->config->ports; i++) {
		const struct tr_port_config *config = &slow->config->port[i];
		struct tr_own_port *own = &slow->own[i];
		own->addresses = config->addresses;
		for (uint32_t j = 0; j < config->addresses; j++) {
			own->address[j] = (struct tr_own_address){
				.own = config->address[j],
				.state = TR_ADDRESS_IN_USE,
				.due_cycles = UINT64_MAX,
			};
		}
	}
	slow->addresses_due_cycles = UINT64_MAX;
	tr_ports_settle(slow);
}

// Returns whether anything has changed.
static bool look(struct tr_slow_path *slow)
{
	uint32_t link = links(slow);
	uint32_t up = link & ~disabled(slow);
	uint32_t changed = up ^ slow->up;

	if (link == slow->link && !changed)
		return false;
	slow->link = link;
	slow->up = up;
	for (; changed; changed &= changed - 1) {
		uint16_t port = (uint16_t)__builtin_ctz(changed);
		if (up >> port & 1)
			tr_addresses_up(slow, port);
		else
			tr_addresses_down(slow, port);
	}
	tr_ports_settle(slow);
	return true;
}

unsigned tr_ports_poll(struct tr_slow_path *slow)
{
	unsigned changed = look(slow);

	return changed + tr_addresses_tick(slow, io_cycles(slow->core));
}

uint64_t tr_ports_deadline(const struct tr_slow_path *slow)
{
	return slow->addresses_due_cycles;
}

void tr_ports_configure(struct tr_slow_path *slow, uint16_t port,
	const struct tr_port_config *config)
{
	struct tr_port_config *present = &slow->present.port[port];
	struct tr_port_config before = *present;

	present->disabled = config->disabled;
	present->mtu = config->mtu;
	if (present->mtu != before.mtu)
		tr_tables_port(slow->tables, port, &before);
	tr_addresses_configure(slow, port, config);
	look(slow);
	tr_ports_settle(slow);
}
