# SPDX-License-Identifier: MIT
"""ICMP errors, octet by octet, wherever in a burst the packet is that they are about."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import MAC, SILENCE, asks, dropped, error_to_h1, icmp_error, only, told
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))
DEAD_ENDS = "\n".join(
    f'[[route]]\nto = "203.0.113.{i * 64}/26"\nkind = "{kind}"'
    for i, kind in enumerate(("unreachable", "prohibit", "blackhole"))
)
UNREACHABLE, PROHIBITED, BLACKHOLE = "203.0.113.1", "203.0.113.65", "203.0.113.129"
MTU = 620

# Packets of H1 into p1 of a bed whose p2 has that MTU: type, code, octets 4 to 7, drop reason.
ERRORS: dict[str, tuple[bytes, int, int, int, str]] = {
    "TTL 1": (p.ipv4(w.H1, w.A1, UDP, ttl=1), 11, 0, 0, "ttl_expired"),
    "TTL 0": (p.ipv4(w.H1, w.A1, UDP, ttl=0), 11, 0, 0, "ttl_expired"),
    "TTL 1 to a host": (p.ipv4(w.H1, w.H2, UDP, ttl=1), 11, 0, 0, "ttl_expired"),
    "TTL 1 to nobody yet": (p.ipv4(w.H1, "10.2.0.99", UDP, ttl=1), 11, 0, 0, "ttl_expired"),
    "TTL 1 and too long": (
        p.ipv4(w.H1, w.A1, bytes(MTU), ttl=1, fragment=p.DF),
        *(11, 0, 0, "ttl_expired"),
    ),
    "no route": (p.ipv4(w.H1, w.U, UDP), 3, 0, 0, "no_route"),
    "no route, TTL 1": (p.ipv4(w.H1, w.U, UDP, ttl=1), 3, 0, 0, "no_route"),
    "unreachable": (p.ipv4(w.H1, UNREACHABLE, UDP), 3, 1, 0, "unreachable"),
    "prohibit": (p.ipv4(w.H1, PROHIBITED, UDP), 3, 13, 0, "prohibit"),
    "too long": (
        p.ipv4(w.H1, w.A1, bytes(MTU - 19), fragment=p.DF),
        *(3, 4, MTU, "fragmentation_needed"),
    ),
    "too long for a host": (
        p.ipv4(w.H1, w.H2, bytes(1480), fragment=p.DF),
        *(3, 4, MTU, "fragmentation_needed"),
    ),
    "first fragment too long": (
        p.ipv4(w.H1, w.A1, bytes(1000), fragment=p.DF | p.MF),
        *(3, 4, MTU, "fragmentation_needed"),
    ),
    "first fragment": (p.ipv4(w.H1, w.U, UDP, fragment=p.MF), 3, 0, 0, "no_route"),
    "options": (p.ipv4(w.H1, w.U, UDP, options=b"\1" * 40), 3, 0, 0, "no_route"),
}
PLACES = [(1, 0), (67, 0), (67, 33), (67, 63), (67, 64), (67, 66)]


def transit(**fields: object) -> bytes:
    """Return a packet H1 -> A1 in its frame."""
    return frame(p.ipv4(**{"src": w.H1, "dst": w.A1, "payload": UDP, **fields}))  # type: ignore[arg-type]


def frame(packet: bytes) -> bytes:
    """Put a packet into a frame from H1 into p1."""
    return p.ether(w.M1, w.h1, packet)


@pytest.fixture(scope="module")
def bench() -> Bench:
    """One bed for all tests that leave it as it was."""
    return w.bed(routes=DEAD_ENDS, mtu2=MTU)


def counted(bench: Bench, before: dict[str, int]) -> dict[str, int]:
    """Return what was dropped since."""
    now = dropped(bench)
    return {name: now[name] - before.get(name, 0) for name in now if now[name] != before.get(name)}


@pytest.mark.parametrize(("burst", "place"), PLACES)
@pytest.mark.parametrize("name", ERRORS)
def test_error(bench: Bench, name: str, burst: int, place: int) -> None:
    """Exactly the error leaves by p1; the packet itself goes nowhere, the others on their way."""
    packet, kind, code, rest, reason = ERRORS[name]
    before = bench.only.counters()
    frames = [transit(ident=i) for i in range(burst)]
    frames[place] = frame(packet)
    out = w.exchange(bench, w.P1, frames)
    passed = [p.forwarded(one, w.M2, w.g2) for i, one in enumerate(frames) if i != place]
    assert out == only(p1=[error_to_h1(packet, kind, code, rest)], p2=passed)
    assert counted(bench, dict(before.dropped)) == {reason: 1}
    after = bench.only.counters()
    assert after.generated == before.generated + 1
    assert after.forwarded == before.forwarded + burst - 1
    assert after.sent_twin == before.sent_twin


def test_a_blackhole_is_silent(bench: Bench) -> None:
    before = dropped(bench)
    assert w.exchange(bench, w.P1, [transit(dst=BLACKHOLE)]) == SILENCE
    assert w.exchange(bench, w.P1, [transit(dst=BLACKHOLE, ttl=1)]) == SILENCE
    assert w.exchange(bench, w.P1, [transit(dst=BLACKHOLE, options=b"\1")]) == SILENCE
    assert counted(bench, before) == {"blackhole": 3}


@pytest.mark.parametrize("data", [0, 1, 8, 527, 528, 529, 1000, 1480])
def test_as_much_is_quoted_as_makes_576_octets(bench: Bench, data: int) -> None:
    """RFC 1812 4.3.2.3; odd lengths have a right checksum too (RFC 792)."""
    packet = p.ipv4(w.H1, w.U, bytes(i * 7 & 255 for i in range(data)))
    (error,) = w.exchange(bench, w.P1, [frame(packet)])[w.P1]
    assert error == error_to_h1(packet, 3, 0)
    ip = p.ip_of(error)
    assert len(ip) == min(28 + len(packet), 576)
    assert p.checksum(ip[20:]) == 0


@pytest.mark.parametrize("tail", [b"", b"\xff" * 20])
def test_the_padding_of_the_link_is_not_quoted(bench: Bench, tail: bytes) -> None:
    packet = p.ipv4(w.H1, w.U, b"four")
    out = w.exchange(bench, w.P1, [frame(packet) + tail])
    assert out == only(p1=[error_to_h1(packet, 3, 0)])


@pytest.mark.parametrize("ttl", [0, 1, 2, 17, 64, 200, 255])
def test_the_ttl_is_the_routers_own(bench: Bench, ttl: int) -> None:
    """RFC 1812 4.3.2.2."""
    packet = p.ipv4(w.H1, w.U, UDP, ttl=ttl)
    (error,) = w.exchange(bench, w.P1, [frame(packet)])[w.P1]
    assert error == error_to_h1(packet, 3, 0)
    assert error[22] == 64


@pytest.mark.parametrize("tos", [0, 0x03, 0x10, 0xB8, 0xE0, 0xFF, *range(0, 256, 32)])
def test_the_precedence_is_6_whatever_the_packets(bench: Bench, tos: int) -> None:
    """RFC 1812 4.3.2.5, today DSCP CS6 and no ECN."""
    packet = p.ipv4(w.H1, w.A1, UDP, ttl=1, tos=tos)
    (error,) = w.exchange(bench, w.P1, [frame(packet)])[w.P1]
    assert error == error_to_h1(packet, 11, 0)
    assert error[15] == 0xC0


@pytest.mark.parametrize("ident", [0, 1, 0xFFFF])
@pytest.mark.parametrize("flags", [0, 0x8000, p.DF, p.MF])
def test_the_header_is_quoted_unaltered(bench: Bench, ident: int, flags: int) -> None:
    """RFC 1812 4.3.2.3: TTL and checksum, id and flags as they were received."""
    packet = p.ipv4(w.H1, w.A1, UDP, ttl=1, ident=ident, fragment=flags, tos=0x28)
    (error,) = w.exchange(bench, w.P1, [frame(packet)])[w.P1]
    assert p.ip_of(error)[28:] == packet


@pytest.mark.parametrize(
    ("source", "port", "mac", "sender"),
    [
        (w.H1, w.P1, w.h1, w.R1),
        ("198.19.0.9", w.P3, w.g3, w.R3),
        ("198.18.0.9", w.P2, w.g2, w.R2),
        (w.H3, w.P3, w.h3, w.R3),
    ],
)
def test_the_error_takes_the_way_to_the_source(
    bench: Bench, source: str, port: str, mac: str, sender: str
) -> None:
    """RFC 1812 4.3.2.4: by whichever port, and from an address of that port."""
    packet = p.ipv4(source, w.U, UDP)
    error = icmp_error(packet, 3, 0, sender=sender)
    expected = {**SILENCE, port: [p.ether(mac, MAC[port], error)]}
    assert w.exchange(bench, w.P1, [frame(packet)]) == expected


def test_the_sender_is_the_address_in_the_gateways_subnet() -> None:
    bench = Bench(guard_tables=True)
    port = {"address": ["10.1.0.1/24", "10.8.0.1/24"], "mac": w.M1}
    route = [{"to": "198.19.0.0/16", "via": "10.8.0.254"}]
    neighbor = [{"port": "p1", "address": "10.8.0.254", "mac": w.g1}]
    router = bench.router(port={"p1": port}, route=route, neighbor=neighbor)
    bench.link(bench.station("s"), router.port("p1"))
    bench.settle()
    packet = p.ipv4("198.19.0.9", w.U, UDP)
    bench.port("p1").send(frame(packet))
    bench.run_until_idle()
    error = p.ether(w.g1, w.M1, icmp_error(packet, 3, 0, sender="10.8.0.1"))
    assert w.received(bench, "p1") == [error]


@pytest.mark.parametrize("mtu", [68, 69, 575, 576, 577, 1499])
def test_the_mtu_of_the_next_hop_is_told(mtu: int) -> None:
    """RFC 1191 4: in the low 16 bits; exactly so long a packet passes."""
    bench = w.bed(mtu2=mtu)
    good = p.ipv4(w.H1, w.A1, bytes(mtu - 20), fragment=p.DF)
    long = p.ipv4(w.H1, w.A1, bytes(mtu - 19), fragment=p.DF)
    out = w.exchange(bench, w.P1, [frame(long), frame(good)])
    assert out[w.P1] == [error_to_h1(long, 3, 4, mtu)]
    assert out[w.P2] == [p.forwarded(frame(good), w.M2, w.g2)]
    assert out[w.P1][0][38:42] == b"\0\0" + mtu.to_bytes(2, "big")


def test_an_error_is_no_longer_than_its_own_way() -> None:
    bench = w.bed(mtu1=300)
    packet = p.ipv4(w.H1, w.U, bytes(1000))
    error = p.ether(w.h1, w.M1, icmp_error(packet, 3, 0, sender=w.R1, mtu=300))
    assert w.exchange(bench, w.P1, [frame(packet)]) == only(p1=[error])
    assert len(error) == 314


def test_with_a_default_route_the_packet_goes_on() -> None:
    """RFC 1812 4.3.3.1."""
    bench = w.bed(routes=f'[[route]]\nto = "0.0.0.0/0"\nvia = "{w.G2}"')
    out = w.exchange(bench, w.P1, [transit(dst=w.U)])
    assert out == only(p2=[p.forwarded(transit(dst=w.U), w.M2, w.g2)])


@pytest.mark.parametrize("kind", [0, 8, 9, 10, 13, 14, 15, 16, 17, 18])
def test_icmp_queries_get_errors(bench: Bench, kind: int) -> None:
    packet = p.ipv4(w.H1, w.U, p.icmp(kind), protocol=p.ICMP)
    assert w.exchange(bench, w.P1, [frame(packet)]) == only(p1=[error_to_h1(packet, 3, 0)])


def test_an_error_for_a_source_that_is_not_resolved_waits() -> None:
    bench = w.bed(resolved=False)
    source = "10.3.0.9"
    lost = p.ipv4(source, w.U, p.udp(1024, 9))
    bench.port(w.P1).send(p.ether(w.M1, w.h1, lost))
    bench.run(us=1)
    assert [w.received(bench, port) for port in (w.P1, w.P2, w.P3)] == [
        [],
        [],
        [asks(w.P3, source)],
    ]
    bench.port(w.P3).send(told(w.P3, w.h3, source))
    bench.run_until_idle()
    error = p.ether(w.h3, w.M3, icmp_error(lost, 3, 0, sender=w.R3))
    assert w.received(bench, w.P3)[1:] == [error]
    assert dropped(bench) == {"no_route": 1, "arp_done": 1}


def test_no_error_about_an_error_that_finds_nobody() -> None:
    bench = w.bed(resolved=False, slow={"arp_retry_ms": 1})
    assert w.exchange(bench, w.P1, [transit(dst=w.U)]) == only(p1=[asks(w.P1, w.H1)] * 3)
    assert dropped(bench) == {"no_route": 1, "neighbor_failed": 1}
