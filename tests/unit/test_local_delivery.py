# SPDX-License-Identifier: MIT
"""What reaches the host stack by the twins, and what the stack sends (RFC 1812 5.2.3, 5.3.4,
5.3.5)."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import MAC, OWN, SILENCE, arp, asks, dropped, error_to_h1, only, stack, told
from twinroute.sim import Bench, Station

UDP = p.udp(1024, 179, bytes(range(32)))
ALL_HOSTS = "01:00:5e:00:00:01"
DHCP = p.udp(68, 67, bytes(240))


def bed(**config: object) -> tuple[Bench, dict[str, Station]]:
    """Return the test bed with a stack behind each twin."""
    bench = w.bed(**config)  # type: ignore[arg-type]
    return bench, {port: stack(bench, port) for port in MAC}


def deliver(
    world: tuple[Bench, dict[str, Station]], frame: bytes, port: str = w.P1
) -> dict[str, list[bytes]]:
    """Send a frame into a port; what reached the twins, nothing having left by a port."""
    bench, twins = world
    for twin in twins.values():
        twin.clear()
    assert w.exchange(bench, port, [frame]) == SILENCE
    return {name: [one.data for one in twin.received()] for name, twin in twins.items()}


def to_router(destination: str, *, mac: str = w.M1, **fields: object) -> bytes:
    """Return a packet of H1 into p1."""
    fields = {"src": w.H1, "dst": destination, "payload": UDP, **fields}
    return p.ether(mac, w.h1, p.ipv4(**fields))  # type: ignore[arg-type]


# --- from the wire to the stack -------------------------------------------------------------------


@pytest.mark.parametrize("port", MAC)
@pytest.mark.parametrize("destination", OWN.values())
def test_the_twin_of_the_port_gets_what_is_for_the_router(port: str, destination: str) -> None:
    """Whichever port has the address; the frame as it came, its TTL untouched."""
    world = bed()
    frame = p.ether(MAC[port], w.h1, p.ipv4("192.88.99.9", destination, UDP, ttl=1, tos=0xFF))
    assert deliver(world, frame, port) == only(**{port: [frame]})
    counters = world[0].only.counters()
    assert counters.sent_twin == {**dict.fromkeys(MAC, 0), port: 1}
    assert (counters.dropped, counters.punted) == ({}, {"local": 1})


@pytest.mark.parametrize("protocol", [2, 6, 17, 47, 50, 89, 112, 253])
@pytest.mark.parametrize("fragment", [0, p.DF, p.MF, p.MF | 9, 9])
def test_any_protocol_and_any_fragment(protocol: int, fragment: int) -> None:
    frame = to_router(w.R1, protocol=protocol, fragment=fragment)
    assert deliver(bed(), frame) == only(p1=[frame])


@pytest.mark.parametrize("options", [b"\1" * 4, b"\x94\4\0\0", b"\x9f\x28" + bytes(38)])
def test_options_are_delivered_with_the_packet(options: bytes) -> None:
    frame = to_router(w.R2, options=options)
    assert deliver(bed(), frame) == only(p1=[frame])


@pytest.mark.parametrize("padding", [b"\xff", b"\xff" * 18, b"\xff" * 1000])
def test_the_padding_of_the_link_stays_behind(padding: bytes) -> None:
    frame = to_router(w.R1, payload=b"")
    assert deliver(bed(), frame + padding) == only(p1=[frame])


def test_a_burst_keeps_its_order() -> None:
    bench, twins = bed(nic={"tx_descriptors": 512})
    frames = [to_router(w.R1, ident=ident) for ident in range(300)]
    assert w.exchange(bench, w.P1, frames) == SILENCE
    assert [frame.data for frame in twins[w.P1].received()] == frames


@pytest.mark.parametrize("destination", OWN.values())
@pytest.mark.parametrize(("protocol", "code"), [(p.UDP, 3), (p.TCP, 2), (2, 2), (253, 2), (89, 2)])
@pytest.mark.parametrize("ttl", [0, 1, 64])
def test_without_a_stack_nothing_is_open(
    ttl: int, protocol: int, code: int, destination: str
) -> None:
    """RFC 1122 3.2.2.1, whatever the TTL; a stack behind another port does not count."""
    bench = w.bed()
    stack(bench, w.P2)
    packet = p.ipv4(w.H1, destination, UDP, protocol=protocol, ttl=ttl)
    out = w.exchange(bench, w.P1, [p.ether(w.M1, w.h1, packet)] * 3)
    assert out == only(p1=[error_to_h1(packet, 3, code)] * 3)
    assert dropped(bench) == {"no_twin": 3}


@pytest.mark.parametrize(
    "frame",
    [
        p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R1, p.icmp(13), protocol=p.ICMP)),
        p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R1, p.icmp(3, 3), protocol=p.ICMP)),
        p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R1, UDP, fragment=9)),
        p.ether(p.BROADCAST, w.h1, p.ipv4(w.H1, "255.255.255.255", UDP)),
        p.ether(ALL_HOSTS, w.h1, p.ipv4(w.H1, "224.0.0.1", UDP)),
        p.ether(w.M1, w.h1, p.ipv4("0.0.0.0", w.R1, DHCP)),
    ],
)
def test_without_a_stack_others_are_dropped_silently(frame: bytes) -> None:
    """RFC 1812 4.3.2.1, 4.3.2.7."""
    bench = w.bed()
    assert w.exchange(bench, w.P1, [frame]) == SILENCE
    assert dropped(bench) == {"no_twin": 1}


def test_a_stack_that_is_slow_loses_packets() -> None:
    bench = w.bed(nic={"tx_descriptors": 4})
    station = bench.station("slow")
    bench.link(station, bench.only.twin(w.P1), rate="10M")
    w.exchange(bench, w.P1, [to_router(w.R1, ident=ident) for ident in range(20)])
    got = station.received_count
    assert 4 <= got < 20
    assert dropped(bench) == {"twin_full": 20 - got}


# --- broadcast and multicast ----------------------------------------------------------------------


@pytest.mark.parametrize("mac", [p.BROADCAST, w.M1])
@pytest.mark.parametrize("port", [67, 520, 137, 9])
@pytest.mark.parametrize("ttl", [0, 1, 64])
def test_a_limited_broadcast_is_for_the_stack_alone(mac: str, port: int, ttl: int) -> None:
    """RFC 1812 5.3.5.1: received, and never forwarded."""
    frame = to_router("255.255.255.255", mac=mac, payload=p.udp(1024, port), ttl=ttl)
    assert deliver(bed(), frame) == only(p1=[frame])


@pytest.mark.parametrize("mac", [p.BROADCAST, w.M1, ALL_HOSTS])
@pytest.mark.parametrize("destination", ["10.1.0.255", "10.2.0.255", "10.1.0.0", "10.2.0.0"])
def test_a_directed_broadcast_is_for_nobody(mac: str, destination: str) -> None:
    """RFC 2644: neither received nor forwarded; zero forms likewise (RFC 1812 5.3.5)."""
    world = bed()
    frame = to_router(destination, mac=mac, payload=p.udp(1024, 67))
    assert deliver(world, frame) == SILENCE
    assert dropped(world[0]) == {"directed_broadcast": 1}


@pytest.mark.parametrize("destination", ["198.18.255.255", "198.18.0.0"])
def test_a_broadcast_of_a_remote_network_is_a_packet_like_others(destination: str) -> None:
    """RFC 1812 5.3.5.2."""
    frame = to_router(destination)
    out = w.exchange(w.bed(), w.P1, [frame])
    assert out == only(p2=[p.forwarded(frame, w.M2, w.g2)])


@pytest.mark.parametrize(
    ("group", "mac"),
    [
        ("224.0.0.1", ALL_HOSTS),
        ("224.0.0.2", "01:00:5e:00:00:02"),
        ("224.0.0.5", "01:00:5e:00:00:05"),
        ("224.0.0.22", "01:00:5e:00:00:16"),
        ("224.0.0.5", p.BROADCAST),
    ],
)
@pytest.mark.parametrize("ttl", [1, 64])
def test_groups_of_routers_are_the_stacks(group: str, mac: str, ttl: int) -> None:
    """RFC 1812 5.2.3: joined by default; 224.0.0.0/24 is never forwarded."""
    frame = to_router(group, mac=mac, ttl=ttl, protocol=89)
    assert deliver(bed(), frame) == only(p1=[frame])


@pytest.mark.parametrize(
    ("group", "mac"), [("224.0.1.1", "01:00:5e:00:01:01"), ("239.1.1.1", "01:00:5e:01:01:01")]
)
def test_other_groups_are_not_routed(group: str, mac: str) -> None:
    world = bed()
    assert deliver(world, to_router(group, mac=mac)) == SILENCE
    assert dropped(world[0]) == {"multicast": 1}


@pytest.mark.parametrize("mac", [p.BROADCAST, ALL_HOSTS, "33:33:00:00:00:01"])
@pytest.mark.parametrize("destination", [w.R1, w.R2, w.A1, w.H2, w.U])
def test_a_link_broadcast_to_one_is_dropped(mac: str, destination: str) -> None:
    """RFC 1812 5.3.4."""
    world = bed()
    assert deliver(world, to_router(destination, mac=mac)) == SILENCE
    assert dropped(world[0]) == {"link_broadcast": 1}


# --- source 0.0.0.0 -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "mac"),
    [("255.255.255.255", p.BROADCAST), ("255.255.255.255", w.M1), (w.R1, w.M1), (w.R2, w.M1)],
)
def test_a_host_without_an_address_may_ask_for_one(destination: str, mac: str) -> None:
    """RFC 1812 9.1.2: DHCP and BOOTP."""
    frame = to_router(destination, mac=mac, src="0.0.0.0", payload=DHCP)
    assert deliver(bed(), frame) == only(p1=[frame])


def test_igmp_may_have_no_source() -> None:
    """RFC 3376 4.2.13."""
    frame = to_router("224.0.0.22", mac="01:00:5e:00:00:16", src="0.0.0.0", protocol=2, ttl=1)
    assert deliver(bed(), frame) == only(p1=[frame])


NO_SOURCE: dict[str, dict[str, object]] = {
    "another port": {"destination": w.R1, "payload": p.udp(68, 68)},
    "from port 67": {"destination": w.R1, "payload": p.udp(67, 68)},
    "another protocol": {"destination": w.R1, "payload": DHCP, "protocol": p.TCP},
    "echo": {"destination": w.R1, "payload": p.echo_request(), "protocol": p.ICMP},
    "a later fragment": {"destination": w.R1, "payload": DHCP, "fragment": 4},
    "no ports": {"destination": w.R1, "payload": DHCP[:3]},
    "to a neighbour": {"destination": w.H2, "payload": DHCP},
    "to a remote host": {"destination": w.A1, "payload": DHCP},
    "without a route": {"destination": w.U, "payload": DHCP},
    "to a group": {"destination": "224.0.0.12", "payload": DHCP},
    "to another group": {"destination": "239.1.1.1", "payload": DHCP},
    "source on network 0": {"destination": w.R1, "payload": DHCP, "src": "0.0.0.1"},
}


@pytest.mark.parametrize("name", NO_SOURCE)
def test_nobody_else_may_have_no_source(name: str) -> None:
    """RFC 1812 4.2.2.11."""
    world = bed()
    fields = {"src": "0.0.0.0", **NO_SOURCE[name]}
    assert deliver(world, to_router(**fields)) == SILENCE  # type: ignore[arg-type]
    assert dropped(world[0]) == {"martian_source": 1}


def test_padding_makes_no_port() -> None:
    """The datagram ends before its destination port; what would be one is the link's."""
    world = bed()
    frame = to_router(w.R1, src="0.0.0.0", payload=DHCP[:3])
    assert deliver(world, frame + DHCP[3:]) == SILENCE
    assert dropped(world[0]) == {"martian_source": 1}


