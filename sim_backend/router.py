# SPDX-License-Identifier: MIT
"""A router of a bench, and its ports."""

import hashlib
import os
from dataclasses import dataclass
from typing import ClassVar

import numpy.typing as npt

from twinroute.config import Config
from twinroute.errors import TwinrouteError
from twinroute.native import Native
from twinroute.router_api import RouterApi
from twinroute.sim._sim import ffi, lib
from twinroute.sim.counters import NicCounters
from twinroute.sim.frames import Bulk, Frame, Frames
from twinroute.sim.link import Link
from twinroute.sim.native import NATIVE
from twinroute.sim.profile import Profile
from twinroute.sim.settings import sim_router
from twinroute.sim.station import Station
from twinroute.sim.world import BenchError, End, RouterInfo, World, check, millionths


@dataclass(frozen=True)
class Port:
    """A port of a router; frames go in and come out by the station that is linked to it."""

    router: "Router"
    index: int

    @property
    def name(self) -> str:
        """Name in the configuration."""
        return self.router.info.ports[self.index]

    @property
    def mac(self) -> str:
        """MAC address."""
        return self.router.info.macs[self.index]

    @property
    def mtu(self) -> int:
        """Bytes of the longest IP packet."""
        return self.router.port_status(self.name).mtu

    @property
    def end(self) -> End:
        """This port as an end of a link."""
        return End(lib.TR_END_PORT, self.router.id, self.index)

    @property
    def station(self) -> Station:
        """The station at the other end of the link."""
        world = self.router.world
        peer, name = world.peer(self.end), world.end_name(self.end)
        if peer is None:
            raise BenchError(f"{name} has no link: connect a station by bench.link()")
        if peer.kind != lib.TR_END_STATION:
            raise BenchError(f"{name} is linked to {world.end_name(peer)}, which is no station")
        return Station(world, peer.id)

    @property
    def link(self) -> Link:
        """The link at the port."""
        link = self.router.world.link_of.get(self.end)
        if link is None:
            raise BenchError(f"{self.router.world.end_name(self.end)} has no link")
        return Link(self.router.world, link)

    def send(
        self,
        frame: bytes,
        *more: bytes,
        at_us: float | None = None,
        at_ps: int | None = None,
        trace: bool = False,
    ) -> None:
        """Send frames (Ethernet, without FCS) into the port, now or at a virtual time."""
        self.station.send(frame, *more, at_us=at_us, at_ps=at_ps, trace=trace)

    def send_bulk(
        self,
        frames: Bulk,
        *,
        at_ps: npt.ArrayLike | int | None = None,
        trace: npt.ArrayLike | bool = False,
    ) -> None:
        """Send frames into the port from arrays; see Station.send_bulk()."""
        self.station.send_bulk(frames, at_ps=at_ps, trace=trace)

    def received(self) -> list[Frame]:
        """Return the frames that left the router by this port, since the start or clear()."""
        return self.station.received()

    def received_bulk(self) -> Frames:
        """Return the frames that left the router by this port as arrays."""
        return self.station.received_bulk()

    def clear(self) -> None:
        """Forget the frames that left by this port."""
        self.station.clear()


@dataclass(frozen=True)
class Twin:
    """The counterpart of a port in the host's network stack, an end of a link."""

    router: "Router"
    index: int

    @property
    def end(self) -> End:
        """This twin as an end of a link."""
        return End(lib.TR_END_TWIN, self.router.id, self.index)


@dataclass(frozen=True)
class RouterFaults:
    """Faults inside a router; chances from 0 to 1, drawn from the bench's seed."""

    no_buffer: float = 0.0  # a buffer allocation fails
    ring_full: float = 0.0  # an enqueue to a ring between units finds it full


@dataclass(frozen=True)
class Router(RouterApi):
    """A router of a bench.

    Changes of routes and neighbours are handed to its slow path, which makes them when the bench
    runs next (at the present virtual time: `bench.run(us=0)` does). What is read is as of now.
    """

    world: World
    id: int

    failure: ClassVar[type[TwinrouteError]] = BenchError

    @property
    def native(self) -> Native:
        """The simulator's extension."""
        return NATIVE

    @property
    def info(self) -> RouterInfo:
        """Names and addresses."""
        return self.world.routers[self.id]

    @property
    def ports(self) -> dict[str, Port]:
        """Every port by its name, in the order of the configuration."""
        return {name: Port(self, index) for index, name in enumerate(self.info.ports)}

    def port(self, name: str) -> Port:
        """Return a port."""
        return Port(self, self._port_index(name))

    def twin(self, name: str) -> Twin:
        """Return the twin of a port."""
        return Twin(self, self._port_index(name))

    # --- how the core is reached ------------------------------------------------------------------

    def _at_rest(self, what: str) -> None:
        self.world.at_rest(what)

    def _fit_mtu(self, name: str, mtu: int) -> str | None:
        code = lib.tr_world_fit_mtu(self.world.pointer, mtu)
        return os.strerror(-code) if code else None

    def _make_room(self, attempt: int) -> bool:
        if attempt or self.world.running:
            return False
        self.world.run(self.world.now_ps)
        return True

    # --- counters ---------------------------------------------------------------------------------

    def nic(self, port: str) -> NicCounters:
        """Return the counters of a port's NIC."""
        out = ffi.new("struct tr_nic_counters *")
        index = self._port_index(port)
        check(lib.tr_nic_counters(self.world.pointer, self.id, index, out), f"{self.name}: {port}")
        names = NicCounters.__dataclass_fields__
        return NicCounters(**{name: int(getattr(out, name)) for name in names})

    def unit_cycles(self, unit: int) -> tuple[int, int]:
        """Return the cycles that a unit's core has been at work, and its clock."""
        busy, now = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        code = lib.tr_unit_cycles(self.world.pointer, self.id, unit, busy, now)
        check(code, f"{self.name}: unit {unit}")
        return int(busy[0]), int(now[0])


def _hash_seed(world: World) -> int:
    """Return a number that the world's seed decides, another one for each of its routers."""
    text = f"hash_seed {world.seed} {len(world.routers)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def add_router(
    world: World,
    config: Config,
    *,
    profile: Profile,
    faults: RouterFaults,
    guard_tables: bool,
) -> Router:
    """Add a router to a world, with the routes and neighbours of its configuration."""
    world.at_rest("router")
    settings = sim_router(config, profile)
    if config.fast_path.hash_seed is None:
        settings.config.hash_seed = _hash_seed(world)
    settings.guard_tables = guard_tables
    settings.no_buffer_ppm = millionths(faults.no_buffer, "no_buffer")
    settings.ring_full_ppm = millionths(faults.ring_full, "ring_full")
    number = check(lib.tr_world_router(world.pointer, settings), f"router {config.name}")
    assert number == len(world.routers)
    ports = config.ports.values()
    world.routers.append(
        RouterInfo(
            name=config.name,
            ports=list(config.ports),
            macs=[port.mac for port in ports],
            hz=profile.hz,
            units=config.fast_path.units + 1,
            pointer=lib.tr_world_core_router(world.pointer, number),
            owned=settings,
        )
    )
    router = Router(world, number)
    router.configure(config)
    return router
