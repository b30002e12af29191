// SPDX-License-Identifier: MIT
// The slow path's unit: its set-up and its turn. A turn takes, in this order, what fast-path units
// acknowledged, what the control thread asks for, what has become of the ports, one turn of the
// tables' swap, a bounded number of punted packets from each unit and of frames from each port's
// twin, and the timers that are due; then all that it wants to send leaves the distributor. Every
// part is bounded, so that a flood of one kind leaves room for the others. A turn that did nothing
// has nothing left to do.
#include "slow_path/slow_path.h"
#include "fast_path/fast_unit.h"
#include "queues/count.h"
#include <errno.h>
#include <stdlib.h>

#define SLOW_BURST 64 // packets from one ring or twin a turn
#define CONTROL_RING 1024

static int make_rings(struct tr_slow_path *slow, struct io_env *env)
{
	slow->control_ring = tr_io_ring_new(env, CONTROL_RING, slow->index);
	if (!slow->control_ring)
		return -errno;
	for (uint32_t i = 0; i < slow->fast_units; i++) {
		struct tr_command_channel *channel = &slow->channel[i];
		slow->punt_ring[i] = tr_io_ring_new(env, slow->config->punt_ring, slow->index);
		if (!slow->punt_ring[i])
			return -errno;
		channel->requests = tr_io_ring_new(env, TR_COMMANDS_MAX, i);
		if (!channel->requests)
			return -errno;
		channel->acknowledgements = tr_io_ring_new(env, TR_COMMANDS_MAX, slow->index);
		if (!channel->acknowledgements)
			return -errno;
	}
	return 0;
}

int tr_slow_init(struct tr_slow_path *slow, const struct tr_config *config, struct io_env *env,
	struct tr_port *ports, struct io_port **io_ports)
{
	int error;

	assert(config->fast_units < TR_UNITS_MAX && config->ports <= TR_PORTS_MAX);
	memset(slow, 0, sizeof(*slow));
	slow->index = (uint16_t)config->fast_units;
	slow->fast_units = config->fast_units;
	slow->core = tr_io_core(env, slow->index);
	slow->pool = tr_io_pool(env);
	slow->present = *config;
	slow->config = &slow->present;
	slow->port = ports;
	slow->io_port = io_ports;
	slow->step = TR_STEP_SLOW_DISPATCH;
	memcpy(slow->option_policy, config->option_policy, sizeof(slow->option_policy));
	slow->groups = config->groups;
	tr_slow_icmp_settings(slow,
		&(struct tr_settings){
			.icmp_errors_per_s = config->icmp_errors_per_s,
			.icmp_errors_burst = config->icmp_errors_burst,
			.icmp = config->icmp,
		});
	error = tr_distributor_init(&slow->distributor, config, slow->core, ports, slow->index,
		&slow->counters, &slow->drop_log);
	if (error) {
		memset(&slow->distributor, 0, sizeof(slow->distributor));
		goto err;
	}
	error = make_rings(slow, env);
	if (!error)
		error = tr_slow_rules_init(slow);
	if (error)
		goto err;
	slow->neighbors = tr_neighbors_new(config, io_cycles_hz(slow->core));
	slow->reassembly = tr_reassembly_new(config, io_cycles_hz(slow->core));
	if (slow->neighbors && slow->reassembly)
		slow->tables = tr_tables_new(env, slow->config);
	if (slow->tables) {
		tr_ports_init(slow);
		return 0;
	}
	error = -errno;
err:
	tr_slow_fini(slow);
	return error;
}

static void free_packets(struct tr_slow_path *slow, struct io_ring *ring)
{
	struct pkt *pkts[SLOW_BURST];
	unsigned n;

	while ((n = io_ring_dequeue(slow->core, ring, (void **)pkts, SLOW_BURST)) != 0)
		pkt_free_bulk(pkts, n);
}

static void free_controls(struct tr_slow_path *slow)
{
	void *control;

	tr_control_free(slow->control);
	while (io_ring_dequeue(slow->core, slow->control_ring, &control, 1) == 1)
		tr_control_free(control);
}

// Also of a slow path whose set-up stopped half-way.
void tr_slow_fini(struct tr_slow_path *slow)
{
	if (slow->tables)
		tr_tables_free(slow->tables);
	tr_neighbors_free(slow->neighbors);
	tr_reassembly_free(slow->reassembly);
	tr_slow_rules_free(slow);
	for (uint32_t i = 0; i < slow->fast_units; i++) {
		struct tr_command_channel *channel = &slow->channel[i];
		if (slow->punt_ring[i]) {
			free_packets(slow, slow->punt_ring[i]);
			tr_io_ring_free(slow->punt_ring[i]);
		}
		if (channel->requests)
			tr_io_ring_free(channel->requests);
		if (channel->acknowledgements)
			tr_io_ring_free(channel->acknowledgements);
	}
	if (slow->control_ring) {
		free_controls(slow);
		tr_io_ring_free(slow->control_ring);
	}
	if (slow->distributor.queue)
		tr_distributor_fini(&slow->distributor);
	memset(slow, 0, sizeof(*slow));
}

