# SPDX-License-Identifier: MIT
"""Write the inputs that the fuzzer starts from: a sequence of frames each, for every bed.

    python -m tests.fuzz.seeds FOLDER

The same files each time. Addresses are those of tests/worlds.py, records those of input.h.
"""

import struct
import sys
from pathlib import Path
from typing import Any

from tests import packets as p
from tests.worlds import A1, B1, C1, G3, H1, H2, M1, M2, M3, NO_MAC, R1, R2, U, g3, h1, h2

BEDS = 4
LINK, REPAIR, BURST = 8, 16, 32
LATER, SECONDS = 5, 7  # waits: 1 ms, 6 s
UP = 0x80
MACS = (M1, M2, M3)
GROUP = "239.1.1.1"
GROUP_MAC = "01:00:5e:01:01:01"

Record = tuple[int, int, bytes]


def record(frame: bytes, *, port: int = 0, flags: int = REPAIR, wait: int = LATER) -> Record:
    """Return a record of an input: flags and port, wait, frame."""
    return flags | port, wait, frame


def packet(dst: str, *, src: str = H1, port: int = 0, **fields: Any) -> Record:
    """Return a record with an IPv4 packet from a host."""
    body = fields.pop("payload", p.udp(1000, 2000, b"payload"))
    content = p.ipv4(src, dst, body, **fields)
    mac = p.BROADCAST if dst.endswith(".255") else GROUP_MAC if dst == GROUP else MACS[port]
    return record(p.ether(mac, h1, content), port=port)


def option(kind: int, *addresses: str, pointer: int = 4) -> bytes:
    """Return a route or time stamp option with addresses in it."""
    body = b"".join(map(p.address_bytes, addresses))
    return bytes([kind, 3 + len(body), pointer]) + body


def cut(ident: int, data: int, dst: str) -> list[Record]:
    """Return the fragments of an echo request to an address, the last of them first."""
    echo = p.echo_request(data=bytes(200))
    parts = p.fragments(p.ipv4(H1, dst, echo, protocol=p.ICMP, ident=ident), data)
    return [record(p.ether(M1, h1, part), flags=0) for part in reversed(parts)]


def seeds() -> dict[str, list[Record]]:
    """Return the sequences by their names."""
    echo: dict[str, Any] = {"payload": p.echo_request(), "protocol": p.ICMP}
    ask = p.ether(p.BROADCAST, h1, p.arp(1, h1, H1, NO_MAC, R1), 0x0806)
    told = p.ether(M3, g3, p.arp(2, g3, "10.3.0.253", M3, "10.3.0.1"), 0x0806)
    own = p.ether(p.BROADCAST, h2, p.arp(1, h2, R2, NO_MAC, R2), 0x0806)
    stamp = bytes([68, 12, 5, 1]) + bytes(8)
    big: dict[str, Any] = {"payload": p.udp(1, 2, bytes(1400))}
    return {
        "forward": [packet(A1), packet(B1), packet(C1), packet("198.21.0.1"), packet(U)],
        "flows": [packet(C1, payload=p.udp(port, 53)) for port in range(6)],
        "unknown": [packet("198.22.0.1"), packet("10.2.0.77"), packet("10.3.0.9"), packet(C1)],
        "kinds": [packet(f"198.23.{i}.1") for i in range(3)],
        "ttl": [packet(A1, ttl=0), packet(A1, ttl=1), packet(R1, ttl=1, **echo)],
        "ping": [packet(R1, **echo), packet(R2, **echo), packet("10.2.0.255", **echo)],
        "cut": [*cut(1, 64, R1), *cut(2, 128, A1), *cut(3, 72, R2)[1:]],
        "narrow": [
            packet(A1, **big),
            packet("198.21.0.1", **big),
            packet(A1, fragment=p.DF, **big),
        ],
        "groups": [packet(GROUP), packet(GROUP, ttl=2), packet("10.3.0.255"), packet("10.4.0.3")],
        "back": [packet("198.24.0.1"), packet("10.1.0.9"), packet("198.24.0.1", ttl=1)],
        "source": [
            packet(R1, options=option(131, R2, A1)),
            packet(R1, options=option(137, H2)),
            packet(R1, options=option(131, R2)),
        ],
        "record": [packet(A1, options=option(7, "0.0.0.0", "0.0.0.0")), packet(A1, options=stamp)],
        "reply": [
            packet(R1, options=option(7, "0.0.0.0"), **echo),
            packet(R1, options=stamp, **echo),
        ],
        "alert": [packet(A1, options=bytes([148, 4, 0, 0])), packet(A1, options=bytes([136, 4]))],
        "queries": [
            packet(R1, payload=p.icmp(kind), protocol=p.ICMP) for kind in (5, 8, 13, 15, 17)
        ],
        "arp": [record(ask), record(told, port=2), record(own, port=1), packet(C1)],
        "wrong": [record(p.ether(M1, h1, p.ipv4(H1, A1, ihl=3)), flags=0), packet(A1, src=G3)],
        "burst": [record(packet(B1)[2], flags=REPAIR | BURST, wait=0), packet("198.22.0.1")],
        "link": [
            record(b"", port=1, flags=LINK),
            packet(A1),
            (LINK | 1, UP | SECONDS, b""),
            packet(A1),
        ],
    }


def encode(bed: int, records: list[Record]) -> bytes:
    """Return an input."""
    heads = (struct.pack("<BBH", flags, wait, len(frame)) + frame for flags, wait, frame in records)
    return bytes([bed]) + b"".join(heads)


def main(folder: Path) -> None:
    """Write every sequence for every bed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in seeds().items():
        for bed in range(BEDS):
            (folder / f"{name}-{bed}").write_bytes(encode(bed, records))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
