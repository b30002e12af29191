# SPDX-License-Identifier: MIT
"""The cases that a device does not pass, with the reasons: misses.toml."""

import tomllib
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "misses.toml"


@cache
def misses(device: str) -> dict[str, str]:
    """Return the reasons by case, for a device."""
    document = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {
        one["case"]: one["reason"] for one in document.get("miss", []) if device in one["devices"]
    }
