# SPDX-License-Identifier: MIT
"""RFC 1812 5.2.4.3 and RFC 4632: which of several routes a packet takes."""

import random
from collections.abc import Iterable

from twinroute.conformance.kit import (
    ALONE,
    ASKS,
    B1,
    DROP,
    ERR,
    FWD,
    G1,
    G2,
    G3,
    H2,
    P1,
    P2,
    P3,
    ROUTES,
    Route,
    T,
    Testbed,
    U,
    case,
    text_of,
)

GATEWAYS = {P1: G1, P2: G2, P3: G3}
PREFIXES = 10_000
LOOK_UPS = 10_000


@case("RFC1812-5.2.4.3-2", "RFC1812-5.2.4.3-5")
def the_longest_prefix_wins(t: Testbed) -> None:
    """Five prefixes one inside the other: each edge, and the addresses beside it."""
    t.configure(
        routes=(
            *ROUTES,
            Route("10.0.0.0/8", G2),
            Route("10.144.0.0/16", G3),
            Route("10.144.2.0/24", G1),
            Route("10.144.2.5/32", G2),
            Route("0.0.0.0/0", G3),
        ),
        knobs={f"redirects.{port}": False for port in (P1, P2, P3)},
    )
    ways = {"10.144.2.5": P2, "10.144.2.6": P1, "10.144.3.1": P3, "10.145.0.1": P2, "11.0.0.1": P3}
    ways |= {"10.0.0.0": P2, "10.255.255.255": P2, "9.255.255.255": P3, "11.0.0.0": P3}
    ways |= {"10.144.0.0": P3, "10.144.255.255": P3, "10.143.255.255": P2, "10.145.0.0": P2}
    ways |= {"10.144.2.0": P1, "10.144.2.255": P1, "10.144.1.255": P3, "10.144.3.0": P3}
    ways |= {"10.144.2.4": P1}
    for dst, port in ways.items():
        packet = T(dst=dst)
        t.send(P1, packet)
        t.expect(FWD(packet, port), note=dst)


@case("RFC1812-5.2.4.3-3")
def length_comes_before_metric(t: Testbed) -> None:
    """A longer prefix of a worse metric, and the shorter one where that does not match."""
    t.configure(
        routes=(
            Route("198.18.0.0/16", G2, metric=1),
            Route("198.18.0.0/24", G3, metric=100),
            ROUTES[1],
        )
    )
    t.goods(P1, T(dst=B1), FWD(T(dst=B1), P3))
    for dst, port in (("198.18.0.1", P3), ("198.18.1.1", P2)):
        t.send(P1, T(dst=dst))
        t.expect(FWD(T(dst=dst), port), note=dst)


@case("RFC1812-5.2.4.3-4", needs=("change",))
def only_prefixes_that_match_count(t: Testbed) -> None:
    """Neighbouring prefixes are none; the default route always is one."""
    routes = (*ROUTES, Route("10.144.1.0/24", G2), Route("10.144.3.0/24", G3))
    t.configure(routes=routes)
    packet = T(dst="10.144.2.5")
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 0), drop="no_route")
    for dst, port in (("10.144.1.5", P2), ("10.144.3.5", P3)):
        t.send(P1, T(dst=dst))
        t.expect(FWD(T(dst=dst), port), note=dst)
    t.reconfigure(routes=(*routes, Route("0.0.0.0/0", G3)))
    t.send(P1, packet)
    t.expect(FWD(packet, P3), note="with a default route")


@case("RFC4632-5.1-3", needs=("change",))
def the_default_route(t: Testbed) -> None:
    """It is taken, replaced by another, and removed."""
    t.configure(routes=(*ROUTES, Route("0.0.0.0/0", G3)))
    packet = T(dst=U)
    t.send(P1, packet)
    t.expect(FWD(packet, P3), note="via G3")
    t.reconfigure(routes=(*ROUTES, Route("0.0.0.0/0", G2)))
    t.send(P1, packet)
    t.expect(FWD(packet, P2), note="via G2")
    t.reconfigure(routes=ROUTES)
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 0), drop="no_route", note="removed")


@case("RFC4632-5.1-2")
def aggregates_without_a_component_discard(t: Testbed) -> None:
    """What only the aggregate matches ends there, though there is a default route."""
    for kind, codes in (("blackhole", ()), ("unreachable", (1,)), ("prohibit", (13,))):
        t.configure(
            routes=(
                Route("198.18.0.0/15", kind=kind),
                Route("198.18.0.0/16", G2),
                Route("0.0.0.0/0", G3),
            )
        )
        packet = T(dst="198.19.0.1")
        t.send(P1, packet)
        errors = [ERR(packet, 3, code) for code in codes]
        t.expect(errors or DROP, drop=kind, note=kind)
        t.send(P1, T())
        t.expect(FWD(T()), note="a component")
        t.send(P1, T(dst=U))
        t.expect(FWD(T(dst=U), P3), note="neither")


