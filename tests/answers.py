# SPDX-License-Identifier: MIT
"""What the router's slow path must send, built from the RFCs, and when it did."""

import struct

from tests import packets as p
from tests import worlds as w
from twinroute.sim import Bench, Station

MAC = {w.P1: w.M1, w.P2: w.M2, w.P3: w.M3}
OWN = {w.P1: w.R1, w.P2: w.R2, w.P3: w.R3}
SECOND_PS = 10**12
SILENCE: dict[str, list[bytes]] = {w.P1: [], w.P2: [], w.P3: []}


def arp(
    operation: int, sender_mac: str, sender: str, target_mac: str, target: str, *, to: str = ""
) -> bytes:
    """Return an ARP packet in a frame of the least length, a request by default broadcast."""
    to = to or (p.BROADCAST if operation == 1 else target_mac)
    packet = p.arp(operation, sender_mac, sender, target_mac, target)
    return p.pad(p.ether(to, sender_mac, packet, 0x0806))


def asks(port: str, target: str, *, to: str = "", sender: str = "") -> bytes:
    """Return the router's request for a neighbour of a port (RFC 826)."""
    return arp(1, MAC[port], sender or OWN[port], w.NO_MAC, target, to=to)


def told(port: str, mac: str, address: str) -> bytes:
    """Return the reply by which a neighbour of a port tells the router its MAC address."""
    return arp(2, mac, address, MAC[port], OWN[port])


def icmp_error(
    packet: bytes,
    kind: int,
    code: int,
    rest: int = 0,
    *,
    sender: str,
    mtu: int = 576,
    to: str | int = 0,
    options: bytes = b"",
    extension: bytes = b"",
) -> bytes:
    """Return the ICMP error about an IP packet (RFC 1812 4.3.2); `rest` is octets 4 to 7.

    to, options: where a source route sends it instead of to the packet's source. extension: what
    stands behind a quote of at least 128 octets, in whole words (RFC 4884).
    """
    quoted = packet[: min(mtu, 576) - 28 - (len(options) + 3) // 4 * 4 - len(extension)]
    if extension:
        if len(quoted) < len(packet):
            quoted = quoted[: len(quoted) // 4 * 4]
        quoted += bytes(max(128 - len(quoted), -len(quoted) % 4))
        rest |= len(quoted) // 4 << 16
    return p.ipv4(
        sender,
        to or int.from_bytes(packet[12:16]),
        p.icmp(kind, code, struct.pack("!I", rest), quoted + extension),
        protocol=p.ICMP,
        ident=0,
        fragment=p.DF,
        tos=0xC0,
        options=options,
    )


def interface(index: int, name: str, mtu: int = 1500, address: str = "") -> bytes:
    """Return an extension structure that tells of a port (RFC 5837 4); index: from 1."""
    body = struct.pack("!I", index)
    if address:
        body += b"\0\1\0\0" + p.address_bytes(address)
    length = 1 + len(name) + -(1 + len(name)) % 4
    body += bytes([length]) + name.encode().ljust(length - 1, b"\0") + struct.pack("!I", mtu)
    body = struct.pack("!HBB", 4 + len(body), 2, 0x0F if address else 0x0B) + body
    return struct.pack("!HH", 0x2000, p.checksum(b"\x20\0\0\0" + body)) + body


def error_to_h1(
    packet: bytes, kind: int, code: int, rest: int = 0, *, mtu: int = 576, extension: bytes = b""
) -> bytes:
    """Return the frame with the ICMP error that H1 gets about its packet."""
    error = icmp_error(packet, kind, code, rest, sender=w.R1, mtu=mtu, extension=extension)
    return p.pad(p.ether(w.h1, w.M1, error))


def only(**frames: list[bytes]) -> dict[str, list[bytes]]:
    """Return what leaves by the named ports, and silence on the others."""
    return {**SILENCE, **frames}


def since(bench: Bench, port: str, start_ps: int) -> list[tuple[int, bytes]]:
    """Return time since `start_ps` and bytes of what left by a port."""
    return [(frame.time_ps - start_ps, frame.data) for frame in bench.port(port).received()]


def dropped(bench: Bench) -> dict[str, int]:
    """Return the packets that ended in the router by their reasons."""
    return dict(bench.only.counters().dropped)


def stack(bench: Bench, port: str) -> Station:
    """Put a recording station behind the twin of a port, in the place of the host stack."""
    station = bench.station(f"stack-{port}")
    bench.link(station, bench.only.twin(port), rate="unlimited")
    return station
