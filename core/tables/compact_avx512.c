// SPDX-License-Identifier: MIT
// Lookup in the compressed structure by AVX-512, sixteen addresses at a time: the steps of
// tr_compact_place() with gathers in place of the loads, all but the leaf's of 64 bits, in two
// halves of eight lanes. The lines of the first sixteen addresses come by their gathers, those of
// the next ones are prefetched: a gather that waits holds up what stands behind it.
#include "tables/compact.h"
#include <immintrin.h>

#define LANES 16u
#define AHEAD 32u // addresses whose lines are on their way
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")))
#define INLINE AVX512 static inline __attribute__((always_inline))
#define NODE_SHIFT 6                 // bytes of a node
#define LINE_SHIFT (16 - NODE_SHIFT) // address to a place somewhere in the node

struct halves {
	__m512i low;
	__m512i high;
};

// Where lanes look: bytes from the first node on to theirs, and the slot in the low eight bits.
struct lanes {
	__mmask16 live;
	__m512i at;
	__m512i slot;
};

INLINE struct halves gather(__mmask16 live, __m512i at, const void *from)
{
	__m512i none = _mm512_setzero_si512();

	return (struct halves){
		_mm512_mask_i32gather_epi64(none, (__mmask8)live, _mm512_castsi512_si256(at), from,
			1),
		_mm512_mask_i32gather_epi64(none, (__mmask8)(live >> 8),
			_mm512_extracti64x4_epi64(at, 1), from, 1),
	};
}

INLINE __m512i lower_words(struct halves of)
{
	const __m512i even =
		_mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);

	return _mm512_permutex2var_epi32(of.low, even, of.high);
}

INLINE __m512i upper_words(struct halves of)
{
	const __m512i odd =
		_mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);

	return _mm512_permutex2var_epi32(of.low, odd, of.high);
}

// The bits of the slot's word up to it. The word's number times eight is both the place of the word
// in the node and that of its count in the head.
INLINE struct halves bits_up_to(const struct tr_node *nodes, const struct lanes *lanes,
	__m512i word8)
{
	struct halves word = gather(lanes->live, _mm512_or_si512(lanes->at, word8), nodes->bits);
	__m512i shift = _mm512_andnot_si512(lanes->slot, _mm512_set1_epi32(63));
	__m512i low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(shift));
	__m512i high = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(shift, 1));

	return (struct halves){
		_mm512_sllv_epi64(word.low, low), _mm512_sllv_epi64(word.high, high)};
}

// The rank of a leaf is the lowest byte of its lane; the others hold what nothing is taken from.
INLINE __m512i ranks(const struct tr_node *nodes, const struct lanes *lanes, __m512i head)
{
	__m512i word8 = _mm512_and_si512(_mm512_srli_epi32(lanes->slot, 3), _mm512_set1_epi32(24));
	struct halves up_to = bits_up_to(nodes, lanes, word8);
	struct halves set = {_mm512_popcnt_epi64(up_to.low), _mm512_popcnt_epi64(up_to.high)};
	__m512i before = _mm512_srlv_epi32(_mm512_slli_epi32(head, 8), word8);
	__mmask16 counts = _mm512_movepi32_mask(_mm512_or_si512(head, upper_words(up_to)));

	static_assert(TR_NODE_BY_RUN == 128, "the sign of the head");
	return _mm512_maskz_add_epi32(counts, lower_words(set), before);
}

