// SPDX-License-Identifier: MIT
// The control thread's questions to a running router. Whatever belongs to the slow path is read by
// the slow path: the question goes to it as a message, is answered between two turns, and the
// control thread sleeps until then. While no unit runs the control thread reads for itself.
#include "env.h"
#include <errno.h>
#include <time.h>

struct question {
	enum { HELD, TABLE_INFO, ROUTES, NEIGHBORS, RULES, LOOKUP } about;
	const struct tr_router *router;
	unsigned slow_unit;
	void *out;
	uint64_t room;
	bool all;
	const uint32_t *addresses;
	uint64_t address_count;
	uint64_t answer;
};

static void answer(void *argument)
{
	struct question *question = argument;

	switch (question->about) {
	case HELD:
		question->answer = tr_router_held(question->router, question->slow_unit);
		break;
	case TABLE_INFO:
		tr_router_table_info(question->router, question->out);
		break;
	case ROUTES:
		question->answer = tr_routes_read(question->router, question->out, question->room,
			question->all);
		break;
	case NEIGHBORS:
		question->answer =
			tr_neighbors_read(question->router, question->out, question->room);
		break;
	case RULES:
		question->answer = tr_rules_read(question->router, question->out, question->room);
		break;
	case LOOKUP:
		question->answer = tr_routes_lookup(question->router, question->addresses,
			question->address_count, question->out, question->room);
		break;
	}
}

static void ask(struct io_env *env, struct question *question)
{
	const struct timespec time = {.tv_nsec = 20000};
	uint32_t is_done = 0;

	question->router = env->router;
	question->slow_unit = env->units - 1u;
	if (!env->is_running) {
		answer(question);
		return;
	}
	// A full ring is emptied by the slow path.
	while (tr_router_call(env->router, answer, question, &is_done) != 0)
		nanosleep(&time, NULL);
	while (!__atomic_load_n(&is_done, __ATOMIC_ACQUIRE))
		nanosleep(&time, NULL);
}

uint64_t tr_engine_held(struct io_env *env)
{
	struct question question = {.about = HELD};

	ask(env, &question);
	return question.answer;
}

void tr_engine_table_info(struct io_env *env, struct tr_table_info *out)
{
	struct question question = {.about = TABLE_INFO, .out = out};

	ask(env, &question);
}

uint64_t tr_engine_routes_read(struct io_env *env, struct tr_route *out, uint64_t room, bool all)
{
	struct question question = {.about = ROUTES, .out = out, .room = room, .all = all};

	ask(env, &question);
	return question.answer;
}

uint64_t tr_engine_neighbors_read(struct io_env *env, struct tr_neighbor_info *out, uint64_t room)
{
	struct question question = {.about = NEIGHBORS, .out = out, .room = room};

	ask(env, &question);
	return question.answer;
}

uint64_t tr_engine_rules_read(struct io_env *env, struct tr_rule *out, uint64_t room)
{
	struct question question = {.about = RULES, .out = out, .room = room};

	ask(env, &question);
	return question.answer;
}

uint64_t tr_engine_routes_lookup(struct io_env *env, const uint32_t *addresses, uint64_t n,
	struct tr_route *out, uint64_t room)
{
	struct question question = {
		.about = LOOKUP,
		.out = out,
		.room = room,
		.addresses = addresses,
		.address_count = n,
	};

	ask(env, &question);
	return question.answer;
}

int tr_engine_unit_info(const struct io_env *env, uint32_t index, struct tr_dpdk_unit_info *out)
{
	const struct tr_dpdk_unit *unit;

	if (index >= env->units)
		return -EINVAL;
	unit = &env->unit[index];
	*out = (struct tr_dpdk_unit_info){
		.cpu = unit->cpu,
		.yields = unit->yields,
		.turns = __atomic_load_n(&unit->turns, __ATOMIC_RELAXED),
		.idle = __atomic_load_n(&unit->idle, __ATOMIC_RELAXED),
		.events_lost = __atomic_load_n(&unit->core.events_lost, __ATOMIC_RELAXED),
	};
	return 0;
}

uint64_t tr_dpdk_cycles(void)
{
	return rte_rdtsc();
}

uint64_t tr_dpdk_hz(void)
{
	return rte_get_tsc_hz();
}
