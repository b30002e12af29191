# SPDX-License-Identifier: MIT
"""What a long measurement is at, on stderr: a line that changes on a terminal, else lines."""

import sys
from typing import TextIO


class Progress:
    """Tells the steps of a piece of work."""

    def __init__(self, what: str, total: int, out: TextIO | None = None) -> None:
        """total: number of steps."""
        self._what, self._total, self._out = what, total, out or sys.stderr
        self._done = 0

    def step(self, text: str) -> None:
        """Tell of the next step, which begins now."""
        self._done += 1
        line = f"{self._what}, {self._done} of {self._total}: {text}"
        if self._out.isatty():
            end = "\n" if self._done == self._total else ""
            print(f"\r\x1b[K{line}", end=end, file=self._out, flush=True)
        else:
            print(line, file=self._out, flush=True)
