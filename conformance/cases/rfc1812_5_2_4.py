# SPDX-License-Identifier: MIT
"""RFC 1812 5.2.3, 5.2.4, 5.3.13.4: source routes on their way through the router."""

from twinroute.conformance.kit import (
    A1,
    DROP,
    ERR,
    FWD,
    G2,
    H1,
    H2,
    P1,
    R1,
    R2,
    T,
    Testbed,
    U,
    case,
    g2,
    h2,
)
from twinroute.conformance.options import loose, padded, strict

PROCESS = {"source_route": "process"}


@case("RFC1812-5.3.13.4-3", "RFC7126-4.3.5-2", "RFC7126-4.4.5-2")
def source_routes_are_dropped_by_default(t: Testbed) -> None:
    """Loose or strict, for others or for the router: dropped silently, and counted."""
    for make in (loose, strict):
        for dst in (A1, R1):
            for route in (make(H2), make(A1), make(G2, pointer=8)):
                t.send(P1, T(dst=dst, options=route))
                t.expect(DROP, drop="source_route", note=f"{dst}: {route.hex()}")


@case("RFC1812-5.3.13.4-1")
def source_routes_are_followed(t: Testbed) -> None:
    """The next address becomes the destination; that of the way out is recorded in its place."""
    t.configure(knobs=PROCESS)
    for make, to, mac in ((loose, A1, g2), (strict, H2, h2)):
        packet = T(dst=R1, options=make(to))
        t.send(P1, packet)
        t.expect(
            FWD(packet, to=mac, dst=to, options=padded(make(R2, pointer=8))),
            note=f"{make.__name__} to {to}",
        )
    packet = T(dst=R1, options=b"\1" + loose(H1, A1, U, pointer=8))
    t.send(P1, packet)
    wanted = b"\1" + loose(H1, R2, U, pointer=12)
    t.expect(FWD(packet, to=g2, dst=A1, options=wanted), note="half-way")


@case("RFC1812-5.2.3-2")
def own_hops_of_a_source_route(t: Testbed) -> None:
    """Next addresses that are the router's own are used up on the spot."""
    t.configure(knobs=PROCESS)
    for route, after in (
        (loose(R2, A1), loose(R2, R2, pointer=12)),
        (loose(R2, R1, A1, U), loose(R2, R2, R2, U, pointer=16)),
    ):
        packet = T(dst=R1, options=route)
        t.send(P1, packet)
        t.expect(FWD(packet, to=g2, dst=A1, options=padded(after)), note=route.hex())


@case("RFC1812-5.2.4.1-1")
def source_routes_of_others_are_carried(t: Testbed) -> None:
    """While the packet is not for the router, its destination field is its destination."""
    t.configure(knobs=PROCESS)
    for route in (loose(U), loose(U, pointer=8), loose(R1)):
        packet = T(options=route)
        t.send(P1, packet)
        t.expect(FWD(packet), note=route.hex())


@case("RFC1812-5.2.4.1-2")
def two_source_routes_are_an_error(t: Testbed) -> None:
    """A Parameter Problem that points at the second; by default silence."""
    packet = T(dst=R1, options=loose(A1) + b"\1" + loose(A1))
    t.send(P1, packet)
    t.expect(DROP, drop="source_route", note="by default")
    t.configure(knobs=PROCESS)
    for note, dst, second in (("two loose", R1, loose), ("mixed", R1, strict), ("A1", A1, loose)):
        packet = T(dst=dst, options=loose(A1) + b"\1" + second(A1))
        t.send(P1, packet)
        t.expect(ERR(packet, 12, 0, 28 << 24), drop="two_source_routes", note=note)


@case("RFC1812-5.2.4.3-1")
def strict_routes_lead_to_neighbours(t: Testbed) -> None:
    """A strict route's next address that is no neighbour's: code 5; a neighbour gets the packet."""
    packet = T(dst=R1, options=strict(A1))
    t.send(P1, packet)
    t.expect(DROP, drop="source_route", note="by default")
    t.configure(knobs=PROCESS)
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 5), drop="source_route_failed")
    packet = T(dst=R1, options=strict(H2))
    t.send(P1, packet)
    t.expect(FWD(packet, to=h2, dst=H2, options=padded(strict(R2, pointer=8))))


@case("RFC1812-5.2.4.3-7")
def code_of_no_route_at_the_end_of_a_source_route(t: Testbed) -> None:
    """No route: code 0, but 5 if the address is out of a source route."""
    packet = T(dst=U)
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 0), drop="no_route")
    routed = T(dst=R1, options=loose(U))
    t.send(P1, routed)
    t.expect(DROP, drop="source_route", note="by default")
    t.configure(knobs=PROCESS)
    for frame, code in ((routed, 5), (packet, 0)):
        t.send(P1, frame)
        t.expect(ERR(frame, 3, code), drop="no_route", note=f"code {code}")
