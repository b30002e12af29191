// SPDX-License-Identifier: MIT
// Lookup in the compressed structure by AVX-512, sixteen addresses at a time: the steps of
// tr_compact_leaf() with gathers in place of the loads, all from a line that was prefetched.
// The word of the bitmap has 64 bits, so this part takes two halves of eight.
#include "tables/compact.h"
#include <immintrin.h>

#define LANES 16u
#define PIECE 64u // of a run that is prefetched and looked up
#define SHORT_RUN 32u
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")))
#define INLINE AVX512 static inline __attribute__((always_inline))
#define NODE_SHIFT 6                 // bytes of a node
#define LINE_SHIFT (16 - NODE_SHIFT) // address to a place somewhere in the node

struct lanes {
	const struct tr_node *nodes;
	__mmask16 live;
	__m512i at; // bytes from the first node on to this one
	__m512i slot;
};

// Of eight lanes: how many bits of the slot's word are set up to the slot, and whether its own is.
INLINE __m256i bits_of_half(const struct lanes *lanes, __mmask8 live, __m256i at, __m256i slot,
	__mmask8 *own)
{
	__m256i word_at = _mm256_add_epi32(at, _mm256_slli_epi32(_mm256_srli_epi32(slot, 6), 3));
	__m512i word =
		_mm512_mask_i32gather_epi64(_mm512_setzero_si512(), live, word_at, lanes->nodes, 1);
	__m512i shift = _mm512_cvtepu32_epi64(_mm256_andnot_si256(slot, _mm256_set1_epi32(63)));
	__m512i up_to_slot = _mm512_sllv_epi64(word, shift);

	*own = _mm512_movepi64_mask(up_to_slot);
	return _mm512_cvtepi64_epi32(_mm512_popcnt_epi64(up_to_slot));
}

INLINE __m512i bits_up_to(const struct lanes *lanes, __mmask16 *own)
{
	__mmask8 own_low, own_high;
	__m256i low = bits_of_half(lanes, (__mmask8)lanes->live, _mm512_castsi512_si256(lanes->at),
		_mm512_castsi512_si256(lanes->slot), &own_low);
	__m256i high = bits_of_half(lanes, (__mmask8)(lanes->live >> 8),
		_mm512_extracti64x4_epi64(lanes->at, 1), _mm512_extracti64x4_epi64(lanes->slot, 1),
		&own_high);

	*own = _mm512_kunpackb(own_high, own_low);
	return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

// How many bits are set in the words before the slot's.
INLINE __m512i bits_before(__m512i head, __m512i slot)
{
	__m512i shift = _mm512_slli_epi32(_mm512_srli_epi32(slot, 6), 3);
	__m512i counts = _mm512_andnot_si512(_mm512_set1_epi32(0xff), head);

	return _mm512_and_si512(_mm512_srlv_epi32(counts, shift), _mm512_set1_epi32(0xff));
}

INLINE __m512i gather(const struct lanes *lanes, __mmask16 live, __m512i others, __m512i at)
{
	return _mm512_mask_i32gather_epi32(others, live, at, lanes->nodes, 1);
}

// Of leaves that are in a block: the place of their four bytes.
INLINE __m512i place_in_block(const struct lanes *lanes, __mmask16 more, __m512i place, __m512i end)
{
	__m512i more_at =
		_mm512_add_epi32(lanes->at, _mm512_set1_epi32(offsetof(struct tr_node, more)));
	__m512i block = gather(lanes, more, _mm512_setzero_si512(), more_at);
	__m512i in_block = _mm512_add_epi32(_mm512_slli_epi32(block, 4),
		_mm512_sub_epi32(end, _mm512_set1_epi32(TR_NODE_LEAVES)));

	return _mm512_mask_mov_epi32(place, more, in_block);
}

INLINE __m512i ranks(const struct lanes *lanes, __m512i head)
{
	__mmask16 own;
	__m512i up_to_slot = bits_up_to(lanes, &own);
	__mmask16 by_run = _mm512_test_epi32_mask(head, _mm512_set1_epi32(TR_NODE_BY_RUN));

	return _mm512_maskz_add_epi32(by_run | own, up_to_slot, bits_before(head, lanes->slot));
}

// Head and leaf take a gather each; the four bytes of the leaf end with it.
INLINE __m512i leaves(const struct lanes *lanes)
{
	__m512i head_at =
		_mm512_add_epi32(lanes->at, _mm512_set1_epi32(offsetof(struct tr_node, form)));
	__m512i head = gather(lanes, lanes->live, _mm512_setzero_si512(), head_at);
	__m512i width = _mm512_and_si512(head, _mm512_set1_epi32(TR_NODE_WIDTH));
	__m512i bit = _mm512_madd_epi16(ranks(lanes, head), width); // 15 bits each
	__m512i end = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(bit, width),
						_mm512_set1_epi32(7)),
		3);
	__m512i place = _mm512_add_epi32(head_at, end);
	__mmask16 more = _mm512_test_epi32_mask(head, _mm512_set1_epi32(TR_NODE_MORE));

	static_assert(offsetof(struct tr_node, leaf) - 4 == offsetof(struct tr_node, form),
		"the place of four bytes that end with a leaf counts from the head");
	more = _mm512_mask_cmpgt_epu32_mask(more, end, _mm512_set1_epi32(TR_NODE_LEAVES));
	place = place_in_block(lanes, more, place, end);
	__m512i four = gather(lanes, lanes->live, _mm512_setzero_si512(), place);
	__m512i shift = _mm512_sub_epi32(_mm512_add_epi32(bit, _mm512_set1_epi32(32)),
		_mm512_slli_epi32(end, 3));
	__m512i beyond = _mm512_sllv_epi32(_mm512_set1_epi32(-1), width);
	return _mm512_andnot_si512(beyond, _mm512_srlv_epi32(four, shift));
}

