// SPDX-License-Identifier: MIT
// Makes a twin: a TAP in the network namespace of choice, with its port's MAC address, MTU and
// addresses, and changes these. A thread of its own enters the namespace, makes the TAP there and
// ends; the file descriptor is good anywhere, and the TAP is gone when it is closed. The kernel is
// told not to speak IPv6 by it, which the router does not.
#include "env.h"
#include "formats/ipv4.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct making {
	const struct tr_dpdk_port_config *twin;
	const struct tr_port_config *before; // NULL: it is being made
	const struct tr_port_config *port;
	char *error;
	int tap;    // or -errno
	int socket; // for ioctls in the namespace
};

static int fail(struct making *making, const char *what)
{
	int code = errno;

	return tr_say(making->error, code, "twin %s of port %s: %s: %s", making->twin->twin_name,
		making->port->name, what, strerror(code));
}

static int open_tap(struct making *making)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (tap < 0)
		return fail(making, "/dev/net/tun");
	memcpy(request.ifr_name, making->twin->twin_name, sizeof(request.ifr_name));
	if (ioctl(tap, TUNSETIFF, &request) == 0)
		return tap;
	fail(making, "no TAP of this name");
	close(tap);
	return -errno;
}

static int change(struct making *making, unsigned long what, struct ifreq *request,
	const char *name)
{
	memcpy(request->ifr_name, making->twin->twin_name, sizeof(request->ifr_name));
	return ioctl(making->socket, what, request) == 0 ? 0 : fail(making, name);
}

static void no_ipv6(const char *name)
{
	char path[64];
	int file;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	file = open(path, O_WRONLY | O_CLOEXEC);
	if (file < 0)
		return; // a kernel without IPv6
	if (write(file, "1", 1) != 1)
		errno = 0;
	close(file);
}

static int set_mtu(struct making *making)
{
	struct ifreq request = {.ifr_mtu = making->port->mtu};

	return change(making, SIOCSIFMTU, &request, "MTU");
}

static int set_link(struct making *making)
{
	struct ifreq request = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};
	int code;

	memcpy(request.ifr_hwaddr.sa_data, making->port->mac, sizeof(making->port->mac));
	code = change(making, SIOCSIFHWADDR, &request, "MAC address");
	if (code)
		return code;
	code = set_mtu(making);
	if (code)
		return code;
	no_ipv6(making->twin->twin_name);
	request.ifr_flags = IFF_UP | IFF_BROADCAST | IFF_MULTICAST;
	return change(making, SIOCSIFFLAGS, &request, "up");
}

// --- addresses, by netlink -----------------------------------------------------------------------
struct address_message {
	struct nlmsghdr header;
	struct ifaddrmsg address;
	struct {
		struct rtattr header;
		uint32_t value_be;
	} attribute[3];
};

static int ask_kernel(int netlink, struct address_message *message)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[256];
	} reply;

	if (send(netlink, message, message->header.nlmsg_len, 0) < 0)
		return -1;
	if (recv(netlink, &reply, sizeof(reply), 0) < (ssize_t)NLMSG_LENGTH(sizeof(reply.error)))
		return -1;
	errno = -reply.error.error;
	return errno ? -1 : 0;
}

// RTM_NEWADDR or RTM_DELADDR.
static int change_address(int netlink, unsigned interface, const struct tr_port_address *own,
	uint16_t type)
{
	uint32_t address_be = htonl(own->address);
	uint32_t broadcast_be = htonl(own->address | ~ipv4_mask(own->bits));
	bool has_broadcast = own->bits <= 30;
	struct address_message message = {
		.header =
			{
				.nlmsg_type = type,
				.nlmsg_flags =
					NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK,
			},
		.address =
			{
				.ifa_family = AF_INET,
				.ifa_prefixlen = own->bits,
				.ifa_index = interface,
			},
		.attribute =
			{
				{{RTA_LENGTH(4), IFA_LOCAL}, address_be},
				{{RTA_LENGTH(4), IFA_ADDRESS}, address_be},
				{{RTA_LENGTH(4), IFA_BROADCAST}, broadcast_be},
			},
	};

	message.header.nlmsg_len =
		sizeof(message) - (has_broadcast ? 0 : sizeof(message.attribute[0]));
	return ask_kernel(netlink, &message);
}

static bool has(const struct tr_port_config *port, const struct tr_port_address *own)
{
	for (uint32_t i = 0; i < port->addresses; i++) {
		if (port->address[i].address == own->address && port->address[i].bits == own->bits)
			return true;
	}
	return false;
}

// The kernel takes other addresses of a subnet away with its first one: all are set after that.
static int set_addresses(struct making *making)
{
	unsigned interface = if_nametoindex(making->twin->twin_name);
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int code = 0;

	if (netlink < 0)
		return fail(making, "netlink");
	for (uint32_t i = 0; making->before && i < making->before->addresses; i++) {
		const struct tr_port_address *own = &making->before->address[i];
		if (!has(making->port, own))
			change_address(netlink, interface, own, RTM_DELADDR);
	}
	for (uint32_t i = 0; code == 0 && i < making->port->addresses; i++) {
		const struct tr_port_address *own = &making->port->address[i];
		if (change_address(netlink, interface, own, RTM_NEWADDR) != 0)
			code = fail(making, "address");
	}
	close(netlink);
	return code;
}

// --- in the namespace ----------------------------------------------------------------------------
static int enter(struct making *making)
{
	int code = 0, namespace;

	if (!making->twin->twin_netns[0])
		return 0;
	namespace = open(making->twin->twin_netns, O_RDONLY | O_CLOEXEC);
	if (namespace < 0)
		return fail(making, making->twin->twin_netns);
	if (setns(namespace, CLONE_NEWNET) != 0)
		code = fail(making, making->twin->twin_netns);
	close(namespace);
	return code;
}

static void *make(void *argument)
{
	struct making *making = argument;
	int code = enter(making);

	making->tap = code ? code : open_tap(making);
	if (making->tap < 0)
		return NULL;
	making->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	code = making->socket < 0 ? fail(making, "socket") : set_link(making);
	if (code == 0)
		code = set_addresses(making);
	if (making->socket >= 0)
		close(making->socket);
	if (code) {
		close(making->tap);
		making->tap = code;
	}
	return NULL;
}

static void *change_made(void *argument)
{
	struct making *making = argument;
	int code = enter(making);

	if (code == 0)
		making->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (code == 0 && making->socket < 0)
		code = fail(making, "socket");
	if (code == 0 && making->before->mtu != making->port->mtu)
		code = set_mtu(making);
	if (code == 0)
		code = set_addresses(making);
	if (making->socket >= 0)
		close(making->socket);
	making->tap = code;
	return NULL;
}

int tr_twin_change(const struct tr_dpdk_port_config *twin, const struct tr_port_config *before,
	const struct tr_port_config *after)
{
	char error[TR_DPDK_TEXT];
	struct making making = {twin, before, after, error, 0, -1};
	pthread_t thread;
	int code = pthread_create(&thread, NULL, change_made, &making);

	if (code)
		return -code;
	pthread_join(thread, NULL);
	return making.tap;
}

int tr_twin_open(const struct tr_dpdk_port_config *twin, const struct tr_port_config *port,
	char *error)
{
	struct making making = {.twin = twin, .port = port, .error = error, .tap = -EAGAIN};
	pthread_t thread;
	int code = pthread_create(&thread, NULL, make, &making);

	if (code)
		return tr_say(error, code, "no thread: %s", strerror(code));
	pthread_join(thread, NULL);
	return making.tap;
}
