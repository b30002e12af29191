# SPDX-License-Identifier: MIT
"""`make bench`: what the fast path costs here, as tables with ratios, and as JSON in out/bench.

Medians of rounds in which everything is run in turn. Cycles are of the time stamp counter.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twinroute.perf import compare, rivals, targets
from twinroute.perf.contests import contests
from twinroute.perf.load import linked_router
from twinroute.perf.loop import LOOKUPS, PIPELINE, Lookups, program
from twinroute.perf.processes import Rate
from twinroute.perf.progress import Progress
from twinroute.perf.samples import table
from twinroute.perf.selection import ALL_24S, INTERNET, UNIFORM, Field, Tables, lookups, setups
from twinroute.perf.tables import RouteTable

ROOT = Path(__file__).resolve().parents[1]
STEPS = "steps"
LOADS = 3
REFERENCE, REFERENCE_CASE = "rte_lpm", "one destination, batch 64"


def machine() -> dict[str, str]:
    """Say what this is measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    commit = compare.run(["git", "describe", "--always", "--dirty"])
    return {"cpu": names[0], "kernel": platform.release(), "commit": commit}


def fast_path(tables: Tables, rounds: int) -> tuple[float, dict[str, dict[str, list[float]]]]:
    """Measure the pipeline and its steps. Returns the clock's frequency, too."""
    progress = Progress("fast path alone", rounds + 1)
    with Field(setups(), tables, {"": None}) as field:
        found = field.rounds(rounds, [PIPELINE, STEPS], lambda: progress.step("all cases"))
        return field.hz, found[""]


def fast_path_table(found: Mapping[str, Mapping[str, Sequence[float]]], hz: float) -> str:
    """Write the table of the fast path, with ratios to one case."""
    places = list(next(iter(found.values())))
    rows = [["cycles a packet", *places, "Mpps", "ratio"]]
    first = statistics.median(found[REFERENCE_CASE][PIPELINE])
    for name, numbers in found.items():
        medians = [statistics.median(numbers[place]) for place in places]
        rows.append([name, *(f"{cycles:.1f}" for cycles in medians)])
        rows[-1] += [f"{hz / medians[0] / 1e6:.1f}", f"{medians[0] / first:.2f}"]
    return table(rows)


def look_up(tables: Tables, rounds: int, *, big: bool) -> dict[str, dict[str, list[float]]]:
    """Measure lookups alone; big: in all 2^24 prefixes of 24 bits, too."""
    selected = [*lookups(), *([(ALL_24S, UNIFORM, 64)] if big else [])]
    found: dict[str, dict[str, list[float]]] = {}
    progress = Progress("lookups alone", len(selected))
    for name in dict.fromkeys(name for name, _, _ in selected):
        routes = tables.table(name)
        assert routes is not None
        with Lookups(routes, fib=name != ALL_24S) as race:
            for to, batch in ((to, batch) for other, to, batch in selected if other == name):
                addresses = race.addresses(to, tables.destinations(name, to))
                case = f"{name}, {to}, batch {batch}"
                progress.step(case)
                found[case] = race.race(addresses, batch=batch, rounds=rounds)
    return found


