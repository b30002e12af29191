// SPDX-License-Identifier: MIT
// Reassembly of ICMP messages to the router's own addresses (RFC 791 3.2, RFC 1122 3.3.2), so that
// an echo request in fragments is answered like any other. Fragments of all else go to the host
// stack as they are, which puts them together itself. Packets stay the packets that came in: what
// is built of a datagram is built from this chain. All memory is taken at start, and its size is
// the bound of what can be held. Slow-path thread only.
#pragma once
#include "backend.h"

struct tr_slow_path;
struct tr_reassembly;

// A fragment among those of its datagram, in the order of their offsets.
struct tr_fragment {
	struct tr_fragment *next;
	struct pkt *pkt; // as it was received
};

// NULL with errno. `hz`: of the clock that the timeout runs on.
struct tr_reassembly *tr_reassembly_new(const struct tr_config *config, uint64_t hz);
void tr_reassembly_settings(struct tr_reassembly *reassembly, const struct tr_settings *settings,
	uint64_t hz);
void tr_reassembly_free(struct tr_reassembly *reassembly);
// Keeps a fragment of an ICMP message to an own address. The last one that was missing makes the
// datagram whole: then tr_slow_icmp_whole() gets all of them.
void tr_slow_reassemble(struct tr_slow_path *slow, struct pkt *pkt);
// Gives up datagrams whose time is over. Returns how many.
unsigned tr_reassembly_tick(struct tr_slow_path *slow, uint64_t now);
uint64_t tr_reassembly_deadline(const struct tr_reassembly *reassembly); // UINT64_MAX: none
uint64_t tr_reassembly_held(const struct tr_reassembly *reassembly);     // fragments

// An ICMP message whose fragments are all there (echo_fragments.c): answers an echo request, hands
// all else to the host stack. Owns the packets, not the list.
void tr_slow_icmp_whole(struct tr_slow_path *slow, const struct tr_fragment *first);
