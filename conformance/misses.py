# SPDX-License-Identifier: MIT
"""The cases that a device does not pass, with the reasons: misses.toml."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "misses.toml"


@cache
def misses(device: str) -> dict[str, str]:
    """Return the reasons by case, for a device."""
    return {one["case"]: one["reason"] for one in _read(device)}


def table(device: str) -> str:
    """Return the misses of another's device as rows of a table: reason, whose that is, cases."""
    cases: dict[tuple[str, str], list[str]] = {}
    for one in _read(device):
        cases.setdefault((one["reason"], one["whose"]), []).append(f"`{one['case']}`")
    return "".join(
        f"| {reason} | {whose} | {', '.join(names)} |\n" for (reason, whose), names in cases.items()
    )


def _read(device: str) -> list[dict[str, Any]]:
    document = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return [one for one in document.get("miss", []) if device in one["devices"]]
