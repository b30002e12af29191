# SPDX-License-Identifier: MIT
"""The bench: time, frames in and out, callbacks, changes in mid-run, faults, what it refuses."""

import gc
import threading
import weakref
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests import packets as p
from twinroute.config import build_config
from twinroute.errors import ConfigError, InputError
from twinroute.sim import Bench, BenchError, Faults, Frame, Router, RouterFaults, Station

SENDER = "02:00:00:00:00:99"
GATEWAY = "10.0.1.2"
GATEWAY_MAC = "02:00:00:00:00:02"
OTHER = "10.0.1.3"
OTHER_MAC = "02:00:00:00:00:03"
WIRE_PS = (60 + 24) * 8 * 100  # the shortest frame at 10 Gbit/s
TABLES: dict[str, Any] = {
    "port": {"p0": "10.0.0.1/24", "p1": "10.0.1.1/24"},
    "neighbor": [
        {"port": "p0", "address": "10.0.0.2", "mac": SENDER},
        {"port": "p1", "address": GATEWAY, "mac": GATEWAY_MAC},
        {"port": "p1", "address": OTHER, "mac": OTHER_MAC},
    ],
    "fast_path": {"tx_buffer": 1},
    "route": [{"to": "198.18.0.0/16", "via": GATEWAY}],
}


class World:
    """A router between two stations, `a` at p0 and `b` at p1."""

    def __init__(self, *, rate: str | int = "10G", delay_us: float = 0, **options: Any):
        settings = {key: options.pop(key) for key in ("seed", "profile") if key in options}
        self.faults = options.pop("faults", None)
        self.bench = Bench(**settings)
        self.router = self.bench.router(**{**TABLES, **options})
        self.a = self.bench.station("a")
        self.b = self.bench.station("b")
        self.link_a = self.bench.link(
            self.a, self.router.port("p0"), rate=rate, delay_us=delay_us, faults=self.faults
        )
        self.link_b = self.bench.link(self.router.port("p1"), self.b, rate=rate)
        self.bench.settle()
        self.start_ps = self.bench.now_ps

    def frame(self, dst: str = "198.18.0.1", size: int = 60, ident: int = 0) -> bytes:
        """Return a frame of `size` bytes for p0."""
        packet = p.ipv4("10.0.0.2", dst, bytes(size - 34), ident=ident)
        return p.ether(self.router.port("p0").mac, SENDER, packet)

    def idents(self) -> list[int]:
        """Identification fields of what came out at p1, in order."""
        return [int.from_bytes(frame.data[18:20]) for frame in self.b.received()]


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


# --- frames in bulk -------------------------------------------------------------------------------


def test_bulk_of_equal_frames():
    world = World()
    frames = np.stack([np.frombuffer(world.frame(ident=i), np.uint8) for i in range(100)])
    world.router.port("p0").send_bulk(frames, at_ps=np.arange(100) * 1_000_000)
    world.bench.run_until_idle()
    data, offsets, lengths, times_ps, latencies_ps = world.router.port("p1").received_bulk()
    assert data.dtype == np.uint8
    assert len(data) == 6000
    assert (offsets == np.arange(100) * 60).all()
    assert (lengths == 60).all()
    assert (times_ps == np.arange(100) * 1_000_000 + 2 * WIRE_PS).all()
    assert (latencies_ps == 0).all()
    assert world.idents() == list(range(100))


def test_bulk_of_any_frames():
    world = World()
    frames = [world.frame(size=60 + i, ident=i) for i in range(50)]
    data = np.frombuffer(b"".join(reversed(frames)), np.uint8)
    lengths = np.array([len(frame) for frame in frames])
    offsets = len(data) - lengths.cumsum()  # backwards
    world.a.send_bulk((data, offsets, lengths), at_ps=world.bench.now_ps)
    world.bench.run_until_idle()
    received = world.b.received_bulk()
    assert received.frame_count == 50
    assert world.idents() == list(range(50))
    assert [received.frame(i) for i in range(50)] == world.b.received() == list(received.each())


def test_nothing_in_bulk():
    world = World()
    world.a.send_bulk(np.empty((0, 60), np.uint8))
    world.a.send_all([])
    world.bench.run_until_idle()
    assert world.b.received_bulk().frame_count == 0
    assert world.b.received() == []


