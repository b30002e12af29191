// SPDX-License-Identifier: MIT
// Traffic without a NIC, for measurements: a plugin of DPDK applications (EAL's -d) which has every
// net_null port receive valid frames. Such a port hands out empty frames as fast as it is asked and
// forgets what it sends; a receive callback writes the headers of a UDP packet into each, to the
// port's MAC address and to one address after the other of a set. It works with any application
// that does not use the ports' receive callbacks in another way. Of other ports' frames it counts
// how many there are. TWINROUTE_SOURCE in the environment names the file that struct source is
// read from, and where the streams are counted for everybody to see (source.py). Further ones, of
// begin() below: _EXPIRED=N gives a packet of N a TTL of 1; _BYTES=N,N,... each frame the next of
// these lengths, up to the device's; _CHECKSUM=unknown no verdict on checksums, as of no NIC.
#include <fcntl.h>
#include <pthread.h>
#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STREAMS_MAX 64
#define PORT_QUEUES_MAX 4
#define PORTS_MAX (STREAMS_MAX / PORT_QUEUES_MAX)
#define HEADER_BYTES 42 // Ethernet, IPv4, UDP
#define TTL_OFFSET 22
#define TTL 64
#define SHAPES_MAX 16
#define SNAPSHOT_BURSTS 256
#define LOOK_NS 1000000            // between two looks for ports that have started: at first
#define LOOK_NS_MAX (LOOK_NS << 7) // later: who looks disturbs whoever forwards

// What a queue of a port has received, as of its last full SNAPSHOT_BURSTS. Written by the thread
// that polls it.
struct stream {
	uint64_t packets;
	uint64_t bursts; // that were not empty
	uint64_t cycles; // of the clock
	uint64_t hz;     // of that clock
	uint64_t cpu_ns; // that the thread has been on a CPU
	uint8_t reserved[24];
};

struct source {
	struct stream stream[STREAMS_MAX];
	uint32_t destination_be[]; // as many as are left of the file, a power of two
};

// Headers of a packet of some length.
struct shape {
	uint32_t sum; // of the IP header without its destination
	uint16_t frame_bytes;
	uint8_t header[HEADER_BYTES];
};

struct state {
	_Alignas(RTE_CACHE_LINE_SIZE) struct stream *stream;
	uint64_t next;
	uint64_t packets;
	uint64_t bursts;
	uint64_t expired; // number of the next packet with a TTL of 1
	unsigned turn;    // shape of the next packet
	uint16_t device_bytes;
	bool writes; // the port hands out empty frames
	struct shape shape[SHAPES_MAX];
};

static struct source *source;
static uint64_t mask;
static uint64_t expired_every;       // 0: never
static uint16_t lengths[SHAPES_MAX]; // of frames, in turn; 0: the device's
static unsigned shapes = 1;
static uint64_t verdict = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
static struct state states[STREAMS_MAX];
static pthread_t watch;
static bool stop;

static void prepare_shape(struct shape *shape, const struct rte_ether_addr *mac, uint16_t bytes)
{
	static const uint8_t ip[] = {[0] = 0x45, [8] = TTL, [9] = 17, [12] = 198, 19, 0, 2};
	uint8_t *header = shape->header;

	memset(header, 0, HEADER_BYTES);
	memcpy(header, mac->addr_bytes, sizeof(mac->addr_bytes));
	header[6] = 0x02; // from some station
	header[11] = 0x99;
	header[12] = 0x08; // IPv4
	memcpy(header + 14, ip, sizeof(ip));
	header[16] = (uint8_t)((bytes - 14) >> 8);
	header[17] = (uint8_t)(bytes - 14);
	header[38] = (uint8_t)((bytes - 34) >> 8); // UDP without a checksum
	header[39] = (uint8_t)(bytes - 34);
	shape->sum = 0;
	for (unsigned i = 14; i < 34; i += 2)
		shape->sum += (uint32_t)header[i] << 8 | header[i + 1];
	shape->frame_bytes = bytes;
}

// A port's MAC address is what the application has chosen by the time of the first frame.
static void prepare(struct state *state, uint16_t port, uint16_t device_bytes)
{
	struct rte_ether_addr mac;

	rte_eth_macaddr_get(port, &mac);
	for (unsigned i = 0; i < shapes; i++) {
		uint16_t bytes = lengths[i] ? RTE_MIN(lengths[i], device_bytes) : device_bytes;

		prepare_shape(&state->shape[i], &mac, bytes);
	}
	state->device_bytes = device_bytes;
}

