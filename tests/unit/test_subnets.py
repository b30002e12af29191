# SPDX-License-Identifier: MIT
"""Subnets of every size on ports, several on one port, and prefixes of every length."""

from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import arp, dropped, error_to_h1, icmp_error, stack
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(32))
PEER = "02:00:00:00:03:77"


def bed(p3: Any, **tables: Any) -> Bench:
    """Return a bench whose p1 and p2 are as in the test bed, with p3 as given and a peer there."""
    bench = Bench(guard_tables=True)
    ports = {
        "p1": {"address": f"{w.R1}/24", "mac": w.M1},
        "p2": {"address": f"{w.R2}/24", "mac": w.M2},
        "p3": {"address": p3, "mac": w.M3},
    }
    neighbor = [
        {"port": "p1", "address": w.H1, "mac": w.h1},
        {"port": "p2", "address": w.G2, "mac": w.g2},
    ]
    slow = {"icmp_errors_per_s": 0}
    router = bench.router(port=ports, neighbor=neighbor, slow_path=slow, **tables)
    for name in ports:
        bench.link(bench.station(f"at-{name}"), router.port(name), rate="unlimited")
    bench.settle()
    return bench


def to(destination: str, payload: bytes = UDP, **fields: Any) -> bytes:
    """Return a packet of H1 in its frame into p1."""
    return p.ether(w.M1, w.h1, p.ipv4(w.H1, destination, payload, **fields))


def ping(destination: str) -> bytes:
    return to(destination, p.echo_request(), protocol=p.ICMP)


# --- 31 bits --------------------------------------------------------------------------------------

ENDS = [("10.3.0.0", "10.3.0.1"), ("10.3.0.1", "10.3.0.0")]


@pytest.mark.parametrize(("own", "peer"), ENDS)
def test_a_link_of_two(own: str, peer: str) -> None:
    """RFC 3021 2.1, 3.3: both addresses are hosts', as destinations and as sources."""
    bench = bed(f"{own}/31")
    bench.port("p1").send(to(peer))
    bench.run(us=1)
    assert w.received(bench, "p3") == [arp(1, w.M3, own, w.NO_MAC, peer)]
    bench.port("p3").send(arp(2, PEER, peer, w.M3, own))
    bench.run_until_idle()
    assert w.received(bench, "p3")[1:] == [p.forwarded(to(peer), w.M3, PEER)]
    out = w.exchange(bench, "p1", [to(peer, ident=ident) for ident in range(67)])
    assert out["p3"] == [p.forwarded(to(peer, ident=ident), w.M3, PEER) for ident in range(67)]
    (reply,) = w.exchange(bench, "p1", [ping(own)])["p1"]
    fields = p.ip_fields(p.ip_of(reply))
    assert (fields["src"], fields["dst"]) == (own, w.H1)
    back = p.ether(w.M3, PEER, p.ipv4(peer, w.H1, UDP))
    assert w.exchange(bench, "p3", [back])["p1"] == [p.forwarded(back, w.M1, w.h1)]
    lost = p.ipv4(peer, w.U, UDP)
    out = w.exchange(bench, "p3", [p.ether(w.M3, PEER, lost)])
    assert out["p3"] == [p.ether(PEER, w.M3, icmp_error(lost, 3, 0, sender=own))]
    (reply,) = w.exchange(
        bench,
        "p3",
        [p.ether(w.M3, PEER, p.ipv4(peer, own, p.echo_request(), protocol=p.ICMP))],
    )["p3"]
    assert p.ip_fields(p.ip_of(reply))["dst"] == peer


@pytest.mark.parametrize(("own", "peer"), ENDS)
def test_a_gateway_on_a_link_of_two(own: str, peer: str) -> None:
    route = [{"to": "198.18.0.0/16", "via": peer}]
    bench = bed(f"{own}/31", route=route)
    bench.port("p1").send(to(w.A1))
    bench.run(us=1)
    bench.port("p3").send(arp(2, PEER, peer, w.M3, own))
    bench.run_until_idle()
    assert w.received(bench, "p3")[1:] == [p.forwarded(to(w.A1), w.M3, PEER)]


