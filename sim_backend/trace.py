# SPDX-License-Identifier: MIT
"""The trace of chosen packets: every step that took one, its verdict and why, and when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from twinroute.sim._sim import ffi, lib
from twinroute.sim.native import NATIVE
from twinroute.sim.world import OUTSIDE, PS_PER_US, BenchError, World, c_text

AT_STATION = ("sent", "received")
ON_LINK = ("wire", "lost", "corrupted", "duplicated", "reordered")


@dataclass(frozen=True)
class TraceEvent:
    """One place that took a traced packet."""

    time_ps: int
    cycles: int  # of the core, 0 outside of one
    packet: int  # number of the traced packet, from 1; what is made because of it shares it
    size: int  # bytes of the frame
    place: str  # a step of the core, or a place of the simulator
    verdict: str  # forward: goes on; punt; drop; done: used up; "-": ends here with no reason
    reason: str  # of the punt, the drop or the use, or ""
    router: str | None
    unit: int | None
    where: str  # port, station or link

    @property
    def time_us(self) -> float:
        """Virtual time, microseconds."""
        return self.time_ps / PS_PER_US


def start_trace(world: World, libpcap_filter: str, most: int) -> None:
    """Trace the first `most` frames that stations send from now on and that match the filter."""
    if not 0 <= most < 1 << 64:
        raise ValueError(f"most={most}: expected a number of frames")
    error = ffi.new("char[]", lib.TR_SIM_TEXT)
    if lib.tr_world_trace(world.pointer, libpcap_filter.encode(), most, error):
        raise BenchError(f'trace filter "{libpcap_filter}": {c_text(error)}')


def read_trace(world: World, first: int = 0) -> list[TraceEvent]:
    """Copy all events up to now, from number `first` on."""
    world.at_rest("trace")
    out = ffi.new("const struct tr_trace_event **")
    count = int(lib.tr_world_trace_read(world.pointer, out))
    return [_event(world, out[0][index]) for index in range(first, count)]


def _event(world: World, event: Any) -> TraceEvent:
    """Turn a struct tr_trace_event into names."""
    place = c_text(lib.tr_place_name(event.place))
    kind, reason = NATIVE.verdict(int(event.verdict))
    inside = event.router != OUTSIDE
    return TraceEvent(
        time_ps=int(event.time_ps),
        cycles=int(event.cycles),
        packet=int(event.packet),
        size=int(event.bytes),
        place=place,
        verdict=kind,
        reason=reason,
        router=world.routers[event.router].name if inside else None,
        unit=int(event.unit) if event.unit != OUTSIDE else None,
        where=_where(world, place, int(event.router), int(event.port)),
    )


def _where(world: World, place: str, router: int, port: int) -> str:
    """Name the port, station or link of an event."""
    if router != OUTSIDE:
        ports = world.routers[router].ports
        return ports[port] if port < len(ports) else "-"
    if place in AT_STATION:
        return world.stations[port].name
    if place in ON_LINK:
        return world.links[port].name
    return str(port)


def format_trace(events: Iterable[TraceEvent]) -> str:
    """Write events as aligned text, one a line, with a line of headings."""
    rows: list[Sequence[str]] = [
        ("packet", "us", "cycles", "router", "unit", "where", "place", "bytes", "verdict")
    ]
    for event in events:
        cycles = str(event.cycles) if event.unit is not None else "-"
        unit = "-" if event.unit is None else str(event.unit)
        time, verdict = f"{event.time_us:.6f}", f"{event.verdict} {event.reason}".strip()
        rows.append(
            (
                *(str(event.packet), time, cycles, event.router or "-", unit, event.where),
                *(event.place, str(event.size), verdict),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    right = (True, True, True, False, True, False, False, True, False)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    )
