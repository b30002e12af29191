# SPDX-License-Identifier: MIT
"""What the fast path is meant to reach: ratios of throughput within one run of `make bench`.

A ratio is of two medians' cases, round by round: of several applications, or bursts, the best one
by its median stands for all. Targets in seconds are seconds asked divided by those measured.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from twinroute.perf import contests
from twinroute.perf.contests import COMPACT, COMPLEX_10, ONE_DESTINATION, RANDOM_24
from twinroute.perf.rivals import FASTCLICK, ROUTER, VPP
from twinroute.perf.samples import table
from twinroute.perf.selection import ALL_24S, INTERNET, SLASH24S, UNIFORM

Report = Mapping[str, Any]
Ratios = Sequence[float]
LOAD_S = 0.5
FIB = "rte_fib AVX-512"


@dataclass(frozen=True)
class Target:
    """What is asked. ratios: of a report, by round; none where it has not what they are of."""

    case: str
    against: str
    asked: float
    ratios: Callable[[Report], Ratios]


def best(found: Mapping[str, Sequence[float]]) -> Sequence[float]:
    """Return the series with the lowest median."""
    return min(found.values(), key=statistics.median)


def cycles(report: Report, case: str, application: str) -> dict[str, list[float]]:
    """Return cycles by burst, and lookup, of an application on DPDK."""
    rates = report.get("applications", {}).get(case, {})
    return {
        name: [rate["cycles"] for rate in series]
        for name, series in rates.items()
        if name.startswith(application)
    }


def between(
    report: Report, case: str, other: str, *, application: str = ROUTER, burst: int | None = None
) -> Ratios:
    """Return throughput of the router in a case as a part of an application's in another.

    burst: the router's, in both; else the best of each.
    """
    ours, theirs = cycles(report, case, ROUTER), cycles(report, other, application)
    if burst:
        ours, theirs = (
            {name: one for name, one in some.items() if name.endswith(f" {burst}")}
            for some in (ours, theirs)
        )
    if not ours or not theirs:
        return []
    return [b / a for a, b in zip(best(ours), best(theirs), strict=True)]


def looked_up(report: Report, structure: str) -> Ratios:
    """Return lookups a second in the Internet's table as a part of rte_fib's, bulks of any size."""
    prefix = f"{INTERNET}, {UNIFORM}, batch "
    cases = [one for name, one in report.get("lookups", {}).items() if name.startswith(prefix)]
    ours = {str(i): one[structure] for i, one in enumerate(cases) if structure in one}
    theirs = {str(i): one[FIB] for i, one in enumerate(cases) if FIB in one}
    if not ours or not theirs:
        return []
    return [b / a for a, b in zip(best(ours), best(theirs), strict=True)]


def loaded(report: Report) -> Ratios:
    """Return the seconds asked as a part of those that the load of a table took."""
    return [LOAD_S / seconds for seconds in report.get("load, s", [])]


def churned(report: Report, lpm: str) -> Ratios:
    """Return throughput during changes of routes as a part of that without."""
    churn = report.get("churn", {}).get(lpm)
    if not churn:
        return []
    pairs = zip(churn["changing"], churn["quiet"], strict=True)
    return [quiet["cycles"] / changing["cycles"] for changing, quiet in pairs]


def targets() -> Iterator[Target]:
    """Yield all of them."""
    for case, asked in ((ONE_DESTINATION, 1.0), (RANDOM_24, 1.3), (SLASH24S, 1.3), (INTERNET, 1.5)):
        for lpm in ("", COMPACT):
            ratios = partial(between, case=case + lpm, other=case, application="l3fwd")
            if not lpm or case in (SLASH24S, INTERNET):
                yield Target(case + lpm, "l3fwd, its best", asked, ratios)
    for case in (ONE_DESTINATION, RANDOM_24, SLASH24S, INTERNET):
        for rival in (VPP, FASTCLICK):
            ratios = partial(between, case=case, other=case, application=rival)
            yield Target(case, rival, 3.0, ratios)
    same = partial(between, other=ONE_DESTINATION, burst=64)
    for case in (ALL_24S, ALL_24S + COMPACT):
        yield Target(case, ONE_DESTINATION, 0.5, partial(same, case=case))
    for structure, asked in (("dir24_8", 1.2), ("compact", 2.0)):
        ratios = partial(looked_up, structure=structure)
        yield Target(f"lookup alone, {structure}", FIB, asked, ratios)
    ratios = partial(same, case=contests.TWO_UNITS)
    yield Target("two units on two cores", "one unit", 1.9, ratios)
    ratios = partial(between, case=f"{INTERNET}, two units", other=INTERNET, burst=64)
    yield Target(f"two units, {INTERNET}", "one unit", 1.9, ratios)
    yield Target(COMPLEX_10, "none complex", 0.9, partial(same, case=COMPLEX_10))
    ratios = partial(same, case=contests.SOFTWARE)
    yield Target(contests.SOFTWARE, "the NIC's verdict", 0.85, ratios)
    yield Target("1,000,000 routes loaded", f"{LOAD_S} s", 1.0, loaded)
    for lpm in ("dir24_8", "compact"):
        ratios = partial(churned, lpm=lpm)
        yield Target(f"200,000 changes a second, {lpm}", "none", 0.97, ratios)


def results(report: Report) -> list[dict[str, Any]]:
    """Return what came of each target that the report can tell of."""
    rows = []
    for target in targets():
        if ratios := target.ratios(report):
            spread = {"ratio": statistics.median(ratios), "lowest": min(ratios)}
            names = {"case": target.case, "against": target.against, "asked": target.asked}
            rows.append({**names, **spread, "highest": max(ratios)})
    return rows


def results_table(found: Sequence[Mapping[str, Any]]) -> str:
    """Write the results for people."""
    rows = [["throughput", "against", "ratio", "lowest", "highest", "asked", ""]]
    for one in found:
        numbers = (one[name] for name in ("ratio", "lowest", "highest", "asked"))
        verdict = "reached" if one["ratio"] >= one["asked"] else "not yet"
        rows.append([one["case"], one["against"], *(f"{n:.2f}" for n in numbers), verdict])
    return table(rows)
