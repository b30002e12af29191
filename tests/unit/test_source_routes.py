# SPDX-License-Identifier: MIT
"""Source routes that are processed (RFC 791 3.1, RFC 1812 4.2.2.1, 5.2.3, 5.2.4): octets on every
port, and silence elsewhere."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import asks, dropped, icmp_error, only, stack, told
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))
LOOSE, STRICT = 131, 137
PROCESS = {"loose_source_route": "process", "strict_source_route": "process"}
BURSTS = [1, 67]


def route(kind: int, addresses: list[str], pointer: int = 4) -> bytes:
    """Return a source route option."""
    return bytes([kind, 3 + 4 * len(addresses), pointer]) + b"".join(
        map(p.address_bytes, addresses)
    )


def frame(packet: bytes) -> bytes:
    """Put a packet into a frame of H1 into p1."""
    return p.ether(w.M1, w.h1, packet)


def udp(dst: str, options: bytes, **fields: int) -> bytes:
    """Return a packet of H1."""
    return p.ipv4(w.H1, dst, UDP, options=options, **fields)


def echo(dst: str, options: bytes, kind: int = 8, src: str = w.H1, ident: int = 7) -> bytes:
    """Return an echo request, or a reply."""
    message = p.icmp(kind, 0, b"\0\1\0\1", b"ping")
    return p.ipv4(src, dst, message, protocol=p.ICMP, ident=ident, options=options)


def bed(**config: object) -> Bench:
    """Return the test bed with source routes processed."""
    return w.bed(options=PROCESS, **config)  # type: ignore[arg-type]


def out_by_p2(mac: str, packet: bytes) -> list[bytes]:
    """Return what leaves by p2 if this packet does."""
    return [p.pad(p.ether(mac, w.M2, packet))]


def error(packet: bytes, kind: int, code: int, pointer: int = 0) -> dict[str, list[bytes]]:
    """Return the ICMP error that H1 gets, without options, and silence elsewhere."""
    told_h1 = icmp_error(packet, kind, code, pointer << 24, sender=w.R1)
    return only(p1=[p.pad(p.ether(w.h1, w.M1, told_h1))])


# --- on the way -----------------------------------------------------------------------------------

FORWARDED = {
    # RFC 1812 5.3.13.4: the address that the packet leaves by is recorded
    "loose": (LOOSE, [w.A1], 4, w.A1, w.g2, [w.R2], 8),
    "loose to a host": (LOOSE, [w.H2], 4, w.H2, w.h2, [w.R2], 8),
    "strict to a host": (STRICT, [w.H2], 4, w.H2, w.h2, [w.R2], 8),
    "strict to a router": (STRICT, [w.G2, w.U], 4, w.G2, w.g2, [w.R2, w.U], 8),
    "half-way": (LOOSE, [w.G1, w.A1, w.U], 8, w.A1, w.g2, [w.G1, w.R2, w.U], 12),
    # RFC 1812 5.2.3: over own addresses
    "own hop": (LOOSE, [w.R2, w.A1], 4, w.A1, w.g2, [w.R2, w.R2], 12),
    "own hops": (LOOSE, [w.R3, w.R1, w.R1, w.A1, w.U], 4, w.A1, w.g2, [w.R2] * 4 + [w.U], 20),
    "strict own hop": (STRICT, [w.R2, w.H2], 4, w.H2, w.h2, [w.R2, w.R2], 12),
    "nine": (LOOSE, [w.R1] * 8 + [w.A1], 4, w.A1, w.g2, [w.R2] * 9, 40),
}


@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("name", FORWARDED)
def test_the_next_address_is_where_it_goes(name: str, burst: int) -> None:
    kind, addresses, pointer, dst, mac, recorded, after = FORWARDED[name]
    bench = bed()
    twin = stack(bench, w.P1)
    sent = [udp(w.R1, b"\1" + route(kind, addresses, pointer), ident=i) for i in range(burst)]
    wanted = [udp(dst, b"\1" + route(kind, recorded, after), ident=i, ttl=63) for i in range(burst)]
    out = w.exchange(bench, w.P1, map(frame, sent))
    assert out == only(p2=[p.ether(mac, w.M2, packet) for packet in wanted])
    assert twin.received() == []
    assert dropped(bench) == {}
    assert bench.only.counters().forwarded == burst


def test_a_loose_route_that_others_follow_is_carried() -> None:
    """RFC 1812 5.2.4.1: what counts is the destination, not where the route ends."""
    for pointer in (4, 8):
        packet = udp(w.A1, route(LOOSE, [w.U], pointer))
        out = w.exchange(bed(), w.P1, [frame(packet)])
        assert out == only(p2=[p.forwarded(frame(packet), w.M2, w.g2)])


def test_back_out_of_the_port_it_came_by() -> None:
    bench = bed(routes='[[route]]\nto = "198.20.0.0/16"\nvia = "10.1.0.254"')
    out = w.exchange(bench, w.P1, [frame(udp(w.R1, route(LOOSE, ["198.20.7.1"])))])
    wanted = udp("198.20.7.1", route(LOOSE, [w.R1], 8), ttl=63)
    assert out == only(p1=[p.ether(w.g1, w.M1, wanted)])  # and no redirect (RFC 1812 5.2.7.2)


def test_what_waits_for_a_neighbour_is_changed_once() -> None:
    bench = bed(resolved=False)
    bench.port(w.P1).send(frame(udp(w.R1, b"\1" + route(LOOSE, [w.R3, w.H2]))))
    bench.run(us=1)
    assert w.received(bench, w.P2) == [asks(w.P2, w.H2)]
    bench.port(w.P2).send(told(w.P2, w.h2, w.H2))
    bench.run_until_idle()
    wanted = udp(w.H2, b"\1" + route(LOOSE, [w.R2, w.R2], 12), ttl=63)
    assert w.received(bench, w.P2)[1:] == out_by_p2(w.h2, wanted)
    assert dropped(bench) == {"arp_done": 1}


def test_every_fragment_has_the_updated_route() -> None:
    """RFC 791 3.1: copied on fragmentation."""
    bench = bed(mtu2=620)
    data = bytes(i & 255 for i in range(1400))
    packet = p.ipv4(w.H1, w.R1, data, options=route(LOOSE, [w.A1]))
    parts = [p.ip_fields(p.ip_of(one)) for one in w.exchange(bench, w.P1, [frame(packet)])[w.P2]]
    assert [part["options"] for part in parts] == [route(LOOSE, [w.R2], 8) + b"\0"] * 3
    assert {part["dst"] for part in parts} == {w.A1}
    assert b"".join(part["payload"] for part in parts) == data  # type: ignore[misc]


# --- what goes wrong ------------------------------------------------------------------------------

TWICE = route(LOOSE, [w.A1]) + b"\1" + route(LOOSE, [w.A1])
ERRORS = {
    # RFC 1812 5.2.4.3
    "strict, not adjacent": (w.R1, route(STRICT, [w.A1]), 3, 5, 0, "source_route_failed"),
    "strict, no route": (w.R1, route(STRICT, [w.U]), 3, 5, 0, "source_route_failed"),
    "loose, no route": (w.R1, route(LOOSE, [w.U]), 3, 5, 0, "no_route"),
    "to a broadcast address": (w.R1, route(LOOSE, ["10.2.0.255"]), 3, 5, 0, "source_route_failed"),
    "to everybody": (w.R1, route(LOOSE, ["255.255.255.255"]), 3, 5, 0, "source_route_failed"),
    "to a group": (w.R1, route(LOOSE, ["224.0.0.5"]), 3, 5, 0, "source_route_failed"),
    "to a martian": (w.R1, route(LOOSE, ["127.0.0.1"]), 3, 5, 0, "source_route_failed"),
    # RFC 1812 5.2.2
    "strict, by somebody else": (
        *(w.A1, route(STRICT, [w.A1, "10.9.9.9"]), 12, 0, 16, "strict_route_left"),
    ),
    "strict and done": (w.A1, route(STRICT, [w.R1], 8), 12, 0, 16, "strict_route_left"),
    # RFC 1812 5.2.4.1
    "two": (w.R1, TWICE, 12, 0, 28, "two_source_routes"),
    "two of both": (
        *(w.R1, route(STRICT, [w.H2]) + route(LOOSE, [w.H2]), 12, 0, 27, "two_source_routes"),
    ),
    "two to others": (w.A1, TWICE, 12, 0, 28, "two_source_routes"),
    # RFC 791 3.1
    **{
        f"pointer {pointer}": (w.R1, route(LOOSE, [w.A1], pointer), 12, 0, 22, "bad_options")
        for pointer in (0, 1, 3, 5, 7)
    },
    "no address": (w.R1, b"\x83\3\4\0", 12, 0, 21, "bad_options"),
    "half an address": (w.R1, b"\x83\x09\4" + bytes(6), 12, 0, 21, "bad_options"),
    "beyond the header": (w.R1, b"\x83\x0b\4" + bytes(5), 12, 0, 21, "bad_options"),
}


@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str, burst: int) -> None:
    dst, options, kind, code, pointer, reason = ERRORS[name]
    bench = bed()
    packet = udp(dst, options)
    (one,) = error(packet, kind, code, pointer)[w.P1]
    assert w.exchange(bench, w.P1, [frame(packet)] * burst) == only(p1=[one] * burst)
    assert dropped(bench) == {reason: burst}


def test_a_silent_next_address_fails_the_route() -> None:
    """RFC 1812 5.2.7.1: not host unreachable."""
    bench = bed(resolved=False, slow={"arp_retry_ms": 1})
    bench.only.neighbor_set(w.P1, w.H1, w.h1)
    bench.settle()
    packet = udp(w.R1, route(LOOSE, [w.H2]))
    out = w.exchange(bench, w.P1, [frame(packet)])
    assert out == {**error(packet, 3, 5), w.P2: [asks(w.P2, w.H2)] * 3}
    assert dropped(bench) == {"neighbor_failed": 1}


def test_other_errors_quote_the_packet_as_it_came() -> None:
    bench = bed(mtu2=620)
    expired = udp(w.R1, route(LOOSE, [w.R2, w.A1]), ttl=1)
    assert w.exchange(bench, w.P1, [frame(expired)]) == error(expired, 11, 0)
    options = route(LOOSE, [w.A1])
    long = p.ipv4(w.H1, w.R1, bytes(1000), options=options, fragment=p.DF)
    too_long = icmp_error(long, 3, 4, 620, sender=w.R1)
    assert w.exchange(bench, w.P1, [frame(long)]) == only(p1=[p.ether(w.h1, w.M1, too_long)])


# --- for the router -------------------------------------------------------------------------------


def test_a_route_that_ends_here_is_delivered_as_it_came() -> None:
    """RFC 1812 4.2.2.1: the recorded route is for the host stack."""
    bench = bed()
    twin = stack(bench, w.P1)
    for kind in (LOOSE, STRICT):
        packet = frame(udp(w.R1, route(kind, [w.G1], 8)))
        assert w.exchange(bench, w.P1, [packet]) == only()
        assert twin.received()[-1].data == packet


def test_own_hops_may_lead_to_the_router() -> None:
    bench = bed()
    twin = stack(bench, w.P1)
    assert w.exchange(bench, w.P1, [frame(udp(w.R1, route(LOOSE, [w.R2, w.R3])))]) == only()
    (got,) = twin.received()
    assert got.data == frame(udp(w.R3, route(LOOSE, [w.R1, w.R1], 12)))


REPLIES = {
    # RFC 1812 4.2.2.1, 4.3.3.6: recorded route, pointer; who gets the reply, and its route
    "one": ([w.G1], 8, w.G1, w.g1, [w.H1]),
    "the source first": ([w.H1, w.G1], 12, w.G1, w.g1, [w.H1]),
    "two": (["192.0.2.9", w.G1], 12, w.G1, w.g1, ["192.0.2.9", w.H1]),
    "pointer far beyond": ([w.G1], 255, w.G1, w.g1, [w.H1]),
    "the router last": ([w.G1, w.R1, w.R3], 16, w.G1, w.g1, [w.H1]),
    "the router alone": ([w.R2], 8, w.H1, w.h1, []),
    "the source alone": ([w.H1], 8, w.H1, w.h1, []),
}


@pytest.mark.parametrize("kind", [LOOSE, STRICT])
@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_goes_back_the_same_way(name: str, kind: int) -> None:
    recorded, pointer, dst, mac, ahead = REPLIES[name]
    bench = bed()
    out = w.exchange(bench, w.P1, [frame(echo(w.R1, route(kind, recorded, pointer)))])
    wanted = echo(dst, route(kind, ahead) if ahead else b"", 0, w.R1)
    assert out == only(p1=[p.pad(p.ether(mac, w.M1, wanted))])
    assert dropped(bench) == {"echo_answered": 1}


def test_a_reply_that_cannot_go_back_strictly_ends() -> None:
    bench = bed()
    assert w.exchange(bench, w.P1, [frame(echo(w.R1, route(STRICT, [w.A1], 8)))]) == only()
    assert dropped(bench) == {"echo_answered": 1, "source_route_failed": 1}


@pytest.mark.parametrize("kind", [LOOSE, STRICT])
def test_an_error_goes_back_the_same_way(kind: int) -> None:
    """RFC 1812 4.3.2.6: by what is recorded, not by what lay ahead."""
    packet = udp(w.R1, route(kind, [w.G1, w.U], 8))
    sent = frame(packet)[:6] + p.mac_bytes(w.g1) + frame(packet)[12:]
    wanted = icmp_error(packet, 3, 5, sender=w.R1, to=w.G1, options=route(kind, [w.H1]))
    out = w.exchange(bed(), w.P1, [sent])
    assert out == only(p1=[p.pad(p.ether(w.g1, w.M1, wanted))])


def test_an_error_with_a_route_is_no_longer_than_another() -> None:
    packet = p.ipv4(w.H1, w.R1, bytes(1000), options=route(LOOSE, [w.G1, w.U], 8))
    ((got,), *_) = w.exchange(bed(), w.P1, [frame(packet)]).values()
    assert len(p.ip_of(got)) == 576
    assert p.checksum(p.ip_of(got)[28:]) == 0


# --- not processed --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LOOSE, STRICT])
@pytest.mark.parametrize("dst", [w.A1, w.R1])
def test_by_default_it_is_dropped_silently(kind: int, dst: str) -> None:
    """RFC 7126 4.3.5, 4.4.5; RFC 1812 5.3.13.4 had it otherwise."""
    bench = w.bed()
    for options in (route(kind, [w.A1]), bytes([kind, 0]), bytes([kind, 255]), TWICE):
        assert w.exchange(bench, w.P1, [frame(udp(dst, options))]) == only()
    assert dropped(bench) == {"source_route": 4}


@pytest.mark.parametrize("kind", [LOOSE, STRICT])
def test_ignored_it_is_a_packet_like_others(kind: int) -> None:
    bench = w.bed(options=dict.fromkeys(PROCESS, "ignore"))
    twin = stack(bench, w.P1)
    for pointer in (0, 4, 8):
        transit, local = (frame(udp(dst, route(kind, [w.H2], pointer))) for dst in (w.A1, w.R1))
        out = w.exchange(bench, w.P1, [transit, local])
        assert out == only(p2=[p.forwarded(transit, w.M2, w.g2)])
        assert twin.received()[-1].data == local


@pytest.mark.parametrize("other", ["ignore", "process", "drop"])
@pytest.mark.parametrize("dst", [w.A1, w.R1])
def test_two_are_dropped_whatever_the_policy(other: str, dst: str) -> None:
    """RFC 7126 4.3, RFC 1812 5.2.4.1."""
    packet = udp(dst, route(LOOSE, [w.H2]) + route(STRICT, [w.H2]))
    bench = w.bed(options={"loose_source_route": "ignore", "strict_source_route": other})
    told_h1 = only() if other == "drop" else error(packet, 12, 0, 27)
    assert w.exchange(bench, w.P1, [frame(packet)]) == told_h1
    assert dropped(bench) == {"source_route" if other == "drop" else "two_source_routes": 1}
