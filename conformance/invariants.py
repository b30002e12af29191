# SPDX-License-Identifier: MIT
"""What holds for every frame that comes out, in every case: "invariant over the whole run".

A checker says of a frame whether it obeys (True, False) or is none of its business (None). An
invariant is proven by a run if frames were its business and all obeyed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv4Interface

from twinroute.conformance import frames as f
from twinroute.conformance import names as n
from twinroute.conformance.device import Captured
from twinroute.conformance.setup import Setup
from twinroute.conformance.wanted import ORIGINATED, STACK

SOURCE_ROUTES = (131, 137)
STREAM_ID = 136
IP_PORTS = frozenset(n.PORTS)
VIOLATIONS_MAX = 10  # that are kept of each invariant


@dataclass(frozen=True)
class Seen:
    """A frame that came out, and what it is; own: the router's addresses."""

    place: str
    data: bytes
    kind: str
    own: frozenset[str]
    networks: frozenset[str]

    @cached_property
    def packet(self) -> bytes:
        """The IP packet, or nothing."""
        return f.ip_of(self.data) if f.is_ipv4(self.data) and self.place in IP_PORTS else b""

    @cached_property
    def originated(self) -> bytes:
        """The IP packet, if the router itself made it, or nothing."""
        return self.packet if self.kind == ORIGINATED else b""

    @cached_property
    def icmp(self) -> bytes:
        """The ICMP message, if the router itself made it and it is no fragment, or nothing."""
        packet = self.originated
        if not packet or packet[9] != f.ICMP or int.from_bytes(packet[6:8], "big") & 0x3FFF:
            return b""
        return packet[f.header_length(packet) :]

    @cached_property
    def options(self) -> list[int]:
        """Types of the IP options that the router itself put in."""
        packet = self.originated
        area = packet[20 : f.header_length(packet)] if packet else b""
        types, at = [], 0
        while at < len(area) and area[at]:
            types.append(area[at])
            at += 1 if area[at] == 1 or at + 1 == len(area) else max(area[at + 1], 1)
        return types

    @cached_property
    def ends(self) -> tuple[IPv4Address, IPv4Address]:
        """Source and destination."""
        return IPv4Address(self.packet[12:16]), IPv4Address(self.packet[16:20])

    @property
    def link_broadcast(self) -> bool:
        """Whether the frame is for everybody on the link."""
        return self.data[:6] == b"\xff" * 6


Checker = Callable[[Seen], bool | None]


@dataclass
class Invariant:
    """An invariant, the requirements that it proves, and what a run has shown of it."""

    name: str
    ids: tuple[str, ...]
    text: str
    checker: Checker
    frames: int = 0
    violations: list[str] = field(default_factory=list)


_checkers: dict[str, tuple[tuple[str, ...], str, Checker]] = {}


def invariant(*ids: str) -> Callable[[Checker], Checker]:
    """Make an invariant of a checker, named as it; its docstring says what holds."""

    def register(checker: Checker) -> Checker:
        _checkers[checker.__name__] = (ids, checker.__doc__ or "", checker)
        return checker

    return register


@invariant("RFC1812-3.3.1-2", "RFC1812-3.3.1-3")
def no_trailers(seen: Seen) -> bool | None:
    """No frame has an EtherType of trailer encapsulation, 0x1000 to 0x100F."""
    return not 0x1000 <= int.from_bytes(seen.data[12:14], "big") <= 0x100F


@invariant("RFC1122-2.3.3-1")
def no_lengths(seen: Seen) -> bool | None:
    """No frame has a length in the place of its EtherType."""
    return int.from_bytes(seen.data[12:14], "big") > 1500


@invariant("RFC1812-4.2.2.1-3")
def no_stream_id(seen: Seen) -> bool | None:
    """Nothing that the router makes carries a Stream Identifier."""
    return STREAM_ID not in seen.options if seen.originated else None


@invariant("RFC1812-4.2.2.1-11")
def one_source_route(seen: Seen) -> bool | None:
    """Nothing that the router makes holds two source routes."""
    if not seen.originated:
        return None
    return sum(kind in SOURCE_ROUTES for kind in seen.options) < 2


@invariant("RFC1812-4.2.2.3-1")
def reserved_bits_are_zero(seen: Seen) -> bool | None:
    """What the router makes has the reserved flag and the last bit of the TOS octet at 0."""
    packet = seen.originated
    return not packet[6] & 0x80 and not packet[1] & 1 if packet else None


@invariant("RFC1812-4.2.2.9-2")
def ttl_is_left(seen: Seen) -> bool | None:
    """Nothing is sent with TTL 0."""
    return seen.packet[8] > 0 if seen.packet else None


@invariant("RFC1812-4.2.2.9-7")
def ttl_is_large(seen: Seen) -> bool | None:
    """Echo replies and ICMP errors have a TTL of 64 or more."""
    return seen.originated[8] >= 64 if seen.icmp and seen.icmp[0] in (0, 3, 11, 12) else None


@invariant("RFC1812-4.2.2.11-1")
def source_is_known(seen: Seen) -> bool | None:
    """No IP packet has source 0.0.0.0."""
    return int(seen.ends[0]) != 0 if seen.packet and seen.kind != STACK else None


@invariant("RFC1812-4.2.2.11-5")
def nothing_of_network_0(seen: Seen) -> bool | None:
    """No IP packet has source or destination in 0.0.0.0/8."""
    if not seen.packet or seen.kind == STACK:  # a DHCP client's, see 4.2.2.11-2
        return None
    return all(int(end) >> 24 for end in seen.ends)


