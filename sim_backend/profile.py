# SPDX-License-Identifier: MIT
"""Cost profiles: what each step of the router costs on a processor, in cycles.

The profile `functional` has no costs: processing takes no virtual time. Any other is a TOML file,
one of those that come with the package or the user's own.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any

from twinroute.errors import ConfigError
from twinroute.sim.native import NATIVE

HZ_MIN, HZ_MAX = 1_000_000, 1_000_000_000_000
CYCLES_MAX = 1_000_000_000
COST = f"cycles, a number from 0 to {CYCLES_MAX}"


@dataclass(frozen=True)
class StepCost:
    """What a step costs, in cycles: so much each time, and so much for each live lane."""

    call: float = 0.0
    lane: float = 0.0


@dataclass(frozen=True)
class Profile:
    """A processor as the simulator charges it."""

    name: str
    functional: bool
    hz: int
    poll: float = 0.0  # cycles of a turn of a unit's loop that finds nothing
    steps: Mapping[str, StepCost] = field(default_factory=dict)

    def fill(self, out: Any) -> None:
        """Fill a struct tr_profile."""
        out.functional = self.functional
        out.hz = self.hz
        out.poll_millicycles = round(self.poll * 1000)
        for index, name in enumerate(step_names()):
            cost = self.steps.get(name, StepCost())
            out.step[index].call_millicycles = round(cost.call * 1000)
            out.step[index].lane_millicycles = round(cost.lane * 1000)


FUNCTIONAL = Profile("functional", functional=True, hz=1_000_000_000)


def step_names() -> list[str]:
    """List the steps of the fast path and the handlers of the slow path, in their order."""
    return list(NATIVE.steps)


def profile_names() -> list[str]:
    """List the profiles that come with the package."""
    folder = files("twinroute.sim").joinpath("profiles")
    stored = (entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return ["functional", *sorted(name.removesuffix(".toml") for name in stored)]


def load_profile(name: str | Path, *, base: Path | None = None) -> Profile:
    """Load a profile by its name, or from a TOML file (relative to `base`)."""
    text = str(name)
    if text == "functional":
        return FUNCTIONAL
    if not text.endswith(".toml") and "/" not in text:
        try:
            stored = files("twinroute.sim").joinpath("profiles", f"{text}.toml").read_bytes()
        except OSError:
            expected = ", ".join(profile_names())
            raise ConfigError(
                [f'profile = "{text}": expected one of {expected}, or a file NAME.toml']
            ) from None
        return parse_profile(stored, name=text, source=f"{text}.toml")
    path = (base or Path()) / text
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}: expected a cost profile"]) from None
    return parse_profile(content, name=path.stem, source=str(path))


def parse_profile(content: bytes, *, name: str, source: str) -> Profile:
    """Read a profile from the bytes of a TOML file; ConfigError names every wrong key."""
    try:
        table = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{source}: expected TOML: {error}"]) from None
    reader = _Reader(source)
    top = reader.table(table, "", ("hz", "poll", "step"))
    hz = top.get("hz")
    if type(hz) is not int or not HZ_MIN <= hz <= HZ_MAX:
        reader.wrong("hz", hz, f"a frequency, an integer from {HZ_MIN} to {HZ_MAX}")
    poll = reader.cost(top, "poll", "")
    steps = {}
    for step, value in reader.table(top.get("step", {}), "step", step_names()).items():
        costs = reader.table(value, f"step.{step}", ("call", "lane"))
        call, lane = (reader.cost(costs, key, f"step.{step}.") for key in ("call", "lane"))
        steps[step] = StepCost(call, lane)
    if reader.problems:
        raise ConfigError(reader.problems)
    assert isinstance(hz, int)
    return Profile(name, functional=False, hz=hz, poll=poll, steps=steps)


class _Reader:
    """Takes values out of TOML tables and gathers what is wrong with them."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[str] = []

    def wrong(self, key: str, value: object, expected: str) -> None:
        given = "" if value is None else f" = {_toml(value)}"
        missing = "missing, " if value is None else ""
        self.problems.append(f"{self.source}: {key}{given}: {missing}expected {expected}")

    def table(self, value: object, key: str, allowed: Any) -> dict[str, Any]:
        """Return a table without the keys that are not allowed in it."""
        if not isinstance(value, dict):
            self.wrong(key, value, "a table")
            return {}
        for name in sorted(value.keys() - set(allowed)):
            full = f"{key}.{name}" if key else name
            self.wrong(full, value[name], f"no such key, but one of {', '.join(allowed)}")
        return {name: value[name] for name in allowed if name in value}

    def cost(self, table: dict[str, Any], key: str, prefix: str) -> float:
        """Return a number of cycles."""
        value = table.get(key, 0)
        if type(value) not in (int, float) or not isfinite(value) or not 0 <= value <= CYCLES_MAX:
            self.wrong(prefix + key, value, COST)
            return 0.0
        return float(value)


def _toml(value: object) -> str:
    """Write a value as it stands in a TOML file, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\n", "\\n") + '"'
    return "{...}" if isinstance(value, dict) else str(value).replace("\n", " ")
