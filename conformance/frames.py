# SPDX-License-Identifier: MIT
"""Frames for cases, written from the RFCs with struct alone: no code is shared with the router."""

import struct
from ipaddress import IPv4Address

from twinroute.conformance import names as n

ICMP, IGMP, TCP, UDP, GRE, OSPF = 1, 2, 6, 17, 47, 89
DF, MF = 0x4000, 0x2000
IPV4, ARP = 0x0800, 0x0806
DATA = bytes(range(32))
FRAME_MIN = 60  # without FCS


def mac_bytes(mac: str) -> bytes:
    """Six octets of a MAC address."""
    return bytes.fromhex(mac.replace(":", ""))


def address_bytes(address: str) -> bytes:
    """Four octets of an IPv4 address."""
    return IPv4Address(address).packed


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) & 1:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ether(dst: str, src: str, payload: bytes, ether_type: int = IPV4) -> bytes:
    """Return an Ethernet frame without FCS."""
    return mac_bytes(dst) + mac_bytes(src) + ether_type.to_bytes(2, "big") + payload


def pad(frame: bytes) -> bytes:
    """Return the frame as Ethernet carries it: at least 60 octets, padded by zeros."""
    return frame + bytes(max(FRAME_MIN - len(frame), 0))


def ipv4(
    src: str,
    dst: str,
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
    """Return an IPv4 packet; what is given is taken as it is, wrong or not.

    fragment: flags and offset, 16 bits. options: filled up with zeros to a 32-bit boundary.
    """
    options += bytes(-len(options) % 4)
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
    return header[:10] + value.to_bytes(2, "big") + header[12:] + options + payload


def with_checksum(packet: bytes) -> bytes:
    """Return an IPv4 packet with the right header checksum."""
    header = (packet[0] & 15) * 4
    blank = packet[:10] + b"\0\0" + packet[12:header]
    return packet[:10] + checksum(blank).to_bytes(2, "big") + packet[12:]


def pseudo_header(src: str, dst: str, protocol: int, length: int) -> bytes:
    """Return what the checksums of UDP and TCP cover besides the segment."""
    return address_bytes(src) + address_bytes(dst) + struct.pack("!HH", protocol, length)


def udp(
    src: str, dst: str, sport: int, dport: int, data: bytes = b"", value: int | None = None
) -> bytes:
    """Return a UDP datagram, its checksum right or as given in `value`."""
    head = struct.pack("!HHH", sport, dport, 8 + len(data))
    if value is None:
        whole = pseudo_header(src, dst, UDP, 8 + len(data)) + head + b"\0\0" + data
        value = checksum(whole) or 0xFFFF
    return head + value.to_bytes(2, "big") + data


def tcp(
    src: str,
    dst: str,
    sport: int,
    dport: int,
    flags: int = 2,
    data: bytes = b"",
    *,
    sequence: int = 1,
    acknowledged: int = 0,
    window: int = 8192,
) -> bytes:
    """Return a TCP segment without options; by default a SYN."""
    numbers = (sport, dport, sequence, acknowledged)
    head = struct.pack("!HHIIBBHHH", *numbers, 0x50, flags, window, 0, 0)
    value = checksum(pseudo_header(src, dst, TCP, len(head) + len(data)) + head + data)
    return head[:16] + value.to_bytes(2, "big") + head[18:] + data


def icmp(kind: int, code: int = 0, rest: bytes = bytes(4), data: bytes = b"") -> bytes:
    """Return an ICMP message with a right checksum; `rest` is octets 4 to 7."""
    body = bytes([kind, code, 0, 0]) + rest + data
    return body[:2] + checksum(body).to_bytes(2, "big") + body[4:]


def echo_request(ident: int = 1, sequence: int = 1, data: bytes = b"ping") -> bytes:
    """Return an ICMP echo request."""
    return icmp(8, 0, struct.pack("!HH", ident, sequence), data)


def arp(
    operation: int,
    sender_mac: str,
    sender: str,
    target_mac: str,
    target: str,
    *,
    to: str = "",
    source: str = "",
    hardware: int = 1,
    protocol: int = IPV4,
    lengths: tuple[int, int] = (6, 4),
) -> bytes:
    """Return an ARP packet in its frame: 1 a request, by default broadcast; 2 a reply."""
    to = to or (n.BROADCAST if operation == 1 else target_mac)
    packet = struct.pack("!HHBBH", hardware, protocol, *lengths, operation)
    packet += mac_bytes(sender_mac) + address_bytes(sender)
    packet += mac_bytes(target_mac) + address_bytes(target)
    return pad(ether(to, source or sender_mac, packet, ARP))


def who_has(target: str, sender: str, sender_mac: str, *, to: str = "") -> bytes:
    """Return a station's ARP request."""
    return arp(1, sender_mac, sender, n.NO_MAC, target, to=to)


def is_at(sender: str, sender_mac: str, port: str) -> bytes:
    """Return the reply by which a station at a port tells the router its MAC address."""
    return arp(2, sender_mac, sender, n.MAC[port], n.OWN[port])


def T(
    src: str = n.H1,
    dst: str = n.A1,
    *,
    port: str = n.P1,
    smac: str = "",
    dmac: str = "",
    payload: bytes | None = None,
    data: bytes = DATA,
    sport: int = 1024,
    dport: int = 9,
    protocol: int = UDP,
    ttl: int = 64,
    tos: int = 0,
    ident: int = 0x1234,
    fragment: int = 0,
    options: bytes = b"",
    version: int = 4,
    ihl: int | None = None,
    total: int | None = None,
    header_checksum: int | None = None,
) -> bytes:
    """Return the standard transit packet in its frame, changed as named.

    By default UDP 1024 -> 9 with 32 octets of data; `payload` is the whole IP payload instead.
    port: where it goes in, which gives the MAC addresses unless smac and dmac do.
    """
    if payload is None:
        payload = udp(src, dst, sport, dport, data)
    packet = ipv4(
        src,
        dst,
        payload,
        ttl=ttl,
        protocol=protocol,
        ident=ident,
        fragment=fragment,
        tos=tos,
        options=options,
        version=version,
        ihl=ihl,
        total=total,
        header_checksum=header_checksum,
    )
    host = n.STATIONS[port].get(src, next(iter(n.STATIONS[port].values())))
    return ether(dmac or n.MAC[port], smac or host, packet)


def ping(
    dst: str = n.R1,
    src: str = n.H1,
    *,
    port: str = n.P1,
    ident: int = 1,
    sequence: int = 1,
    data: bytes = b"ping",
    ttl: int = 64,
    tos: int = 0,
    options: bytes = b"",
    smac: str = "",
    dmac: str = "",
) -> bytes:
    """Return an echo request in its frame, by default H1 -> 10.1.0.1."""
    return T(
        src,
        dst,
        port=port,
        payload=echo_request(ident, sequence, data),
        protocol=ICMP,
        ttl=ttl,
        tos=tos,
        options=options,
        smac=smac,
        dmac=dmac,
    )


# --- taking apart -----------------------------------------------------------------------------


def ip_of(frame: bytes) -> bytes:
    """Return the IPv4 packet of a frame, without the link's padding."""
    return frame[14 : 14 + int.from_bytes(frame[16:18], "big")]


def is_ipv4(frame: bytes) -> bool:
    """Tell whether a frame holds IPv4 whose lengths are sound."""
    if frame[12:14] != b"\x08\0" or len(frame) < 34 or frame[14] >> 4 != 4:
        return False
    header, total = header_length(frame[14:]), int.from_bytes(frame[16:18], "big")
    return 20 <= header <= total <= len(frame) - 14


def is_arp(frame: bytes) -> bool:
    """Tell whether a frame is ARP."""
    return frame[12:14] == b"\x08\x06"


def is_arp_request(frame: bytes) -> bool:
    """Tell whether a frame is an ARP request."""
    return is_arp(frame) and frame[20:22] == b"\0\1"


def text_of(address: bytes) -> str:
    """Write four octets as an IPv4 address."""
    return str(IPv4Address(address))


def header_length(packet: bytes) -> int:
    """Octets of an IPv4 packet's header."""
    return (packet[0] & 15) * 4


def fragments_of(packet: bytes, mtu: int) -> list[bytes]:
    """Fragment an IPv4 packet as RFC 791 3.2 does, into as few pieces as possible.

    Every piece but the last is as long as the MTU allows; options go by their copied flag.
    """
    if len(packet) <= mtu:
        return [packet]
    header = header_length(packet)
    options, data = packet[20:header], packet[header:]
    word = int.from_bytes(packet[6:8], "big")
    flags, offset = word & 0xE000, word & 0x1FFF
    pieces, start = [], 0
    while start < len(data):
        kept = options if start == 0 else copied_options(options)
        room = mtu - 20 - len(kept)
        length = len(data) - start if len(data) - start <= room else room & ~7
        last = start + length == len(data)
        more = flags & MF if last else MF
        fields = struct.pack(
            "!BBH2sH",
            0x40 | (5 + len(kept) // 4),
            packet[1],
            20 + len(kept) + length,
            packet[4:6],
            (flags & 0xC000) | more | (offset + start // 8),
        )
        body = data[start : start + length]
        pieces.append(with_checksum(fields + packet[8:20] + kept + body))
        start += length
    return pieces


def copied_options(options: bytes) -> bytes:
    """Return the options whose copied flag is set, filled up with zeros (RFC 791 3.1)."""
    kept, at = b"", 0
    while at < len(options) and options[at]:
        length = 1 if options[at] == 1 else options[at + 1]
        if options[at] & 0x80:
            kept += options[at : at + length]
        at += length
    return kept + bytes(-len(kept) % 4)
