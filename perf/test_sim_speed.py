# SPDX-License-Identifier: MIT
"""How fast the simulator is in real time. Nothing here passes or fails by a time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from twinroute.cli import main
from twinroute.perf.load import linked_router
from twinroute.perf.tables import RouteTable, make_table, read_table
from twinroute.perf.traffic import udp_frames
from twinroute.sim import Bench, Frames, Router, Station
from twinroute.sim.capture import write

GATEWAY, GATEWAY_MAC = "10.0.1.2", "02:00:00:00:00:02"
PORTS = {"p0": "10.0.0.1/24", "p1": "10.0.1.1/24"}
ROUTES = 100_000
FRAMES = 1_000_000
CAPTURE_FRAMES = 500_000
FULL_TABLE = 1_000_000
BURST = 64


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> RouteTable:
    """Return the table to forward by."""
    rib: Path | None = request.config.getoption("--rib")
    return read_table(rib) if rib else make_table(ROUTES)


def make_router(bench: Bench) -> Router:
    """Make a router of two ports whose gateway is known."""
    neighbor = {"port": "p1", "address": GATEWAY, "mac": GATEWAY_MAC}
    return bench.router(port=PORTS, neighbor=[neighbor], sim={"buffers": 65536})


def load(router: Router, table: RouteTable) -> None:
    """Post a table, all by one gateway."""
    gateway = int.from_bytes(bytes(int(octet) for octet in GATEWAY.split(".")))
    router.routes_post(table.prefixes, table.bits, gateway)


def measure(
    benchmark: BenchmarkFixture, run: Callable[..., None], count: int, what: str, **options: Any
) -> None:
    """Time `run`, which handles `count` of something; `what` a second goes into extra_info."""
    untyped: Any = benchmark
    untyped.pedantic(run, **options)
    if untyped.stats is not None:  # it is, with --benchmark-disable
        benchmark.extra_info[f"{what} per s"] = round(count / untyped.stats["min"])


@pytest.mark.parametrize("record", [False, True], ids=["dropped", "recorded"])
def test_forwarding_in_memory(benchmark: BenchmarkFixture, table: RouteTable, record: bool) -> None:
    """Frames of 64 bytes in bursts of 64, one unit, in functional mode; by what gets them."""
    destinations = table.addresses(FRAMES)

    def setup() -> tuple[tuple[Bench, Router], dict[str, object]]:
        bench = Bench()
        router = make_router(bench)
        source, sink = bench.station("source"), bench.station("sink", record=record)
        for station, port in ((source, "p0"), (sink, "p1")):
            bench.link(station, router.port(port), rate="unlimited")
        load(router, table)
        bench.settle()
        bursts = np.arange(FRAMES) // BURST
        frames = udp_frames(destinations, to=router.port("p0").mac)
        source.send_bulk(frames, at_ps=bench.now_ps + bursts * 1_000_000)
        return (bench, router), {}

    def run(bench: Bench, router: Router) -> None:
        bench.run_until_idle()
        assert router.counters().forwarded == FRAMES

    measure(benchmark, run, FRAMES, "packets", setup=setup, rounds=5, warmup_rounds=1)


def test_frames_one_by_one(benchmark: BenchmarkFixture, table: RouteTable) -> None:
    """The same over links of 10 Gbit/s: every frame is an event and a burst of its own."""
    destinations = table.addresses(FRAMES)

    def setup() -> tuple[tuple[Bench, Router, Station], dict[str, object]]:
        bench = Bench()
        router = make_router(bench)
        source, sink = bench.station("source"), bench.station("sink", record=False)
        for station, port in ((source, "p0"), (sink, "p1")):
            bench.link(station, router.port(port))
        load(router, table)
        bench.settle()
        source.send_bulk(udp_frames(destinations, to=router.port("p0").mac))
        return (bench, router, sink), {}

    def run(bench: Bench, router: Router, _: Station) -> None:
        bench.run_until_idle()
        assert router.counters().forwarded == FRAMES

    measure(benchmark, run, FRAMES, "packets", setup=setup, rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("size", [60, 400])
def test_capture_to_capture(
    benchmark: BenchmarkFixture, table: RouteTable, tmp_path: Path, size: int
) -> None:
    """`twinroute sim` as a whole: read a capture, route it, write captures and report."""
    (tmp_path / "router.toml").write_text(
        f'[port.p0]\naddress = "{PORTS["p0"]}"\n[port.p1]\naddress = "{PORTS["p1"]}"\n'
        f'[[route]]\nto = "0.0.0.0/0"\nvia = "{GATEWAY}"\n'
        f'[[neighbor]]\nport = "p1"\naddress = "{GATEWAY}"\nmac = "{GATEWAY_MAC}"\n'
    )
    frames = udp_frames(table.addresses(CAPTURE_FRAMES), to="02:54:52:00:00:00", size=size)
    lengths = np.full(CAPTURE_FRAMES, size, np.uint32)
    offsets = np.arange(CAPTURE_FRAMES, dtype=np.uint64) * size
    times = np.arange(CAPTURE_FRAMES, dtype=np.uint64) * 1_000_000
    none = np.full(CAPTURE_FRAMES, -1, np.int64)
    capture = tmp_path / "in.pcap"
    write(capture, Frames(frames.reshape(-1), offsets, lengths, times, none))

    def run() -> None:
        words = ["sim", str(tmp_path / "router.toml"), "--in", f"p0={capture}"]
        assert main([*words, "--out", str(tmp_path / "out")]) == 0

    measure(benchmark, run, CAPTURE_FRAMES, "packets", rounds=3, warmup_rounds=1)


def test_full_table_from_a_file(
    benchmark: BenchmarkFixture, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A route file of 1,000,000 lines (or --rib) until every unit forwards by it."""
    rib: Path | None = request.config.getoption("--rib")
    table = read_table(rib) if rib else make_table(FULL_TABLE)
    path = tmp_path / "routes.txt"
    table.write(path)

    def setup() -> tuple[tuple[Bench, Router], dict[str, object]]:
        return linked_router(), {}

    def run(bench: Bench, router: Router) -> None:
        assert router.routes_load(path, via=[GATEWAY]) == len(table)
        bench.settle()
        assert router.table_info().routes >= len(table)

    measure(benchmark, run, len(table), "routes", setup=setup, rounds=3)
