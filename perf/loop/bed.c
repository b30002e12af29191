// SPDX-License-Identifier: MIT
// The router that the loop runs (loop.h): two ports, gateways behind the second, all of them known.
// Made by the simulator's C API, with its tables swapped in; then the world stands still.
#include "loop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HZ 1000000000
#define NET(port) (0x0a000000u + ((port) << 8)) // 10.0.0.0/24, 10.0.1.0/24
#define SETTLE_PS 1000000000000                 // a second: longer than any timer of start

void loop_fail(const char *what)
{
	fprintf(stderr, "loop: %s\n", what);
	exit(1);
}

static uint32_t gateway(uint32_t index)
{
	return NET(1) + 2 + index;
}

static void set_config(const struct loop_bed_config *from, struct tr_config *config)
{
	config->ports = LOOP_PORTS;
	for (unsigned i = 0; i < LOOP_PORTS; i++) {
		struct tr_port_config *port = &config->port[i];

		snprintf(port->name, sizeof(port->name), "p%u", i);
		memcpy(port->mac, (uint8_t[]){2, 0, 0, 0, (uint8_t)i, 1}, sizeof(port->mac));
		port->mtu = 1500;
		port->redirects = true;
		port->addresses = 1;
		port->address[0] = (struct tr_port_address){NET(i) + 1, 24};
	}
	config->fast_units = from->units;
	config->burst = TR_BATCH_MAX;
	config->lpm = from->compact ? TR_LPM_COMPACT : TR_LPM_DIR24_8;
	snprintf(config->vector, sizeof(config->vector), "%s", from->vector);
	config->tx_buffer = 64;
	config->tx_flush_cycles = HZ / 10000;
	config->hash_seed = 20;
	config->punt_ring = 1024;
	config->neighbors_max = 256;
	config->neighbor_pending = 8;
	config->arp_retries = 3;
	config->arp_retry_ms = 500;
	config->arp_lifetime_ms = 1000000;
	config->arp_failed_ms = 5000;
	config->reassembly_ms = 5000;
	config->reassembly_fragments = 64;
	config->rules = from->rules;
	for (uint32_t i = 0; i < from->rules; i++)
		config->rule[i] = (struct tr_rule){
			.ports = 1,
			.source = 0xcb007100 + (i & 0xff), // 203.0.113.0/24, which sends nothing
			.source_mask = 0xffffffff,
			.protocol = TR_RULE_ANY,
			.icmp_type = TR_RULE_ANY,
			.action = TR_RULE_DROP,
			.counter = (uint16_t)i,
		};
}

static struct tr_route_change route(uint32_t prefix, uint8_t bits, uint8_t kind, uint32_t to)
{
	return (struct tr_route_change){
		.route =
			{
				.prefix = prefix,
				.bits = bits,
				.kind = kind,
				.gateway = to,
				.port = TR_NO_PORT,
				.source = TR_SOURCE_CONFIG,
			},
		.add = true,
	};
}

static void post_routes(struct loop_bed *bed, const struct loop_bed_config *config)
{
	uint64_t room = (uint64_t)(config->routes + 1) * config->paths, n = 0, bad;
	struct tr_route_change *rows = calloc(room, sizeof(*rows));
	const char *what = "no memory for routes";
	struct tr_changes changes = {.routes = rows};

	if (!rows)
		loop_fail(what);
	for (uint32_t i = 0; i <= config->routes; i++) {
		struct loop_route to = i ? config->route[i - 1] : (struct loop_route){0, 0};

		for (uint32_t path = 0; path < config->paths; path++)
			rows[n++] = route(to.prefix, (uint8_t)to.bits,
				path ? TR_ROUTE_MORE : TR_ROUTE_VIA,
				gateway((i + path) % config->gateways));
	}
	changes.route_count = n;
	if (tr_routes_check(bed->router, rows, n, &bad, &what) ||
		tr_changes_post(bed->router, &changes))
		loop_fail(what);
	free(rows);
}

static void post_neighbors(struct loop_bed *bed, uint32_t n)
{
	struct tr_neighbor_change neighbor[LOOP_GATEWAYS_MAX];
	struct tr_changes changes = {.neighbors = neighbor, .neighbor_count = n};

	for (uint32_t i = 0; i < n; i++)
		neighbor[i] = (struct tr_neighbor_change){
			.address = gateway(i),
			.port = 1,
			.mac = {2, 0, 0, 0, 9, (uint8_t)i},
			.add = true,
		};
	if (tr_changes_post(bed->router, &changes))
		loop_fail("the neighbours have no room");
}

static void connect(struct loop_bed *bed, uint32_t router, uint32_t port)
{
	const struct tr_station_config station = {
		.mac = {2, 0, 0, 0, 8, (uint8_t)port},
		.address = NET(port) + 254,
		.bits = 24,
	};
	const struct tr_link_config wire = {0};
	struct tr_end there = {TR_END_STATION, 0, 0}, here = {TR_END_PORT, router, port};
	int id = tr_world_station(bed->world, &station);

	there.id = (uint32_t)id;
	if (id < 0 || tr_world_link(bed->world, &there, &here, &wire) < 0)
		loop_fail("the links can not be made");
}

static void settle(struct loop_bed *bed)
{
	struct tr_table_info info;

	do {
		if (tr_world_run(bed->world, tr_world_now_ps(bed->world) + SETTLE_PS, false) < 0)
			loop_fail("the world ended");
		tr_router_table_info(bed->router, &info);
	} while (info.pending || info.swap_outstanding);
	if (info.unplaced)
		loop_fail("the routes do not fit the table");
}

void loop_bed_make(struct loop_bed *bed, const struct loop_bed_config *config)
{
	struct tr_sim_router *router = calloc(1, sizeof(*router));
	int id;

	*bed = (struct loop_bed){.world = tr_world_new(1), .units = (uint16_t)config->units};
	if (!router || !bed->world)
		loop_fail("no memory");
	if (config->gateways < 1 || config->gateways > LOOP_GATEWAYS_MAX ||
		config->paths > config->gateways || config->rules > TR_RULES_MAX)
		loop_fail("no such bed");
	set_config(config, &router->config);
	router->profile.functional = true;
	router->profile.hz = HZ;
	router->buffers = 65536;
	for (unsigned i = 0; i < LOOP_PORTS; i++)
		router->nic[i] = (struct tr_nic_config){1024, 1024, true, false, false};
	id = tr_world_router(bed->world, router);
	free(router);
	if (id < 0)
		loop_fail("the router can not be made");
	bed->router = tr_world_core_router(bed->world, (uint32_t)id);
	for (uint32_t i = 0; i < LOOP_PORTS; i++)
		connect(bed, (uint32_t)id, i);
	post_neighbors(bed, config->gateways);
	post_routes(bed, config);
	settle(bed);
	for (uint16_t i = 0; i < bed->units; i++)
		loop_feed_init(&bed->feed[i], bed, i);
}

void loop_bed_free(struct loop_bed *bed)
{
	for (uint16_t i = 0; i < bed->units; i++)
		loop_feed_free(&bed->feed[i]);
	tr_world_free(bed->world);
}
