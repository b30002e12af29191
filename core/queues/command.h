// SPDX-License-Identifier: MIT
// The command channel from the slow path to one fast-path unit. A command is a function that the
// unit runs between two bursts; its pointer then goes back as the acknowledgement. The slow path
// owns the memory and must not reuse a command before it is back.
#pragma once
#include "backend.h"

struct tr_fast_unit;

struct tr_command {
	void (*run)(struct tr_fast_unit *unit, void *argument); // by the fast-path unit
	void *argument;
};

struct tr_command_channel {
	struct io_ring *requests;         // slow -> fast
	struct io_ring *acknowledgements; // fast -> slow
};

// Commands that can be under way on one channel at a time.
#define TR_COMMANDS_MAX 16

// How long a unit rests before it tries a full command ring again.
#define TR_COMMAND_RETRY_CYCLES 1000

static inline bool tr_command_send(struct io_core *core, struct tr_command_channel *channel,
	struct tr_command *command)
{
	void *item = command;

	return io_ring_enqueue(core, channel->requests, &item, 1) == 1;
}