# --- ARP and the stack ----------------------------------------------------------------------------


def test_the_stack_hears_what_it_was_answered() -> None:
    """It resolves for itself what it sends; the router answers those who ask."""
    bench, twins = bed(resolved=False)
    frame = told(w.P1, w.h1, w.H1)
    assert w.exchange(bench, w.P1, [frame]) == SILENCE
    assert [one.data for one in twins[w.P1].received()] == [frame]
    assert w.exchange(bench, w.P1, [arp(1, w.h1, w.H1, w.NO_MAC, w.R1)]) != SILENCE
    assert twins[w.P1].received_count == 1
    assert [str(one.address) for one in bench.only.neighbors()] == [w.H1]


# --- from the stack to the wire -------------------------------------------------------------------


@pytest.mark.parametrize("port", MAC)
@pytest.mark.parametrize(
    "frame",
    [
        p.ether(w.g1, w.M1, p.ipv4(w.R1, w.A1, UDP, ttl=1, tos=0xC0)),
        p.ether(ALL_HOSTS, w.M1, p.ipv4(w.R1, "224.0.0.1", UDP, ttl=1, options=b"\x94\4\0\0")),
        p.ether(w.g1, w.M1, p.ipv4(w.R1, w.A1, UDP, version=6, header_checksum=7)),
        p.ether(w.g1, "02:aa:aa:aa:aa:aa", bytes(range(100)), 0x88CC),
        asks(w.P1, w.H1),
        p.ether(w.g1, w.M1, bytes(1500)),
    ],
    ids=["transit", "multicast", "wrong", "LLDP", "ARP", "longest"],
)
def test_what_the_stack_sends_leaves_as_it_is(port: str, frame: bytes) -> None:
    """By the port of the twin; the host has routed it."""
    bench, twins = bed()
    twins[port].send(frame)
    bench.run_until_idle()
    assert w.received(bench, port) == [frame]
    assert [w.received(bench, other) for other in MAC if other != port] == [[], []]
    counters = bench.only.counters()
    assert (counters.received_twin[port], counters.sent[port]) == (1, 1)
    assert (counters.dropped, counters.forwarded) == ({}, 0)
    bench.check_conservation()


def test_the_stack_sends_a_burst_in_order() -> None:
    bench, twins = bed()
    frames = [p.ether(w.g1, w.M1, p.ipv4(w.R1, w.A1, UDP, ident=ident)) for ident in range(300)]
    twins[w.P1].send(*frames)
    bench.run_until_idle()
    assert w.received(bench, w.P1) == frames


@pytest.mark.parametrize("mtu", [68, 620, 1500])
def test_the_stack_keeps_to_the_mtu(mtu: int) -> None:
    bench, twins = bed(mtu2=mtu)
    longest = bytes(14 + mtu)
    twins[w.P2].send(longest, longest + b"\0", bytes(13), bytes(14))
    bench.run_until_idle()
    assert w.received(bench, w.P2) == [longest, bytes(60)]
    assert dropped(bench) == {"twin_frame": 2}
    bench.check_conservation()
