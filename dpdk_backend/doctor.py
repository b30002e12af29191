# SPDX-License-Identifier: MIT
"""`twinroute doctor`: tells what of this machine keeps the router from running, and what mends it.

The points are looked at by doctor_*.py, through doctor_machine.Machine; nothing is changed.
"""

import argparse
import json
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from twinroute.config import load_config
from twinroute.config_errors import on_one_line
from twinroute.dpdk import (
    doctor_cpu,
    doctor_devices,
    doctor_iommu,
    doctor_limits,
    doctor_memory,
    doctor_software,
)
from twinroute.dpdk.doctor_findings import Finding, Verdict, Wants, wants_of
from twinroute.dpdk.doctor_machine import Machine

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_PROBLEMS = 1
PROBES = (
    doctor_software.probe,
    doctor_memory.probe,
    doctor_iommu.probe,
    doctor_devices.probe,
    doctor_cpu.probe,
    doctor_limits.probe,
)
STYLES = {
    Verdict.OK: "green",
    Verdict.WARNING: "yellow",
    Verdict.PROBLEM: "bold red",
    Verdict.NOT_APPLICABLE: "dim",
}

DESCRIPTION = """\
Look at this machine as a place for `twinroute run`: versions, huge pages, IOMMU and VFIO, network
devices and their drivers, processors, limits, other instances. Nothing is changed: what mends a
point is printed below it, as commands for Debian 12 or, after a #, in words."""

EPILOG = """\
Without CONFIG the points are judged as for a router on network cards, and what is missing for it
is a warning. With CONFIG it is a problem, if that configuration needs it.

examples:
  twinroute doctor
  twinroute doctor /etc/twinroute/router.toml
  twinroute doctor router.toml --json | jq -r '.[] | select(.verdict == "problem") | .mend[]'

exit status: 0 no problem, 1 problems found, 2 bad input"""


def add_parser(subparsers: "Subparsers") -> None:
    """Add `doctor` to the command line."""
    parser = subparsers.add_parser(
        "doctor",
        help="tell whether this machine is fit to run the router, and what mends it",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "config",
        metavar="CONFIG",
        nargs="?",
        help="configuration file (TOML) to judge by (default: none)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a list of objects with topic, point, verdict, found and mend, a list of lines "
        "(default: tables for people)",
    )
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Look at this machine, by the configuration `args.config` if given; raises ConfigError."""
    config = load_config(args.config) if args.config else None
    findings = examine(Machine(), wants_of(config))
    if args.json:
        print(json.dumps([as_json(finding) for finding in findings], indent=2))
    else:
        show(findings, Console(highlight=False, emoji=False))
    bad = any(finding.verdict is Verdict.PROBLEM for finding in findings)
    return EXIT_PROBLEMS if bad else 0


def examine(machine: Machine, wants: Wants) -> list[Finding]:
    """Look at every point of a machine."""
    return [finding for probe in PROBES for finding in probe(machine, wants)]


def as_json(finding: Finding) -> dict[str, str | list[str]]:
    """Return a finding as JSON has it."""
    return {
        "topic": finding.topic,
        "point": finding.point,
        "verdict": finding.verdict.value,
        "found": finding.found,
        "mend": list(finding.mend),
    }


# --- for people -----------------------------------------------------------------------------------


def show(findings: Iterable[Finding], console: Console) -> None:
    """Print findings by topic, and below each what mends it, on lines that can be copied."""
    findings = list(findings)
    point_width = min(24, max((len(on_one_line(f.point)) for f in findings), default=0))
    for topic, group in groupby(findings, key=attrgetter("topic")):
        console.print(Text(topic, "bold"))
        for finding in group:
            if console.is_terminal:
                console.print(_row(finding, point_width))
            else:
                console.print(Text(_line(finding, point_width)), soft_wrap=True)
            for line in finding.mend:
                style = "dim" if line.startswith("#") else "cyan"
                console.print(Text(f"      {on_one_line(line)}", style), soft_wrap=True)
        console.print()
    console.print(_sum(findings))


def _line(finding: Finding, point_width: int) -> str:
    point = on_one_line(finding.point)
    return f"  {finding.verdict.value:14}  {point:{point_width}}  {on_one_line(finding.found)}"


def _row(finding: Finding, point_width: int) -> Table:
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(width=max(map(len, Verdict)) + 2)
    row.add_column(width=point_width, overflow="fold")
    row.add_column(overflow="fold")
    verdict = Text(f"  {finding.verdict.value}", STYLES[finding.verdict])
    row.add_row(verdict, Text(on_one_line(finding.point)), Text(on_one_line(finding.found)))
    return row


def _sum(findings: list[Finding]) -> Text:
    counts = dict.fromkeys(Verdict, 0)
    for finding in findings:
        counts[finding.verdict] += 1
    problems, warnings = counts[Verdict.PROBLEM], counts[Verdict.WARNING]
    parts = [
        f"{problems} problem{'s' * (problems != 1)}" if problems else "no problem",
        f"{warnings} warning{'s' * (warnings != 1)}" if warnings else "no warning",
    ]
    worst = Verdict.PROBLEM if problems else Verdict.WARNING if warnings else Verdict.OK
    return Text(", ".join(parts), STYLES[worst])