@case("RFC1812-5.2.7.1-10", wait_ms=4000, arp=True)
def other_hosts_may_be_reachable(t: Testbed) -> None:
    """Host unreachable, not network: about a silent station, and a hole in a routed prefix."""
    t.configure(
        routes=(*ROUTES, Route("198.18.0.77/32", kind="unreachable")),
        knobs={"arp_retry_ms": 200},
    )
    packet = T(dst="198.18.0.77")
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 1), drop="unreachable", note="a hole")
    t.send(P1, T())
    t.expect(FWD(T()), note="beside it")
    packet = T(dst="10.2.0.77")
    t.send(P1, packet)
    asked = [ASKS(P2, "10.2.0.77")] * 3
    t.expect(asked, ERR(packet, 3, 1), drop="neighbor_failed", note="silent")


# --- many prefixes --------------------------------------------------------------------------------


class Model:
    """Longest match, as slow and plain as can be."""

    def __init__(self, routes: Iterable[tuple[int, int, str]]) -> None:
        self.by_length: dict[int, dict[int, str]] = {}
        for prefix, bits, port in routes:
            self.by_length.setdefault(bits, {})[prefix >> (32 - bits)] = port

    def port(self, address: int) -> str:
        """Return the port for an address, "" for none."""
        for bits in sorted(self.by_length, reverse=True):
            if port := self.by_length[bits].get(address >> (32 - bits)):
                return port
        return ""


def _random_prefix(rng: random.Random) -> tuple[int, int]:
    """Return a prefix of 1 to 32 bits in unicast space, and off the test bed's own subnets."""
    while True:
        bits = rng.randint(1, 32)
        # Most of them near each other, so that they are one inside the other.
        base = rng.choice((0x2C000000, 0x2C2C0000, 0x2C2C2C00, rng.getrandbits(32)))
        prefix = (base ^ rng.getrandbits(32) >> rng.randint(0, 24)) >> (32 - bits) << (32 - bits)
        if _is_plain(prefix):
            return prefix, bits


def _is_plain(address: int) -> bool:
    """Tell whether nothing but routes decides on an address: no martian, group, or subnet."""
    high = address >> 24
    return 1 <= high <= 223 and high not in (10, 127) and address >> 16 not in _SPECIAL


_SPECIAL = (0xA9FE, 0xC000, 0xC633, 0xCB00)  # 169.254, 192.0, 198.51, 203.0


def _addresses(rng: random.Random, routes: dict[tuple[int, int], str]) -> list[int]:
    """Return random addresses, and those at and beside the edges of prefixes."""
    found = [rng.getrandbits(32) for _ in range(LOOK_UPS // 4)]
    for prefix, bits in rng.sample(sorted(routes), LOOK_UPS // 5):
        last = prefix | (1 << (32 - bits)) - 1
        found += [prefix, last, prefix - 1, last + 1]
    return [one for one in found if 0 < one < 1 << 32 and _is_plain(one)]


def _judge(t: Testbed, rng: random.Random, routes: dict[tuple[int, int], str], note: str) -> None:
    model = Model((prefix, bits, port) for (prefix, bits), port in routes.items())
    wanted: dict[str, list[int]] = {port: [] for port in (P1, P2, P3, "")}
    addresses = list(dict.fromkeys(_addresses(rng, routes)))
    assert len(addresses) > LOOK_UPS * 0.9
    for start in range(0, len(addresses), 1000):
        t.send(P1, *(T(dst=text_of(one.to_bytes(4))) for one in addresses[start : start + 1000]))
        t.run(ms=2)
    for one in addresses:
        wanted[model.port(one)].append(one)
    got = t.collect(count=len(addresses), note=note)
    for port in (P2, P3):
        reached = [int.from_bytes(frame[30:34]) for frame in got[port]]
        t.check(reached == wanted[port], f"not the packets that {port} should send")
    # Out of P1 there are errors about what has no route, too: those are from the router's address.
    back = [frame for frame in got[P1] if frame[26:30] == b"\x0a\x01\x00\x02"]
    reached = [int.from_bytes(frame[30:34]) for frame in back]
    t.check(reached == wanted[P1], "not the packets that p1 should send")
    quoted = [frame for frame in got[P1] if frame[34:36] == b"\x03\x00"]
    t.check(
        sorted(int.from_bytes(frame[58:62]) for frame in quoted) == sorted(wanted[""]),
        "not the errors about what has no route",
    )


@case("RFC4632-5.1-1", bursts=ALONE, needs=("change", "virtual-time"))
def ten_thousand_prefixes(t: Testbed) -> None:
    """Of lengths 1 to 32, before and after deletions and insertions, against a plain model."""
    rng = random.Random(4632)
    routes: dict[tuple[int, int], str] = {}

    def fill() -> None:
        while len(routes) < PREFIXES:
            routes[_random_prefix(rng)] = rng.choice((P1, P2, P3))

    def table() -> tuple[Route, ...]:
        return tuple(
            Route(f"{text_of(prefix.to_bytes(4))}/{bits}", GATEWAYS[port])
            for (prefix, bits), port in routes.items()
        )

    fill()
    t.configure(routes=table(), knobs={"redirects.p1": False})
    t.goods(P1, T(dst=H2))
    _judge(t, rng, routes, "10,000 prefixes")
    for key in rng.sample(sorted(routes), PREFIXES // 2):
        del routes[key]
    t.reconfigure(routes=table())
    _judge(t, rng, routes, "half of them deleted")
    fill()
    t.reconfigure(routes=table())
    _judge(t, rng, routes, "others inserted")
