// SPDX-License-Identifier: MIT
// The start of EAL, once a process. It is told of one lcore, the thread that starts it: the units'
// threads are the engine's own and register themselves, so that a unit is the same thing whether it
// has a processor to itself or not. The starting thread keeps the processors that it may run on.
// DPDK's log is caught: its last line of an error is what a user gets to see of it.
#include "eal.h"
#include "backend.h"
#include <errno.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_mbuf_dyn.h>
#include <rte_version.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int tr_pkt_facts_offset;
uint64_t tr_pkt_traced_flag;
uint16_t tr_port_of_ethdev[RTE_MAX_ETHPORTS];

static struct {
	bool is_started;
	bool is_verbose;
	int lock;
	pthread_mutex_t mutex; // of `last`
	char last[TR_DPDK_TEXT / 2];
} process = {.lock = -1, .mutex = PTHREAD_MUTEX_INITIALIZER};

int tr_say(char *error, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, TR_DPDK_TEXT, format, arguments);
	va_end(arguments);
	for (char *c = error; *c; c++) {
		if (*c == '\n')
			*c = ' ';
	}
	return -code;
}

// --- DPDK's log ----------------------------------------------------------------------------------
static ssize_t write_log(void *cookie, const char *text, size_t bytes)
{
	(void)cookie;
	if (process.is_verbose)
		fwrite(text, 1, bytes, stderr);
	if (rte_log_cur_msg_loglevel() > (int)RTE_LOG_ERR)
		return (ssize_t)bytes;
	pthread_mutex_lock(&process.mutex);
	snprintf(process.last, sizeof(process.last), "%.*s", (int)strcspn(text, "\n"), text);
	pthread_mutex_unlock(&process.mutex);
	return (ssize_t)bytes;
}

void tr_log_forget(void)
{
	pthread_mutex_lock(&process.mutex);
	process.last[0] = '\0';
	pthread_mutex_unlock(&process.mutex);
}

const char *tr_log_last(void)
{
	static _Thread_local char text[sizeof(process.last)];

	pthread_mutex_lock(&process.mutex);
	memcpy(text, process.last, sizeof(text));
	pthread_mutex_unlock(&process.mutex);
	return text;
}

static int catch_log(void)
{
	cookie_io_functions_t functions = {.write = write_log};
	FILE *stream = fopencookie(NULL, "w", functions);

	if (!stream)
		return -ENOMEM;
	setlinebuf(stream);
	return rte_openlog_stream(stream);
}

// --- one process a prefix ------------------------------------------------------------------------
// A name in the kernel that vanishes with the process, however it ends.
static int lock_prefix(const char *prefix, char *error)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int length =
		snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "twinroute-dpdk-%s", prefix);

	if (length >= (int)sizeof(name.sun_path) - 1)
		return tr_say(error, ENAMETOOLONG, "file prefix %s: too long", prefix);
	process.lock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (process.lock < 0)
		return tr_say(error, errno, "file prefix %s: %s", prefix, strerror(errno));
	if (bind(process.lock, (struct sockaddr *)&name,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0)
		return 0;
	close(process.lock);
	process.lock = -1;
	return tr_say(error, EADDRINUSE, "file prefix %s: another process uses it", prefix);
}

// --- start ---------------------------------------------------------------------------------------
static int register_fields(char *error)
{
	static const struct rte_mbuf_dynfield facts = {
		.name = "twinroute_facts",
		.size = sizeof(struct pkt_facts),
		.align = __alignof__(struct pkt_facts),
	};
	static const struct rte_mbuf_dynflag traced = {.name = "twinroute_traced"};
	int bit = rte_mbuf_dynflag_register(&traced);

	tr_pkt_facts_offset = rte_mbuf_dynfield_register(&facts);
	if (tr_pkt_facts_offset < 0 || bit < 0)
		return tr_say(error, rte_errno,
			"no room in DPDK's packets for the router's own facts: %s",
			rte_strerror(rte_errno));
	tr_pkt_traced_flag = 1ULL << bit;
	for (unsigned i = 0; i < RTE_MAX_ETHPORTS; i++)
		tr_port_of_ethdev[i] = TR_NO_PORT;
	return 0;
}

int tr_eal_start(int argc, char **argv, const char *prefix, bool verbose, char *error)
{
	cpu_set_t processors;
	int code;

	if (process.is_started)
		return tr_say(error, EALREADY, "EAL has been started in this process");
	code = lock_prefix(prefix, error);
	if (code)
		return code;
	process.is_verbose = verbose;
	if (catch_log())
		return tr_say(error, ENOMEM, "no memory");
	process.is_started = true; // or it failed: a second try is refused by EAL either way
	sched_getaffinity(0, sizeof(processors), &processors);
	tr_log_forget();
	code = rte_eal_init(argc, argv);
	sched_setaffinity(0, sizeof(processors), &processors);
	if (code < 0) {
		const char *why = tr_log_last();

		rmdir(rte_eal_get_runtime_dir());
		return tr_say(error, rte_errno ? rte_errno : EINVAL, "EAL does not start: %s",
			*why ? why : rte_strerror(rte_errno));
	}
	return register_fields(error);
}

void tr_eal_stop(void)
{
	if (process.lock < 0)
		return;
	rte_eal_cleanup();
	rmdir(rte_eal_get_runtime_dir()); // empty, if EAL shared nothing
	close(process.lock);
	process.lock = -1;
}

const char *tr_dpdk_version(void)
{
	return rte_version();
}
