// SPDX-License-Identifier: MIT
// How own addresses come into use (RFC 5227 2): one that is added to a running router is probed by
// three ARP requests that name no sender, and used if nobody is heard to have it; then it is
// announced twice. When a port comes up again its addresses are announced too, and what was found
// in conflict gets another chance. Otherwise nothing is probed. The RFC's random times are made of
// the addresses, so that the routers of a link differ and a run can be repeated.
#include "slow_path/ports.h"
#include "slow_path/slow_path.h"

#define PROBES 3           // RFC 5227 1.1: PROBE_NUM
#define ANNOUNCEMENTS 2    // ANNOUNCE_NUM
#define ANNOUNCE_SECONDS 2 // ANNOUNCE_INTERVAL, and ANNOUNCE_WAIT

struct tr_own_address *tr_addresses_find(struct tr_slow_path *slow, uint16_t port, uint32_t address)
{
	struct tr_own_port *own = &slow->own[port];

	for (uint32_t i = 0; i < own->addresses; i++) {
		if (own->address[i].own.address == address)
			return &own->address[i];
	}
	return NULL;
}

bool tr_addresses_is_probing(const struct tr_own_port *port)
{
	for (uint32_t i = 0; i < port->addresses; i++) {
		if (port->address[i].state == TR_ADDRESS_PROBING)
			return true;
	}
	return false;
}

static void set_due(struct tr_slow_path *slow, struct tr_own_address *own, uint64_t due)
{
	own->due_cycles = due;
	if (due < slow->addresses_due_cycles)
		slow->addresses_due_cycles = due;
}

// Up to a second, another one for each probe.
static uint64_t some_time(const struct tr_slow_path *slow, uint16_t port,
	const struct tr_own_address *own)
{
	uint64_t mixed = (uint64_t)own->own.address << 8 | own->left;

	for (unsigned i = 0; i < ETHER_ADDRESS_BYTES; i++)
		mixed = (mixed ^ slow->config->port[port].mac[i]) * 0x9e3779b97f4a7c15u;
	return io_cycles_hz(slow->core) / 1024 * (mixed >> 54);
}

static void begin_probing(struct tr_slow_path *slow, uint16_t port, struct tr_own_address *own)
{
	own->state = TR_ADDRESS_PROBING;
	own->left = PROBES;
	own->due_cycles = UINT64_MAX;
	if (slow->up >> port & 1) // else when the port comes up
		set_due(slow, own, io_cycles(slow->core) + some_time(slow, port, own));
}

static void begin_announcing(struct tr_slow_path *slow, uint16_t port, struct tr_own_address *own)
{
	own->left = 0;
	own->due_cycles = UINT64_MAX;
	if (!(slow->up >> port & 1))
		return;
	own->left = ANNOUNCEMENTS;
	set_due(slow, own, io_cycles(slow->core));
}

void tr_addresses_up(struct tr_slow_path *slow, uint16_t port)
{
	struct tr_own_port *own = &slow->own[port];

	for (uint32_t i = 0; i < own->addresses; i++) {
		if (own->address[i].state != TR_ADDRESS_IN_USE)
			begin_probing(slow, port, &own->address[i]);
		else if (slow->config->arp_announce)
			begin_announcing(slow, port, &own->address[i]);
	}
}

void tr_addresses_down(struct tr_slow_path *slow, uint16_t port)
{
	struct tr_own_port *own = &slow->own[port];

	for (uint32_t i = 0; i < own->addresses; i++)
		own->address[i].due_cycles = UINT64_MAX;
}

static bool is_same_use(const struct tr_port_config *a, const struct tr_port_config *b)
{
	bool same = a->addresses == b->addresses;

	for (uint32_t i = 0; same && i < a->addresses; i++)
		same = a->address[i].address == b->address[i].address &&
			a->address[i].bits == b->address[i].bits;
	return same;
}

