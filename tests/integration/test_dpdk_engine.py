# SPDX-License-Identifier: MIT
"""An engine on ring ports: control from other threads while units run, traces, captures, frames in
several buffers, jumbo frames, stopping, and what it refuses."""

import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np
import pytest

from tests import packets as p
from tests import worlds as w
from tests.dpdk_bed import RingBed, needs_dpdk, on_dpdk, settled, wait_for
from twinroute.changes import NeighborChange
from twinroute.errors import ConfigError
from twinroute.routes import bulk_changes

pytestmark = [needs_dpdk, pytest.mark.no_sanitizer]

DATAGRAM = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, p.udp(1, 9, b"data")))
PING = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R1, p.echo_request(), protocol=p.ICMP))


@pytest.fixture(scope="module")
def bed() -> Iterator[RingBed]:
    ring_bed = RingBed(2, prefix="e")
    yield ring_bed
    ring_bed.close()


@pytest.fixture
def engine(bed: RingBed) -> Iterator[object]:
    bed.collect()
    with bed.engine() as made:
        made.start()
        yield settled(made)


def test_forwards_and_answers(bed: RingBed, engine):
    out = bed.exchange(engine, w.P1, [DATAGRAM, PING])
    assert out[w.P2] == [p.forwarded(DATAGRAM, w.M2, w.g2)]
    (reply,) = out[w.P1]
    assert p.ip_fields(p.ip_of(reply))["src"] == w.R1
    counters = engine.counters()
    assert counters.dropped == {"echo_answered": 1}
    assert counters.punted == {"local": 1}


def test_ports_and_units(bed: RingBed, engine):
    port = engine.port_infos()[0]
    assert (port.name, port.driver, port.rx_queues, port.tx_queues) == ("p1", "net_ring", 2, 3)
    assert port.mac == w.M1
    assert port.link_up
    assert not port.tx_shared
    assert port.filters == "software: the driver has no RSS table"
    assert [unit.name for unit in engine.unit_infos()] == ["fast-0", "fast-1", "slow"]
    wait_for(lambda: all(unit.turns > 10 for unit in engine.unit_infos()), "turns")


def test_routes_change_while_units_run(bed: RingBed, engine):
    engine.route_add("100.64.7.0/24", via=w.G3)
    settled(engine)
    assert engine.lookup("100.64.7.9")[0].port == w.P3
    frame = p.ether(w.M1, w.h1, p.ipv4(w.H1, "100.64.7.9"))
    assert bed.exchange(engine, w.P1, [frame])[w.P3] == [p.forwarded(frame, w.M3, w.g3)]
    engine.route_delete("100.64.7.0/24")
    settled(engine)
    assert engine.lookup("100.64.7.9")[0].kind == "none"
    assert "198.18.0.0/16" in {str(route.to) for route in engine.routes()}


def test_neighbors_change_while_units_run(bed: RingBed, engine):
    engine.neighbor_set(w.P2, "10.2.0.77", "02:00:00:00:00:77")
    settled(engine)
    assert "10.2.0.77" in {str(one.address) for one in engine.neighbors()}


def test_filters_change_while_units_run(bed: RingBed, engine):
    rule = '[[filter]]\naction = "drop"\nprotocol = "udp"\ndestination_port = {}\n'
    engine.filters_set(w.bed_config(routes=rule.format(9) + rule.format(7)))
    settled(engine)
    assert bed.exchange(engine, w.P1, [DATAGRAM, PING])[w.P2] == []
    assert [one.packets for one in engine.filters()] == [1, 0]
    engine.filters_set(w.bed_config())
    settled(engine)
    assert bed.exchange(engine, w.P1, [DATAGRAM])[w.P2] == [p.forwarded(DATAGRAM, w.M2, w.g2)]
    assert engine.filters() == []
    assert engine.counters().dropped["filtered"] == 1


def test_changes_of_all_kinds_are_one_swap(bed: RingBed, engine):
    """As many routes as the slow path takes in several turns, and a neighbour before them."""
    prefixes = (np.arange(50_000, dtype=np.uint32) << 8) + (100 << 24)
    gateway = int(IPv4Address(w.G3))
    changes = bulk_changes(engine.native, prefixes, 24, gateway, preference=20, add=True)
    before = engine.table_info().generation
    neighbor = NeighborChange(w.P3, IPv4Address(w.G3), "02:00:00:00:00:77")
    engine.apply(changes, neighbors=[neighbor])
    assert settled(engine).table_info().generation == before + 1
    assert [hop.port for hop in engine.lookup(prefixes[[0, -1]])] == [w.P3, w.P3]


def test_many_threads_ask(bed: RingBed, engine):
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            for number in range(50):
                engine.route_add(f"100.64.{number}.0/24", kind="blackhole")
                engine.routes_array()
                engine.table_info()
                engine.held()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len([route for route in engine.routes() if route.kind == "blackhole"]) == 50


