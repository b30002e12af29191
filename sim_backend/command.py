# SPDX-License-Identifier: MIT
"""The command `twinroute sim`: captures through a configured router."""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as ProgressBar

from twinroute.config import load_config
from twinroute.errors import InputError
from twinroute.sim.replay import Progress, Replay, Result, parse_inputs, replay
from twinroute.sim.report import Report, make_report, print_report
from twinroute.sim.world import BenchError

PS_PER_MS = 1_000_000_000
COLUMNS = 120  # of a report that goes to no terminal
SHOW_AFTER_S = 0.5  # a run that is over sooner shows no progress


DESCRIPTION = """\
Route captures through a configured router, in virtual time. What leaves the router by a port is
written to DIR/PORT.pcap, and the report to DIR/report.json. The same arguments give the same bytes
on any machine."""

EPILOG = """\
A capture that was taken elsewhere holds another router's MAC address: --rewrite-mac. All captures
share one clock: the earliest frame of all goes in first, at virtual time 0.

examples:
  twinroute sim router.toml --in p0=lan.pcap --in p1=uplink.pcapng --out out
  twinroute sim router.toml --in p0=lan.pcap --out out --speed line --profile default
  twinroute sim router.toml --in p0=lan.pcap --out out --trace "icmp" --rewrite-mac
  twinroute sim router.toml --in p0=lan.pcap --out out --json | jq .dropped

exit status: 0 done, 1 ran but failed, 2 bad input; files are written if the run succeeded"""


def add_parser(subparsers: Any) -> None:
    """Add `sim` to the sub-commands of argparse."""
    parser = subparsers.add_parser(
        "sim",
        help="route captures through a configured router in the simulator",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG", help="configuration file (TOML)")
    parser.add_argument(
        "--in",
        dest="inputs",
        metavar="PORT=FILE",
        action="append",
        required=True,
        help="a capture (pcap or pcapng) that comes in by a port; once for each port",
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the results")
    _add_options(parser)
    parser.set_defaults(handler=handler)


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Add what need not be given."""
    add = parser.add_argument
    add(
        "--speed",
        metavar="own|FACTOR|line",
        default="own",
        help="as captured, FACTOR times faster (10, 0.5), or at line rate (default: own)",
    )
    add(
        "--rewrite-mac",
        action="store_true",
        help="send unicast frames to the MAC address of the port they come in by",
    )
    add("--skip-long", action="store_true", help="leave out frames longer than the port's MTU")
    add("--seed", metavar="N", type=int, help="of ties (default: the configuration's)")
    add(
        "--profile",
        metavar="NAME|FILE",
        help="what processing costs: functional (nothing), default, or a TOML file"
        " (default: the configuration's)",
    )
    add("--trace", metavar="N|FILTER", help="show the way of the first N frames, or 10 that match")
    add(
        "--limit-ms",
        metavar="MS",
        type=float,
        help="end after so much virtual time, whatever is still on its way",
    )
    add("--json", action="store_true", help="print the report as JSON, and nothing else")


def handler(args: argparse.Namespace) -> int:
    """Run `twinroute sim`; return the exit code. TwinrouteError tells of a user's mistake."""
    config = load_config(args.config)
    out = Path(args.out)
    speed, limit_ps = _speed(args.speed), _limit(args.limit_ms)
    if args.seed is not None and not 0 <= args.seed < 1 << 64:
        raise InputError(f"--seed {args.seed}: expected 0 to 2**64 - 1")
    inputs = parse_inputs(args.inputs, config, skip_long=args.skip_long)
    check_out(out, list(config.ports), [one.capture.path for one in inputs])
    trace = args.trace
    job = Replay(
        config=config,
        inputs=inputs,
        seed=config.sim.seed if args.seed is None else args.seed,
        profile=args.profile or config.sim.profile,
        speed=speed,
        rewrite_mac=args.rewrite_mac,
        trace=int(trace) if trace is not None and trace.isdecimal() else trace,
        limit_ps=limit_ps,
    )
    return run(job, out, as_json=args.json)


def run(job: Replay, out: Path, *, as_json: bool = False) -> int:
    """Replay, write the captures and the report into `out`, print the report."""
    try:
        with _progress() as progress:
            result = replay(job, progress)
        report = make_report(job, result)
        write(result, report, out)
    except BenchError as error:
        print(f"twinroute: error: {error}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        width = None if sys.stdout.isatty() else COLUMNS
        console = Console(highlight=False, emoji=False, markup=False, width=width)
        print_report(report, out, console)
    return 0


def check_out(out: Path, ports: list[str], inputs: list[str]) -> None:
    """Raise InputError where the results cannot or must not be written."""
    for folder in (out, *out.parents):
        if folder.exists():
            if not folder.is_dir():
                raise InputError(f"--out {out}: expected a folder, {folder} is a file")
            break
    for name in inputs:
        if any((out / f"{port}.pcap").exists() and same(out, port, name) for port in ports):
            raise InputError(f"--out {out}: expected another folder, {name} would be overwritten")


def same(out: Path, port: str, name: str) -> bool:
    """Tell whether an output capture is the input called `name`."""
    return os.path.samefile(out / f"{port}.pcap", name)


def write(result: Result, report: Report, out: Path) -> None:
    """Write the captures and the report, each of them whole."""
    out.mkdir(parents=True, exist_ok=True)
    for name, port in result.bench.only.ports.items():
        port.station.write_capture(out / f"{name}.pcap")
    temporary = out / f".report.json.{os.getpid()}"
    temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    temporary.replace(out / "report.json")


def _speed(text: str) -> float | None:
    """Read --speed: a factor, or None for line rate."""
    if text == "line":
        return None
    try:
        factor = 1.0 if text == "own" else float(text)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and 1e-9 <= factor <= 1e9):
        raise InputError(f'--speed {text}: expected "own", "line", or a factor as 10 or 0.5')
    return factor


def _limit(limit_ms: float | None) -> int | None:
    """Read --limit-ms as picoseconds."""
    if limit_ms is None:
        return None
    if not 0 < limit_ms <= 1e9:
        raise InputError(f"--limit-ms {limit_ms:g}: expected more than 0, and at most 1e9")
    return round(limit_ms * PS_PER_MS)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Give a function that shows the progress of a long run, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    began = time.monotonic()
    bar = ProgressBar(console=Console(stderr=True), transient=True)
    task = bar.add_task("routing", total=1.0)

    def show(share: float) -> None:
        if not bar.live.is_started and time.monotonic() - began > SHOW_AFTER_S:
            bar.start()
        bar.update(task, completed=share)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()
