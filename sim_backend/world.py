# SPDX-License-Identifier: MIT
"""The simulated world behind a bench: its C object, its names, and the way back from C to Python.

Routers, stations and links of a bench are views on a `World`; none of them is held by it, so that a
world and its tables are freed as soon as the last of them is gone.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from twinroute.config_rules import Refused, Rule
from twinroute.errors import InputError, TwinrouteError
from twinroute.sim._sim import ffi, lib

PS_PER_US = 1_000_000
PS_PER_S = 1_000_000_000_000
NEVER_PS = int(lib.TR_SIM_NEVER)
OUTSIDE = 0xFFFF  # trace: of no router, of no unit


class BenchError(TwinrouteError):
    """The bench cannot do what it was asked to, or found that its world is wrong."""


def fail(code: int, what: str) -> NoReturn:
    """Raise a BenchError for the negative errno `code` that C returned."""
    raise BenchError(f"{what}: {os.strerror(-code)}")


def check(code: int, what: str) -> int:
    """Return what C returned, or raise where that is a negative errno; `what` was tried."""
    if code < 0:
        fail(code, what)
    return code


def picoseconds(
    *, us: float | None = None, ps: int | None = None, name: str = "time"
) -> int | None:
    """Turn a time that is given in `us` or in `ps`, but not in both, into whole picoseconds."""
    if us is not None and ps is not None:
        raise ValueError(f"{name}: give us or ps, not both")
    if ps is None:
        if us is None:
            return None
        if isinstance(us, float) and not math.isfinite(us):
            raise ValueError(f"{name}: {us} is no time")
        ps = us * PS_PER_US if isinstance(us, int) else round(us * PS_PER_US)
    if not 0 <= ps < NEVER_PS:
        raise ValueError(f"{name}: {ps} ps is outside of virtual time (0 to {NEVER_PS - 1})")
    return int(ps)


def argument(name: str, value: object, rule: Rule) -> Any:
    """Check and convert an argument by a rule of the configuration; ValueError if it is wrong."""
    try:
        return rule.parse(value)
    except ValueError as error:
        closer = error if isinstance(error, Refused) and str(error) else rule.expected
        raise ValueError(f"{name}={value!r}: expected {closer}") from None


def millionths(chance: float, name: str) -> int:
    """Turn a chance from 0 to 1 into millionths."""
    if not 0 <= chance <= 1:
        raise ValueError(f"{name}={chance}: expected a chance from 0 to 1")
    return round(chance * 1_000_000)


@dataclass(frozen=True)
class End:
    """One end of a link: what the C side calls kind, id and port."""

    kind: int
    id: int
    port: int = 0


@dataclass
class RouterInfo:
    """What Python knows about a router of the world."""

    name: str
    ports: list[str]
    macs: list[str]
    hz: int
    units: int  # the slow path included
    pointer: Any  # struct tr_router *
    owned: Any  # structs that C may go on reading


@dataclass
class StationInfo:
    """What Python knows about a station of the world."""

    name: str
    mac: str
    address: str | None


@dataclass
class LinkInfo:
    """What Python knows about a link of the world."""

    name: str
    ends: tuple[End, End]


FrameCallback = Callable[[int, bytes, int], None]  # station, frame, now_ps


class Callbacks:
    """What C may call during a run. It holds no world, so that no circle keeps one alive."""

    def __init__(self, pointer: Any) -> None:
        """Make an empty set of callbacks for the C world `pointer`."""
        self.pointer = pointer
        self.on_frame: dict[int, FrameCallback] = {}
        self.raised: BaseException | None = None

    def frame(self, station: int, data: bytes, now_ps: int) -> None:
        """Hand a frame to the station's callback; keep what it raises and stop the run."""
        if self.raised is not None:
            return
        callback = self.on_frame.get(station)
        if callback is None:
            return
        try:
            callback(station, data, now_ps)
        except BaseException as error:  # handed on by run()
            self.raised = error
            lib.tr_world_stop(self.pointer)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def tr_py_frame(context: Any, station: int, frame: Any, size: int, now_ps: int) -> None:
    """Take a frame that reached a station with a callback; called by C."""
    callbacks: Callbacks = ffi.from_handle(context)
    callbacks.frame(station, bytes(ffi.buffer(frame, size)), now_ps)


