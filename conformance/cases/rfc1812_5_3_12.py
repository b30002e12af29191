# SPDX-License-Identifier: MIT
"""RFC 1812 3.3.6, 5.3.11, 5.3.12, 10.2.1: ports down, not forwarding, or without an address."""

from collections.abc import Callable

from twinroute.conformance.kit import (
    ANY,
    B1,
    DROP,
    EITHER,
    ERR,
    FWD,
    G1,
    G2,
    G3,
    H1,
    H2,
    H3,
    M2,
    OUT,
    P1,
    P2,
    P3,
    R2,
    REPLY,
    ROUTES,
    Route,
    T,
    Testbed,
    U,
    Wanted,
    case,
    echo_request,
    ether,
    g2,
    h2,
    ipv4,
    ping,
    twin,
)

TWO_WAYS = (
    Route("198.18.0.0/16", G2, metric=10),
    Route("198.18.0.0/16", G3, metric=20),
    ROUTES[1],
)
ALTERNATIVES = (ROUTES, TWO_WAYS)
OF_STACK = ether(g2, M2, ipv4(R2, "198.18.0.9", bytes(40), protocol=89))
Switch = Callable[[Testbed, bool], None]


def _by_link(t: Testbed, up: bool) -> None:
    """The link of P2, at the tester's end."""
    t.link(P2, up=up)
    t.run(ms=900)


def _by_command(t: Testbed, up: bool) -> None:
    """P2 by the management."""
    t.reconfigure(knobs={"port_up.p2": up})
    t.run(ms=900)


def _sent(t: Testbed, packet: bytes, wanted: Wanted, drop: str | None, note: str) -> None:
    t.send(P1, packet)
    t.expect(wanted, drop=drop, note=note)


def _good_by_p3(t: Testbed) -> None:
    t.goods(P1, T(dst=B1), FWD(T(dst=B1), P3))


def _down_and_up(t: Testbed, switch: Switch) -> None:
    """The routes by P2 go with it, and come again; so does the carrier of its twin."""
    for routes in ALTERNATIVES:
        t.configure(routes=routes)
        _good_by_p3(t)
        _sent(t, T(), FWD(T()), None, "up")
        switch(t, False)
        if routes is ROUTES:
            _sent(t, T(), ERR(T(), 3, 0), "no_route", "down")
        else:
            _sent(t, T(), FWD(T(), P3), None, "down: by the other gateway")
        t.send(twin(P2), OF_STACK)
        # A kernel loses the packet itself, for it sees that the carrier is gone.
        lost = "port_down" if t.has("virtual-time") else ANY
        t.expect(DROP, drop=lost, note="the stack's side is cut off")
        switch(t, True)
        _sent(t, T(), FWD(T()), None, "up again")
        t.send(twin(P2), OF_STACK)
        t.expect(OUT(P2, OF_STACK, "the stack's packet"), note="the stack's side is back")


@case("RFC1812-3.3.6-3", needs=("change", "twin"))
def a_port_is_put_down(t: Testbed) -> None:
    """By the management: the stack's side loses its carrier, routes go; and all is back with it."""
    _down_and_up(t, _by_command)


@case("RFC1812-3.3.6-4", needs=("link", "twin"))
def a_link_is_lost(t: Testbed) -> None:
    """At the other end: the same without any command."""
    _down_and_up(t, _by_link)


@case("RFC1812-5.3.12.3-1", "RFC1812-5.3.12.3-2", "RFC1812-5.3.12.4-1", needs=("link",))
def routes_go_with_their_port(t: Testbed) -> None:
    """A static route by one gateway, and the port's own subnet; without reconfiguration back."""
    t.configure()
    _good_by_p3(t)
    _sent(t, T(), FWD(T()), None, "up")
    for _ in range(2):
        _by_link(t, False)
        _sent(t, T(), ERR(T(), 3, 0), "no_route", "down")
        _by_link(t, True)
        _sent(t, T(), FWD(T()), None, "up again")
        _sent(t, T(dst=H2), FWD(T(dst=H2), to=h2), None, "its own subnet")


@case(
    *("RFC1812-5.3.12.3-3", "RFC1812-5.3.12.4-3", "RFC1812-5.2.4.3-6"),
    needs=("link",),
)
def the_next_best_route_takes_over(t: Testbed) -> None:
    """Metric 10 by P2, 20 by P3: the worse one counts while P2 is down, and no longer."""
    for routes in (TWO_WAYS, (TWO_WAYS[1], TWO_WAYS[0], TWO_WAYS[2])):
        t.configure(routes=routes)
        _good_by_p3(t)
        _sent(t, T(), FWD(T()), None, "metric 10")
        _by_link(t, False)
        _sent(t, T(), FWD(T(), P3), None, "metric 20")
        _by_link(t, True)
        _sent(t, T(), FWD(T()), None, "metric 10 again")


