# SPDX-License-Identifier: MIT
"""From the configuration that a router runs to another one, without stopping it.

The new one is checked whole; then their difference is computed and made as one change, or nothing
is. Routes are compared with the routing table as it is, so that a reload also mends what has gone
astray.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twinroute import routes
from twinroute.changes import NeighborChange
from twinroute.config import Config, Neighbor
from twinroute.config_errors import Place, as_toml, place_text
from twinroute.config_groups import live_groups
from twinroute.config_icmp import live_icmp
from twinroute.config_log import live_log
from twinroute.errors import ConfigError
from twinroute.router_api import RouterApi
from twinroute.routes import Array
from twinroute.settings import LIVE_SETTINGS

BACKENDS = ("sim", "dpdk")
ROUTE_VALUES = ("gateway", "port", "kind", "preference")
LIVE_PORT_KEYS = ("address", "mtu", "up")
ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """What has to change in a running router."""

    routes: Array  # changes: deletions first
    routes_set: int = 0
    routes_deleted: int = 0
    neighbors_set: list[Neighbor] = field(default_factory=list)
    neighbors_deleted: list[Neighbor] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    settings: dict[str, tuple[object, object]] = field(default_factory=dict)  # from, to
    filters: bool = False  # the packet filter's rules

    def summary(self) -> dict[str, Any]:
        """Tell how much it is."""
        return {
            "routes_set": self.routes_set,
            "routes_deleted": self.routes_deleted,
            "neighbors_set": len(self.neighbors_set),
            "neighbors_deleted": len(self.neighbors_deleted),
            "ports": self.ports,
            "filters": self.filters,
            "settings": {name: values[1] for name, values in self.settings.items()},
        }


def reload(router: RouterApi, backend: str, old: Config, new: Config) -> Difference:
    """Bring a router from one configuration to another; return what was changed.

    Raises ConfigError that names all that cannot change while it runs, and InputError for a
    line of a route file, or what a device cannot do; then nothing has changed.
    """
    if problems := list(refusals(backend, old, new)):
        raise ConfigError(problems)
    with router.ports_staged(old.ports, new.ports) as ports:
        change = difference(router, old, new, list(ports))
        deleted = [NeighborChange(one.port, one.address, None) for one in change.neighbors_deleted]
        added = [NeighborChange(one.port, one.address, one.mac) for one in change.neighbors_set]
        settings = new if change.settings else None
        filters = new if change.filters else None
        router.apply(
            change.routes,
            neighbors=deleted + added,
            settings=settings,
            ports=ports,
            filters=filters,
        )
    return change


# --- what cannot change ---------------------------------------------------------------------------


def refusals(backend: str, old: Config, new: Config) -> Iterator[str]:
    """Yield a line for each key that differs and is fixed while the router runs.

    backend: the one that runs; the other's table does not count.
    """
    source = new.path or "<code>"
    live = _live(new).keys() | {("port", name, "filter_default") for name in new.ports}
    for place, before, after in _differences((), _fixed(backend, old), _fixed(backend, new)):
        if place in live or _of_another_port(place, old, new):
            continue
        key = place_text(place)
        if after is ABSENT:
            yield f"{source}: {key}: cannot be removed while the router runs: restart it for that"
        elif before is ABSENT:
            yield f"{source}: {key}: cannot be added while the router runs: restart it for that"
        else:
            yield (
                f"{source}: {key} = {as_toml(after)}: cannot change while the router runs, which"
                f" has {as_toml(before)}: restart it for that"
            )
    if set(old.ports) == set(new.ports) and list(old.ports) != list(new.ports):
        order = ", ".join(old.ports)
        yield f"{source}: port: their order cannot change while the router runs: {order}"


def _of_another_port(place: Place, old: Config, new: Config) -> bool:
    """Tell whether a backend's table of a port differs because the port is gone, or is new."""
    if len(place) != 3 or place[0] not in BACKENDS or place[1] != "port":
        return False
    return (place[2] in old.ports) != (place[2] in new.ports)


def _fixed(backend: str, config: Config) -> dict[str, Any]:
    """Return the tables of a configuration that do not change, as the file calls them."""
    tables = config.model_dump(mode="json", by_alias=True)
    for name in ("routes", "route_files", "neighbors", "filters", "path"):
        del tables[name]
    for name in BACKENDS:
        if name != backend:
            tables.pop(name, None)
    tables["multicast_route"] = tables.pop("multicast_routes")
    ports = tables.pop("ports")
    for port in ports.values():
        for key in LIVE_PORT_KEYS:
            del port[key]
    router = {name: tables.pop(name) for name in ("name", "forwarding")}
    return {"router": router, "port": ports, **tables}


