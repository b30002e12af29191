# SPDX-License-Identifier: MIT
"""A router of a bench, and its ports."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from twinroute.config import Config
from twinroute.sim import routes
from twinroute.sim._sim import ffi, lib
from twinroute.sim.counters import Counters, NicCounters, TableInfo, read_counters
from twinroute.sim.frames import Bulk, Frame, Frames
from twinroute.sim.link import Link
from twinroute.sim.profile import Profile
from twinroute.sim.routes import Hop, RouteInfo
from twinroute.sim.settings import sim_router
from twinroute.sim.station import Station, mac_bytes, mac_text
from twinroute.sim.world import BenchError, End, RouterInfo, World, again, check, millionths

NEIGHBOR_STATES = {
    getattr(lib, f"TR_NEIGHBOR_{state.upper()}"): state
    for state in ("free", "incomplete", "reachable", "refreshing", "failed")
}


@dataclass(frozen=True)
class NeighborInfo:
    """An entry of the neighbour table."""

    address: IPv4Address
    port: str
    mac: str
    state: str  # incomplete, reachable, refreshing, failed
    static: bool
    pending: int  # packets that wait for it


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
        return self.router.info.mtus[self.index]

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
class Router:
    """A router of a bench.

    Changes of routes and neighbours are handed to its slow path, which makes them when the bench
    runs next (at the present virtual time: `bench.run(us=0)` does). What is read is as of now.
    """

    world: World
    id: int

    @property
    def info(self) -> RouterInfo:
        """Names and addresses."""
        return self.world.routers[self.id]

    @property
    def name(self) -> str:
        """Name."""
        return self.info.name

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

    def _port_index(self, name: str) -> int:
        if name not in self.info.ports:
            expected = ", ".join(self.info.ports)
            raise ValueError(f'{self.name}: port "{name}": expected one of {expected}')
        return self.info.ports.index(name)

    # --- routes -----------------------------------------------------------------------------------

    def route_add(
        self,
        to: str | IPv4Network,
        via: str | IPv4Address | None = None,
        port: str | None = None,
        *,
        kind: str = "via",
        preference: int = 20,
    ) -> None:
        """Add or replace a route; `kind` is via, blackhole, unreachable or prohibit."""
        if port is not None:
            self._port_index(port)
        fields: dict[str, Any] = {"via": via, "port": port, "kind": kind}
        fields |= {"preference": preference, "source": lib.TR_SOURCE_API}
        changes = routes.change(self.info, to, **fields)
        routes.post(self.world, self.info, changes)

    def route_delete(self, to: str | IPv4Network) -> None:
        """Delete the route that route_add(), routes_post() or routes_load() made."""
        fields: dict[str, Any] = {"via": None, "port": None, "kind": "via", "preference": 0}
        fields["source"] = lib.TR_SOURCE_API
        changes = routes.change(self.info, to, **fields, add=False)
        routes.post(self.world, self.info, changes)

    def routes_post(
        self,
        prefixes: npt.ArrayLike,
        bits: npt.ArrayLike,
        gateways: npt.ArrayLike,
        *,
        preference: int = 20,
        add: npt.ArrayLike | bool = True,
    ) -> None:
        """Make many changes at once, from arrays of equal length (or one value for all).

        Prefixes and gateways are numbers in host order. `add` is false where a route is deleted.
        """
        changes = routes.bulk_changes(prefixes, bits, gateways, preference=preference, add=add)
        routes.post(self.world, self.info, changes)

    def routes_load(
        self,
        path: str | Path,
        *,
        via: Sequence[str | IPv4Address] = (),
        preference: int = 20,
    ) -> int:
        """Read routes from a file, all or none; return how many there are.

        A line is `PREFIX/LEN [via GATEWAY] [dev PORT]`; those without a target take `via` in turn.
        InputError names the line that is wrong.
        """
        fields: dict[str, Any] = {"via": via, "preference": preference}
        fields["source"] = lib.TR_SOURCE_API
        return routes.load(self.world, self.info, path, **fields)

    def routes(self, *, all: bool = False) -> list[RouteInfo]:
        """Return the best route of each prefix (or every one), sorted by prefix and length."""
        return [routes.route_info(self.info, row) for row in self.routes_array(all=all)]

    def routes_array(self, *, all: bool = False) -> npt.NDArray[Any]:
        """Return what routes() does as an array with the fields of struct tr_route."""
        return routes.read(self.world, self.info, all)

    def lookup(self, addresses: Sequence[str | IPv4Address | int] | str) -> list[Hop]:
        """Look addresses up in the active table, as the fast path does."""
        rows = self.lookup_array(routes.addresses_of(addresses))
        return [routes.hop_info(self.info, row) for row in rows]

    def lookup_array(self, addresses: npt.NDArray[np.uint32]) -> npt.NDArray[Any]:
        """Look up an array of addresses (host order): an array with the fields of a route."""
        return routes.lookup(self.world, self.info, routes.addresses_of(addresses))

    def table_info(self) -> TableInfo:
        """Return the state of the tables."""
        out = ffi.new("struct tr_table_info *")
        lib.tr_router_table_info(self.info.pointer, out)
        numbers = (int(out.routes), int(out.next_hops), int(out.generation), int(out.pending))
        return TableInfo(*numbers, bool(out.swap_outstanding))

    # --- neighbours -------------------------------------------------------------------------------

    def neighbor_set(self, port: str, address: str | IPv4Address, mac: str) -> None:
        """Set a neighbour's MAC address for good."""
        self._neighbor(port, address, ffi.new("uint8_t[]", mac_bytes(mac)))

    def neighbor_delete(self, port: str, address: str | IPv4Address) -> None:
        """Delete a neighbour that was set."""
        self._neighbor(port, address, ffi.NULL)

    def _neighbor(self, port: str, address: str | IPv4Address, mac: Any) -> None:
        arguments = (self._port_index(port), int(IPv4Address(address)), mac)
        code = lib.tr_neighbor_post(self.info.pointer, *arguments)
        if again(code) and not self.world.running:
            self.world.run(self.world.now_ps)
            code = lib.tr_neighbor_post(self.info.pointer, *arguments)
        check(code, f"{self.name}: neighbor {address}")

    def neighbors(self) -> list[NeighborInfo]:
        """Return the neighbour table."""
        self.world.at_rest("neighbors")
        count = lib.tr_neighbors_read(self.info.pointer, ffi.NULL, 0)
        out = ffi.new("struct tr_neighbor_info[]", int(count))
        lib.tr_neighbors_read(self.info.pointer, out, count)
        return [
            NeighborInfo(
                IPv4Address(int(one.address)),
                self.info.ports[one.port],
                mac_text(bytes(one.mac)),
                NEIGHBOR_STATES[int(one.state)],
                bool(one.is_static),
                int(one.pending),
            )
            for one in out
        ]

    # --- counters ---------------------------------------------------------------------------------

    def counters(self, unit: int | None = None) -> Counters:
        """Return the counters of a unit (the last one is the slow path), or of all together."""
        units = [unit] if unit is not None else list(range(self.info.units))
        read = []
        for number in units:
            out = ffi.new("struct tr_counters *")
            code = lib.tr_router_counters(self.info.pointer, number, out)
            check(code, f"{self.name}: unit {number}")
            read.append(out)
        return read_counters(read, self.info.ports)

    def held(self) -> int:
        """Return the number of packets inside the router."""
        self.world.at_rest("held")
        units = range(self.info.units)
        return sum(int(lib.tr_router_held(self.info.pointer, unit)) for unit in units)

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
            mtus=[port.mtu for port in ports],
            hz=profile.hz,
            units=config.fast_path.units + 1,
            pointer=lib.tr_world_core_router(world.pointer, number),
            owned=settings,
        )
    )
    router = Router(world, number)
    for neighbor in config.neighbors:
        router.neighbor_set(neighbor.port, neighbor.address, neighbor.mac)
    options: dict[str, Any] = {"source": lib.TR_SOURCE_CONFIG}
    changes = []
    for route in config.routes:
        fields = {name: getattr(route, name) for name in ("via", "port", "kind", "preference")}
        changes.append(routes.change(router.info, route.to, **fields, **options))
    routes.post(world, router.info, routes.joined(changes))
    for file in config.route_files:
        fields = {"via": file.via, "preference": file.preference}
        routes.load(world, router.info, file.path, **fields, **options)
    return router
