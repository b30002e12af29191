# SPDX-License-Identifier: MIT
"""Routes between Python and the router: one by one, in bulk as NumPy arrays, and from files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from twinroute.errors import InputError
from twinroute.sim._sim import ffi, lib
from twinroute.sim.world import BenchError, RouterInfo, World, again, c_text, check

KINDS = {
    getattr(lib, f"TR_ROUTE_{kind.upper()}"): kind
    for kind in (
        *("none", "via", "connected", "local", "broadcast", "multicast"),
        *("blackhole", "unreachable", "prohibit", "martian"),
    )
}
SOURCES = {
    getattr(lib, f"TR_SOURCE_{source.upper()}"): source
    for source in ("builtin", "port", "learned", "config", "api", "kernel")
}
SETTABLE = ("via", "blackhole", "unreachable", "prohibit")

# struct tr_route, and struct tr_route_change, as rows of an array.
ROUTE = np.dtype(
    {
        "names": ["prefix", "gateway", "port", "bits", "kind", "source", "preference"],
        "formats": ["u4", "u4", "u2", "u1", "u1", "u1", "u1"],
        "offsets": [0, 4, 8, 10, 11, 12, 13],
        "itemsize": 16,
    }
)
CHANGE = np.dtype({"names": ["route", "add"], "formats": [ROUTE, "?"], "itemsize": 20})
assert ROUTE.itemsize == ffi.sizeof("struct tr_route")
assert CHANGE.itemsize == ffi.sizeof("struct tr_route_change")

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class RouteInfo:
    """A route of the table."""

    to: IPv4Network
    kind: str
    via: IPv4Address | None
    port: str | None
    source: str
    preference: int


@dataclass(frozen=True)
class Hop:
    """What the active table does with an address."""

    kind: str
    via: IPv4Address | None
    port: str | None


def addresses_of(values: Iterable[object] | npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """Turn IPv4 addresses (text, objects or numbers in host order) into an array."""
    if isinstance(values, np.ndarray):
        return np.ascontiguousarray(values, np.uint32)
    if isinstance(values, str | IPv4Address | int):
        values = [values]
    assert isinstance(values, Iterable)
    return np.array([int(IPv4Address(value)) for value in values], np.uint32)


def change(
    info: RouterInfo,
    to: str | IPv4Network,
    *,
    via: str | IPv4Address | None,
    port: str | None,
    kind: str,
    preference: int,
    source: int,
    add: bool = True,
) -> Array:
    """Make one change of the routing table."""
    network = IPv4Network(to)
    if kind not in SETTABLE:
        raise ValueError(f'kind="{kind}": expected one of {", ".join(SETTABLE)}')
    if not add:
        kind, via, port = "blackhole", None, None  # what does not count in a deletion is valid
    elif (kind == "via") != (via is not None):
        raise ValueError(f"route {network}: a route of kind via, and no other, has a gateway")
    if not 0 <= preference <= 255:
        raise ValueError(f"preference={preference}: expected 0 to 255")
    changes = np.zeros(1, CHANGE)
    route = changes["route"]
    route["prefix"] = int(network.network_address)
    route["bits"] = network.prefixlen
    route["gateway"] = int(IPv4Address(via)) if via is not None else 0
    route["port"] = lib.TR_NO_PORT if port is None else info.ports.index(port)
    route["kind"] = {text: number for number, text in KINDS.items()}[kind]
    route["source"] = source
    route["preference"] = preference
    changes["add"] = add
    return changes


def bulk_changes(
    prefixes: npt.ArrayLike,
    bits: npt.ArrayLike,
    gateways: npt.ArrayLike,
    *,
    preference: int,
    add: npt.ArrayLike | bool,
) -> Array:
    """Make changes from arrays: prefixes and gateways in host order, prefix lengths."""
    prefix = np.asarray(prefixes)
    changes = np.zeros(len(prefix), CHANGE)
    route = changes["route"]
    route["prefix"] = prefix
    route["bits"] = bits
    route["gateway"] = gateways
    route["port"] = lib.TR_NO_PORT
    # What does not count in a deletion has to be valid.
    route["kind"] = np.where(add, lib.TR_ROUTE_VIA, lib.TR_ROUTE_BLACKHOLE)
    route["source"] = lib.TR_SOURCE_API
    route["preference"] = preference
    changes["add"] = add
    return changes


def describe(info: RouterInfo, row: Any) -> str:
    """Write a route of a change as a person would."""
    route = route_info(info, row["route"])
    via = f" via {route.via}" if route.via else ""
    port = f" dev {route.port}" if route.port else ""
    return f"{'' if route.kind == 'via' else route.kind + ' '}{route.to}{via}{port}"


def joined(changes: Sequence[Array]) -> Array:
    """Put changes behind each other."""
    out = np.zeros(sum(map(len, changes)), CHANGE)  # numpy's own would pack the fields
    start = 0
    for some in changes:
        out[start : start + len(some)] = some
        start += len(some)
    return out


def post(world: World, info: RouterInfo, changes: Array) -> None:
    """Check changes and hand them to the slow path; nothing is handed over if one is wrong."""
    if not len(changes):
        return
    bad, what = ffi.new("uint64_t *"), ffi.new("const char **")
    buffer = ffi.from_buffer(changes, require_writable=True)
    c_changes = ffi.cast("struct tr_route_change *", buffer)
    if lib.tr_routes_check(info.pointer, c_changes, len(changes), bad, what):
        index = int(bad[0])
        route = describe(info, changes[index])
        raise BenchError(f"{info.name}: route {route}: {c_text(what[0])}")
    post_checked(world, info, c_changes, len(changes))


def post_checked(world: World, info: RouterInfo, c_changes: Any, count: int) -> None:
    """Hand checked changes over; where the control ring is full the router empties it first."""
    code = lib.tr_routes_post(info.pointer, c_changes, count)
    if again(code) and not world.running:
        world.run(world.now_ps)
        code = lib.tr_routes_post(info.pointer, c_changes, count)
    check(code, f"{info.name}: {count} route changes")


def load(
    world: World,
    info: RouterInfo,
    path: str | Path,
    *,
    via: Sequence[str | IPv4Address],
    preference: int,
    source: int,
) -> int:
    """Read a route file and hand all of it over, or nothing; return the number of its routes."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected a route file: {error.strerror}") from None
    gateways = addresses_of(via)
    out, bad = ffi.new("struct tr_route_change **"), ffi.new("uint64_t *")
    what = ffi.new("const char **")
    count = lib.tr_routes_parse(
        info.pointer,
        ffi.from_buffer(text),
        len(text),
        source,
        preference,
        ffi.from_buffer("uint32_t[]", gateways),
        len(gateways),
        out,
        bad,
        what,
    )
    if count < 0:
        line = text.split(b"\n", int(bad[0]))[int(bad[0]) - 1].decode("utf-8", "replace").strip()
        raise InputError(f"{path}:{int(bad[0])}: {line[:60]!r}: {c_text(what[0])}")
    changes = ffi.gc(out[0], lib.tr_routes_free)
    if count:
        post_checked(world, info, changes, count)
    return int(count)


