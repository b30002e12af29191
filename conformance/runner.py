# SPDX-License-Identifier: MIT
"""Running cases on a device, and what became of each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twinroute.conformance.case import Case, ConfigFunction, Variation
from twinroute.conformance.config_bed import ConfigBed
from twinroute.conformance.device import Captured, Device, DeviceError, Missing, Unable
from twinroute.conformance.evidence import Failed, Round
from twinroute.conformance.invariants import Watch
from twinroute.conformance.requirements import is_below, requirements, section_of
from twinroute.conformance.setup import Setup
from twinroute.conformance.testbed import Testbed
from twinroute.errors import InputError

PASS, FAIL, MISSING, NOT_APPLICABLE = "pass", "fail", "not implemented", "not applicable"
UNTESTED = "untested"
PATIENCE_MS = 30_000  # real time that a case may wait for, by default


@dataclass
class Outcome:
    """What became of one run of a case. reason: why it failed or was not run."""

    case: Case
    variation: Variation
    status: str
    reason: str = ""
    rounds: list[Round] = field(default_factory=list)


@dataclass
class Run:
    """The outcomes of a whole run, case by case, and what was seen besides."""

    device: str
    ours: bool
    versions: dict[str, str]
    seed: int
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)
    dropped: set[str] = field(default_factory=set)
    punted: set[str] = field(default_factory=set)
    mutants: dict[str, Any] | None = None

    @property
    def failed(self) -> bool:
        """Whether a case has failed, or a frame has not obeyed an invariant."""
        ones = (one for outcomes in self.outcomes.values() for one in outcomes)
        return self.watch.violated or any(one.status == FAIL for one in ones)

    def add(self, later: "Run") -> "Run":
        """Take over what became of other cases on a device of this kind; return this run."""
        self.outcomes |= later.outcomes
        self.watch.add(later.watch)
        self.dropped |= later.dropped
        self.punted |= later.punted
        return self

    def status(self, name: str) -> tuple[str, str]:
        """Return status and reason of a case: those of its worst run."""
        ones = self.outcomes[name]
        for status in (FAIL, MISSING, NOT_APPLICABLE):
            for one in ones:
                if one.status == status:
                    where = f"{one.variation}: " if status == FAIL else ""
                    return status, where + one.reason
        return PASS, ""


def run_case(
    device: Device,
    case: Case,
    variation: Variation,
    *,
    watch: Watch | None = None,
    trace: bool = False,
    patience_ms: float = PATIENCE_MS,
) -> Outcome:
    """Run a case once; anything but a mistake in the case itself is an outcome."""

    def observe(captured: Captured, kind: str, setup: Setup) -> None:
        if watch:
            watch.see(captured, kind, setup, case.name)

    outcome = Outcome(case, variation, PASS)
    if case.config:
        return _run_config_case(device, case.config, outcome)
    assert case.function
    absent = MISSING if device.ours else NOT_APPLICABLE
    testbed = Testbed(device, case, variation, observe=observe, trace=trace)
    outcome.rounds = testbed.rounds
    try:
        if case.wait_ms > patience_ms and "virtual-time" not in device.capabilities:
            seconds = case.wait_ms / 1000
            outcome.status, outcome.reason = NOT_APPLICABLE, f"waits {seconds:g} s of real time"
            return outcome
        testbed.need(*case.needs)
        case.function(testbed)
        testbed.close()
    except Unable as unable:
        outcome.status, outcome.reason = NOT_APPLICABLE, str(unable)
    except Missing as missing:
        outcome.status, outcome.reason = absent, str(missing)
    except Failed as failure:
        outcome.status, outcome.reason = FAIL, str(failure)
    finally:
        testbed.close(failed=True)
    return outcome


def _run_config_case(device: Device, function: ConfigFunction, outcome: Outcome) -> Outcome:
    """Run a case about our configuration; the device does not matter, if it is one of ours."""
    if not device.ours:
        outcome.status = NOT_APPLICABLE
        outcome.reason = "about twinroute's own configuration and command line"
        return outcome
    bed = ConfigBed()
    outcome.rounds = bed.rounds
    try:
        function(bed)
    except Missing as missing:
        outcome.status, outcome.reason = MISSING, str(missing)
    except Failed as failure:
        outcome.status, outcome.reason = FAIL, str(failure)
    return outcome


def run_all(
    device: Device,
    cases: Iterable[Case],
    run: Run,
    *,
    variations: Sequence[Variation] | None = None,
    patience_ms: float = PATIENCE_MS,
    told: Callable[[Outcome], None] = lambda outcome: None,
    first: bool = False,
) -> Run:
    """Run cases in all their variations, or in those given; `told` hears of each outcome.

    first: end as soon as a case fails.

    Only the plain variation is traced. Evidence is kept of the first run of a case, and of those
    that fail; a mistake in the case itself fails as well.
    """
    for case in cases:
        for variation in variations or case.variations:
            plain = variation.burst == 1
            try:
                outcome = run_case(
                    device, case, variation, watch=run.watch, trace=plain, patience_ms=patience_ms
                )
            except DeviceError:
                raise
            except Exception as error:
                reason = f"{type(error).__name__} in the case itself: {error}"
                outcome = Outcome(case, variation, FAIL, reason)
            for one in outcome.rounds:
                run.dropped |= set(one.counts.dropped)
                run.punted |= set(one.counts.punted)
            if case.name in run.outcomes and outcome.status != FAIL:
                outcome.rounds = []
            run.outcomes.setdefault(case.name, []).append(outcome)
            told(outcome)
            if first and run.failed:
                return run
            if outcome.status in (MISSING, NOT_APPLICABLE):
                break
    return run


def select(cases: Iterable[Case], wanted: Sequence[str]) -> list[Case]:
    """Choose cases by name, requirement id, level ("MUST"), or section ("5.3", "RFC791-3")."""
    cases = list(cases)
    if not wanted:
        return cases
    found = []
    for text in wanted:
        ones = [one for one in cases if _is_meant(one, text)]
        if not ones:
            raise InputError(
                f"--select {text}: expected a section, a requirement's id, a level, or a case that"
                " there is"
            )
        found += ones
    return [one for one in cases if one in found]


def _is_meant(case: Case, text: str) -> bool:
    if text in (case.name, case.module):
        return True
    known = requirements()
    return any(
        one == text or known[one].level == text or is_below(section_of(one), text)
        for one in case.ids
        if one in known
    )