static void write_frame(struct state *state, struct rte_mbuf *mbuf)
{
	const struct shape *shape = &state->shape[state->turn];
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint64_t number = state->next++;
	uint32_t to_be = source->destination_be[number & mask];
	uint32_t to = rte_be_to_cpu_32(to_be);
	uint32_t sum = shape->sum + (to >> 16) + (to & 0xffff);
	uint16_t checksum_be;
	unsigned expired =
		(expired_every != 0) & (number >= state->expired); // no branch depends on it

	sum -= expired * ((TTL - 1) << 8);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	checksum_be = rte_cpu_to_be_16((uint16_t)~sum);
	memcpy(frame, shape->header, HEADER_BYTES);
	memcpy(frame + 24, &checksum_be, sizeof(checksum_be));
	memcpy(frame + 30, &to_be, sizeof(to_be));
	frame[TTL_OFFSET] = (uint8_t)(TTL - expired * (TTL - 1));
	state->expired = expired ? number + expired_every : state->expired;
	mbuf->data_len = shape->frame_bytes;
	mbuf->pkt_len = shape->frame_bytes;
	mbuf->packet_type = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4;
	mbuf->ol_flags |= verdict;
	state->turn = state->turn + 1 == shapes ? 0 : state->turn + 1;
}

static void snapshot(struct state *state)
{
	struct stream *stream = state->stream;
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	stream->packets = state->packets;
	stream->bursts = state->bursts;
	stream->cycles = rte_rdtsc();
	stream->cpu_ns = (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint16_t received(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
	uint16_t most, void *argument)
{
	struct state *state = argument;

	(void)queue;
	(void)most;
	if (n == 0 || mbufs[0]->data_len < HEADER_BYTES)
		return n;
	if (state->writes) {
		if (unlikely(state->device_bytes != mbufs[0]->data_len))
			prepare(state, port, mbufs[0]->data_len);
		for (uint16_t i = 0; i < n; i++)
			write_frame(state, mbufs[i]);
	}
	state->packets += n;
	if (++state->bursts % SNAPSHOT_BURSTS == 0)
		snapshot(state);
	return n;
}

// A queue can have a callback once it is set up, which the application does when it likes.
static bool attach(uint16_t port)
{
	struct rte_eth_dev_info info;
	struct rte_eth_link link;

	// Not started; EAL may still be at its making, and it has no driver then.
	if (rte_eth_link_get_nowait(port, &link) || link.link_status != RTE_ETH_LINK_UP)
		return false;
	if (rte_eth_dev_info_get(port, &info))
		return false;
	for (uint16_t i = 0; i < RTE_MIN(info.nb_rx_queues, PORT_QUEUES_MAX); i++) {
		struct state *state = &states[port * PORT_QUEUES_MAX + i];

		state->stream = &source->stream[port * PORT_QUEUES_MAX + i];
		state->stream->hz = rte_get_tsc_hz();
		// Each queue begins somewhere else in the set.
		state->next = (mask + 1) / 2 * port + (mask + 1) / 2 / PORT_QUEUES_MAX * i;
		state->writes = strcmp(info.driver_name, "net_null") == 0;
		rte_eth_add_rx_callback(port, i, received, state);
	}
	return true;
}

static void *look(void *argument)
{
	struct timespec time = {.tv_nsec = LOOK_NS};
	bool is_attached[PORTS_MAX] = {false};
	uint16_t port;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		RTE_ETH_FOREACH_DEV(port)
		{
			if (port < PORTS_MAX && !is_attached[port])
				is_attached[port] = attach(port);
		}
		nanosleep(&time, NULL);
		time.tv_nsec += time.tv_nsec < LOOK_NS_MAX ? time.tv_nsec / 16 : 0;
	}
	return argument;
}

static int map(const char *path)
{
	struct stat status;
	int file = open(path, O_RDWR | O_CLOEXEC);

	if (file < 0)
		return -1;
	if (fstat(file, &status) == 0 && (size_t)status.st_size > sizeof(*source))
		source = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			file, 0);
	close(file);
	if (!source || source == MAP_FAILED)
		return -1;
	mask = ((size_t)status.st_size - sizeof(*source)) / sizeof(source->destination_be[0]) - 1;
	return 0;
}

// Returns false unless they are lengths that a frame can have.
static bool read_lengths(const char *text)
{
	for (shapes = 0; shapes < SHAPES_MAX; text++) {
		char *end;
		unsigned long bytes = strtoul(text, &end, 10);

		if (bytes < HEADER_BYTES || bytes > UINT16_MAX)
			return false;
		lengths[shapes++] = (uint16_t)bytes;
		text = end;
		if (*text != ',')
			return *text == 0;
	}
	return false;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("TWINROUTE_SOURCE");
	const char *expired = getenv("TWINROUTE_SOURCE_EXPIRED");
	const char *bytes = getenv("TWINROUTE_SOURCE_BYTES");
	const char *checksum = getenv("TWINROUTE_SOURCE_CHECKSUM");

	expired_every = expired ? strtoull(expired, NULL, 10) : 0;
	if (checksum && strcmp(checksum, "unknown") == 0)
		verdict = RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN;
	if (bytes && !read_lengths(bytes)) {
		fprintf(stderr,
			"traffic source: TWINROUTE_SOURCE_BYTES: expected up to %u lengths\n",
			SHAPES_MAX);
		abort();
	}
	if (!path || map(path) || pthread_create(&watch, NULL, look, NULL)) {
		fprintf(stderr, "traffic source: TWINROUTE_SOURCE: no such file of its kind\n");
		abort();
	}
}

__attribute__((destructor)) static void end(void)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(watch, NULL);
}
