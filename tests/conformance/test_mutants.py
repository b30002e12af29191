# SPDX-License-Identifier: MIT
"""The mutants are made of the core as it is, and each is for a case that claims its rule."""

from pathlib import Path

import pytest

from twinroute.conformance import mutants
from twinroute.conformance.case import all_cases
from twinroute.conformance.coverage import claims
from twinroute.conformance.invariants import Watch
from twinroute.errors import Failure

MUTANTS = mutants.all_mutants()
ROOT = Path(__file__).parents[2]


def test_names_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 10


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_mutant_is_possible(mutant: mutants.Mutant) -> None:
    """Its text stands once in the file, and its case, or an invariant, claims its requirement."""
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert mutants.mutated(mutant, text) != text
    assert mutant.file.startswith(("core/", "sim_backend/"))
    invariants = {invariant.name for invariant in Watch().invariants}
    assert mutant.case in all_cases()
    assert {mutant.case, *invariants} & set(claims()[mutant.id])


def test_text_that_is_not_there_once_is_refused() -> None:
    mutant = mutants.Mutant("twice", "", "", "", "core/x.c", "a", "b")
    with pytest.raises(Failure, match=r"mutant twice: core/x.c: expected once, found 2 times: a"):
        mutants.mutated(mutant, "a a")


@pytest.mark.no_sanitizer
@pytest.mark.timeout(600)
def test_a_mutant_is_killed_and_a_sound_core_is_not() -> None:
    harmless = mutants.Mutant(
        name="harmless",
        id="",
        case="ttl_runs_out",
        text="nothing is broken",
        file="core/fast_path/next_hop.c",
        old="ip->ttl <= 1",
        new="ip->ttl < 2",
    )
    broken = next(mutant for mutant in MUTANTS if mutant.name == "no_ttl_check")
    results = mutants.try_all([broken, harmless])
    assert [one["result"] for one in results["mutants"]] == ["killed", "survived"]
    assert (results["killed"], results["of"]) == (1, 2)
    assert "missing: ERR(11/0)" in results["mutants"][0]["how"]
