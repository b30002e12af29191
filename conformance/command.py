# SPDX-License-Identifier: MIT
"""The command `twinroute conformance`: the cases on a device, and the report."""

import argparse
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from twinroute.conformance.case import POSITIONS, Case, Variation, all_cases
from twinroute.conformance.device import Device, DeviceError
from twinroute.conformance.devices import DEVICES, make_device
from twinroute.conformance.misses import misses
from twinroute.conformance.parallel import run_parallel
from twinroute.conformance.report_files import write_report
from twinroute.conformance.runner import FAIL, PASS, Outcome, Run, run_all, select
from twinroute.errors import Failure, InputError

DPDK_JOBS = 6  # most of their time is waited for; with 4 it takes a little longer on two CPUs

DESCRIPTION = """\
Prove a router against the requirements of RFC 1812 and the RFCs around it: each case sends frames
into its ports and compares every frame that comes out, octet by octet."""

EPILOG = """\
examples:
  twinroute conformance --dut sim
  twinroute conformance --dut sim --select 5.3 --select RFC826-Reception-6
  twinroute conformance --dut sim --select MUST --report out
  twinroute conformance --dut sim --case ttl_runs_out --burst 67 --position last

exit status: 0 all pass, 1 a case failed, 2 bad input"""


def add_parser(subparsers: Any) -> None:
    """Add `conformance` to the sub-commands of argparse."""
    parser = subparsers.add_parser(
        "conformance",
        help="prove a router against RFC 1812, requirement by requirement",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--dut", choices=DEVICES, default="sim", help="the device under test (default: sim)")
    add(
        "--select",
        metavar="SECTION|ID|LEVEL",
        action="append",
        default=[],
        help="only these cases; may be given again",
    )
    add("--case", metavar="NAME", action="append", default=[], help="only the case of this name")
    add("--burst", metavar="N", type=int, help="embed what is sent in so many good packets")
    add("--position", choices=POSITIONS, default="first", help="where in the burst")
    add(
        "--interface",
        metavar="PORT=NAME",
        action="append",
        default=[],
        help="external: the tester's interface at a port (p1, p2, p3) of the router",
    )
    add("--script", metavar="FILE", default="", help="external: what configures the router")
    add(
        "--quiet-ms",
        metavar="MS",
        type=float,
        default=60.0,
        help="linux, external: silence that ends a step (default: 60)",
    )
    add(
        "--patience-s",
        metavar="S",
        type=float,
        default=30.0,
        help="real time that a case may wait for; those that wait longer are not run (default: 30)",
    )
    add(
        "--jobs",
        metavar="N",
        type=int,
        help="cases at a time, each on a device of its own"
        f" (default: {DPDK_JOBS} on dpdk, where most of the time is waited for, else 1)",
    )
    add("--seed", metavar="N", type=int, default=1, help="of the simulator (default: 1)")
    add("--report", metavar="DIR", help="write report.html, report.json, junit.xml and captures")
    add("--first", action="store_true", help="end at the first case that fails")
    add(
        "--mutants",
        action="store_true",
        help="break the core's rules, too, one by one: see that"
        " the cases notice (from the source tree)",
    )
    add("--mutant", metavar="NAME", action="append", default=[], help="only this mutant")
    add("--list", action="store_true", help="list the cases with their requirements, and end")
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Run `twinroute conformance`; return the exit code."""
    cases = all_cases()
    for name in args.case:
        if name not in cases:
            raise InputError(f"--case {name}: there is no such case, --list tells which there are")
    chosen = select(cases.values(), [*args.select, *args.case])
    if args.list:
        for case in chosen:
            print(f"{case.name}: {' '.join(case.ids)}\n    {case.text}")
        return 0
    variations = None
    if args.burst is not None:
        if not 1 <= args.burst <= 512:
            raise InputError(f"--burst {args.burst}: expected 1 to 512")
        variations = [Variation(args.burst, args.position)]
    if args.mutant:
        return 0 if _try_mutants(args.mutant)["killed"] == len(args.mutant) else 1
    options = {
        "variations": variations,
        "told": partial(_tell, args.dut),
        "first": args.first,
        "patience_ms": 1000 * args.patience_s,
    }
    jobs = min(_jobs(args), len(chosen))
    try:
        if jobs > 1:
            make = partial(_device, args)
            run = run_parallel(make, chosen, jobs=jobs, seed=args.seed, **options)
        else:
            run = _run_here(args, chosen, options)
    except DeviceError as error:
        raise Failure(str(error)) from None
    if args.mutants:
        run.mutants = _try_mutants([])
    if args.report:
        write_report(run, Path(args.report))
        print(f"report: {Path(args.report) / 'report.html'}")
    return _summary(run)


def _jobs(args: argparse.Namespace) -> int:
    """Return how many cases run at a time."""
    if args.jobs is None:
        return DPDK_JOBS if args.dut == "dpdk" else 1
    if args.jobs < 1:
        raise InputError(f"--jobs {args.jobs}: expected at least 1")
    if args.jobs > 1 and args.dut == "external":
        raise InputError(f"--jobs {args.jobs}: expected 1, as there is one external router")
    return int(args.jobs)


def _run_here(args: argparse.Namespace, chosen: list[Case], options: dict[str, Any]) -> Run:
    """Run cases one after the other, in this process."""
    device = _device(args)
    try:
        run = Run(device.name, device.ours, device.versions, args.seed)
        return run_all(device, chosen, run, **options)
    finally:
        device.end()


def _device(args: argparse.Namespace) -> Device:
    """Make the device; what is in its way is bad input."""
    interfaces = {}
    for text in args.interface:
        port, equals, name = text.partition("=")
        if not equals or not name:
            raise InputError(f"--interface {text}: expected PORT=NAME, as p1=eth1")
        interfaces[port] = name
    if args.dut == "external" and not (interfaces and args.script):
        raise InputError("--dut external: expected --interface for each port, and --script")
    options = {"interfaces": interfaces, "script": args.script, "quiet_ms": args.quiet_ms}
    try:
        return make_device(args.dut, seed=args.seed, **options)
    except ImportError as error:
        raise InputError(f"--dut {args.dut}: not built here: {error}") from None
    except DeviceError as error:
        raise InputError(str(error)) from None


def _try_mutants(names: list[str]) -> dict[str, Any]:
    """Try the mutants of these names, or all; write a line about each that lives."""
    from twinroute.conformance.mutants import all_mutants, try_all

    known = {mutant.name: mutant for mutant in all_mutants()}
    for name in names:
        if name not in known:
            raise InputError(f"--mutant {name}: expected one of {', '.join(known)}")

    def tell(result: dict[str, Any]) -> None:
        if result["result"] != "killed" or names:
            print(f"{result['result']}: mutant {result['name']}: {result['text']}: {result['how']}")

    results = try_all([known[name] for name in names or known], tell)
    print(f"mutants: {results['killed']} of {results['of']} killed")
    return results


def _tell(device: str, outcome: Outcome) -> None:
    """Write a line about a case that does not pass, with all that is wrong."""
    if outcome.status == PASS:
        return
    if outcome.status == FAIL and (reason := misses(device).get(outcome.case.name)):
        if outcome.variation.burst == 1:
            print(f"known miss: {outcome.case.name}: {reason}")
        return
    command = f"--case {outcome.case.name}{outcome.variation.options}"
    print(f"{outcome.status}: {outcome.case.name} ({outcome.variation}): {command}")
    for line in outcome.reason.splitlines():
        print(f"    {line}")


def _summary(run: Run) -> int:
    """Write numbers; return the exit code."""
    statuses = Counter(run.status(name)[0] for name in run.outcomes)
    known = misses(run.device)
    violated = [one for one in run.watch.invariants if one.violations and one.name not in known]
    for one in violated:
        print(f"fail: invariant {one.name}: {one.text}\n    {one.violations[0]}")
    counts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    print(f"{len(run.outcomes)} cases on {run.device}: {counts or 'none'}")
    sys.stdout.flush()
    failed = {name for name in run.outcomes if run.status(name)[0] == FAIL}
    survived = run.mutants is not None and run.mutants["killed"] < run.mutants["of"]
    return 1 if failed - set(known) or violated or survived else 0
