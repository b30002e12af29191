// SPDX-License-Identifier: MIT
// Threads under ThreadSanitizer: two fast-path units and the slow path forward without a pause
// while a control thread churns routes and filter rules, reads tables and counters and traces, for
// a thousand swaps of the table, and takes samples of what is dropped: martians. Every other packet
// must come out, by a port and to a neighbour that one of the two tables names; ThreadSanitizer
// ends the program at the first race.
#include "lab.h"
#include "backend.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define UNITS 2
#define PORTS 3
#define SWAPS 1000
#define RULES 16
#define IN_FLIGHT_MAX 256     // less than any ring holds: a packet lost is the router's doing
#define LAST_WAITS_MAX 100000 // for the last packets
#define MOVING 0xc6120000     // 198.18.0.0/16, by port 1 or by port 2
#define STILL 0xc6130000      // 198.19.0.0/16, always by port 2
#define MARTIAN 0x7f000001    // dropped
#define MARTIAN_EACH 16       // packets

static struct io_env *engine;
static struct tr_config *config;
static bool stop_sending, stop_receiving;
static uint64_t sent, received, samples;

static void fail(const char *what)
{
	fprintf(stderr, "swaps: %s\n", what);
	exit(1);
}

static void breathe(void)
{
	const struct timespec time = {.tv_nsec = 10000};

	nanosleep(&time, NULL);
}

static uint32_t gateway(unsigned port)
{
	return 0x0a0000fe + ((port + 1) << 16);
}

static void mac_of(unsigned port, uint8_t *mac)
{
	memcpy(mac, (uint8_t[]){2, 0xee, 0, 0, 0, (uint8_t)port}, 6);
}

