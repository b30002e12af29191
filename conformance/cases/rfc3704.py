# SPDX-License-Identifier: MIT
"""RFC 1812 5.3.8 and RFC 3704: is there a way back to the source?"""

from collections.abc import Sequence

from twinroute.conformance.kit import (
    DROP,
    FWD,
    G1,
    G3,
    H1,
    H2,
    P1,
    P2,
    R1,
    REPLY,
    ROUTES,
    Route,
    T,
    Testbed,
    U,
    case,
    ping,
)

BY_P3 = "198.19.0.9"
BLACK = "44.1.0.1"
BLACKHOLE = Route("44.1.0.0/16", kind="blackhole")


def _mode(t: Testbed, mode: str, *more: Route, port: str = P1) -> None:
    t.configure(routes=(*ROUTES, BLACKHOLE, *more), knobs={f"urpf.{port}": mode})


def _judge(t: Testbed, good: Sequence[str], bad: Sequence[str], note: str = "") -> None:
    """Demand which sources are let in; the others go in silence, each counted."""
    for source in good:
        t.send(P1, T(source))
        t.expect(FWD(T(source)), note=f"{note} {source}")
    for source in bad:
        t.send(P1, T(source))
        t.expect(DROP, drop="urpf", note=f"{note} {source}")


@case("RFC1812-5.3.8-3")
def by_default_sources_are_not_checked(t: Testbed) -> None:
    """A source that is reached by another port, and one without a route."""
    _judge(t, [BY_P3, U, H2], [])


@case("RFC1812-5.3.8-1", "RFC1812-5.3.8-2", "RFC3704-2.2-1")
def strict_reverse_path(t: Testbed) -> None:
    """Only by the port that would be used towards the source; also for the router itself."""
    _mode(t, "strict")
    _judge(t, [H1], [BY_P3, U, H2])
    for source in (BY_P3, U):
        t.send(P1, ping(src=source), T(source, R1), T(source, ttl=1), T(source, U))
        t.expect(DROP, drop="urpf", note=f"{source}: for the router, TTL 1, no route")
    t.send(P1, ping())
    t.expect(REPLY(ping()), drop="echo_answered")
    _mode(t, "strict", Route("0.0.0.0/0", G3))
    _judge(t, [H1], [U, BY_P3], "default by G3")
    _mode(t, "strict", Route("0.0.0.0/0", G1))
    _judge(t, [H1, U], [BY_P3], "default by G1")
    _mode(t, "strict", Route("44.7.0.0/16", (G1, G3)))
    _judge(t, ["44.7.0.1", "44.7.9.9"], [], "two gateways, one of them on P1")


@case("RFC3704-2.3-1")
def feasible_reverse_path(t: Testbed) -> None:
    """An alternative that is not the best route counts too, and is of its own port alone."""
    best, other = (Route("44.7.0.0/16", G3, metric=1), Route("44.7.0.0/16", G1, metric=10))
    source = "44.7.0.9"
    _mode(t, "feasible", best, other)
    _judge(t, [source, H1], [BY_P3, U])
    _mode(t, "feasible", best)
    _judge(t, [], [source], "no alternative")
    _mode(t, "feasible", best, other, port=P2)
    packet = T(source, H1, port=P2)
    t.send(P2, packet)
    t.expect(DROP, drop="urpf", note="P2")
    t.configure(
        routes=(
            ROUTES[0],
            Route("198.19.0.0/16", G3, metric=1),
            Route("198.19.0.0/16", G1, metric=2),
        ),
        knobs={"urpf": "feasible"},
    )
    _judge(t, [BY_P3], [], "198.19.0.0/16 by either")
    packet = T(BY_P3, H1, port=P2)
    good = T(H2, H1, port=P2)
    t.goods(P2, good, FWD(good, P1))
    t.send(P2, packet)
    t.expect(DROP, drop="urpf", note="P2")


@case("RFC3704-2.4-1")
def loose_reverse_path(t: Testbed) -> None:
    """Any route to the source will do, the default route too, but not a blackhole."""
    _mode(t, "loose")
    _judge(t, [H1, BY_P3, H2], [U, BLACK])
    _mode(t, "loose", Route("0.0.0.0/0", G3))
    _judge(t, [BY_P3, U], [BLACK], "default")


@case("RFC3704-2.5-1")
def loose_without_the_default(t: Testbed) -> None:
    """Any route to the source but the default one."""
    _mode(t, "loose-no-default", Route("0.0.0.0/0", G3))
    _judge(t, [BY_P3, H1], [U, BLACK])
