// SPDX-License-Identifier: MIT
// Makes the fuzzer's worlds (bed.h) by the simulator's C API. Timers are short, so that the time
// in which a router forgets an input costs few events.
#include "bed.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HZ 1000000000
#define PS_PER_US 1000000
#define NET(port) (0x0a000000u + (((port) + 1u) << 16))
#define GROUP 0xef010101 // 239.1.1.1
#define ROUTES_MAX 24

static const uint8_t macs[BED_PORTS][6] = {
	{2, 0, 0, 0, 1, 1},
	{2, 0, 0, 0, 2, 1},
	{2, 0, 0, 0, 3, 1},
};

void bed_fail(const struct bed *bed, const char *what)
{
	fprintf(stderr, "fuzz: bed %d: %s\n", bed->kind, what);
	abort();
}

const uint8_t *bed_mac(unsigned port)
{
	return macs[port];
}

uint16_t bed_mtu(const struct bed *bed, unsigned port)
{
	if (port == 1)
		return 576;
	return bed->kind == BED_NARROW && port == 2 ? 68 : 1500;
}

// --- configuration -------------------------------------------------------------------------------
static void set_ports(const struct bed *bed, struct tr_sim_router *out)
{
	struct tr_config *config = &out->config;

	config->ports = BED_PORTS;
	for (unsigned i = 0; i < BED_PORTS; i++) {
		struct tr_port_config *port = &config->port[i];

		snprintf(port->name, sizeof(port->name), "p%u", i + 1);
		memcpy(port->mac, macs[i], sizeof(port->mac));
		port->mtu = bed_mtu(bed, i);
		port->redirects = true;
		port->addresses = 1;
		port->address[0] = (struct tr_port_address){NET(i) + 1, 24};
		out->nic[i] = (struct tr_nic_config){
			.rx_descriptors = bed->kind == BED_NARROW ? 8 : 1024,
			.tx_descriptors = bed->kind == BED_NARROW ? 4 : 1024,
			.checksum_verdict = bed->kind == BED_TWINS,
			.filters = bed->kind == BED_TWINS,
		};
	}
	config->port[0].addresses = 2;
	config->port[0].address[1] = (struct tr_port_address){0x0a040001, 30}; // 10.4.0.1/30
}

static void set_groups(struct tr_group_config *groups)
{
	groups->receive_directed = 7;
	groups->forward_directed = 7;
	groups->ttl_threshold[2] = 16;
	groups->groups = 1;
	groups->group[0] = (struct tr_group){GROUP, 3};
	groups->routes = 1;
	groups->route[0] = (struct tr_multicast_route){.group = GROUP, .from = 0, .to = 6};
}

static void set_options(struct tr_config *config)
{
	static const uint8_t processed[] = {131, 137, 7, 68, 148};

	memset(config->option_policy, TR_OPTION_IGNORE, sizeof(config->option_policy));
	for (unsigned i = 0; i < sizeof(processed); i++)
		config->option_policy[processed[i]] = TR_OPTION_PROCESS;
	config->option_policy[136] = TR_OPTION_DROP;
}

static void set_config(const struct bed *bed, struct tr_config *config)
{
	bool narrow = bed->kind == BED_NARROW;

	config->fast_units = bed->kind == BED_TWINS || bed->kind == BED_SPLIT ? 2 : 1;
	config->burst = narrow ? 4 : 32;
	config->scatter = bed->kind == BED_TWINS ? TR_SCATTER_MASKS : TR_SCATTER_DROP_OUT;
	if (bed->kind == BED_SPLIT) {
		config->scatter = TR_SCATTER_SPLIT;
		config->rebatch = true;
		config->rebatch_cycles = HZ / 50000;
	}
	config->tx_buffer = narrow ? 2 : 32;
	config->tx_flush_cycles = HZ / 50000;
	config->hash_seed = 20;
	config->punt_ring = narrow ? 4 : 256;
	config->neighbors_max = narrow ? 16 : 64;
	config->neighbor_pending = narrow ? 2 : 8;
	config->arp_retries = 3;
	config->arp_retry_ms = 500;
	config->arp_lifetime_ms = 10000;
	config->arp_failed_ms = 5000;
	config->reassembly_ms = 5000;
	config->reassembly_fragments = narrow ? 16 : 64;
	config->icmp_errors_per_s = narrow ? 100 : 0;
	config->icmp_errors_burst = narrow ? 4 : 0;
	config->icmp.extensions = narrow || bed->kind == BED_TWINS;
	set_options(config);
	set_groups(&config->groups);
}

static void set_profile(struct tr_profile *profile, bool functional)
{
	profile->functional = functional;
	profile->hz = HZ;
	profile->poll_millicycles = 60000;
	for (unsigned i = 0; i < TR_STEPS_MAX; i++)
		profile->step[i] = (struct tr_step_cost){80000, 200000};
}

// --- routes and neighbours -----------------------------------------------------------------------
static struct tr_route_change route(uint32_t prefix, uint8_t bits, uint8_t kind, uint32_t gateway)
{
	return (struct tr_route_change){
		.route =
			{
				.prefix = prefix,
				.bits = bits,
				.kind = kind,
				.gateway = gateway,
				.port = TR_NO_PORT,
				.source = TR_SOURCE_CONFIG,
			},
		.add = true,
	};
}

