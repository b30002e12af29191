// SPDX-License-Identifier: MIT
// Four to sixteen lanes at a time, for processors with AVX2. What is asked of the headers is loaded
// in words of 8 bytes, a lane each: gathers of AVX2 take longer than that. Lanes that do not fill a
// register are done one by one.
#include "fast_path/vector.h"
#include "formats/checksum.h"
#include "formats/ethernet.h"
#include "formats/ipv4.h"

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

// Where the words begin in a frame; the last one ends where the IPv4 header does.
#define DESTINATION_AT 0
#define TYPE_AT 12   // EtherType, version and length, TOS, total length, identification
#define MIDDLE_AT 18 // identification, fragment, TTL, protocol, checksum
#define TTL_AT 22
#define ADDRESSES_AT 26 // source, destination

static_assert(ADDRESSES_AT + 8 == ETHER_HEADER_BYTES + IPV4_HEADER_BYTES, "no byte further");

AVX2 static inline __m256i load(const void *at)
{
	return _mm256_loadu_si256(at);
}

AVX2 static inline __m256i load_words(uint8_t *const *frame, unsigned at)
{
	return _mm256_set_epi64x((long long)load64(frame[3] + at), (long long)load64(frame[2] + at),
		(long long)load64(frame[1] + at), (long long)load64(frame[0] + at));
}

// Which of four words are 0.
AVX2 static inline unsigned zero_words(__m256i words)
{
	__m256i zero = _mm256_cmpeq_epi64(words, _mm256_setzero_si256());

	return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(zero));
}

AVX2 static inline uint32_t sum_words(__m256i sum)
{
	__m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));

	half = _mm_add_epi32(half, _mm_shuffle_epi32(half, _MM_SHUFFLE(1, 0, 3, 2)));
	half = _mm_add_epi32(half, _mm_shuffle_epi32(half, _MM_SHUFFLE(2, 3, 0, 1)));
	return (uint32_t)_mm_cvtsi128_si32(half);
}

AVX2 static uint64_t sum_up(struct tr_batch *batch)
{
	const __m256i halves = _mm256_set1_epi32(0xffff);
	const __m128i good = _mm_set1_epi8((char)PKT_CHECKSUM_GOOD);
	__m256i sums = _mm256_setzero_si256(), lows = _mm256_set1_epi16(-1);
	__m128i odds = _mm_setzero_si128();
	unsigned lane = 0, odd, least;
	uint32_t sum;

	for (; lane + 16 <= batch->lanes; lane += 16) {
		__m256i bytes = load(&batch->bytes[lane]);
		__m128i said = _mm_loadu_si128((const __m128i *)&batch->checksum[lane]);

		sums = _mm256_add_epi32(sums, _mm256_and_si256(bytes, halves));
		sums = _mm256_add_epi32(sums, _mm256_srli_epi32(bytes, 16));
		lows = _mm256_min_epu16(lows, bytes);
		odds = _mm_or_si128(odds, _mm_xor_si128(said, good));
	}
	sum = sum_words(sums);
	odd = !_mm_testz_si128(odds, odds);
	least = (unsigned)
		_mm_extract_epi16(_mm_minpos_epu16(_mm_min_epu16(_mm256_castsi256_si128(lows),
					  _mm256_extracti128_si256(lows, 1))),
			0);
	for (; lane < batch->lanes; lane++) {
		sum += batch->bytes[lane];
		least = batch->bytes[lane] < least ? batch->bytes[lane] : least;
		odd |= batch->checksum[lane] ^ PKT_CHECKSUM_GOOD;
	}
	batch->bytes_min = (uint16_t)least;
	batch->checksums_good = odd == 0;
	return sum;
}

// --- validate ------------------------------------------------------------------------------------
// Total length in the place that it has in the word from TYPE_AT on, in wire order.
AVX2 static inline __m256i length_word(const uint16_t *bytes)
{
	const __m256i swap = _mm256_broadcastsi128_si256(_mm_set_epi8(-1, -1, 8, 9, -1, -1, -1, -1,
		-1, -1, 0, 1, -1, -1, -1, -1));
	__m256i length = _mm256_cvtepu16_epi64(_mm_loadl_epi64((const __m128i *)bytes));

	length = _mm256_sub_epi64(length, _mm256_set1_epi64x(ETHER_HEADER_BYTES));
	return _mm256_shuffle_epi8(length, swap);
}

// One's complement sum of words of 32 bits, two in each lane, not folded.
AVX2 static inline __m256i sum_halves(__m256i word)
{
	__m256i low = _mm256_and_si256(word, _mm256_set1_epi64x(0xffffffff));

	return _mm256_add_epi64(low, _mm256_srli_epi64(word, 32));
}

