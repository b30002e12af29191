# SPDX-License-Identifier: MIT
"""What Python can ask a router and change in it, the same on every backend.

A backend derives its router from RouterApi and says how its core is reached: where one may read a
table, and what to do while the slow path has no room for another change.
"""

import errno
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from twinroute import room, routes
from twinroute.changes import Changes, NeighborChange
from twinroute.config import Config
from twinroute.counters import Counters, TableInfo, read_counters
from twinroute.errors import TwinrouteError
from twinroute.filters import FilterApi
from twinroute.native import Native
from twinroute.port_api import PortApi, route_infos
from twinroute.routes import Array, Gateways, Hop, RouteInfo

ROUTE_FIELDS = ("via", "port", "kind", "preference", "metric", "mtu")


@dataclass(frozen=True)
class NeighborInfo:
    """An entry of the neighbour table."""

    address: IPv4Address
    port: str
    mac: str
    state: str  # incomplete, reachable, refreshing, failed
    static: bool
    pending: int  # packets that wait for it


class CoreInfo(Protocol):
    """What RouterApi has to know about a router."""

    @property
    def name(self) -> str:
        """Name in the configuration."""

    @property
    def ports(self) -> Sequence[str]:
        """Names of the ports, by index."""

    @property
    def units(self) -> int:
        """Number of units, the slow path included."""

    @property
    def pointer(self) -> Any:
        """The core's struct tr_router."""


