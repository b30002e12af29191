# SPDX-License-Identifier: MIT
"""The bench: virtual time, callbacks, changes in mid-run."""

import threading
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests import packets as p
from tests.two_stations import GATEWAY_MAC, OTHER, OTHER_MAC, WIRE_PS, World
from twinroute.sim import Bench, BenchError, Frame, Station

# --- time -----------------------------------------------------------------------------------------


def test_a_frame_takes_the_time_of_its_bits_on_each_link():
    world = World(delay_us=3)
    world.a.send(world.frame(), at_us=10)
    assert world.bench.run_until_idle() == "idle"
    (frame,) = world.b.received()
    assert frame.time_ps == 10_000_000 + WIRE_PS + 3_000_000 + WIRE_PS
    assert frame.latency_ps == 0
    assert frame.data == p.forwarded(world.frame(), world.router.port("p1").mac, GATEWAY_MAC)
    assert world.bench.now_ps == frame.time_ps


@pytest.mark.parametrize(
    ("rate", "size", "ps"),
    [
        ("1G", 1514, (1514 + 24) * 8 * 1000),
        ("2.5G", 60, 84 * 8 * 400),
        ("100M", 64, 88 * 8 * 10_000),
        (64_000, 60, 84 * 8 * 15_625_000),
        ("10G", 20, WIRE_PS),  # padded to 60
        ("unlimited", 1514, 0),
    ],
)
def test_rates(rate: str | int, size: int, ps: int):
    bench = Bench()
    a, b = bench.station("a"), bench.station("b")
    bench.link(a, b, rate=rate)
    a.send(bytes(size), bytes(size), at_ps=5)
    bench.run_until_idle()
    assert [frame.time_ps for frame in b.received()] == [5 + ps, 5 + 2 * ps]


def test_the_distributor_waits_for_more_packets():
    world = World(fast_path={"tx_buffer": 64, "tx_flush_us": 7.0})
    world.a.send(world.frame(), at_ps=1_000_000 - WIRE_PS)  # a core's clock ticks each ns
    world.bench.run_until_idle()
    assert [frame.latency_ps for frame in world.b.received()] == [7_000_000]
    assert world.b.received()[0].latency_us == 7


def test_run_ends_at_its_time():
    bench = Bench()
    assert bench.run(us=1.5) == "time"
    assert (bench.now_ps, bench.now_us) == (1_500_000, 1.5)
    assert bench.run(ps=1) == "time"
    assert bench.now_ps == 1_500_001
    assert bench.run(us=0) == "time"


def test_a_time_in_the_past_means_now():
    world = World()
    world.bench.run(us=100)
    world.a.send(world.frame(), at_us=5)
    world.bench.run_until_idle()
    assert world.b.received()[0].time_ps == 100_000_000 + 2 * WIRE_PS


def test_frames_leave_in_the_order_of_their_times():
    world = World()
    world.a.send(world.frame(ident=3), at_us=30)
    world.a.send(world.frame(ident=1), at_us=10)
    world.a.send(world.frame(ident=2), world.frame(ident=4), at_us=20)
    world.bench.run_until_idle()
    assert world.idents() == [1, 2, 4, 3]


@pytest.mark.parametrize(
    "call",
    [
        lambda bench: bench.run(),
        lambda bench: bench.run(us=-1),
        lambda bench: bench.run(us=1, ps=1),
        lambda bench: bench.run(us=float("nan")),
        lambda bench: bench.run(us=1e30),
        lambda bench: bench.at(-1, print),
    ],
)
def test_times_that_are_none(call: Any):
    with pytest.raises(ValueError, match=r"run|at:"):
        call(Bench())


def test_not_idle_names_what_is_on_its_way():
    world = World()
    world.a.send(world.frame(), at_us=1000)
    with pytest.raises(BenchError, match="not idle after 10 us: frames 1 on wires"):
        world.bench.run_until_idle(10)
    silent = World(neighbor=[])
    silent.a.send(silent.frame())
    with pytest.raises(BenchError, match="1 held by r1"):
        silent.bench.run_until_idle(500_000)
    silent.bench.run_until_idle()
    # The packet, and the ICMP error about it, which waited for the sender.
    assert silent.router.counters().dropped == {"neighbor_failed": 2}


# --- callbacks ------------------------------------------------------------------------------------


