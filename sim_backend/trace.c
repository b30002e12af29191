// SPDX-License-Identifier: MIT
// Hash and trace of events (trace.h). The hash multiplies and folds eight bytes a step: a chain
// over place, time, length and, where a frame is put on a wire, its bytes. A traced packet is one
// with a number; numbers are given where a station sends, and children in the router inherit them.
#include "core.h"
#include "env.h"
#include "reasons.h"
#include "world.h"
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_FACTOR 0x9fb21c651e98df25

static const char *const place_names[TR_PLACE_END - TR_STEPS_MAX] = {
	[TR_PLACE_SENT - TR_STEPS_MAX] = "sent",
	[TR_PLACE_WIRE - TR_STEPS_MAX] = "wire",
	[TR_PLACE_ARRIVED - TR_STEPS_MAX] = "arrived",
	[TR_PLACE_RECEIVED - TR_STEPS_MAX] = "received",
	[TR_PLACE_MISSED - TR_STEPS_MAX] = "missed",
	[TR_PLACE_NO_BUFFER - TR_STEPS_MAX] = "no_buffer",
	[TR_PLACE_LOST - TR_STEPS_MAX] = "lost",
	[TR_PLACE_CORRUPTED - TR_STEPS_MAX] = "corrupted",
	[TR_PLACE_DUPLICATED - TR_STEPS_MAX] = "duplicated",
	[TR_PLACE_REORDERED - TR_STEPS_MAX] = "reordered",
	[TR_PLACE_TWIN_OUT - TR_STEPS_MAX] = "twin_out",
	[TR_PLACE_TWIN_IN - TR_STEPS_MAX] = "twin_in",
};

const char *tr_place_name(unsigned place)
{
	if (place < TR_STEPS_MAX)
		return tr_step_name(place);
	return place < TR_PLACE_END ? place_names[place - TR_STEPS_MAX] : NULL;
}

static inline uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * HASH_FACTOR;
	return hash ^ (hash >> 32);
}

void tr_world_hash_bytes(struct tr_world *world, const uint8_t *data, uint32_t bytes)
{
	uint64_t hash = world->hash;
	uint64_t word;

	for (; bytes >= 8; data += 8, bytes -= 8) {
		memcpy(&word, data, 8);
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, data, bytes);
	world->hash = mix(hash, word);
}

static void append(struct tr_world *world, struct tr_trace_event event)
{
	struct tr_trace *trace = &world->trace;

	if (trace->count == trace->room) {
		uint64_t room = trace->room ? 2 * trace->room : 256;
		struct tr_trace_event *grown = realloc(trace->event, room * sizeof(*grown));

		if (!grown) {
			tr_world_fail(world, -ENOMEM);
			return;
		}
		trace->event = grown;
		trace->room = room;
	}
	trace->event[trace->count++] = event;
}

static bool ends_here(enum tr_place place)
{
	return place == TR_PLACE_MISSED || place == TR_PLACE_NO_BUFFER || place == TR_PLACE_LOST;
}

void tr_world_event_at(struct tr_world *world, uint64_t ps, enum tr_place place,
	const struct pkt *pkt, uint16_t router, uint32_t port, uint32_t detail)
{
	uint64_t hash = mix(world->hash, (uint64_t)place << 48 | (uint64_t)router << 32 | port);

	hash = mix(hash, ps);
	world->hash = mix(hash, (uint64_t)detail << 32 | pkt->bytes);
	if (!pkt->trace)
		return;
	append(world,
		(struct tr_trace_event){
			.time_ps = ps,
			.packet = pkt->trace,
			.bytes = pkt->bytes,
			.place = place,
			.verdict = ends_here(place) ? TR_VERDICT_DONE : TR_VERDICT_LIVE,
			.router = router,
			.unit = TR_NOWHERE,
			.port = port,
		});
}

void tr_world_event(struct tr_world *world, enum tr_place place, const struct pkt *pkt,
	uint16_t router, uint32_t port, uint32_t detail)
{
	tr_world_event_at(world, world->now_ps, place, pkt, router, port, detail);
}

void tr_core_trace(struct io_core *io, const struct pkt *pkt, unsigned step, uint16_t verdict)
{
	struct tr_core *core = tr_core_of(io);

	append(core->world,
		(struct tr_trace_event){
			.time_ps = tr_core_ps(core),
			.cycles = io->cycles,
			.packet = pkt->trace,
			.bytes = pkt->bytes,
			.place = (uint16_t)step,
			.verdict = verdict,
			.router = core->env->id,
			.unit = core->unit,
			.port = pkt->port,
		});
}

void tr_trace_enable(struct tr_world *world)
{
	world->trace.on = true;
	for (uint32_t i = 0; i < world->routers; i++)
		for (uint32_t unit = 0; unit < world->router[i]->units; unit++)
			world->router[i]->core[unit].io.trace_on = true;
}

void tr_trace_pick(struct tr_world *world, struct pkt *pkt, bool flagged)
{
	struct tr_trace *trace = &world->trace;
	const struct pcap_pkthdr header = {.caplen = pkt->bytes, .len = pkt->bytes};

	if (!flagged && trace->left == 0)
		return;
	if (trace->left &&
		(!trace->filter || pcap_offline_filter(trace->filter, &header, pkt->data))) {
		trace->left--;
		flagged = true;
	}
	if (flagged)
		pkt->trace = ++trace->packets;
}

static void filter_free(struct tr_trace *trace)
{
	if (!trace->filter)
		return;
	pcap_freecode(trace->filter);
	free(trace->filter);
	trace->filter = NULL;
}

void tr_trace_free(struct tr_trace *trace)
{
	filter_free(trace);
	free(trace->event);
}

int tr_world_trace(struct tr_world *world, const char *filter, uint64_t most, char *error)
{
	struct bpf_program *program = NULL;

	if (filter[0]) {
		pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);

		program = calloc(1, sizeof(*program));
		if (!pcap || !program ||
			pcap_compile(pcap, program, filter, 1, PCAP_NETMASK_UNKNOWN)) {
			snprintf(error, TR_SIM_TEXT, "%s", pcap ? pcap_geterr(pcap) : "no memory");
			if (pcap)
				pcap_close(pcap);
			free(program);
			return -EINVAL;
		}
		pcap_close(pcap);
	}
	filter_free(&world->trace);
	world->trace.filter = program;
	world->trace.left = most;
	tr_trace_enable(world);
	return 0;
}

uint64_t tr_world_trace_read(const struct tr_world *world, const struct tr_trace_event **events)
{
	*events = world->trace.event;
	return world->trace.count;
}
