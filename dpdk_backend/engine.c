// SPDX-License-Identifier: MIT
// An engine's life: ports and router are made, a thread runs each unit, all is taken down again.
// A unit's thread does nothing but turns of its unit; it never calls back into the control thread's
// language. A unit with a processor to itself never leaves it; one that shares goes to sleep for a
// moment when it has found nothing for a while. One more thread watches the ports' links.
#include "env.h"
#include <errno.h>
#include <limits.h>
#include <rte_errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define IDLE_TURNS_SPIN 64   // that find nothing before a sharing unit offers its processor,
#define IDLE_TURNS_YIELD 512 // and before it sleeps
#define IDLE_NS 20000        // at first: longer and longer while nothing is found,
#define IDLE_NS_MAX 320000   // as each look takes time from others on the processor
#define WATCH_NS 20000000
#define CONTROL_NS 20000

static void rest(long ns)
{
	const struct timespec time = {.tv_nsec = ns};

	nanosleep(&time, NULL);
}

// --- making and freeing --------------------------------------------------------------------------
static int open_ports(struct io_env *env, char *error)
{
	int code = 0;

	for (uint16_t i = 0; code == 0 && i < env->ports; i++)
		code = tr_port_open(&env->port[i], error);
	for (uint16_t i = 0; code == 0 && i < env->ports; i++)
		code = tr_port_set_up(&env->port[i], error);
	for (uint16_t i = 0; code == 0 && i < env->ports; i++) {
		int twin = -1;

		if (env->port[i].config->twin)
			twin = tr_twin_open(env->port[i].config, &env->config.config.port[i],
				error);
		code = twin < -1 ? twin : 0;
		env->port[i].io.twin = twin < 0 ? -1 : twin;
		env->port[i].twin = env->config.config.port[i];
		env->port[i].is_enabled = env->port[i].has_carrier = true; // as they are made
	}
	return code;
}

static struct io_env *new_env(const struct tr_dpdk_config *config)
{
	struct io_env *env = aligned_alloc(RTE_CACHE_LINE_SIZE,
		RTE_ALIGN_CEIL(sizeof(*env), RTE_CACHE_LINE_SIZE));

	if (!env)
		return NULL;
	memset(env, 0, sizeof(*env));
	env->config = *config;
	env->ports = (uint16_t)config->config.ports;
	env->units = (uint16_t)(config->config.fast_units + 1);
	for (uint16_t i = 0; i < env->ports; i++) {
		env->port[i].config = &env->config.port[i];
		env->port[i].env = env;
		env->port[i].index = i;
		env->port[i].io.twin = -1;
	}
	for (uint16_t i = 0; i < env->units; i++) {
		env->unit[i].env = env;
		env->unit[i].core.unit = i;
		env->unit[i].core.hz = tr_dpdk_hz();
		env->unit[i].cpu = TR_DPDK_ANY_CPU;
	}
	return env;
}

struct io_env *tr_engine_new(const struct tr_dpdk_config *config, char *error)
{
	struct io_env *env;

	if (config->config.ports == 0 || config->config.ports > TR_PORTS_MAX ||
		config->config.fast_units == 0 || config->config.fast_units >= TR_UNITS_MAX) {
		tr_say(error, EINVAL, "ports or units out of range");
		return NULL;
	}
	env = new_env(config);
	if (!env) {
		tr_say(error, ENOMEM, "no memory");
		return NULL;
	}
	if (open_ports(env, error) == 0) {
		errno = 0;
		env->router = tr_router_new(&env->config.config, env);
		if (env->router)
			return env;
		tr_say(error, errno, "no router: %s", strerror(errno ? errno : ENOMEM));
	}
	tr_engine_free(env);
	return NULL;
}

