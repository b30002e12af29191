# SPDX-License-Identifier: MIT
"""A frame in one line, for who watches frames pass: addresses, protocol, and what matters of it."""

import struct
from ipaddress import IPv4Address

ICMP_TYPES = {
    0: "echo reply",
    3: "unreachable",
    5: "redirect",
    8: "echo request",
    11: "time exceeded",
    12: "parameter problem",
}
UNREACHABLE = {0: "net", 1: "host", 2: "protocol", 3: "port", 4: "fragmentation needed"}
TCP_FLAGS = "FSRPAU"
PROTOCOLS = {2: "IGMP", 47: "GRE", 50: "ESP", 89: "OSPF", 112: "VRRP", 132: "SCTP"}


def frame_text(frame: bytes) -> str:
    """Write a frame (Ethernet, maybe cut short)."""
    if len(frame) < 14:
        return f"{len(frame)} bytes of a frame"
    kind = int.from_bytes(frame[12:14], "big")
    text = {0x0800: _ipv4, 0x0806: _arp}.get(kind)
    described = text(frame[14:]) if text else None
    if described is None:
        source, target = frame[6:12].hex(":"), frame[:6].hex(":")
        return f"{source} > {target} type 0x{kind:04x}"
    return described


def _arp(data: bytes) -> str | None:
    if len(data) < 28:
        return None
    operation = int.from_bytes(data[6:8], "big")
    sender, target = IPv4Address(data[14:18]), IPv4Address(data[24:28])
    if operation == 1:
        return f"ARP who has {target}? tell {sender}"
    return f"ARP {sender} is at {data[8:14].hex(':')}" if operation == 2 else None


def _ipv4(data: bytes) -> str | None:
    if len(data) < 20 or data[0] >> 4 != 4:
        return None
    total, ident, fragment = struct.unpack("!2xHHH", data[:8])
    ttl, protocol = data[8], data[9]
    source, target = str(IPv4Address(data[12:16])), str(IPv4Address(data[16:20]))
    rest = data[(data[0] & 15) * 4 :]
    offset = (fragment & 0x1FFF) * 8
    if offset:
        what = f"fragment of {ident} at {offset}"
    elif protocol in (6, 17) and len(rest) >= 4:
        ports = struct.unpack("!HH", rest[:4])
        source, target = f"{source}:{ports[0]}", f"{target}:{ports[1]}"
        what = "UDP" if protocol == 17 else "TCP" + _tcp_flags(rest)
    elif protocol == 1 and len(rest) >= 2:
        what = "ICMP " + _icmp(rest)
    else:
        what = PROTOCOLS.get(protocol, f"protocol {protocol}")
    more = " more fragments" if fragment & 0x2000 else ""
    return f"{source} > {target} {what}{more} ttl {ttl} length {total}"


def _tcp_flags(rest: bytes) -> str:
    if len(rest) < 14:
        return ""
    return " " + "".join(name for bit, name in enumerate(TCP_FLAGS) if rest[13] >> bit & 1)


def _icmp(rest: bytes) -> str:
    kind, code = rest[0], rest[1]
    text = ICMP_TYPES.get(kind, f"type {kind} code {code}")
    if kind == 3:
        return f"{UNREACHABLE.get(code, f'code {code}')} {text}"
    if kind in (0, 8) and len(rest) >= 8:
        return f"{text} {int.from_bytes(rest[6:8], 'big')}"
    return text
