# SPDX-License-Identifier: MIT
"""Unicast reverse path forwarding (RFC 1812 5.3.8, RFC 3704): whose packets a port lets in."""

from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SILENCE, dropped, only, stack
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))
BY_P3 = "198.19.0.9"
BLACKHOLE = '[[route]]\nto = "100.66.0.0/16"\nkind = "blackhole"\n'
UNREACHABLE = '[[route]]\nto = "100.67.0.0/16"\nkind = "unreachable"\n'
MODES = ("strict", "feasible", "loose", "loose-no-default")


def default(gateway: str) -> str:
    return f'[[route]]\nto = "0.0.0.0/0"\nvia = "{gateway}"\n'


def bed(mode: str, routes: str = "", port: str = w.P1, **config: Any) -> Bench:
    return w.bed(port={port: {"urpf": mode}}, routes=routes + BLACKHOLE + UNREACHABLE, **config)


def frame(src: str, dst: str = w.A1, **fields: object) -> bytes:
    return p.ether(w.M1, w.h1, p.ipv4(src, dst, **{"payload": UDP, **fields}))  # type: ignore[arg-type]


def let_in(bench: Bench, source: str) -> bool:
    """Tell whether a packet is forwarded; else it must have gone silently, under its reason."""
    before = dropped(bench).get("urpf", 0)
    out = w.exchange(bench, w.P1, [frame(source)])
    if out == only(p2=[p.forwarded(frame(source), w.M2, w.g2)]):
        return True
    assert out == SILENCE
    assert dropped(bench)["urpf"] == before + 1
    return False


@pytest.mark.parametrize(
    ("mode", "routes", "good", "bad"),
    [
        ("off", "", [w.H1, BY_P3, w.U, w.H2, "100.66.0.1"], []),
        ("strict", "", [w.H1, "10.1.0.77"], [BY_P3, w.U, w.H2, w.A1, "100.66.0.1", "100.67.0.1"]),
        ("strict", default(w.G3), [w.H1], [BY_P3, w.U, "100.66.0.1"]),
        ("strict", default(w.G1), [w.H1, w.U], [BY_P3, w.H2, "100.66.0.1", "100.67.0.1"]),
        ("feasible", "", [w.H1], [BY_P3, w.U, w.H2, "100.66.0.1", "100.67.0.1"]),
        ("feasible", default(w.G1), [w.H1, w.U], [BY_P3, w.H2, "100.66.0.1"]),
        ("loose", "", [w.H1, BY_P3, w.H2, w.A1], [w.U, "100.66.0.1", "100.67.0.1", w.R1, w.R2]),
        ("loose", default(w.G3), [BY_P3, w.U], ["100.66.0.1", "100.67.0.1"]),
        ("loose-no-default", default(w.G3), [w.H1, BY_P3], [w.U, "100.66.0.1"]),
        ("loose-no-default", "", [w.H1, BY_P3], [w.U]),
        (
            "loose-no-default",  # two halves are no default route
            '[[route]]\nto = "0.0.0.0/1"\nvia = "10.3.0.254"\n',
            [w.U],
            ["200.0.0.1"],
        ),
    ],
)
def test_who_is_let_in(mode: str, routes: str, good: list[str], bad: list[str]) -> None:
    bench = bed(mode, routes)
    assert [source for source in good + bad if let_in(bench, source)] == good


def test_every_port_lets_in_all_by_default() -> None:
    bench = w.bed()
    assert let_in(bench, BY_P3)
    assert let_in(bench, w.U)


def test_other_ports_are_not_concerned() -> None:
    bench = bed("strict", port=w.P2)
    assert let_in(bench, BY_P3)
    lost = p.ether(w.M2, w.h2, p.ipv4(BY_P3, w.H1, UDP))
    kept = p.ether(w.M2, w.h2, p.ipv4("198.18.7.7", w.H1, UDP))
    assert w.exchange(bench, w.P2, [lost, kept]) == only(p1=[p.forwarded(kept, w.M1, w.h1)])
    assert dropped(bench) == {"urpf": 1}


