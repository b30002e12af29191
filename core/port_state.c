// SPDX-License-Identifier: MIT
// The state of a port behind a version number that is odd while it is being written: who has read
// the same even number before and after has read one state whole. Writes are rare and short, so a
// reader that finds one under way just reads again.
#include "port_state.h"
#include <string.h>

void tr_port_state_publish(struct tr_port *port, const struct tr_port_state *state)
{
	uint64_t words[TR_PORT_STATE_WORDS] = {0};
	uint32_t version = __atomic_load_n(&port->version, __ATOMIC_RELAXED);

	memcpy(words, state, sizeof(*state));
	__atomic_store_n(&port->version, version + 1, __ATOMIC_RELAXED);
	// Release: who sees a new word sees the odd version as well.
	for (unsigned i = 0; i < TR_PORT_STATE_WORDS; i++)
		__atomic_store_n(&port->state[i], words[i], __ATOMIC_RELEASE);
	// Release: who sees the even version sees all words.
	__atomic_store_n(&port->version, version + 2, __ATOMIC_RELEASE);
}

void tr_port_state_copy(const struct tr_port *port, struct tr_port_state *out)
{
	uint64_t words[TR_PORT_STATE_WORDS];
	uint32_t version;

	do {
		version = __atomic_load_n(&port->version, __ATOMIC_ACQUIRE);
		for (unsigned i = 0; i < TR_PORT_STATE_WORDS; i++)
			words[i] = __atomic_load_n(&port->state[i], __ATOMIC_ACQUIRE);
	} while (version & 1 || version != __atomic_load_n(&port->version, __ATOMIC_RELAXED));
	memcpy(out, words, sizeof(*out));
}
