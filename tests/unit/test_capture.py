# SPDX-License-Identifier: MIT
"""Captures in all formats, and what is said of those that cannot be used."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinroute.errors import InputError
from twinroute.sim import BenchError, Frame
from twinroute.sim.capture import read, write

SECONDS = 1_700_000_000
FRAMES = [bytes(range(60)), b"\xaa" * 1514, b"\x55" * 61]
TIMES_NS = [SECONDS * 10**9 + extra for extra in (0, 1_000, 999_999_000)]
MICRO, NANO = 0xA1B2C3D4, 0xA1B23C4D


def pcap(
    *, magic: int = MICRO, order: str = "<", link: int = 1, snap: int = 65535, times: Any = TIMES_NS
) -> bytes:
    """Return a classic capture of FRAMES."""
    unit = 1000 if magic == MICRO else 1
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    for frame, time in zip(FRAMES, times, strict=True):
        stamp = (time // 10**9, time % 10**9 // unit)
        kept = frame[:snap]
        parts.append(struct.pack(order + "IIII", *stamp, len(kept), len(frame)) + kept)
    return b"".join(parts)


def block(order: str, kind: int, body: bytes) -> bytes:
    """Return a block of a pcapng file."""
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(*, order: str = "<", resolution: int = 6, link: int = 1, frames: Any = FRAMES) -> bytes:
    """Return a pcapng capture; times are in units of 10**-resolution s."""
    options = struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0) if resolution != 6 else b""
    parts = [
        block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(order, 1, struct.pack(order + "HHI", link, 0, 0) + options),
        block(order, 4, struct.pack(order + "HH", 0, 0)),  # names: to be passed over
    ]
    for frame, time in zip(frames, TIMES_NS, strict=False):
        ticks = time // 10 ** (9 - resolution)
        lengths = (len(frame), len(frame))
        head = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, *lengths)
        parts.append(block(order, 6, head + frame))
    return b"".join(parts)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("kind", ["pcap micro", "pcap nano", "pcapng micro", "pcapng nano"])
def test_every_format(tmp_path: Path, kind: str, order: str):
    make = {
        "pcap micro": lambda: pcap(order=order),
        "pcap nano": lambda: pcap(order=order, magic=NANO),
        "pcapng micro": lambda: pcapng(order=order),
        "pcapng nano": lambda: pcapng(order=order, resolution=9),
    }
    path = tmp_path / "a.capture"  # the name says nothing
    path.write_bytes(make[kind]())
    capture = read(path)
    assert len(capture) == 3
    assert [capture.frame(index) for index in range(3)] == FRAMES
    assert capture.times_ns.tolist() == TIMES_NS
    assert capture.lengths.tolist() == [60, 1514, 61]
    data, times = capture.data, capture.times_ns
    del capture
    assert (bytes(data[:60]), int(times[2])) == (FRAMES[0], TIMES_NS[2])  # memory is still there


def test_nanoseconds_are_kept(tmp_path: Path):
    times = [SECONDS * 10**9 + extra for extra in (1, 2, 999_999_999)]
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(magic=NANO, times=times))
    assert read(path).times_ns.tolist() == times


def test_what_is_written_is_read(tmp_path: Path):
    path = tmp_path / "out.pcap"
    write(path, [Frame(b"\1" * 60, 1_234_567_890), Frame(b"\2" * 1514, 5 * 10**12 + 999)])
    capture = read(path)
    assert capture.times_ns.tolist() == [1_234_567, 5 * 10**9]
    assert [capture.frame(0), capture.frame(1)] == [b"\1" * 60, b"\2" * 1514]
    assert path.read_bytes()[:4] == struct.pack("<I", NANO)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.pcap"]


def test_no_frames_are_written_as_an_empty_capture(tmp_path: Path):
    path = tmp_path / "out.pcap"
    write(path, [])
    assert len(path.read_bytes()) == 24
    with pytest.raises(InputError, match="without frames"):
        read(path)


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(BenchError, match="No such file") as error:
        write(tmp_path / "none" / "out.pcap", [])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"abc", "truncated|not a"),
        (b"# a text file that is no capture\n" * 9, "unknown file format"),
        (pcap()[:10], "truncated"),
        (pcap()[:24], "without frames"),
        (pcap()[:30], "frame 1: .*truncated"),
        (pcap()[: 24 + 16 + 60 + 16 + 700], "frame 2: .*truncated"),
        (pcap()[:-1], "frame 3: .*truncated"),
        (pcapng()[:-7], "frame 3: "),
        (pcapng(frames=[]), "without frames"),
        (pcap(link=101), "not an Ethernet capture but RAW"),
        (pcap(link=113), "not an Ethernet capture but LINUX_SLL"),
        (pcapng(link=105), "not an Ethernet capture but IEEE802_11"),
        (pcap(snap=96), "frame 2: only 96 of its 1514 bytes were captured"),
    ],
)
def test_one_clear_line(tmp_path: Path, content: bytes, words: str):
    path = tmp_path / "bad.pcap"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_no_file(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.pcap: no such file"):
        read(tmp_path / "none.pcap")
    with pytest.raises(InputError, match="not a file"):
        read(tmp_path)


def test_any_cut_is_an_error_or_whole_frames(tmp_path: Path):
    whole = pcap()
    ends = {24 + 16 + 60, 24 + 2 * 16 + 60 + 1514}
    path = tmp_path / "cut.pcap"
    for size in range(0, len(whole), 13):
        path.write_bytes(whole[:size])
        if size not in ends:
            with pytest.raises(InputError):
                read(path)
    assert np.array_equal(read_whole(path, whole).lengths, [60, 1514, 61])


def read_whole(path: Path, content: bytes) -> Any:
    """Write a capture and read it."""
    path.write_bytes(content)
    return read(path)
