# SPDX-License-Identifier: MIT
"""Routes between Python and a router: one by one, in bulk as NumPy arrays, and from text."""

import errno
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import numpy.typing as npt

from twinroute.errors import InputError
from twinroute.native import Native

SETTABLE = ("via", "blackhole", "unreachable", "prohibit")
METRIC_MAX = 65535

# struct tr_route, and struct tr_route_change, as rows of an array. A route with several gateways is
# as many rows: the first of kind via, those behind it of kind more. One with an MTU has a row of
# kind mtu behind these, and it is in the place of the gateway.
ROUTE = np.dtype(
    {
        "names": ["prefix", "gateway", "port", "bits", "kind", "source", "preference", "metric"],
        "formats": ["u4", "u4", "u2", "u1", "u1", "u1", "u1", "u2"],
        "offsets": [0, 4, 8, 10, 11, 12, 13, 14],
        "itemsize": 16,
    }
)
CHANGE = np.dtype({"names": ["route", "add"], "formats": [ROUTE, "?"], "itemsize": 20})

Array = npt.NDArray[Any]


Gateways = str | IPv4Address | Sequence[str | IPv4Address]


@dataclass(frozen=True)
class Path:
    """One of the gateways that a route leads to."""

    via: IPv4Address
    port: str


@dataclass(frozen=True)
class RouteInfo:
    """A route of the table.

    via, port: of the first of `paths`, which has every gateway. mtu: 0 for that of the port.
    """

    to: IPv4Network
    kind: str
    via: IPv4Address | None
    port: str | None
    source: str
    preference: int
    mtu: int = 0
    paths: tuple[Path, ...] = ()
    metric: int = 0
    usable: bool = True  # false: its ports are down, or the subnets of its gateways are gone


@dataclass(frozen=True)
class Hop:
    """What the active table does with an address.

    via, port: of the first of `paths`, which has every gateway that packets may take now.
    """

    kind: str
    via: IPv4Address | None
    port: str | None
    paths: tuple[Path, ...] = ()


def check_layout(native: Native) -> None:
    """Raise unless the rows of the arrays are what the core was compiled with."""
    assert native.ffi.sizeof("struct tr_route") == ROUTE.itemsize
    assert native.ffi.sizeof("struct tr_route_change") == CHANGE.itemsize


