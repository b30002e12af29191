// SPDX-License-Identifier: MIT
// Lookup structures next to DPDK's, in one process, on one table and the same addresses: a round
// times each of them in turn, so that what disturbs one disturbs all. Before that it looks up all
// addresses, those that are timed first of all: caches then hold what they would hold if nobody
// else were there, whoever shares a table with another one. All tables are in huge pages.
// rte_lpm is painted from the routes: rte_lpm_add() scans all rules of a length for each.
//   first line: routes=FILE (pairs of 32 bits: prefix, length) kinds=WORD,... megabytes=N fib=0|1
//   each further one: destinations=FILE (32 bits each, 2^n of them) batch=N rounds=N
#include "api.h"
#include "words.h"
#include <assert.h>
#include <errno.h>
#include <rte_eal.h>
#include <rte_fib.h>
#include <rte_lpm.h>
#include <rte_malloc.h>
#include <rte_vect.h>
#include <x86intrin.h>

#define CONTENDERS_MAX 16
#define NEXT_HOPS 64
#define GROUPS 32768
#define BATCH_MAX 512
#define ROUND_LOOKUPS (1u << 18) // so many that a cache holds what it goes on holding
#define HEAP "tables"
#define HUGE_BYTES (2u << 20)

struct route {
	uint32_t prefix;
	uint32_t bits;
};

struct contender {
	char name[32];
	const struct tr_lpm *own;
	const struct rte_lpm *lpm;
	struct rte_fib *fib;
	enum rte_fib_lookup_type fib_type;
};

static struct contender contenders[CONTENDERS_MAX];
static unsigned count;

static uint16_t hop_of(uint32_t route)
{
	return (uint16_t)(route % NEXT_HOPS + 1);
}

// --- tables --------------------------------------------------------------------------------------
// EAL without huge pages of its own takes memory that can be made of transparent ones.
static int start(const char *line)
{
	char *arguments[] = {"lookups", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
		"-m", "64", "--force-max-simd-bitwidth=512", "--log-level=1", "--iova-mode=va"};
	size_t bytes = (size_t)words_number(line, "megabytes", 512) << 20;
	void *memory;

	if (rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), arguments) < 0)
		words_fail("EAL does not start");
	memory = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		words_fail("no memory");
	memory = (void *)(((uintptr_t)memory + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1));
	(void)madvise(memory, bytes, MADV_HUGEPAGE);
	if (rte_malloc_heap_create(HEAP) ||
		rte_malloc_heap_memory_add(HEAP, memory, bytes, NULL, 0, HUGE_BYTES))
		words_fail("no heap for tables");
	return rte_malloc_heap_get_socket(HEAP);
}

static struct contender *add(const char *name)
{
	if (count == CONTENDERS_MAX)
		words_fail("too many lookup structures");
	snprintf(contenders[count].name, sizeof(contenders[count].name), "%s", name);
	return &contenders[count++];
}

static void add_own(const char *name, const struct route *route, uint32_t routes)
{
	struct tr_lpm *lpm = tr_lpm_new(name);

	if (!lpm)
		return; // no name of one, or not for this CPU
	for (uint32_t i = 0; i < routes; i++) {
		if (tr_lpm_set(lpm, route[i].prefix, (uint8_t)route[i].bits, hop_of(i)))
			words_fail("a route does not fit");
	}
	add(name)->own = lpm;
}

// Shorter prefixes have come before.
static void paint(struct rte_lpm *lpm, const struct route *route, uint16_t hop, uint32_t *groups)
{
	struct rte_lpm_tbl_entry entry = {.next_hop = hop, .valid = 1, .depth = route->bits & 63};
	uint32_t slot = route->prefix >> 8, group;

	if (route->bits <= 24) {
		for (uint32_t i = 0; i < 1u << (24 - route->bits); i++)
			lpm->tbl24[slot + i] = entry;
		return;
	}
	if (!lpm->tbl24[slot].valid_group) {
		assert(*groups < GROUPS);
		for (uint32_t i = 0; i < 256; i++)
			lpm->tbl8[*groups * 256 + i] = lpm->tbl24[slot];
		lpm->tbl24[slot] = (struct rte_lpm_tbl_entry){
			.next_hop = *groups, .valid = 1, .valid_group = 1};
		++*groups;
	}
	group = lpm->tbl24[slot].next_hop;
	entry.valid_group = 1;
	for (uint32_t i = 0; i < 1u << (32 - route->bits); i++)
		lpm->tbl8[group * 256 + (route->prefix & 255) + i] = entry;
}

static void add_rte_lpm(int socket, const struct route *route, uint32_t routes)
{
	const struct rte_lpm_config config = {.max_rules = 1, .number_tbl8s = GROUPS};
	struct rte_lpm *lpm = rte_lpm_create("lpm", socket, &config);
	uint32_t groups = 0;

	if (!lpm)
		words_fail("rte_lpm has no memory");
	for (uint32_t bits = 1; bits <= 32; bits++) {
		for (uint32_t i = 0; i < routes; i++) {
			if (route[i].bits == bits)
				paint(lpm, &route[i], hop_of(i), &groups);
		}
	}
	add("rte_lpm")->lpm = lpm;
}

