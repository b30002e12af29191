// SPDX-License-Identifier: MIT
// Eight or sixteen lanes at a time, for processors with AVX-512 (F, BW, DQ, VL). Gathers take what
// is asked of the headers, in words of 8 bytes, straight from the frames.
#include "fast_path/vector.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,popcnt")))

// Where the words begin in a frame; the last one ends where the IPv4 header does.
#define DESTINATION_AT 0
#define TYPE_AT 12   // EtherType, version and length, TOS, total length, identification
#define MIDDLE_AT 18 // identification, fragment, TTL, protocol, checksum
#define TTL_AT 22
#define ADDRESSES_AT 26 // source, destination

static_assert(ADDRESSES_AT + 8 == ETHER_HEADER_BYTES + IPV4_HEADER_BYTES, "no byte further");

// The result's old value is written anew each time: a compiler that knows that all eight are wanted
// leaves it as it is, and then each gather waits for the one before.
AVX512 static inline __m512i gather(__mmask8 lanes, __m512i from, const void *at)
{
	__asm__("" : "+Yk"(lanes));
	return _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), lanes, from, at, 1);
}

AVX512 static inline __m512i gather_headers(__mmask8 lanes, __m512i frames, uintptr_t at)
{
	return gather(lanes, frames, (const void *)at);
}

// The first n of 32 lanes.
AVX512 static inline __mmask32 first_lanes(unsigned n)
{
	return n < 32 ? (1u << n) - 1 : ~0u;
}

AVX512 static uint64_t sum_up(struct tr_batch *batch)
{
	const __m512i halves = _mm512_set1_epi32(0xffff);
	__m512i sum = _mm512_setzero_si512(), least = _mm512_set1_epi16(-1);
	__mmask32 odd = 0;

	for (unsigned lane = 0; lane < batch->lanes; lane += 32) {
		__mmask32 lanes = first_lanes(batch->lanes - lane);
		__m512i bytes = _mm512_maskz_loadu_epi16(lanes, &batch->bytes[lane]);
		__m256i said = _mm256_loadu_si256((const __m256i *)&batch->checksum[lane]);

		sum = _mm512_add_epi32(sum, _mm512_and_si512(bytes, halves));
		sum = _mm512_add_epi32(sum, _mm512_srli_epi32(bytes, 16));
		least = _mm512_mask_min_epu16(least, lanes, least, bytes);
		odd |= _mm256_mask_cmpneq_epu8_mask(lanes, said,
			_mm256_set1_epi8((char)PKT_CHECKSUM_GOOD));
	}
	least = _mm512_min_epu16(least, _mm512_srli_epi32(least, 16));
	batch->bytes_min = (uint16_t)_mm512_reduce_min_epu32(_mm512_and_si512(least, halves));
	batch->checksums_good = odd == 0;
	return (uint32_t)_mm512_reduce_add_epi32(sum);
}

// Total length in the place that it has in the word from TYPE_AT on, in wire order.
AVX512 static inline __m512i length_word(const uint16_t *bytes)
{
	const __m512i swap = _mm512_broadcast_i32x4(_mm_set_epi8(-1, -1, 12, 13, -1, -1, -1, -1, -1,
		-1, 4, 5, -1, -1, -1, -1));
	__m512i length = _mm512_cvtepu16_epi64(_mm_loadu_si128((const __m128i *)bytes));

	length = _mm512_sub_epi64(length, _mm512_set1_epi64(ETHER_HEADER_BYTES));
	return _mm512_shuffle_epi8(_mm512_slli_epi64(length, 32), swap);
}

// One's complement sum of words of 32 bits, two in each lane, not folded.
AVX512 static inline __m512i sum_halves(__m512i word)
{
	__m512i low = _mm512_and_si512(word, _mm512_set1_epi64(0xffffffff));

	return _mm512_add_epi64(low, _mm512_srli_epi64(word, 32));
}

