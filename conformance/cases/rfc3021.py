# SPDX-License-Identifier: MIT
"""RFC 3021: point-to-point links with two addresses, 10.3.0.0/31, either of them the router's."""

from collections.abc import Iterator

from twinroute.conformance.frames import ICMP
from twinroute.conformance.kit import (
    A1,
    ALONE,
    ASKS,
    BROADCAST,
    ERR,
    FWD,
    G3,
    H1,
    H3,
    M3,
    OUT,
    P1,
    P2,
    P3,
    REPLY,
    ROUTES,
    TWIN,
    T,
    Testbed,
    U,
    arp,
    case,
    echo_request,
    ether,
    h3,
    ipv4,
    ping,
    twin,
    udp,
)
from twinroute.conformance.wanted import STACK

ZERO, ONE = "10.3.0.0", "10.3.0.1"
ROLES = ((ZERO, ONE), (ONE, ZERO))  # the router's, its peer's


def link(t: Testbed, own: str, peer: str, *, known: bool = True) -> None:
    """Set a bed up where P3 is such a link."""
    t.configure(
        addresses={P1: ("10.1.0.1/24",), P2: ("10.2.0.1/24",), P3: (f"{own}/31",)},
        routes=ROUTES[:1],
        unresolved=(H3, G3, *(() if known else (peer,))),
        neighbors={P3: {peer: h3}} if known else {},
    )
    good = T(peer, A1, port=P3, sport=2000)
    t.goods(P3, good, FWD(good))


def both_roles(t: Testbed) -> Iterator[tuple[str, str]]:
    """Set the link up in either way, one after the other."""
    for own, peer in ROLES:
        link(t, own, peer)
        yield own, peer


@case("RFC3021-2.1-1", "RFC3021-3.3-2", "RFC3021-3.3-3")
def both_addresses_are_hosts(t: Testbed) -> None:
    """The peer's is forwarded to, the router's own answers, whichever is all zeros or all ones."""
    for own, peer in both_roles(t):
        packet = T(dst=peer)
        t.send(P1, packet)
        t.expect(FWD(packet, P3, to=h3), note=f"to {peer}")
        t.send(P1, ping(own))
        t.expect(REPLY(ping(own)), drop="echo_answered", note=f"ping {own}")
        closed = T(dst=own)
        t.local(closed, ERR(closed, 3, 3, source=own), note=f"UDP to {own}")
        request = ping(own, peer, port=P3)
        t.send(P3, request)
        t.expect(REPLY(request, P3, to=h3), drop="echo_answered", note=f"{peer} pings {own}")


@case("RFC3021-2.2-1", needs=("twin",))
def broadcasts_of_such_a_link(t: Testbed) -> None:
    """Only 255.255.255.255 is broadcast there: all that leaves for the others is unicast."""
    for own, peer in both_roles(t):
        frame = ether(
            BROADCAST, M3, ipv4(own, "255.255.255.255", udp(own, "255.255.255.255", 9, 9))
        )
        t.send(twin(P3), frame)
        t.expect(OUT(P3, frame, kind=STACK), note="of the host stack")
        heard = T(peer, "255.255.255.255", port=P3, dmac=BROADCAST)
        t.send(P3, heard)
        t.expect(TWIN(heard, P3), note="of the peer")
        for packet in (T(dst=peer), ping(peer)):
            t.send(P1, packet)
            t.expect(FWD(packet, P3, to=h3), note=f"{peer} is no broadcast")


@case("RFC3021-3.3-1")
def both_addresses_are_sources(t: Testbed) -> None:
    """Packets of the peer are forwarded, and errors about them are sent."""
    for own, peer in both_roles(t):
        packet = T(peer, H1, port=P3)
        t.send(P3, packet)
        t.expect(FWD(packet, P1), note=f"of {peer}")
        for packet, code, reason in (
            (T(peer, U, port=P3), (3, 0), "no_route"),
            (T(peer, H1, port=P3, ttl=1), (11, 0), "ttl_expired"),
        ):
            t.send(P3, packet)
            error = ERR(packet, *code, port=P3, source=own, to=h3)
            t.expect(error, drop=reason, note=f"{reason}, of {peer}")


@case("RFC3021-3.3-4", bursts=ALONE, arp=True, needs=("twin",))
def the_router_sends_to_all_zeros(t: Testbed) -> None:
    """10.3.0.0 is asked for and sent to, by the host stack and by the router's own errors."""
    link(t, ONE, ZERO, known=False)
    asks = arp(1, M3, ONE, "00:00:00:00:00:00", ZERO)
    told = arp(2, h3, ZERO, M3, ONE)
    t.send(twin(P3), asks)
    t.expect(OUT(P3, asks, "the stack's ARP request", kind=STACK))
    t.send(P3, told)
    t.expect(TWIN(told, P3), drop="arp_done")
    request = ether(h3, M3, ipv4(ONE, ZERO, echo_request(), protocol=ICMP))
    t.send(twin(P3), request)
    t.expect(OUT(P3, request, "the stack's echo request", kind=STACK))
    link(t, ONE, ZERO, known=False)
    packet = T(ZERO, U, port=P3, smac=h3)
    t.send(P3, packet)
    t.expect(ASKS(P3, ZERO, sender=ONE), drop="no_route", within_ms=100)
    t.send(P3, told)
    t.expect(ERR(packet, 3, 0, port=P3, source=ONE, to=h3), drop="arp_done")