static void add_rte_fib(int socket, const struct route *route, uint32_t routes)
{
	struct rte_fib_conf config = {
		.type = RTE_FIB_DIR24_8,
		.max_routes = (int)(routes + 1),
		.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_2B, .num_tbl8 = GROUPS - 1},
	};
	struct rte_fib *fib = rte_fib_create("fib", socket, &config);
	struct contender *contender;

	if (!fib)
		words_fail("rte_fib has no memory");
	for (uint32_t i = 0; i < routes; i++) {
		if (rte_fib_add(fib, route[i].prefix, (uint8_t)route[i].bits, hop_of(i)))
			words_fail("a route does not fit rte_fib");
	}
	contender = add("rte_fib scalar");
	contender->fib = fib;
	contender->fib_type = RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO;
	if (rte_fib_select_lookup(fib, RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512) == 0) {
		contender = add("rte_fib AVX-512");
		contender->fib = fib;
		contender->fib_type = RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512;
	}
}

static void load(const char *line)
{
	struct words_file file = words_map(line, "routes");
	const struct route *route = file.data;
	uint32_t routes = (uint32_t)(file.bytes / sizeof(*route));
	char kinds[LINE_BYTES_MAX];
	int socket = start(line);

	words_get(line, "kinds", "", kinds);
	for (char *at = strtok(kinds, ","); at; at = strtok(NULL, ","))
		add_own(at, route, routes);
	add_rte_lpm(socket, route, routes);
	if (words_number(line, "fib", 1))
		add_rte_fib(socket, route, routes);
	words_unmap(file);
}

// --- rounds --------------------------------------------------------------------------------------
// Looks addresses up in batches. Returns the sum of the hops, which all must agree about.
static uint64_t look_up(const struct contender *contender, const uint32_t *address, uint32_t n,
	uint32_t batch)
{
	uint64_t sum = 0;

	for (uint32_t at = 0; at + batch <= n; at += batch) {
		if (contender->own) {
			uint16_t hop[BATCH_MAX];

			tr_lpm_lookup(contender->own, address + at, hop, batch);
			sum += hop[0] + hop[batch - 1];
		} else if (contender->lpm) {
			uint32_t hop[BATCH_MAX];

			rte_lpm_lookup_bulk(contender->lpm, address + at, hop, batch);
			sum += (hop[0] & 0xffffff) + (hop[batch - 1] & 0xffffff);
		} else {
			uint64_t hop[BATCH_MAX];

			rte_fib_lookup_bulk(contender->fib, (uint32_t *)(uintptr_t)(address + at),
				hop, (int)batch);
			sum += hop[0] + hop[batch - 1];
		}
	}
	return sum;
}

static void race(const char *line)
{
	struct words_file file = words_map(line, "destinations");
	uint32_t n = (uint32_t)(file.bytes / sizeof(uint32_t));
	uint32_t batch = words_number(line, "batch", 64), rounds = words_number(line, "rounds", 15);
	uint32_t slice = n < ROUND_LOOKUPS ? n : ROUND_LOOKUPS;
	double *cycles = calloc((size_t)rounds * count, sizeof(*cycles));

	if (!cycles || batch < 1 || batch > BATCH_MAX || batch > n || !rounds)
		words_fail(line);
	for (uint32_t round = 0; round <= rounds; round++) { // the first one warms up
		uint32_t at = (uint32_t)((uint64_t)round * slice % (n - slice + 1));
		const uint32_t *address = (const uint32_t *)file.data + at;
		uint64_t expected = 0;

		for (uint32_t i = 0; i < count; i++) {
			const struct contender *contender = &contenders[(i + round) % count];
			uint64_t start, sum;

			if (contender->fib)
				rte_fib_select_lookup(contender->fib, contender->fib_type);
			look_up(contender, address, n - at, batch);
			look_up(contender, file.data, at, batch);
			start = __rdtsc();
			sum = look_up(contender, address, slice, batch);
			start = __rdtsc() - start;
			if (i && sum != expected)
				words_fail(contender->name);
			expected = sum;
			if (round)
				cycles[(i + round) % count * rounds + round - 1] =
					(double)start / (slice / batch * batch);
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		printf("%s\"%s\": [", i ? ", " : "{", contenders[i].name);
		for (uint32_t round = 0; round < rounds; round++)
			printf("%s%.2f", round ? ", " : "", cycles[i * rounds + round]);
		printf("]");
	}
	printf("}\n");
	free(cycles);
	words_unmap(file);
}

int main(void)
{
	char line[LINE_BYTES_MAX];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	load(line);
	printf("{\"hz\": %lu, \"bytes\": {", rte_get_tsc_hz());
	for (uint32_t i = 0; i < count; i++) {
		if (contenders[i].own)
			printf("%s\"%s\": %lu", i ? ", " : "", contenders[i].name,
				tr_lpm_bytes(contenders[i].own));
	}
	printf("}}\n");
	while (fgets(line, sizeof(line), stdin))
		race(line);
	return 0;
}
