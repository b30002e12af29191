# SPDX-License-Identifier: MIT
"""Frames in words, for the report: a line for each header."""

from collections.abc import Iterator

from twinroute.conformance import frames as f

PROTOCOLS = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 47: "GRE", 89: "OSPF"}
ICMP_TYPES = {
    0: "echo reply",
    3: "destination unreachable",
    4: "source quench",
    5: "redirect",
    8: "echo request",
    9: "router advertisement",
    10: "router solicitation",
    11: "time exceeded",
    12: "parameter problem",
    13: "timestamp",
    14: "timestamp reply",
    17: "address mask request",
    18: "address mask reply",
}
ERRORS = (3, 4, 5, 11, 12)
FLAGS = {15: " reserved", 14: " DF", 13: " MF"}
TCP_FLAGS = "FSRPAUEC"


def decode(frame: bytes) -> list[str]:
    """Return what a frame says, a line a header; what does not fit is said to be so."""
    return list(_ethernet(frame))


def _ethernet(frame: bytes) -> Iterator[str]:
    if len(frame) < 14:
        yield f"{len(frame)} octets, too short for Ethernet"
        return
    kind = int.from_bytes(frame[12:14], "big")
    yield (
        f"Ethernet {frame[6:12].hex(':')} -> {frame[:6].hex(':')}, type 0x{kind:04x},"
        f" {len(frame)} octets"
    )
    if kind == f.ARP:
        yield from _arp(frame[14:])
    elif kind == f.IPV4:
        yield from _ipv4(frame[14:])


def _arp(body: bytes) -> Iterator[str]:
    if len(body) < 28:
        yield f"ARP of {len(body)} octets"
        return
    hardware, protocol = (int.from_bytes(body[at : at + 2], "big") for at in (0, 2))
    operation = int.from_bytes(body[6:8], "big")
    name = {1: "request", 2: "reply"}.get(operation, f"opcode {operation}")
    yield (
        f"ARP {name}, hardware {hardware}, protocol 0x{protocol:04x}, lengths {body[4]} {body[5]}:"
        f" {body[8:14].hex(':')} {f.text_of(body[14:18])}"
        f" -> {body[18:24].hex(':')} {f.text_of(body[24:28])}"
    )


def _ipv4(packet: bytes, *, quoted: bool = False) -> Iterator[str]:
    if len(packet) < 20:
        yield f"IPv4 cut short, {len(packet)} octets"
        return
    header = f.header_length(packet)
    total, ident, word = (int.from_bytes(packet[at : at + 2], "big") for at in (2, 4, 6))
    right = f.checksum(packet[:header]) == 0 if len(packet) >= header >= 20 else False
    flags = "".join(
        name for bit, name in ((15, " reserved"), (14, " DF"), (13, " MF")) if word >> bit & 1
    )
    offset = f" offset {(word & 0x1FFF) * 8}" if word & 0x1FFF else ""
    protocol = PROTOCOLS.get(packet[9], f"protocol {packet[9]}")
    yield (
        f"{'quoted: ' if quoted else ''}IPv4 {f.text_of(packet[12:16])} -> "
        f"{f.text_of(packet[16:20])}, {protocol}, version {packet[0] >> 4}, header {header},"
        f" total {total}, TTL {packet[8]}, DSCP {packet[1] >> 2} ECN {packet[1] & 3},"
        f" ID 0x{ident:04x}{flags}{offset}, checksum 0x{packet[10:12].hex()}"
        f" ({'right' if right else 'wrong'})"
    )
    if header > 20:
        yield f"options {packet[20:header].hex(' ')}"
    payload = packet[header : len(packet) if quoted else total]
    if not word & 0x1FFF and header >= 20:
        yield from _payload(packet[9], payload, quoted)


def _payload(protocol: int, body: bytes, quoted: bool) -> Iterator[str]:
    if protocol == f.ICMP and len(body) >= 8:
        name = ICMP_TYPES.get(body[0], "")
        right = "" if quoted else f" ({'right' if f.checksum(body) == 0 else 'wrong'})"
        yield (
            f"ICMP type {body[0]} code {body[1]} {name}, checksum 0x{body[2:4].hex()}{right},"
            f" rest 0x{body[4:8].hex()}, {len(body) - 8} octets"
        )
        if body[0] in ERRORS and not quoted:
            yield from _ipv4(body[8:], quoted=True)
    elif protocol == f.UDP and len(body) >= 8:
        sport, dport, length = (int.from_bytes(body[at : at + 2], "big") for at in (0, 2, 4))
        yield f"UDP {sport} -> {dport}, length {length}, checksum 0x{body[6:8].hex()}"
    elif protocol == f.TCP and len(body) >= 20:
        sport, dport = (int.from_bytes(body[at : at + 2], "big") for at in (0, 2))
        flags = "".join(name for bit, name in enumerate(TCP_FLAGS) if body[13] >> bit & 1)
        yield f"TCP {sport} -> {dport}, flags {flags or 'none'}"
