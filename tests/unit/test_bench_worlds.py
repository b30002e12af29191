# SPDX-License-Identifier: MIT
"""Worlds built from a configuration and in code, and what cannot be built."""

import gc
import weakref
from typing import Any

import pytest

from tests import packets as p
from tests.two_stations import SENDER, TABLES, World
from twinroute.config import build_config
from twinroute.errors import ConfigError
from twinroute.sim import Bench, BenchError, Faults


def test_from_config(tmp_path: Any):
    path = tmp_path / "router.toml"
    path.write_text(
        '[port.p0]\naddress = "10.0.0.1/24"\n[port.p1]\naddress = ["10.0.1.1/24", "10.9.0.1/24"]\n'
        '[[route]]\nto = "0.0.0.0/0"\nvia = "10.9.0.77"\n[sim]\nseed = 5\n[fast_path]\nburst = 8\n'
    )
    bench = Bench.from_config(path)
    assert bench.world.seed == 5
    packet = p.ipv4("10.0.0.2", "192.88.99.1", p.udp(1, 2))
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