@pytest.mark.parametrize(
    ("frames", "options", "words"),
    [
        (np.zeros(60, np.uint8), {}, "expected two dimensions"),
        (np.zeros((2, 60), np.int64), {}, "expected two dimensions"),
        ((np.zeros(60, np.int8), [0], [60]), {}, "one dimension of uint8"),
        ((np.zeros(60, np.uint8), [0], [61]), {}, "frame 0 reaches beyond"),
        (
            (np.zeros(60, np.uint8), np.array([0, 2**63], np.uint64), [60, 60]),
            {},
            "frame 1 reaches beyond",
        ),
        ((np.zeros(60, np.uint8), [0, 0], [60]), {}, "2 offsets for 1 lengths"),
        ((np.zeros(60, np.uint8), [0.5], [60]), {}, "expected one dimension of integers"),
        ((np.zeros(60, np.uint8), [-1], [60]), {}, "expected integers from 0"),
        (np.zeros((2, 60), np.uint8), {"at_ps": [1, 2, 3]}, "3 values for 2 frames"),
        (np.zeros((2, 60), np.uint8), {"at_ps": -1}, "expected integers from 0"),
        (np.zeros((2, 60), np.uint8), {"trace": [True]}, "1 values for 2 frames"),
    ],
)
def test_wrong_arrays(frames: Any, options: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        World().a.send_bulk(frames, **options)


@pytest.mark.parametrize("frame", [b"", bytes(70_000)], ids=["empty", "long"])
def test_frames_that_no_buffer_holds(frame: bytes):
    world = World()
    with pytest.raises(BenchError, match=f"frame 1 of {len(frame)} bytes"):
        world.a.send_all([bytes(60), frame])
    assert world.bench.in_flight == 0


def test_clear():
    world = World()
    world.a.send(world.frame())
    world.bench.run_until_idle()
    world.router.port("p1").clear()
    assert world.b.received() == []
    world.a.send(world.frame(ident=7))
    world.bench.run_until_idle()
    assert world.idents() == [7]


# --- building -------------------------------------------------------------------------------------


def test_from_config(tmp_path: Any):
    path = tmp_path / "router.toml"
    path.write_text(
        '[port.p0]\naddress = "10.0.0.1/24"\n[port.p1]\naddress = ["10.0.1.1/24", "10.9.0.1/24"]\n'
        '[[route]]\nto = "0.0.0.0/0"\nvia = "10.9.0.77"\n[sim]\nseed = 5\n[fast_path]\nburst = 8\n'
    )
    bench = Bench.from_config(path)
    assert bench.world.seed == 5
    packet = p.ipv4("10.0.0.2", "192.0.2.1", p.udp(1, 2))
    bench.port("p0").send(p.ether(bench.port("p0").mac, SENDER, packet))
    bench.run_until_idle()
    # The station answers ARP for all neighbours of the port.
    request, frame = (frame.data for frame in bench.port("p1").received())
    assert request[12:14] == b"\x08\x06"
    assert frame[:6].hex(":") == bench.port("p1").station.mac
    (neighbor,) = bench.only.neighbors()
    assert (str(neighbor.address), neighbor.state, neighbor.static) == (
        "10.9.0.77",
        "reachable",
        False,
    )
    bench.check_conservation()
    assert Bench.from_config(path, seed=6).world.seed == 6


def test_silent_neighbors():
    tables = {"port": {"p0": {"address": "10.0.0.1/24"}}, "sim": {"neighbors": "silent"}}
    bench = Bench.from_config(build_config(tables))
    packet = p.ipv4("10.0.0.2", "10.0.0.3", p.udp(1, 2))
    bench.port("p0").send(p.ether(bench.port("p0").mac, SENDER, packet))
    bench.run_until_idle()
    assert bench.only.counters().dropped == {"neighbor_failed": 2}


def test_hosts_answer():
    bench = Bench()
    router = bench.router(port={"p0": "10.0.0.1/24", "p1": "10.0.1.1/24"})
    ping, pong = bench.host("ping", "10.0.0.2/24", arp="own"), bench.host("pong", "10.0.1.2/24")
    bench.link(ping, router.port("p0"))
    bench.link(router.port("p1"), pong)
    request = p.ipv4("10.0.0.2", "10.0.1.2", p.echo_request(7, 1), protocol=p.ICMP)
    ping.send(p.ether(router.port("p0").mac, ping.mac, request))
    bench.run_until_idle()
    reply = p.ip_fields(p.ip_of(ping.received()[-1].data))
    assert (reply["src"], reply["protocol"], reply["payload"][0]) == ("10.0.1.2", p.ICMP, 0)  # type: ignore[index]
    bench.check_conservation()


def test_a_stack_on_a_twin():
    world = World()
    got = []
    stack = world.bench.station("stack", on_frame=lambda _, frame: got.append(frame.data))
    world.bench.link(stack, world.router.twin("p0"), rate="unlimited")
    packet = p.ipv4("10.0.0.2", "10.0.0.1", p.udp(1, 179))
    world.a.send(p.ether(world.router.port("p0").mac, SENDER, packet))
    world.bench.run_until_idle()
    assert [p.ip_of(data) for data in got] == [packet]
    stack.send(p.ether(SENDER, world.router.port("p0").mac, p.ipv4("10.0.0.1", "10.0.0.2")))
    world.bench.run_until_idle()
    assert len(world.a.received()) == 1
    counters = world.router.counters()
    assert (counters.sent_twin["p0"], counters.received_twin["p0"]) == (1, 1)
    world.bench.check_conservation()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda w: w.bench.link(w.a, w.bench.station("x")), "a has a link already"),
        (lambda w: w.bench.link(x := w.bench.station("x"), x), "itself"),
        (lambda w: w.bench.station("x", arp="loud"), "expected one of silent"),
        (lambda w: w.bench.station("x", arp="own"), "expected an address"),
        (lambda w: w.bench.host("x", "10.0.0.2"), "prefix length"),
        (lambda w: w.bench.host("x", "10.0.0.2/24", mac="01:00:00:00:00:00"), "unicast"),
        (lambda w: w.bench.host("x", "10.0.0.2/24", silent=2), "a chance from 0 to 1"),
        (lambda w: w.bench.router(**TABLES, name="r1"), "another name"),
        (lambda w: w.router.port("p9"), "expected one of p0, p1"),
        (lambda w: Bench(seed=-1), "expected 0 to"),
        (lambda w: w.bench.link(w.bench.station(), w.bench.station(), rate="fast"), "bit/s"),
        (lambda w: Faults(up_ms=1).fill(None), "loss"),
    ],
)
def test_wrong_worlds(call: Any, words: str):
    with pytest.raises((ValueError, BenchError, AttributeError), match=words):
        call(World())


