# SPDX-License-Identifier: MIT
"""Incremental against full checksum, and the full one against RFC 1071 done slowly."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import packets as p
from tests.strategies import examples
from twinroute.sim._sim import ffi, lib


def to_wire(value: int) -> int:
    """Return the number that a 16-bit field in wire order is to this machine."""
    return int.from_bytes(struct.pack("!H", value), "little")


@given(st.binary(max_size=200))
@settings(max_examples=examples(400))
def test_full_checksum(data: bytes) -> None:
    assert lib.tr_checksum(ffi.from_buffer(data), len(data)) == to_wire(p.checksum(data))


@given(st.binary(min_size=20, max_size=20).filter(lambda header: header[8] > 0))
@settings(max_examples=examples(1000))
def test_ttl_decrement_equals_recomputation(header: bytes) -> None:
    def with_checksum(ttl: int) -> tuple[int, bytes]:
        cleared = header[:8] + bytes([ttl]) + header[9:10] + b"\0\0" + header[12:]
        return p.checksum(cleared), cleared

    before, _ = with_checksum(header[8])
    after, _ = with_checksum(header[8] - 1)
    assert lib.tr_checksum_ttl_decrement(to_wire(before)) == to_wire(after)


def test_ttl_decrement_for_every_checksum() -> None:
    # For each sum of the other words (only 0 cannot be: version is never 0) and TTL 2 to 1.
    for rest in range(1, 0x10000):
        before = p.checksum(struct.pack("!HH", rest, 0x0200))
        after = p.checksum(struct.pack("!HH", rest, 0x0100))
        assert lib.tr_checksum_ttl_decrement(to_wire(before)) == to_wire(after), hex(rest)