@pytest.mark.parametrize("mode", MODES)
def test_packets_for_the_router_are_checked_too(mode: str) -> None:
    """RFC 1812 5.3.8 says so of all packets; what is odd about them does not help."""
    bench = bed(mode)
    ping = {"protocol": p.ICMP, "payload": p.echo_request()}
    spoofed = [
        frame(w.U, w.R1, **ping),
        frame(w.U, w.R2),
        frame(w.U, options=b"\1"),
        frame(w.U, ttl=1),
        frame(w.U, w.U),
        frame(w.U, payload=bytes(1481)),
        p.ether(p.BROADCAST, w.h1, p.ipv4(w.U, "255.255.255.255", UDP)),
        p.ether("01:00:5e:00:00:05", w.h1, p.ipv4(w.U, "224.0.0.5", UDP)),
    ]
    assert w.exchange(bench, w.P1, spoofed) == SILENCE
    assert dropped(bench) == {"urpf": len(spoofed)}
    assert bench.only.counters().generated == 0
    (reply,) = w.exchange(bench, w.P1, [frame(w.H1, w.R1, **ping)])[w.P1]
    assert reply[34] == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_host_without_an_address_may_ask_for_one(mode: str) -> None:
    bench = bed(mode)
    twin = stack(bench, w.P1)
    discover = p.ether(
        p.BROADCAST, w.h1, p.ipv4("0.0.0.0", "255.255.255.255", p.udp(68, 67, bytes(9)))
    )
    assert w.exchange(bench, w.P1, [discover]) == SILENCE
    assert [one.data for one in twin.received()] == [discover]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("burst", [1, 67, 512])
def test_in_a_burst_only_the_spoofed_are_lost(mode: str, burst: int) -> None:
    bench = bed(mode, fast={"burst": 512})
    sources = [(w.U, w.H1, "10.1.0.9")[i % 3] for i in range(burst)]
    frames = [frame(source, ident=i) for i, source in enumerate(sources)]
    good = [one for one, source in zip(frames, sources, strict=True) if source != w.U]
    out = w.exchange(bench, w.P1, frames)
    assert out == only(p2=[p.forwarded(one, w.M2, w.g2) for one in good])
    assert dropped(bench) == {"urpf": burst - len(good)}


def test_a_martian_stays_one() -> None:
    bench = bed("loose", default(w.G3))
    assert w.exchange(bench, w.P1, [frame("192.0.2.1"), frame("10.1.0.255")]) == SILENCE
    assert dropped(bench) == {"martian_source": 2}


def test_it_follows_the_routes() -> None:
    bench = bed("strict")
    assert not let_in(bench, BY_P3)
    bench.only.route_add("198.19.0.0/24", via=w.G1)
    bench.settle()
    assert let_in(bench, BY_P3)
    bench.only.route_delete("198.19.0.0/24")
    bench.settle()
    assert not let_in(bench, BY_P3)


@pytest.mark.parametrize("resolved", [True, False])
def test_a_neighbour_need_not_be_known(resolved: bool) -> None:
    """The way counts, not whether the next hop's MAC address is known."""
    bench = bed("strict", '[[route]]\nto = "10.99.0.0/16"\nvia = "10.1.0.253"\n', resolved=resolved)
    bench.only.neighbor_set(w.P2, w.G2, w.g2)
    bench.settle()
    assert let_in(bench, w.U)
    assert let_in(bench, "10.1.0.200")


@pytest.mark.parametrize("mode", MODES)
def test_a_truncated_packet_tells_nobody(mode: str) -> None:
    """What would be looked at may be missing, so such a port answers none (RFC 1812 5.2.2)."""
    bench = bed(mode)
    cut = frame(w.U)[:-1]
    assert w.exchange(bench, w.P1, [cut, frame(w.H1)[:-1]]) == SILENCE
    assert dropped(bench) == {"ip_total_length": 2}


# --- several gateways ---


SHARED = '[[route]]\nto = "198.21.0.0/16"\nvia = ["{}", "{}"]\n'