def addresses_of(values: Iterable[object] | npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """Turn IPv4 addresses (text, objects or numbers in host order) into an array."""
    if isinstance(values, np.ndarray):
        return np.ascontiguousarray(values, np.uint32)
    if isinstance(values, str | IPv4Address | int):
        values = [values]
    assert isinstance(values, Iterable)
    return np.array([int(IPv4Address(value)) for value in values], np.uint32)


# --- changes --------------------------------------------------------------------------------------


def change(
    native: Native,
    ports: Sequence[str],
    to: str | IPv4Network,
    *,
    via: Gateways | None,
    port: str | None,
    kind: str,
    preference: int,
    metric: int,
    source: int,
    mtu: int = 0,
    add: bool = True,
) -> Array:
    """Make one change of the routing table; `ports`: the names of the router's."""
    network = IPv4Network(to)
    gateways = [via] if isinstance(via, str | IPv4Address) else list(via or ())
    if kind not in SETTABLE:
        raise ValueError(f'kind="{kind}": expected one of {", ".join(SETTABLE)}')
    if not add:
        kind, gateways, port, mtu = "blackhole", [], None, 0  # what does not count is valid
    elif (kind == "via") != bool(gateways) or (mtu and not gateways):
        raise ValueError(f"route {network}: a route of kind via, and no other, has a gateway")
    if not 0 <= preference <= 255:
        raise ValueError(f"preference={preference}: expected 0 to 255")
    if not 0 <= metric <= METRIC_MAX:
        raise ValueError(f"metric={metric}: expected 0 to {METRIC_MAX}")
    if not 0 <= mtu <= 65535:
        raise ValueError(f"mtu={mtu}: expected 68 to 65535, or 0 for that of the port")
    values = [int(IPv4Address(gateway)) for gateway in gateways] or [0]
    changes = np.zeros(len(values) + bool(mtu), CHANGE)
    route = changes["route"]
    route["prefix"] = int(network.network_address)
    route["bits"] = network.prefixlen
    route["gateway"] = [*values, mtu] if mtu else values
    route["port"] = native.lib.TR_NO_PORT if port is None else ports.index(port)
    route["kind"] = {text: number for number, text in native.route_kinds.items()}[kind]
    route["kind"][1:] = native.lib.TR_ROUTE_MORE
    if mtu:
        route["kind"][-1] = native.lib.TR_ROUTE_MTU
    route["source"] = source
    route["preference"] = preference
    route["metric"] = metric
    changes["add"] = add
    return changes


def bulk_changes(
    native: Native,
    prefixes: npt.ArrayLike,
    bits: npt.ArrayLike,
    gateways: npt.ArrayLike,
    *,
    preference: int,
    metric: npt.ArrayLike | int = 0,
    add: npt.ArrayLike | bool,
) -> Array:
    """Make changes from arrays: prefixes and gateways in host order, prefix lengths."""
    lib = native.lib
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
    route["metric"] = metric
    changes["add"] = add
    return changes


def changes_of(rows: Array, *, add: bool) -> Array:
    """Make changes that add, or delete, routes as they were read."""
    changes = np.zeros(len(rows), CHANGE)
    changes["route"] = rows
    changes["add"] = add
    return changes


def joined(changes: Sequence[Array]) -> Array:
    """Put changes behind each other."""
    out = np.zeros(sum(map(len, changes)), CHANGE)  # numpy's own would pack the fields
    start = 0
    for some in changes:
        out[start : start + len(some)] = some
        start += len(some)
    return out


def starts(native: Native, rows: Array) -> npt.NDArray[np.intp]:
    """Return where each route begins in an array of ROUTE."""
    more, mtu = native.lib.TR_ROUTE_MORE, native.lib.TR_ROUTE_MTU
    return np.flatnonzero((rows["kind"] != more) & (rows["kind"] != mtu))


def split(native: Native, rows: Array) -> Iterator[Array]:
    """Yield the rows of each route in an array of ROUTE."""
    for begin, end in pairwise([*starts(native, rows).tolist(), len(rows)]):
        yield rows[begin:end]


def read_file(path: str | FilePath) -> bytes:
    """Read the text of a route file; InputError if that cannot be."""
    try:
        return FilePath(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected a route file: {error.strerror}") from None


def parse(
    native: Native,
    router: Any,
    text: bytes,
    name: str,
    *,
    via: Sequence[str | IPv4Address],
    preference: int,
    source: int,
) -> Array:
    """Read the text of a route file for the C `router`; InputError names `name` and the line."""
    ffi, lib = native.ffi, native.lib
    gateways = addresses_of(via)
    out, bad = ffi.new("struct tr_route_change **"), ffi.new("uint64_t *")
    what = ffi.new("const char **")
    count = lib.tr_routes_parse(
        router,
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
    if count == -errno.ENOMEM:
        raise MemoryError(f"{name}: no memory for the routes of {len(text)} bytes")
    if count < 0:
        line = text.split(b"\n", int(bad[0]))[int(bad[0]) - 1].decode("utf-8", "replace").strip()
        raise InputError(f"{name}:{int(bad[0])}: {line[:60]!r}: {native.text(what[0])}")
    changes = np.zeros(int(count), CHANGE)
    held = ffi.gc(out[0], lib.tr_routes_free)
    if count:
        ffi.memmove(ffi.from_buffer(changes), held, changes.nbytes)
    ffi.release(held)
    return changes


# --- for people -----------------------------------------------------------------------------------


def describe(native: Native, ports: Sequence[str], row: Any) -> str:
    """Write a row of a change as a person would."""
    route = row["route"]
    if route["kind"] == native.lib.TR_ROUTE_MTU:
        return f"{_network(route)} mtu {route['gateway']}"
    hop = _hop(native, ports, route.reshape(1))
    via = f" via {hop.via}" if hop.via else ""
    port = f" dev {hop.port}" if hop.port else ""
    kind = "" if hop.via else f"{hop.kind} "
    metric = f" metric {route['metric']}" if route["metric"] else ""
    return f"{kind}{_network(route)}{via}{port}{metric}"


def route_infos(
    native: Native, ports: Sequence[str], rows: Array, usable: npt.NDArray[np.bool_]
) -> Iterator[RouteInfo]:
    """Yield a RouteInfo for each route of an array of ROUTE. usable: whether each row is."""
    end = 0
    for some in split(native, rows):
        begin, end = end, end + len(some)
        row, mtu = some[0], 0
        if some[-1]["kind"] == native.lib.TR_ROUTE_MTU:
            some, mtu = some[:-1], int(some[-1]["gateway"])
        is_usable = bool(usable[begin : begin + len(some)].any())
        hop = _hop(native, ports, some)
        source = native.route_sources.get(int(row["source"]), "?")
        values = (hop.kind, hop.via, hop.port, source, int(row["preference"]), mtu)
        yield RouteInfo(_network(row), *values, hop.paths, int(row["metric"]), is_usable)


def hop_infos(native: Native, ports: Sequence[str], rows: Array) -> Iterator[Hop]:
    """Yield a Hop for each address of what tr_routes_lookup() has found."""
    for some in split(native, rows):
        yield _hop(native, ports, some)


def _network(row: Any) -> IPv4Network:
    return IPv4Network((int(row["prefix"]), int(row["bits"])))


def _hop(native: Native, ports: Sequence[str], rows: Array) -> Hop:
    kind, port = int(rows[0]["kind"]), int(rows[0]["port"])
    name = ports[port] if port < len(ports) else None
    if kind not in (native.lib.TR_ROUTE_VIA, native.lib.TR_ROUTE_MORE):
        return Hop(native.route_kinds[kind], None, name)
    paths = tuple(
        Path(IPv4Address(gateway), ports[number] if number < len(ports) else "?")
        for gateway, number in zip(rows["gateway"].tolist(), rows["port"].tolist(), strict=True)
    )
    return Hop(native.route_kinds[kind], paths[0].via, name, paths)
