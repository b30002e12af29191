// SPDX-License-Identifier: MIT
// Everything that Python may call in the simulator; cffi reads this file after core/api.h.
// A world holds routers, stations and links and runs them in virtual time. Times are picoseconds
// (`_ps`) from the start of the world; a core's cycles are its share at its profile's frequency.
// One thread owns a world. The same calls with the same seed give the same bytes and times on any
// machine. Makers return an id >= 0 or -errno.
#pragma once
#include "api.h"

#define TR_SIM_NEVER 0xffffffffffffffff
#define TR_SIM_TEXT 256

struct tr_world;

// --- what a router runs on -----------------------------------------------------------------------
// Cost of a step: call + lane * live lanes, in 1/1000 cycles. Index: enum tr_step, as
// tr_step_name().
struct tr_step_cost {
	uint64_t call_millicycles;
	uint64_t lane_millicycles;
};

struct tr_profile {
	bool functional; // processing takes no virtual time; the costs below do not count
	uint64_t hz;
	uint64_t poll_millicycles; // a turn of a unit's loop that finds nothing
	struct tr_step_cost step[TR_STEPS_MAX];
};

struct tr_nic_config {
	uint32_t rx_descriptors; // frames a receive queue holds
	uint32_t tx_descriptors; // frames a transmit queue holds
	bool checksum_verdict;   // the NIC checks IPv4 header checksums
	bool rss_symmetric;      // Toeplitz key that hashes both directions of a flow alike
	bool filters;            // ARP and own addresses go straight to the slow path's queue
};

struct tr_sim_router {
	struct tr_config config;
	struct tr_profile profile;
	struct tr_nic_config nic[TR_PORTS_MAX];
	uint32_t buffers;       // packet buffers of this router
	bool guard_tables;      // protect the pages of tables from whoever may not touch them
	uint32_t no_buffer_ppm; // faults, in millionths: a buffer allocation fails
	uint32_t ring_full_ppm; // an enqueue to a ring between units finds it full
};

// --- stations: hosts, testers, twins' stacks -----------------------------------------------------
enum tr_station_arp {
	TR_STATION_SILENT,
	TR_STATION_OWN,    // answers for its own address
	TR_STATION_SUBNET, // answers for every address of its subnet but the asker's, own MAC
};

struct tr_station_config {
	uint8_t mac[6];
	uint32_t address; // host order, 0: none
	uint8_t bits;
	uint8_t arp;         // enum tr_station_arp
	bool echo;           // answers echo requests to its address
	bool record;         // keeps what it receives (what it answered by itself as well)
	bool call;           // hands what it did not answer to the world's frame callback
	uint32_t silent_ppm; // fault: an ARP request stays unanswered
};

// --- links ---------------------------------------------------------------------------------------
enum tr_end_kind {
	TR_END_STATION,
	TR_END_PORT, // a router's port
	TR_END_TWIN, // the twin of a router's port
};

struct tr_end {
	uint32_t kind;
	uint32_t id; // station or router
	uint32_t port;
};

// Faults of one direction; chances in millionths, drawn from the world's seed.
struct tr_faults {
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint32_t reorder_ppm; // the frame arrives reorder_ps late, behind those that follow
	uint32_t corrupt_ppm; // one bit is turned
	uint64_t reorder_ps;
	uint64_t up_mean_ps;   // link up and down times, exponential about these means;
	uint64_t down_mean_ps; // 0: the link does not fail by itself
};

struct tr_link_config {
	// 0: frames take no time. A frame takes (bytes + 4 FCS + 20 preamble and gap) * 8 bits; one
	// shorter than 60 bytes takes as long as one of 60.
	uint64_t bits_per_s;
	uint64_t delay_ps;
	struct tr_faults faults[2]; // [0]: from the first end to the second
};

struct tr_link_counters {
	uint64_t sent[2]; // frames put on the wire, by direction
	uint64_t sent_bytes[2];
	uint64_t lost[2]; // by fault or because the link was down
	uint64_t duplicated[2];
	uint64_t reordered[2];
	uint64_t corrupted[2];
};

struct tr_nic_counters {
	uint64_t received; // frames put into a receive queue of the port
	uint64_t received_bytes;
	uint64_t missed;    // receive queue full, the port's or its twin's
	uint64_t no_buffer; // no packet buffer for a frame that came
	uint64_t sent;
	uint64_t sent_bytes;
};

