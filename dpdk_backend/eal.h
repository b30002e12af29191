// SPDX-License-Identifier: MIT
// What every file of the backend shares of the process: the start of EAL, DPDK's last complaint,
// and one-line errors.
#pragma once
#include "dpdk_api.h"

// Writes one line. Returns -code, for `return tr_say(...)`.
int tr_say(char *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
// Forgets what DPDK complained about before something that may fail; afterwards the last complaint.
void tr_log_forget(void);
const char *tr_log_last(void);