@case("RFC1812-5.3.12.3-4", needs=("link",))
def unreachable_by_a_port_that_is_down(t: Testbed) -> None:
    """No alternative: the sender is told, about what is routed and about an attached host."""
    t.configure()
    _good_by_p3(t)
    _by_link(t, False)
    _sent(t, T(), ERR(T(), 3, 0), "no_route", "routed")
    packet = T(dst=H2)
    _sent(t, packet, EITHER(ERR(packet, 3, 0), ERR(packet, 3, 1)), "no_route", "attached")


# --- forwarding switched off ----------------------------------------------------------------------


@case("RFC1812-5.3.11-2")
def a_port_that_does_not_forward(t: Testbed) -> None:
    """What comes by it for others ends in silence; the router itself answers."""
    t.configure(knobs={"port_forwarding.p1": False})
    t.goods(P1, None)
    for packet in (T(), T(dst=H2), T(dst=U), T(ttl=1), T(options=b"\1")):
        t.send(P1, packet)
        t.expect(DROP, drop="forwarding_off")
    t.send(P1, ping())
    t.expect(REPLY(ping()), drop="echo_answered", note="for the router")
    packet = T(H2, H3, port=P2)
    t.goods(P2, packet, FWD(packet, P3))
    t.send(P2, packet)
    t.expect(FWD(packet, P3), note="by other ports")


@case("RFC1812-5.3.11-3", needs=("twin",))
def nothing_of_others_leaves(t: Testbed) -> None:
    """Out of a port without forwarding: the router's own packets alone."""
    t.configure(knobs={"port_forwarding.p2": False})
    _good_by_p3(t)
    for packet in (T(), T(dst=H2), T(options=b"\1")):
        t.send(P1, packet)
        t.expect(DROP, drop="forwarding_off")
    own = ether(h2, M2, ipv4(R2, H2, echo_request(), protocol=1))
    t.send(twin(P2), own)
    t.expect(OUT(P2, own, "the router's ping"))


@case("RFC1812-5.3.12.1-7")
def no_redirects_without_forwarding(t: Testbed) -> None:
    """What would be answered by a redirect is not, nor forwarded, with forwarding off."""
    routes = (*ROUTES, Route("44.0.0.0/8", G1))
    packet = T(dst="44.0.0.1")
    for off in ("forwarding", "port_forwarding.p1"):
        t.configure(routes=routes, knobs={off: False})
        t.goods(P1, None)
        t.send(P1, packet)
        t.expect(DROP, drop="forwarding_off", note=off)


# --- ports without an address ---------------------------------------------------------------------

BY_G3 = (ROUTES[1], Route("0.0.0.0/0", G3))


@case("RFC1812-10.2.1-1")
def a_port_without_an_address(t: Testbed) -> None:
    """Nothing is forwarded out of it, nor what comes in by it."""
    t.configure(addresses={P1: ("10.1.0.1/24",), P2: (), P3: ("10.3.0.1/24",)}, routes=BY_G3)
    _good_by_p3(t)
    _sent(t, T(dst=H2), FWD(T(dst=H2), P3), None, "out")
    t.goods(P2, None)
    t.send(P2, T(H2, port=P2), T(H2, H1, port=P2))
    t.expect(DROP, drop="port_unconfigured", note="in")


@case("RFC1812-10.2.1-4")
def an_unconfigured_port_is_silent(t: Testbed) -> None:
    """Nothing leaves it whatever comes, no ARP either; what comes in is not forwarded."""
    t.configure(addresses={P1: ("10.1.0.1/24",), P2: ("10.2.0.1/24",), P3: ()}, routes=ROUTES[:1])
    for dst in (B1, H3, G3, "10.3.0.255", U):
        packet = T(dst=dst)
        _sent(t, packet, ERR(packet, 3, 0), "no_route", dst)
    t.goods(P3, None)
    for packet in (T(H3, H1, port=P3), T(H3, H2, port=P3), ping(src=H3, dst="10.3.0.1", port=P3)):
        t.send(P3, packet)
        t.expect(DROP, drop="port_unconfigured", note="in P3")
    t.run(s=60)
    t.expect(DROP, note="a minute")
