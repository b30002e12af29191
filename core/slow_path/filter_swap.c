// SPDX-License-Identifier: MIT
// The packet filter's rules and how they are replaced: the new ones go down every unit's command
// ring, as a table does, and the old ones are freed when every unit has left them. The slow path
// judges by the new ones at once. Rules that come before the last unit has acknowledged wait for
// it; of several that wait only the last ones count.
#include "fast_path/fast_unit.h"
#include "slow_path/slow_path.h"

#include <errno.h>
#include <stdlib.h>

int tr_slow_rules_init(struct tr_slow_path *slow)
{
	slow->rules = tr_rules_new(slow->config->rule, slow->config->rules);
	return slow->rules ? 0 : -errno;
}

static void begin(struct tr_slow_path *slow, struct tr_rules *rules)
{
	struct tr_rules_swap *swap = &slow->rules_swap;

	assert(!swap->old && !swap->unacknowledged);
	swap->old = slow->rules;
	slow->rules = rules;
	tr_rules_begin(rules, &slow->counters);
	tr_fast_switch_rules(slow->unit, rules);
	for (uint32_t i = 0; i < slow->fast_units; i++) {
		swap->command[i] = (struct tr_command){tr_fast_switch_rules, rules};
		swap->unsent |= 1u << i;
		swap->unacknowledged |= 1u << i;
	}
}

void tr_slow_rules_replace(struct tr_slow_path *slow, struct tr_rules *rules)
{
	struct tr_rules_swap *swap = &slow->rules_swap;

	if (!swap->old) {
		begin(slow, rules);
		return;
	}
	free(swap->next);
	swap->next = rules;
}

unsigned tr_slow_rules_send(struct tr_slow_path *slow)
{
	struct tr_rules_swap *swap = &slow->rules_swap;
	unsigned work = 0;

	for (uint32_t unsent = swap->unsent; unsent; unsent &= unsent - 1) {
		unsigned i = (unsigned)__builtin_ctz(unsent);

		if (!tr_command_send(slow->core, &slow->channel[i], &swap->command[i]))
			continue;
		swap->unsent &= ~(1u << i);
		work++;
	}
	return work;
}

void tr_slow_rules_acknowledge(struct tr_slow_path *slow, unsigned unit)
{
	struct tr_rules_swap *swap = &slow->rules_swap;
	struct tr_rules *next = swap->next;

	swap->unacknowledged &= ~(1u << unit);
	if (swap->unacknowledged)
		return;
	free(swap->old);
	swap->old = NULL;
	swap->next = NULL;
	if (next)
		begin(slow, next);
}

void tr_slow_rules_free(struct tr_slow_path *slow)
{
	free(slow->rules_swap.old);
	free(slow->rules_swap.next);
	free(slow->rules);
}