def test_the_stack_broadcasts_on_a_link_of_two() -> None:
    """RFC 3021 2.2: to 255.255.255.255; such a broadcast is heard, and goes no further."""
    bench = bed("10.3.0.0/31")
    twin = stack(bench, "p3")
    everybody = p.ipv4("10.3.0.1", "255.255.255.255", UDP)
    out = w.exchange(bench, "p3", [p.ether(p.BROADCAST, PEER, everybody)])
    assert out == {"p1": [], "p2": [], "p3": []}
    assert [p.ip_of(one.data) for one in twin.received()] == [everybody]
    assert dropped(bench) == {}


# --- 32 bits --------------------------------------------------------------------------------------


def test_an_address_alone(tmp_path: Any) -> None:
    """Nobody else is in its subnet; a route may lead to who is on the link."""
    bench = bed("10.3.0.1/32")
    out = w.exchange(bench, "p1", [ping("10.3.0.1"), ping("10.3.0.0"), ping("10.3.0.2")])
    assert [p.ip_fields(p.ip_of(one))["src"] for one in out["p1"]] == ["10.3.0.1", w.R1, w.R1]
    assert out["p3"] == []
    routes = tmp_path / "routes"
    routes.write_text("192.0.2.0/24 dev p3\n")
    bench.only.routes_load(routes)
    bench.settle()
    bench.port("p1").send(to("192.0.2.9"))
    bench.run(us=1)
    ask = arp(1, w.M3, "10.3.0.1", w.NO_MAC, "192.0.2.9")
    assert w.received(bench, "p3") == [ask]
    bench.port("p3").send(arp(2, PEER, "192.0.2.9", w.M3, "10.3.0.1"))
    bench.run_until_idle()
    sent = p.forwarded(to("192.0.2.9"), w.M3, PEER)
    assert w.received(bench, "p3") == [ask, sent]
    assert w.exchange(bench, "p1", [to("192.0.2.9")])["p3"] == [sent]


# --- every size -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", range(8, 31))
def test_a_subnet_ends_where_its_prefix_does(bits: int) -> None:
    """RFC 1812 5.2.4.2, 4.2.3.4: inside by ARP for the destination, outside by another route."""
    size = 1 << (32 - bits)
    first = int.from_bytes(bytes([100, 0, 0, 0])) + (5 << 32 - bits if bits > 8 else 0)

    def text(number: int) -> str:
        return ".".join(map(str, number.to_bytes(4)))

    default = [{"to": "0.0.0.0/0", "via": w.G2}]
    bench = bed(f"{text(first + 1)}/{bits}", route=default)
    last = first + size - 1
    hops = bench.only.lookup(
        [text(n) for n in (first - 1, first, first + 1, first + 2, last - 1, last, last + 1)]
    )
    inside = ["broadcast", "local", "connected", "connected", "broadcast"]
    if size == 4:
        inside[3] = "connected"
    assert [hop.kind for hop in hops] == ["via", *inside, "via"]
    bench.port("p1").send(to(text(first + 2)), to(text(last + 1)))
    bench.run(us=100)
    assert w.received(bench, "p3") == [
        arp(1, w.M3, text(first + 1), w.NO_MAC, text(first + 2)),
    ]
    assert w.received(bench, "p2") == [p.forwarded(to(text(last + 1)), w.M2, w.g2)]


def test_each_shorter_prefix_serves_when_a_longer_one_goes() -> None:
    """RFC 1812 4.2.3.4: routes of every length for one address, each by another neighbour."""
    target = 0x645A5A5A
    neighbors = [f"10.2.0.{100 + bits}" for bits in range(33)]
    macs = [f"02:00:00:00:02:{100 + bits:02x}" for bits in range(33)]
    bench = bed("10.3.0.1/24")
    for address, mac in zip(neighbors, macs, strict=True):
        bench.only.neighbor_set("p2", address, mac)
    prefixes = [
        f"{'.'.join(map(str, (target >> 32 - bits << 32 - bits).to_bytes(4)))}/{bits}"
        for bits in range(33)
    ]
    for prefix, via in zip(prefixes, neighbors, strict=True):
        bench.only.route_add(prefix, via)
    frame = to("100.90.90.90")
    for bits in range(32, -1, -1):
        bench.settle()
        assert w.exchange(bench, "p1", [frame])["p2"] == [p.forwarded(frame, w.M2, macs[bits])]
        bench.only.route_delete(prefixes[bits])
    bench.settle()
    assert bench.only.lookup(["100.90.90.90"])[0].kind == "none"


