# SPDX-License-Identifier: MIT
"""Routes change while packets are forwarded at full rate: what it costs, and whether any is lost.

    python -m twinroute.perf.churn [--per-second 200000] [--lpm compact]

A router on net_null ports in this process, its table shaped like the Internet's. By turns there are
changes and none; a quarter of them withdraws a route, a quarter brings one back, and the others
lead one to another gateway. At the end all is counted: every packet, and every route. It prints
JSON.
"""

import argparse
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from twinroute.config import load_config
from twinroute.perf.contests import Contest
from twinroute.perf.processes import Rate, forwarding_rate, wait_for
from twinroute.perf.progress import Progress
from twinroute.perf.rivals import BURST, SECONDS, Course, Devices, last_cpu, router_config
from twinroute.perf.selection import INTERNET, UNIFORM, Tables
from twinroute.perf.tables import RouteTable

PER_SECOND = 200_000
TURNS_PER_SECOND = 50
GATEWAYS = np.array([0x0A000002, 0x0A000102], np.uint32)  # 10.0.0.2 and 10.0.1.2
Numbers = npt.NDArray[np.int64]


@dataclass
class Churn:
    """What was measured."""

    asked_per_second: int
    quiet: list[Rate] = field(default_factory=list)
    changing: list[Rate] = field(default_factory=list)
    changes_per_second: list[float] = field(default_factory=list)  # that came into force
    received: int = 0
    forwarded: int = 0
    unaccounted: int = 0  # packets that are neither sent nor held nor dropped by a reason
    dropped: dict[str, int] = field(default_factory=dict)  # since the table was loaded
    routes_wrong: int = 0  # that are not as the last change has left them


class Changes:
    """Changes in turns, and what must be in the table after them."""

    def __init__(self, engine: Any, table: RouteTable, size: int) -> None:
        """Load the table. size: changes of a turn."""
        self._engine, self._table, self._quarter = engine, table, size // 4
        random = np.random.default_rng(1)
        order = random.permutation(len(table)).astype(np.int64)
        self._leaving, self._altered = order[: len(order) // 2], order[len(order) // 2 :]
        self._gone: Numbers = order[:0]  # withdrawn in the turn before
        self._turns = 0
        self.gateway = random.integers(0, 2, len(table), np.uint8)
        self.is_there = np.ones(len(table), bool)
        engine.routes_post(table.prefixes, table.bits, GATEWAYS[self.gateway])

    def turn(self) -> int:
        """Make the changes of one turn; return how many."""
        index = self._turns * self._quarter + np.arange(self._quarter)
        self._turns += 1
        gone = np.take(self._leaving, index, mode="wrap")
        pair = np.concatenate([2 * index, 2 * index + 1])
        altered = np.take(self._altered, pair, mode="wrap")
        self.gateway[altered] ^= 1
        self.is_there[self._gone] = True
        self.is_there[gone] = False
        rows = np.concatenate([self._gone, gone, altered])
        self._gone = gone
        prefixes, bits = self._table.prefixes[rows], self._table.bits[rows]
        gateways = GATEWAYS[self.gateway[rows]]
        self._engine.routes_post(prefixes, bits, gateways, add=self.is_there[rows])
        return len(rows)

    def wrong(self) -> int:
        """Return how many of the router's routes are not as they must be."""
        found = self._engine.routes_array(all=True)
        found = found[found["source"] == self._engine.native.lib.TR_SOURCE_API]
        found = {(int(one["prefix"]), int(one["bits"]), int(one["gateway"])) for one in found}
        there = np.flatnonzero(self.is_there)
        table, gateways = self._table, GATEWAYS[self.gateway[there]]
        rows = zip(table.prefixes[there], table.bits[there], gateways, strict=True)
        return len(found ^ {(int(a), int(b), int(c)) for a, b, c in rows})


def in_force(engine: Any) -> bool:
    """Tell whether all units forward by the changes that were made."""
    info = engine.table_info()
    return not info.pending and not info.swap_outstanding


def keep_changing(engine: Any, changes: Changes, end: threading.Event, rates: list[float]) -> None:
    """Make changes, a turn after the other, until told to end; append how many a second it were."""
    begun, made, turns = time.monotonic(), 0, 0
    while not end.is_set():
        made += changes.turn()
        turns += 1
        time.sleep(max(0.0, begun + turns / TURNS_PER_SECOND - time.monotonic()))
    wait_for(lambda: in_force(engine), "the changes")
    rates.append(made / (time.monotonic() - begun))


def measure(folder: Path, table: RouteTable, *, lpm: str, per_second: int, rounds: int) -> Churn:
    """Run it all."""
    from twinroute.dpdk.engine import Engine

    tables = Tables(routes=len(table))
    course = Course(Devices(), Contest(INTERNET, UNIFORM, lpm=lpm), tables, folder)
    os.environ |= course.environment()  # which the plugin reads
    course.routes = None  # they come by themselves
    found = Churn(per_second)
    progress = Progress("changes at full rate", rounds)
    with Engine(load_config(router_config(course, burst=BURST))) as engine:
        engine.start()
        # This thread, and those that it starts, leave the CPU that forwards alone.
        os.sched_setaffinity(0, os.sched_getaffinity(0) - {last_cpu()})
        changes = Changes(engine, table, per_second // TURNS_PER_SECOND)
        wait_for(lambda: in_force(engine), "the table")
        before = engine.counters()
        for _ in range(rounds):
            progress.step("with and without")
            found.quiet.append(forwarding_rate(course.source, 2, SECONDS))
            end = threading.Event()
            words = (engine, changes, end, found.changes_per_second)
            thread = threading.Thread(target=keep_changing, args=words)
            thread.start()
            found.changing.append(forwarding_rate(course.source, 2, SECONDS))
            end.set()
            thread.join()
        found.routes_wrong = changes.wrong()
        held = engine.stop()
        counters = engine.counters()
        found.received = sum(counters.received.values())
        found.forwarded = counters.forwarded
        found.dropped = dict(counters.dropped - before.dropped)
        found.unaccounted = counters.came - counters.left - held
    return found


def main(words: list[str] | None = None) -> int:
    """Run it as a command."""
    parser = argparse.ArgumentParser(prog="twinroute.perf.churn", description=__doc__)
    parser.add_argument("--per-second", type=int, default=PER_SECOND)
    parser.add_argument("--routes", type=int, default=1_000_000)
    parser.add_argument("--lpm", choices=("dir24_8", "compact"), default="dir24_8")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(words)
    table = Tables(routes=given.routes).table(INTERNET)
    assert table is not None
    options = {"lpm": given.lpm, "per_second": given.per_second, "rounds": given.rounds}
    with TemporaryDirectory() as folder:
        found = measure(Path(folder), table, **options)
    print(json.dumps(asdict(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
