# SPDX-License-Identifier: MIT
"""What is measured on DPDK's ports, and what is made of the numbers."""

import io
from pathlib import Path

import pytest

from twinroute.config import load_config
from twinroute.perf import plots, rivals, targets
from twinroute.perf.contests import contests
from twinroute.perf.loop import PIPELINE
from twinroute.perf.progress import Progress
from twinroute.perf.selection import ALL_24S, INTERNET, NONE, Tables, setups
from twinroute.perf.source import IMIX, Source

CYCLES = {"l3fwd lpm, bursts of 32": 60.0, "l3fwd fib, bursts of 64": 50.0}
CYCLES |= {"testpmd io, bursts of 64": 10.0}
CYCLES |= {f"twinroute, bursts of {burst}": 100.0 for burst in (16, 32, 64, 128, 512)}
CYCLES |= {"twinroute, bursts of 256": 25.0}


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a plugin, wherever DPDK is not."""
    monkeypatch.setattr(rivals, "plugin", lambda: Path("/opt/source.so"))
    return Path("/opt/driver.so")


@pytest.mark.parametrize("name", [name for name, one in contests().items() if one.units == 1])
def test_the_router_is_set_up_for_each_contest(tmp_path: Path, driver: Path, name: str) -> None:
    contest = contests()[name]
    course = rivals.Course(rivals.Devices(), contest, Tables(routes=50), tmp_path)
    if course.routes is not None:
        course.routes = Tables(routes=50).table(INTERNET)
    config = load_config(rivals.router_config(course, burst=256))
    assert (config.fast_path.burst, config.fast_path.lpm) == (256, contest.lpm)
    assert len(config.filters) == contest.rules
    (route,) = (one for one in config.routes if one.to.prefixlen == 0)
    assert len(route.via) == contest.gateways
    assert [file.path for file in config.route_files] == (
        [] if contest.table == NONE else [tmp_path / "routes.txt"]
    )
    assert config.dpdk.port["p0"].device == f"net_null0,size={max(IMIX) if contest.imix else 60}"


def test_l3fwd_reads_the_same_table(tmp_path: Path) -> None:
    contest = contests()[INTERNET]
    course = rivals.Course(rivals.Devices(), contest, Tables(routes=50), tmp_path)
    lines = course.rules.read_text().splitlines()
    assert [line.split()[0][1:] for line in lines[2:]] == course.route_file.read_text().split()
    assert {line.split()[1] for line in lines[2:]} == {"0", "1"}


def test_another_driver_gets_a_file_of_addresses(tmp_path: Path, driver: Path) -> None:
    devices = rivals.Devices("net_x{},dst=file:{destinations}", driver)
    course = rivals.Course(devices, contests()["one destination"], Tables(), tmp_path)
    path = tmp_path / "destinations.txt"
    assert course.names == (f"net_x0,dst=file:{path}", f"net_x1,dst=file:{path}")
    assert path.read_text() == "1.2.3.4\n"
    assert devices.options == ["-d", "/opt/source.so", "-d", "/opt/driver.so"]


def test_the_source_is_told_what_to_send(tmp_path: Path) -> None:
    source = Source(tmp_path / "source", Tables().destinations(NONE, "one address"))
    only = {"TWINROUTE_SOURCE": str(tmp_path / "source")}
    assert source.environment() == only
    assert source.environment(10, lengths=(60, 590), verdict=False) == only | {
        "TWINROUTE_SOURCE_EXPIRED": "10",
        "TWINROUTE_SOURCE_BYTES": "60,590",
        "TWINROUTE_SOURCE_CHECKSUM": "unknown",
    }


# --- what is made of the numbers ------------------------------------------------------------------


def report() -> dict[str, object]:
    """Make up a report: every application takes as many cycles in any case."""
    rates = {name: [{"cycles": cycles}] * 3 for name, cycles in CYCLES.items()}
    batches = {
        f"{INTERNET}, uniform, batch {batch}": {
            "rte_fib AVX-512": [10.0, 12.0],
            "dir24_8": [batch, batch],
            "compact": [2.0 * batch, batch],
        }
        for batch in (8, 64)
    }
    churn = {"quiet": [{"cycles": 97.0}], "changing": [{"cycles": 100.0}]}
    return {
        "hz": 1e9,
        "fast path": {name: {PIPELINE: [10.0]} for name in setups()},
        "applications": dict.fromkeys(contests(big=True), rates),
        "lookups": batches,
        "load, s": [0.4, 0.5, 0.8],
        "churn": {"dir24_8": churn},
    }


def test_ratios_are_of_the_best_of_each() -> None:
    found = {(one["case"], one["against"]): one for one in targets.results(report())}
    assert found["one destination", "l3fwd, its best"]["ratio"] == 2.0
    assert found["two units on two cores", "one unit"]["ratio"] == 1.0
    assert found[ALL_24S, "one destination"]["asked"] == 0.5
    lookups = found["lookup alone, dir24_8", "rte_fib AVX-512"]
    assert (lookups["lowest"], lookups["highest"]) == (10 / 8, 12 / 8)
    assert found["1,000,000 routes loaded", "0.5 s"]["ratio"] == 1.0
    assert found["200,000 changes a second, dir24_8", "none"]["ratio"] == 0.97


def test_what_was_not_measured_is_left_out() -> None:
    assert targets.results({"hz": 1e9, "fast path": {}}) == []
    assert [one["case"] for one in targets.results({"load, s": [1.0]})] == [
        "1,000,000 routes loaded"
    ]


def test_the_table_says_what_is_reached() -> None:
    row = {"case": "a", "against": "b", "lowest": 0.9, "highest": 1.2, "asked": 1.0}
    text = targets.results_table([{**row, "ratio": 1.0}, {**row, "ratio": 0.99}])
    assert [line.split()[-1] for line in text.split("\n")[2:]] == ["reached", "yet"]


def test_pictures_have_the_curves_of_dpdk() -> None:
    found = report()
    assert plots.batches(found)["one destination, DPDK"]["256"] == 1000 / 25
    assert plots.table_sizes(found)["uniform, DPDK, compact"][INTERNET] == 10.0
    assert plots.cores(found)[f"{INTERNET}, DPDK"] == {"1": 10.0, "2": 10.0}


def test_progress_is_told_a_line_a_step() -> None:
    out = io.StringIO()
    progress = Progress("all", 2, out)
    progress.step("first")
    progress.step("second")
    assert out.getvalue() == "all, 1 of 2: first\nall, 2 of 2: second\n"