static unsigned take_acknowledgements(struct tr_slow_path *slow)
{
	void *items[TR_COMMANDS_MAX];
	unsigned work = 0;

	for (uint32_t i = 0; i < slow->fast_units; i++) {
		unsigned n = io_ring_dequeue(slow->core, slow->channel[i].acknowledgements, items,
			TR_COMMANDS_MAX);
		for (unsigned k = 0; k < n; k++) {
			const struct tr_command *command = items[k];
			const struct tr_fib *fib = command->argument;
			if (command->run == tr_fast_switch_fib)
				tr_tables_acknowledge(slow->tables, fib->generation);
			else if (command->run == tr_fast_switch_rules)
				tr_slow_rules_acknowledge(slow, i);
		}
		work += n;
	}
	return work;
}

static void apply_settings(struct tr_slow_path *slow, const struct tr_settings *settings)
{
	tr_neighbors_settings(slow->neighbors, settings, io_cycles_hz(slow->core));
	tr_reassembly_settings(slow->reassembly, settings, io_cycles_hz(slow->core));
	tr_slow_icmp_settings(slow, settings);
	slow->groups = settings->groups;
	memcpy(slow->option_policy, settings->option_policy, sizeof(slow->option_policy));
}

// What routes depend on comes before them: which of them can be used.
static void apply_ports(struct tr_slow_path *slow, const struct tr_control *control)
{
	if (control->has_settings) {
		slow->present.arp_announce = control->settings.arp_announce;
		slow->present.arp_probe = control->settings.arp_probe;
	}
	for (uint64_t i = 0; i < control->port_count; i++)
		tr_ports_configure(slow, control->port[i].port, &control->port[i].config);
}

// Makes up to `most` changes of the message at hand, and ends it after the last. Routes wait in the
// tables until all are there; what has an effect at once comes last.
static unsigned apply_changes(struct tr_slow_path *slow, unsigned most)
{
	struct tr_control *control = slow->control;
	unsigned work = 1;

	if (slow->control_done == 0)
		apply_ports(slow, control);
	for (; work <= most && slow->control_done < control->route_count; work++)
		slow->control_done +=
			tr_tables_apply(slow->tables, &control->route[slow->control_done],
				control->route_count - slow->control_done);
	tr_tables_hold(slow->tables, slow->control_done < control->route_count);
	if (slow->control_done < control->route_count)
		return work;
	for (uint64_t i = 0; i < control->neighbor_count; i++) {
		const struct tr_neighbor_change *change = &control->neighbor[i];

		tr_neighbors_set(slow, change->port, change->address,
			change->add ? change->mac : NULL);
		work++;
	}
	if (control->has_settings)
		apply_settings(slow, &control->settings);
	if (control->rules) {
		tr_slow_rules_replace(slow, control->rules);
		control->rules = NULL;
	}
	tr_control_free(control);
	slow->control = NULL;
	slow->control_done = 0;
	return work;
}

static unsigned apply_call(struct tr_slow_path *slow)
{
	struct tr_control *control = slow->control;

	control->call(control->argument);
	// Whoever waits for it sees what the function wrote.
	__atomic_store_n(control->is_done, 1, __ATOMIC_RELEASE);
	free(control);
	slow->control = NULL;
	return 1;
}

// However many messages follow each other, the tables come to a moment at which all is there that
// belongs together: nothing else is taken in the turn that ends a message of several turns, and
// tables that are behind get fewer changes in a turn than they bring to the FIB.
static unsigned take_controls(struct tr_slow_path *slow)
{
	unsigned most =
		tr_tables_are_behind(slow->tables) ? TR_TABLES_POLL_MAX / 4 : TR_TABLES_POLL_MAX;
	unsigned work = 0;

	while (work < most) {
		bool is_old = slow->control != NULL;
		void *control;

		if (!slow->control) {
			if (io_ring_dequeue(slow->core, slow->control_ring, &control, 1) == 0)
				break;
			slow->control = control;
		}
		if (slow->control->kind == TR_CONTROL_CALL)
			work += apply_call(slow);
		else
			work += apply_changes(slow, most - work);
		if (is_old && !slow->control)
			break;
	}
	return work;
}

