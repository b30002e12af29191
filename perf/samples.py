# SPDX-License-Identifier: MIT
"""Numbers of several rounds: how they are written down, and what of two series is a change.

Two builds are run by turns, so the ratio within a pair of runs is free of most that disturbs. The
median of these ratios has an interval by bootstrap: pairs are drawn with replacement, again and
again, and the middle 99 % of the medians that this gives are the interval. It is a change if the
interval lies above or below 1 by more than NOTHING, which is about what the layout of code does.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 4000
CONFIDENCE = 0.99
NOTHING = 0.01


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Write the median of some values, and from the lowest to the highest."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


@dataclass(frozen=True)
class Change:
    """What B is of A."""

    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Say whether B is slower, faster, or not to be told from A."""
        if self.low > 1 + NOTHING:
            return "slower"
        if self.high < 1 - NOTHING:
            return "faster"
        return "noise"

    def __str__(self) -> str:
        """Write it as a line of a table."""
        return f"{self.ratio:.3f} ({self.low:.3f} to {self.high:.3f}) {self.verdict}"


def compare(a: Sequence[float], b: Sequence[float], *, seed: int = 1) -> Change:
    """Compare two series of as many runs, by the ratios within each pair."""
    if len(a) != len(b) or not len(a):
        raise ValueError(f"{len(a)} and {len(b)} runs: expected as many of both")
    ratios = np.asarray(b, float) / np.asarray(a, float)
    drawn = np.random.default_rng(seed).integers(0, len(ratios), (DRAWS, len(ratios)))
    medians = np.median(ratios[drawn], axis=1)
    low, high = np.quantile(medians, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Change(float(np.median(ratios)), float(low), float(high))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Write a table: the first row is the head, the first column is on the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(len(line) for line in lines))
    return "\n".join(lines)