// Makes those that are in use the port's addresses, for all who ask the configuration for them.
static void use(struct tr_slow_path *slow, uint16_t port)
{
	const struct tr_own_port *own = &slow->own[port];
	struct tr_port_config *present = &slow->present.port[port];
	struct tr_port_config before = *present;

	present->addresses = 0;
	for (uint32_t i = 0; i < own->addresses; i++) {
		if (own->address[i].state == TR_ADDRESS_IN_USE)
			present->address[present->addresses++] = own->address[i].own;
	}
	if (is_same_use(&before, present))
		return;
	tr_tables_port(slow->tables, port, &before);
	tr_neighbors_forget(slow, port, &before);
}

void tr_addresses_configure(struct tr_slow_path *slow, uint16_t port,
	const struct tr_port_config *config)
{
	struct tr_own_port before = slow->own[port];
	struct tr_own_port *own = &slow->own[port];

	own->addresses = config->addresses;
	for (uint32_t i = 0; i < config->addresses; i++) {
		struct tr_own_address *address = &own->address[i];
		uint32_t k = 0;
		while (k < before.addresses &&
			before.address[k].own.address != config->address[i].address)
			k++;
		if (k < before.addresses)
			*address = before.address[k];
		else
			*address = (struct tr_own_address){.state = TR_ADDRESS_IN_USE};
		address->own = config->address[i];
		if (k == before.addresses && slow->config->arp_probe)
			begin_probing(slow, port, address);
		else if (k == before.addresses)
			begin_announcing(slow, port, address);
	}
	use(slow, port);
}

bool tr_addresses_hear(struct tr_slow_path *slow, uint16_t port, const struct arp_packet *arp)
{
	uint32_t claimed = be32(arp->sender_be);
	struct tr_own_address *own;

	// RFC 5227 2.1.1: another station that probes is in conflict too, unless it is this router.
	if (claimed == 0 && arp->operation_be == be16(ARP_REQUEST)) {
		claimed = be32(arp->target_be);
		for (uint32_t i = 0; i < slow->config->ports; i++) {
			if (ether_equal(arp->sender_mac, slow->config->port[i].mac))
				return false;
		}
	}
	own = tr_addresses_find(slow, port, claimed);
	if (!own || own->state != TR_ADDRESS_PROBING)
		return false;
	own->state = TR_ADDRESS_CONFLICT;
	own->due_cycles = UINT64_MAX;
	tr_ports_settle(slow);
	return true;
}

// The next step of an address whose time has come.
static void proceed(struct tr_slow_path *slow, uint16_t port, struct tr_own_address *own)
{
	uint64_t now = io_cycles(slow->core), second = io_cycles_hz(slow->core);

	if (own->state == TR_ADDRESS_PROBING && own->left == 0) {
		own->state = TR_ADDRESS_IN_USE;
		own->left = ANNOUNCEMENTS;
		use(slow, port);
		tr_ports_settle(slow);
	}
	own->left--;
	if (own->state == TR_ADDRESS_PROBING) {
		tr_slow_arp_probe(slow, port, own->own.address);
		set_due(slow, own,
			now +
				(own->left ? second + some_time(slow, port, own)
					   : ANNOUNCE_SECONDS * second));
		return;
	}
	tr_slow_arp_announce(slow, port, own->own.address);
	set_due(slow, own, own->left ? now + ANNOUNCE_SECONDS * second : UINT64_MAX);
}

unsigned tr_addresses_tick(struct tr_slow_path *slow, uint64_t now)
{
	unsigned done = 0;

	if (slow->addresses_due_cycles > now)
		return 0;
	slow->step = TR_STEP_SLOW_ARP;
	slow->step_cycles = now;
	slow->addresses_due_cycles = UINT64_MAX;
	for (uint32_t i = 0; i < slow->config->ports; i++) {
		struct tr_own_port *port = &slow->own[i];
		for (uint32_t j = 0; j < port->addresses; j++) {
			struct tr_own_address *own = &port->address[j];
			if (own->due_cycles <= now) {
				proceed(slow, (uint16_t)i, own);
				done++;
			} else {
				set_due(slow, own, own->due_cycles);
			}
		}
	}
	return done;
}
