# SPDX-License-Identifier: MIT
"""Routes that come and go while packets do: kinds, the default route, whose route counts, and the
host routes that the router learns beside them."""

from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import dropped, error_to_h1, told
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))


def packet(destination: str = w.A1, ident: int = 0) -> bytes:
    """Return a packet of H1."""
    return p.ipv4(w.H1, destination, UDP, ident=ident)


def frame(destination: str = w.A1, ident: int = 0) -> bytes:
    """Return a packet of H1 in its frame into p1."""
    return p.ether(w.M1, w.h1, packet(destination, ident))


def by(port: str, destination: str = w.A1, ident: int = 0) -> tuple[str, bytes]:
    """Return the port, and what leaves by it to the neighbour router there."""
    macs = {w.P2: (w.M2, w.g2), w.P3: (w.M3, w.g3)}
    return port, p.forwarded(frame(destination, ident), *macs[port])


def direct(destination: str = w.H2, mac: str = w.h2) -> tuple[str, bytes]:
    """Return the port, and what leaves by it to a host of p2's subnet."""
    return w.P2, p.forwarded(frame(destination), w.M2, mac)


def refused(kind: int, code: int, destination: str = w.A1, ident: int = 0) -> tuple[str, bytes]:
    """Return the port, and the ICMP error that leaves by it."""
    return w.P1, error_to_h1(packet(destination, ident), kind, code)


def outcome(bench: Bench, destination: str = w.A1) -> tuple[str, bytes] | None:
    """Return by which port what leaves if H1 sends a packet."""
    out = w.exchange(bench, w.P1, [frame(destination)])
    left = [(port, one) for port, ones in out.items() for one in ones]
    assert len(left) <= 1
    return left[0] if left else None


def change(bench: Bench, *routes: tuple[Any, ...], **options: Any) -> None:
    """Add routes, or delete those that are given without more, and let it take effect."""
    for to, *target in routes:
        if target or options:
            bench.only.route_add(to, *target, **options)
        else:
            bench.only.route_delete(to)
    bench.run(us=0)


def routes(bench: Bench, to: str) -> list[tuple[str, str, int]]:
    """Return source, kind and preference of all routes of a prefix, the one that counts first."""
    found = [one for one in bench.only.routes(all=True) if str(one.to) == to]
    return [(one.source, one.kind, one.preference) for one in found]


# --- in mid-run -----------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [1, 4])
def test_routes_change_in_mid_run(units: int) -> None:
    """A packet each 10 us; what happens to it is what the route of its time says."""
    bench = w.bed(fast={"units": units})
    router, start = bench.only, round(bench.now_us)
    changes = [
        lambda: router.route_add("198.18.0.0/24", kind="blackhole"),
        lambda: router.route_add("198.18.0.0/24", kind="unreachable"),
        lambda: router.route_add("198.18.0.0/24", kind="prohibit"),
        lambda: router.route_add("198.18.0.1/32", w.G3),
        lambda: router.route_delete("198.18.0.1/32"),
        lambda: router.route_add("198.18.0.0/24", w.G3),
        lambda: router.route_delete("198.18.0.0/24"),
        lambda: router.route_add("198.18.0.0/16", kind="prohibit", preference=1),
    ]
    for place, function in enumerate(changes):
        bench.at(start + 100 * place + 95, function)
    for ident in range(90):
        bench.port(w.P1).send(frame(ident=ident), at_us=start + 10 * ident)
    bench.run_until_idle()
    eras = [range(10 * era, 10 * era + 10) for era in range(9)]
    expected: dict[str, list[bytes]] = {w.P1: [], w.P2: [], w.P3: []}
    expected[w.P1] += [refused(3, 1, ident=i)[1] for i in eras[2]]
    expected[w.P1] += [refused(3, 13, ident=i)[1] for i in (*eras[3], *eras[5], *eras[8])]
    expected[w.P2] += [by(w.P2, ident=i)[1] for i in (*eras[0], *eras[7])]
    expected[w.P3] += [by(w.P3, ident=i)[1] for i in (*eras[4], *eras[6])]
    assert {port: w.received(bench, port) for port in expected} == expected
    assert dropped(bench) == {"blackhole": 10, "unreachable": 10, "prohibit": 30}
    bench.check_conservation()