AVX2 static inline __m256i fold(__m256i sum)
{
	__m256i low = _mm256_and_si256(sum, _mm256_set1_epi64x(0xffff));

	return _mm256_add_epi64(low, _mm256_srli_epi64(sum, 16));
}

// What is 0 in lanes with a right checksum, by the header's 20 bytes: 6 + 6 + 8.
AVX2 static inline __m256i sums_wrong(__m256i type, __m256i middle, __m256i addresses)
{
	__m256i sum = sum_halves(_mm256_srli_epi64(type, 16));

	sum = _mm256_add_epi64(sum, sum_halves(_mm256_srli_epi64(middle, 16)));
	sum = _mm256_add_epi64(sum, sum_halves(addresses));
	sum = fold(fold(sum)); // what is a multiple of 0xffff has become that by now
	return _mm256_xor_si256(sum, _mm256_set1_epi64x(0xffff));
}

// The same, where the NIC has said nothing of it.
AVX2 static inline unsigned checksums_right(const uint8_t *nic, __m256i wrong)
{
	unsigned right = zero_words(wrong), said = 0, good = 0;

	for (unsigned i = 0; i < 4; i++) {
		good |= (unsigned)(nic[i] == PKT_CHECKSUM_GOOD) << i;
		said |= (unsigned)(nic[i] == PKT_CHECKSUM_GOOD || nic[i] == PKT_CHECKSUM_BAD) << i;
	}
	return good | (right & ~said);
}

// Stores the addresses of four lanes; tells which have a source.
AVX2 static inline unsigned take_addresses(struct tr_batch *batch, unsigned lane, __m256i addresses)
{
	const __m256i swap = _mm256_broadcastsi128_si256(_mm_set_epi8(12, 13, 14, 15, 4, 5, 6, 7, 8,
		9, 10, 11, 0, 1, 2, 3));
	__m256i both = _mm256_shuffle_epi8(addresses, swap);
	__m256i apart = _mm256_permute4x64_epi64(both, _MM_SHUFFLE(3, 1, 2, 0));
	__m128i source = _mm256_castsi256_si128(apart);
	__m128i none = _mm_cmpeq_epi32(source, _mm_setzero_si128());

	_mm_storeu_si128((__m128i *)&batch->source[lane], source);
	_mm_storeu_si128((__m128i *)&batch->destination[lane], _mm256_extracti128_si256(apart, 1));
	return ~(unsigned)_mm_movemask_ps(_mm_castsi128_ps(none)) & 15;
}

AVX2 static inline unsigned find_plain_4(struct tr_batch *batch, unsigned lane,
	uint8_t *const *frame, const struct tr_form *form, bool sum)
{
	const __m256i destination_mask = _mm256_set1_epi64x(0xffffffffffff);
	const __m256i type_mask = _mm256_set1_epi64x(0xffff00ffffff);
	__m256i destination = load_words(frame, DESTINATION_AT);
	__m256i type = load_words(frame, TYPE_AT);
	__m256i addresses = load_words(frame, ADDRESSES_AT);
	__m256i head = _mm256_or_si256(_mm256_set1_epi64x((long long)form->head),
		length_word(&batch->bytes[lane]));
	__m256i odd_destination, odd_type;
	unsigned plain = take_addresses(batch, lane, addresses);

	odd_destination =
		_mm256_xor_si256(destination, _mm256_set1_epi64x((long long)form->destination));
	odd_destination = _mm256_and_si256(odd_destination, destination_mask);
	odd_type = _mm256_and_si256(_mm256_xor_si256(type, head), type_mask);
	plain &= zero_words(_mm256_or_si256(odd_destination, odd_type));
	if (sum)
		plain &= checksums_right(&batch->checksum[lane],
			sums_wrong(type, load_words(frame, MIDDLE_AT), addresses));
	return plain;
}

AVX2 static inline uint64_t find_plain_of(struct tr_batch *batch, unsigned first,
	const struct tr_form *form, bool sum)
{
	unsigned n = batch->lanes - first < 64 ? batch->lanes - first : 64, i = 0;
	uint8_t *const *frame = &batch->frame[first];
	uint64_t plain = 0;

	for (; i + 4 <= n; i += 4)
		plain |= (uint64_t)find_plain_4(batch, first + i, frame + i, form, sum) << i;
	if (i < n) {
		uint8_t *some[4];

		// The last one's frame stands for those that are not there.
		for (unsigned k = 0; k < 4; k++)
			some[k] = frame[i + k < n ? i + k : n - 1];
		plain |= (uint64_t)(find_plain_4(batch, first + i, some, form, sum) &
				 ((1u << (n - i)) - 1))
			<< i;
	}
	return plain;
}

