// SPDX-License-Identifier: MIT
// The distributor: a buffer per egress port that collects the packets of many bursts into full
// transmit calls. A buffer is sent when it is full, or when its first packet has waited
// `flush_cycles`; what comes together and would fill half of an empty one does not wait. Of a port
// that takes less than it is offered, packets with a priority stay in the buffer and are offered
// again, the highest first; others are lost (RFC 2474 4.2.2.2).
// One distributor belongs to one unit; both fast and slow path use it.
#pragma once
#include "queues/drop_log.h"
#include "router.h"

struct tr_distributor_queue {
	uint32_t count;
	uint32_t full;         // sent at once when it holds so many or more
	uint32_t kept;         // of them, from the front: were offered before; in order of priority
	bool is_congested;     // the port did not take all that it was offered last
	bool has_short;        // at least one is shorter than ETHER_FRAME_BYTES_MIN
	uint64_t bytes;        // of all of them
	uint64_t due_cycles;   // when it is sent though it is not full
	uint64_t retry_cycles; // congested: how long until the next offer
	uint8_t priority[TR_BATCH_MAX]; // of those kept
	struct pkt *pkt[TR_BATCH_MAX];
};

struct tr_distributor {
	struct io_core *core;
	struct tr_counters *counters; // of the unit
	struct tr_drop_log *drop_log; // likewise
	const struct tr_port *ports;
	uint32_t port_count;
	uint16_t tx_queue;    // the unit's number
	uint8_t priority[64]; // by DSCP
	uint32_t size;        // packets a queue collects
	uint64_t flush_cycles;
	uint64_t retry_cycles_min; // doubles up to the most while a port takes nothing
	uint64_t retry_cycles_max;
	struct tr_distributor_queue *queue; // port_count
};

// 0 or -ENOMEM. `ports` stays the caller's and must live as long.
int tr_distributor_init(struct tr_distributor *distributor, const struct tr_config *config,
	struct io_core *core, const struct tr_port *ports, uint16_t tx_queue,
	struct tr_counters *counters, struct tr_drop_log *drop_log);
// Frees what is still held as well.
void tr_distributor_fini(struct tr_distributor *distributor);
// Takes n packets of these lengths; sends the port's buffer whenever that fills it.
void tr_distributor_send(struct tr_distributor *distributor, uint16_t port, struct pkt **pkt,
	const uint16_t *bytes, uint32_t n);
// Sends the buffers whose time has come, or all but those of congested ports whose time has not.
// Returns the number of packets that left them, by the port or for ever.
unsigned tr_distributor_flush_due(struct tr_distributor *distributor);
unsigned tr_distributor_flush_all(struct tr_distributor *distributor);
// When flush_due has something to do next; UINT64_MAX: never.
uint64_t tr_distributor_deadline(const struct tr_distributor *distributor);
uint64_t tr_distributor_held(const struct tr_distributor *distributor);
