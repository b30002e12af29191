# SPDX-License-Identifier: MIT
"""Changes that a router makes as one: ports, routes, neighbours and settings together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from twinroute.config import Config
from twinroute.config_rules import MAC, Refused
from twinroute.native import Native
from twinroute.routes import Array
from twinroute.settings import fill_live_settings


@dataclass(frozen=True)
class NeighborChange:
    """A neighbour that is set for good, or deleted."""

    port: str
    address: IPv4Address
    mac: str | None  # None: it is deleted


@dataclass(frozen=True)
class Changes:
    """Changes as the core takes them."""

    pointer: Any  # struct tr_changes *
    count: int
    owned: tuple[Any, ...]  # what `pointer` points to

    @classmethod
    def of(
        cls,
        native: Native,
        port_index: Callable[[str], int],
        routes: Array,
        neighbors: Sequence[NeighborChange],
        settings: Config | None,
        ports: Mapping[str, Any],
        rules: Any = None,
    ) -> "Changes":
        """Put changes together.

        routes: checked. ports: a struct tr_port_config for each name. rules: all structs tr_rule;
        None: no change.
        """
        out = native.ffi.new("struct tr_changes *")
        out.routes = native.ffi.cast("struct tr_route_change *", native.ffi.from_buffer(routes))
        out.route_count = len(routes)
        rows = native.ffi.new("struct tr_neighbor_change[]", len(neighbors))
        for row, one in zip(rows, neighbors, strict=True):
            row.address, row.port = int(one.address), port_index(one.port)
            row.add = one.mac is not None
            row.mac = list(octets(one.mac) if one.mac is not None else bytes(6))
        out.neighbors, out.neighbor_count = rows, len(neighbors)
        ways = native.ffi.new("struct tr_port_change[]", len(ports))
        for way, (name, config) in zip(ways, ports.items(), strict=True):
            way.port, way.config = port_index(name), config[0]
        out.ports, out.port_count = ways, len(ports)
        live = native.ffi.new("struct tr_settings *")
        if settings:
            fill_live_settings(native, settings, live)
            out.settings = live
        if rules is not None:
            out.rules, out.rule_count = rules, len(rules)
        count = len(routes) + len(neighbors) + len(ports) + bool(settings) + (rules is not None)
        return cls(out, count, (routes, rows, ways, live, rules))


def octets(mac: str) -> bytes:
    """Read a MAC address; ValueError with what was expected."""
    try:
        return bytes.fromhex(MAC.parse(mac).replace(":", ""))
    except ValueError as error:
        closer = error if isinstance(error, Refused) and str(error) else MAC.expected
        raise ValueError(f"mac={mac!r}: expected {closer}") from None
