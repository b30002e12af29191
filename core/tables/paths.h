// SPDX-License-Identifier: MIT
// Sets of gateways that routes share: a route with several gateways, or with an MTU of its own, has
// the number of a set where others have their gateway, so it takes no more room in the RIB. Equal
// sets are one set, counted. Slow-path thread only.
#pragma once
#include "api.h"

struct tr_paths;

struct tr_path {
	uint32_t gateway;
	uint16_t port;
	uint16_t reserved;
};

struct tr_paths *tr_paths_new(void); // NULL with errno
void tr_paths_free(struct tr_paths *paths);
// The set of 1..TR_PATHS_MAX paths in ascending order of their gateways, and an MTU (0: none), with
// one more reference; 0 where there is no memory.
uint32_t tr_paths_take(struct tr_paths *paths, const struct tr_path *path, unsigned n,
	uint16_t mtu);
// One reference more, or less: without any the set is gone.
void tr_paths_hold(struct tr_paths *paths, uint32_t set);
void tr_paths_give(struct tr_paths *paths, uint32_t set);
// The n paths of a set, valid until the next tr_paths_take().
const struct tr_path *tr_paths_of(const struct tr_paths *paths, uint32_t set, unsigned *n);
uint16_t tr_paths_mtu(const struct tr_paths *paths, uint32_t set);
uint32_t tr_paths_count(const struct tr_paths *paths); // sets in use
