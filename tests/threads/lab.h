// SPDX-License-Identifier: MIT
// What the thread test stands on: buffers and ports whose synchronisation ThreadSanitizer can see.
// DPDK's libraries are not compiled with it, so their rings would look like races: here the pool of
// buffers is a stack under a mutex, and ports send and receive by rings compiled with the test.
#pragma once
#include "dpdk_api.h"

#define LAB_POOL "tr_locked" // for EAL's --mbuf-pool-ops-name

struct lab_frame { // what comes out says where it belongs
	uint8_t mac[6];
	uint32_t destination;
};

// Replaces the functions by which the engine's port sends and receives.
void lab_take_over(uint16_t ethdev, uint16_t rx_queues, uint16_t tx_queues);
// Puts a UDP packet to this address into a receive queue; false: no room.
bool lab_send(uint16_t ethdev, uint16_t queue, const uint8_t *mac, uint32_t destination);
// Takes a frame that was sent; false: there is none.
bool lab_receive(uint16_t ethdev, uint16_t queue, struct lab_frame *out);
int lab_start(void); // after EAL's start
