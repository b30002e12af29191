# SPDX-License-Identifier: MIT
"""What a case has done and seen, step by step: the evidence in the report."""

from dataclasses import dataclass, field

from twinroute.conformance.device import Captured, Counts, Sent
from twinroute.conformance.setup import Setup
from twinroute.conformance.wanted import Wanted


class Failed(Exception):
    """The device does not do what the case demands."""


@dataclass
class Round:
    """What was sent, expected and came in between two judgements, good packets aside.

    lines: of a case that sends nothing: what it asked, and what it was told.
    """

    setup: Setup | None = None
    sent: list[Sent] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    got: list[Captured] = field(default_factory=list)
    goods: int = 0
    counts: Counts = field(default_factory=Counts)
    problems: list[str] = field(default_factory=list)
    note: str = ""
    trace: str = ""
    lines: list[str] = field(default_factory=list)
    collected: bool = False  # the case judged what came by itself