def test_no_packet_is_lost_while_routes_change() -> None:
    bench = w.bed(fast={"units": 2})
    start = round(bench.now_us)
    for turn in range(100):
        via = (w.G2, w.G3)[turn % 2]
        bench.at(start + 10 * turn, lambda via=via: bench.only.route_add("198.18.0.0/24", via))  # type: ignore[misc]
    for ident in range(3000):
        bench.port(w.P1).send(frame(ident=ident), at_us=start + ident / 3)
    bench.run_until_idle()
    left = {port: w.received(bench, port) for port in (w.P1, w.P2, w.P3)}
    assert left[w.P1] == []
    assert len(left[w.P2]) + len(left[w.P3]) == 3000
    assert min(len(left[w.P2]), len(left[w.P3])) > 1000
    assert dropped(bench) == {}


@pytest.mark.parametrize(
    "absent",
    ["198.18.0.0/16", "198.18.0.0/24", "10.2.0.0/24", "10.2.0.1/32", "0.0.0.0/0", "224.0.0.0/4"],
)
def test_deleting_what_is_not_there_changes_nothing(absent: str) -> None:
    """What others made stays: a configuration's route, a port's, a built-in one."""
    bench = w.bed()
    before = bench.only.routes(all=True)
    change(bench, (absent,), (absent,))
    assert bench.only.routes(all=True) == before
    assert outcome(bench) == by(w.P2)
    assert bench.only.table_info().pending == 0


def test_the_default_route() -> None:
    bench = w.bed()
    default = "0.0.0.0/0"
    nothing = refused(3, 0, w.U)
    assert outcome(bench, w.U) == nothing
    change(bench, (default, w.G2))
    assert outcome(bench, w.U) == by(w.P2, w.U)
    assert outcome(bench, w.B1) == by(w.P3, w.B1)
    change(bench, (default, w.G3))
    assert outcome(bench, w.U) == by(w.P3, w.U)
    change(bench, (default,), kind="prohibit")
    assert outcome(bench, w.U) == refused(3, 13, w.U)
    change(bench, (default,), kind="blackhole")
    assert outcome(bench, w.U) is None
    # Longer prefixes do without it; what no route may lead to stays so.
    assert [
        hop.kind for hop in bench.only.lookup([w.A1, w.R1, "127.0.0.1", "255.255.255.255"])
    ] == [*("via", "local", "martian", "broadcast")]
    change(bench, (default,))
    assert outcome(bench, w.U) == nothing
    change(bench, (default,))
    assert outcome(bench, w.U) == nothing


def test_half_of_all_addresses_each() -> None:
    bench = w.bed()
    change(bench, ("0.0.0.0/1", w.G2), ("128.0.0.0/1", w.G3))
    assert outcome(bench, "9.9.9.9") == by(w.P2, "9.9.9.9")
    assert outcome(bench, "192.88.99.1") == by(w.P3, "192.88.99.1")
    assert outcome(bench, "127.0.0.1") is None
    change(bench, ("0.0.0.0/1",))
    assert outcome(bench, "9.9.9.9") == refused(3, 0, "9.9.9.9")


# --- whose route counts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preference", "wins"), [(0, True), (19, True), (20, False), (21, False), (255, False)]
)
def test_the_lowest_preference_wins_and_then_the_configuration(preference: int, wins: bool) -> None:
    bench = w.bed()
    change(bench, ("198.18.0.0/16", w.G3), preference=preference)
    api, config = ("api", "via", preference), ("config", "via", 20)
    assert routes(bench, "198.18.0.0/16") == ([api, config] if wins else [config, api])
    assert outcome(bench) == by(w.P3 if wins else w.P2)
    change(bench, ("198.18.0.0/16",))
    assert routes(bench, "198.18.0.0/16") == [config]
    assert outcome(bench) == by(w.P2)