def lookups_table(found: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Write the table of lookups; in brackets what each is of rte_lpm."""
    names = list(dict.fromkeys(name for numbers in found.values() for name in numbers))
    rows = [["cycles a lookup", *names]]
    for case, numbers in found.items():
        reference = statistics.median(numbers[REFERENCE])
        row = [case]
        for name in names:
            middle = statistics.median(numbers[name]) if name in numbers else None
            row.append("" if middle is None else f"{middle:.2f} ({middle / reference:.2f})")
        rows.append(row)
    return table(rows)


def rivals_table(found: Mapping[str, Mapping[str, Sequence[Rate]]]) -> str:
    """Write the table of applications; the ratio is to the first one of a case, round by round."""
    head = ["cycles a packet, the devices' too", "cycles", "lowest", "highest", "ratio"]
    rows = [[*head, "on its CPU"]]
    for case, applications in found.items():
        first = next(iter(applications.values()))
        for name, rates in applications.items():
            cycles = [rate.cycles for rate in rates]
            ratios = [rate.cycles / one.cycles for rate, one in zip(rates, first, strict=True)]
            numbers = [statistics.median(cycles), min(cycles), max(cycles)]
            rows.append([f"{case}: {name}", *(f"{number:.1f}" for number in numbers)])
            on_cpu = statistics.median(rate.on_cpu for rate in rates)
            rows[-1] += [f"{statistics.median(ratios):.2f}", f"{100 * on_cpu:.0f} %"]
    return table(rows)


def next_to_others(given: argparse.Namespace, tables: Tables) -> dict[str, dict[str, list[Rate]]]:
    """Measure the router next to DPDK's applications."""
    if not rivals.L3FWD.exists():
        print("l3fwd: skipped, it is not built (.ci/install bench)", file=sys.stderr)
    devices = rivals.Devices(given.device, given.plugin)
    selected = {name: one for name, one in contests(big=given.big).items() if given.cases in name}
    with TemporaryDirectory() as folder:
        return rivals.rates(devices, selected, tables, Path(folder), given.dpdk_rounds)


def load(routes: RouteTable, rounds: int) -> list[float]:
    """Return CPU seconds from a table's arrays to an empty router that forwards by it."""
    progress, found = Progress("routes loaded", rounds), []
    for _ in range(rounds):
        progress.step(f"{len(routes):,} routes")
        bench, router = linked_router()
        begun = time.process_time()
        router.routes_post(routes.prefixes, routes.bits, 0x0A000102)
        bench.settle()
        found.append(time.process_time() - begun)
        assert router.lookup([int(routes.prefixes[-1])])[0].kind == "via"
    return found


def churn(lpm: str, routes: int, rounds: int) -> Any:
    """Measure changes of routes at full rate, in a process of its own."""
    command = [sys.executable, "-m", "twinroute.perf.churn", f"--lpm={lpm}", f"--routes={routes}"]
    done = subprocess.run(
        [*command, f"--rounds={rounds}"], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def churn_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the table of changes at full rate."""
    rows = [["changes at full rate", "cycles", "without", "changes/s", "packets lost", "routes"]]
    for lpm, one in found.items():
        medians = [
            statistics.median(rate["cycles"] for rate in one[name])
            for name in ("changing", "quiet")
        ]
        rows.append([lpm, *(f"{number:.1f}" for number in medians)])
        rows[-1] += [f"{statistics.median(one['changes_per_second']):,.0f}"]
        rows[-1] += [f"{one['unaccounted']:,}", f"{one['routes_wrong']:,} wrong"]
    return table(rows)


def on_dpdk(given: argparse.Namespace, tables: Tables, report: dict[str, Any]) -> None:
    """Measure all that needs DPDK's ports, and print it."""
    if reason := rivals.why_not():
        print(f"next to DPDK's applications: skipped, {reason}", file=sys.stderr)
        return
    found = next_to_others(given, tables)
    if found:
        report["applications"] = {
            case: {name: [asdict(rate) for rate in rates] for name, rates in one.items()}
            for case, one in found.items()
        }
        print(rivals_table(found), end="\n\n", flush=True)
    if given.plugin is None and not given.cases:
        lpms = ("dir24_8", "compact")
        report["churn"] = {lpm: churn(lpm, given.routes, given.dpdk_rounds) for lpm in lpms}
        print(churn_table(report["churn"]), end="\n\n", flush=True)


def in_memory(given: argparse.Namespace, tables: Tables, report: dict[str, Any]) -> None:
    """Measure all that needs no ports, and print it."""
    report["hz"], report["fast path"] = fast_path(tables, given.rounds)
    print(fast_path_table(report["fast path"], report["hz"]), end="\n\n", flush=True)
    try:
        program(LOOKUPS)
    except FileNotFoundError:
        print("lookups next to DPDK's: skipped, the DPDK backend is not built", file=sys.stderr)
    else:
        report["lookups"] = look_up(tables, given.rounds, big=given.big)
        print(lookups_table(report["lookups"]), end="\n\n", flush=True)
    routes = tables.table(INTERNET)
    assert routes is not None
    report["load, s"] = load(routes, min(given.rounds, LOADS))


def main(words: list[str] | None = None) -> int:
    """Run it as a command."""
    parser = argparse.ArgumentParser(prog="twinroute.perf.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--rib", type=Path, help="a real routing table, one prefix a line")
    parser.add_argument("--routes", type=int, default=1_000_000, help="of a made-up one")
    parser.add_argument("--big", action="store_true", help="2^24 prefixes too: much memory")
    parser.add_argument("--dpdk-rounds", type=int, default=3, help="next to testpmd and l3fwd")
    parser.add_argument("--cases", default="", help="of DPDK's ports, alone: with this in its name")
    parser.add_argument("--plugin", type=Path, help="a DPDK driver for --device")
    parser.add_argument("--device", default=rivals.NET_NULL, help="both ports there: {} is 0, 1")
    parser.add_argument("--out", type=Path, help="out/bench/bench.json, or cases.json by --cases")
    given = parser.parse_args(words)
    name = "cases.json" if given.cases else "bench.json"
    out: Path = given.out or ROOT / "out" / "bench" / name
    tables = Tables(given.rib, routes=given.routes)
    report: dict[str, Any] = {"machine": machine()}
    if not given.cases:
        in_memory(given, tables, report)
    if given.dpdk_rounds:
        on_dpdk(given, tables, report)
    report["targets"] = targets.results(report)
    print(targets.results_table(report["targets"]))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
