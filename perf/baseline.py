# SPDX-License-Identifier: MIT
"""Stored numbers that a run is held against: exact ones, so that any change is one of the code.

The file is TOML: a table a group (`[instructions.gcc-12."case"]`), a line a place.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

STORED = Path(__file__).with_name("baseline.toml")
TOLERANCE = 0.02
LEAST = 0.05  # a smaller difference is none, however little there is
Group = Mapping[str, Mapping[str, float]]  # case: place: number
INTRODUCTION = """\
# SPDX-License-Identifier: MIT
# What each step and the whole pipeline cost, a packet: instructions counted by callgrind, by the
# compiler that made them, and the simulator's virtual cycles. Written by `make gates-update`.
"""


def read(path: Path = STORED) -> dict[str, Group]:
    """Read all groups, by name."""
    content = tomllib.loads(path.read_text()) if path.exists() else {}
    groups: dict[str, Group] = {}
    for kind, tables in content.items():
        for name, cases in tables.items():
            groups[f"{kind}.{name}"] = cases
    return groups


def write(groups: Mapping[str, Group], path: Path = STORED) -> None:
    """Write all groups, sorted."""
    text = [INTRODUCTION]
    for name, cases in sorted(groups.items()):
        for case, numbers in cases.items():
            text.append(f'\n[{name}."{case}"]\n')
            text += (f"{place} = {number:.2f}\n" for place, number in numbers.items())
    path.write_text("".join(text))


def compare(found: Group, stored: Group, unit: str) -> Iterator[str]:
    """Yield a line for each number that is not what is stored, worse or better."""
    for case, numbers in found.items():
        before = stored.get(case, {})
        for place, number in numbers.items():
            if place not in before:
                yield f"{place}, {case}: {number:.2f} {unit}, nothing stored"
                continue
            change = number - before[place]
            if abs(change) < LEAST or abs(change) <= TOLERANCE * before[place]:
                continue
            share = f"{abs(change) / before[place]:.1%}" if before[place] else "something"
            yield (
                f"{place}, {case}: {number:.2f} {unit}, {before[place]:.2f} stored:"
                f" {share} {'more' if change > 0 else 'less'}"
            )
        for place in before.keys() - numbers.keys():
            yield f"{place}, {case}: stored, but not there any more"
    for case in stored.keys() - found.keys():
        yield f"{case}: stored, but not there any more"