// --- traffic -------------------------------------------------------------------------------------
static void *send_all(void *argument)
{
	uint32_t number = 0;

	(void)argument;
	while (!__atomic_load_n(&stop_sending, __ATOMIC_RELAXED)) {
		uint64_t here = __atomic_load_n(&received, __ATOMIC_RELAXED);
		uint32_t base = number % 3 ? MOVING : STILL;

		if (sent - here >= IN_FLIGHT_MAX ||
			!lab_send(0, number % UNITS, config->port[0].mac,
				base | (number & 0xffff))) {
			breathe();
			continue;
		}
		if (number++ % MARTIAN_EACH == 0)
			lab_send(0, number % UNITS, config->port[0].mac, MARTIAN);
		__atomic_store_n(&sent, sent + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void judge(uint16_t port, const struct lab_frame *frame)
{
	uint8_t mac[6];

	mac_of(port, mac);
	if (memcmp(frame->mac, mac, sizeof(mac)) != 0)
		fail("a packet left by one port for the neighbour of another");
	if (port == 0 || ((frame->destination & 0xffff0000) == STILL && port != 2))
		fail("a packet left by a port that no table named");
}

static void *receive_all(void *argument)
{
	struct lab_frame frame;

	(void)argument;
	while (!__atomic_load_n(&stop_receiving, __ATOMIC_RELAXED)) {
		bool any = false;

		for (uint16_t port = 0; port < PORTS; port++) {
			for (uint16_t queue = 0; queue <= UNITS; queue++) {
				while (lab_receive(port, queue, &frame)) {
					judge(port, &frame);
					__atomic_store_n(&received, received + 1, __ATOMIC_RELAXED);
					any = true;
				}
			}
		}
		if (!any)
			breathe();
	}
	return NULL;
}

// --- control -------------------------------------------------------------------------------------
static struct tr_route_change route(uint32_t prefix, uint8_t bits, unsigned port, bool add)
{
	return (struct tr_route_change){
		.route =
			{
				.prefix = prefix,
				.bits = bits,
				.gateway = gateway(port),
				.port = TR_NO_PORT,
				.kind = TR_ROUTE_VIA,
				.source = TR_SOURCE_API,
			},
		.add = add,
	};
}

// Rules that drop nothing of the traffic; others each time, so that those before them are freed.
static void make_rules(struct tr_rule *rules, unsigned round)
{
	for (unsigned i = 0; i < RULES; i++)
		rules[i] = (struct tr_rule){
			.ports = 1,
			.source = 0x64400000 + (round * RULES + i) % 1024,
			.source_mask = ~0u,
			.protocol = TR_RULE_ANY,
			.icmp_type = TR_RULE_ANY,
			.action = i + 1 < RULES ? TR_RULE_DROP : TR_RULE_PERMIT,
			.counter = (uint16_t)i,
			.fresh = true,
		};
	rules[RULES - 1].source = rules[RULES - 1].source_mask = 0;
}

static void post(struct tr_route_change *changes, uint64_t n, const struct tr_rule *rules)
{
	struct tr_router *router = tr_engine_router(engine);
	const char *what = "";
	uint64_t bad;

	if (tr_routes_check(router, changes, n, &bad, &what))
		fail(what);
	while (tr_changes_post(router,
		       &(struct tr_changes){
			       .routes = changes,
			       .route_count = n,
			       .rules = rules,
			       .rule_count = RULES,
		       }) != 0)
		breathe();
}

static uint64_t generation(void)
{
	struct tr_table_info info;

	tr_engine_table_info(engine, &info);
	return info.pending || info.swap_outstanding ? 0 : info.generation;
}

static void sample_drops(unsigned round)
{
	const uint64_t none[TR_DROP_WORDS] = {0}, all[TR_DROP_WORDS] = {~0UL, ~0UL};
	static const uint8_t martian[4] = {127, 0, 0, 1};
	struct tr_drop_sample sample[TR_DROP_SAMPLES];
	uint64_t missed;
	uint32_t n;

	tr_router_sample_drops(tr_engine_router(engine), round % 8 ? all : none);
	n = tr_router_drop_samples(tr_engine_router(engine), sample, TR_DROP_SAMPLES, &missed);
	for (uint32_t i = 0; i < n; i++) {
		if (memcmp(&sample[i].data[30], martian, sizeof(martian)) != 0)
			fail("a sample of a packet that was not dropped");
	}
	samples += n;
}

static void read_everything(unsigned round)
{
	static struct tr_counters counters;
	static struct tr_route routes[4096];
	struct tr_neighbor_info neighbors[16];
	struct tr_dpdk_trace_event events[64];
	char error[TR_DPDK_TEXT];

	for (unsigned unit = 0; unit <= UNITS; unit++)
		tr_router_counters(tr_engine_router(engine), unit, &counters);
	if (round % 50 == 0) {
		tr_engine_routes_read(engine, routes, 4096, true);
		tr_engine_neighbors_read(engine, neighbors, 16);
		if (tr_engine_trace(engine, "ip dst net 198.19.0.0/16", 20, error))
			fail(error);
	}
	tr_engine_trace_read(engine, events, 64);
	sample_drops(round);
}

static void churn(void)
{
	struct tr_route_change changes[64];
	struct tr_rule rules[RULES];
	uint64_t before = generation();

	for (unsigned round = 0; round < SWAPS; round++) {
		changes[0] = route(MOVING, 16, 1 + round % 2, true);
		for (unsigned i = 1; i < 64; i++)
			changes[i] = route(0x64400000 + (round * 64 + i) % 2048 * 256, 24,
				1 + i % 2, round % 4 < 3);
		make_rules(rules, round);
		post(changes, 64, round % 3 ? rules : NULL);
		for (uint64_t now; (now = generation()) <= before;)
			breathe();
		before = generation();
		read_everything(round);
	}
}

// --- set-up --------------------------------------------------------------------------------------
static void start_eal(void)
{
	char error[TR_DPDK_TEXT], prefix[64];
	char *arguments[] = {"swaps", "--no-telemetry", "--no-huge", "--no-shconf", "--no-pci",
		"-m", "256", "--lcores=0", prefix, "--mbuf-pool-ops-name=" LAB_POOL, NULL};

	snprintf(prefix, sizeof(prefix), "--file-prefix=swaps-%d", (int)getpid());
	if (tr_eal_start(10, arguments, prefix, false, error))
		fail(error);
}

static void start_engine(struct tr_dpdk_config *settings)
{
	const int32_t cpu[UNITS + 1] = {TR_DPDK_ANY_CPU, TR_DPDK_ANY_CPU, TR_DPDK_ANY_CPU};
	const bool yields[UNITS + 1] = {true, true, true};
	struct tr_neighbor_change neighbor[PORTS];
	char error[TR_DPDK_TEXT], name[16];

	for (unsigned i = 0; i < PORTS; i++) {
		struct tr_port_config *port = &config->port[i];

		snprintf(name, sizeof(name), "%u", i);
		if (!tr_ring_port_new(name, UNITS, UNITS + 1, 64, 2048, error))
			fail(error);
		snprintf(settings->port[i].device, TR_DPDK_DEVICE, "net_ring_%u", i);
		settings->port[i].rx_descriptors = settings->port[i].tx_descriptors = 512;
		snprintf(port->name, sizeof(port->name), "p%u", i);
		memcpy(port->mac, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)i}, sizeof(port->mac));
		port->mtu = 1500;
		port->addresses = 1;
		port->address[0] = (struct tr_port_address){0x0a000001 + ((i + 1) << 16), 24};
	}
	engine = tr_engine_new(settings, error);
	if (!engine || lab_start())
		fail(error);
	for (uint16_t i = 0; i < PORTS; i++) {
		lab_take_over(i, UNITS, UNITS + 1);
		mac_of(i, neighbor[i].mac);
		neighbor[i].address = gateway(i);
		neighbor[i].port = i;
		neighbor[i].add = true;
	}
	tr_changes_post(tr_engine_router(engine),
		&(struct tr_changes){.neighbors = neighbor, .neighbor_count = PORTS});
	post((struct tr_route_change[]){route(MOVING, 16, 1, true), route(STILL, 16, 2, true)}, 2,
		NULL);
	if (tr_engine_start(engine, cpu, yields, error))
		fail(error);
	while (generation() == 0)
		breathe();
}

int main(void)
{
	static struct tr_dpdk_config settings;
	struct tr_table_info info;
	pthread_t sender, receiver;
	uint64_t held;

	config = &settings.config;
	start_eal();
	*config = (struct tr_config){
		.ports = PORTS,
		.fast_units = UNITS,
		.burst = 64,
		.tx_buffer = 64,
		.tx_flush_cycles = tr_dpdk_hz() / 50000,
		.punt_ring = 256,
		.neighbors_max = 256,
		.neighbor_pending = 16,
		.arp_retries = 3,
		.arp_retry_ms = 1000,
		.arp_lifetime_ms = 300000,
		.arp_failed_ms = 20000,
		.reassembly_ms = 60000,
		.reassembly_fragments = 64,
		.icmp_errors_burst = 1,
	};
	settings.buffers = 8191;
	start_engine(&settings);
	pthread_create(&receiver, NULL, receive_all, NULL);
	pthread_create(&sender, NULL, send_all, NULL);
	churn();
	__atomic_store_n(&stop_sending, true, __ATOMIC_RELAXED);
	pthread_join(sender, NULL);
	for (unsigned i = 0; i < LAST_WAITS_MAX; i++) {
		if (__atomic_load_n(&received, __ATOMIC_RELAXED) == sent)
			break;
		breathe();
	}
	__atomic_store_n(&stop_receiving, true, __ATOMIC_RELAXED);
	pthread_join(receiver, NULL);
	tr_engine_table_info(engine, &info);
	held = tr_engine_stop(engine, 1000);
	printf("swaps: %lu packets in, %lu out, %lu held, %lu swaps, %lu samples\n", sent, received,
		held, info.generation, samples);
	tr_engine_free(engine);
	tr_eal_stop();
	return sent == received && held == 0 && info.generation >= SWAPS && samples ? 0 : 1;
}