void tr_engine_free(struct io_env *env)
{
	if (!env)
		return;
	tr_engine_stop(env, 0);
	tr_router_free(env->router);
	tr_trace_free(env);
	for (uint16_t i = 0; i < env->ports; i++) {
		tr_twin_close(env->port[i].io.twin);
		tr_port_close(&env->port[i]);
	}
	for (unsigned i = 0; i < RTE_MAX_NUMA_NODES; i++)
		rte_mempool_free(env->pool[i]);
	free(env);
}

struct tr_router *tr_engine_router(const struct io_env *env)
{
	return env->router;
}

// --- units ---------------------------------------------------------------------------------------
static void idle(const struct tr_dpdk_unit *unit, unsigned turns)
{
	if (!unit->yields || turns < IDLE_TURNS_SPIN)
		rte_pause();
	else if (turns < IDLE_TURNS_YIELD)
		sched_yield();
	else
		rest(RTE_MIN((long)IDLE_NS * (turns / IDLE_TURNS_YIELD), IDLE_NS_MAX));
}

static void run_turns(struct tr_dpdk_unit *unit)
{
	struct io_env *env = unit->env;
	uint16_t index = unit->core.unit;
	uint64_t turns = 0, idle_turns = 0;
	unsigned since_work = 0;

	while (!__atomic_load_n(&env->stop, __ATOMIC_RELAXED)) {
		unsigned work = tr_router_poll(env->router, index);

		// Release: whoever has seen this turn end may take away what it used.
		__atomic_store_n(&unit->turns, ++turns, __ATOMIC_RELEASE);
		if (work) {
			since_work = 0;
			continue;
		}
		__atomic_store_n(&unit->idle, ++idle_turns, __ATOMIC_RELAXED);
		if (unlikely(__atomic_load_n(&env->drain, __ATOMIC_RELAXED)))
			__atomic_store_n(&unit->held, tr_router_held(env->router, index),
				__ATOMIC_RELAXED);
		since_work += since_work < UINT_MAX;
		idle(unit, since_work);
	}
}

static void *run_unit(void *argument)
{
	struct tr_dpdk_unit *unit = argument;
	int32_t ready = rte_thread_register() ? -rte_errno : 1;

	__atomic_store_n(&unit->ready, ready, __ATOMIC_RELEASE);
	if (ready == 1) {
		run_turns(unit);
		rte_thread_unregister();
	}
	return NULL;
}

static void *run_watch(void *argument)
{
	struct io_env *env = argument;

	while (!__atomic_load_n(&env->stop, __ATOMIC_RELAXED)) {
		for (uint16_t i = 0; i < env->ports; i++)
			tr_port_follow(&env->port[i]);
		rest(WATCH_NS);
	}
	return NULL;
}

static int start_thread(pthread_t *thread, int32_t cpu, void *(*run)(void *), void *argument,
	const char *name)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	cpu_set_t set;
	int code;

	pthread_attr_init(&attributes);
	if (cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET((unsigned)cpu, &set);
		pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
	}
	sigfillset(&all); // signals are for the control thread
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(thread, &attributes, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (code == 0)
		pthread_setname_np(*thread, name);
	return code;
}

static int start_unit(struct tr_dpdk_unit *unit, int32_t cpu, bool yields, char *error)
{
	bool is_slow = unit->core.unit + 1 == unit->env->units;
	int32_t ready = 0;
	char name[16];
	int code;

	unit->cpu = cpu;
	unit->yields = yields;
	unit->ready = 0;
	snprintf(name, sizeof(name), is_slow ? "tr-slow" : "tr-fast-%u", unit->core.unit);
	code = start_thread(&unit->thread, cpu, run_unit, unit, name);
	if (code)
		return tr_say(error, code, "unit %u on CPU %d: %s", unit->core.unit, cpu,
			strerror(code));
	unit->has_thread = true;
	while ((ready = __atomic_load_n(&unit->ready, __ATOMIC_ACQUIRE)) == 0)
		rest(CONTROL_NS);
	if (ready < 0)
		return tr_say(error, -ready, "unit %u: DPDK refuses its thread: %s",
			unit->core.unit, rte_strerror(-ready));
	return 0;
}