AVX2 static uint64_t find_plain(struct tr_batch *batch, unsigned first, const struct tr_form *form,
	bool sum)
{
	return sum ? find_plain_of(batch, first, form, true)
		   : find_plain_of(batch, first, form, false);
}

// --- filter --------------------------------------------------------------------------------------
AVX2 static inline __m256i blend(__m256i clear, __m256i set, __m256i by_top_bit)
{
	return _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(clear),
		_mm256_castsi256_ps(set), _mm256_castsi256_ps(by_top_bit)));
}

// The words of a bitmap of 1024, in four registers, that the first 5 bits of 8 indices name.
AVX2 static inline __m256i select_words(const __m256i *bitmap, __m256i index)
{
	__m256i in_register = _mm256_srli_epi32(index, 27), next_bit = _mm256_slli_epi32(index, 1);
	__m256i word[4];

	for (unsigned i = 0; i < 4; i++)
		word[i] = _mm256_permutevar8x32_epi32(bitmap[i], in_register);
	return blend(blend(word[0], word[1], next_bit), blend(word[2], word[3], next_bit), index);
}

AVX2 static inline __m256i shift_bits(__m256i word, __m256i bit)
{
	return _mm256_srlv_epi32(word, _mm256_and_si256(bit, _mm256_set1_epi32(31)));
}

// Those with a mark in a coarse bitmap, which few lanes have: for them, memory is asked.
AVX2 static uint64_t find_suspects(const struct tr_suspects *suspects, const uint32_t *source,
	unsigned n)
{
	const __m256i octets = load(suspects->octet);
	__m256i groups[4];
	uint64_t marked = 0, found = 0;

	for (unsigned i = 0; i < 4; i++)
		groups[i] = load(suspects->group + 8 * i);
	for (unsigned i = 0; i < n; i += 8) {
		__m256i address = load(source + i);
		__m256i hash = _mm256_mullo_epi32(address, _mm256_set1_epi32((int)TR_SUSPECT_HASH));
		__m256i octet = _mm256_permutevar8x32_epi32(octets, _mm256_srli_epi32(address, 29));
		__m256i marks = _mm256_or_si256(shift_bits(octet, _mm256_srli_epi32(address, 24)),
			shift_bits(select_words(groups, hash), _mm256_srli_epi32(hash, 22)));
		__m256 top = _mm256_castsi256_ps(_mm256_slli_epi32(marks, 31));

		marked |= (uint64_t)(unsigned)_mm256_movemask_ps(top) << i;
	}
	if (n < 64)
		marked &= (1ULL << n) - 1;
	for (; marked; marked &= marked - 1) {
		unsigned i = (unsigned)__builtin_ctzll(marked);
		found |= (uint64_t)tr_is_suspect(suspects, source[i]) << i;
	}
	return found;
}

// --- next hop ------------------------------------------------------------------------------------
// What stands behind the MAC addresses in the next-hop entries of four lanes.
AVX2 static inline __m256i load_facts(const struct tr_next_hop *hops, const uint16_t *hop)
{
	static_assert(offsetof(struct tr_next_hop, port) + 2 == offsetof(struct tr_next_hop, mtu) &&
			offsetof(struct tr_next_hop, port) + 4 ==
				offsetof(struct tr_next_hop, verdict),
		"three fields in a word, in this order");
	return _mm256_set_epi64x((long long)load64(&hops[hop[3]].port),
		(long long)load64(&hops[hop[2]].port), (long long)load64(&hops[hop[1]].port),
		(long long)load64(&hops[hop[0]].port));
}

// Which of four lanes have a TTL above 1, a live verdict, and are short enough for the link.
AVX2 static inline unsigned can_forward(__m256i facts, __m256i middle, const uint16_t *bytes)
{
	const __m256i verdict = _mm256_set1_epi64x(0xffffLL << 32);
	__m256i mtu = _mm256_and_si256(_mm256_srli_epi64(facts, 16), _mm256_set1_epi64x(0xffff));
	__m256i most = _mm256_add_epi64(mtu, _mm256_set1_epi64x(ETHER_HEADER_BYTES));
	__m256i length = _mm256_cvtepu16_epi64(_mm_loadl_epi64((const __m128i *)bytes));
	__m256i ttl = _mm256_and_si256(_mm256_srli_epi64(middle, 32), _mm256_set1_epi64x(0xff));
	__m256i odd = _mm256_or_si256(_mm256_cmpgt_epi32(length, most),
		_mm256_cmpgt_epi32(_mm256_set1_epi64x(2), ttl));

	return zero_words(_mm256_or_si256(odd, _mm256_and_si256(facts, verdict)));
}

