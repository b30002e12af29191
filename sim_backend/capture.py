# SPDX-License-Identifier: MIT
"""Packet captures: pcap and pcapng in, nanosecond pcap out, through libpcap."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twinroute.errors import InputError
from twinroute.sim._sim import ffi, lib
from twinroute.sim.frames import Bytes, Frame, Frames, Lengths, Offsets, Times, pack, view
from twinroute.sim.world import BenchError, c_text, input_error


@dataclass(frozen=True)
class Capture:
    """The frames of a capture: frame i is data[offsets[i] : offsets[i] + lengths[i]]."""

    path: str
    data: Bytes
    offsets: Offsets
    lengths: Lengths
    times_ns: Times  # as in the file: since 1970, or whatever it counts from

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.offsets)

    def frame(self, index: int) -> bytes:
        """Copy one frame."""
        start = int(self.offsets[index])
        return self.data[start : start + int(self.lengths[index])].tobytes()


def read(path: str | Path) -> Capture:
    """Read a capture of Ethernet frames; InputError with one line for anything else."""
    name = str(path)
    if not Path(name).is_file():
        raise InputError(f"{name}: {'not a file' if Path(name).exists() else 'no such file'}")
    error = ffi.new("char[]", lib.TR_SIM_TEXT)
    pointer = lib.tr_capture_read(name.encode(), error)
    if not pointer:
        raise input_error(name, c_text(error))
    capture = ffi.gc(pointer, lib.tr_capture_free)
    count = int(capture.count)
    offsets = _kept(capture, capture.offset, count, np.uint64)
    lengths = _kept(capture, capture.bytes, count, np.uint32)
    size = int((offsets + lengths).max())
    data = _kept(capture, capture.data, size, np.uint8)
    return Capture(name, data, offsets, lengths, _kept(capture, capture.time_ns, count, np.uint64))


def _kept(owner: Any, pointer: Any, count: int, dtype: Any) -> Any:
    """Show C memory as an array that keeps the capture it belongs to alive."""
    return view(ffi.gc(pointer, lambda _: owner), count, dtype)


def write(path: str | Path, frames: Frames | Sequence[Frame]) -> None:
    """Write frames with their virtual times as a nanosecond pcap, whole or not at all."""
    if not isinstance(frames, Frames):
        data, offsets, lengths = pack([frame.data for frame in frames])
        times = np.array([frame.time_ps for frame in frames], np.uint64)
        frames = Frames(data, offsets, lengths, times, np.full(len(times), -1, np.int64))
    c_frames = ffi.new("struct tr_frames *")
    c_frames.count = frames.frame_count
    held = [
        ffi.from_buffer(kind, np.ascontiguousarray(array))
        for kind, array in (
            ("uint8_t[]", frames.data),
            ("uint64_t[]", frames.offsets),
            ("uint32_t[]", frames.lengths),
            ("uint64_t[]", frames.times_ps),
            ("int64_t[]", frames.latencies_ps),
        )
    ]
    c_frames.data, c_frames.offset, c_frames.bytes, c_frames.time_ps, c_frames.latency_ps = held
    write_c(path, c_frames)


def write_c(path: str | Path, frames: Any) -> None:
    """Write a struct tr_frames."""
    error = ffi.new("char[]", lib.TR_SIM_TEXT)
    if lib.tr_capture_write(str(path).encode(), frames, error):
        text = c_text(error)
        raise BenchError(text if str(path) in text else f"{path}: {text}")