def test_trace_follows_a_packet(bed: RingBed, engine):
    engine.trace("icmp", most=1)
    bed.exchange(engine, w.P1, [DATAGRAM, PING, PING])
    events = engine.trace_events()
    assert {event.packet for event in events} == {1}
    places = [event.place for event in events]
    assert places[:4] == ["validate", "filter", "lookup", "next_hop"]
    assert (events[3].verdict, events[3].reason) == ("punt", "local")
    assert "slow_icmp_query" in places
    assert events[0].port == w.P1
    engine.trace(most=0)
    bed.exchange(engine, w.P1, [PING])
    assert not engine.trace_events()


def test_trace_refuses_a_bad_filter(bed: RingBed, engine):
    from twinroute.dpdk import EngineError

    with pytest.raises(EngineError, match='trace filter "no such thing":'):
        engine.trace("no such thing")


def test_trace_ring_never_blocks(bed: RingBed, engine):
    engine.trace(most=1_000_000)
    for _ in range(4):
        bed.exchange(engine, w.P1, [DATAGRAM] * 500)
    assert sum(unit.trace_events_lost for unit in engine.unit_infos()) > 0
    assert engine.counters().forwarded == 2000


def test_capture_both_ways(bed: RingBed, engine):
    bed.exchange(engine, w.P1, [DATAGRAM])
    with engine.capture("udp") as capture:
        out = bed.exchange(engine, w.P1, [DATAGRAM, PING])
        frames = capture.read()
    assert {(one.port, one.direction, one.data) for one in frames} == {
        (w.P1, "in", DATAGRAM),
        (w.P2, "out", out[w.P2][0]),
    }
    assert bed.exchange(engine, w.P1, [DATAGRAM])[w.P2]


def test_capture_cuts_and_loses(bed: RingBed, engine):
    with engine.capture(ports=[w.P1], directions=["in"], snap=20, buffers=15) as capture:
        bed.exchange(engine, w.P1, [DATAGRAM] * 100)
        frames = capture.read()
        assert {(len(one.data), one.size) for one in frames} == {(20, len(DATAGRAM))}
        assert len(frames) + capture.lost == 100
        assert capture.lost > 0


def test_frame_in_several_buffers_is_made_whole(bed: RingBed, engine):
    bed.rings[w.P1].inject(DATAGRAM, segments=3)
    expected = p.forwarded(DATAGRAM, w.M2, w.g2)
    assert wait_for(bed.rings[w.P2].collect) == [expected]


def test_frame_that_fits_no_buffer_is_counted(bed: RingBed, engine):
    frame = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, bytes(5000)))
    bed.rings[w.P1].inject(frame, segments=3)
    wait_for(lambda: engine.nic(w.P1).chained == 1, "the frame counted")
    assert bed.exchange(engine, w.P1, [DATAGRAM])[w.P2]
    assert engine.counters().received[w.P1] == 1


def test_short_frames_leave_filled(bed: RingBed, engine):
    frame = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1)) + b"secret" * 9
    (sent,) = bed.exchange(engine, w.P1, [frame])[w.P2]
    assert sent == p.forwarded(frame, w.M2, w.g2)
    assert sent[34:] == bytes(26)


def test_link_is_followed(bed: RingBed, engine):
    bed.rings[w.P2].set_link(up=False)
    try:
        wait_for(lambda: not engine.port_infos()[1].link_up, "link down")
        wait_for(lambda: engine.lookup([w.A1])[0].kind == "none", "no route")
        assert bed.exchange(settled(engine), w.P1, [DATAGRAM])[w.P2] == []
        assert engine.counters().dropped == {"no_route": 1}
    finally:
        bed.rings[w.P2].set_link(up=True)
    wait_for(lambda: engine.port_infos()[1].link_up, "link up")
    wait_for(lambda: engine.lookup([w.A1])[0].kind == "via", "the route")
    assert bed.exchange(settled(engine), w.P1, [DATAGRAM])[w.P2]


def test_more_changes_than_the_ring_holds(bed: RingBed):
    with bed.engine() as engine:
        for number in range(1500):  # before any unit runs
            engine.neighbor_set(w.P1, f"10.1.0.{number % 200 + 3}", "02:00:00:00:00:01")
        engine.start()
        for number in range(3000):
            engine.neighbor_set(w.P2, f"10.2.0.{number % 200 + 3}", "02:00:00:00:00:02")
        assert len(engine.neighbors()) == 406


def test_stop_drains(bed: RingBed):
    bed.collect()
    with bed.engine(fast={"tx_flush_us": 1e6, "tx_buffer": 512}) as engine:
        engine.start()
        settled(engine)
        bed.inject(w.P1, [DATAGRAM] * 10)
        wait_for(lambda: engine.counters().received[w.P1] == 10, "received")
        assert engine.stop(drain_ms=3000) == 0
        assert not engine.running
        assert len(bed.collect()[w.P2]) == 10
        counters = engine.counters()
        assert counters.came == counters.left


def test_stop_gives_up_on_what_waits_for_a_neighbor(bed: RingBed):
    with bed.engine(resolved=False) as engine:
        engine.start()
        settled(engine)
        bed.inject(w.P1, [DATAGRAM])
        wait_for(lambda: engine.held() == 1, "held")
        assert engine.stop(drain_ms=20) == 1
        assert len(engine.routes()) > 0  # read at rest