def test_a_function_is_called_in_mid_run():
    world = World()
    world.router.route_add("198.18.1.0/24", OTHER)
    for index in range(4):
        world.a.send(world.frame("198.18.1.1", ident=index), at_us=10 * index + 5)
    world.bench.at(10, lambda: world.router.route_delete("198.18.1.0/24"))
    world.bench.at(20, lambda: world.router.route_add("198.18.1.0/24", kind="blackhole"))
    seen = []
    world.bench.at(30, lambda: seen.append(world.bench.now_us))
    world.bench.run_until_idle()
    macs = [frame.data[:6].hex(":") for frame in world.b.received()]
    assert (macs, world.idents()) == ([OTHER_MAC, GATEWAY_MAC], [0, 1])
    assert world.router.counters().dropped == {"blackhole": 2}
    assert seen == [30]
    world.bench.check_conservation()


def test_what_a_function_raises_ends_the_run():
    world = World()
    world.a.send(world.frame(), at_us=20)
    world.bench.at(10, lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        world.bench.run_until_idle()
    assert world.bench.now_us == 10
    world.bench.run_until_idle()
    assert len(world.b.received()) == 1


def test_functions_at_one_time_are_called_in_order():
    bench = Bench()
    seen: list[int] = []
    for number in range(3):
        bench.at(5, partial(seen.append, number))
    bench.at(5, lambda: bench.at(5, lambda: seen.append(9)))
    assert bench.run_until_idle() == "idle"
    assert (seen, bench.now_us) == ([0, 1, 2, 9], 5)


def echo_back(station: Station, frame: Frame) -> None:
    """Send a frame back to where it came from."""
    station.send(frame.data[6:12] + frame.data[:6] + frame.data[12:])


def test_a_callback_answers():
    bench = Bench()
    a = bench.station("a")
    seen = []

    def answer(station: Station, frame: Frame) -> None:
        seen.append((station.name, frame.time_ps, len(frame)))
        echo_back(station, frame)

    b = bench.station("b", on_frame=answer)
    bench.link(a, b)
    a.send(bytes(range(60)))
    bench.run_until_idle()
    assert seen == [("b", WIRE_PS, 60)]
    (back,) = a.received()
    assert back.time_ps == 2 * WIRE_PS
    assert back.data[:12] == bytes([*range(6, 12), *range(6)])


def test_what_a_callback_raises_comes_out_of_run():
    def complain(station: Station, frame: Frame) -> None:
        raise LookupError(station.name)

    bench = Bench()
    a, b = bench.station("a"), bench.station("b", on_frame=complain)
    bench.link(a, b)
    a.send(bytes(60), bytes(60), at_us=1)
    for count in (1, 2):
        with pytest.raises(LookupError, match="b"):
            bench.run_until_idle()
        assert bench.now_ps == 1_000_000 + count * WIRE_PS
    assert bench.run_until_idle() == "idle"
    assert len(b.received()) == 2


def test_a_callback_stops_the_run_and_sets_timers():
    world = World()
    seen: list[float] = []

    def on_frame(station: Station, frame: Frame) -> None:
        if not seen:
            world.bench.at(world.bench.now_us + 1, lambda: seen.append(world.bench.now_us))
        else:
            world.bench.stop()

    receiver = world.bench.station("c", on_frame=on_frame)
    sender = world.bench.station("d")
    world.bench.link(sender, receiver, rate="unlimited")
    sender.send(bytes(60), at_us=10)
    sender.send(bytes(60), at_us=50)
    assert world.bench.run(us=100) == "stopped"
    assert seen == [11]
    assert world.bench.now_us == 50
    assert world.bench.run(us=1) == "time"


def test_no_run_within_a_run():
    world = World()
    refused = []

    def on_frame(station: Station, frame: Frame) -> None:
        for call in (
            lambda: world.bench.run(us=1),
            lambda: world.bench.station("late"),
            lambda: world.a.received(),
            lambda: world.router.routes(),
        ):
            with pytest.raises(BenchError, match="not during a run"):
                call()
            refused.append(call)

    b = world.bench.station("c", on_frame=on_frame)
    d = world.bench.station("d")
    world.bench.link(b, d)
    d.send(bytes(60))
    world.bench.run_until_idle()
    assert len(refused) == 4


def test_another_thread_makes_progress_while_it_runs():
    world = World(rate="unlimited")
    frames = np.tile(np.frombuffer(world.frame(), np.uint8), (300_000, 1))
    world.a.send_bulk(frames, at_ps=np.arange(300_000) * 1000)
    running, counted = threading.Event(), []

    def count() -> None:
        running.wait()
        number = 0
        while world.bench.world.running:
            number += 1
        counted.append(number)

    world.bench.at(0.001, running.set)
    thread = threading.Thread(target=count)
    thread.start()
    world.bench.run_until_idle()
    thread.join()
    assert counted[0] > 0
    assert world.router.counters().forwarded == 300_000