AVX512 static inline __m512i fold(__m512i sum)
{
	__m512i low = _mm512_and_si512(sum, _mm512_set1_epi64(0xffff));

	return _mm512_add_epi64(low, _mm512_srli_epi64(sum, 16));
}

// Lanes with a right checksum, by the header's 20 bytes: 6 + 6 + 8.
AVX512 static inline __mmask8 right_sums(__m512i type, __m512i middle, __m512i addresses)
{
	__m512i sum = sum_halves(_mm512_srli_epi64(type, 16));

	sum = _mm512_add_epi64(sum, sum_halves(_mm512_srli_epi64(middle, 16)));
	sum = _mm512_add_epi64(sum, sum_halves(addresses));
	sum = fold(fold(sum)); // what is a multiple of 0xffff has become that by now
	return _mm512_cmpeq_epi64_mask(sum, _mm512_set1_epi64(0xffff));
}

AVX512 static inline __mmask8 checksums_right(const uint8_t *nic, __m512i frames, __mmask8 lanes,
	__m512i type, __m512i addresses)
{
	__m128i said = _mm_loadl_epi64((const __m128i *)nic);
	__mmask16 good = _mm_cmpeq_epi8_mask(said, _mm_set1_epi8((char)PKT_CHECKSUM_GOOD));
	__mmask16 bad = _mm_cmpeq_epi8_mask(said, _mm_set1_epi8(PKT_CHECKSUM_BAD));
	__m512i middle = gather_headers(lanes, frames, MIDDLE_AT);

	return (__mmask8)(good | (~bad & right_sums(type, middle, addresses)));
}

// Stores the addresses of eight lanes; tells which have a source.
AVX512 static inline __mmask8 take_addresses(struct tr_batch *batch, unsigned lane,
	__m512i addresses)
{
	const __m512i swap = _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5,
		6, 7, 0, 1, 2, 3));
	__m512i both = _mm512_shuffle_epi8(addresses, swap);
	__m256i source = _mm512_cvtepi64_epi32(both);
	__m256i destination = _mm512_cvtepi64_epi32(_mm512_srli_epi64(both, 32));

	_mm256_storeu_si256((__m256i *)&batch->source[lane], source);
	_mm256_storeu_si256((__m256i *)&batch->destination[lane], destination);
	return _mm256_test_epi32_mask(source, source);
}

AVX512 static inline __mmask8 find_plain_8(struct tr_batch *batch, unsigned lane, __mmask8 lanes,
	const struct tr_form *form, bool sum)
{
	const __m512i destination_mask = _mm512_set1_epi64(0xffffffffffff);
	const __m512i type_mask = _mm512_set1_epi64(0xffff00ffffff);
	__m512i frames = _mm512_loadu_si512(&batch->frame[lane]);
	__m512i destination = gather_headers(lanes, frames, DESTINATION_AT);
	__m512i type = gather_headers(lanes, frames, TYPE_AT);
	__m512i addresses = gather_headers(lanes, frames, ADDRESSES_AT);
	__m512i head = _mm512_or_si512(_mm512_set1_epi64((long long)form->head),
		length_word(&batch->bytes[lane]));
	__mmask8 plain = take_addresses(batch, lane, addresses) & lanes;

	destination =
		_mm512_xor_si512(destination, _mm512_set1_epi64((long long)form->destination));
	plain &= _mm512_testn_epi64_mask(destination, destination_mask);
	plain &= _mm512_testn_epi64_mask(_mm512_xor_si512(type, head), type_mask);
	if (sum)
		plain &= checksums_right(&batch->checksum[lane], frames, lanes, type, addresses);
	return plain;
}

AVX512 static inline uint64_t find_plain_of(struct tr_batch *batch, unsigned first,
	const struct tr_form *form, bool sum)
{
	unsigned n = batch->lanes - first < 64 ? batch->lanes - first : 64;
	uint64_t plain = 0;

	for (unsigned i = 0; i < n; i += 8) {
		__mmask8 lanes = n - i < 8 ? (__mmask8)((1u << (n - i)) - 1) : 0xff;
		plain |= (uint64_t)find_plain_8(batch, first + i, lanes, form, sum) << i;
	}
	return plain;
}

