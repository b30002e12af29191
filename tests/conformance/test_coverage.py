# SPDX-License-Identifier: MIT
"""The suite is complete: every requirement has a case or a reason, and no case claims too much."""

from pathlib import Path

import pytest

from twinroute.conformance import coverage
from twinroute.conformance.case import Variation, all_cases
from twinroute.conformance.devices import make_device
from twinroute.conformance.invariants import Watch
from twinroute.conformance.misses import misses, table
from twinroute.conformance.runner import Run, run_all
from twinroute.sim import drop_reasons


@pytest.fixture(scope="module")
def run() -> Run:
    device = make_device("sim")
    cases = all_cases().values()
    return run_all(device, cases, Run("sim", True, {}, 1), variations=[Variation()])


def test_cases_claim_requirements_that_there_are() -> None:
    assert list(coverage.wrong_claims()) == []


def test_reasons_are_needed() -> None:
    assert list(coverage.wrong_reasons()) == []


def test_cases_do_what_the_observables_say(run: Run) -> None:
    assert list(coverage.not_exercised(run)) == []


def test_every_drop_reason_is_provoked(run: Run) -> None:
    assert list(coverage.not_provoked(run, [reason.name for reason in drop_reasons()])) == []


def test_every_requirement_on_the_wire_has_a_case() -> None:
    assert coverage.without_a_case("wire") == []


def test_the_table_of_linux_is_that_of_the_misses() -> None:
    readme = Path(__file__).parents[2] / "conformance" / "README.md"
    head = "| difference | whose | cases |\n|---|---|---|\n"
    assert readme.read_text(encoding="utf-8").endswith(head + table("linux"))


@pytest.mark.parametrize("device", ["sim", "dpdk", "linux"])
def test_misses_are_cases_or_invariants(device: str) -> None:
    known = {*all_cases(), *(invariant.name for invariant in Watch().invariants)}
    assert set(misses(device)) <= known
