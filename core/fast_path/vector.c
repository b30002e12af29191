// SPDX-License-Identifier: MIT
// Which variants of the inner loops there are, the fastest first, and whether this processor can
// run them.
#include "fast_path/vector.h"
#include <string.h>

static bool always(void)
{
	return true;
}

#ifdef __x86_64__
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}
#endif

static const struct {
	const struct tr_vector_ops *ops;
	bool (*can_run)(void);
} variants[] = {
#ifdef __x86_64__
	{&tr_vector_avx512, has_avx512},
	{&tr_vector_avx2, has_avx2},
#endif
	{&tr_vector_scalar, always},
};

const struct tr_vector_ops *tr_vector_find(const char *name)
{
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		const struct tr_vector_ops *ops = variants[i].ops;

		if ((name[0] == '\0' || strcmp(ops->name, name) == 0) && variants[i].can_run())
			return ops;
	}
	return NULL;
}

bool tr_vector_runs(const char *name)
{
	return tr_vector_find(name) != NULL;
}
