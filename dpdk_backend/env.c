// SPDX-License-Identifier: MIT
// Answers the set-up functions of core/backend.h: cores, ports, packet buffers on the ports' NUMA
// nodes, rings with one producer and one consumer, and memory for tables.
#include "env.h"
#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf_pool_ops.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL_SHARE 16 // a unit keeps one of so many buffers for itself, or one and a half
#define HUGE_BYTES ((size_t)2 << 20)
#define DATA_BYTES_MIN 2048 // drivers count receive buffers in units of this or of 1,024

// Buffers are as large as the longest frame of any port, so that no driver needs two for one.
static uint16_t data_bytes(const struct io_env *env)
{
	uint32_t bytes = DATA_BYTES_MIN;

	for (uint16_t i = 0; i < env->ports; i++)
		bytes = RTE_MAX(bytes, env->config.config.port[i].mtu + (uint32_t)LINK_BYTES);
	return (uint16_t)(RTE_ALIGN_CEIL(bytes, 1024) + RTE_PKTMBUF_HEADROOM);
}

static bool has_af_xdp(void)
{
	struct rte_eth_dev_info info;
	uint16_t ethdev;

	RTE_ETH_FOREACH_DEV(ethdev)
	{
		if (rte_eth_dev_info_get(ethdev, &info) == 0 &&
			strcmp(info.driver_name, "net_af_xdp") == 0)
			return true;
	}
	return false;
}

// They are a plugin, which an installation may lack.
static bool has_stacks(void)
{
	for (uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++) {
		if (strcmp(rte_mempool_ops_table.ops[i].name, "stack") == 0)
			return true;
	}
	return false;
}

// How a pool keeps its free buffers. In a stack, what was freed last comes back first: a cache has
// it still. A ring, DPDK's own choice, goes round all buffers where one unit frees what another one
// has received. AF_XDP gets no frames into the buffers that a stack hands out first (seen with
// 22.11).
static const char *pool_ops(void)
{
	const char *wanted = rte_eal_mbuf_user_pool_ops(); // EAL's --mbuf-pool-ops-name

	if (wanted)
		return wanted;
	return has_stacks() && !has_af_xdp() ? "stack" : rte_mbuf_best_mempool_ops();
}

struct rte_mempool *tr_env_pool(struct io_env *env, int node, char *error)
{
	static unsigned number;
	unsigned index = node < 0 || node >= RTE_MAX_NUMA_NODES ? 0 : (unsigned)node;
	char name[RTE_MEMPOOL_NAMESIZE];

	if (env->pool[index])
		return env->pool[index];
	snprintf(name, sizeof(name), "tr_%u_%u", number++, index);
	env->pool[index] = rte_pktmbuf_pool_create_by_ops(name, env->config.buffers,
		RTE_MIN(env->config.buffers / POOL_SHARE, RTE_MEMPOOL_CACHE_MAX_SIZE), 0,
		data_bytes(env), node < 0 ? SOCKET_ID_ANY : node, pool_ops());
	if (!env->pool[index])
		tr_say(error, rte_errno, "no memory for %u packet buffers of %u bytes: %s",
			env->config.buffers, data_bytes(env), rte_strerror(rte_errno));
	return env->pool[index];
}

// --- core/backend.h ------------------------------------------------------------------------------
struct io_core *tr_io_core(struct io_env *env, unsigned unit)
{
	return unit < env->units ? &env->unit[unit].core : NULL;
}

struct io_port *tr_io_port(struct io_env *env, unsigned port)
{
	return port < env->ports ? &env->port[port].io : NULL;
}

struct io_pool *tr_io_pool(struct io_env *env)
{
	unsigned index = 0;

	while (index < RTE_MAX_NUMA_NODES - 1 && !env->pool[index])
		index++;
	return (struct io_pool *)env->pool[index];
}

struct io_ring *tr_io_ring_new(struct io_env *env, uint32_t capacity, unsigned consumer)
{
	// A ring of exact size has room for one more than it takes.
	ssize_t bytes = rte_ring_get_memsize(rte_align32pow2(capacity + 1));
	struct rte_ring *ring;
	char name[RTE_RING_NAMESIZE];
	int code;

	(void)env;
	ring = bytes > 0 ? rte_zmalloc("twinroute ring", (size_t)bytes, RTE_CACHE_LINE_SIZE) : NULL;
	if (!ring) {
		errno = ENOMEM;
		return NULL;
	}
	snprintf(name, sizeof(name), "tr_unit_%u", consumer);
	code = rte_ring_init(ring, name, capacity, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (code) {
		rte_free(ring);
		errno = -code;
		return NULL;
	}
	return (struct io_ring *)ring;
}

void tr_io_ring_free(struct io_ring *ring)
{
	rte_free(ring);
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

// Address space that begins where a huge page can: asked for with more around it, which goes back.
static void *map_aligned(size_t bytes)
{
	uint8_t *space = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before, after;

	if (space == MAP_FAILED)
		return MAP_FAILED;
	before = -(uintptr_t)space % HUGE_BYTES;
	after = HUGE_BYTES - before;
	if (before)
		munmap(space, before);
	munmap(space + before + bytes, after);
	return space + before;
}

void *tr_io_table_alloc(struct io_env *env, size_t bytes)
{
	size_t pages = whole_pages(bytes);
	void *table = map_aligned(pages);

	(void)env;
	if (table == MAP_FAILED)
		return NULL;
	// Only advice: a kernel without huge pages refuses it.
	(void)madvise(table, pages, MADV_HUGEPAGE);
	return table;
}

void tr_io_table_free(struct io_env *env, void *table, size_t bytes)
{
	(void)env;
	if (table)
		munmap(table, whole_pages(bytes));
}

void tr_io_table_guard(struct io_env *env, void *table, size_t bytes, enum io_access access)
{
	(void)env;
	(void)table;
	(void)bytes;
	(void)access;
}
