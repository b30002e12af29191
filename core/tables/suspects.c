// SPDX-License-Identifier: MIT
// Marks for the routes whose addresses no packet may come from. A prefix of up to 16 bits marks
// every block in it, a longer one the block around it. Single addresses are marked apart: the
// broadcast address of an attached subnet must not make a suspect of every host in its block.
#include "tables/suspects.h"
#include "formats/ipv4.h"

void tr_suspects_mark(struct tr_suspects *suspects, uint32_t prefix, uint8_t bits)
{
	uint32_t first = prefix >> 16;
	uint32_t last = (prefix | ~ipv4_mask(bits)) >> 16;

	if (bits == 32) {
		uint32_t host = tr_suspect_host(prefix);
		uint32_t group = host / (TR_SUSPECT_HOSTS / TR_SUSPECT_GROUPS);

		suspects->host[host / 64] |= 1ULL << (host % 64);
		suspects->group[group / 32] |= 1U << (group % 32);
		return;
	}
	for (uint32_t block = first; block <= last; block++)
		suspects->block[block / 64] |= 1ULL << (block % 64);
	for (uint32_t octet = first >> 8; octet <= last >> 8; octet++)
		suspects->octet[octet / 32] |= 1U << (octet % 32);
}