// --- the world -----------------------------------------------------------------------------------
struct tr_world *tr_world_new(uint64_t seed); // NULL: no memory
void tr_world_free(struct tr_world *world);
int tr_world_router(struct tr_world *world, const struct tr_sim_router *router);
// Buffers from now on hold frames of such a port. -EINVAL: too long for any.
int tr_world_fit_mtu(struct tr_world *world, uint32_t mtu);
int tr_world_station(struct tr_world *world, const struct tr_station_config *station);
// -EBUSY: an end has a link already, -EINVAL: no such end.
int tr_world_link(struct tr_world *world, const struct tr_end *a, const struct tr_end *b,
	const struct tr_link_config *config);
int tr_link_set_up(struct tr_world *world, uint32_t link, bool up);
int tr_link_counters(const struct tr_world *world, uint32_t link, struct tr_link_counters *out);
int tr_nic_counters(const struct tr_world *world, uint32_t router, uint32_t port,
	struct tr_nic_counters *out);
// The core's router, for the calls of api.h. Owned by the world.
struct tr_router *tr_world_core_router(const struct tr_world *world, uint32_t router);
// Cycles that a unit's core has spent at work (not waiting), and its clock.
int tr_unit_cycles(const struct tr_world *world, uint32_t router, uint32_t unit, uint64_t *busy,
	uint64_t *now);

enum tr_run_end {
	TR_RUN_TIME,    // virtual time reached until_ps
	TR_RUN_IDLE,    // no frame is under way or held, no unit has work; only timers are left
	TR_RUN_STOPPED, // by tr_world_stop(), from a callback
};
// Runs all events up to and including until_ps. `stop_idle`: return as soon as the world is idle
// (time stays at the last event); otherwise time ends at until_ps. Or -errno: -EINVAL: that is in
// the past, -EBUSY: called from a callback, -ENOMEM: this world can not go on.
int tr_world_run(struct tr_world *world, uint64_t until_ps, bool stop_idle);
void tr_world_stop(struct tr_world *world);
uint64_t tr_world_now_ps(const struct tr_world *world);
// Frames not yet handed to a station or dropped: on wires, in queues, rings, routers, and unsent.
uint64_t tr_world_in_flight(const struct tr_world *world);
// Hash over every event so far (frame put on a wire, arrived, lost, missed; with time, place,
// bytes).
uint64_t tr_world_hash(const struct tr_world *world);

// --- frames --------------------------------------------------------------------------------------
// n frames, frame i at data + offset[i], bytes[i] long (1..buffer size), without FCS. They leave in
// order of at_ps (then of sending), each as soon as its time has come and the wire is free; a time
// in the past means now, as does at_ps NULL. Copied. -EMSGSIZE with *bad: frame too long for a
// packet buffer or empty. -ENOTCONN: the station has no link.
// trace: NULL, or a byte per frame: not 0 traces it.
int tr_station_send(struct tr_world *world, uint32_t station, const uint8_t *data,
	const uint64_t *offset, const uint32_t *bytes, const uint64_t *at_ps, const uint8_t *trace,
	uint64_t n, uint64_t *bad);

// Recorded frames: pointers into the world, valid until it runs again or the record is cleared.
struct tr_frames {
	uint64_t count;
	const uint8_t *data;
	const uint64_t *offset;
	const uint32_t *bytes;
	const uint64_t *time_ps;   // last bit arrived
	const int64_t *latency_ps; // last router, last bit in to first bit out; -1: made there
};
int tr_station_received(const struct tr_world *world, uint32_t station, struct tr_frames *out);
int tr_station_clear(struct tr_world *world, uint32_t station);
// The same for what is put on a wire (time_ps: last bit sent), direction 0 or 1; off at first.
int tr_link_record(struct tr_world *world, uint32_t link, uint32_t direction, bool on);
int tr_link_recorded(const struct tr_world *world, uint32_t link, uint32_t direction,
	struct tr_frames *out);

// Called for a frame that reached a station with `call`; it may send, and stop the world.
typedef void (*tr_frame_fn)(void *context, uint32_t station, const uint8_t *frame, uint32_t bytes,
	uint64_t now_ps);
void tr_world_on_frame(struct tr_world *world, tr_frame_fn fn, void *context);

