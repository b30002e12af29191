# SPDX-License-Identifier: MIT
"""RFC 1812 10.3.2: changes while packets are on their way."""

from typing import Any

from twinroute.conformance.kit import (
    ALONE,
    B1,
    DF,
    DROP,
    ERR,
    FWD,
    G2,
    G3,
    P1,
    P2,
    P3,
    REPLY,
    ROUTES,
    Route,
    T,
    Testbed,
    U,
    case,
    ping,
)

MORE = (*ROUTES, Route("10.99.0.0/16", G3))
ADDRESSES = {
    P1: ("10.1.0.1/24",),
    P2: ("10.2.0.1/24",),
    P3: ("10.3.0.1/24", "10.31.0.1/24"),
}
NO_10 = {"filter": [{"action": "drop", "protocol": "udp", "destination_port": 10}]}


def _traffic(t: Testbed, count: int, start: int) -> list[bytes]:
    """Send T a thousand times a second."""
    packets = [T(ident=(start + i) & 0xFFFF) for i in range(count)]
    for packet in packets:
        t.send(P1, packet)
        t.run(ms=1)
    return packets


def _change(t: Testbed, note: str, **fields: Any) -> None:
    """Change something under traffic, of which nothing may be lost."""
    packets = _traffic(t, 200, 0)
    t.reconfigure(**fields)
    packets += _traffic(t, 300, 200)
    got = t.collect(note=note)
    t.check(got[P2] == [FWD(packet).data for packet in packets], f"{note}: T is lost")
    t.check(not t.dropped(), f"{note}: {dict(t.dropped())}")


@case(
    *("RFC1812-10.3.2.3-1", "RFC1812-10.3.2.6-1"),
    bursts=ALONE,
    needs=("change", "virtual-time"),
)
def changes_do_not_disturb(t: Testbed) -> None:
    """A route, an MTU, an address and a filter: nothing of T is lost, and they are in effect."""
    t.configure(knobs={"slow_path.arp_probe": False, "filter": []})
    packet = T(dst=U)
    _change(t, "a route is added", routes=MORE)
    t.send(P1, packet)
    t.expect(FWD(packet, P3), note="the route")
    _change(t, "a route is removed", routes=ROUTES)
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 0), drop="no_route", note="no route")
    _change(t, "MTU", mtu={P3: 620})
    packet = T(dst=B1, fragment=DF, data=bytes(600))
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 4, 620), drop="fragmentation_needed", note="the MTU")
    _change(t, "an address", addresses=ADDRESSES)
    packet = ping(dst="10.31.0.1")
    t.send(P1, packet)
    t.expect(REPLY(packet), drop="echo_answered", note="the address")
    _change(t, "a filter", knobs={"slow_path.arp_probe": False, **NO_10})
    t.send(P1, T(dport=10))
    t.expect(DROP, drop="filtered", note="the filter")


@case("RFC1812-10.3.2.6-1", bursts=ALONE, needs=("change", "virtual-time"))
def route_changes_do_not_disturb(t: Testbed) -> None:
    """Routes that come, go and move have no part in what takes others."""
    t.configure()
    _change(t, "a route is added", routes=MORE)
    _change(t, "another", routes=(*MORE, Route("44.0.0.0/8", G3)))
    _change(t, "nothing")
    _change(t, "all but one are gone", routes=ROUTES[:1])
    t.send(P1, T(dst=B1))
    t.expect(ERR(T(dst=B1), 3, 0), drop="no_route")


@case("RFC1812-10.3.2.6-2", bursts=ALONE, needs=("change", "virtual-time"))
def the_table_is_not_flushed(t: Testbed) -> None:
    """What does not concern a route leaves it alone, and so does a daemon that starts again.

    What a daemon has put into the table stays when it ends. It then says all of it once more,
    unchanged but for what is gone, which is deleted at the end.
    """
    knobs: dict[str, Any] = {"filter": []}
    t.configure(routes=(ROUTES[1],), knobs=knobs)
    for to in ("198.18.0.0/16", "44.0.0.0/8"):
        t.router.route_add(to, G2)
    _change(t, "a filter", knobs=NO_10)
    _change(t, "the MTU of another port", mtu={P3: 620})
    _change(t, "the same configuration")
    kept = [one for one in t.router.routes() if one.source == "api"]
    t.check(len(kept) == 2, "what was put there is gone")
    packets = _traffic(t, 100, 0)
    for _ in range(3):
        t.router.route_add("198.18.0.0/16", G2)
        packets += _traffic(t, 50, len(packets))
    t.router.route_delete("44.0.0.0/8")
    packets += _traffic(t, 50, len(packets))
    got = t.collect(note="a daemon that starts again")
    t.check(got[P2] == [FWD(packet).data for packet in packets], "T is lost")
    t.check(not t.dropped(), f"{dict(t.dropped())}")
