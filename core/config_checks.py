# SPDX-License-Identifier: MIT
"""Checks of a configuration's values against each other.

Each check yields problems: the place in the file (config_errors.py), and what was expected there.
"""

import os
import stat
from collections.abc import Iterator
from functools import cache
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING

from twinroute import config_devices
from twinroute.config_errors import Place, place_text
from twinroute.config_filters import ICMP, TCP, WITH_PORTS
from twinroute.config_groups import group_checks

if TYPE_CHECKING:
    from twinroute.config import Config, Route

Problems = Iterator[tuple[Place, str]]
MARTIANS_MAX = 256  # TR_MARTIANS_MAX
FILTERS_MAX = 254  # TR_RULES_MAX, without the two that stand for filter_default


def all_checks(config: "Config") -> Problems:
    """Yield every problem of a configuration whose single values are right."""
    yield from _fast_path(config)
    yield from _macs(config)
    yield from _addresses(config)
    yield from _port_names(config)
    yield from _routes(config)
    yield from _neighbors(config)
    yield from group_checks(config)
    yield from _martians(config)
    yield from _filters(config)
    yield from _files(config)
    yield from _dpdk(config)


def _fast_path(config: "Config") -> Problems:
    fast_path = config.fast_path
    if fast_path.rebatch and fast_path.scatter != "split":
        yield (
            ("fast_path", "rebatch"),
            f'false, or scatter = "split" with it: scatter is "{fast_path.scatter}"',
        )


def _macs(config: "Config") -> Problems:
    owner: dict[str, str] = {}
    for name, port in config.ports.items():
        first = owner.setdefault(port.mac, name)
        if first != name:
            yield (
                ("port", name, "mac"),
                f"another MAC address: {port.mac} is that of {place_text(('port', first))}",
            )


# --- subnets --------------------------------------------------------------------------------------


def _own(config: "Config") -> Iterator[tuple[str, int, IPv4Interface]]:
    """Yield each own address, with its port's name and its place in the port's list."""
    for name, port in config.ports.items():
        for index, address in enumerate(port.addresses):
            yield name, index, address


def _addresses(config: "Config") -> Problems:
    earlier: list[tuple[str, IPv4Interface]] = []
    for name, index, address in _own(config):
        place = ("port", name, "address", index)
        for other_name, other in earlier:
            owner = place_text(("port", other_name))
            if address.ip == other.ip:
                yield place, f"an address that is not used yet: {owner} has {other}"
                break
            if name != other_name and address.network.overlaps(other.network):
                yield place, f"a subnet apart from {other.network} of {owner}"
                break
        earlier.append((name, address))


class _Subnets:
    """What the own addresses say of another one."""

    def __init__(self, config: "Config") -> None:
        self.own = list(_own(config))
        self.ports = config.ports
        self.refusal = cache(self._refusal)

    def _refusal(self, station: IPv4Address, port: str | None) -> str | None:
        """Say what was expected if this can be no neighbour (on the port, if one is given)."""
        where = (
            "a connected subnet" if port is None else f"a subnet of {place_text(('port', port))}"
        )
        on_port = [own for own in self.own if port is None or own[0] == port]
        around = [own for own in on_port if station in own[2].network]
        for name, _, address in self.own:
            if station == address.ip:
                owner = place_text(("port", name))
                return f"a neighbour's address, this is the router's own on {owner}"
        if not around:
            networks = ", ".join(str(own[2].network) for own in on_port[:8])
            more = ", ..." if len(on_port) > 8 else ""
            return f"a neighbour on {where} ({networks}{more}), else the next hop is unreachable"
        for _, _, address in around:
            network = address.network
            ends = (network.network_address, network.broadcast_address)
            if network.prefixlen <= 30 and station in ends:
                return f"a neighbour's address, from {ends[0] + 1} to {ends[1] - 1} in {network}"
        return None


# --- what refers to ports and subnets -------------------------------------------------------------


def _port_names(config: "Config") -> Problems:
    places: list[tuple[Place, str | None]] = [
        *((("route", index, "port"), route.port) for index, route in enumerate(config.routes)),
        *(
            (("neighbor", index, "port"), neighbor.port)
            for index, neighbor in enumerate(config.neighbors)
        ),
        *(
            (("filter", index, "port", number), port)
            for index, rule in enumerate(config.filters)
            for number, port in enumerate(rule.ports)
        ),
        *((("sim", "port", name), name) for name in config.sim.port),
        *((("dpdk", "port", name), name) for name in config.dpdk.port),
    ]
    names = ", ".join(config.ports)
    for place, name in places:
        if name is not None and name not in config.ports:
            yield place, f"a port of this configuration: {names}"