// One turn of the swap, and the published table down the command rings. A ring that is full gets
// the command in a later turn.
static unsigned swap_tables(struct tr_slow_path *slow)
{
	const struct tr_fib *fib;
	unsigned work = tr_tables_poll(slow->tables, &fib);

	if (fib) {
		assert(slow->swap_unsent == 0);
		for (uint32_t i = 0; i < slow->fast_units; i++) {
			// The unit only reads the table; the command's argument is for any use.
			slow->swap_command[i] = (struct tr_command){
				.run = tr_fast_switch_fib,
				.argument = (void *)(uintptr_t)fib,
			};
			slow->swap_unsent |= 1u << i;
		}
	}
	for (uint32_t unsent = slow->swap_unsent; unsent; unsent &= unsent - 1) {
		unsigned i = (unsigned)__builtin_ctz(unsent);
		if (!tr_command_send(slow->core, &slow->channel[i], &slow->swap_command[i]))
			continue;
		slow->swap_unsent &= ~(1u << i);
		work++;
	}
	return work;
}

static unsigned take_punted(struct tr_slow_path *slow)
{
	struct pkt *pkts[SLOW_BURST];
	unsigned work = 0;

	for (uint32_t i = 0; i < slow->fast_units; i++) {
		unsigned n =
			io_ring_dequeue(slow->core, slow->punt_ring[i], (void **)pkts, SLOW_BURST);
		tr_slow_dispatch_burst(slow, pkts, n);
		work += n;
	}
	return work;
}

// Frames of the host stack leave by the port as they are: routed and addressed by the host.
static unsigned take_twin(struct tr_slow_path *slow, uint16_t port)
{
	uint32_t bytes_max = ETHER_HEADER_BYTES + (uint32_t)slow->config->port[port].mtu;
	struct pkt *pkts[SLOW_BURST];
	unsigned n = io_twin_rx_burst(slow->core, slow->io_port[port], pkts, SLOW_BURST);
	uint32_t gate = tr_port_gate(&slow->port[port]);

	if (n == 0)
		return 0;
	tr_count(&slow->counters.received_twin[port], n);
	slow->step = TR_STEP_SLOW_TRANSMIT;
	slow->step_cycles = io_cycles(slow->core);
	for (unsigned k = 0; k < n; k++) {
		uint32_t bytes = pkt_bytes(pkts[k]);
		if (gate) // RFC 1812 10.2.1: nothing leaves by a port without an address
			tr_slow_drop(slow, pkts[k], tr_verdict_reason((uint16_t)gate));
		else if (bytes < ETHER_HEADER_BYTES || bytes > bytes_max)
			tr_slow_drop(slow, pkts[k], TR_DROP_TWIN_FRAME);
		else
			tr_slow_transmit(slow, pkts[k], port);
	}
	return n;
}

// The table may change between two turns; nothing of a batch outlives one.
static unsigned take_filtered(struct tr_slow_path *slow)
{
	slow->unit->fib = tr_tables_active(slow->tables);
	return tr_fast_receive(slow->unit);
}

unsigned tr_slow_poll(struct tr_slow_path *slow)
{
	unsigned work = take_acknowledgements(slow);

	work += take_controls(slow);
	work += tr_ports_poll(slow);
	work += swap_tables(slow);
	work += tr_slow_rules_send(slow);
	work += take_punted(slow);
	work += take_filtered(slow);
	for (uint32_t i = 0; i < slow->config->ports; i++)
		work += take_twin(slow, (uint16_t)i);
	work += tr_neighbors_tick(slow, io_cycles(slow->core));
	work += tr_reassembly_tick(slow, io_cycles(slow->core));
	tr_distributor_flush_all(&slow->unit->distributor);
	tr_distributor_flush_all(&slow->distributor);
	return work;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t tr_slow_deadline(const struct tr_slow_path *slow)
{
	uint64_t now = io_cycles(slow->core);
	uint64_t deadline = tr_neighbors_deadline(slow->neighbors);
	uint64_t reassembly = tr_reassembly_deadline(slow->reassembly);

	if (reassembly < deadline)
		deadline = reassembly;
	deadline = earlier(deadline, tr_ports_deadline(slow));
	if ((slow->swap_unsent || slow->rules_swap.unsent) &&
		now + TR_COMMAND_RETRY_CYCLES < deadline)
		deadline = now + TR_COMMAND_RETRY_CYCLES;
	// What a congested port has left.
	deadline = earlier(deadline, tr_distributor_deadline(&slow->unit->distributor));
	return earlier(deadline, tr_distributor_deadline(&slow->distributor));
}

uint64_t tr_slow_controls(const struct tr_slow_path *slow)
{
	const struct tr_control *control = slow->control;
	uint64_t left = io_ring_count(slow->control_ring);

	if (control && control->kind == TR_CONTROL_CHANGES)
		left += control->route_count - slow->control_done + 1;
	return left;
}

uint64_t tr_slow_held(const struct tr_slow_path *slow)
{
	uint64_t held = tr_distributor_held(&slow->distributor) +
		tr_neighbors_held(slow->neighbors) + tr_reassembly_held(slow->reassembly);

	for (uint32_t i = 0; i < slow->fast_units; i++)
		held += io_ring_count(slow->punt_ring[i]);
	return held;
}