INLINE __m256i look_up_lanes(const struct tr_node *nodes, __mmask16 live, __m512i address)
{
	struct lanes lanes = {nodes, live,
		_mm512_slli_epi32(_mm512_srli_epi32(address, 16), NODE_SHIFT),
		_mm512_and_si512(_mm512_srli_epi32(address, 8), _mm512_set1_epi32(0xff))};
	__m512i leaf = leaves(&lanes);
	__mmask16 group = _mm512_test_epi32_mask(leaf, _mm512_set1_epi32(TR_LEAF_GROUP));

	if (__builtin_expect(group, 0)) {
		__m512i index = _mm512_andnot_si512(_mm512_set1_epi32(TR_LEAF_GROUP), leaf);
		index = _mm512_add_epi32(index, _mm512_set1_epi32(TR_COMPACT_CHUNKS));
		lanes = (struct lanes){nodes, group, _mm512_slli_epi32(index, NODE_SHIFT),
			_mm512_and_si512(address, _mm512_set1_epi32(0xff))};
		leaf = _mm512_mask_mov_epi32(leaf, group, leaves(&lanes));
	}
	return _mm512_cvtepi32_epi16(leaf);
}

// The first sixteen of a short run are read at once, as soon as they would be prefetched.
AVX512 static void look_up_piece(const struct tr_node *nodes, const uint32_t *addresses,
	uint16_t *hops, uint32_t n)
{
	uint32_t i = n > SHORT_RUN ? 0 : LANES;

	for (; i < n; i++)
		__builtin_prefetch((const uint8_t *)nodes + (addresses[i] >> LINE_SHIFT));
	for (i = 0; i + LANES <= n; i += LANES)
		_mm256_storeu_si256((__m256i *)(hops + i),
			look_up_lanes(nodes, 0xffff, _mm512_loadu_si512(addresses + i)));
	if (i < n) {
		__mmask16 live = (__mmask16)((1u << (n - i)) - 1);
		__m512i address = _mm512_maskz_loadu_epi32(live, addresses + i);
		_mm256_mask_storeu_epi16(hops + i, live, look_up_lanes(nodes, live, address));
	}
}

AVX512 void tr_compact_lookup_avx512(const struct tr_lpm *lpm, const uint32_t *addresses,
	uint16_t *hops, uint32_t n)
{
	const struct tr_node *nodes = ((const struct tr_compact *)lpm)->nodes;

	for (uint32_t i = 0; i < n; i += PIECE)
		look_up_piece(nodes, addresses + i, hops + i, n - i < PIECE ? n - i : PIECE);
}

bool tr_compact_has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("avx512vpopcntdq");
}
