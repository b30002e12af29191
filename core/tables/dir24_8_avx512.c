// SPDX-License-Identifier: MIT
// Lookup in DIR-24-8 by AVX-512, sixteen addresses at a time. A gather reads four bytes where an
// entry has two: behind the last one are the writer's tables. What one gather waits for, those of
// the next sixteen do not, so nothing is prefetched here.
#include "tables/dir24_8.h"
#include <immintrin.h>

#define LANES 16u
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define INLINE AVX512 static inline __attribute__((always_inline))

// Of less than sixteen.
INLINE __mmask16 first_lanes(uint32_t n)
{
	return (__mmask16)((1u << n) - 1);
}

// The result's old value is written anew each time: a compiler that knows that all sixteen are live
// leaves it as it is, and then each gather waits for the one before.
INLINE __m512i gather(__mmask16 live, __m512i others, __m512i index, const uint16_t *entries)
{
	__asm__("" : "+Yk"(live));
	return _mm512_mask_i32gather_epi32(others, live, index, entries, sizeof(*entries));
}

// Entries of the /24s of up to sixteen addresses.
INLINE __m512i look_up_24(const uint16_t *entry24, __mmask16 live, const uint32_t *addresses,
	uint16_t *hops)
{
	__m512i address = _mm512_maskz_loadu_epi32(live, addresses);
	__m512i entry =
		gather(live, _mm512_setzero_si512(), _mm512_srli_epi32(address, 8), entry24);

	_mm256_mask_storeu_epi16(hops, live, _mm512_cvtepi32_epi16(entry));
	return entry;
}

// Puts the entries of groups in the place of those that lead to them.
INLINE void look_up_8(const uint16_t *entry8, __mmask16 live, const uint32_t *addresses,
	uint16_t *hops)
{
	__m512i address = _mm512_maskz_loadu_epi32(live, addresses);
	__m512i entry = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(live, hops));
	__mmask16 groups = _mm512_test_epi32_mask(entry, _mm512_set1_epi32(TR_DIR_GROUP));
	__m512i group = _mm512_andnot_si512(_mm512_set1_epi32(TR_DIR_GROUP), entry);
	__m512i slot = _mm512_and_si512(address, _mm512_set1_epi32(TR_DIR_GROUP_SLOTS - 1));
	__m512i index = _mm512_or_si512(_mm512_slli_epi32(group, 8), slot);

	entry = gather(groups, entry, index, entry8);
	_mm256_mask_storeu_epi16(hops, live, _mm512_cvtepi32_epi16(entry));
}

AVX512 void tr_dir24_8_lookup_avx512(const struct tr_lpm *lpm, const uint32_t *addresses,
	uint16_t *hops, uint32_t n)
{
	const struct tr_dir24_8 *table = (const struct tr_dir24_8 *)lpm;
	__m512i seen = _mm512_setzero_si512();
	uint32_t whole = n / LANES * LANES;
	__mmask16 rest = first_lanes(n - whole);

	for (uint32_t i = 0; i < whole; i += LANES)
		seen = _mm512_or_si512(seen,
			look_up_24(table->entry24, 0xffff, addresses + i, hops + i));
	if (rest)
		seen = _mm512_or_si512(seen,
			look_up_24(table->entry24, rest, addresses + whole, hops + whole));
	if (!_mm512_test_epi32_mask(seen, _mm512_set1_epi32(TR_DIR_GROUP)))
		return;
	for (uint32_t i = 0; i < whole; i += LANES)
		look_up_8(table->entry8, 0xffff, addresses + i, hops + i);
	if (rest)
		look_up_8(table->entry8, rest, addresses + whole, hops + whole);
}

bool tr_dir24_8_has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
