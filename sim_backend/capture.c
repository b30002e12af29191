// SPDX-License-Identifier: MIT
// Captures by libpcap: what a run is fed from and what it leaves behind. A capture that is not
// whole is refused, with the frame at which it ends: half a test input is no test.
#include "grow.h"
#include "sim_api.h"
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAPTURE_SNAP_BYTES 262144
#define CAPTURE_PATH_MAX 4096

// One line that begins with the path, of which the end counts when there is no room for all.
__attribute__((format(printf, 3, 4))) static void report(char *error, const char *path,
	const char *format, ...)
{
	char what[TR_SIM_TEXT / 2];
	size_t room, length = strlen(path);
	va_list list;

	va_start(list, format);
	vsnprintf(what, sizeof(what), format, list);
	va_end(list);
	what[strcspn(what, "\r\n")] = 0;
	room = TR_SIM_TEXT - 1 - strlen(what) - 2;
	snprintf(error, TR_SIM_TEXT, "%s: %s", length > room ? path + length - room : path, what);
}

// A system call for many frames.
#define FILE_BUFFER_BYTES (1u << 20)

// --- reading -------------------------------------------------------------------------------------
struct reader {
	struct tr_capture *capture;
	uint64_t room;
	uint64_t data_bytes;
	uint64_t data_room;
};

static bool make_room(struct reader *reader, uint32_t bytes)
{
	struct tr_capture *capture = reader->capture;
	bool ok = true;

	if (capture->count == reader->room) {
		uint64_t room = reader->room ? 2 * reader->room : 256;

		capture->offset = tr_grow(capture->offset, room, sizeof(*capture->offset), &ok);
		capture->bytes = tr_grow(capture->bytes, room, sizeof(*capture->bytes), &ok);
		capture->time_ns = tr_grow(capture->time_ns, room, sizeof(*capture->time_ns), &ok);
		if (ok)
			reader->room = room;
	}
	if (ok && reader->data_bytes + bytes > reader->data_room) {
		uint64_t room = 2 * reader->data_room + bytes;

		capture->data = tr_grow(capture->data, room, 1, &ok);
		if (ok)
			reader->data_room = room;
	}
	return ok;
}

static void append(struct reader *reader, const struct pcap_pkthdr *header, const uint8_t *data)
{
	struct tr_capture *capture = reader->capture;
	uint64_t i = capture->count++;

	if (header->caplen)
		memcpy(capture->data + reader->data_bytes, data, header->caplen);
	capture->offset[i] = reader->data_bytes;
	capture->bytes[i] = header->caplen;
	capture->time_ns[i] =
		(uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec;
	reader->data_bytes += header->caplen;
}

static bool read_frames(struct reader *reader, pcap_t *pcap, const char *path, char *error)
{
	struct pcap_pkthdr *header;
	const uint8_t *data;

	for (;;) {
		unsigned long long frame = reader->capture->count + 1;
		int result = pcap_next_ex(pcap, &header, &data);

		if (result == PCAP_ERROR_BREAK) {
			if (frame > 1)
				return true;
			report(error, path, "capture without frames");
			return false;
		}
		if (result != 1) {
			report(error, path, "frame %llu: %s", frame, pcap_geterr(pcap));
			return false;
		}
		if (header->caplen < header->len) {
			report(error, path, "frame %llu: only %u of its %u bytes were captured",
				frame, header->caplen, header->len);
			return false;
		}
		if (!make_room(reader, header->caplen)) {
			report(error, path, "frame %llu: no memory", frame);
			return false;
		}
		append(reader, header, data);
	}
}

static pcap_t *open_capture(const char *path, char *error)
{
	char words[PCAP_ERRBUF_SIZE] = "";
	struct stat status;
	FILE *file = fopen(path, "rb");
	pcap_t *pcap;

	if (!file) {
		report(error, path, "%s", strerror(errno));
		return NULL;
	}
	setvbuf(file, NULL, _IOFBF, FILE_BUFFER_BYTES);
	if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0) {
		report(error, path, "empty file");
		fclose(file);
		return NULL;
	}
	pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, words);
	if (!pcap) {
		report(error, path, "%s", words);
		fclose(file);
		return NULL;
	}
	if (pcap_datalink(pcap) != DLT_EN10MB) {
		const char *name = pcap_datalink_val_to_name(pcap_datalink(pcap));

		report(error, path, "not an Ethernet capture but %s",
			name ? name : "of unknown kind");
		pcap_close(pcap);
		return NULL;
	}
	return pcap;
}

struct tr_capture *tr_capture_read(const char *path, char *error)
{
	struct reader reader = {0};
	pcap_t *pcap = open_capture(path, error);
	bool ok;

	if (!pcap)
		return NULL;
	reader.capture = calloc(1, sizeof(*reader.capture));
	if (!reader.capture) {
		report(error, path, "no memory");
		pcap_close(pcap);
		return NULL;
	}
	ok = read_frames(&reader, pcap, path, error);
	pcap_close(pcap);
	if (ok)
		return reader.capture;
	tr_capture_free(reader.capture);
	return NULL;
}

void tr_capture_free(struct tr_capture *capture)
{
	if (!capture)
		return;
	free(capture->data);
	free(capture->offset);
	free(capture->bytes);
	free(capture->time_ns);
	free(capture);
}

// --- writing -------------------------------------------------------------------------------------
// Owns the file. 0 or an errno.
static int write_frames(FILE *file, const struct tr_frames *frames)
{
	pcap_t *pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, CAPTURE_SNAP_BYTES,
		PCAP_TSTAMP_PRECISION_NANO);
	pcap_dumper_t *dumper;
	int result = 0;

	setvbuf(file, NULL, _IOFBF, FILE_BUFFER_BYTES); // before anything is written
	dumper = pcap ? pcap_dump_fopen(pcap, file) : NULL;
	if (!dumper) {
		result = errno ? errno : EIO;
		fclose(file);
	}
	for (uint64_t i = 0; result == 0 && i < frames->count; i++) {
		uint64_t ns = frames->time_ps[i] / 1000;
		struct pcap_pkthdr header = {
			.ts = {(time_t)(ns / 1000000000), (suseconds_t)(ns % 1000000000)},
			.caplen = frames->bytes[i],
			.len = frames->bytes[i],
		};

		pcap_dump((u_char *)dumper, &header, frames->data + frames->offset[i]);
		// The buffer has hidden an error for some frames at most.
		if (ferror(file))
			result = errno ? errno : EIO;
	}
	if (dumper) {
		if (pcap_dump_flush(dumper) && result == 0)
			result = errno ? errno : EIO;
		pcap_dump_close(dumper);
	}
	if (pcap)
		pcap_close(pcap);
	return result;
}

int tr_capture_write(const char *path, const struct tr_frames *frames, char *error)
{
	char name[CAPTURE_PATH_MAX];
	struct stat status;
	// A device or a pipe is written as it is; a file appears whole or not at all.
	bool in_place = stat(path, &status) == 0 && !S_ISREG(status.st_mode);
	int length =
		snprintf(name, sizeof(name), in_place ? "%s" : "%s.%ld.part", path, (long)getpid());
	FILE *file = NULL;
	int result = ENAMETOOLONG;

	errno = 0;
	if (length < (int)sizeof(name)) {
		file = fopen(name, "wb");
		result = file ? write_frames(file, frames) : errno;
	}
	if (result == 0 && !in_place && rename(name, path))
		result = errno;
	if (result == 0)
		return 0;
	if (file && !in_place)
		unlink(name);
	report(error, path, "%s", strerror(result));
	return -EIO;
}