class RouterApi(PortApi, FilterApi):
    """Routes, neighbours, ports and counters of a router.

    Changes are handed to the slow path, which makes them in order when it runs next. What
    begins with `_read_` is called by the public methods and may be overridden: it does what the
    function of core/api.h does, at a time when that is allowed.
    """

    failure: ClassVar[type[TwinrouteError]] = TwinrouteError

    @property
    @abstractmethod
    def native(self) -> Native:
        """The backend's extension."""

    @property
    @abstractmethod
    def info(self) -> CoreInfo:
        """Names and the C object."""

    # --- what a backend may do otherwise ----------------------------------------------------------

    def _at_rest(self, what: str) -> None:
        """Raise if `what` cannot be read now."""
        return

    def _make_room(self, attempt: int) -> bool:
        """Let the slow path take changes, as its ring is full; False: there is no way to.

        attempt: 0 for the first time, then counting on until there is room.
        """
        return False

    def _read_routes(self, out: Any, room: int, everything: bool) -> int:
        return int(self.native.lib.tr_routes_read(self.info.pointer, out, room, everything))

    def _read_neighbors(self, out: Any, room: int) -> int:
        return int(self.native.lib.tr_neighbors_read(self.info.pointer, out, room))

    def _read_hops(self, addresses: Any, count: int, out: Any, room: int) -> int:
        lookup = self.native.lib.tr_routes_lookup
        return int(lookup(self.info.pointer, addresses, count, out, room))

    def _read_table_info(self, out: Any) -> None:
        self.native.lib.tr_router_table_info(self.info.pointer, out)

    def _read_held(self, unit: int) -> int:
        return int(self.native.lib.tr_router_held(self.info.pointer, unit))

    # --- names ------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name."""
        return self.info.name

    def _port_index(self, name: str) -> int:
        if name not in self.info.ports:
            expected = ", ".join(self.info.ports)
            raise ValueError(f'{self.name}: port "{name}": expected one of {expected}')
        return self.info.ports.index(name)

    def _post(self, call: Any, what: str) -> None:
        """Hand a change over, again and again as long as that may help."""
        attempt = 0
        code = call()
        while code == -errno.ENOSPC and self._make_room(attempt):
            attempt += 1
            code = call()
        self._check(code, what)

    def _check(self, code: int, what: str) -> None:
        if code < 0:
            raise self.failure(f"{self.name}: {what}: {os.strerror(-code)}")

    # --- routes -----------------------------------------------------------------------------------

    def route_add(
        self,
        to: str | IPv4Network,
        via: Gateways | None = None,
        port: str | None = None,
        *,
        kind: str = "via",
        preference: int = 20,
        mtu: int = 0,
        metric: int = 0,
    ) -> None:
        """Add a route, or replace the one with that destination and metric.

        via: one gateway, or up to 16 that share the flows. port: where all of them are. kind: via,
        blackhole, unreachable or prohibit. mtu: bytes of the IP packets that may go this way; 0
        for as long as the port sends. metric: of several the lowest wins, the others stand by.
        """
        if port is not None:
            self._port_index(port)
        fields: dict[str, Any] = {"via": via, "port": port, "kind": kind, "mtu": mtu}
        fields |= {"preference": preference, "metric": metric}
        fields["source"] = self.native.lib.TR_SOURCE_API
        self.routes_apply(routes.change(self.native, self.info.ports, to, **fields))

    def route_delete(self, to: str | IPv4Network, *, metric: int = 0) -> None:
        """Delete the route that route_add(), routes_post() or routes_load() made."""
        fields: dict[str, Any] = {"via": None, "port": None, "kind": "via", "preference": 0}
        fields |= {"metric": metric, "source": self.native.lib.TR_SOURCE_API}
        self.routes_apply(routes.change(self.native, self.info.ports, to, **fields, add=False))

    def routes_post(
        self,
        prefixes: npt.ArrayLike,
        bits: npt.ArrayLike,
        gateways: npt.ArrayLike,
        *,
        preference: int = 20,
        metric: npt.ArrayLike | int = 0,
        add: npt.ArrayLike | bool = True,
    ) -> None:
        """Make many changes at once, from arrays of equal length (or one value for all).

        Prefixes and gateways are numbers in host order. `add` is false where a route is deleted.
        """
        keys = (self.native, prefixes, bits, gateways)
        ranks: dict[str, Any] = {"preference": preference, "metric": metric}
        self.routes_apply(routes.bulk_changes(*keys, **ranks, add=add))

    def routes_load(
        self,
        path: str | Path,
        *,
        via: Sequence[str | IPv4Address] = (),
        preference: int = 20,
    ) -> int:
        """Read routes from a file, all or none; return how many there are.

        A line is `PREFIX/LEN [via GATEWAY]... [dev PORT] [mtu BYTES] [metric N]`; those without a
        target take `via` in turn. InputError names the line that is wrong.
        """
        text = routes.read_file(path)
        changes = self.routes_parse(text, str(path), via=via, preference=preference)
        self._post_checked(changes)
        return len(routes.starts(self.native, changes["route"]))

    def routes_parse(
        self,
        text: bytes,
        name: str,
        *,
        via: Sequence[str | IPv4Address] = (),
        preference: int = 20,
        source: int | None = None,
    ) -> Array:
        """Read the text of a route file called `name`; return its changes, not yet made."""
        fields: dict[str, Any] = {"via": via, "preference": preference}
        fields["source"] = self.native.lib.TR_SOURCE_API if source is None else source
        return routes.parse(self.native, self.info.pointer, text, name, **fields)

    def routes_check(self, changes: Array) -> None:
        """Check changes against the ports, and fill in the port of each; raise if one is wrong."""
        if not len(changes):
            return
        ffi, lib = self.native.ffi, self.native.lib
        bad, what = ffi.new("uint64_t *"), ffi.new("const char **")
        c_changes = ffi.cast("struct tr_route_change *", ffi.from_buffer(changes))
        if lib.tr_routes_check(self.info.pointer, c_changes, len(changes), bad, what):
            route = routes.describe(self.native, self.info.ports, changes[int(bad[0])])
            raise self.failure(f"{self.name}: route {route}: {self.native.text(what[0])}")

    def routes_apply(self, changes: Array) -> None:
        """Check changes and hand them to the slow path, all at once or none if one is wrong."""
        self.apply(changes)

    def apply(
        self,
        changes: Array,
        *,
        neighbors: Sequence[NeighborChange] = (),
        settings: Config | None = None,
        ports: Mapping[str, Any] | None = None,
        filters: Config | None = None,
    ) -> None:
        """Check changes of routes, and make these and others as one, or none if one is wrong.

        No packet is forwarded by a part of them. settings: what can change while the router runs
        becomes what it is there. ports: of ports_staged(). filters: like settings, the rules of
        the packet filter.
        """
        self.routes_check(changes)
        rules = filters and self._filters_replacement(filters)
        self._post_checked(changes, neighbors, settings, ports or {}, rules)

    def _post_checked(
        self,
        changes: Array,
        neighbors: Sequence[NeighborChange] = (),
        settings: Config | None = None,
        ports: Mapping[str, Any] = {},
        rules: Any = None,
    ) -> None:
        room.check(self, changes)
        index = self._port_index
        made = Changes.of(self.native, index, changes, neighbors, settings, ports, rules)
        if made.count:
            post = self.native.lib.tr_changes_post
            self._post(lambda: post(self.info.pointer, made.pointer), f"{made.count} changes")

    def routes_configured(self, config: Config) -> Iterator[Array]:
        """Yield the changes that add a configuration's routes: its own, then those of each file.

        Raises InputError for a line of a route file.
        """
        source = self.native.lib.TR_SOURCE_CONFIG
        changes = []
        for route in config.routes:
            fields = {name: getattr(route, name) for name in ROUTE_FIELDS}
            keys = (self.native, self.info.ports, route.to)
            changes.append(routes.change(*keys, **fields, source=source))
        yield routes.joined(changes)
        for file in config.route_files:
            options: dict[str, Any] = {"via": file.via, "preference": file.preference}
            yield self.routes_parse(
                routes.read_file(file.path), str(file.path), source=source, **options
            )

    def configure(self, config: Config) -> None:
        """Set the neighbours and routes of a configuration in a router that has none yet."""
        neighbors = [NeighborChange(one.port, one.address, one.mac) for one in config.neighbors]
        self.apply(routes.joined(list(self.routes_configured(config))), neighbors=neighbors)

    def routes(self, *, all: bool = False) -> list[RouteInfo]:
        """Return the best route of each prefix (or every one), sorted by prefix and length."""
        return list(route_infos(self, self.routes_array(all=all)))

    def routes_array(self, *, all: bool = False) -> Array:
        """Return what routes() does as an array with the fields of struct tr_route.

        A route with several gateways has a row of kind TR_ROUTE_MORE for each but the first, and
        one with an MTU a row of kind TR_ROUTE_MTU behind them.
        """
        self._at_rest("routes")
        ffi = self.native.ffi
        count = self._read_routes(ffi.NULL, 0, all)
        while True:
            rows = np.zeros(count, routes.ROUTE)
            if not count:
                return rows
            out = ffi.cast("struct tr_route *", ffi.from_buffer(rows, require_writable=True))
            found = self._read_routes(out, count, all)
            if found <= count:
                return rows[:found]
            count = found  # there are more by now

    def lookup(self, addresses: Sequence[str | IPv4Address | int] | str) -> list[Hop]:
        """Look addresses up in the active table, as the fast path does."""
        rows = self._lookup_rows(routes.addresses_of(addresses))
        return list(routes.hop_infos(self.native, self.info.ports, rows))

    def lookup_array(self, addresses: npt.NDArray[np.uint32]) -> Array:
        """Look up an array of addresses (host order): an array with the fields of a route.

        It has a row for each address: of several gateways the first.
        """
        rows = self._lookup_rows(routes.addresses_of(addresses))
        return rows[routes.starts(self.native, rows)]

    def _lookup_rows(self, addresses: npt.NDArray[np.uint32]) -> Array:
        self._at_rest("lookup")
        ffi, room = self.native.ffi, len(addresses)
        while True:
            rows = np.zeros(room, routes.ROUTE)
            if not room:
                return rows
            out = ffi.cast("struct tr_route *", ffi.from_buffer(rows, require_writable=True))
            asked = ffi.from_buffer("uint32_t[]", addresses)
            found = self._read_hops(asked, len(addresses), out, room)
            if found <= room:
                return rows[:found]
            room = found

    def table_info(self) -> TableInfo:
        """Return the state of the tables."""
        out = self.native.ffi.new("struct tr_table_info *")
        self._read_table_info(out)
        return TableInfo(*(getattr(out, one.name) for one in fields(TableInfo)))

    # --- neighbours -------------------------------------------------------------------------------

    def neighbor_set(self, port: str, address: str | IPv4Address, mac: str) -> None:
        """Set a neighbour's MAC address for good."""
        change = NeighborChange(port, IPv4Address(address), mac)
        self.apply(routes.joined([]), neighbors=[change])

    def neighbor_delete(self, port: str, address: str | IPv4Address) -> None:
        """Delete a neighbour that was set."""
        change = NeighborChange(port, IPv4Address(address), None)
        self.apply(routes.joined([]), neighbors=[change])

    def neighbors(self) -> list[NeighborInfo]:
        """Return the neighbour table."""
        self._at_rest("neighbors")
        ffi = self.native.ffi
        count = self._read_neighbors(ffi.NULL, 0)
        out = ffi.new("struct tr_neighbor_info[]", count)
        while (found := self._read_neighbors(out, count)) > count:
            count = found
            out = ffi.new("struct tr_neighbor_info[]", count)
        return [
            NeighborInfo(
                IPv4Address(int(one.address)),
                self.info.ports[one.port],
                bytes(one.mac).hex(":"),
                self.native.neighbor_states[int(one.state)],
                bool(one.is_static),
                int(one.pending),
            )
            for one in out[0:found]
        ]

    # --- counters ---------------------------------------------------------------------------------

    def counters(self, unit: int | None = None) -> Counters:
        """Return the counters of a unit (the last one is the slow path), or of all together."""
        units = [unit] if unit is not None else list(range(self.info.units))
        read = []
        for number in units:
            out = self.native.ffi.new("struct tr_counters *")
            code = self.native.lib.tr_router_counters(self.info.pointer, number, out)
            self._check(code, f"unit {number}")
            read.append(out)
        return read_counters(self.native, read, self.info.ports)

    def held(self, unit: int | None = None) -> int:
        """Return the number of packets inside the router, or inside a unit."""
        self._at_rest("held")
        units = [unit] if unit is not None else list(range(self.info.units))
        return sum(self._read_held(number) for number in units)
