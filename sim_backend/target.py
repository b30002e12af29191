# SPDX-License-Identifier: MIT
"""A router of a bench under management: what the control server needs, in virtual time.

Time passes only when somebody runs the bench, and in settle(). So the management is tested, and
can be tried, without devices; `twinroute run` is for routers that run by themselves.
"""

from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from twinroute.room import Shortages
from twinroute.sim._sim import ffi, lib
from twinroute.sim.bench import Bench
from twinroute.sim.frames import Frames
from twinroute.sim.router import Port, Router
from twinroute.sim.trace import TraceEvent
from twinroute.sim.world import BenchError, c_text
from twinroute.target import CapturedFrame, PortState, TraceRecord, UnitState

DIRECTIONS = ("in", "out", "both")
NO_FRAMES = Frames(*(np.zeros(0, kind) for kind in ("u1", "u8", "u4", "u8", "i8")))


class BenchTarget:
    """A Target, and an Engine that somebody else runs."""

    backend = "sim"

    def __init__(self, bench: Bench, router: Router | None = None) -> None:
        """Manage a router of a bench, by default the only one."""
        self.bench = bench
        self.router = router or bench.only
        self.trace_under_way: BenchTrace | None = None
        self._shortages = Shortages()

    def start(self) -> None:
        """Do nothing: time passes when the bench runs."""

    def stop(self) -> int:
        """Return the packets that are held."""
        return self.router.held()

    def problem(self) -> str | None:
        """Tell of nothing: a world that fails raises."""
        return None

    def turns(self) -> dict[str, int]:
        """Return none: units go on when the bench runs."""
        return {}

    def port_states(self) -> list[PortState]:
        """Return every port."""
        router = self.router
        return [
            PortState(
                name=name,
                mac=port.mac,
                mtu=port.mtu,
                device="simulated",
                driver="sim",
                link_up=router.port_status(name).link_up,
                rx_queues=router.info.units,
                tx_queues=router.info.units,
                rss=True,
                nic=asdict(router.nic(name)),
            )
            for name, port in router.ports.items()
        ]

    def unit_states(self) -> list[UnitState]:
        """Return every unit."""
        last = self.router.info.units - 1
        return [
            UnitState(unit, "slow" if unit == last else "fast", held=self.router.held(unit))
            for unit in range(last + 1)
        ]

    def settle(self, watch: Callable[[int], None] | None = None) -> None:
        """Run the bench until the tables are as they should be; raise Unplaced without room."""
        self.bench.settle()
        self._shortages.look(self.router.table_info())

    def capture(
        self, ports: list[str], direction: str, filter: str, snap_bytes: int, buffers: int
    ) -> "BenchCapture":
        """Copy what the links of ports carry from now on; nothing is lost, whatever `buffers`."""
        if direction not in DIRECTIONS:
            raise ValueError(f'direction="{direction}": expected one of {", ".join(DIRECTIONS)}')
        chosen = [self.router.port(name) for name in ports or self.router.info.ports]
        return BenchCapture(chosen, direction, filter, snap_bytes)

    def trace(self, filter: str, most: int) -> "BenchTrace":
        """Trace the next frames that stations send and that match."""
        self.trace_under_way = BenchTrace(self.bench, self.router, filter, most)
        return self.trace_under_way


class BenchCapture:
    """A capture of what links carry, under way."""

    lost = 0

    def __init__(self, ports: list[Port], direction: str, filter: str, snap_bytes: int) -> None:
        """Begin."""
        self._filter = filter
        self._snap_bytes = snap_bytes
        self._match(NO_FRAMES)  # a wrong filter is refused at once
        # What is listened to, and how many of its frames are known.
        self._known: dict[tuple[Port, str], int] = {}
        for port in ports:
            for way in ("in", "out") if direction == "both" else (direction,):
                port.link.record(_wire(port, way))
                self._known[port, way] = self._frames(port, way).frame_count

    def read(self) -> list[CapturedFrame]:
        """Take the frames since the last call, in order of time."""
        taken = []
        for (port, way), known in self._known.items():
            frames = self._frames(port, way)
            matched = self._match(frames)
            for index in range(known, frames.frame_count):
                if matched[index]:
                    one = frames.frame(index)
                    data = one.data[: self._snap_bytes]
                    ns = one.time_ps // 1000
                    taken.append(CapturedFrame(ns, port.name, way, len(one.data), data))
            self._known[port, way] = frames.frame_count
        return sorted(taken, key=lambda frame: frame.time_ns)

    def stop(self) -> None:
        """End. The links go on recording, as somebody else may have asked them to."""
        self._known = {}

    @staticmethod
    def _frames(port: Port, way: str) -> Frames:
        return port.link.recorded_bulk(_wire(port, way))

    def _match(self, frames: Frames) -> list[bool]:
        error = ffi.new("char[]", lib.TR_SIM_TEXT)
        out = ffi.new("bool[]", frames.frame_count)
        code = lib.tr_frames_match(
            self._filter.encode(),
            ffi.from_buffer("uint8_t[]", frames.data),
            ffi.from_buffer("uint64_t[]", frames.offsets),
            ffi.from_buffer("uint32_t[]", frames.lengths),
            frames.frame_count,
            out,
            error,
        )
        if code:
            raise BenchError(f'capture filter "{self._filter}": {c_text(error)}')
        return list(out)


def _wire(port: Port, way: str) -> int:
    """Return the direction of a port's link in which frames go "in" to, or "out" of, the port."""
    towards = port.router.world.links[port.link.id].ends[1] == port.end
    return 0 if towards == (way == "in") else 1


class BenchTrace:
    """A trace of a router's steps, under way."""

    lost = 0

    def __init__(self, bench: Bench, router: Router, filter: str, most: int) -> None:
        """Begin."""
        self._bench, self._router = bench, router
        before = bench.trace_events()
        self._read = len(before)
        self._numbered = max((event.packet for event in before), default=0)
        self._start_us: float | None = None
        bench.trace(filter, most=most)

    def read(self) -> list[TraceRecord]:
        """Take the records since the last call."""
        events = self._bench.trace_events()
        fresh = events[self._read :]
        self._read = len(events)
        inside = (
            event
            for event in fresh
            if event.unit is not None
            and event.router == self._router.name
            and event.packet > self._numbered
        )
        return [self._record(event) for event in inside]

    def stop(self) -> None:
        """Trace no more packets."""
        self._bench.trace("", most=0)

    def _record(self, event: TraceEvent) -> TraceRecord:
        if self._start_us is None:
            self._start_us = event.time_us
        assert event.unit is not None
        return TraceRecord(
            packet=event.packet - self._numbered,
            time_us=round(event.time_us - self._start_us, 6),
            unit=event.unit,
            port=event.where,
            size=event.size,
            step=event.place,
            verdict=event.verdict,
            reason=event.reason,
        )