def test_starts_again(bed: RingBed):
    bed.collect()
    with bed.engine() as engine:
        for _ in range(3):
            engine.start()
            settled(engine)
            assert bed.exchange(engine, w.P1, [DATAGRAM])[w.P2]
            engine.stop()


def test_arp_reply_of_a_stranger_resolves(bed: RingBed):
    bed.collect()
    with bed.engine(resolved=False) as engine:
        engine.start()
        settled(engine)
        bed.inject(w.P1, [DATAGRAM])
        (request,) = wait_for(bed.rings[w.P2].collect)
        assert request[:14] == p.ether(p.BROADCAST, w.M2, b"", 0x0806)
        reply = p.arp(2, w.g2, w.G2, w.M2, w.R2)
        bed.rings[w.P2].inject(p.ether(w.M2, w.g2, reply, 0x0806))
        assert wait_for(bed.rings[w.P2].collect) == [p.forwarded(DATAGRAM, w.M2, w.g2)]


# --- refusals -------------------------------------------------------------------------------------


def test_two_engines_do_not_share_a_device(bed: RingBed, engine):
    from twinroute.dpdk import EngineError

    with pytest.raises(EngineError, match="port p1: net_ring_e2p1: another port uses it"):
        bed.engine()
    assert bed.exchange(engine, w.P1, [DATAGRAM])[w.P2]


def test_no_such_device(bed: RingBed):
    from twinroute.dpdk import Engine, EngineError

    devices = {**bed.devices, w.P2: "net_nonesuch0"}
    with pytest.raises(EngineError, match="port p2: net_nonesuch0: no such device"):
        Engine(on_dpdk(w.bed_config(), devices))
    with bed.engine():  # nothing was left behind
        pass


def test_too_few_queues(bed: RingBed):
    from twinroute.dpdk import EngineError

    with pytest.raises(EngineError, match=r"2 receive queues, but 3 fast-path units"):
        bed.engine(fast={"units": 3})


def test_no_memory(bed: RingBed):
    from twinroute.dpdk import Engine, EngineError

    config = on_dpdk(w.bed_config(fast={"units": 2}), bed.devices, buffers=1 << 22)
    with pytest.raises(EngineError, match="no memory for 4194304 packet buffers"):
        Engine(config)


def test_a_port_without_device():
    from twinroute.dpdk import Engine

    with pytest.raises(ConfigError, match=r"dpdk\.port\.p1: expected a table with its device"):
        Engine(w.bed_config())


def in_a_process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)


START = """
import sys
from tests import worlds as w
from tests.dpdk_bed import on_dpdk
from twinroute.dpdk import EngineError, eal
config = on_dpdk(w.bed_config(), {}, file_prefix=sys.argv[1], memory_mb=int(sys.argv[2]),
                 eal_args=sys.argv[3:])
try:
    eal.start(config)
except EngineError as error:
    sys.exit(str(error))
"""


def test_prefix_in_use(bed: RingBed):
    import os

    done = in_a_process(START, f"test-{os.getpid()}", "64")
    assert done.stderr == f"dpdk: file prefix test-{os.getpid()}: another process uses it\n"


def test_eal_complains_in_one_line():
    done = in_a_process(START, "test-refused", "64", "--in-memory")
    *_, last = done.stderr.splitlines()  # what its options are it says on stdout
    assert last.startswith("dpdk: EAL does not start: EAL: Invalid")


def test_more_memory_than_there_is():
    done = in_a_process(START, "test-huge", str(1 << 20))
    assert done.stderr.startswith("dpdk: memory_mb: 1048576 MiB wanted, ")


def test_nothing_stays_behind():
    done = in_a_process(START, "test-tidy", "64")
    assert (done.stdout, done.returncode) == ("", 0), done
    assert not Path("/var/run/dpdk/test-tidy").exists()


def test_jumbo_frames_in_one_buffer():
    frame = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, bytes(8952), fragment=p.DF))
    code = """
import struct, sys
from tests import worlds as w
from tests.dpdk_bed import on_dpdk, settled, wait_for
from twinroute.dpdk import Engine, RingPort
config = w.bed_config(mtu1=9000, mtu2=9000)
devices = {name: "net_ring_j" + name for name in config.ports}
config = on_dpdk(config, devices, file_prefix="test-jumbo", memory_mb=512)
rings = {name: RingPort(config, "j" + name, rx_queues=1, tx_queues=2, frame_bytes=9216,
                        capacity=256) for name in devices}
with Engine(config) as engine:
    engine.start()
    settled(engine)
    rings["p1"].inject(sys.stdin.buffer.read())
    sys.stdout.buffer.write(wait_for(rings["p2"].collect)[0])
"""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, input=frame, capture_output=True, timeout=60)
    assert done.stdout == p.forwarded(frame, w.M2, w.g2), done.stderr
    assert struct.unpack("!H", done.stdout[16:18])[0] == 8972
