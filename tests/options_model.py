# SPDX-License-Identifier: MIT
"""What the router must do with a packet that has IP options, written from RFC 791 3.1, RFC 1812 and
RFC 7126 as plainly as possible: the oracle of the property tests. It knows the test bed of
tests/worlds.py with all neighbours resolved, and packets of H1 into p1, of ICMP or UDP, that have
no other fault than their options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from tests import packets as p
from tests import worlds as w
from tests.answers import icmp_error
from tests.model import LIMITED_BROADCAST, MARTIAN, NEIGHBORS, OWN, OWN_MAC, ROUTES, SUBNETS

# Policy and drop reason of an option by its type; `unknown` has all others.
KINDS = {
    **{131: "loose_source_route", 137: "strict_source_route", 7: "record_route", 68: "timestamp"},
    **{136: "stream_id", 148: "router_alert", 25: "quick_start"},
    **dict.fromkeys((130, 133, 134), "security"),
    **dict.fromkeys((11, 12, 82, 142, 145, 147, 149, 151, 152), "obsolete"),
    **dict.fromkeys((30, 94, 158, 222), "experimental"),
}
REASONS = {
    **{"loose_source_route": "source_route", "strict_source_route": "source_route"},
    **{"record_route": "record_route", "timestamp": "timestamp_option"},
    **{name: name for name in ("stream_id", "router_alert", "quick_start")},
    **{name: f"{name}_option" for name in ("security", "obsolete", "experimental", "unknown")},
}
DEFAULTS = {
    **dict.fromkeys(KINDS.values(), "drop"),
    **dict.fromkeys(("router_alert", "quick_start", "security", "unknown"), "ignore"),
}
PROCESS = {
    **dict.fromkeys(DEFAULTS, "ignore"),
    **dict.fromkeys(("loose_source_route", "strict_source_route", "record_route"), "process"),
    **dict.fromkeys(("timestamp", "router_alert"), "process"),
}
SOURCE_ROUTES = (131, 137)


@dataclass(frozen=True)
class Fate:
    """What becomes of a packet: frames out by port, what the twin gets, why it ended here."""

    out: dict[str, list[bytes]] = field(default_factory=dict)
    twin: list[bytes] = field(default_factory=list)
    reasons: tuple[str, ...] = ()


class Refused(Exception):
    """The packet ends here; `pointer` of the parameter problem, 0 for silence."""

    def __init__(self, reason: str, pointer: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.pointer = reason, pointer


def _way(address: IPv4Address) -> tuple[str, IPv4Address | None]:
    """Return the kind of an address, and the neighbour that it is reached by."""
    if str(address) in OWN:
        return "own", None
    ends = {end for net in SUBNETS.values() for end in (net[0], net[-1])}
    if address.is_multicast or address == LIMITED_BROADCAST or address in ends:
        return "group", None
    if any(address in net for net in MARTIAN):
        return "martian", None
    if any(address in net for net in SUBNETS.values()):
        return "out", address
    via = next((IPv4Address(via[0]) for net, via in ROUTES.items() if address in net), None)
    return ("out", via) if via else ("none", None)


# --- reading --------------------------------------------------------------------------------------


def _check(option: bytes, at: int) -> None:
    """Raise Refused unless an option that is to be processed is well formed."""
    if option[0] == 148:
        if len(option) != 4:
            raise Refused("bad_options", at + 1)
        return
    stamps = option[0] == 68
    if len(option) < (4 if stamps else 7):
        raise Refused("bad_options", at + 1)
    if option[0] in SOURCE_ROUTES and len(option) % 4 != 3:
        raise Refused("bad_options", at + 1)
    first = 5 if stamps else 4
    if option[2] < first:
        raise Refused("bad_options", at + 2)
    if stamps and option[3] & 15 not in (0, 1, 3):
        raise Refused("bad_options", at + 3)
    size = 8 if stamps and option[3] & 15 else 4
    starts = range(first, len(option) - size + 2, size)
    if option[2] <= len(option) and option[2] not in starts:
        raise Refused("bad_options", at + 2)
    if stamps and option[2] > len(option) and option[3] >> 4 == 15 and option[3] & 15 != 3:
        raise Refused("bad_options", at + 3)


def read(area: bytes, knobs: Mapping[str, str], found: dict[int, int]) -> None:
    """Note in `found` where in an option area the options to be processed are, by type.

    Raises Refused at the first fault, with what was found before it.
    """
    at, routes = 0, 0
    while at < len(area) and area[at] != 0:
        kind = area[at]
        if kind == 1:
            at += 1
            continue
        name = KINDS.get(kind, "unknown")
        if knobs[name] == "drop":
            raise Refused(REASONS[name])
        if at + 1 == len(area):
            raise Refused("bad_options", 20 + at)
        length = area[at + 1]
        if not 2 <= length <= len(area) - at:
            raise Refused("bad_options", 20 + at + 1)
        routes += kind in SOURCE_ROUTES
        if kind in SOURCE_ROUTES and routes == 2:
            raise Refused("two_source_routes", 20 + at)
        if knobs[name] == "process":
            if kind in found and kind != 148:
                raise Refused("bad_options", 20 + at)
            _check(area[at : at + length], 20 + at)
            found[kind] = at
        at += length


@dataclass
class _Read:
    """A packet with its options read."""

    packet: bytes
    knobs: Mapping[str, str]
    found: dict[int, int] = field(default_factory=dict)
    hops: list[IPv4Address] = field(default_factory=list)  # of the source route, used here
    refused: Refused | None = None

    def __post_init__(self) -> None:
        self.area = self.packet[20 : (self.packet[0] & 15) * 4]
        self.source = IPv4Address(self.packet[12:16])
        self.destination = IPv4Address(self.packet[16:20])
        self.strict = False
        try:
            read(self.area, self.knobs, self.found)
        except Refused as refused:
            self.refused = refused
        self.strict = 137 in self.found
        self.stray = self.strict and str(self.destination) not in OWN
        if self.refused is None:
            self._follow()
            if self.stray:
                self.refused = Refused("strict_route_left", 16)

    def option(self, kind: int) -> bytes:
        """Return an option that is to be processed."""
        at = self.found[kind]
        return self.area[at : at + self.area[at + 1]]

    @property
    def route(self) -> bytes:
        """The source route that is to be processed."""
        return next((self.option(kind) for kind in SOURCE_ROUTES if kind in self.found), b"")

    @property
    def target(self) -> IPv4Address:
        """Where the packet goes next (RFC 1812 5.2.4.1)."""
        return self.hops[-1] if self.hops else self.destination

    def _follow(self) -> None:
        ahead = self.route[self.route[2] - 1 :] if self.route else b""
        while ahead and str(self.target) in OWN:
            self.hops.append(IPv4Address(ahead[:4]))
            ahead = ahead[4:]


# --- writing --------------------------------------------------------------------------------------


def _put(area: bytearray, at: int, words: list[int]) -> None:
    """Write words where the pointer of the option at `at` points, and move it."""
    data = b"".join(word.to_bytes(4) for word in words)
    to = at + area[at + 2] - 1
    area[to : to + len(data)] = data
    area[at + 2] += len(data)


def recorded(area: bytes, found: Mapping[int, int], own: int, stamp: int) -> bytes:
    """Return the option area with this router in its Record Route and Timestamp."""
    out = bytearray(area)
    if (at := found.get(7)) is not None and out[at + 2] <= out[at + 1]:
        _put(out, at, [own])
    if (at := found.get(68)) is not None:
        flag, to = out[at + 3] & 15, at + out[at + 2] - 1
        if out[at + 2] > out[at + 1]:
            out[at + 3] += 16 * (flag != 3)
        elif flag == 0:
            _put(out, at, [stamp])
        elif flag == 1:
            _put(out, at, [own, stamp])
        elif str(IPv4Address(bytes(out[to : to + 4]))) in OWN:
            _put(out, at, [int.from_bytes(out[to : to + 4]), stamp])
    return bytes(out)


def _changed(packet: bytes, area: bytes, destination: IPv4Address, ttl: int) -> bytes:
    header = bytearray(packet[:20] + area)
    header[8] = ttl
    header[16:20] = destination.packed
    header[10:12] = b"\0\0"
    header[10:12] = p.checksum(bytes(header)).to_bytes(2)
    return bytes(header) + packet[len(header) :]


def back(read: _Read) -> tuple[IPv4Address, bytes]:
    """Return the address to answer to, and the reversed source route (RFC 1812 4.2.2.1)."""
    route = read.route
    behind = route[3 : min(route[2] - 1, len(route))] if route else b""
    been = [IPv4Address(behind[i : i + 4]) for i in range(0, len(behind), 4)]
    if been and been[0] == read.source:
        del been[0]
    while been and str(been[-1]) in OWN:
        del been[-1]
    if not been:
        return read.source, b""
    ahead = [*reversed(been[:-1]), read.source]
    data = b"".join(address.packed for address in ahead)
    return been[-1], bytes([route[0], 3 + len(data), 4]) + data


def _sent(packet: bytes, via: IPv4Address) -> dict[str, list[bytes]]:
    """Return what leaves by which port if the router sends a packet by a neighbour."""
    port, mac = NEIGHBORS[via]
    return {port: [p.pad(p.ether(mac, OWN_MAC[port], packet))]}


def _address(port: str) -> str:
    return {w.P1: w.R1, w.P2: w.R2, w.P3: w.R3}[port]


def _error(read: _Read, kind: int, code: int, pointer: int = 0) -> dict[str, list[bytes]]:
    """Return the ICMP error about a packet, if one may be sent (RFC 1812 4.3.2.7)."""
    if _way(read.destination)[0] in ("group", "martian"):
        return {}
    to, route = read.source, b""
    if not read.stray and not (read.refused and read.refused.reason == "two_source_routes"):
        to, route = back(read)
    via = _way(to)[1]
    if via is None or (route[:1] == b"\x89" and via != to):
        return {}
    sender = _address(NEIGHBORS[via][0])
    rest = pointer << 24
    error = icmp_error(read.packet, kind, code, rest, sender=sender, to=str(to), options=route)
    return _sent(error, via)


def _reply(read: _Read, stamp: int) -> Fate:
    """Return what becomes of an echo request (RFC 1812 4.3.3.6)."""
    to, route = back(read)
    via = _way(to)[1]
    if via is None:
        return Fate(reasons=("echo_answered", "no_route"))
    if route[:1] == b"\x89" and via != to:
        return Fate(reasons=("echo_answered", "source_route_failed"))
    options = route
    found: dict[int, int] = {}
    for option in (7, 68):
        if option in read.found:
            found[option] = len(options)
            options += read.option(option)
    own = int(IPv4Address(_address(NEIGHBORS[via][0])))
    message = read.packet[20 + len(read.area) :]
    reply = p.ipv4(
        str(read.target),
        str(to),
        p.icmp(0, 0, message[4:8], message[8:]),
        protocol=p.ICMP,
        ident=int.from_bytes(read.packet[4:6]),
        options=recorded(options, found, own, stamp),
    )
    return Fate(_sent(reply, via), reasons=("echo_answered",))


# --- all of it ------------------------------------------------------------------------------------


def fate(frame: bytes, knobs: Mapping[str, str], stamp: int) -> Fate:
    """Say what becomes of a frame with options; `stamp` is the timestamp of the moment."""
    read = _Read(p.ip_of(frame), knobs)
    if read.refused:
        refused = read.refused
        told = _error(read, 12, 0, refused.pointer) if refused.pointer else {}
        return Fate(told, reasons=(refused.reason,))
    kind, via = _way(read.target)
    if read.hops and (
        kind in ("group", "martian") or (read.strict and via != read.target and kind != "own")
    ):
        return Fate(_error(read, 3, 5), reasons=("source_route_failed",))
    if kind == "own":
        return _local(frame, read, stamp)
    if kind == "group":
        return _group(frame, read)
    if kind == "martian":
        return Fate(reasons=("martian_destination",))
    if via is None:
        return Fate(_error(read, 3, 5 if read.hops else 0), reasons=("no_route",))
    if 148 in read.found and not read.hops:
        return Fate(twin=[frame])
    return Fate(_forwarded(read, via, stamp))


def _forwarded(read: _Read, via: IPv4Address, stamp: int) -> dict[str, list[bytes]]:
    own = int(IPv4Address(_address(NEIGHBORS[via][0])))
    area = bytearray(recorded(read.area, read.found, own, stamp))
    for _ in read.hops:
        _put(area, next(read.found[kind] for kind in SOURCE_ROUTES if kind in read.found), [own])
    return _sent(_changed(read.packet, bytes(area), read.target, read.packet[8] - 1), via)


def _local(frame: bytes, read: _Read, stamp: int) -> Fate:
    packet = read.packet
    if read.hops:
        area = bytearray(read.area)
        for _ in read.hops:
            at = next(read.found[kind] for kind in SOURCE_ROUTES if kind in read.found)
            _put(area, at, [int(read.destination)])
        packet = _changed(packet, bytes(area), read.target, packet[8])
        read = _Read(packet, read.knobs)
    if packet[9] != p.ICMP or _way(back(read)[0])[0] not in ("out", "none"):
        return Fate(twin=[frame[:14] + packet])
    return _reply(read, stamp)


def _group(frame: bytes, read: _Read) -> Fate:
    if read.destination == LIMITED_BROADCAST or read.destination.packed[:3] == b"\xe0\0\0":
        return Fate(twin=[frame])
    reason = "multicast" if read.destination.is_multicast else "directed_broadcast"
    return Fate(reasons=(reason,))