static unsigned set_routes(struct tr_route_change *out)
{
	unsigned n = 0;

	out[n++] = route(0xc6120000, 16, TR_ROUTE_VIA, NET(1) + 254); // 198.18/16 by p2's router
	out[n++] = route(0xc6130000, 16, TR_ROUTE_VIA, NET(2) + 254); // 198.19/16 by p3's
	out[n++] = route(0xc6140000, 16, TR_ROUTE_VIA, NET(1) + 254); // 198.20/16 by three
	out[n++] = route(0xc6140000, 16, TR_ROUTE_MORE, NET(2) + 254);
	out[n++] = route(0xc6140000, 16, TR_ROUTE_MORE, NET(2) + 253); // which may not be there
	out[n++] = route(0xc6150000, 16, TR_ROUTE_VIA, NET(2) + 254);  // 198.21/16, narrower
	out[n++] = route(0xc6150000, 16, TR_ROUTE_MTU, 296);
	out[n++] = route(0xc6160000, 16, TR_ROUTE_VIA, NET(1) + 253); // 198.22/16, by nobody known
	out[n++] = route(0xc6170000, 24, TR_ROUTE_BLACKHOLE, 0);
	out[n++] = route(0xc6170100, 24, TR_ROUTE_UNREACHABLE, 0);
	out[n++] = route(0xc6170200, 24, TR_ROUTE_PROHIBIT, 0);
	out[n++] = route(0xc6180000, 16, TR_ROUTE_VIA, NET(0) + 254); // 198.24/16, back by p1
	return n;
}

static void configure(struct bed *bed)
{
	struct tr_route_change routes[ROUTES_MAX];
	struct tr_neighbor_change neighbors[2 * BED_PORTS];
	const char *what = "the changes have no room";
	struct tr_changes changes = {
		.routes = routes,
		.route_count = set_routes(routes),
		.neighbors = neighbors,
		.neighbor_count = 2 * BED_PORTS,
	};
	uint64_t bad;

	for (uint16_t i = 0; i < 2 * BED_PORTS; i++) {
		uint8_t last = i % 2 ? 254 : 2;

		neighbors[i] = (struct tr_neighbor_change){
			.address = NET(i / 2) + last,
			.port = i / 2,
			.mac = {2, 0, 0, 0, (uint8_t)(i / 2 + 1), last},
			.add = true,
		};
	}
	if (tr_routes_check(bed->router, routes, changes.route_count, &bad, &what) ||
		tr_changes_post(bed->router, &changes))
		bed_fail(bed, what);
}

// --- the world -----------------------------------------------------------------------------------
static uint32_t made(const struct bed *bed, int id)
{
	if (id < 0)
		bed_fail(bed, "the world can not be made");
	return (uint32_t)id;
}

static void connect(struct bed *bed, uint32_t router, unsigned port)
{
	const struct tr_link_config wire = {
		.bits_per_s = bed->kind == BED_NARROW ? 1000000000 : 0,
		.delay_ps = bed->kind == BED_NARROW ? PS_PER_US : 0,
	};
	struct tr_station_config station = {
		.mac = {2, 0, 0, 0, (uint8_t)(port + 1), BED_STATION},
		.address = NET(port) + BED_STATION,
		.bits = 24,
		.arp = bed->kind == BED_SPLIT ? TR_STATION_OWN : TR_STATION_SILENT,
		.record = true,
	};
	struct tr_end end = {TR_END_PORT, router, port}, other = {.kind = TR_END_STATION};

	other.id = bed->station[port] = made(bed, tr_world_station(bed->world, &station));
	bed->link[port] = made(bed, tr_world_link(bed->world, &other, &end, &wire));
	if (bed->kind != BED_TWINS)
		return;
	station.arp = TR_STATION_SILENT;
	memcpy(station.mac, macs[port], sizeof(station.mac));
	station.record = false;
	other.id = bed->twin[port] = made(bed, tr_world_station(bed->world, &station));
	end.kind = TR_END_TWIN;
	made(bed, tr_world_link(bed->world, &other, &end, &wire));
}

void bed_make(struct bed *bed, enum bed_kind kind)
{
	struct tr_sim_router *router = calloc(1, sizeof(*router));
	struct tr_table_info info;
	uint32_t id;

	*bed = (struct bed){.world = tr_world_new(1), .kind = kind};
	if (!router || !bed->world)
		bed_fail(bed, "no memory");
	set_ports(bed, router);
	set_config(bed, &router->config);
	set_profile(&router->profile, kind != BED_NARROW);
	router->buffers = kind == BED_NARROW ? 64 : 4096;
	id = made(bed, tr_world_router(bed->world, router));
	free(router);
	bed->router = tr_world_core_router(bed->world, id);
	for (unsigned i = 0; i < BED_PORTS; i++)
		connect(bed, id, i);
	configure(bed);
	bed_run_us(bed, 60000000);
	tr_router_table_info(bed->router, &info);
	bed->routes = info.routes;
	bed_check_quiet(bed);
	bed_check_works(bed);
}

void bed_free(struct bed *bed)
{
	tr_world_free(bed->world);
	bed->world = NULL;
}

void bed_send(struct bed *bed, uint32_t station, const uint8_t *frame, uint32_t bytes)
{
	uint64_t offset = 0, bad;

	if (tr_station_send(bed->world, station, frame, &offset, &bytes, NULL, NULL, 1, &bad))
		bed_fail(bed, "a station can not send");
}

void bed_run_us(struct bed *bed, uint64_t us)
{
	if (tr_world_run(bed->world, tr_world_now_ps(bed->world) + us * PS_PER_US, false) < 0)
		bed_fail(bed, "the world ended");
}