AVX2 static inline void store_egress(uint16_t *egress, __m256i facts)
{
	const __m256i ports = _mm256_set_epi8(-1, -1, -1, -1, -1, -1, -1, -1, 9, 8, 1, 0, -1, -1,
		-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 9, 8, 1, 0);

	facts = _mm256_shuffle_epi8(facts, ports);
	_mm_storel_epi64((__m128i *)egress,
		_mm_or_si128(_mm256_castsi256_si128(facts), _mm256_extracti128_si256(facts, 1)));
}

AVX2 static inline __m128i load_macs(const struct tr_next_hop *hop)
{
	return _mm_load_si128((const __m128i *)hop->macs);
}

// A next-hop entry begins as a frame to its neighbour does: 12 of 16 bytes.
AVX2 static inline void rewrite(uint8_t *frame, __m128i macs)
{
	__m128i rest = _mm_loadu_si128((const __m128i *)frame);

	_mm_storeu_si128((__m128i *)frame, _mm_blend_epi32(macs, rest, 1 << 3));
	checksum_lower_ttl(frame + TTL_AT);
}

// Which of four lanes, some of them live, can be forwarded; sets the egress of the live ones.
AVX2 static inline unsigned can_forward_some(struct tr_batch *batch, unsigned lane, unsigned live,
	const struct tr_next_hop *hops)
{
	unsigned done = 0;

	for (; live; live &= live - 1) {
		unsigned i = (unsigned)__builtin_ctz(live);
		const struct tr_next_hop *hop = &hops[batch->hop[lane + i]];
		uint32_t most = hop->mtu + (uint32_t)ETHER_HEADER_BYTES;

		batch->egress[lane + i] = hop->port;
		done |= (unsigned)((hop->verdict == TR_VERDICT_LIVE) &
				(batch->bytes[lane + i] <= most) &
				(batch->frame[lane + i][TTL_AT] > 1))
			<< i;
	}
	return done;
}

AVX2 static inline unsigned can_forward_4(struct tr_batch *batch, unsigned lane,
	const struct tr_next_hop *hops)
{
	__m256i facts = load_facts(hops, &batch->hop[lane]);

	store_egress(&batch->egress[lane], facts);
	return can_forward(facts, load_words(&batch->frame[lane], MIDDLE_AT), &batch->bytes[lane]);
}

AVX2 static uint64_t forward(struct tr_batch *batch, unsigned first, const struct tr_next_hop *hops)
{
	uint64_t live = batch->live[first / 64];
	uint64_t done = 0;

	for (unsigned i = 0; i < 64 && live >> i; i += 4) {
		unsigned lanes = live >> i & 15;
		unsigned able = lanes == 15 ? can_forward_4(batch, first + i, hops)
					    : can_forward_some(batch, first + i, lanes, hops);

		done |= (uint64_t)able << i;
	}
	if (done == ~0ULL) {
#pragma GCC unroll 8
		for (unsigned i = 0; i < 64; i++)
			rewrite(batch->frame[first + i], load_macs(&hops[batch->hop[first + i]]));
		return done;
	}
	for (uint64_t left = done; left; left &= left - 1) {
		unsigned lane = first + (unsigned)__builtin_ctzll(left);
		rewrite(batch->frame[lane], load_macs(&hops[batch->hop[lane]]));
	}
	return done;
}

// --- transmit ------------------------------------------------------------------------------------
// Which of 32 lanes leave by a port.
AVX2 static inline uint32_t match_32(const uint16_t *egress, __m256i ports)
{
	__m256i low = _mm256_cmpeq_epi16(load(egress), ports);
	__m256i high = _mm256_cmpeq_epi16(load(egress + 16), ports);
	__m256i both = _mm256_packs_epi16(low, high);

	return (uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(both,
		_MM_SHUFFLE(3, 1, 2, 0)));
}

AVX2 static uint64_t match(const struct tr_batch *batch, unsigned first, uint16_t port)
{
	__m256i ports = _mm256_set1_epi16((short)port);
	uint64_t found = match_32(&batch->egress[first], ports) |
		(uint64_t)match_32(&batch->egress[first + 32], ports) << 32;
	unsigned n = batch->lanes - first;

	return n < 64 ? found & ((1ULL << n) - 1) : found;
}

const struct tr_vector_ops tr_vector_avx2 = {
	.name = "avx2",
	.sum_up = sum_up,
	.find_plain = find_plain,
	.find_suspects = find_suspects,
	.forward = forward,
	.match = match,
	.pack = tr_vector_pack,
};
