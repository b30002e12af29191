# SPDX-License-Identifier: MIT
"""Routes with several gateways as they come, go and fail: a gateway that does not answer, a link
that is down, sets of gateways shared and given back; and routes with an MTU of their own."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import asks, dropped, error_to_h1, only, told
from tests.flows import chosen
from tests.multipath import (
    FOUR,
    G2B,
    G3B,
    MACS,
    NET,
    PORT_OF,
    flows,
    framed,
    group_bed,
    mapping,
    sent_by,
)
from twinroute.config import build_config
from twinroute.reload import reload
from twinroute.sim import Bench

TWO = [w.G2, w.G3]
S = 1_000_000  # in us
BIG = p.ipv4(w.H1, w.C1, p.udp(1024, 9, bytes(1400)), fragment=p.DF)


def of(gateway: str, gateways: list[str], count: int = 256) -> list[bytes]:
    """Return those of so many flows that take a gateway."""
    return [one for one in flows(count) if chosen(w.HASH_SEED, one, gateways) == gateway]


def asked(bench: Bench) -> list[bytes]:
    """Return the ARP requests for gateways that left since this was asked before."""
    frames = []
    for port in (w.P2, w.P3):
        frames += [one for one in w.received(bench, port) if one[12:14] == b"\x08\x06"]
        bench.port(port).clear()
    return frames


# --- gateways that do not answer ------------------------------------------------------------------


def learned_bed(**slow: object) -> Bench:
    """Return a bed of two whose gateways were asked by ARP, and have answered once."""
    bench = w.bed(resolved=False, routes=w.GROUP, fast={"hash_seed": w.HASH_SEED}, slow=slow)
    bench.only.neighbor_set(w.P1, w.H1, w.h1)
    for gateway in TWO:
        bench.port(w.P1).send(framed(of(gateway, TWO)[0]))
    bench.run(us=1)
    assert asked(bench) == [asks(w.P2, w.G2), asks(w.P3, w.G3)]
    for gateway in TWO:
        bench.port(PORT_OF[gateway]).send(told(PORT_OF[gateway], MACS[gateway], gateway))
    bench.run(us=1)
    return bench


def test_a_gateway_that_does_not_answer_leaves_the_choice() -> None:
    """It is asked on without any packet for it, and gets its flows back when it answers."""
    bench = w.bed(
        resolved=False, routes=w.GROUP, fast={"hash_seed": w.HASH_SEED}, slow={"arp_failed_s": 5.0}
    )
    bench.only.neighbor_set(w.P3, w.G3, w.g3)
    bench.only.neighbor_set(w.P1, w.H1, w.h1)
    packets = of(w.G2, TWO)
    bench.port(w.P1).send(framed(packets[0]))
    bench.run(us=7.5 * S)
    assert asked(bench) == [asks(w.P2, w.G2)] * 3
    assert w.received(bench, w.P1) == [error_to_h1(packets[0], 3, 1)]
    assert dropped(bench) == {"neighbor_failed": 1}
    assert mapping(bench, packets) == [w.G3] * len(packets)
    assert bench.only.counters().punted == {"neighbor": 1}
    # Asked again after 5 s, then with gaps of 1, 2 and 4 s.
    bench.run(us=12.5 * S)
    assert asked(bench) == [asks(w.P2, w.G2)] * 3
    bench.port(w.P2).send(told(w.P2, w.g2, w.G2))
    bench.run(us=1)
    assert mapping(bench, flows()) == [chosen(w.HASH_SEED, one, TWO) for one in flows()]
    bench.run(us=60 * S)
    assert asked(bench) == []


def test_a_gateway_that_answers_no_more_leaves_the_choice() -> None:
    bench = learned_bed(arp_lifetime_s=10.0)
    packets = flows()
    assert mapping(bench, packets) == [chosen(w.HASH_SEED, one, TWO) for one in packets]
    bench.run(us=9 * S)
    bench.port(w.P3).send(told(w.P3, w.g3, w.G3))
    bench.run(us=8.5 * S)  # asked at 10, 11 and 13 s, given up at 17 s
    assert asked(bench) == [*[asks(w.P2, w.G2, to=w.g2)] * 3, asks(w.P2, w.G2)]
    assert mapping(bench, packets) == [w.G3] * len(packets)
    bench.port(w.P2).send(told(w.P2, w.g2, w.G2))
    bench.run(us=1)
    assert mapping(bench, packets) == [chosen(w.HASH_SEED, one, TWO) for one in packets]
    assert dropped(bench) == {"arp_done": 4}


def test_with_no_gateway_left_the_source_is_told() -> None:
    """RFC 1812 4.3.3.1, as with a single one."""
    bench = w.bed(
        resolved=False,
        routes=w.GROUP,
        fast={"hash_seed": w.HASH_SEED},
        slow={"arp_retries": 1, "arp_retry_ms": 1},
    )
    bench.only.neighbor_set(w.P1, w.H1, w.h1)
    for gateway in TWO:
        w.exchange(bench, w.P1, [framed(of(gateway, TWO)[0])])
    bench.run(us=5000)
    for packet in flows(20):
        out = w.exchange(bench, w.P1, [framed(packet)])
        assert out[w.P2] == out[w.P3] == []
    assert {one.state for one in bench.only.neighbors() if one.port != w.P1} == {"failed"}


def test_a_gateway_found_dead_before_the_route_came() -> None:
    bench = w.bed(resolved=False, slow={"arp_retries": 1, "arp_retry_ms": 1})
    bench.only.neighbor_set(w.P1, w.H1, w.h1)
    bench.only.neighbor_set(w.P3, w.G3, w.g3)
    w.exchange(bench, w.P1, [framed(p.ipv4(w.H1, w.G2, p.udp(1, 9)))])
    bench.run(us=5000)
    bench.only.route_add(NET, TWO)
    bench.settle()
    for packet in flows(20):
        w.exchange(bench, w.P1, [framed(packet)])
    assert mapping(bench, flows()) == [w.G3] * 256


def test_a_table_full_of_dead_neighbors_forgets_a_gateway() -> None:
    """Then it is tried again: nobody else would find out that it answers."""
    bench = w.bed(
        resolved=False,
        routes=w.GROUP,
        fast={"hash_seed": w.HASH_SEED},
        slow={"arp_retries": 1, "arp_retry_ms": 1, "neighbors": 3},
    )
    bench.only.neighbor_set(w.P1, w.H1, w.h1)
    bench.only.neighbor_set(w.P3, w.G3, w.g3)
    packet = of(w.G2, TWO)[0]
    w.exchange(bench, w.P1, [framed(packet)])
    bench.run(us=5000)
    assert w.exchange(bench, w.P1, [framed(packet)]) == only(p3=[sent_by(w.G3, packet)])
    w.exchange(bench, w.P1, [framed(p.ipv4(w.H1, "10.2.0.77", p.udp(1, 9)))])
    bench.run(us=5000)
    bench.port(w.P2).clear()
    bench.port(w.P1).send(framed(packet))
    bench.run(us=1)
    assert w.received(bench, w.P2) == [asks(w.P2, w.G2)]


# --- links ----------------------------------------------------------------------------------------


def test_a_port_without_a_link_leaves_the_choice() -> None:
    bench = group_bed(FOUR)
    packets = flows(400)
    before = mapping(bench, packets)
    bench.port(w.P2).link.set_up(False)
    bench.settle()
    after = mapping(bench, packets)
    assert {PORT_OF[one] for one in after} == {w.P3}
    moved = zip(after, before, strict=True)
    assert all(new == old for new, old in moved if PORT_OF[old] == w.P3)
    assert set(after) == {w.G3, G3B}
    bench.port(w.P2).link.set_up(True)
    bench.settle()
    assert mapping(bench, packets) == before
    assert dropped(bench) == {}


def test_without_any_link_the_packets_have_no_route_as_by_one_gateway() -> None:
    bench = group_bed()
    for port in (w.P2, w.P3):
        bench.port(port).link.set_up(False)
    bench.settle()
    packets = [p.ipv4(w.H1, w.C1, p.udp(1024 + n, 9)) for n in range(10)]
    out = w.exchange(bench, w.P1, [framed(one) for one in packets])
    assert out == only(p1=[error_to_h1(one, 3, 0) for one in packets])
    assert dropped(bench) == {"no_route": 10}


def test_a_gateway_whose_subnet_goes_leaves_the_choice() -> None:
    """Its route is used while another gateway is there; the address comes back, and so does it."""
    bench = Bench(guard_tables=True)
    ports = {"p1": f"{w.R1}/24", "p2": [f"{w.R2}/24", "10.7.0.1/24"]}
    tables = {"port": {name: {"address": address} for name, address in ports.items()}}
    slow = {"arp_probe": False}
    route = [{"to": "198.18.0.0/16", "via": ["10.7.0.2", w.G2]}]
    one = build_config({**tables, "slow_path": slow, "route": route})
    p2 = one.ports["p2"].model_copy(update={"addresses": one.ports["p2"].addresses[:1]})
    two = one.model_copy(update={"ports": {**one.ports, "p2": p2}, "routes": []})
    router = bench.router(one)
    for port in router.ports.values():
        bench.link(bench.station(), port)
    router.route_add("198.19.0.0/16", ["10.7.0.2", w.G2])
    router.route_add("198.19.0.0/16", ["10.7.0.2", "10.7.0.3"], metric=1)
    for config, ways in ((two, [w.G2]), (one, [w.G2, "10.7.0.2"])):
        bench.settle()
        reload(router, "sim", two if config is one else one, config)
        bench.settle()
        (hop,) = router.lookup(["198.19.0.1"])
        assert [str(path.via) for path in hop.paths] == ways
        found = [one for one in router.routes(all=True) if one.source == "api"]
        assert [one.usable for one in found] == [True, config is one]


# --- the table ------------------------------------------------------------------------------------


def test_routes_by_the_same_gateways_share_a_next_hop() -> None:
    bench = group_bed()
    router = bench.only
    used = router.table_info().next_hops
    for n in range(100):
        router.route_add(f"100.{n}.0.0/16", TWO[:: 1 - 2 * (n % 2)])
    bench.settle()
    assert router.table_info().next_hops == used
    router.route_add("101.0.0.0/8", FOUR)
    bench.settle()
    assert router.table_info().next_hops == used + 2  # the group and its list: four are in use
    router.route_add("102.0.0.0/8", TWO, mtu=1280)
    bench.settle()
    assert router.table_info().next_hops == used + 6
    for n in range(100):
        router.route_delete(f"100.{n}.0.0/16")
    router.route_delete("101.0.0.0/8")
    router.route_delete("102.0.0.0/8")
    bench.settle()
    assert router.table_info().next_hops == used
    assert mapping(bench, flows()) == [chosen(w.HASH_SEED, one, TWO) for one in flows()]


def test_more_changes_than_there_are_next_hops() -> None:
    """Nothing leaks: indices and sets are used again."""
    bench = group_bed()
    router = bench.only
    used = router.table_info().next_hops
    for n in range(40):
        for k in range(300):
            gateways = [f"10.2.0.{2 + (n + k) % 200}", w.G3, f"10.3.0.{2 + k % 100}"]
            router.route_add(f"100.{k >> 8}.{k & 255}.0/24", gateways)
        bench.settle()
        assert router.table_info().unplaced == 0
    for k in range(300):
        router.route_delete(f"100.{k >> 8}.{k & 255}.0/24")
    bench.settle()
    assert router.table_info().next_hops == used


def test_a_route_as_it_is_shown() -> None:
    bench = group_bed([w.G3, w.G2], mtu=1280)
    (route,) = [one for one in bench.only.routes() if str(one.to) == NET]
    assert (route.kind, str(route.via), route.port, route.mtu) == ("via", w.G2, w.P2, 1280)
    assert [(str(path.via), path.port) for path in route.paths] == [(w.G2, w.P2), (w.G3, w.P3)]
    hops = bench.only.lookup([w.A1, w.C1, w.U, w.C1])
    assert [[str(path.via) for path in hop.paths] for hop in hops] == [[w.G2], TWO, [], TWO]
    assert (hops[1].kind, str(hops[1].via), hops[1].port) == ("via", w.G2, w.P2)
    bench.port(w.P2).link.set_up(False)
    bench.settle()
    (hop,) = bench.only.lookup(w.C1)
    assert [str(path.via) for path in hop.paths] == [w.G3]


def test_every_source_keeps_its_gateways() -> None:
    bench = group_bed()
    router = bench.only
    router.route_add(NET, [G2B, G3B, w.H2], preference=20)
    bench.settle()
    rows = [one for one in router.routes(all=True) if str(one.to) == NET]
    assert [(one.source, len(one.paths)) for one in rows] == [("config", 2), ("api", 3)]
    assert len(router.routes_array(all=True)) == len(router.routes(all=True)) + 3
    router.route_add(NET, G2B, preference=1)
    bench.settle()
    assert set(mapping(bench, flows(50))) == {G2B}
    router.route_add(NET, kind="blackhole", preference=1)
    bench.settle()
    assert w.exchange(bench, w.P1, [framed(one) for one in flows(5)]) == only()
    router.route_delete(NET)
    bench.settle()
    assert set(mapping(bench, flows(50))) == set(TWO)


@pytest.mark.parametrize("to", ["0.0.0.0/0", "198.20.0.1/32", "198.20.0.0/30"])
def test_prefixes_of_any_length(to: str) -> None:
    bench = w.bed(fast={"hash_seed": w.HASH_SEED})
    bench.only.route_add(to, TWO)
    bench.settle()
    packets = [p.ipv4(w.H1, w.C1, p.udp(n, 9, bytes(20)), ident=n) for n in range(1, 67)]
    assert mapping(bench, packets) == [chosen(w.HASH_SEED, one, TWO) for one in packets]
    bench.only.route_delete(to)
    bench.settle()
    out = w.exchange(bench, w.P1, [framed(packets[0])])
    assert out == only(p1=[error_to_h1(packets[0], 3, 0)])


# --- MTU of a route -------------------------------------------------------------------------------


@pytest.mark.parametrize("gateways", [[w.G2], TWO])
def test_a_route_with_an_mtu_of_its_own(gateways: list[str]) -> None:
    """RFC 1191 4: the source is told the MTU of the next hop."""
    bench = group_bed(gateways, mtu=1280)
    out = w.exchange(bench, w.P1, [framed(BIG)])
    assert out == only(p1=[error_to_h1(BIG, 3, 4, 1280)])
    assert dropped(bench) == {"fragmentation_needed": 1}
    fits = p.ipv4(w.H1, w.C1, p.udp(1024, 9, bytes(1252)), fragment=p.DF)
    gateway = chosen(w.HASH_SEED, fits, gateways)
    assert w.exchange(bench, w.P1, [framed(fits)]) == only(
        **{PORT_OF[gateway]: [sent_by(gateway, fits)]}
    )
    other = p.ipv4(w.H1, w.A1, p.udp(1024, 9, bytes(1400)), fragment=p.DF)
    assert w.exchange(bench, w.P1, [framed(other)]) == only(p2=[sent_by(w.G2, other)])


def test_an_mtu_beyond_the_ports_changes_nothing() -> None:
    bench = group_bed([w.G2], mtu=9000, mtu2=1400)
    out = w.exchange(bench, w.P1, [framed(BIG)])
    assert out == only(p1=[error_to_h1(BIG, 3, 4, 1400)])


def test_one_answer_resolves_a_gateway_for_routes_of_any_mtu() -> None:
    bench = w.bed(resolved=False)
    for n, mtu in enumerate((0, 1280, 576, 1280)):
        bench.only.route_add(f"100.{n}.0.0/16", w.G2, mtu=mtu)
    bench.settle()
    packets = [p.ipv4(w.H1, f"100.{n}.0.1", p.udp(1, 9, bytes(20)), ident=n) for n in range(4)]
    bench.port(w.P1).send(framed(packets[1]))
    bench.run(us=1)
    assert asked(bench) == [asks(w.P2, w.G2)]
    bench.port(w.P2).send(told(w.P2, w.g2, w.G2))
    bench.run(us=1)
    bench.only.route_add("100.4.0.0/16", w.G2, mtu=700)  # of a gateway that is known already
    bench.settle()
    packets.append(p.ipv4(w.H1, "100.4.0.1", p.udp(1, 9, bytes(20)), ident=4))
    bench.port(w.P2).clear()
    assert mapping(bench, packets) == [w.G2] * 5
    assert bench.only.counters().punted == {"neighbor": 1, "arp": 1}