AVX512 static uint64_t find_plain(struct tr_batch *batch, unsigned first,
	const struct tr_form *form, bool sum)
{
	return sum ? find_plain_of(batch, first, form, true)
		   : find_plain_of(batch, first, form, false);
}

// The bits of a bitmap that 16 indices name, each at the bottom of its lane.
AVX512 static inline __m512i gather_bits(const uint64_t *bitmap, __m512i index)
{
	__m512i word = _mm512_i32gather_epi32(_mm512_srli_epi32(index, 5), bitmap, 4);

	return _mm512_srlv_epi32(word, _mm512_and_si512(index, _mm512_set1_epi32(31)));
}

AVX512 static inline __mmask16 find_suspects_16(const struct tr_suspects *suspects, __m512i address,
	__m512i hash)
{
	__m512i block = gather_bits(suspects->block, _mm512_srli_epi32(address, 16));
	__m512i host = gather_bits(suspects->host, _mm512_srli_epi32(hash, TR_SUSPECT_HASH_SHIFT));

	return _mm512_test_epi32_mask(_mm512_or_si512(block, host), _mm512_set1_epi32(1));
}

// The bits of a bitmap of 1024, in two registers, that the first 10 bits of 16 indices name.
AVX512 static inline __m512i select_bits(__m512i low, __m512i high, __m512i index)
{
	__m512i word = _mm512_permutex2var_epi32(low, _mm512_srli_epi32(index, 27), high);
	__m512i bit = _mm512_srli_epi32(index, 22);

	return _mm512_srlv_epi32(word, _mm512_and_si512(bit, _mm512_set1_epi32(31)));
}

// The coarse bitmaps first, which few lanes have marks in: for them, memory is asked.
AVX512 static uint64_t find_suspects(const struct tr_suspects *suspects, const uint32_t *source,
	unsigned n)
{
	const __m512i octets =
		_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)suspects->octet));
	const __m512i low = _mm512_loadu_si512(suspects->group);
	const __m512i high = _mm512_loadu_si512(suspects->group + 16);
	uint64_t found = 0;

	for (unsigned i = 0; i < n; i += 16) {
		__m512i address = _mm512_loadu_si512(source + i);
		__m512i hash = _mm512_mullo_epi32(address, _mm512_set1_epi32((int)TR_SUSPECT_HASH));
		__m512i word = _mm512_permutexvar_epi32(_mm512_srli_epi32(address, 29), octets);
		__m512i bit =
			_mm512_and_si512(_mm512_srli_epi32(address, 24), _mm512_set1_epi32(31));
		__m512i marks =
			_mm512_or_si512(_mm512_srlv_epi32(word, bit), select_bits(low, high, hash));

		if (_mm512_test_epi32_mask(marks, _mm512_set1_epi32(1)))
			found |= (uint64_t)find_suspects_16(suspects, address, hash) << i;
	}
	return n < 64 ? found & ((1ULL << n) - 1) : found;
}

// What stands behind the MAC addresses in the next-hop entries of eight lanes.
AVX512 static inline __m512i gather_facts(const struct tr_next_hop *hops, const uint16_t *hop)
{
	static_assert(offsetof(struct tr_next_hop, port) + 2 == offsetof(struct tr_next_hop, mtu) &&
			offsetof(struct tr_next_hop, port) + 4 ==
				offsetof(struct tr_next_hop, verdict),
		"three fields in a word, in this order");
	__m512i at = _mm512_cvtepu16_epi64(_mm_loadu_si128((const __m128i *)hop));

	at = _mm512_slli_epi64(at, 5);
	static_assert(sizeof(struct tr_next_hop) == 1 << 5, "the shift");
	return gather(0xff, at, &hops->port);
}