def test_tables_are_checked_as_a_file_is():
    with pytest.raises(ConfigError, match=r"port\.p0\.mtu = 1: expected"):
        Bench().router(port={"p0": {"address": "10.0.0.1/24", "mtu": 1}})


def test_a_port_without_a_station():
    bench = Bench()
    one = bench.router(port={"p0": "10.0.0.1/24"})
    two = bench.router(port={"p0": "10.0.0.2/24"})
    with pytest.raises(BenchError, match=r"r1\.p0 has no link"):
        one.port("p0").send(bytes(60))
    with pytest.raises(BenchError, match="2 routers"):
        bench.port("p0")
    bench.link(one.port("p0"), two.port("p0"))
    with pytest.raises(BenchError, match=r"r1\.p0 is linked to r2\.p0, which is no station"):
        one.port("p0").received()
    assert list(bench.routers) == ["r1", "r2"]


def test_a_world_is_freed_with_the_last_that_uses_it():
    gc.collect()
    gc.disable()
    try:
        world = World()
        world.bench.run_until_idle()
        alive, station = weakref.ref(world.bench.world), world.a
        del world
        assert alive() is not None
        del station
        assert alive() is None
    finally:
        gc.enable()


# --- routes and neighbours ------------------------------------------------------------------------


def hops(router: Router, *addresses: str) -> list[tuple[str, str | None]]:
    """Return kind and gateway of addresses."""
    return [(hop.kind, str(hop.via) if hop.via else None) for hop in router.lookup(addresses)]


def test_routes_and_lookup():
    world = World()
    router = world.router
    router.route_add("198.18.5.0/24", OTHER, "p1", preference=7)
    router.route_add("198.18.6.0/24", kind="prohibit")
    assert hops(router, "198.18.5.1") == [("via", GATEWAY)]  # not before the world runs
    world.bench.run(us=0)
    assert hops(router, "198.18.5.1", "198.18.6.1", "198.18.7.1", "9.9.9.9", "10.0.0.1") == [
        ("via", OTHER),
        ("prohibit", None),
        ("via", GATEWAY),
        ("none", None),
        ("local", None),
    ]
    (route,) = [one for one in router.routes() if str(one.to) == "198.18.5.0/24"]
    assert (str(route.via), route.port, route.source, route.preference) == (OTHER, "p1", "api", 7)
    router.route_delete("198.18.5.0/24")
    world.bench.run(us=0)
    assert hops(router, "198.18.5.1") == [("via", GATEWAY)]


