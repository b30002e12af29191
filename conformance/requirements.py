# SPDX-License-Identifier: MIT
"""The requirements, as requirements/*.toml have them."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "requirements"
FILES = ("rfc1812-requirements.toml", "other-requirements.toml")
LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")


@dataclass(frozen=True)
class Requirement:
    """A normative statement; where `today` says something, that is the contract."""

    id: str
    section: str
    level: str
    summary: str
    today: str
    observable: str
    area: str
    plane: str
    testable: str
    applies: bool
    reason: str
    note: str

    @property
    def rfc(self) -> str:
        """Name of the RFC."""
        return self.id.split("-", 1)[0]

    @property
    def wire(self) -> bool:
        """Whether it applies, and shows on the wire."""
        return self.applies and self.testable == "wire"

    @property
    def invariant(self) -> bool:
        """Whether it holds for every frame of the whole run, and for nothing else."""
        return self.observable.startswith(("Invariant", "Same invariant"))


@cache
def requirements() -> dict[str, Requirement]:
    """Return every requirement by its id, in the order of the text."""
    found = {}
    for name in FILES:
        document = tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))
        for table in document["requirement"]:
            fields = {key: table.get(key, "") for key in Requirement.__dataclass_fields__}
            found[table["id"]] = Requirement(**fields)
    return found


def section_of(requirement: str) -> str:
    """Return RFC and section of a requirement's id: "RFC1812 5.3.1"."""
    rfc, rest = requirement.split("-", 1)
    return f"{rfc} {rest.rsplit('-', 1)[0]}"


def is_below(section: str, wanted: str) -> bool:
    """Tell whether a section is another or inside of it: "5.3.1" is below "5.3" and "RFC1812-5"."""
    found = re.fullmatch(r"(?:(RFC\d+)[- ]?)?(.*)", wanted)
    assert found
    rfc, number = section.split(" ", 1)
    if found[1] and found[1] != rfc:
        return False
    return not found[2] or number == found[2] or number.startswith(found[2] + ".")
