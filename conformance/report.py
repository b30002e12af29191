# SPDX-License-Identifier: MIT
"""The report of a run as data: every requirement with its status, every case with its evidence.

The same run gives the same bytes: there is no date and no duration in it.
"""

import hashlib
import platform
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from typing import Any

from twinroute.conformance import coverage
from twinroute.conformance.case import Case
from twinroute.conformance.decode import decode
from twinroute.conformance.device import Captured, Counts, Sent
from twinroute.conformance.evidence import Round
from twinroute.conformance.invariants import Invariant
from twinroute.conformance.misses import misses
from twinroute.conformance.requirements import LEVELS, Requirement, requirements, section_of
from twinroute.conformance.runner import (
    FAIL,
    MISSING,
    NOT_APPLICABLE,
    PASS,
    UNTESTED,
    Outcome,
    Run,
)
from twinroute.conformance.setup import Setup
from twinroute.conformance.wanted import Wanted

Table = dict[str, Any]

STATUSES = (PASS, FAIL, MISSING, UNTESTED, NOT_APPLICABLE)
FRAMES_SHOWN = 12  # of a step, in each of sent, expected, received
STEPS_FIRST, STEPS_LAST = 16, 4  # of a case, which fails in its last one
SETUP_CHARACTERS = 400
TRACE_LINES = 100  # of a step
SUFFIXES = (".py", ".toml", ".html", ".css", ".js")


def make_report(run: Run) -> Table:
    """Return the report of a run."""
    invariants = {one.name: one for one in run.watch.invariants}
    claims = _claims(run)
    rows = [_requirement(one, claims.get(one.id, []), run, invariants) for one in _all()]
    report = {
        "device": run.device,
        "versions": {**run.versions, "python": platform.python_version()},
        "seed": run.seed,
        "configuration": _hash(_setups(run)),
        "suite": suite_hash(),
        "levels": _summary(rows, "level", LEVELS),
        "sections": _summary(rows, "section", dict.fromkeys(row["section"] for row in rows)),
        "planes": _summary(rows, "plane", dict.fromkeys(row["plane"] for row in rows)),
        "rates": rates(rows),
        "requirements": rows,
        "cases": [_case(run, outcomes) for outcomes in run.outcomes.values()],
        "invariants": [_invariant(one) for one in invariants.values()],
        "provoked": sorted(run.dropped),
    }
    if run.mutants is not None:
        report["mutants"] = run.mutants
    return report


def rates(rows: Iterable[Table]) -> Table:
    """Return how many of the applicable requirements pass, by what shows them and by level."""
    found: Table = {}
    for testable in ("wire", "config", "inspection"):
        for level in LEVELS:
            ones = [
                row["status"]
                for row in rows
                if (row["testable"], row["level"]) == (testable, level)
                if row["status"] != NOT_APPLICABLE
            ]
            if ones:
                key = f"{testable} {level}"
                found[key] = {"pass": ones.count(PASS), "of": len(ones)}
    return found


def suite_hash() -> str:
    """Return a hash over the files of the suite."""
    root = resources.files("twinroute.conformance")
    texts = []
    folders = [("", root)]
    while folders:
        path, folder = folders.pop()
        for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if one.is_dir() and not one.name.startswith("__"):
                folders.append((f"{path}{one.name}/", one))
            elif one.name.endswith(SUFFIXES):
                texts.append(f"{path}{one.name}\n{one.read_text(encoding='utf-8')}")
    return _hash(sorted(texts))


