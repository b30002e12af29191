# SPDX-License-Identifier: MIT
"""Routes between Python and a router: one by one, in bulk as NumPy arrays, and from text."""

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import numpy as np
import numpy.typing as npt

from twinroute.errors import InputError
from twinroute.native import Native

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
    via: str | IPv4Address | None,
    port: str | None,
    kind: str,
    preference: int,
    source: int,
    add: bool = True,
) -> Array:
    """Make one change of the routing table; `ports`: the names of the router's."""
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
    route["port"] = native.lib.TR_NO_PORT if port is None else ports.index(port)
    route["kind"] = {text: number for number, text in native.route_kinds.items()}[kind]
    route["source"] = source
    route["preference"] = preference
    changes["add"] = add
    return changes


def bulk_changes(
    native: Native,
    prefixes: npt.ArrayLike,
    bits: npt.ArrayLike,
    gateways: npt.ArrayLike,
    *,
    preference: int,
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
    """Write a route of a change as a person would."""
    route = route_info(native, ports, row["route"])
    via = f" via {route.via}" if route.via else ""
    port = f" dev {route.port}" if route.port else ""
    return f"{'' if route.kind == 'via' else route.kind + ' '}{route.to}{via}{port}"


def route_info(native: Native, ports: Sequence[str], row: Any) -> RouteInfo:
    """Make a RouteInfo of a row of an array of ROUTE."""
    hop = hop_info(native, ports, row)
    network = IPv4Network((int(row["prefix"]), int(row["bits"])))
    source = native.route_sources.get(int(row["source"]), "?")
    return RouteInfo(network, hop.kind, hop.via, hop.port, source, int(row["preference"]))


def hop_info(native: Native, ports: Sequence[str], row: Any) -> Hop:
    """Make a Hop of a row of an array of ROUTE."""
    kind, port = int(row["kind"]), int(row["port"])
    via = IPv4Address(int(row["gateway"])) if kind == native.lib.TR_ROUTE_VIA else None
    return Hop(native.route_kinds[kind], via, ports[port] if port < len(ports) else None)
