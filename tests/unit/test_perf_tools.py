# SPDX-License-Identifier: MIT
"""The tools of the benchmarks: what is called a change, tables, the loop's counts, pictures."""

import numpy as np
import pytest

from twinroute.perf import plots, samples
from twinroute.perf.loop import PIPELINE, Bed, Case, Loop, structures
from twinroute.perf.selection import INTERNET, NONE, RANDOM, UNIFORM, ZIPF, Tables, lookups, setups
from twinroute.perf.tables import make_table, slash24s

pytestmark = pytest.mark.no_sanitizer

NOISE = np.random.default_rng(7).normal(1.0, 0.03, (2, 15))


def test_noise_is_no_change():
    assert samples.compare(100 * NOISE[0], 100 * NOISE[1]).verdict == "noise"


def test_a_change_is_told_with_its_direction():
    slower = samples.compare(100 * NOISE[0], 110 * NOISE[1])
    assert slower.verdict == "slower"
    assert slower.low < 1.1 < slower.high
    assert samples.compare(110 * NOISE[0], 100 * NOISE[1]).verdict == "faster"


def test_half_a_percent_is_no_change_however_exact():
    assert samples.compare([100.0] * 9, [100.5] * 9).verdict == "noise"


def test_a_disturbed_run_does_not_matter():
    change = samples.compare([100.0] * 9, [*[100.0] * 8, 900.0])
    assert (change.ratio, change.verdict) == (1.0, "noise")


@pytest.mark.parametrize("a", [[], [1.0, 2.0]])
def test_series_have_as_many_runs(a):
    with pytest.raises(ValueError, match="expected as many of both"):
        samples.compare(a, [1.0])


def test_table():
    assert samples.table([["what", "n"], ["a", "10"], ["longer", "9"]]).split("\n") == [
        "what     n",
        "----------",
        "a       10",
        "longer   9",
    ]


def test_structures_are_found_by_name():
    assert "dir24_8" in structures()
    assert len(",".join(structures())) < 2000  # a line has room for them


def test_slash24s_are_different():
    table = slash24s(1000)
    assert len(set(table.prefixes.tolist())) == 1000
    assert set(table.bits.tolist()) == {24}


@pytest.mark.parametrize(
    "case", [(NONE, RANDOM), (INTERNET, UNIFORM), (INTERNET, ZIPF)], ids=" ".join
)
def test_destinations_are_in_no_order(case: tuple[str, str]):
    steps = np.diff(Tables(routes=10_000).destinations(*case).astype(np.int64))
    assert 0.45 < np.mean(steps > 0) < 0.55


def test_zipf_draws_some_prefixes_often():
    table = make_table(1000)
    drawn = [
        np.unique(table.addresses(10_000, zipf=zipf) >> 8, return_counts=True)[1].max()
        for zipf in (False, True)
    ]
    assert drawn[1] > 5 * drawn[0]


@pytest.mark.parametrize("scatter", ["drop_out", "masks", "split"])
@pytest.mark.parametrize("burst", [1, 67])
def test_the_loop_loses_no_packet(scatter, burst):
    with Loop(Bed(gateways=4), make_table(1000)) as loop:
        to = loop.file("to", make_table(1000).addresses(1 << 12))
        for measure in (PIPELINE, "steps"):
            case = Case(burst=burst, complex=10, scatter=scatter, measure=measure)
            result = loop.run(case, to, blocks=4)
            assert result.sent + result.punted + result.dropped == result.packets
            assert result.dropped == 0
            assert 0.05 < result.punted / result.packets < 0.15
            assert all(cycles >= 0 for cycles in result.cycles.values())


def test_the_loop_has_units():
    with Loop(Bed(units=2)) as loop:
        results = loop.run_units(Case(), loop.file("to", [0x01020304]), blocks=2)
    assert [result.sent for result in results] == [result.packets for result in results]


def test_pictures_are_of_cases_that_there_are():
    found = {name: {PIPELINE: [10.0]} for name in setups()}
    report = {"hz": 1e9, "fast path": found}
    assert len(plots.batches(report)["one destination"]) == 7
    assert list(plots.table_sizes(report)["uniform"].values()) == [100.0] * 4
    assert plots.cores(report)["Internet"] == {"1": 100.0, "2": 200.0}
    assert len(list(lookups())) == len(set(lookups()))
