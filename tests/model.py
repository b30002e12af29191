# SPDX-License-Identifier: MIT
"""What the router must do with a frame, written from the RFCs as plainly as possible: the oracle
of the property tests. It knows the test bed of tests/worlds.py with all neighbours resolved; where
that has the route of w.GROUP, its fast path has hash_seed = w.HASH_SEED."""

import struct
from ipaddress import IPv4Address, IPv4Network

from tests import worlds as w
from tests.flows import chosen
from tests.packets import DF, checksum, forwarded, ip_of, mac_bytes

OWN_MAC = {w.P1: w.M1, w.P2: w.M2, w.P3: w.M3}
OWN = {w.R1, w.R2, w.R3}
NEIGHBORS = {
    IPv4Address(address): (port, mac)
    for port, entries in w.RESOLVED.items()
    for address, mac in entries.items()
}
SUBNETS = {
    w.P1: IPv4Network("10.1.0.0/24"),
    w.P2: IPv4Network("10.2.0.0/24"),
    w.P3: IPv4Network("10.3.0.0/24"),
}
BROADCASTS = {end for net in SUBNETS.values() for end in (net.network_address, net[-1])}
ROUTES = {
    IPv4Network("198.18.0.0/16"): [w.G2],
    IPv4Network("198.19.0.0/16"): [w.G3],
    IPv4Network("198.20.0.0/16"): [w.G2, w.G3],
}
MARTIAN = [
    IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "127.0.0.0/8", "240.0.0.0/4", "169.254.0.0/16"),
        *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
    )
]
ASSIGNMENTS, FORWARDABLE = IPv4Network("192.0.0.0/24"), IPv4Network("192.0.0.0/29")
LIMITED_BROADCAST = IPv4Address("255.255.255.255")

SNAP = b"\xaa\xaa\x03\0\0\0"

# ("forward", port, frame), ("drop", reason, nothing), ("slow", reason of the punt, nothing)
Fate = tuple[str, str, bytes]


def fate(frame: bytes, port: str, mtu: int = 1500) -> Fate:
    """Say what the fast path must do with a frame received on a port."""
    if len(frame) < 14:
        return "drop", "frame_short", b""
    group = bool(frame[0] & 1)
    if not group and frame[:6] != mac_bytes(OWN_MAC[port]):
        return "drop", "not_for_us", b""
    ether_type = frame[12:14]
    if ether_type == b"\x08\x06":
        return "slow", "arp", b""
    if int.from_bytes(ether_type) <= 1500:  # RFC 1042
        length = int.from_bytes(ether_type)
        if length < 8 or length + 14 > len(frame) or frame[14:20] != SNAP:
            return "drop", "llc", b""
        inner = frame[:12] + frame[20 : 14 + length]
        nested = int.from_bytes(inner[12:14]) <= 1500
        return ("drop", "ether_type", b"") if nested else fate(inner, port, mtu)
    if ether_type != b"\x08\x00":
        return "drop", "ether_type", b""
    return _sound(frame[14:]) or _fate_of_packet(frame, group, mtu)


def _sound(packet: bytes) -> Fate | None:
    """RFC 1812 5.2.2; None: the packet is sound."""
    if len(packet) < 20:
        return "drop", "ip_short", b""
    if packet[0] >> 4 != 4:
        return "drop", "ip_version", b""
    header = (packet[0] & 15) * 4
    if header < 20 or header > len(packet):
        return "drop", "ip_header_length", b""
    total = struct.unpack("!H", packet[2:4])[0]
    if total < header:
        return "drop", "ip_total_length", b""
    if checksum(packet[:header]) != 0:
        return "drop", "ip_checksum", b""
    if total > len(packet):
        return "slow", "truncated", b""
    return None


def is_martian(address: IPv4Address) -> bool:
    """RFC 6890: not to be seen outside; RFC 1812 5.3.7 for the oldest of them."""
    assigned = address in ASSIGNMENTS and address not in FORWARDABLE
    return assigned or any(address in net for net in MARTIAN)


def _fate_of_packet(frame: bytes, group: bool, mtu: int) -> Fate:
    packet = ip_of(frame)
    source, destination = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    if int(source) == 0:
        return "slow", "zero_source", b""
    if is_martian(source) or source.is_multicast or source in BROADCASTS:
        return "drop", "martian_source", b""
    if group:
        return "slow", "link_broadcast", b""
    if packet[0] != 0x45:
        return "slow", "ip_options", b""
    return _fate_of_destination(frame, packet, destination, mtu)


def _fate_of_destination(frame: bytes, packet: bytes, destination: IPv4Address, mtu: int) -> Fate:
    if str(destination) in OWN:
        return "slow", "local", b""
    subnet = next((net for net in SUBNETS.values() if destination in net), None)
    ends = subnet and (subnet.network_address, subnet.broadcast_address)
    if destination == LIMITED_BROADCAST or (ends and destination in ends):
        return "slow", "broadcast", b""
    if destination.is_multicast:
        return "slow", "multicast", b""
    if is_martian(destination):
        return "drop", "martian_destination", b""
    gateways = next((via for net, via in ROUTES.items() if destination in net), None)
    if subnet:
        gateways = [str(destination)]
    if gateways is None:
        return "slow", "no_route", b""
    gateway = IPv4Address(chosen(w.HASH_SEED, packet, gateways))
    if gateway not in NEIGHBORS:
        return "slow", "neighbor", b""
    if packet[8] <= 1:
        return "slow", "ttl_expired", b""
    if len(packet) > mtu:
        return "slow", "too_long", b""
    port, mac = NEIGHBORS[gateway]
    return "forward", port, forwarded(frame, OWN_MAC[port], mac)


def is_copied(frame: bytes, port: str, egress: str) -> bool:
    """Say whether a copy of a forwarded frame is taken for a redirect (RFC 1812 5.2.7.2)."""
    return port == egress and IPv4Address(ip_of(frame)[12:16]) in SUBNETS[port]


def dont_fragment(frame: bytes) -> bool:
    """Tell whether DF is set."""
    return bool(struct.unpack("!H", ip_of(frame)[6:8])[0] & DF)
