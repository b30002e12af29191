# SPDX-License-Identifier: MIT
"""Routes with several gateways (RFC 2991, RFC 2992): which packets go together, that they stay
together, and that fast path and slow path agree."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import dropped, only, told
from tests.flows import chosen, chosen_for_own
from tests.multipath import FOUR, G2B, MACS, NET, PORT_OF, flows, framed, group_bed, mapping, spread
from twinroute.sim import Bench

TWO = [w.G2, w.G3]


def by_two(packet: bytes) -> str:
    """Return the gateway of a packet in the bed of two."""
    return chosen(w.HASH_SEED, packet, TWO)


def kept_together(packets: list[bytes]) -> None:
    """Assert that packets leave the fast path in order by one port, and as the rule says."""
    bench = group_bed()
    out = w.exchange(bench, w.P1, [framed(packet) for packet in packets])
    assert len({by_two(packet) for packet in packets}) == 1
    assert out == spread(packets, by_two)


# --- what goes together ---------------------------------------------------------------------------


@pytest.mark.parametrize("burst", [1, 67])
@pytest.mark.parametrize("units", [1, 3])
def test_a_flow_leaves_by_one_gateway(burst: int, units: int) -> None:
    """RFC 2991 3: 256 flows, their packets interleaved; and all gateways are used."""
    bench = group_bed(fast={"burst": burst, "units": units})
    packets = flows()
    out = w.exchange(bench, w.P1, [framed(packet) for packet in packets] * 10)
    expected = spread(packets * 10, by_two)
    for port in (w.P1, w.P2, w.P3):
        assert p.by_flow(out[port]) == p.by_flow(expected[port])
    assert 0.3 <= len(out[w.P2]) / 2560 <= 0.7
    assert dropped(bench) == {}


@pytest.mark.parametrize("protocol", [p.ICMP, 47, 89])
def test_a_protocol_without_ports_goes_by_its_addresses(protocol: int) -> None:
    kept_together(
        [p.ipv4(w.H1, w.C1, bytes([n] * 40), protocol=protocol, ident=n) for n in range(67)]
    )


@pytest.mark.parametrize("protocol", [p.TCP, p.UDP, 33, 132, 136])
def test_a_protocol_with_ports_is_spread(protocol: int) -> None:
    packets = [
        p.ipv4(w.H1, w.C1, p.udp(2000 + n, 9, bytes(20)), protocol=protocol, ident=n)
        for n in range(100)
    ]
    assert 30 <= mapping(group_bed(), packets).count(w.G2) <= 70


def test_echo_requests_of_one_id_go_together() -> None:
    kept_together(
        [p.ipv4(w.H1, w.C1, p.echo_request(5, n), protocol=p.ICMP, ident=n) for n in range(67)]
    )


def test_fragments_go_together() -> None:
    """RFC 2991 3: the first has ports and the others have not."""
    data = p.udp(1024, 9, bytes(range(240)))
    for first in range(2, 30):
        packets = [
            p.ipv4(f"10.1.0.{first}", w.C1, data[at : at + 8], fragment=at // 8 | more)
            for at, more in ((0, p.MF), (8, p.MF), (240, 0))
        ]
        kept_together(packets)


def test_what_a_flow_is_not_told_apart_by() -> None:
    """Identification (RFC 6864 4.1), TOS, TTL, DF and the bit beside it (RFC 1812 5.2.5)."""
    data = p.udp(1024, 9, bytes(20))
    kept_together(
        [
            *(p.ipv4(w.H1, w.C1, data, ident=n, fragment=p.DF) for n in (0, 0x1234, 0xFFFF)),
            *(p.ipv4(w.H1, w.C1, data, tos=n) for n in (1, 3, 0xB8)),
            *(p.ipv4(w.H1, w.C1, data, fragment=n) for n in (0x8000, 0xC000)),
            *(p.ipv4(w.H1, w.C1, data, ttl=n) for n in (2, 255)),
            p.ipv4(w.H1, w.C1, data + bytes(100)),
        ]
    )


def test_a_packet_too_short_for_ports_goes_by_its_addresses() -> None:
    kept_together([p.ipv4(w.H1, w.C1, bytes([n] * 3), ident=n) for n in range(67)])


# --- that they stay together ----------------------------------------------------------------------


def test_time_and_unrelated_changes_move_no_flow() -> None:
    """RFC 2992 2.2: 60 s, gateways refreshed by ARP, other routes and groups added and deleted."""
    bench = w.bed(
        resolved=False,
        routes=w.GROUP,
        fast={"hash_seed": w.HASH_SEED},
        slow={"arp_lifetime_s": 20.0},
    )
    packets = flows()

    def a_minute() -> None:
        for _ in range(4):
            bench.run(us=15e6)
            for gateway in TWO:
                port = PORT_OF[gateway]
                bench.port(port).send(told(port, MACS[gateway], gateway))
        bench.run(us=10)

    for gateway in TWO:
        bench.port(w.P1).send(framed(next(one for one in packets if by_two(one) == gateway)))
        bench.run(us=1)
        bench.port(PORT_OF[gateway]).send(told(PORT_OF[gateway], MACS[gateway], gateway))
        bench.run(us=1)
    before = mapping(bench, packets)
    assert before == [by_two(packet) for packet in packets]
    bench.only.route_add("100.0.0.0/8", [w.G3, w.G2, w.H2])
    bench.only.route_add("0.0.0.0/0", w.G1)
    a_minute()
    assert mapping(bench, packets) == before
    bench.only.route_delete("100.0.0.0/8")
    bench.only.route_delete("0.0.0.0/0")
    a_minute()
    assert mapping(bench, packets) == before
    assert {one.state for one in bench.only.neighbors()} == {"reachable"}


def test_a_gateway_less_moves_its_own_flows_only() -> None:
    """RFC 2991 3: and back again when it is there again, whatever the order of the list."""
    bench = group_bed([w.G1, w.H2])  # the configuration's, which the API's route beats
    packets = flows(1000)
    bench.only.route_add(NET, FOUR, preference=1)
    bench.settle()
    before = mapping(bench, packets)
    bench.only.route_add(NET, [one for one in FOUR if one != G2B], preference=1)
    bench.settle()
    after = mapping(bench, packets)
    assert G2B not in after
    assert all(new == old for new, old in zip(after, before, strict=True) if old != G2B)
    assert 150 <= before.count(G2B) <= 350
    bench.only.route_add(NET, FOUR[::-1], preference=1)
    bench.settle()
    assert mapping(bench, packets) == before


def test_the_choice_depends_on_a_seed() -> None:
    """RFC 2991 7: in the simulator it follows from the world's, and each router has its own."""
    packets = flows()

    def spread_of(seed: int, **fast: int) -> list[str]:
        bench = w.bed(seed=seed, routes=w.GROUP, fast=fast)
        return mapping(bench, packets)

    assert spread_of(1) == spread_of(1)
    assert spread_of(1) != spread_of(2)
    assert spread_of(1, hash_seed=3) == spread_of(2, hash_seed=3)
    assert spread_of(1, hash_seed=3) != spread_of(1, hash_seed=4)
    bench = Bench(seed=1)
    config = w.bed_config(routes=w.GROUP)
    outs = []
    for name in ("one", "two"):
        router = bench.router(config, name=name)
        for port in router.ports.values():
            bench.link(bench.station(f"{name} {port.name}"), port, rate="unlimited")
        for packet in packets:
            router.port(w.P1).send(framed(packet))
        bench.run_until_idle()
        outs.append([frame.data for frame in router.port(w.P2).received()])
    assert outs[0] != outs[1]


