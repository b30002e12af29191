# SPDX-License-Identifier: MIT
"""Captures on running ports."""

import time
from typing import Any

from twinroute.dpdk._dpdk import ffi, lib
from twinroute.target import CapturedFrame

FRAMES_A_READ = 256
DIRECTIONS = {"in": lib.TR_CAPTURE_IN, "out": lib.TR_CAPTURE_OUT}


class Capture:
    """A capture under way; made by Engine.capture(). Stop it, or use it in a `with`."""

    def __init__(self, pointer: Any, ports: list[str], snap_bytes: int) -> None:
        """Take over the C capture `pointer`."""
        self._pointer = pointer
        self._ports = ports
        self._out = ffi.new("struct tr_captured[]", FRAMES_A_READ)
        self._data = ffi.new("uint8_t[]", FRAMES_A_READ * snap_bytes)
        self._clock = (time.time_ns(), int(lib.tr_dpdk_cycles()), int(lib.tr_dpdk_hz()))

    def __enter__(self) -> "Capture":
        """Return the capture."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop."""
        self.stop()

    def read(self) -> list[CapturedFrame]:
        """Take the frames captured since the last call."""
        frames: list[CapturedFrame] = []
        while self._pointer:
            arguments = (self._out, len(self._out), self._data, len(self._data))
            count = lib.tr_capture_read(self._pointer, *arguments)
            frames += [self._frame(self._out[index]) for index in range(count)]
            if count == 0:
                break
        return frames

    def _frame(self, one: Any) -> CapturedFrame:
        ns, cycles, hz = self._clock
        return CapturedFrame(
            time_ns=ns + (int(one.cycles) - cycles) * 1_000_000_000 // hz,
            port=self._ports[one.port],
            direction="in" if one.direction == lib.TR_CAPTURE_IN else "out",
            size=int(one.bytes),
            data=bytes(ffi.buffer(self._data + one.offset, one.copied)),
        )

    @property
    def lost(self) -> int:
        """Frames that matched and found no buffer."""
        return int(lib.tr_capture_lost(self._pointer)) if self._pointer else 0

    def stop(self) -> None:
        """Take the capture off the ports; what was not read is forgotten."""
        lib.tr_capture_stop(self._pointer)
        self._pointer = ffi.NULL
