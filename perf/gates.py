# SPDX-License-Identifier: MIT
"""Exact numbers of the fast path, which no machine and no load change.

Instructions a packet, counted by callgrind in the loop of perf/loop, and virtual cycles a packet in
the simulator, by its default profile. tests/gates holds them against baseline.toml.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from twinroute.perf import baseline
from twinroute.perf.loop import PIPELINE, Bed, Case, Loop
from twinroute.perf.tables import RouteTable
from twinroute.perf.traffic import udp_frames
from twinroute.sim import Bench, Router

ROUTES = 100_000
DESTINATIONS = 1 << 14
BLOCKS = 4  # of packets, for each number
FRAMES = 4096  # in the simulator
COMPLEX_TTL = 22  # offset in the frame


# --- exact tables ---------------------------------------------------------------------------------


def mixed(count: int, seed: int) -> npt.NDArray[np.uint64]:
    """Return `count` numbers of 64 bits by SplitMix64: the same with any numpy."""
    z = (np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(
        0x9E3779B97F4A7C15
    )
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def exact_table(count: int) -> RouteTable:
    """Make a table of prefixes from /12 to /28, most of them /24, all within 16.0.0.0/4 to 96/4."""
    numbers = mixed(2 * count, 1)
    bits = np.full(len(numbers), 24, np.uint64)
    kind = numbers & np.uint64(7)
    bits[kind < 3] = 12 + (numbers[kind < 3] >> np.uint64(3)) % np.uint64(12)
    bits[kind == 3] = 25 + (numbers[kind == 3] >> np.uint64(3)) % np.uint64(4)
    span = np.uint64(0x60000000)
    prefixes = np.uint64(0x10000000) + (numbers >> np.uint64(20)) % span
    prefixes &= np.uint64(0xFFFFFFFF) << (np.uint64(32) - bits)
    chosen = np.unique(prefixes << np.uint64(8) | bits)
    chosen = chosen[mixed(len(chosen), 2).argsort(kind="stable")[:count]]
    chosen.sort()
    return RouteTable((chosen >> np.uint64(8)).astype(np.uint32), chosen.astype(np.uint8))


def exact_addresses(table: RouteTable, count: int) -> npt.NDArray[np.uint32]:
    """Draw addresses from prefixes of the table, each as likely as another."""
    numbers = mixed(count, 3)
    chosen = (numbers % np.uint64(len(table))).astype(np.int64)
    host = (np.uint64(1) << (np.uint64(32) - table.bits[chosen].astype(np.uint64))) - np.uint64(1)
    return (table.prefixes[chosen] | (numbers >> np.uint64(32)) & host).astype(np.uint32)


# --- instructions ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class GateBed:
    """A router, and the cases that it runs."""

    bed: Bed
    routes: int = 0
    cases: dict[str, Case] = field(default_factory=dict)


def gate_beds() -> Iterator[GateBed]:
    """Yield what is counted; each in a process of its own."""
    one = {f"one destination, bursts of {n}": Case(burst=n) for n in (1, 32, 64, 256)}
    one["one destination, checksum by software"] = Case(checksum="software")
    one["one destination, IMIX"] = Case(size="imix")
    one["1 % complex"] = Case(complex=1)
    for scatter in ("drop_out", "masks", "split"):
        one[f"10 % complex, {scatter}"] = Case(complex=10, scatter=scatter)
    yield GateBed(Bed(gateways=1, vector="scalar"), cases=one)
    many = {f"100,000 routes, bursts of {n}": Case(burst=n) for n in (1, 32, 64, 256)}
    yield GateBed(Bed(vector="scalar"), routes=ROUTES, cases=many)
    by_avx2 = {"one destination, AVX2": Case(), "10 % complex, AVX2": Case(complex=10)}
    yield GateBed(Bed(gateways=1, vector="avx2"), cases=by_avx2)
    yield GateBed(Bed(paths=4, vector="scalar"), cases={"four gateways a route": Case()})
    yield GateBed(Bed(rules=16, vector="scalar"), cases={"16 rules": Case()})


def callgrind(output: Path) -> list[str]:
    """Return the command that counts within the loop's functions and no others."""
    return [
        "valgrind",
        "--quiet",
        "--tool=callgrind",
        "--toggle-collect=loop_turns",
        "--toggle-collect=loop_step",
        "--toggle-collect=__wrap_tr_nic_rx",
        "--dump-before=loop_count_ends",
        "--combine-dumps=yes",
        f"--callgrind-out-file={output}",
    ]


