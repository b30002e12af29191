# SPDX-License-Identifier: MIT
"""The report of a replay: a dictionary for JSON, and tables for people.

All of it but "wall" is the same on every run with the same inputs.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from twinroute.sim.counters import drop_reasons, punt_reasons
from twinroute.sim.replay import Replay, Result
from twinroute.sim.trace import TraceEvent, format_trace
from twinroute.sim.world import PS_PER_S, PS_PER_US

Report = dict[str, Any]
PERCENTILES = {"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9, "max": 100}
HINT_MAC = (
    "most frames went to another MAC address than the router's: a capture that was taken elsewhere"
    " needs --rewrite-mac"
)


def make_report(job: Replay, result: Result) -> Report:
    """Gather what there is to say about a replay."""
    bench, router = result.bench, result.bench.only
    counters = router.counters()
    ports, nic_lost = {}, {"missed": 0, "no_buffer": 0}
    for name in router.info.ports:
        nic = router.nic(name)
        nic_lost["missed"] += nic.missed
        nic_lost["no_buffer"] += nic.no_buffer
        ports[name] = {
            "in": {"packets": nic.received, "bytes": nic.received_bytes},
            "out": {"packets": nic.sent, "bytes": nic.sent_bytes},
            "missed": nic.missed,
            "no_buffer": nic.no_buffer,
            "capture": f"{name}.pcap",
        }
    report = {
        "config": str(job.config.path) if job.config.path else job.config.name,
        "seed": job.seed,
        "profile": job.profile,
        "speed": "line" if job.speed is None else job.speed,
        "inputs": {
            one.port: {
                "file": one.capture.path,
                "packets": len(one.lengths),
                "bytes": int(one.lengths.sum()),
                "skipped_long": one.skipped,
            }
            for one in job.inputs
        },
        "ports": ports,
        "forwarded": counters.forwarded,
        "generated": counters.generated,
        "punted": dict(counters.punted),
        "dropped": dict(counters.lost),
        "consumed": dict(counters.consumed),
        "lost_by_nic": nic_lost,
        "in_flight": bench.in_flight,
        **_timing(result),
        "hash": f"{bench.hash:016x}",
    }
    if counters.dropped["not_for_us"] * 2 > sum(counters.received.values()):
        report["hint"] = HINT_MAC
    if job.trace is not None:
        report["trace"] = [asdict(event) for event in bench.trace_events()]
    packets = sum(len(one.lengths) for one in job.inputs)
    report["wall"] = {
        "run_s": round(result.wall_s, 6),
        "packets_per_s": round(packets / result.wall_s) if result.wall_s else 0,
    }
    return report


def _timing(result: Result) -> Report:
    """Gather virtual time, throughput and latency of the frames that were forwarded."""
    router = result.bench.only
    facts = [port.station.received_facts() for port in router.ports.values()]
    lengths, times_ps, latencies = (np.concatenate(arrays) for arrays in zip(*facts, strict=True))
    forwarded = latencies >= 0
    lengths, times_ps, latencies = lengths[forwarded], times_ps[forwarded], latencies[forwarded]
    timing: Report = {
        "virtual_us": (result.bench.now_ps - result.start_ps) / PS_PER_US,
        "throughput": None,
        "latency_us": None,
    }
    if len(latencies):
        span_ps = int(times_ps.max()) - result.start_ps
        size = int(lengths.sum(dtype=np.uint64))
        if span_ps > 0:
            timing["throughput"] = {
                "mpps": round(len(latencies) * PS_PER_S / span_ps / 1e6, 9),
                "gbit_per_s": round(size * 8 * PS_PER_S / span_ps / 1e9, 9),
            }
        timing["latency_us"] = {
            name: int(np.percentile(latencies, share, method="inverted_cdf")) / PS_PER_US
            for name, share in PERCENTILES.items()
        }
    return timing


def print_report(report: Report, out: Path, console: Console) -> None:
    """Print a report for people; `out` is where the captures are."""
    _print_ports(report, console)
    drops, punts = drop_reasons(), punt_reasons()
    for title, key, reasons in (
        ("punted to the slow path", "punted", punts),
        ("dropped", "dropped", drops),
        ("answered or used up, nothing lost", "consumed", drops),
    ):
        texts = {reason.name: (reason.rfc, reason.text) for reason in reasons}
        _print_reasons(title, report[key], texts, console)
    nic = {
        "missed": ("", "receive queue full"),
        "no_buffer": ("", "no packet buffer for a frame that came"),
    }
    counted = {name: count for name, count in report["lost_by_nic"].items() if count}
    _print_reasons("lost before the router, by the NIC", counted, nic, console)
    console.print(f"forwarded  {report['forwarded']:,} packets")
    console.print(f"generated  {report['generated']:,} packets by the router itself")
    _print_timing(report, console)
    for one in report["inputs"].values():
        if one["skipped_long"]:
            console.print(f"left out   {one['skipped_long']:,} frames too long ({one['file']})")
    if report["in_flight"]:
        console.print(f"in flight  {report['in_flight']:,} frames when the time was over")
    console.print(f"captures   {', '.join(_captures(report, out))}", soft_wrap=True)
    if "hint" in report:
        console.print(f"hint       {report['hint']}", soft_wrap=True)
    if "trace" in report:
        console.print()
        events = [TraceEvent(**event) for event in report["trace"]]
        console.print(Text(format_trace(events)), soft_wrap=True)


def _captures(report: Report, out: Path) -> list[str]:
    return [str(out / port["capture"]) for port in report["ports"].values()]


def _table(title: str, *columns: str, numbers: int) -> Table:
    """Make a table; its first column, or `numbers` columns behind it, are numbers."""
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, 3, 0, 0),
        header_style="bold",
        title=title,
        title_justify="left",
        title_style="bold",
    )
    for index, column in enumerate(columns):
        is_number = 0 < index <= numbers if numbers else index == 0
        table.add_column(column, justify="right" if is_number else "left", no_wrap=is_number)
    return table


def _print_ports(report: Report, console: Console) -> None:
    """Print packets and bytes by port."""
    headings = ("packets in", "bytes in", "packets out", "bytes out")
    table = _table("ports", "", *headings, numbers=4)
    for name, port in report["ports"].items():
        numbers = (port[way][what] for way in ("in", "out") for what in ("packets", "bytes"))
        table.add_row(Text(name), *(f"{number:,}" for number in numbers))
    console.print(table)
    console.print()


def _print_reasons(
    title: str,
    counts: Mapping[str, int],
    texts: Mapping[str, tuple[str, str]],
    console: Console,
) -> None:
    """Print counts by reason, with what the reasons mean."""
    if not counts:
        return
    headings = ("packets", "reason", "RFC", "meaning")
    table = _table(f"{title}: {sum(counts.values()):,}", *headings, numbers=0)
    for name, count in counts.items():
        table.add_row(f"{count:,}", name, *texts[name])
    console.print(table)
    console.print()


def scaled(rate: float, unit: str) -> str:
    """Write a rate with the prefix that suits it."""
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if rate >= size:
            return f"{rate / size:.3f} {prefix}{unit}"
    return f"{rate:.3f} {unit}"


def _print_timing(report: Report, console: Console) -> None:
    """Print virtual and real time, throughput and latency."""
    console.print(f"virtual    {report['virtual_us'] / 1000:,.6f} ms (profile {report['profile']})")
    rates = report["throughput"]
    if rates:
        packets, bits = (
            scaled(rates["mpps"] * 1e6, "pps"),
            scaled(rates["gbit_per_s"] * 1e9, "bit/s"),
        )
        console.print(f"throughput {packets}, {bits} forwarded (virtual time, frames without FCS)")
    if report["latency_us"]:
        parts = (f"{name} {value:.3f}" for name, value in report["latency_us"].items())
        console.print(f"latency    {', '.join(parts)} us (forwarded frames)")
    wall = report["wall"]
    console.print(
        f"simulated  in {wall['run_s']:.3f} s of real time, {wall['packets_per_s']:,} packets/s"
    )
    console.print(f"hash       {report['hash']} (seed {report['seed']})")
