# SPDX-License-Identifier: MIT
"""Whether the suite is complete: every requirement has a case, or a reason why it has none.

not_covered.toml holds the reasons; an entry that is not needed any more is a mistake as well.
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from twinroute.conformance.case import Case, all_cases
from twinroute.conformance.exercise import unexercised
from twinroute.conformance.invariants import Watch
from twinroute.conformance.requirements import requirements
from twinroute.conformance.runner import NOT_APPLICABLE, PASS, UNTESTED, Run

FILE = Path(__file__).parent / "not_covered.toml"
STATUSES = (UNTESTED, "not implemented", NOT_APPLICABLE)


@dataclass(frozen=True)
class Reasons:
    """What not_covered.toml says.

    status: of requirements without a case, and why. inspected: what proves those that a look at
    the code proves. drops: reasons that no case provokes. words: of observables, by requirement.
    """

    status: dict[str, tuple[str, str]] = field(default_factory=dict)
    inspected: dict[str, str] = field(default_factory=dict)
    drops: dict[str, str] = field(default_factory=dict)
    words: dict[str, dict[str, str]] = field(default_factory=dict)


@cache
def reasons() -> Reasons:
    """Read not_covered.toml."""
    document = tomllib.loads(FILE.read_text(encoding="utf-8"))
    found = Reasons()
    for table in document.get("not_covered", []):
        for one in table["ids"]:
            found.status[one] = (table["status"], table["reason"])
    for table in document.get("inspected", []):
        for one in table["ids"]:
            found.inspected[one] = table["by"]
    for table in document.get("drop", []):
        for one in table["names"]:
            found.drops[one] = table["reason"]
    for table in document.get("unexercised", []):
        words = found.words.setdefault(table["id"], {})
        words |= dict.fromkeys(table["words"], table["reason"])
    return found


def claims() -> dict[str, list[str]]:
    """Return the names of the cases and invariants that claim a requirement, by its id."""
    found: dict[str, list[str]] = {}
    for case in all_cases().values():
        for one in case.ids:
            found.setdefault(one, []).append(case.name)
    for invariant in Watch().invariants:
        for one in invariant.ids:
            found.setdefault(one, []).append(invariant.name)
    return found


def wrong_claims() -> Iterator[str]:
    """Yield what is wrong with the ids that cases claim."""
    known = requirements()
    for case in all_cases().values():
        for one in case.ids:
            where = f"{case.module}.{case.name}: {one}"
            if one not in known:
                yield f"{where}: there is no such requirement"
            elif not known[one].applies:
                yield f"{where}: does not apply: {known[one].reason}"
            elif case.config and known[one].testable == "wire":
                yield f"{where}: shows on the wire, and the case sends nothing"
        if len(set(case.ids)) < len(case.ids):
            yield f"{case.module}.{case.name}: an id twice"
    for invariant in Watch().invariants:
        yield from (
            f"{invariant.name}: {one}: unknown" for one in invariant.ids if one not in known
        )


def wrong_reasons() -> Iterator[str]:
    """Yield what is wrong with not_covered.toml itself."""
    known, claimed, listed = requirements(), claims(), reasons()
    for one in (*listed.status, *listed.inspected):
        if one not in known:
            yield f"not_covered.toml: {one}: there is no such requirement"
        elif one in claimed:
            yield f"not_covered.toml: {one}: {', '.join(claimed[one])} claims it"
    for one, (status, _) in listed.status.items():
        if status not in STATUSES:
            yield f"not_covered.toml: {one}: status {status}: expected {', '.join(STATUSES)}"
    for one in listed.words:
        if one not in claimed:
            yield f"not_covered.toml: {one}: words of it, but no case claims it"


def without_a_case(testable: str = "wire") -> list[str]:
    """Return the applicable requirements that have neither a case nor a reason."""
    claimed, listed = claims(), reasons()
    return [
        one.id
        for one in requirements().values()
        if one.applies and one.testable == testable
        if one.id not in claimed and one.id not in listed.status and one.id not in listed.inspected
    ]


def not_provoked(run: Run, names: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with the drop reasons that a whole run has seen, of all there are."""
    listed = reasons().drops
    for name in names:
        if name not in run.dropped and name not in listed:
            yield f"drop reason {name}: no case provokes it"
        elif name in run.dropped and name in listed:
            yield f"not_covered.toml: drop reason {name}: a case provokes it"


def not_exercised(run: Run) -> Iterator[str]:
    """Yield the requirements of which a run has not done all that their observables say.

    Only cases that pass are asked: of one that fails, or does not apply, nobody knows.
    """
    known, words = requirements(), reasons().words
    by_id: dict[str, list[Case]] = {}
    for outcomes in run.outcomes.values():
        for one in outcomes[0].case.ids if outcomes else ():
            by_id.setdefault(one, []).append(outcomes[0].case)
    for name, cases in by_id.items():
        if name not in known or known[name].testable != "wire":
            continue
        if any(run.status(case.name)[0] != PASS for case in cases):
            continue
        rounds = [round_ for case in cases for round_ in run.outcomes[case.name][0].rounds]
        missing = unexercised(known[name], rounds)
        excused = words.get(name, {})
        if left := [word for word in missing if word not in excused]:
            yield f"{name}: {', '.join(case.name for case in cases)}: nothing about {left}"
        if idle := [word for word in excused if word not in missing]:
            yield f"not_covered.toml: {name}: {idle} is exercised"