def _routes(config: "Config") -> Problems:
    subnets = _Subnets(config)
    first: dict[object, int] = {}
    for index, route in enumerate(config.routes):
        earlier = first.setdefault((route.to, route.metric), index)
        if earlier != index:
            where = place_text(("route", earlier))
            text = f"one route for a destination and metric, {where} is another"
            yield ("route", index, "to"), text
        if route.kind == "via":
            yield from _route_via(route, index, subnets)
            continue
        for key in ("via", "port", "mtu"):
            if getattr(route, key):
                yield ("route", index, key), f'no such key, as kind is "{route.kind}"'
    for index, file in enumerate(config.route_files):
        for number, gateway in enumerate(file.via):
            if refusal := subnets.refusal(gateway, None):
                yield ("route_file", index, "via", number), refusal


def _route_via(route: "Route", index: int, subnets: _Subnets) -> Problems:
    if not route.via:
        yield ("route", index, "via"), 'the neighbour to send to, or a kind other than "via"'
    for number, gateway in enumerate(route.via):
        place = ("route", index, "via", number)
        if gateway in route.via[:number]:
            yield place, "each gateway once"
        elif route.port in (None, *subnets.ports) and (
            refusal := subnets.refusal(gateway, route.port)
        ):
            yield place, refusal


def _neighbors(config: "Config") -> Problems:
    subnets = _Subnets(config)
    first: dict[object, int] = {}
    for index, neighbor in enumerate(config.neighbors):
        earlier = first.setdefault((neighbor.port, neighbor.address), index)
        if earlier != index:
            where = place_text(("neighbor", earlier))
            yield ("neighbor", index, "address"), f"one entry for a neighbour, {where} is another"
        elif neighbor.port in config.ports and (
            refusal := subnets.refusal(neighbor.address, neighbor.port)
        ):
            yield ("neighbor", index, "address"), refusal


def _martians(config: "Config") -> Problems:
    found = len(config.martians.prefixes())
    if found > MARTIANS_MAX:
        yield (
            ("martians",),
            f"at most {MARTIANS_MAX} prefixes without those that are allowed, found {found}",
        )


def _filters(config: "Config") -> Problems:
    if len(config.filters) > FILTERS_MAX:
        yield ("filter",), f"at most {FILTERS_MAX} tables [[filter]], found {len(config.filters)}"
    for index, rule in enumerate(config.filters):
        for key in ("source_port", "destination_port"):
            if getattr(rule, key) and rule.protocol not in WITH_PORTS:
                yield ("filter", index, key), 'protocol = "tcp", "udp" or another that has ports'
        if rule.tcp_flags and rule.protocol != TCP:
            yield ("filter", index, "tcp_flags"), 'protocol = "tcp" with it'
        if rule.icmp_type is not None and rule.protocol != ICMP:
            yield ("filter", index, "icmp_type"), 'protocol = "icmp" with it'


def _files(config: "Config") -> Problems:
    for index, file in enumerate(config.route_files):
        if missing := _unreadable(file.path):
            yield ("route_file", index, "path"), f"a route file, {missing}"
    if config.sim.profile.endswith(".toml") and (missing := _unreadable(Path(config.sim.profile))):
        yield ("sim", "profile"), f"a profile's name or TOML file, {missing}"


def _dpdk(config: "Config") -> Problems:
    dpdk, units = config.dpdk, config.fast_path.units
    if dpdk.cores and len(dpdk.cores) != units:
        yield ("dpdk", "cores"), f"a CPU for each of the {units} units of [fast_path]"
    yield from _devices(config)
    twins: dict[tuple[str, str], str] = {}
    for name, port in dpdk.port.items():
        first = twins.setdefault((port.twin_netns, port.twin_name), name) if port.twin else name
        if first != name:
            other = place_text(("dpdk", "port", first))
            yield ("dpdk", "port", name, "twin_name"), f"another name: {other} has this one"
    if dpdk.port and (missing := [name for name in config.ports if name not in dpdk.port]):
        yield ("dpdk", "port"), f"a device for every port, none for {', '.join(missing)}"


def _devices(config: "Config") -> Problems:
    """Find ports with one device, also where it is written in two ways."""
    names: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name, port in config.dpdk.port.items():
        first, what = names.setdefault(config_devices.same_name(port.device), name), "this one"
        if first == name:
            for claim in config_devices.claims(port.device):
                owner = owners.setdefault(claim, name)
                if owner != name:
                    first, what = owner, claim
        if first != name:
            other = place_text(("dpdk", "port", first))
            yield ("dpdk", "port", name, "device"), f"another device: {other} has {what}"


def _unreadable(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "there is no such file"
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    if stat.S_ISDIR(mode):
        return "this is a directory"
    return None if os.access(path, os.R_OK) else "it may not be read"