# --- the slow path agrees -------------------------------------------------------------------------


@pytest.mark.parametrize("gateways", [TWO, FOUR])
def test_what_is_punted_takes_the_way_of_its_flow(gateways: list[str]) -> None:
    """An option that the router carries makes the slow path forward (RFC 1812 5.2.1.2)."""
    bench = group_bed(gateways)
    packets = [
        p.ipv4(w.H1, w.C1, p.udp(3000 + n, 9, bytes(20)), ident=n, options=b"\x9f\x04ab")
        for n in range(100)
    ]
    assert mapping(bench, packets) == [chosen(w.HASH_SEED, one, gateways) for one in packets]
    assert bench.only.counters().punted == {"ip_options": 100}


def test_all_fragments_of_a_datagram_leave_by_one_port() -> None:
    """RFC 1812 5.2.1.2: the output interface is chosen first, then the datagram is cut."""
    bench = group_bed(mtu=620)
    for n in range(100):
        packet = p.ipv4(w.H1, w.C1, p.udp(1024 + n, 9, bytes(1392)), ident=n)
        out = w.exchange(bench, w.P1, [framed(packet)])
        gateway = by_two(packet)
        frames = out.pop(PORT_OF[gateway])
        assert [len(p.ip_of(frame)) for frame in frames] == [620, 620, 220]
        assert {frame[:6] for frame in frames} == {p.mac_bytes(MACS[gateway])}
        assert list(out.values()) == [[], []]


def test_unknown_gateways_are_asked_for_their_own_flows() -> None:
    bench = w.bed(resolved=False, routes=w.GROUP, fast={"hash_seed": w.HASH_SEED})
    packets = flows(8)
    for packet in packets:
        bench.port(w.P1).send(framed(packet))
    bench.run(us=1)
    for gateway, port in ((w.G2, w.P2), (w.G3, w.P3)):
        (asked,) = w.received(bench, port)
        assert asked[38:42] == p.address_bytes(gateway)
        bench.only.neighbor_set(port, gateway, MACS[gateway])
        bench.port(port).clear()
    bench.run_until_idle()
    expected = spread(packets, by_two)
    assert {port: w.received(bench, port) for port in (w.P1, w.P2, w.P3)} == expected
    assert bench.only.counters().punted == {"neighbor": 8}


def test_what_the_router_makes_goes_one_way_and_has_its_address() -> None:
    """RFC 1812 4.3.2.4: an ICMP error is from an address of the port by which it leaves."""
    used = set()
    own = {w.P2: w.R2, w.P3: w.R3}
    for host in range(1, 30):
        bench = group_bed()
        source = f"198.20.0.{host}"
        gateway = chosen_for_own(w.HASH_SEED, source, TWO)
        port = PORT_OF[gateway]
        expired = p.ipv4(source, w.A1, p.udp(1, 9), ttl=1)
        echo = p.ipv4(source, w.R1, p.echo_request(host), protocol=p.ICMP)
        out = w.exchange(bench, w.P1, [framed(expired), framed(echo)])
        error, reply = out[port]
        assert out == only(**{port: [error, reply]})
        assert error[:6] == reply[:6] == p.mac_bytes(MACS[gateway])
        assert p.ip_fields(p.ip_of(error))["src"] == own[port]
        assert p.ip_fields(p.ip_of(reply))["src"] == w.R1
        used.add(port)
    assert used == {w.P2, w.P3}
