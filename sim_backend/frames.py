# SPDX-License-Identifier: MIT
"""Frames between Python and the world: one by one as bytes, in bulk as NumPy arrays."""

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twinroute.sim._sim import ffi, lib
from twinroute.sim.world import PS_PER_US, BenchError, World, check

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.uint64]
Lengths = npt.NDArray[np.uint32]
Times = npt.NDArray[np.uint64]
Latencies = npt.NDArray[np.int64]
# Frames of one size as a table, or any frames as (data, offsets, lengths).
Bulk = npt.NDArray[np.uint8] | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]


@dataclass(frozen=True, slots=True)
class Frame:
    """An Ethernet frame without FCS, when its last bit arrived, and how long a router had it."""

    data: bytes
    time_ps: int
    latency_ps: int = -1  # last bit in to first bit out of the last router; -1: made there

    @property
    def time_us(self) -> float:
        """When the last bit arrived, microseconds."""
        return self.time_ps / PS_PER_US

    @property
    def latency_us(self) -> float:
        """How long the last router had it, microseconds; negative: it was made there."""
        return self.latency_ps / PS_PER_US

    def __len__(self) -> int:
        """Bytes of the frame."""
        return len(self.data)


class Frames(NamedTuple):
    """Many frames as arrays: frame i is data[offsets[i] : offsets[i] + lengths[i]]."""

    data: Bytes
    offsets: Offsets
    lengths: Lengths
    times_ps: Times
    latencies_ps: Latencies

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return len(self.offsets)

    def frame(self, index: int) -> Frame:
        """Copy one frame."""
        start = int(self.offsets[index])
        data = self.data[start : start + int(self.lengths[index])].tobytes()
        return Frame(data, int(self.times_ps[index]), int(self.latencies_ps[index]))

    def each(self) -> Iterator[Frame]:
        """Copy the frames one by one."""
        return (self.frame(index) for index in range(self.frame_count))


def view(pointer: Any, count: int, dtype: Any) -> npt.NDArray[Any]:
    """Show C memory as an array of `count` items, without copying."""
    if not count:
        return np.empty(0, dtype)
    return np.frombuffer(ffi.buffer(pointer, count * np.dtype(dtype).itemsize), dtype)


def copy_frames(frames: Any) -> Frames:
    """Copy a filled struct tr_frames."""
    offsets = view(frames.offset, int(frames.count), np.uint64).copy()
    lengths, times_ps, latencies_ps = copy_facts(frames)
    size = int((offsets + lengths).max()) if len(offsets) else 0
    data = view(frames.data, size, np.uint8).copy()
    return Frames(data, offsets, lengths, times_ps, latencies_ps)


def copy_facts(frames: Any) -> tuple[Lengths, Times, Latencies]:
    """Copy lengths, times and latencies of a filled struct tr_frames."""
    count = int(frames.count)
    return (
        view(frames.bytes, count, np.uint32).copy(),
        view(frames.time_ps, count, np.uint64).copy(),
        view(frames.latency_ps, count, np.int64).copy(),
    )


def pack(frames: Sequence[bytes]) -> tuple[Bytes, Offsets, Lengths]:
    """Put frames into the arrays of bulk sending: data, offsets, lengths."""
    lengths = np.fromiter((len(frame) for frame in frames), np.uint32, len(frames))
    offsets = np.zeros(len(frames), np.uint64)
    np.cumsum(lengths[:-1], out=offsets[1:])
    return np.frombuffer(b"".join(frames), np.uint8), offsets, lengths


def unpack(bulk: Bulk) -> tuple[Bytes, Offsets, Lengths]:
    """Check the arrays of bulk sending and bring them into the layout of C."""
    if not isinstance(bulk, tuple):
        table = np.asarray(bulk)
        if table.ndim != 2 or table.dtype != np.uint8:
            raise ValueError(
                f"frames: {table.ndim}-dimensional array of {table.dtype}: expected two dimensions"
                " of uint8 (a frame a row), or (data, offsets, lengths)"
            )
        rows, size = table.shape
        offsets = np.arange(rows, dtype=np.uint64) * np.uint64(size)
        flat = np.ascontiguousarray(table).reshape(-1)
        return flat, offsets, np.full(rows, size, np.uint32)
    data = np.ascontiguousarray(bulk[0])
    if data.ndim != 1 or data.dtype != np.uint8:
        raise ValueError(f"frames: data of {data.dtype}: expected one dimension of uint8")
    offsets = _integers(bulk[1], np.uint64, "offsets")
    lengths = _integers(bulk[2], np.uint32, "lengths")
    if len(offsets) != len(lengths):
        raise ValueError(f"frames: {len(offsets)} offsets for {len(lengths)} lengths")
    outside = (offsets > data.size) | (lengths > data.size - np.minimum(offsets, data.size))
    if outside.any():
        raise ValueError(f"frames: frame {int(np.argmax(outside))} reaches beyond the data")
    return data, offsets, lengths


def _integers(values: npt.ArrayLike, dtype: Any, name: str) -> npt.NDArray[Any]:
    """Return one-dimensional contiguous integers of `dtype`; raise where that would change one."""
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"{name}: expected one dimension of integers, got {array.dtype}")
    limit = np.iinfo(dtype)
    if array.size and (int(array.min()) < limit.min or int(array.max()) > limit.max):
        raise ValueError(f"{name}: expected integers from {limit.min} to {limit.max}")
    return np.ascontiguousarray(array, dtype)


def send(
    world: World,
    station: int,
    packed: tuple[Bytes, Offsets, Lengths],
    at_ps: npt.ArrayLike | int | None,
    trace: npt.ArrayLike | bool,
) -> None:
    """Hand frames to a station. `at_ps`: when each (or all) may leave; None: now."""
    data, offsets, lengths = packed
    count = len(offsets)
    if not count:
        return
    if at_ps is None:
        at_ps = world.now_ps
    times = _per_frame(at_ps, count, np.uint64, "at_ps")
    c_trace = ffi.NULL
    marks: npt.NDArray[Any] | None = None
    if trace is not False:
        marks = _per_frame(np.asarray(trace).astype(np.uint8), count, np.uint8, "trace")
        c_trace = ffi.from_buffer("uint8_t[]", marks)
    bad = ffi.new("uint64_t *")
    code = lib.tr_station_send(
        world.pointer,
        station,
        ffi.from_buffer("uint8_t[]", data),
        ffi.from_buffer("uint64_t[]", offsets),
        ffi.from_buffer("uint32_t[]", lengths),
        ffi.from_buffer("uint64_t[]", times),
        c_trace,
        count,
        bad,
    )
    if code == -errno.EMSGSIZE:
        index = int(bad[0])
        raise BenchError(
            f"send: frame {index} of {int(lengths[index])} bytes: expected 1 byte or more, and no"
            " more than a packet buffer holds"
        )
    check(code, f"send by {world.stations[station].name}")


def _per_frame(values: npt.ArrayLike, count: int, dtype: Any, name: str) -> npt.NDArray[Any]:
    """Return a contiguous array of one value a frame from one value, or one for each."""
    array = np.asarray(values)
    if array.ndim == 0:
        array = array.reshape(1)
        return np.ascontiguousarray(np.broadcast_to(_integers(array, dtype, name), (count,)))
    array = _integers(array, dtype, name)
    if len(array) != count:
        raise ValueError(f"{name}: {len(array)} values for {count} frames")
    return array
