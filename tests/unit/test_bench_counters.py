# SPDX-License-Identifier: MIT
"""Counters, conservation, and faults that come from the seed."""

from typing import Any

import pytest

from tests.two_stations import TABLES, World
from twinroute.sim import Bench, BenchError, Faults, Frame, RouterFaults


def test_counters():
    world = World(fast_path={"units": 2, "tx_buffer": 1})
    for index in range(20):
        world.a.send(world.frame(f"198.18.0.{index}"), at_us=index)
    world.a.send(world.frame("9.9.9.9"), at_us=30)
    world.bench.run_until_idle()
    counters = world.router.counters()
    assert counters.received == {"p0": 21, "p1": 0}
    assert counters.received_bytes["p0"] == 21 * 60
    assert (counters.sent["p1"], counters.forwarded) == (20, 20)
    assert counters.punted["no_route"] + counters.dropped["no_route"] >= 1
    assert counters.dropped["blackhole"] == 0
    assert counters.lost.total() == 1
    assert counters.steps["validate"].lanes == 21
    units = [world.router.counters(unit) for unit in range(3)]
    assert [unit.received["p0"] > 0 for unit in units] == [True, True, False]
    assert sum(unit.received["p0"] for unit in units) == 21
    assert world.router.nic("p0").received == 21
    assert world.router.held() == 0
    with pytest.raises(BenchError, match="unit 3"):
        world.router.counters(3)
    world.bench.check_conservation()


def test_conservation_in_mid_run():
    world = World(profile="default", fast_path={"tx_flush_us": 5.0})
    for index in range(100):
        world.a.send(world.frame(ident=index))
    for _ in range(40):
        world.bench.run(us=0.37)
        world.bench.check_conservation()
    world.bench.run_until_idle()
    world.bench.check_conservation()
    assert world.router.unit_cycles(0)[0] > 0


def run_with_faults(seed: int) -> tuple[int, list[Frame], Any]:
    """Run 500 frames over a bad link."""
    faults = Faults(loss=0.1, duplicate=0.1, reorder=0.1, reorder_us=3, corrupt=0.1)
    world = World(seed=seed, faults=faults)
    for index in range(500):
        world.a.send(world.frame(ident=index))
    world.bench.run_until_idle()
    world.bench.check_conservation()
    return world.bench.hash, world.b.received(), world.link_a.counters


def test_faults_come_from_the_seed():
    first = run_with_faults(1)
    assert run_with_faults(1) == first
    assert run_with_faults(2) != first
    there, back = first[2]
    assert there.sent == 500
    assert min(there.lost, there.duplicated, there.reordered, there.corrupted) > 20
    assert back.lost == 0


def test_a_link_goes_down_and_up():
    world = World()
    world.link_a.set_up(False)
    world.a.send(world.frame(ident=1), at_us=5)
    world.bench.at(10, lambda: world.link_a.set_up(True))
    world.a.send(world.frame(ident=2), at_us=20)
    world.bench.run_until_idle()
    assert world.idents() == [2]
    assert world.link_a.counters[0].lost == 1


def test_a_link_fails_by_itself():
    world = World(faults=Faults(up_ms=0.1, down_ms=0.1))
    for index in range(1000):
        world.a.send(world.frame(ident=index), at_us=index)
    world.bench.run(us=2000)
    assert 100 < world.link_a.counters[0].lost < 900


def test_a_link_records():
    world = World()
    world.link_b.record(0)
    world.a.send(world.frame())
    world.bench.run_until_idle()
    assert world.link_b.recorded(0) == world.b.received()
    assert world.link_b.recorded(1) == []
    with pytest.raises(ValueError, match="expected 0 or 1"):
        world.link_b.recorded(2)


def test_router_faults():
    bench = Bench()
    router = bench.router(**TABLES, faults=RouterFaults(no_buffer=1.0))
    a = bench.station("a")
    bench.link(a, router.port("p0"))
    a.send(bytes(60))
    bench.run_until_idle()
    assert router.nic("p0").no_buffer == 1
    bench.check_conservation()
