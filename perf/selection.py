# SPDX-License-Identifier: MIT
"""What is measured: a readable selection of tables, destinations and packets, by name.

Every case of a selection is run once a round, in one process a router, so that what disturbs a
round disturbs all of its cases.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from twinroute.perf.loop import BLOCK, PIPELINE, Bed, Case, Loop
from twinroute.perf.tables import RouteTable, make_table, read_table, slash24s
from twinroute.sim.native import NATIVE

BATCHES = (1, 8, 32, 64, 128, 256, 512)
DESTINATIONS = 1 << 20
INTERNET, SLASH24S, ALL_24S, NONE = "Internet", "2^20 /24s", "2^24 /24s", "default route"
ONE, RANDOM, UNIFORM, ZIPF = "one address", "random", "uniform", "Zipf"
Samples = dict[str, dict[str, list[float]]]  # case: place: cycles a packet, a round each


@dataclass(frozen=True)
class Setup:
    """A router and a table, destinations, and what the packets are like."""

    table: str = NONE
    to: str = ONE
    bed: Bed = field(default_factory=Bed)
    case: Case = field(default_factory=Case)


class Tables:
    """The tables by name, made when they are first asked for."""

    def __init__(self, rib: Path | None = None, *, routes: int = 1_000_000) -> None:
        """rib: a real table for the Internet's, which else is made up with so many routes."""
        self._rib, self._routes = rib, routes
        self.table = cache(self._make)

    def _make(self, name: str) -> RouteTable | None:
        if name == NONE:
            return None
        if name == INTERNET:
            return read_table(self._rib) if self._rib else make_table(self._routes)
        return slash24s(1 << (24 if name == ALL_24S else 20))

    def destinations(self, table: str, to: str) -> npt.NDArray[np.uint32]:
        """Return addresses to look up or to send to."""
        if to == ONE:
            return np.array([0x01020304], np.uint32)
        if to == RANDOM:
            return slash24s(DESTINATIONS, 7).addresses(DESTINATIONS)
        made = self.table(table)
        assert made is not None
        return made.addresses(DESTINATIONS, zipf=to == ZIPF)


def setups() -> dict[str, Setup]:
    """Return the selection for the fast path: every name once."""
    found: dict[str, Setup] = {}
    for batch in BATCHES:
        found[f"one destination, batch {batch}"] = Setup(case=Case(burst=batch))
    for batch in BATCHES:
        found[f"{INTERNET}, batch {batch}"] = Setup(INTERNET, UNIFORM, case=Case(burst=batch))
    found["random 24 bits"] = Setup(NONE, RANDOM)
    found[f"{SLASH24S}"] = Setup(SLASH24S, UNIFORM)
    found[f"{SLASH24S}, Zipf"] = Setup(SLASH24S, ZIPF)
    found[f"{INTERNET}, Zipf"] = Setup(INTERNET, ZIPF)
    found[f"{INTERNET}, two units"] = Setup(INTERNET, UNIFORM, bed=Bed(units=2))
    found["IMIX"] = Setup(case=Case(size="imix"))
    found["checksum by software"] = Setup(case=Case(checksum="software"))
    found["four gateways a route"] = Setup(bed=Bed(paths=4))
    found["16 rules"] = Setup(bed=Bed(rules=16))
    for vector in ("scalar", "avx2"):
        if NATIVE.lib.tr_vector_runs(vector.encode()):
            found[vector] = Setup(bed=Bed(vector=vector))
    found["compressed table"] = Setup(bed=Bed(compact=1))
    found[f"{INTERNET}, compressed"] = Setup(INTERNET, UNIFORM, bed=Bed(compact=1))
    for percent in (1, 10):
        for scatter in ("drop_out", "masks", "split"):
            case = Case(complex=percent, scatter=scatter)
            found[f"{percent} % complex, {scatter}"] = Setup(case=case)
    return found


def lookups() -> Iterator[tuple[str, str, int]]:
    """Yield table, destinations and batch for lookups alone."""
    yield INTERNET, ONE, 64
    yield from ((INTERNET, UNIFORM, batch) for batch in BATCHES)
    yield INTERNET, ZIPF, 64
    yield INTERNET, RANDOM, 64
    yield SLASH24S, UNIFORM, 64
    yield SLASH24S, ZIPF, 64


class Field:
    """Routers at work for some setups, of one build of the project or several."""

    def __init__(
        self,
        selected: Mapping[str, Setup],
        tables: Tables,
        builds: Mapping[str, Path | None],
        *,
        blocks: int = 32,
    ) -> None:
        """builds: the program of each, by a name; None: this one's."""
        self._selected, self._tables, self._builds = dict(selected), tables, builds
        self._blocks = blocks
        self._stack = ExitStack()
        self._loops: dict[tuple[str, Bed, str], Loop] = {}
        self._files: dict[tuple[str, Bed, str, str], str] = {}

    def __enter__(self) -> "Field":
        """Start all routers."""
        with ExitStack() as stack:
            for build, path in self._builds.items():
                for setup in self._selected.values():
                    key = build, setup.bed, setup.table
                    if key not in self._loops:
                        table = self._tables.table(setup.table)
                        loop = stack.enter_context(Loop(setup.bed, table, path=path))
                        self._loops[key] = loop
                    if (*key, setup.to) not in self._files:
                        addresses = self._tables.destinations(setup.table, setup.to)
                        name = f"to{len(self._files)}"
                        self._files[(*key, setup.to)] = self._loops[key].file(name, addresses)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self._stack.close()

    @property
    def hz(self) -> float:
        """Frequency of the time stamp counter."""
        return next(iter(self._loops.values())).hz

    def run(self, build: str, name: str, measure: str = PIPELINE) -> dict[str, float]:
        """Run a case once. Returns cycles a packet by place; of several units, the mean."""
        setup = self._selected[name]
        key = build, setup.bed, setup.table
        case = replace(setup.case, measure=measure)
        to = self._files[(*key, setup.to)]
        found = self._loops[key].run_units(case, to, blocks=self._blocks)
        return {
            place: sum(unit.cycles[place] for unit in found) / len(found) / BLOCK
            for place in found[0].cycles
        }

    def rounds(
        self, count: int, measures: Sequence[str], tell: Callable[[], None] = lambda: None
    ) -> dict[str, Samples]:
        """Run all cases on all builds, round by round; the first round is not kept.

        tell: called before each.
        """
        samples: dict[str, Samples] = {
            build: {name: {} for name in self._selected} for build in self._builds
        }
        for index in range(count + 1):
            tell()
            order = list(self._builds) if index % 2 else list(self._builds)[::-1]
            for name in self._selected:
                for build in order:
                    for measure in measures:
                        for place, cycles in self.run(build, name, measure).items():
                            samples[build][name].setdefault(place, [])
                            if index:
                                samples[build][name][place].append(cycles)
        return samples