def count_bed(gate: GateBed) -> tuple[str, dict[str, dict[str, float]]]:
    """Count instructions a packet, by case and place. Returns the compiler's name, too."""
    table = exact_table(gate.routes) if gate.routes else None
    addresses = np.array([0x01020304], np.uint32)
    if table is not None:
        addresses = exact_addresses(table, DESTINATIONS)
    places: list[tuple[str, str, int]] = []
    with TemporaryDirectory() as folder:
        output = Path(folder) / "callgrind"
        with Loop(gate.bed, table, command=callgrind(output)) as loop:
            to = loop.file("to", addresses)
            for name, case in gate.cases.items():
                for measure in (PIPELINE, "steps"):
                    asked = replace(case, measure=measure)
                    (result,) = loop.run_units(asked, to, blocks=BLOCKS, count=True)
                    places += ((name, place, result.packets) for place in result.cycles)
        totals = [int(n) for n in re.findall(r"^totals: (\d+)$", output.read_text(), re.M)]
    counts: dict[str, dict[str, float]] = {name: {} for name in gate.cases}
    for (name, place, packets), total in zip(places, totals, strict=False):
        counts[name][place] = total / packets
    if len(totals) != len(places) + 1:  # the last is for the end of the program
        raise RuntimeError(f"callgrind: {len(totals)} counts, expected {len(places) + 1}")
    return loop.compiler, counts


def count_instructions() -> tuple[str, dict[str, dict[str, float]]]:
    """Count all. Returns the name of the group in the baseline, and the counts."""
    compiler = ""
    counts: dict[str, dict[str, float]] = {}
    for gate in gate_beds():
        compiler, found = count_bed(gate)
        counts.update(found)
    return f"instructions.{compiler}", counts


def no_counting() -> str | None:
    """Say why instructions can not be counted here."""
    if shutil.which("valgrind") is None:
        return "valgrind is not here"
    if "avx2" not in Path("/proc/cpuinfo").read_text():
        return "a CPU without AVX2, for which the fast path may take another way"
    return None


# --- virtual cycles -------------------------------------------------------------------------------


def simulate(burst: int, size: int, complex_percent: int) -> dict[str, float]:
    """Run packets back to back through the simulator. Returns cycles a packet, by step."""
    bench = Bench(seed=1)
    neighbor = {"port": "p1", "address": "10.0.1.2", "mac": "02:00:00:00:00:02"}
    router: Router = bench.router(
        port={"p0": "10.0.0.1/24", "p1": "10.0.1.1/24"},
        neighbor=[neighbor],
        route=[{"to": "0.0.0.0/0", "via": "10.0.1.2"}],
        fast_path={"burst": burst},
        sim={"buffers": 65536, "port": {"p0": {"rx_descriptors": FRAMES}}},
        profile="default",
    )
    source, sink = bench.station("source"), bench.station("sink", record=False)
    for station, port in ((source, "p0"), (sink, "p1")):
        bench.link(station, router.port(port), rate="unlimited")
    bench.settle()
    addresses = np.full(FRAMES, 0x01020304, np.uint32)
    frames = udp_frames(addresses, to=router.port("p0").mac, size=size)
    if complex_percent:
        late = frames[:: 100 // complex_percent]
        late[:, COMPLEX_TTL] = 1
        late[:, COMPLEX_TTL + 2] += 63  # the checksum's higher byte
    before = router.counters(unit=0).steps
    source.send_bulk(frames, at_ps=np.full(FRAMES, bench.now_ps + 1_000_000))
    bench.run_until_idle()
    after = router.counters(unit=0).steps
    used = {name: after[name].cycles - before[name].cycles for name in after}
    found = {name: cycles / FRAMES for name, cycles in used.items() if cycles}
    return {PIPELINE: sum(found.values()), **found}


def count_cycles() -> dict[str, dict[str, float]]:
    """Simulate all cases."""
    cases: dict[str, tuple[int, int, int]] = {
        **{f"bursts of {n}": (n, 60, 0) for n in (1, 32, 64, 256)},
        "1,514 bytes": (64, 1514, 0),
        "10 % complex": (64, 60, 10),
    }
    return {name: simulate(*case) for name, case in cases.items()}


CYCLES = "virtual-cycles.default"


def main(words: list[str] | None = None) -> int:
    """Show what is not as stored, or store it."""
    parser = argparse.ArgumentParser(prog="twinroute.perf.gates", description=__doc__)
    parser.add_argument("--update", action="store_true", help="rewrite the baseline")
    update: bool = parser.parse_args(words).update
    stored = baseline.read()
    found: dict[str, Any] = {CYCLES: count_cycles()}
    units = {CYCLES: "virtual cycles"}
    if reason := no_counting():
        print(f"instructions are not counted: {reason}", file=sys.stderr)
    else:
        name, counts = count_instructions()
        found[name], units[name] = counts, "instructions"
    lines = [
        line
        for name, group in found.items()
        for line in baseline.compare(group, stored.get(name, {}), units[name])
    ]
    print("\n".join(lines or ["all as stored"]))
    if update:
        baseline.write({**stored, **found})
    return int(bool(lines) and not update)


if __name__ == "__main__":
    sys.exit(main())
