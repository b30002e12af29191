// SPDX-License-Identifier: MIT
// The lookup structures by name, and a table on its own for property tests and benchmarks: the
// functions of api.h, which check what a FIB takes for granted.
#include "tables/lpm.h"
#include "formats/ipv4.h"
#include <errno.h>
#include <string.h>

static const struct tr_lpm_ops *const structures[] = {
	&tr_dir24_8_ops,
	&tr_dir24_8_plain_ops,
	&tr_dir24_8_avx512_ops,
	&tr_compact_ops,
	&tr_compact_plain_ops,
	&tr_compact_popcnt_ops,
	&tr_compact_avx512_ops,
};

static const struct tr_lpm_ops *find_structure(const char *name)
{
	for (size_t i = 0; i < sizeof(structures) / sizeof(structures[0]); i++) {
		if (strcmp(structures[i]->name, name) == 0)
			return structures[i];
	}
	return NULL;
}

// A processor with AVX2 has popcnt, too.
const struct tr_lpm_ops *tr_lpm_of(const struct tr_config *config)
{
	bool scalar = strcmp(config->vector, "scalar") == 0;
	bool avx2 = strcmp(config->vector, "avx2") == 0;

	if (config->lpm != TR_LPM_COMPACT)
		return scalar || avx2 ? &tr_dir24_8_plain_ops : &tr_dir24_8_ops;
	if (scalar)
		return &tr_compact_plain_ops;
	return avx2 ? &tr_compact_popcnt_ops : &tr_compact_ops;
}

struct tr_lpm *tr_lpm_new(const char *kind)
{
	const struct tr_lpm_ops *ops = find_structure(kind);

	if (!ops) {
		errno = EINVAL;
		return NULL;
	}
	return ops->create(NULL);
}

void tr_lpm_free(struct tr_lpm *lpm)
{
	if (lpm)
		lpm->ops->destroy(lpm);
}

// Length 0 is no prefix of a table: it is the next-hop entry TR_HOP_DEFAULT.
static bool is_prefix(uint32_t prefix, uint8_t bits)
{
	return bits >= 1 && bits <= 32 && !(prefix & ~ipv4_mask(bits));
}

static bool is_hop(uint16_t hop)
{
	return hop != TR_HOP_DEFAULT && hop < TR_HOPS_MAX;
}

int tr_lpm_set(struct tr_lpm *lpm, uint32_t prefix, uint8_t bits, uint16_t hop)
{
	if (!is_prefix(prefix, bits) || !is_hop(hop))
		return -EINVAL;
	return lpm->ops->set(lpm, prefix, bits, hop);
}

int tr_lpm_clear(struct tr_lpm *lpm, uint32_t prefix, uint8_t bits, uint8_t cover_bits,
	uint16_t cover_hop)
{
	if (!is_prefix(prefix, bits) || cover_bits >= bits)
		return -EINVAL;
	if (cover_bits ? !is_hop(cover_hop) : cover_hop != TR_HOP_DEFAULT)
		return -EINVAL;
	lpm->ops->clear(lpm, prefix, bits, cover_bits, cover_hop);
	return 0;
}

void tr_lpm_lookup(const struct tr_lpm *lpm, const uint32_t *addresses, uint16_t *hops, uint32_t n)
{
	lpm->ops->lookup(lpm, addresses, hops, n);
}

uint16_t tr_lpm_find(const struct tr_lpm *lpm, uint32_t address)
{
	return lpm->ops->find(lpm, address);
}

uint64_t tr_lpm_bytes(const struct tr_lpm *lpm)
{
	return lpm->ops->bytes(lpm);
}
