# SPDX-License-Identifier: MIT
"""Capture files as they are written while frames come: pcap with nanoseconds, or pcapng.

A pcapng file has an interface for each port, and the direction of each frame; pcap has neither.
"""

import struct
from collections.abc import Sequence
from typing import IO, Protocol

from twinroute.target import CapturedFrame

ETHERNET = 1
FLAGS = {"in": 1, "out": 2}  # epb_flags
PCAPNG_BYTE_ORDER = 0x1A2B3C4D


class CaptureWriter(Protocol):
    """Writes frames as they come."""

    def write(self, frame: CapturedFrame) -> None:
        """Write a frame."""


class PcapWriter:
    """A pcap file with nanoseconds."""

    def __init__(self, file: IO[bytes], snap_bytes: int = 65535) -> None:
        """Begin a file."""
        self._file = file
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snap_bytes, ETHERNET))

    def write(self, frame: CapturedFrame) -> None:
        """Write a frame."""
        seconds, ns = divmod(frame.time_ns, 1_000_000_000)
        header = struct.pack("<IIII", seconds & 0xFFFFFFFF, ns, len(frame.data), frame.size)
        self._file.write(header + frame.data)


class PcapngWriter:
    """A pcapng file with an interface for each port."""

    def __init__(self, file: IO[bytes], ports: Sequence[str], snap_bytes: int = 65535) -> None:
        """Begin a file for captures on these ports."""
        self._file = file
        self._ports = {name: index for index, name in enumerate(ports)}
        self._block(0x0A0D0D0A, struct.pack("<IHHq", PCAPNG_BYTE_ORDER, 1, 0, -1))
        for name in ports:
            options = _option(2, name.encode()) + _option(9, b"\x09") + _option(0, b"")
            self._block(1, struct.pack("<HHI", ETHERNET, 0, snap_bytes) + options)

    def write(self, frame: CapturedFrame) -> None:
        """Write a frame."""
        time = (frame.time_ns >> 32, frame.time_ns & 0xFFFFFFFF)
        sizes = (len(frame.data), frame.size)
        options = _option(2, struct.pack("<I", FLAGS[frame.direction])) + _option(0, b"")
        header = struct.pack("<IIIII", self._ports[frame.port], *time, *sizes)
        self._block(6, header + _padded(frame.data) + options)

    def _block(self, kind: int, body: bytes) -> None:
        size = struct.pack("<I", len(body) + 12)
        self._file.write(struct.pack("<I", kind) + size + body + size)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)