def test_the_longest_match_of_several() -> None:
    """RFC 1812 5.2.4.3 (1), (2): at the first and last address of each prefix, and next to them."""
    bench = w.bed()
    for prefix, via in (
        ("100.0.0.0/8", w.G2),
        ("100.144.0.0/16", w.G3),
        ("100.144.2.0/24", w.G1),
        ("100.144.2.5/32", w.G2),
        ("0.0.0.0/0", w.G3),
    ):
        bench.only.route_add(prefix, via)
    bench.settle()
    expected = {
        "99.255.255.255": w.G3,
        "100.0.0.0": w.G2,
        "100.143.255.255": w.G2,
        "100.144.0.0": w.G3,
        "100.144.1.255": w.G3,
        "100.144.2.0": w.G1,
        "100.144.2.4": w.G1,
        "100.144.2.5": w.G2,
        "100.144.2.6": w.G1,
        "100.144.2.255": w.G1,
        "100.144.3.0": w.G3,
        "100.144.255.255": w.G3,
        "100.145.0.0": w.G2,
        "100.255.255.255": w.G2,
        "101.0.0.0": w.G3,
    }
    hops = bench.only.lookup(list(expected))
    assert [str(hop.via) for hop in hops] == list(expected.values())


@pytest.mark.parametrize(("kind", "code"), [("blackhole", None), ("unreachable", 1)])
def test_an_aggregate_ends_what_none_of_its_parts_takes(kind: str, code: int | None) -> None:
    """RFC 4632 5.1: although there is a default route."""
    bench = w.bed()
    bench.only.route_add("198.18.0.0/15", kind=kind)
    bench.only.route_add("0.0.0.0/0", w.G3)
    bench.only.route_add("198.19.0.0/24", w.G2)
    bench.settle()
    bench.port(w.P3).link.set_up(False)  # with it goes 198.19.0.0/16 and the default route
    bench.settle()
    bench.only.route_add("0.0.0.0/0", w.G1)
    bench.settle()
    lost = to("198.19.1.1")
    out = w.exchange(bench, w.P1, [lost, to("198.19.0.1")])
    assert out["p2"] == [p.forwarded(to("198.19.0.1"), w.M2, w.g2)]
    told = [] if code is None else [error_to_h1(p.ip_of(lost), 3, code)]
    assert out["p1"] == told


# --- several on one port --------------------------------------------------------------------------


def test_subnets_of_one_port_are_routed_between() -> None:
    """RFC 1812 2.2.5.1: back out of the port by which the packet came, as between two ports."""
    ports = {"p1": {"address": [f"{w.R1}/24", "10.11.0.1/24"], "mac": w.M1}}
    neighbor = [
        {"port": "p1", "address": w.H1, "mac": w.h1},
        {"port": "p1", "address": "10.11.0.2", "mac": w.g1},
    ]
    bench = Bench(guard_tables=True)
    router = bench.router(port=ports, neighbor=neighbor)
    bench.link(bench.station("one"), router.port("p1"), rate="unlimited")
    bench.settle()
    there = p.ether(w.M1, w.g1, p.ipv4("10.11.0.2", w.H1, UDP))
    back = p.ether(w.M1, w.h1, p.ipv4(w.H1, "10.11.0.2", UDP))
    for frames in ([there, back], [there] * 67):
        bench.port("p1").clear()
        bench.port("p1").send(*frames)
        bench.run_until_idle()
        expected = [p.forwarded(one, w.M1, w.h1 if one is there else w.g1) for one in frames]
        assert w.received(bench, "p1") == expected
    assert set(dropped(bench)) <= {"redirect_copy"}