def _hash(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _setups(run: Run) -> list[str]:
    """Return every set-up of the run, in words."""
    ones = [
        repr(round_.setup)
        for outcomes in run.outcomes.values()
        for one in outcomes
        for round_ in one.rounds
    ]
    return list(dict.fromkeys(ones))


def _all() -> list[Requirement]:
    return list(requirements().values())


def _claims(run: Run) -> dict[str, list[Case]]:
    """Return the cases of this run that claim a requirement."""
    found: dict[str, list[Case]] = {}
    for outcomes in run.outcomes.values():
        for one in outcomes[0].case.ids if outcomes else ():
            found.setdefault(one, []).append(outcomes[0].case)
    return found


def _requirement(
    one: Requirement, cases: list[Case], run: Run, invariants: dict[str, Invariant]
) -> Table:
    watchers = [invariant for invariant in invariants.values() if one.id in invariant.ids]
    status, reason = _status(one, cases, watchers, run)
    return {
        "id": one.id,
        "rfc": one.rfc,
        "section": section_of(one.id),
        "level": one.level,
        "plane": one.plane,
        "area": one.area,
        "testable": one.testable,
        "summary": one.summary,
        "today": one.today,
        "observable": one.observable,
        "status": status,
        "reason": reason,
        "cases": [case.name for case in cases],
        "invariants": [watcher.name for watcher in watchers],
    }


def _status(
    one: Requirement, cases: list[Case], watchers: list[Invariant], run: Run
) -> tuple[str, str]:
    """Return status and reason of a requirement: the worst of those that prove it."""
    if not one.applies:
        return NOT_APPLICABLE, one.reason
    found = [run.status(case.name) for case in cases]
    for watcher in watchers:
        if watcher.violations:
            found.append((FAIL, f"invariant {watcher.name}: {watcher.violations[0]}"))
        elif watcher.frames:
            found.append((PASS, f"held for {watcher.frames} frames"))
    for status in (FAIL, MISSING, NOT_APPLICABLE):
        for other, reason in found:
            if other == status:
                known = [misses(run.device).get(case.name, "") for case in cases]
                listed = "; ".join(filter(None, known)) if status == FAIL else ""
                return status, listed or reason
    if found:
        return PASS, found[0][1]
    listed_reasons = coverage.reasons()
    if one.id in listed_reasons.inspected:
        return PASS, f"by inspection: {listed_reasons.inspected[one.id]}"
    return listed_reasons.status.get(one.id, (UNTESTED, ""))


def _summary(rows: list[Table], field: str, values: Iterable[str]) -> Table:
    return {
        value: {
            status: sum(row[field] == value and row["status"] == status for row in rows)
            for status in STATUSES
        }
        for value in values
    }


def _case(run: Run, outcomes: list[Outcome]) -> Table:
    case = outcomes[0].case
    status, reason = run.status(case.name)
    shown = next((one for one in outcomes if one.status == FAIL), outcomes[0])
    return {
        "name": case.name,
        "module": case.module,
        "ids": list(case.ids),
        "text": case.text,
        "status": status,
        "reason": reason,
        "known": misses(run.device).get(case.name, ""),
        "runs": [
            {"name": str(one.variation), "status": one.status, "reason": one.reason}
            for one in outcomes
        ],
        "shown": str(shown.variation),
        "replay": replay(run, shown),
        "pcap": pcap_name(case) if any(round_.sent for round_ in shown.rounds) else "",
        "steps": [_round(round_) for round_ in _steps(shown.rounds)],
    }


def replay(run: Run, outcome: Outcome) -> str:
    """Return the command that runs a case again as it was run."""
    seed = "" if run.seed == 1 else f" --seed {run.seed}"
    case = outcome.case.name
    return (
        f"twinroute conformance --dut {run.device} --case {case}{outcome.variation.options}{seed}"
    )


def pcap_name(case: Case) -> str:
    """Name the capture of a case, relative to the report."""
    return f"pcap/{case.name}.pcapng"


def _steps(rounds: list[Round]) -> list[Round]:
    """Leave out what is too much to read; the capture has all frames."""
    left_out = len(rounds) - STEPS_FIRST - STEPS_LAST
    if left_out <= 1:
        return rounds
    note = f"{left_out} more steps, whose frames are in the capture"
    return [*rounds[:STEPS_FIRST], Round(note=note), *rounds[-STEPS_LAST:]]


def _round(round_: Round) -> Table:
    return {
        "note": round_.note,
        "setup": _setup(round_.setup),
        "sent": _some(round_.sent, _frame),
        "expected": _some(round_.wanted, _wanted),
        "judged": round_.collected,
        "received": _some(round_.got, _frame),
        "goods": round_.goods,
        "counters": _counters(round_.counts),
        "problems": round_.problems,
        "trace": "\n".join(round_.trace.splitlines()[:TRACE_LINES]),
        "lines": round_.lines,
    }


def _setup(setup: Setup | None) -> str:
    """Write what is not as in the matrix's test bed."""
    usual = Setup()
    differing = {
        name: getattr(setup, name)
        for name in Setup.__dataclass_fields__
        if setup is not None and getattr(setup, name) != getattr(usual, name)
    }
    text = ", ".join(f"{name} {value}" for name, value in differing.items())
    return text if len(text) <= SETUP_CHARACTERS else text[: SETUP_CHARACTERS - 3] + "..."


def _some(ones: Sequence[Any], write: Callable[[Any], Table]) -> Table:
    """Leave out what is too much to read; the capture has more."""
    return {"count": len(ones), "frames": [write(one) for one in ones[:FRAMES_SHOWN]]}


def _frame(one: Sent | Captured) -> Table:
    return {"at": one.place, "hex": one.data.hex(), "text": decode(one.data)}


def _wanted(one: Wanted) -> Table:
    """Write an expected frame; open octets are dots."""
    mask = one.open_bits(len(one.data))
    octets = [".." if mask[i] == 0xFF else f"{octet:02x}" for i, octet in enumerate(one.data)]
    rules = [free.what for free in one.free]
    table = {"at": one.place, "what": one.text, "hex": "".join(octets), "text": decode(one.data)}
    return {**table, "open": rules}


def _counters(counts: Counts) -> Table:
    dropped, punted = (dict(sorted(ones.items())) for ones in (counts.dropped, counts.punted))
    return {"dropped": dropped, "punted": punted}


def _invariant(one: Invariant) -> Table:
    return {
        "name": one.name,
        "ids": list(one.ids),
        "text": one.text,
        "frames": one.frames,
        "violations": one.violations,
    }
