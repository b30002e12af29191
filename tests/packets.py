# SPDX-License-Identifier: MIT
"""Frames for tests, written from the RFCs with struct alone, so that no code is shared with what
is tested. Scapy does the same more comfortably and a hundred times slower."""

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address

BROADCAST = "ff:ff:ff:ff:ff:ff"
UDP, TCP, ICMP = 17, 6, 1
DF, MF = 0x4000, 0x2000


def mac_bytes(mac: str) -> bytes:
    """Six bytes of a MAC address."""
    return bytes.fromhex(mac.replace(":", ""))


def address_bytes(address: str | int) -> bytes:
    """Four bytes of an IPv4 address."""
    return IPv4Address(address).packed


def checksum(data: bytes) -> int:
    """RFC 1071, the slow and obvious way."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ether(dst: str, src: str, payload: bytes, ether_type: int = 0x0800) -> bytes:
    """Return an Ethernet frame without FCS."""
    return mac_bytes(dst) + mac_bytes(src) + struct.pack("!H", ether_type) + payload


def snap(payload: bytes, ether_type: int = 0x0800) -> bytes:
    """Return what follows the length in an 802.3 frame (RFC 1042)."""
    return b"\xaa\xaa\x03\0\0\0" + struct.pack("!H", ether_type) + payload


def ipv4(
    src: str | int,
    dst: str | int,
    payload: bytes = b"",
    *,
    ttl: int = 64,
    protocol: int = UDP,
    ident: int = 0x1234,
    fragment: int = 0,
    tos: int = 0,
    options: bytes = b"",
    version: int = 4,
    ihl: int | None = None,
    total: int | None = None,
    header_checksum: int | None = None,
) -> bytes:
    """Return an IPv4 packet; what is given is taken as it is, wrong or not."""
    options += b"\0" * (-len(options) % 4)
    header = struct.pack(
        "!BBHHHBBH4s4s",
        version << 4 | (5 + len(options) // 4 if ihl is None else ihl),
        tos,
        20 + len(options) + len(payload) if total is None else total,
        ident,
        fragment,
        ttl,
        protocol,
        0,
        address_bytes(src),
        address_bytes(dst),
    )
    value = checksum(header + options) if header_checksum is None else header_checksum
    return header[:10] + struct.pack("!H", value) + header[12:] + options + payload


def udp(sport: int, dport: int, data: bytes = b"") -> bytes:
    """Return a UDP datagram without checksum."""
    return struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


def icmp(kind: int, code: int = 0, rest: bytes = b"\0\0\0\0", data: bytes = b"") -> bytes:
    """Return an ICMP message; `rest` is bytes 4 to 7."""
    body = struct.pack("!BBH", kind, code, 0) + rest + data
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def echo_request(ident: int = 1, sequence: int = 1, data: bytes = b"ping") -> bytes:
    """Return an ICMP echo request."""
    return icmp(8, 0, struct.pack("!HH", ident, sequence), data)


def arp(
    operation: int, sender_mac: str, sender: str, target_mac: str, target: str, *, hardware: int = 1
) -> bytes:
    """Return an ARP packet (1: request, 2: reply)."""
    return (
        struct.pack("!HHBBH", hardware, 0x0800, 6, 4, operation)
        + mac_bytes(sender_mac)
        + address_bytes(sender)
        + mac_bytes(target_mac)
        + address_bytes(target)
    )


def ip_of(frame: bytes) -> bytes:
    """Return the IPv4 packet of a frame, without the link's padding."""
    return frame[14 : 14 + struct.unpack("!H", frame[16:18])[0]]


def ip_fields(packet: bytes) -> dict[str, int | str | bytes]:
    """Take an IPv4 packet apart; asserts that its header checksum is right."""
    header = (packet[0] & 15) * 4
    assert checksum(packet[:header]) == 0, packet.hex()
    total, ident, fragment, ttl, protocol = struct.unpack("!2xHHHBB", packet[:10])
    return {
        "tos": packet[1],
        "total": total,
        "ident": ident,
        "fragment": fragment,
        "ttl": ttl,
        "protocol": protocol,
        "src": str(IPv4Address(packet[12:16])),
        "dst": str(IPv4Address(packet[16:20])),
        "options": packet[20:header],
        "payload": packet[header:],
    }


def forwarded(frame: bytes, src_mac: str, dst_mac: str) -> bytes:
    """What a router must make of a frame that it forwards (RFC 1812 5.3.1, RFC 894 padding)."""
    packet = bytearray(ip_of(frame))
    header = (packet[0] & 15) * 4
    packet[8] -= 1
    packet[10:12] = b"\0\0"
    packet[10:12] = struct.pack("!H", checksum(bytes(packet[:header])))
    return pad(ether(dst_mac, src_mac, bytes(packet)))


def pad(frame: bytes) -> bytes:
    """Return the frame as a NIC sends it: at least 60 bytes."""
    return frame + b"\0" * (60 - len(frame))


def fragments(packet: bytes, data: int) -> list[bytes]:
    """Cut an IP packet without options into fragments of `data` octets, the last of what is left.

    The last one may have up to 7 more: it need not end on a multiple of 8.
    """
    fields, body = ip_fields(packet), packet[20:]
    starts = list(range(0, max(len(body) - data % 8, 1), data - data % 8))
    parts = []
    for start in starts:
        last = start == starts[-1]
        part = body[start:] if last else body[start : start + data - data % 8]
        parts.append(
            ipv4(
                str(fields["src"]),
                str(fields["dst"]),
                part,
                ttl=int(fields["ttl"]),
                protocol=int(fields["protocol"]),
                ident=int(fields["ident"]),
                tos=int(fields["tos"]),
                fragment=start // 8 | (0 if last else MF),
            )
        )
    return parts


def flow_of(frame: bytes) -> tuple[bytes, ...]:
    """What must stay in order: addresses, protocol, and the first bytes of the payload (ports)."""
    packet = ip_of(frame)
    header = (packet[0] & 15) * 4
    return packet[9:10], packet[12:20], packet[header : header + 4]


def by_flow(frames: Sequence[bytes]) -> dict[tuple[bytes, ...], list[bytes]]:
    """Group frames by flow, in order; frames that are not IPv4 by their EtherType."""
    flows: dict[tuple[bytes, ...], list[bytes]] = {}
    for frame in frames:
        key = flow_of(frame) if frame[12:14] == b"\x08\x00" else (frame[12:14],)
        flows.setdefault(key, []).append(frame)
    return flows