def route_info(info: RouterInfo, row: Any) -> RouteInfo:
    """Make a RouteInfo of a row of an array of ROUTE."""
    hop = hop_info(info, row)
    network = IPv4Network((int(row["prefix"]), int(row["bits"])))
    source = SOURCES.get(int(row["source"]), "?")
    return RouteInfo(network, hop.kind, hop.via, hop.port, source, int(row["preference"]))


def hop_info(info: RouterInfo, row: Any) -> Hop:
    """Make a Hop of a row of an array of ROUTE."""
    kind, port = int(row["kind"]), int(row["port"])
    via = IPv4Address(int(row["gateway"])) if kind == lib.TR_ROUTE_VIA else None
    return Hop(KINDS[kind], via, info.ports[port] if port < len(info.ports) else None)


def read(world: World, info: RouterInfo, everything: bool) -> Array:
    """Copy the routing table, sorted by prefix and length, as an array of ROUTE."""
    world.at_rest("routes")
    rows = np.zeros(int(lib.tr_routes_read(info.pointer, ffi.NULL, 0, everything)), ROUTE)
    if len(rows):
        out = ffi.cast("struct tr_route *", ffi.from_buffer(rows, require_writable=True))
        lib.tr_routes_read(info.pointer, out, len(rows), everything)
    return rows


def lookup(world: World, info: RouterInfo, addresses: npt.NDArray[np.uint32]) -> Array:
    """Look addresses up in the active table; rows of ROUTE."""
    world.at_rest("lookup")
    rows = np.zeros(len(addresses), ROUTE)
    if len(rows):
        c_addresses = ffi.from_buffer("uint32_t[]", addresses)
        out = ffi.cast("struct tr_route *", ffi.from_buffer(rows, require_writable=True))
        lib.tr_routes_lookup(info.pointer, c_addresses, len(rows), out)
    return rows
