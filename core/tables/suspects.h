// SPDX-License-Identifier: MIT
// Which source addresses may be such that no packet may carry: martians, multicast, broadcast
// addresses of attached subnets (RFC 1812 5.3.7). What is a martian is a route, so that routes that
// come and go decide; but a lookup of every source would double the cost of the fast path. The FIB
// thus keeps two bitmaps beside the lookup table, in which every such route has left a mark. A
// source without a mark is innocent; one with a mark is looked up. Marks are only added. Beside
// each bitmap is a coarse one that vector registers hold: what has no mark there has none at all.
#pragma once
#include "backend.h"

#define TR_SUSPECT_BLOCKS 65536 // by the first 16 bits of an address
#define TR_SUSPECT_HOSTS 8192   // by a hash of the whole of it
#define TR_SUSPECT_HASH 0x9e3779b1u
#define TR_SUSPECT_HASH_SHIFT 19 // leaves 13 bits for TR_SUSPECT_HOSTS
#define TR_SUSPECT_OCTETS 256    // by the first 8 bits of an address
#define TR_SUSPECT_GROUPS 1024   // by the first 10 bits of the hash

struct tr_suspects {
	uint64_t block[TR_SUSPECT_BLOCKS / 64];
	uint64_t host[TR_SUSPECT_HOSTS / 64];
	uint32_t octet[TR_SUSPECT_OCTETS / 32]; // of `block`
	uint32_t group[TR_SUSPECT_GROUPS / 32]; // of `host`
};

// True for a kind of route whose addresses are no source of any packet.
static inline bool tr_is_no_source(uint8_t kind)
{
	return kind == TR_ROUTE_MARTIAN || kind == TR_ROUTE_MULTICAST || kind == TR_ROUTE_BROADCAST;
}

static inline uint32_t tr_suspect_host(uint32_t address)
{
	return address * TR_SUSPECT_HASH >> TR_SUSPECT_HASH_SHIFT;
}

static inline bool tr_is_suspect(const struct tr_suspects *suspects, uint32_t address)
{
	uint32_t block = address >> 16;
	uint32_t host = tr_suspect_host(address);

	return ((suspects->block[block / 64] >> (block % 64)) |
		       (suspects->host[host / 64] >> (host % 64))) &
		1;
}

// Tells the cost model what tr_is_suspect() reads. Nothing on DPDK.
static inline void tr_suspects_touch(const struct tr_suspects *suspects, struct io_core *core,
	uint32_t address)
{
	io_cost_touch(core, &suspects->block[(address >> 16) / 64], sizeof(uint64_t));
	io_cost_touch(core, &suspects->host[tr_suspect_host(address) / 64], sizeof(uint64_t));
}

// Marks what such a route covers: whole blocks, or a single address of a prefix of 32 bits.
void tr_suspects_mark(struct tr_suspects *suspects, uint32_t prefix, uint8_t bits);
