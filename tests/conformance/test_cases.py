# SPDX-License-Identifier: MIT
"""Every case of the conformance suite on the simulator, alone and in every place of a burst."""

from collections.abc import Iterator

import pytest

from twinroute.conformance.case import Case, Variation, all_cases
from twinroute.conformance.devices import make_device
from twinroute.conformance.invariants import Watch
from twinroute.conformance.misses import misses
from twinroute.conformance.runner import FAIL, PASS, run_case

RUNS = [
    pytest.param(case, variation, id=f"{case.name}-{variation}".replace(" ", "-"))
    for case in all_cases().values()
    for variation in case.variations
]
WATCH = Watch()


@pytest.fixture(scope="module", autouse=True)
def invariants() -> Iterator[None]:
    """What holds for every frame has held for every frame of every case."""
    yield
    broken = [
        f"{one.name}: {one.violations[0]}"
        for one in WATCH.invariants
        if one.violations and one.name not in misses("sim")
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(("case", "variation"), RUNS)
def test_case(case: Case, variation: Variation) -> None:
    outcome = run_case(make_device("sim"), case, variation, watch=WATCH)
    if reason := misses("sim").get(case.name):
        if outcome.status == FAIL:
            pytest.xfail(reason)
        return
    replay = f"twinroute conformance --dut sim --case {case.name}{variation.options}"
    assert outcome.status == PASS, f"{outcome.reason}\n{replay}"


def test_misses_are_cases_that_fail() -> None:
    for name in misses("sim"):
        if case := all_cases().get(name):
            statuses = [run_case(make_device("sim"), case, one).status for one in case.variations]
            assert set(statuses) != {PASS}, f"misses.toml: {name} passes"
