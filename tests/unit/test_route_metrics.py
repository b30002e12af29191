# SPDX-License-Identifier: MIT
"""Several routes of one source to one destination, told apart by their metrics: the lowest is used,
the others stand by (RFC 1812 5.2.4.3)."""

from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))
TO = "198.18.0.0/16"
TWO = f"""
[[route]]
to = "203.0.113.0/24"
via = "{w.G3}"
metric = 20
[[route]]
to = "203.0.113.0/24"
via = "{w.G2}"
metric = 10
"""


def port_of(bench: Bench, destination: str = w.A1) -> str | None:
    """Return the port by which a packet of H1 leaves, None: by none."""
    frame = p.ether(w.M1, w.h1, p.ipv4(w.H1, destination, UDP))
    out = w.exchange(bench, w.P1, [frame])
    macs = {w.P2: (w.M2, w.g2), w.P3: (w.M3, w.g3)}
    left = [port for port in macs if out[port]]
    assert len(left) <= 1
    for port in left:
        assert out[port] == [p.forwarded(frame, *macs[port])]
    return left[0] if left else None


def change(bench: Bench, *arguments: Any, **options: Any) -> None:
    """Add a route, or delete it if there are no further arguments, and let it take effect."""
    if arguments[1:] or "kind" in options:
        bench.only.route_add(*arguments, **options)
    else:
        bench.only.route_delete(*arguments, **options)
    bench.run(us=0)


def metrics(bench: Bench, to: str = TO, source: str = "api") -> list[tuple[int, int]]:
    """Return preference and metric of the routes of one source, the best first."""
    found = [one for one in bench.only.routes(all=True) if str(one.to) == to]
    return [(one.preference, one.metric) for one in found if one.source == source]


def test_the_lowest_metric_of_a_configuration_is_used() -> None:
    bench = w.bed(routes=TWO)
    assert metrics(bench, "203.0.113.0/24", "config") == [(20, 10), (20, 20)]
    assert port_of(bench, "203.0.113.9") == w.P2


def test_the_longest_prefix_comes_before_the_metric() -> None:
    """RFC 1812 5.2.4.3: the rules take effect in that order."""
    bench = w.bed()
    change(bench, TO, w.G2, preference=1, metric=1)
    change(bench, "198.18.0.0/24", w.G3, metric=100)
    assert port_of(bench) == w.P3


def test_routes_come_and_go_by_metric() -> None:
    bench = w.bed()
    change(bench, TO, w.G2, metric=30, preference=1)
    change(bench, TO, w.G3, metric=20, preference=1)
    assert port_of(bench) == w.P3
    change(bench, TO, kind="blackhole", metric=10, preference=1)
    assert port_of(bench) is None
    change(bench, TO, w.G2, metric=10, preference=1)  # replaces
    assert (port_of(bench), metrics(bench)) == (w.P2, [(1, 10), (1, 20), (1, 30)])
    change(bench, TO, metric=10)
    assert port_of(bench) == w.P3
    change(bench, TO, metric=20)
    assert port_of(bench) == w.P2
    change(bench, TO, metric=11)  # is not there
    assert metrics(bench) == [(1, 30)]
    change(bench, TO, metric=30)
    assert (port_of(bench), metrics(bench)) == (w.P2, [])


def test_preference_and_source_come_before_the_metric() -> None:
    bench = w.bed()
    change(bench, TO, w.G3, metric=0)
    assert port_of(bench) == w.P2  # the configuration's is of a better source
    change(bench, TO, w.G3, metric=65535, preference=19)
    assert port_of(bench) == w.P3
    assert metrics(bench) == [(19, 65535), (20, 0)]


def test_the_default_route_has_metrics_too() -> None:
    bench = w.bed()
    change(bench, "0.0.0.0/0", w.G2, metric=5)
    change(bench, "0.0.0.0/0", w.G3, metric=4)
    assert port_of(bench, w.U) == w.P3
    change(bench, "0.0.0.0/0", metric=4)
    assert port_of(bench, w.U) == w.P2


def test_many_metrics_of_one_prefix() -> None:
    bench = w.bed()
    for metric in (*range(100, 50, -1), *range(101, 150)):
        bench.only.route_add("100.0.0.0/8", (w.G2, w.G3)[metric % 2], metric=metric)
    bench.settle()
    assert [one[1] for one in metrics(bench, "100.0.0.0/8")] == list(range(51, 150))
    for metric in range(51, 150):
        assert port_of(bench, "100.1.1.1") == (w.P2, w.P3)[metric % 2]
        change(bench, "100.0.0.0/8", metric=metric)
    assert port_of(bench, "100.1.1.1") is None


@pytest.mark.parametrize("metric", [-1, 65536])
def test_wrong_metrics(metric: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to 65535"):
        w.bed().only.route_add(TO, w.G2, metric=metric)


def test_metrics_in_bulk() -> None:
    bench = w.bed()
    prefixes = [0x64000000, 0x64000000, 0x65000000]
    bench.only.routes_post(prefixes, 8, [0x0A0200FE, 0x0A0300FE, 0x0A0300FE], metric=[2, 1, 7])
    bench.settle()
    hops = bench.only.lookup(["100.1.1.1", "101.1.1.1"])
    assert [str(hop.via) for hop in hops] == [w.G3, w.G3]
    bench.only.routes_post(prefixes[:1], 8, 0, metric=1, add=False)
    bench.settle()
    assert metrics(bench, "100.0.0.0/8") == [(20, 2)]