@invariant("RFC1812-4.2.2.11-13")
def no_loopback(seen: Seen) -> bool | None:
    """No IP packet has source or destination in 127.0.0.0/8."""
    return not any(end.is_loopback for end in seen.ends) if seen.packet else None


@invariant("RFC1812-4.2.2.11-7")
def no_broadcast_source(seen: Seen) -> bool | None:
    """No IP packet has source 255.255.255.255."""
    return int(seen.ends[0]) != 0xFFFFFFFF if seen.packet else None


@invariant("RFC1812-4.2.2.11-15")
def source_is_own(seen: Seen) -> bool | None:
    """What the router makes has one of its own addresses as its source."""
    return str(seen.ends[0]) in seen.own if seen.originated else None


@invariant("RFC1812-4.2.3.1-6", "RFC1812-5.3.5.1-4")
def limited_broadcast(seen: Seen) -> bool | None:
    """What the router makes and sends as a link broadcast is for 255.255.255.255."""
    if not seen.originated:
        return None
    return not seen.link_broadcast or int(seen.ends[1]) == 0xFFFFFFFF


@invariant("RFC1812-4.2.3.1-8")
def no_zero_form(seen: Seen) -> bool | None:
    """No IP packet is for 0.0.0.0 or for the zero address of an attached network."""
    target = seen.ends[1] if seen.packet else None
    return int(target) != 0 and str(target) not in seen.networks if target else None


@invariant("RFC1812-5.3.4-4")
def link_broadcasts_are_for_many(seen: Seen) -> bool | None:
    """IP packets in link broadcasts are for a broadcast or multicast address."""
    if not seen.packet:
        return None
    return not seen.link_broadcast or seen.ends[1].is_multicast or seen.packet[19] == 0xFF


@invariant("RFC1812-4.3.3.3-1", "RFC1812-5.3.6-7")
def no_source_quench(seen: Seen) -> bool | None:
    """The router sends no ICMP type 4."""
    return seen.icmp[0] != 4 if seen.icmp else None


@invariant("RFC1812-4.3.3.9-10")
def no_mask_reply(seen: Seen) -> bool | None:
    """The router sends no ICMP type 18."""
    return seen.icmp[0] != 18 if seen.icmp else None


@invariant("RFC1812-5.2.7.1-3", "RFC1812-5.2.7.1-5")
def no_code_6_or_8(seen: Seen) -> bool | None:
    """The router sends no Destination Unreachable of code 6 or 8."""
    return seen.icmp[:2] not in (b"\3\6", b"\3\x08") if seen.icmp else None


@invariant("RFC1812-5.2.7.2-1")
def no_network_redirect(seen: Seen) -> bool | None:
    """The router sends no Redirect for networks, code 0 or 2."""
    return seen.icmp[:2] not in (b"\5\0", b"\5\2") if seen.icmp else None


@invariant("RFC792-Unreachable-1")
def icmp_checksum(seen: Seen) -> bool | None:
    """The checksum of every ICMP message that the router makes is right."""
    return f.checksum(seen.icmp) == 0 if seen.icmp else None


@invariant("RFC4884-4.6-2")
def nothing_behind_the_quote(seen: Seen) -> bool | None:
    """No ICMP error that may have none has an extension behind the octets of its quoted packet.

    Octet 5 of those that may have one says so, and how much is quoted.
    """
    if not seen.icmp or seen.icmp[0] not in (3, 5, 11, 12):
        return None
    if seen.icmp[0] != 5 and seen.icmp[5]:
        return None
    return len(seen.icmp) - 8 <= int.from_bytes(seen.icmp[10:12], "big")


class Watch:
    """All invariants, watched over a run."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.invariants = [
            Invariant(name, ids, " ".join(text.split()), checker)
            for name, (ids, text, checker) in _checkers.items()
        ]

    @property
    def violated(self) -> bool:
        """Whether a frame has not obeyed."""
        return any(one.violations for one in self.invariants)

    def see(self, captured: Captured, kind: str, setup: Setup, who: str) -> None:
        """Judge a frame; `who` names the case in which it came."""
        own, networks = _addresses(setup)
        seen = Seen(captured.place, captured.data, kind, own, networks)
        for one, obeys in zip(self.invariants, _verdicts(seen), strict=True):
            if obeys is not None:
                one.frames += 1
                if not obeys and len(one.violations) < VIOLATIONS_MAX:
                    one.violations.append(f"{who}: {seen.place}: {seen.data.hex()}")

    def add(self, later: "Watch") -> None:
        """Take over what another one has seen."""
        for one, other in zip(self.invariants, later.invariants, strict=True):
            one.frames += other.frames
            one.violations = [*one.violations, *other.violations][:VIOLATIONS_MAX]


@lru_cache(maxsize=1 << 16)
def _verdicts(seen: Seen) -> tuple[bool | None, ...]:
    """Ask every checker; the same good packets come again and again."""
    return tuple(checker(seen) for _, _, checker in _checkers.values())


def _addresses(setup: Setup) -> tuple[frozenset[str], frozenset[str]]:
    """Return the router's addresses, and the zero addresses of its networks."""
    ones = [text for texts in setup.addresses.values() for text in texts]
    return _parse(tuple(ones), setup.loopback)


@lru_cache
def _parse(texts: tuple[str, ...], loopback: str) -> tuple[frozenset[str], frozenset[str]]:
    interfaces = [IPv4Interface(text) for text in texts]
    own = {str(one.ip) for one in interfaces} | {loopback}
    zero = {str(one.network[0]) for one in interfaces if one.network.prefixlen < 31}
    return frozenset(own), frozenset(zero)