@dataclass(eq=False)
class World:
    """A C world with the names of all in it."""

    seed: int
    pointer: Any = field(init=False, repr=False)
    callbacks: Callbacks = field(init=False, repr=False)
    handle: Any = field(init=False, repr=False)
    routers: list[RouterInfo] = field(default_factory=list)
    stations: list[StationInfo] = field(default_factory=list)
    links: list[LinkInfo] = field(default_factory=list)
    link_of: dict[End, int] = field(default_factory=dict)
    running: bool = False

    def __post_init__(self) -> None:
        """Make the C world."""
        if not 0 <= self.seed < 1 << 64:
            raise ValueError(f"seed={self.seed}: expected 0 to 2**64 - 1")
        pointer = lib.tr_world_new(self.seed)
        if not pointer:
            raise MemoryError("no memory for a world")
        self.pointer = ffi.gc(pointer, lib.tr_world_free)
        self.callbacks = Callbacks(pointer)
        self.handle = ffi.new_handle(self.callbacks)
        lib.tr_world_on_frame(self.pointer, lib.tr_py_frame, self.handle)

    @property
    def now_ps(self) -> int:
        """Virtual time, picoseconds."""
        return int(lib.tr_world_now_ps(self.pointer))

    def at_rest(self, what: str) -> None:
        """Raise unless no run is going on: `what` may not be done in one."""
        if self.running:
            raise BenchError(f"{what}: not during a run (from a callback or another thread)")

    def run(self, until_ps: int, *, stop_idle: bool = False) -> int:
        """Run up to and including `until_ps`; return enum tr_run_end. Raises what callbacks did."""
        self.at_rest("run")
        self.running = True
        try:
            end = lib.tr_world_run(self.pointer, until_ps, stop_idle)
        finally:
            self.running = False
        raised, self.callbacks.raised = self.callbacks.raised, None
        if raised is not None:
            raise raised
        return check(end, "run")

    def connect(self, ends: tuple[End, End], config: Any) -> int:
        """Join two ends by a link made of struct tr_link_config; return its id."""
        self.at_rest("link")
        names = (self.end_name(ends[0]), self.end_name(ends[1]))
        for end, name in zip(ends, names, strict=True):
            if end in self.link_of:
                raise BenchError(f"link: {name} has a link already")
        if ends[0] == ends[1]:
            raise BenchError(f"link: {names[0]} cannot be linked to itself")
        c_ends = [ffi.new("struct tr_end *", vars(end)) for end in ends]
        what = f"link from {names[0]} to {names[1]}"
        link = check(lib.tr_world_link(self.pointer, *c_ends, config), what)
        assert link == len(self.links)
        self.links.append(LinkInfo(f"{names[0]}-{names[1]}", ends))
        self.link_of.update({ends[0]: link, ends[1]: link})
        return link

    def peer(self, end: End) -> End | None:
        """Return what is at the other end of the link of `end`, if it has one."""
        link = self.link_of.get(end)
        if link is None:
            return None
        first, second = self.links[link].ends
        return second if end == first else first

    def end_name(self, end: End) -> str:
        """Name an end of a link for people."""
        if end.kind == lib.TR_END_STATION:
            return self.stations[end.id].name
        router = self.routers[end.id]
        twin = ".twin" if end.kind == lib.TR_END_TWIN else ""
        return f"{router.name}.{router.ports[end.port]}{twin}"


def c_text(text: Any) -> str:
    """Copy a C string; NULL is an empty one."""
    return ffi.string(text).decode("utf-8", "replace") if text else ""


def input_error(path: object, text: str) -> InputError:
    """Make the InputError for a file from C's words, which may begin with its name."""
    return InputError(text if str(path) in text else f"{path}: {text}")