int tr_engine_start(struct io_env *env, const int32_t *cpu, const bool *yields, char *error)
{
	int code = 0;

	if (env->is_running)
		return tr_say(error, EALREADY, "the engine runs");
	env->stop = env->drain = false;
	env->is_running = true;
	for (uint16_t i = 0; i < env->ports; i++)
		__atomic_store_n(&env->port[i].io.rx_queues, env->port[i].rx_queues,
			__ATOMIC_RELAXED);
	for (uint16_t i = 0; code == 0 && i < env->units; i++)
		code = start_unit(&env->unit[i], cpu[i], yields[i], error);
	if (code == 0) {
		int failed = start_thread(&env->watch, -1, run_watch, env, "tr-watch");

		env->has_watch = failed == 0;
		if (failed)
			code = tr_say(error, failed, "no thread: %s", strerror(failed));
	}
	if (code)
		tr_engine_stop(env, 0);
	return code;
}

// --- stopping ------------------------------------------------------------------------------------
void tr_engine_pass(struct io_env *env)
{
	for (uint16_t i = 0; env->is_running && i < env->units; i++) {
		struct tr_dpdk_unit *unit = &env->unit[i];
		uint64_t turns = __atomic_load_n(&unit->turns, __ATOMIC_ACQUIRE);

		// The turn after the one that was under way.
		while (__atomic_load_n(&unit->turns, __ATOMIC_ACQUIRE) < turns + 2)
			rest(CONTROL_NS);
	}
}

static uint64_t held_by(struct io_env *env, uint16_t first, uint16_t end)
{
	uint64_t held = 0;

	for (uint16_t i = first; i < end; i++)
		held += __atomic_load_n(&env->unit[i].held, __ATOMIC_RELAXED) != 0;
	return held;
}

// The fast path first: what it holds may end in the slow path.
static void drain(struct io_env *env, uint32_t drain_ms)
{
	uint64_t end = rte_rdtsc() + tr_dpdk_hz() / 1000 * drain_ms;

	for (uint16_t i = 0; i < env->ports; i++)
		__atomic_store_n(&env->port[i].io.rx_queues, 0, __ATOMIC_RELAXED);
	tr_engine_pass(env);
	for (uint16_t i = 0; i < env->units; i++)
		__atomic_store_n(&env->unit[i].held, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&env->drain, true, __ATOMIC_RELAXED);
	while (held_by(env, 0, (uint16_t)(env->units - 1)) && rte_rdtsc() < end)
		rest(CONTROL_NS);
	__atomic_store_n(&env->unit[env->units - 1].held, 1, __ATOMIC_RELAXED);
	while (held_by(env, (uint16_t)(env->units - 1), env->units) && rte_rdtsc() < end)
		rest(CONTROL_NS);
}

uint64_t tr_engine_stop(struct io_env *env, uint32_t drain_ms)
{
	uint64_t held = 0;

	if (!env->is_running)
		return 0;
	if (drain_ms)
		drain(env, drain_ms);
	__atomic_store_n(&env->stop, true, __ATOMIC_RELAXED);
	for (uint16_t i = 0; i < env->units; i++) {
		if (env->unit[i].has_thread)
			pthread_join(env->unit[i].thread, NULL);
		env->unit[i].has_thread = false;
	}
	if (env->has_watch)
		pthread_join(env->watch, NULL);
	env->has_watch = env->is_running = false;
	for (uint16_t i = 0; i < env->units; i++)
		held += tr_router_held(env->router, i);
	return held;
}

void tr_engine_turn(struct io_env *env)
{
	for (uint16_t i = 0; !env->is_running && i < env->units; i++)
		tr_router_poll(env->router, i);
}

bool tr_engine_is_running(const struct io_env *env)
{
	return env->is_running;
}