def test_sources_of_one_prefix():
    world = World()
    world.router.route_add("198.18.0.0/16", OTHER, preference=30)
    world.bench.run(us=0)
    assert hops(world.router, "198.18.0.1") == [("via", GATEWAY)]
    both = [one for one in world.router.routes(all=True) if str(one.to) == "198.18.0.0/16"]
    assert sorted((one.source, one.preference) for one in both) == [("api", 30), ("config", 20)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"to": "1.0.0.0/8", "via": "10.7.0.1"}, "gateway on a connected subnet expected"),
        ({"to": "1.0.0.0/8", "via": "10.0.1.1"}, "other than an own address expected"),
        ({"to": "1.0.0.0/8", "via": GATEWAY, "port": "p0"}, "on a subnet of that port expected"),
        ({"to": "1.0.0.1/8", "via": GATEWAY}, "host bits"),
        ({"to": "1.0.0.0/8"}, "has a gateway"),
        ({"to": "1.0.0.0/8", "via": GATEWAY, "kind": "prohibit"}, "has a gateway"),
        ({"to": "1.0.0.0/8", "kind": "best"}, "expected one of via"),
        ({"to": "1.0.0.0/8", "via": GATEWAY, "preference": 256}, "expected 0 to 255"),
        ({"to": "1.0.0.0/8", "via": GATEWAY, "port": "p7"}, "expected one of p0, p1"),
    ],
)
def test_wrong_routes(arguments: dict[str, Any], words: str):
    with pytest.raises((ValueError, BenchError), match=words):
        World().router.route_add(**arguments)


def test_routes_in_bulk():
    world = World()
    prefixes = (0x64000000 + (np.arange(5000) << 8)).astype(np.uint32)
    gateways = np.where(np.arange(5000) % 2, 0x0A000103, 0x0A000102)
    world.router.routes_post(prefixes, 24, gateways)
    world.bench.settle()
    rows = world.router.lookup_array(prefixes | np.uint32(9))
    assert (rows["gateway"] == gateways).all()
    world.router.routes_post(prefixes, 24, 0, add=False)
    world.bench.settle()
    assert (world.router.lookup_array(prefixes)["kind"] == 0).all()
    with pytest.raises(BenchError, match=r"route 100\.0\.0\.0/24 via 9\.9\.9\.9: gateway"):
        world.router.routes_post(prefixes, 24, 0x09090909)


def test_a_route_file(tmp_path: Any):
    world = World()
    path = tmp_path / "routes.txt"
    path.write_text(f"# two\n100.0.0.0/24\n100.0.1.0/24 # next\n100.0.2.0/24 via {OTHER}\n")
    assert world.router.routes_load(path, via=[GATEWAY, OTHER]) == 3
    world.bench.run(us=0)
    found = hops(world.router, "100.0.0.1", "100.0.1.1", "100.0.2.1")
    assert found == [("via", GATEWAY), ("via", OTHER), ("via", OTHER)]
    before = world.router.routes()
    path.write_text(f"101.0.0.0/24 via {OTHER}\n\n101.0.300.0/24\n102.0.0.0/24\n")
    with pytest.raises(InputError, match=rf"^{path}:3: '101.0.300.0/24': prefix .* expected$"):
        world.router.routes_load(path, via=[GATEWAY])
    world.bench.run(us=0)
    assert world.router.routes() == before
    with pytest.raises(InputError, match="expected a route file: No such file"):
        world.router.routes_load(tmp_path / "none.txt")
    path.write_text("")
    assert world.router.routes_load(path) == 0


def test_neighbors():
    world = World(neighbor=[])
    world.router.neighbor_set("p1", GATEWAY, GATEWAY_MAC)
    world.a.send(world.frame())
    world.bench.run_until_idle()
    (neighbor,) = world.router.neighbors()
    assert (str(neighbor.address), neighbor.port, neighbor.mac, neighbor.static) == (
        GATEWAY,
        "p1",
        GATEWAY_MAC,
        True,
    )
    assert len(world.b.received()) == 1
    world.router.neighbor_delete("p1", GATEWAY)
    world.bench.run(us=0)
    assert world.router.neighbors() == []


# --- counters, faults -----------------------------------------------------------------------------


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