def test_any_of_several_gateways_will_do() -> None:
    """RFC 3704 2.2: whichever of them a flow to the source would take."""
    bench = bed("strict", SHARED.format(w.G1, w.G3))
    assert [let_in(bench, f"198.21.0.{i}") for i in range(9)] == [True] * 9
    bench = bed("strict", SHARED.format(w.G2, w.G3))
    assert [let_in(bench, f"198.21.0.{i}") for i in range(9)] == [False] * 9
    assert let_in(bed("loose", SHARED.format(w.G2, w.G3)), "198.21.0.9")


def test_several_gateways_by_default() -> None:
    route = '[[route]]\nto = "0.0.0.0/0"\nvia = ["{}", "{}"]\n'
    assert let_in(bed("strict", route.format(w.G1, w.G3)), w.U)
    assert not let_in(bed("strict", route.format(w.G2, w.G3)), w.U)
    assert let_in(bed("loose", route.format(w.G2, w.G3)), w.U)
    assert not let_in(bed("loose-no-default", route.format(w.G1, w.G3)), w.U)


def test_one_of_several_gateways_of_an_alternative() -> None:
    bench = bed("feasible")
    bench.only.route_add("198.19.0.0/16", via=[w.G1, w.G2], preference=200)
    bench.settle()
    assert let_in(bench, BY_P3)
    bench = bed("feasible", SHARED.format(w.G2, w.G3))
    assert not let_in(bench, "198.21.0.9")
    bench.only.route_add("198.21.0.0/16", via=w.G1, preference=200)
    bench.settle()
    assert let_in(bench, "198.21.0.9")


# --- feasible paths -------------------------------------------------------------------------------


def test_an_alternative_is_feasible() -> None:
    """RFC 3704 2.3: any route of the prefix, not the best one alone."""
    bench = bed("feasible")
    assert not let_in(bench, BY_P3)
    bench.only.route_add("198.19.0.0/16", via=w.G1, preference=200)
    bench.settle()
    assert let_in(bench, BY_P3)
    # By the slow path, and what it forwards is the same.
    assert bench.only.counters().punted["reverse_path"] == 2
    # A longer prefix has alternatives of its own, or none.
    bench.only.route_add("198.19.0.0/24", via=w.G3, preference=200)
    bench.settle()
    assert not let_in(bench, BY_P3)
    assert let_in(bench, "198.19.1.9")
    bench.only.route_delete("198.19.0.0/16")
    bench.settle()
    assert not let_in(bench, "198.19.1.9")


def test_an_alternative_of_another_port_is_not() -> None:
    bench = bed("feasible")
    bench.only.route_add("198.19.0.0/16", via=w.G2, preference=200)
    bench.settle()
    assert not let_in(bench, BY_P3)


def test_an_alternative_to_a_blackhole_is_not() -> None:
    bench = bed("feasible")
    bench.only.route_add("100.66.0.0/16", via=w.G1, preference=200)
    bench.settle()
    assert not let_in(bench, "100.66.0.1")


def test_behind_the_check_by_the_slow_path_the_other_checks_follow() -> None:
    rule = '[[filter]]\naction = "{}"\nprotocol = "udp"\ndestination_port = {}\n'
    bench = bed("feasible", rule.format("drop", 7) + rule.format("reject", 8))
    bench.only.route_add("198.19.0.0/16", via=w.G1, preference=200)
    bench.settle()
    frames = [frame(BY_P3, payload=p.udp(1024, port)) for port in (7, 8, 9)]
    frames += [frame(BY_P3, ttl=1), frame(w.U, payload=p.udp(1024, 8))]
    out = w.exchange(bench, w.P1, frames)
    assert out[w.P1] == []
    assert out[w.P2] == [p.forwarded(frames[2], w.M2, w.g2)]
    # The errors take the best way.
    assert [error[34:36] for error in out[w.P3]] == [b"\x03\x0d", b"\x0b\x00"]
    assert dropped(bench) == {"filtered": 2, "ttl_expired": 1, "urpf": 1}
    assert [rule.packets for rule in bench.only.filters()] == [1, 1]
