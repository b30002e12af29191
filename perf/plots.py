# SPDX-License-Identifier: MIT
"""Pictures of a report that `make bench` has written: throughput by batch, by table, by cores.

    python -m twinroute.perf.plots [out/bench/bench.json] [--out FOLDER] [--format svg]

Needs matplotlib: `pip install twinroute[plots]`.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twinroute.perf.contests import COMPACT, ONE_DESTINATION, RANDOM_24, TWO_UNITS
from twinroute.perf.loop import PIPELINE
from twinroute.perf.rivals import ROUTER
from twinroute.perf.selection import INTERNET, SLASH24S

ROOT = Path(__file__).resolve().parents[1]
Points = dict[str, float]  # Mpps by what stands below the axis
Curves = dict[str, Points]
UNITS = {f"{INTERNET}, batch 64": 1, f"{INTERNET}, two units": 2}


def mpps(report: Mapping[str, Any], name: str) -> float | None:
    """Return millions of packets a second of a case; None: it is not in the report."""
    found: Mapping[str, Sequence[float]] | None = report["fast path"].get(name)
    if found is None:
        return None
    rate: float = report["hz"] / statistics.median(found[PIPELINE]) / 1e6
    return rate


def on_dpdk(report: Mapping[str, Any], name: str, burst: int = 64) -> float | None:
    """Return the same of a case on DPDK's ports."""
    rates = report.get("applications", {}).get(name, {}).get(f"{ROUTER}, bursts of {burst}")
    if not rates:
        return None
    rate: float = report["hz"] / statistics.median(one["cycles"] for one in rates) / 1e6
    return rate


def points(rates: Iterable[tuple[str, float | None]]) -> Points:
    """Return those that the report has."""
    return {below: rate for below, rate in rates if rate is not None}


def curve(report: Mapping[str, Any], names: Iterable[tuple[str, str]]) -> Points:
    """Return the points that the report has, of pairs of a case and what stands below it."""
    return points((below, mpps(report, name)) for name, below in names)


def batches(report: Mapping[str, Any]) -> Curves:
    """Throughput by batch size."""
    curves: Curves = {}
    for what in ("one destination", INTERNET):
        names = [name for name in report["fast path"] if name.startswith(f"{what}, batch ")]
        curves[what] = curve(report, ((name, name.rpartition(" ")[2]) for name in names))
    bursts = [int(batch) for batch in curves[ONE_DESTINATION]]
    rates = ((str(burst), on_dpdk(report, ONE_DESTINATION, burst)) for burst in bursts)
    return curves | {f"{ONE_DESTINATION}, DPDK": points(rates)}


def table_sizes(report: Mapping[str, Any]) -> Curves:
    """Throughput by table, in batches of 64."""
    names = {
        "one destination, batch 64": "one route",
        "random 24 bits": "one route,\nrandom",
        f"{INTERNET}, batch 64": INTERNET,
        SLASH24S: SLASH24S,
    }
    zipf = {f"{INTERNET}, Zipf": INTERNET, f"{SLASH24S}, Zipf": SLASH24S}
    curves = {"uniform": curve(report, names.items()), "Zipf": curve(report, zipf.items())}
    below = {ONE_DESTINATION: "one route", RANDOM_24: "one route,\nrandom"}
    below |= {INTERNET: INTERNET, SLASH24S: SLASH24S}
    for lpm in ("", COMPACT):
        rates = ((below[name], on_dpdk(report, name + lpm)) for name in below)
        curves[f"uniform, DPDK{lpm}"] = points(rates)
    return curves


def cores(report: Mapping[str, Any]) -> Curves:
    """Throughput of all units together."""
    one = curve(report, ((name, str(units)) for name, units in UNITS.items()))
    curves = {INTERNET: {units: int(units) * rate for units, rate in one.items()}}
    for what in (ONE_DESTINATION, INTERNET):
        two = TWO_UNITS if what == ONE_DESTINATION else f"{what}, {TWO_UNITS}"
        both = (("1", on_dpdk(report, what)), ("2", on_dpdk(report, two)))
        curves[f"{what}, DPDK"] = points(both)
    return curves


PLOTS = {
    "batch": (batches, "packets a batch"),
    "table": (table_sizes, "table"),
    "cores": (cores, "units, a core each"),
}


def draw(curves: Curves, below: str, path: Path) -> None:
    """Draw curves into a file; its name says the format."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for label, points in curves.items():
        if points:
            axes.plot(list(points), list(points.values()), marker="o", label=label)
    axes.set_xlabel(below)
    axes.set_ylabel("Mpps")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(path)


def main(words: list[str] | None = None) -> int:
    """Run it as a command."""
    parser = argparse.ArgumentParser(prog="twinroute.perf.plots", description=__doc__)
    parser.add_argument("report", type=Path, nargs="?", default=ROOT / "out/bench/bench.json")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench")
    parser.add_argument("--format", choices=("svg", "png"), default="svg")
    given = parser.parse_args(words)
    report = json.loads(given.report.read_text())
    given.out.mkdir(parents=True, exist_ok=True)
    for name, (curves, below) in PLOTS.items():
        path = given.out / f"{name}.{given.format}"
        try:
            draw(curves(report), below, path)
        except ModuleNotFoundError:
            print("plots: matplotlib is not here: pip install twinroute[plots]", file=sys.stderr)
            return 1
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