INLINE __m512i leaves(const struct tr_node *nodes, const struct lanes *lanes)
{
	struct halves last = gather(lanes->live, lanes->at, &nodes->more);
	__m512i head = upper_words(last);
	__m512i width =
		_mm512_and_si512(_mm512_srli_epi32(head, 24), _mm512_set1_epi32(TR_NODE_WIDTH));
	// Bytes times bytes, of which the upper ones of a width are zero.
	__m512i bit = _mm512_maddubs_epi16(ranks(nodes, lanes, head), width);
	__m512i byte = _mm512_srli_epi32(bit, 3);
	__m512i at = _mm512_add_epi32(lanes->at, byte);
	__mmask16 more = _mm512_test_epi32_mask(head, _mm512_set1_epi32(TR_NODE_MORE << 24));

	at = _mm512_add_epi32(at, _mm512_set1_epi32(offsetof(struct tr_node, leaf)));
	more = _mm512_mask_cmpgt_epu32_mask(more, _mm512_add_epi32(bit, width),
		_mm512_set1_epi32(TR_NODE_LEAVES * 8));
	at = _mm512_mask_add_epi32(at, more, lower_words(last), byte);
	__m512i four =
		_mm512_mask_i32gather_epi32(_mm512_setzero_si512(), lanes->live, at, nodes, 1);
	__m512i beyond = _mm512_sllv_epi32(_mm512_set1_epi32(-1), width);
	__m512i shift = _mm512_and_si512(bit, _mm512_set1_epi32(7));
	return _mm512_andnot_si512(beyond, _mm512_srlv_epi32(four, shift));
}

INLINE __mmask16 live_lanes(uint32_t n)
{
	return (__mmask16)(n < LANES ? (1u << n) - 1 : 0xffff);
}

INLINE struct lanes lanes_of(const uint32_t *addresses, __mmask16 live)
{
	__m512i address = _mm512_maskz_loadu_epi32(live, addresses);

	return (struct lanes){live,
		_mm512_andnot_si512(_mm512_set1_epi32(sizeof(struct tr_node) - 1),
			_mm512_srli_epi32(address, LINE_SHIFT)),
		_mm512_srli_epi32(address, 8)};
}

// Puts what groups say in the place of the leaves that led to them.
AVX512 __attribute__((noinline)) static void look_up_groups(const struct tr_node *nodes,
	const uint32_t *addresses, uint16_t *hops, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += LANES) {
		__mmask16 live = live_lanes(n - i);
		__m512i leaf = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(live, hops + i));
		__m512i index = _mm512_add_epi32(leaf,
			_mm512_set1_epi32((int)(TR_COMPACT_CHUNKS - TR_LEAF_GROUP)));
		struct lanes lanes = {
			_mm512_test_epi32_mask(leaf, _mm512_set1_epi32(TR_LEAF_GROUP)),
			_mm512_slli_epi32(index, NODE_SHIFT),
			_mm512_maskz_loadu_epi32(live, addresses + i),
		};
		leaf = leaves(nodes, &lanes);
		_mm256_mask_storeu_epi16(hops + i, lanes.live, _mm512_cvtepi32_epi16(leaf));
	}
}

// A loop around each prefetch would take longer than they do.
INLINE void prefetch(const struct tr_node *nodes, const uint32_t *addresses, uint32_t n)
{
	const uint8_t *at = (const uint8_t *)nodes;

	if (n < LANES) {
		for (uint32_t i = 0; i < n; i++)
			__builtin_prefetch(at + (addresses[i] >> LINE_SHIFT));
		return;
	}
#pragma GCC unroll 16
	for (uint32_t i = 0; i < LANES; i++)
		__builtin_prefetch(at + (addresses[i] >> LINE_SHIFT));
}

AVX512 void tr_compact_lookup_avx512(const struct tr_lpm *lpm, const uint32_t *addresses,
	uint16_t *hops, uint32_t n)
{
	const struct tr_node *nodes = ((const struct tr_compact *)lpm)->nodes;
	__m512i seen = _mm512_setzero_si512();

	for (uint32_t i = LANES; i < AHEAD && i < n; i += LANES)
		prefetch(nodes, addresses + i, n - i);
	for (uint32_t i = 0; i < n; i += LANES) {
		if (n - i > AHEAD)
			prefetch(nodes, addresses + i + AHEAD, n - i - AHEAD);
		struct lanes lanes = lanes_of(addresses + i, live_lanes(n - i));
		__m512i leaf = leaves(nodes, &lanes);
		seen = _mm512_or_si512(seen, leaf);
		_mm256_mask_storeu_epi16(hops + i, lanes.live, _mm512_cvtepi32_epi16(leaf));
	}
	if (_mm512_test_epi32_mask(seen, _mm512_set1_epi32(TR_LEAF_GROUP)))
		look_up_groups(nodes, addresses, hops, n);
}

bool tr_compact_has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("avx512vpopcntdq");
}
