// SPDX-License-Identifier: MIT
// The trace of chosen packets. A unit numbers packets that match the filter as it receives them and
// puts what each step did with one into its own bounded ring, from which the control thread takes
// it. A full ring loses events and counts them; nothing ever waits. While no trace is on, a unit
// looks at one flag a burst.
#include "env.h"
#include <errno.h>
#include <pcap/pcap.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <stdlib.h>

#define EVENTS_MAX 8192 // of a unit

struct tr_trace {
	struct bpf_program filter;
	bool has_filter;
	uint64_t left;   // packets still to be picked; units: rw
	uint32_t number; // given so far; units: rw
};

void tr_trace_pick(struct io_core *core, struct pkt **pkts, unsigned n)
{
	struct tr_trace *trace = core->trace;

	for (unsigned i = 0; i < n; i++) {
		uint32_t bytes = pkt_bytes(pkts[i]);
		uint64_t left = __atomic_load_n(&trace->left, __ATOMIC_RELAXED);

		if (left == 0)
			return;
		if (trace->has_filter &&
			!bpf_filter(trace->filter.bf_insns, pkt_data(pkts[i]), bytes, bytes))
			continue;
		// Several units may pick at a time.
		while (left &&
			!__atomic_compare_exchange_n(&trace->left, &left, left - 1, true,
				__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
		if (left == 0)
			return;
		pkt_mbuf(pkts[i])->ol_flags |= tr_pkt_traced_flag;
		pkt_facts(pkts[i])->trace = __atomic_add_fetch(&trace->number, 1, __ATOMIC_RELAXED);
	}
}

void tr_trace_event(struct io_core *core, const struct pkt *pkt, unsigned step, uint16_t verdict)
{
	struct tr_dpdk_trace_event event = {
		.cycles = rte_rdtsc(),
		.packet = pkt_facts(pkt)->trace,
		.bytes = (uint16_t)pkt_bytes(pkt),
		.place = (uint16_t)step,
		.verdict = verdict,
		.unit = core->unit,
		.port = pkt_port(pkt),
	};

	if (rte_ring_sp_enqueue_elem(core->events, &event, sizeof(event)) != 0)
		__atomic_store_n(&core->events_lost, core->events_lost + 1, __ATOMIC_RELAXED);
}

// --- control thread ------------------------------------------------------------------------------
static void set_on(struct io_env *env, bool on)
{
	for (uint16_t i = 0; i < env->units; i++) {
		env->unit[i].core.trace = env->trace;
		__atomic_store_n(&env->unit[i].core.trace_on, on, __ATOMIC_RELEASE);
	}
}

static int make_rings(struct io_env *env)
{
	const unsigned size = sizeof(struct tr_dpdk_trace_event);
	ssize_t bytes = rte_ring_get_memsize_elem(size, EVENTS_MAX);

	for (uint16_t i = 0; i < env->units; i++) {
		struct rte_ring *ring = env->unit[i].core.events;

		if (ring)
			continue;
		ring = rte_zmalloc("twinroute trace", (size_t)bytes, RTE_CACHE_LINE_SIZE);
		if (!ring)
			return -ENOMEM;
		rte_ring_init(ring, "tr_trace", EVENTS_MAX, RING_F_SP_ENQ | RING_F_SC_DEQ);
		env->unit[i].core.events = ring;
	}
	return 0;
}

static void end(struct io_env *env)
{
	if (!env->trace)
		return;
	for (uint16_t i = 0; i < env->units; i++)
		__atomic_store_n(&env->unit[i].core.trace_on, false, __ATOMIC_RELAXED);
	tr_engine_pass(env);
	if (env->trace->has_filter)
		pcap_freecode(&env->trace->filter);
	free(env->trace);
	env->trace = NULL;
}

int tr_engine_trace(struct io_env *env, const char *filter, uint64_t most, char *error)
{
	struct tr_dpdk_trace_event old;

	end(env);
	if (most == 0)
		return 0;
	env->trace = calloc(1, sizeof(*env->trace));
	if (!env->trace || make_rings(env))
		return tr_say(error, ENOMEM, "no memory");
	if (*filter) {
		if (tr_compile_filter(filter, &env->trace->filter, error)) {
			free(env->trace);
			env->trace = NULL;
			return -EINVAL;
		}
		env->trace->has_filter = true;
	}
	env->trace->left = most;
	while (tr_engine_trace_read(env, &old, 1))
		continue;
	set_on(env, true);
	return 0;
}

uint64_t tr_engine_trace_read(struct io_env *env, struct tr_dpdk_trace_event *out, uint64_t room)
{
	uint64_t taken = 0;

	for (uint16_t i = 0; i < env->units; i++) {
		struct rte_ring *ring = env->unit[i].core.events;

		while (ring && taken < room &&
			rte_ring_sc_dequeue_elem(ring, &out[taken], sizeof(*out)) == 0)
			taken++;
	}
	return taken;
}

void tr_trace_free(struct io_env *env)
{
	end(env);
	for (uint16_t i = 0; i < env->units; i++)
		rte_free(env->unit[i].core.events);
}
