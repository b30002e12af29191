// SPDX-License-Identifier: MIT
// Which frames pass a libpcap filter, for captures on a simulated router: they are taken from what
// the links of its ports have recorded.
#include "sim_api.h"
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>

#define MATCH_SNAP_BYTES 262144

int tr_frames_match(const char *filter, const uint8_t *data, const uint64_t *offset,
	const uint32_t *bytes, uint64_t n, bool *match, char *error)
{
	struct bpf_program program;
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, MATCH_SNAP_BYTES);

	if (!pcap || pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN)) {
		snprintf(error, TR_SIM_TEXT, "%s", pcap ? pcap_geterr(pcap) : "no memory");
		if (pcap)
			pcap_close(pcap);
		return -EINVAL;
	}
	pcap_close(pcap);
	for (uint64_t i = 0; i < n; i++) {
		const struct pcap_pkthdr header = {.caplen = bytes[i], .len = bytes[i]};

		match[i] = pcap_offline_filter(&program, &header, data + offset[i]) != 0;
	}
	pcap_freecode(&program);
	return 0;
}