def _differences(place: Place, old: Any, new: Any) -> Iterator[tuple[Place, Any, Any]]:
    """Yield each place where two trees of dicts differ, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _differences((*place, key), old.get(key, ABSENT), new.get(key, ABSENT))
    elif old != new:
        yield place, old, new


# --- what can -------------------------------------------------------------------------------------


def difference(
    router: RouterApi, old: Config, new: Config, ports: Sequence[str] = ()
) -> Difference:
    """Compute what brings a router, which runs `old`, to `new`, where these ports change."""
    wanted = routes.joined(list(router.routes_configured(new)))
    router.routes_check(wanted)
    static = {
        (entry.port, entry.address): entry.mac for entry in router.neighbors() if entry.static
    }
    kept = {(neighbor.port, neighbor.address) for neighbor in new.neighbors}
    gone, added = route_difference(router, wanted)
    return Difference(
        routes=routes.joined(
            [routes.changes_of(gone, add=False), routes.changes_of(added, add=True)]
        ),
        routes_set=len(routes.starts(router.native, added)),
        routes_deleted=len(routes.starts(router.native, gone)),
        neighbors_set=[
            neighbor
            for neighbor in new.neighbors
            if static.get((neighbor.port, neighbor.address)) != neighbor.mac
        ],
        neighbors_deleted=[
            neighbor
            for neighbor in old.neighbors
            if (key := (neighbor.port, neighbor.address)) not in kept and key in static
        ],
        ports=list(ports),
        settings={
            place_text(place[place[0] == "slow_path" :]): (before, after)
            for (place, before), after in zip(_live(old).items(), _live(new).values(), strict=True)
            if before != after
        },
        filters=router.filters_differ(new),
    )


def _live(config: Config) -> dict[Place, object]:
    """Return by its place what is no route or neighbour and may change."""
    live: dict[Place, object] = {
        ("slow_path", name): getattr(config.slow_path, name) for name in LIVE_SETTINGS
    }
    live.update({("options", name): value for name, value in config.options})
    live.update(live_icmp(config.icmp))
    live.update(live_groups(config))
    live.update(live_log(config.log))
    return live


def route_difference(router: RouterApi, wanted: Array) -> tuple[Array, Array]:
    """Return the routes to delete and those to add, so that the configured ones are as `wanted`.

    wanted: checked changes that add; of several for one prefix and metric the last counts.
    """
    rows = router.routes_array(all=True)
    present = rows[rows["source"] == router.native.lib.TR_SOURCE_CONFIG]
    target = wanted["route"]
    present_at, present_rows = _spans(router, present)
    target_at, target_rows = _spans(router, target)
    present_keys, target_keys = _keys(present[present_at]), _keys(target[target_at])
    order = np.argsort(present_keys)
    present_at, present_rows, present_keys = (
        values[order] for values in (present_at, present_rows, present_keys)
    )
    target_keys, last = np.unique(target_keys[::-1], return_index=True)
    last = len(target_at) - 1 - last
    target_at, target_rows = target_at[last], target_rows[last]
    gone = ~np.isin(present_keys, target_keys, assume_unique=True)
    place = np.searchsorted(present_keys, target_keys)
    same = np.zeros(len(target_keys), bool)
    inside = np.flatnonzero(place < len(present_keys))
    place = place[inside]
    equal = present_keys[place] == target_keys[inside]
    equal &= present_rows[place] == target_rows[inside]
    for number in range(int(target_rows.max(initial=0))):
        rows_there = np.flatnonzero(equal & (target_rows[inside] > number))
        one = present[present_at[place[rows_there]] + number]
        other = target[target_at[inside[rows_there]] + number]
        for name in ROUTE_VALUES:
            equal[rows_there] &= one[name] == other[name]
    same[inside] = equal
    return (
        present[_all_rows(present_at[gone], present_rows[gone])],
        target[_all_rows(target_at[~same], target_rows[~same])],
    )


def _spans(router: RouterApi, rows: Array) -> tuple[Array, Array]:
    """Return where each route begins, and how many rows it has."""
    begins = routes.starts(router.native, rows)
    return begins, np.diff(begins, append=len(rows))


def _all_rows(begins: Array, counts: Array) -> Array:
    """Return the places of the rows of routes that begin somewhere."""
    ends = np.cumsum(counts)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    places: Array = np.repeat(begins, counts) + within
    return places


def _keys(rows: Array) -> Array:
    """Return a number for each (prefix, length, metric)."""
    keys: Array = rows["prefix"].astype(np.uint64) << np.uint64(8) | rows["bits"]
    keys = keys << np.uint64(16) | rows["metric"]
    return keys