AVX512 static inline __mmask8 can_forward(__m512i facts, __m512i middle, const uint16_t *bytes)
{
	const __m512i verdict = _mm512_set1_epi64(0xffffLL << 32);
	const __m512i ttl = _mm512_set1_epi64(0xffLL << 32);
	const __m512i one = _mm512_set1_epi64(1LL << 32);
	__m512i mtu = _mm512_and_si512(_mm512_srli_epi64(facts, 16), _mm512_set1_epi64(0xffff));
	__m512i most = _mm512_add_epi64(mtu, _mm512_set1_epi64(ETHER_HEADER_BYTES));
	__m512i length = _mm512_cvtepu16_epi64(_mm_loadu_si128((const __m128i *)bytes));

	return _mm512_testn_epi64_mask(facts, verdict) & _mm512_cmple_epu64_mask(length, most) &
		_mm512_cmpgt_epu64_mask(_mm512_and_si512(middle, ttl), one);
}

// Which of eight lanes can be forwarded; stores their egress.
AVX512 static inline __mmask8 can_forward_8(struct tr_batch *batch, unsigned lane, __mmask8 live,
	const struct tr_next_hop *hops)
{
	__m512i facts = gather_facts(hops, &batch->hop[lane]);
	__m512i frames = _mm512_loadu_si512(&batch->frame[lane]);
	__m512i middle = gather_headers(live, frames, MIDDLE_AT);

	_mm_storeu_si128((__m128i *)&batch->egress[lane], _mm512_cvtepi64_epi16(facts));
	return can_forward(facts, middle, &batch->bytes[lane]) & live;
}

AVX512 static inline __m128i load_macs(const struct tr_next_hop *hop)
{
	return _mm_load_si128((const __m128i *)hop->macs);
}

// A next-hop entry begins as a frame to its neighbour does: 12 of 16 bytes.
AVX512 static inline void rewrite(uint8_t *frame, __m128i macs)
{
	__m128i rest = _mm_loadu_si128((const __m128i *)frame);

	_mm_storeu_si128((__m128i *)frame, _mm_blend_epi32(macs, rest, 1 << 3));
	checksum_lower_ttl(frame + TTL_AT);
}

AVX512 static inline void rewrite_lane(const struct tr_batch *batch, unsigned lane,
	const struct tr_next_hop *hops)
{
	rewrite(batch->frame[lane], load_macs(&hops[batch->hop[lane]]));
}

// Whether 64 lanes have the same next hop.
AVX512 static inline bool go_together(const uint16_t *hop)
{
	__m512i first = _mm512_set1_epi16((short)hop[0]);
	__m512i low = _mm512_xor_si512(_mm512_loadu_si512(hop), first);
	__m512i high = _mm512_xor_si512(_mm512_loadu_si512(hop + 32), first);

	return _mm512_test_epi64_mask(_mm512_or_si512(low, high), _mm512_or_si512(low, high)) == 0;
}

// Which of 64 lanes have a TTL above 1.
AVX512 static inline uint64_t outlive_hop(uint8_t *const *frame)
{
	const __m512i ttl = _mm512_set1_epi64(0xffLL << 32), one = _mm512_set1_epi64(1LL << 32);
	uint64_t found = 0;

	for (unsigned i = 0; i < 64; i += 8) {
		__m512i middle = gather_headers(0xff, _mm512_loadu_si512(frame + i), MIDDLE_AT);
		__mmask8 lanes = _mm512_cmpgt_epu64_mask(_mm512_and_si512(middle, ttl), one);
		found |= (uint64_t)lanes << i;
	}
	return found;
}

// Which of 64 lengths are short enough for a link.
AVX512 static inline uint64_t are_short(const uint16_t *bytes, uint16_t mtu)
{
	uint32_t most = mtu + (uint32_t)ETHER_HEADER_BYTES;
	__m512i limit = _mm512_set1_epi16((short)(most < UINT16_MAX ? most : UINT16_MAX));
	uint64_t high = _mm512_cmple_epu16_mask(_mm512_loadu_si512(bytes + 32), limit);

	return _mm512_cmple_epu16_mask(_mm512_loadu_si512(bytes), limit) | high << 32;
}

