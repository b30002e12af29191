# SPDX-License-Identifier: MIT
"""Errors about any packets, read by a parser of RFC 4884 and RFC 5837 that is told nothing else."""

import struct
from dataclasses import dataclass
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import packets as p
from tests import worlds as w
from tests.strategies import examples
from twinroute.sim import Bench

MTUS = [68, 195, 196, 197, 198, 199, 400, 575, 576, 1500]
MTU2 = 200
ROOM_FOR_ANY = 28 + 128 + 40  # the longest name's
BYTES = 8 + 4 + 8 + 4 + 4  # the structure of p1


@dataclass(frozen=True)
class Interface:
    """What an Interface Information Object says (RFC 5837 4)."""

    role: int
    index: int | None
    address: bytes
    name: str
    mtu: int | None


def read_object(body: bytes, kind: int) -> Interface:
    """Take an Interface Information Object apart, and see that nothing is left of it."""
    index = mtu = None
    address, name = b"", ""
    assert not kind & 0x30
    if kind & 8:
        index, body = int.from_bytes(body[:4]), body[4:]
    if kind & 4:
        assert body[:4] == b"\0\1\0\0"
        address, body = body[4:8], body[8:]
    if kind & 2:
        length = body[0]
        assert length % 4 == 0
        assert length <= 64
        name, body = body[1:length].rstrip(b"\0").decode(), body[length:]
    if kind & 1:
        mtu, body = int.from_bytes(body[:4]), body[4:]
    assert body == b""
    return Interface(kind >> 6, index, address, name, mtu)


def read(message: bytes) -> tuple[bytes, list[Interface]]:
    """Return the original datagram field of an ICMP message, and what the extension holds."""
    assert p.checksum(message) == 0
    quoted = message[5] * 4
    if not quoted:
        return message[8:], []
    assert quoted >= 128
    extension = message[8 + quoted :]
    assert extension[:2] == b"\x20\0"
    assert p.checksum(extension) == 0
    objects, extension = [], extension[4:]
    while extension:
        length, number, kind = struct.unpack("!HBB", extension[:4])
        assert number == 2
        assert 4 <= length <= len(extension)
        objects.append(read_object(extension[4:length], kind))
        extension = extension[length:]
    return message[8 : 8 + quoted], objects


@cache
def bed(mtu: int) -> Bench:
    """Return the bed whose p1, where the errors leave, has that MTU."""
    return w.bed(icmp="[icmp]\nextensions = true", mtu1=mtu, mtu2=MTU2)


packets = st.builds(
    lambda dst, ttl, data, options, fragment: p.ipv4(
        w.H1, dst, data, ttl=ttl, options=options, fragment=fragment
    ),
    dst=st.sampled_from([w.A1, w.U]),
    ttl=st.sampled_from([1, 1, 64]),
    data=st.integers(0, 1440).map(lambda size: bytes(i % 253 for i in range(size))),
    options=st.sampled_from([b"", b"\1\1\1", b"\1" * 40]),
    fragment=st.sampled_from([0, p.DF, p.MF]),
)


@given(packet=packets, mtu=st.sampled_from(MTUS), burst=st.sampled_from([1, 67]))
@settings(max_examples=examples(300))
def test_any_error_can_be_read(packet: bytes, mtu: int, burst: int) -> None:
    """The quote is the packet's beginning and zeros, and as long as there is room for."""
    errors = w.exchange(bed(mtu), w.P1, [p.ether(w.M1, w.h1, packet)] * burst)[w.P1]
    passes = packet[16:20] == p.address_bytes(w.A1) and packet[8] > 1
    passes &= len(packet) <= MTU2 or not packet[6] & 0x40
    assert errors == errors[:1] * (0 if passes else burst)
    for error in errors[:1]:
        ip = p.ip_of(error)
        assert len(ip) <= min(mtu, 576)
        quoted, objects = read(ip[20:])
        if mtu < ROOM_FOR_ANY:
            assert objects == []
            assert quoted == packet[: mtu - 28]
            continue
        assert objects == [Interface(0, 1, p.address_bytes(w.R1), "p1", mtu)]
        room = (min(mtu, 576) - 28 - BYTES) // 4 * 4
        assert len(quoted) == min(max(128, len(packet) + -len(packet) % 4), room)
        assert quoted == packet[: len(quoted)].ljust(len(quoted), b"\0")
