// SPDX-License-Identifier: MIT
// A port's state for whoever asks, on any thread: the slow path writes it, and nobody waits for
// anybody else.
#pragma once
#include "router.h"

// Slow path only.
void tr_port_state_publish(struct tr_port *port, const struct tr_port_state *state);
// A state as it was at some moment.
void tr_port_state_copy(const struct tr_port *port, struct tr_port_state *out);