// Forwards to one next hop those of 64 live lanes that can be; returns which.
AVX512 static uint64_t forward_together(struct tr_batch *batch, unsigned first,
	const struct tr_next_hop *hop)
{
	__m512i egress = _mm512_set1_epi16((short)hop->port);
	__m128i macs = load_macs(hop);
	uint64_t done;

	if (hop->verdict != TR_VERDICT_LIVE)
		return 0;
	done = outlive_hop(&batch->frame[first]) & are_short(&batch->bytes[first], hop->mtu);
	_mm512_storeu_si512(&batch->egress[first], egress);
	_mm512_storeu_si512(&batch->egress[first + 32], egress);
	if (done == ~0ULL) {
#pragma GCC unroll 8
		for (unsigned i = 0; i < 64; i++)
			rewrite(batch->frame[first + i], macs);
		return done;
	}
	for (uint64_t left = done; left; left &= left - 1)
		rewrite(batch->frame[first + (unsigned)__builtin_ctzll(left)], macs);
	return done;
}

// Judges all lanes before it writes the first, so that writing waits for no gather.
AVX512 static uint64_t forward(struct tr_batch *batch, unsigned first,
	const struct tr_next_hop *hops)
{
	uint64_t live = batch->live[first / 64];
	uint64_t done = 0;

	if (live == ~0ULL && go_together(&batch->hop[first]))
		return forward_together(batch, first, &hops[batch->hop[first]]);
	for (unsigned i = 0; i < 64 && live >> i; i += 8)
		done |= (uint64_t)can_forward_8(batch, first + i, (__mmask8)(live >> i), hops) << i;
	if (done == ~0ULL) {
#pragma GCC unroll 8
		for (unsigned i = 0; i < 64; i++)
			rewrite_lane(batch, first + i, hops);
		return done;
	}
	for (uint64_t left = done; left; left &= left - 1)
		rewrite_lane(batch, first + (unsigned)__builtin_ctzll(left), hops);
	return done;
}

AVX512 static uint64_t match(const struct tr_batch *batch, unsigned first, uint16_t port)
{
	__m512i ports = _mm512_set1_epi16((short)port);
	__m512i low = _mm512_loadu_si512(&batch->egress[first]);
	__m512i high = _mm512_loadu_si512(&batch->egress[first + 32]);
	uint64_t found = _mm512_cmpeq_epi16_mask(low, ports) |
		(uint64_t)_mm512_cmpeq_epi16_mask(high, ports) << 32;
	unsigned n = batch->lanes - first;

	return n < 64 ? found & ((1ULL << n) - 1) : found;
}

AVX512 static void pack(const struct tr_batch *batch, const uint64_t *mask,
	struct tr_packed *packed)
{
	unsigned n = 0;

	for (unsigned lane = 0; lane < batch->lanes; lane += 8) {
		__mmask8 lanes = (__mmask8)(mask[lane / 64] >> (lane % 64));
		__m512i pkts = _mm512_loadu_si512(&batch->pkt[lane]);
		__m512i bytes = _mm512_cvtepu16_epi64(_mm_loadu_si128((const __m128i *)&batch
				->bytes[lane]));

		pkts = _mm512_maskz_compress_epi64(lanes, pkts);
		bytes = _mm512_maskz_compress_epi64(lanes, bytes);
		_mm512_storeu_si512(&packed->pkt[n], pkts);
		_mm_storeu_si128((__m128i *)&packed->bytes[n], _mm512_cvtepi64_epi16(bytes));
		n += (unsigned)_mm_popcnt_u32(lanes);
	}
	packed->lanes = n;
}

const struct tr_vector_ops tr_vector_avx512 = {
	.name = "avx512",
	.sum_up = sum_up,
	.find_plain = find_plain,
	.find_suspects = find_suspects,
	.forward = forward,
	.match = match,
	.pack = pack,
};
