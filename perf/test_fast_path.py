# SPDX-License-Identifier: MIT
"""The fast path, its steps, lookups and tables, in real time. Nothing passes or fails by a time.

The steps and the lookup structures are those that the core has. Cycles a packet or a lookup are in
extra_info; `make bench` runs the same in rounds in turn, which disturbances move less.
"""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from twinroute.perf.load import linked_router
from twinroute.perf.loop import LOOKUPS, PIPELINE, Lookups, program
from twinroute.perf.selection import INTERNET, Field, Tables, lookups, setups
from twinroute.perf.tables import RouteTable, make_table
from twinroute.sim import Bench, Router

ROUNDS = 5
BLOCKS = 64
GATEWAYS = ("10.0.1.2", "10.0.1.3")
CHANGES = 10_000


def is_built() -> bool:
    """Tell whether the program that needs DPDK is there."""
    try:
        program(LOOKUPS)
    except FileNotFoundError:
        return False
    return True


def rounds(benchmark: BenchmarkFixture, run: Any, **options: Any) -> None:
    """Time rounds of a function."""
    untyped: Any = benchmark
    untyped.pedantic(run, rounds=ROUNDS, **options)


@pytest.fixture(scope="module")
def tables(request: pytest.FixtureRequest) -> Tables:
    """Return the tables; --rib for the Internet's."""
    return Tables(request.config.getoption("--rib"))


@pytest.fixture(scope="module")
def field(tables: Tables) -> Iterator[Field]:
    """Yield routers for all setups."""
    with Field(setups(), tables, {"": None}, blocks=BLOCKS) as made:
        yield made


@pytest.mark.parametrize("name", setups())
@pytest.mark.parametrize("measure", [PIPELINE, "steps"])
def test_packets(benchmark: BenchmarkFixture, field: Field, name: str, measure: str) -> None:
    """Packets through the whole pipeline, and a step at a time."""
    found: list[dict[str, float]] = []
    rounds(benchmark, lambda: found.append(field.run("", name, measure)), warmup_rounds=1)
    for place in found[0]:
        cycles = statistics.median(numbers[place] for numbers in found)
        benchmark.extra_info[f"{place}, cycles"] = round(cycles, 1)


@pytest.fixture(scope="module")
def races(tables: Tables) -> Iterator[dict[str, Lookups]]:
    """Yield loaded lookup structures by the table's name."""
    with ExitStack() as stack:
        loaded = {}
        for name in {name for name, _, _ in lookups()}:
            table = tables.table(name)
            assert table is not None
            loaded[name] = stack.enter_context(Lookups(table))
        yield loaded


@pytest.mark.skipif(not is_built(), reason="the DPDK backend is not built")
@pytest.mark.parametrize(("table", "to", "batch"), list(lookups()))
def test_lookups(
    benchmark: BenchmarkFixture,
    tables: Tables,
    races: dict[str, Lookups],
    table: str,
    to: str,
    batch: int,
) -> None:
    """Lookups alone, next to rte_lpm and rte_fib: all of them in one round."""
    race = races[table]
    addresses = race.addresses(to, tables.destinations(table, to))
    found: list[dict[str, list[float]]] = []
    rounds(benchmark, lambda: found.append(race.race(addresses, batch=batch, rounds=5)))
    for name in found[0]:
        cycles = statistics.median(value for numbers in found for value in numbers[name])
        benchmark.extra_info[f"{name}, cycles"] = round(cycles, 2)


# --- tables ---------------------------------------------------------------------------------------


def post(router: Router, table: RouteTable, gateway: str) -> None:
    """Post a table, all by one gateway."""
    address = int.from_bytes(bytes(int(octet) for octet in gateway.split(".")))
    router.routes_post(table.prefixes, table.bits, address)


@pytest.mark.parametrize("changes", [1, CHANGES])
def test_changes_of_a_full_table(
    benchmark: BenchmarkFixture, tables: Tables, tmp_path: Path, changes: int
) -> None:
    """Routes that change their gateway, until all units forward by them: two swaps at least."""
    table = tables.table(INTERNET)
    assert table is not None
    bench, router = linked_router()
    post(router, table, GATEWAYS[0])
    bench.settle()
    chosen = np.sort(np.random.default_rng(1).choice(len(table), changes, replace=False))
    some = RouteTable(table.prefixes[chosen], table.bits[chosen])
    turn = iter(range(1 << 30))

    def run() -> None:
        post(router, some, GATEWAYS[(next(turn) + 1) % 2])
        bench.settle()

    rounds(benchmark, run, warmup_rounds=1)
    benchmark.extra_info["routes per round"] = changes


@pytest.mark.parametrize("routes", [10_000, 100_000, 1_000_000])
def test_load(benchmark: BenchmarkFixture, routes: int) -> None:
    """An empty router gets a table of so many routes."""
    table = make_table(routes)

    def setup() -> tuple[tuple[Bench, Router], dict[str, object]]:
        return linked_router(), {}

    def run(bench: Bench, router: Router) -> None:
        post(router, table, GATEWAYS[0])
        bench.settle()
        assert router.lookup([int(table.prefixes[-1])])[0].kind == "via"

    rounds(benchmark, run, setup=setup)
