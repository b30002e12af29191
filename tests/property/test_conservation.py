# SPDX-License-Identifier: MIT
"""Invariants 1, 4 and 5 under faults: every packet that went in came out, was dropped under a
reason, or is still held, whatever links, buffers and rings do."""

from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import packets as p
from tests import worlds as w
from tests.options_model import PROCESS
from tests.strategies import any_frames, examples
from twinroute.sim import Bench, Faults, RouterFaults

chance = st.sampled_from([0.0, 0.0, 0.01, 0.2, 0.7])
faults = st.builds(
    Faults, loss=chance, duplicate=chance, reorder=chance, corrupt=chance, reorder_us=st.just(5.0)
)


def make_world(
    seed: int, link: Faults, inside: RouterFaults, nic: dict[str, Any], buffers: int = 4096
) -> Bench:
    """Return the test bed with links that fail and hosts that answer, built in code."""
    bench = Bench(seed=seed, profile="default", guard_tables=True)
    config = w.bed_config(
        fast={"units": 2, "burst": 16, "tx_buffer": 8},
        options=PROCESS,
        slow={"punt_ring": 4, "neighbor_pending": 2, "arp_retry_ms": 1},
        nic=nic,
        sim={"buffers": buffers},
        resolved=False,
        ports=w.GROUPS,
        routes=w.MULTICAST_ROUTE,
    )
    router = bench.router(config, faults=inside)
    for port, address in ((w.P1, w.H1), (w.P2, w.G2), (w.P3, w.G3)):
        host = bench.host(f"at {port}", address=f"{address}/24", arp="subnet")
        bench.link(host, router.port(port), rate="1G", faults=link, back_faults=link)
    return bench


@given(
    seed=st.integers(0, 2**32),
    link=faults,
    frames=st.lists(any_frames, min_size=1, max_size=120),
    no_buffer=chance,
    ring_full=chance,
    buffers=st.sampled_from([64, 4096]),
    descriptors=st.sampled_from([1, 4, 256]),
)
@settings(max_examples=examples(150))
def test_nothing_vanishes_under_faults(
    seed: int,
    link: Faults,
    frames: list[bytes],
    no_buffer: float,
    ring_full: float,
    buffers: int,
    descriptors: int,
) -> None:
    nic = {"rx_descriptors": descriptors, "tx_descriptors": descriptors}
    inside = RouterFaults(no_buffer=no_buffer, ring_full=ring_full)
    bench = make_world(seed, link, inside, nic, buffers)
    router = bench.only
    for i, frame in enumerate(frames):
        router.port((w.P1, w.P2, w.P3)[i % 3]).send(frame, at_us=i * 0.1)
    for _ in range(20):
        bench.run(us=1.7)
        bench.check_conservation()
    bench.run_until_idle()
    bench.check_conservation()
    assert router.held() == 0


@given(st.integers(0, 2**32), st.lists(any_frames, min_size=1, max_size=60))
@settings(max_examples=examples(40))
def test_faults_come_from_the_seed(seed: int, frames: list[bytes]) -> None:
    link = Faults(loss=0.2, duplicate=0.2, reorder=0.2, corrupt=0.2)

    def outcome() -> tuple[int, list[list[bytes]]]:
        bench = make_world(seed, link, RouterFaults(no_buffer=0.1, ring_full=0.1), {})
        for i, frame in enumerate(frames):
            bench.only.port(w.P1).send(frame, at_us=i * 0.3)
        bench.run_until_idle()
        return bench.hash, [w.received(bench, port) for port in (w.P1, w.P2, w.P3)]

    assert outcome() == outcome()


def test_a_link_that_goes_down_keeps_the_balance() -> None:
    bench = w.bed(profile="default", nic={"rate": "1G"})
    router = bench.only
    frame = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, p.udp(1, 9, bytes(1000))))
    for i in range(300):
        router.port(w.P1).send(frame, at_us=bench.now_us + i)
    link = router.port(w.P2).link
    bench.run(us=100)
    link.set_up(False)
    bench.run(us=100)
    bench.check_conservation()
    link.set_up(True)
    bench.run_until_idle()
    bench.check_conservation()
    assert router.counters().dropped["port_down"] > 0
    assert router.counters().forwarded + router.counters().dropped["no_route"] == 300


@pytest.mark.parametrize("seed", range(10))
def test_a_swap_survives_rings_that_seem_full(seed: int) -> None:
    """Commands and acknowledgements are sent again until they get through."""
    bench = make_world(seed, Faults(), RouterFaults(ring_full=0.9), {})
    for i in range(20):
        bench.only.route_add(f"100.{i}.0.0/16", via=w.G2)
        bench.run(us=20)
    bench.settle()
    assert all(
        hop.via == IPv4Address(w.G2) for hop in bench.only.lookup(["100.0.0.1", "100.19.0.1"])
    )