// --- trace ---------------------------------------------------------------------------------------
struct tr_trace_event {
	uint64_t time_ps;
	uint64_t cycles; // of the core, 0 outside of one
	uint32_t packet; // number of the traced packet, from 1; children share their parent's
	uint32_t bytes;
	uint16_t place;   // enum tr_step, or one of the simulator's from TR_STEPS_MAX on
	uint16_t verdict; // reasons.h; 0: goes on
	uint16_t router;  // 0xffff: outside of any
	uint16_t unit;    // 0xffff: outside of any
	uint32_t port;    // port, station or link, as the place has it
};
// Traces the first `most` frames sent by stations that match a libpcap filter ("" matches all).
// -EINVAL with libpcap's words in error[TR_SIM_TEXT].
int tr_world_trace(struct tr_world *world, const char *filter, uint64_t most, char *error);
uint64_t tr_world_trace_read(const struct tr_world *world, const struct tr_trace_event **events);
const char *tr_place_name(unsigned place); // NULL: no such place

// --- captures (libpcap) --------------------------------------------------------------------------
struct tr_capture {
	uint64_t count;
	uint8_t *data;
	uint64_t *offset;
	uint32_t *bytes;
	uint64_t *time_ns; // as in the file
};
// pcap or pcapng, micro- or nanoseconds. NULL with one line in error[TR_SIM_TEXT]: no such file,
// not a capture, empty, cut in the middle (with the frame's number), frames cut by a snap length,
// not Ethernet.
struct tr_capture *tr_capture_read(const char *path, char *error);
void tr_capture_free(struct tr_capture *capture);
// Nanosecond pcap. 0 or -EIO with a line in error.
int tr_capture_write(const char *path, const struct tr_frames *frames, char *error);
// Sets match[i] to whether frame i (as for tr_station_send) passes a libpcap filter ("": all do).
// -EINVAL with libpcap's words in error[TR_SIM_TEXT].
int tr_frames_match(const char *filter, const uint8_t *data, const uint64_t *offset,
	const uint32_t *bytes, uint64_t n, bool *match, char *error);

// --- a batch alone -------------------------------------------------------------------------------
#define TR_SIM_LANES 512
#define TR_SIM_WORDS 8
#define TR_SIM_HOPS 16
#define TR_SIM_MARKS 16

// What the functions of a vector variant (core/fast_path/vector.h) are given, and what they say.
// Frames are the caller's, of `bytes` and 34 or more each, and are changed.
struct tr_sim_lanes {
	uint32_t lanes;
	uint32_t marks;
	bool sums;
	uint64_t form_destination; // struct tr_form
	uint64_t form_head;
	uint64_t live[TR_SIM_WORDS];
	uint8_t *frame[TR_SIM_LANES];
	uint16_t bytes[TR_SIM_LANES];
	uint8_t checksum[TR_SIM_LANES]; // enum pkt_checksum
	uint16_t hop[TR_SIM_LANES];     // below TR_SIM_HOPS
	uint8_t hop_macs[TR_SIM_HOPS][12];
	uint16_t hop_port[TR_SIM_HOPS];
	uint16_t hop_mtu[TR_SIM_HOPS];
	uint16_t hop_verdict[TR_SIM_HOPS];
	uint32_t mark[TR_SIM_MARKS]; // prefixes whose addresses are suspects
	uint8_t mark_bits[TR_SIM_MARKS];
	uint16_t match_port;
	uint64_t bytes_sum; // from here on: written
	uint16_t bytes_min;
	bool checksums_good;
	uint64_t plain[TR_SIM_WORDS];
	uint64_t suspect[TR_SIM_WORDS];
	uint64_t forwarded[TR_SIM_WORDS];
	uint32_t source[TR_SIM_LANES];
	uint32_t destination[TR_SIM_LANES];
	uint16_t egress[TR_SIM_LANES];
	uint64_t matched[TR_SIM_WORDS];
	uint32_t packed; // lanes, and of each its number and its length
	uint32_t packed_lane[TR_SIM_LANES];
	uint16_t packed_bytes[TR_SIM_LANES];
};
// 0; -ENOTSUP: not on this processor; -ENOMEM.
int tr_sim_lanes_run(const char *variant, struct tr_sim_lanes *lanes);