def test_a_route_is_replaced_with_another_preference() -> None:
    bench = w.bed()
    for preference, port in ((10, w.P3), (30, w.P2), (5, w.P3)):
        change(bench, ("198.18.0.0/16", w.G3), preference=preference)
        assert outcome(bench) == by(port)
    assert len(routes(bench, "198.18.0.0/16")) == 2


def test_the_longest_prefix_wins_whatever_its_preference() -> None:
    bench = w.bed()
    change(bench, ("198.18.0.0/17", w.G3), preference=255)
    assert outcome(bench) == by(w.P3)


def test_the_subnet_of_a_port_is_its_own() -> None:
    """The routes of ports have preference 0 and the lowest source but one."""
    bench = w.bed()
    change(
        bench, ("10.2.0.0/24", w.G3), (f"{w.R2}/32", w.G3), ("10.2.0.255/32", w.G3), preference=0
    )
    assert outcome(bench, w.H2) == direct()
    kinds = [hop.kind for hop in bench.only.lookup(["10.2.0.77", w.R2, "10.2.0.255"])]
    assert kinds == ["connected", "local", "broadcast"]


# --- beside host routes that were learned ---------------------------------------------------------

# Preference of an explicit route; a learned one has the last.
PREFERENCES = [0, 20, 255]


def unresolved() -> Bench:
    """Return the bed with H2 not known yet."""
    bench = w.bed(resolved=False)
    for port, address, mac in ((w.P1, w.H1, w.h1), (w.P2, w.G2, w.g2), (w.P3, w.G3, w.g3)):
        bench.only.neighbor_set(port, address, mac)
    bench.run(us=0)
    return bench


def learn(bench: Bench) -> None:
    """H2 tells its MAC address."""
    w.exchange(bench, w.P2, [told(w.P2, w.h2, w.H2)])


def fast(bench: Bench, destination: str) -> bool:
    """Tell whether the fast path forwards a packet by itself."""
    before = bench.only.counters().punted
    assert outcome(bench, destination) is not None
    return bench.only.counters().punted == before


@pytest.mark.parametrize("learned_first", [True, False])
@pytest.mark.parametrize("preference", PREFERENCES)
def test_an_explicit_host_route_beats_the_learned_one(preference: int, learned_first: bool) -> None:
    bench = unresolved()
    if learned_first:
        learn(bench)
        assert outcome(bench, w.H2) == direct()
    change(bench, (f"{w.H2}/32", w.G3), preference=preference)
    if not learned_first:
        learn(bench)
    assert outcome(bench, w.H2) == by(w.P3, w.H2)
    change(bench, (f"{w.H2}/32",))
    assert outcome(bench, w.H2) == direct()
    assert fast(bench, w.H2)


@pytest.mark.parametrize("learned_first", [True, False])
@pytest.mark.parametrize("bits", [25, 30, 31])
def test_an_explicit_route_within_the_subnet_beats_the_learned_one(
    bits: int, learned_first: bool
) -> None:
    bench = unresolved()
    inside = f"10.2.0.{2 & 256 - 2 ** (32 - bits)}/{bits}"
    if learned_first:
        learn(bench)
        assert outcome(bench, w.H2) == direct()
    change(bench, (inside, w.G3))
    if not learned_first:
        learn(bench)
    assert outcome(bench, w.H2) == by(w.P3, w.H2)
    change(bench, (inside,))
    assert outcome(bench, w.H2) == direct()
    assert fast(bench, w.H2)


def test_a_dead_end_within_the_subnet() -> None:
    """RFC 1812 5.2.7.1: its neighbours are reached all the same."""
    bench = unresolved()
    learn(bench)
    change(bench, ("10.2.0.0/26",), kind="prohibit")
    assert outcome(bench, w.H2) == refused(3, 13, w.H2)
    assert outcome(bench, w.G2) == direct(w.G2, w.g2)
    assert outcome(bench) == by(w.P2)


def test_a_learned_gateway_serves_its_routes() -> None:
    """Its MAC address counts also where a longer route hides its host route."""
    bench = unresolved()
    change(bench, ("10.2.0.128/25", w.G3))
    assert outcome(bench) == by(w.P2)
    assert outcome(bench, w.G2) == by(w.P3, w.G2)
    assert fast(bench, w.A1)
