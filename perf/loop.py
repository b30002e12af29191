# SPDX-License-Identifier: MIT
"""The fast path in a tight loop, without NICs (perf/loop): a program that is asked by lines.

with Loop(Bed(routes=100_000)) as loop:
    print(loop.run(Case(burst=64, complex=10)).cycles)
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from twinroute.perf.tables import RouteTable

BLOCK = 1024  # packets, of LOOP_BLOCK
PIPELINE = "pipeline"


@dataclass(frozen=True)
class Bed:
    """What a router is made from, beside its routes."""

    gateways: int = 16  # that the routes take in turn
    paths: int = 1  # gateways of each route
    rules: int = 0  # of the packet filter; no packet meets one
    units: int = 1


@dataclass(frozen=True)
class Case:
    """What the packets are like and how they are taken."""

    burst: int = 64
    size: str = "small"  # or imix
    complex: int = 0  # percent that leave the fast path, by TTL and by IP options
    checksum: str = "nic"  # who verifies it, or software
    scatter: str = "drop_out"  # or masks, or split
    measure: str = PIPELINE  # or steps


@dataclass(frozen=True)
class Result:
    """What one unit did."""

    packets: int
    sent: int
    punted: int
    dropped: int
    cycles: dict[str, int]  # by place: the pipeline, or each step

    def per_packet(self, place: str = PIPELINE) -> float:
        """Cycles of the time stamp counter for a packet."""
        return self.cycles[place] / self.packets


def program() -> Path:
    """Return the program."""
    with as_file(files("twinroute.perf") / "fast_path_loop") as path:
        return path.resolve(strict=True)


def words(item: Bed | Case) -> str:
    """Write a bed or a case as the program reads it."""
    return " ".join(f"{field.name}={getattr(item, field.name)}" for field in fields(item))


class Loop:
    """The program at work. It ends with the `with` that it is made for."""

    def __init__(
        self, bed: Bed, table: RouteTable | None = None, *, command: Sequence[str] = ()
    ) -> None:
        """Start it. command: what it is run by, valgrind for example."""
        self._folder = TemporaryDirectory()
        self._process = subprocess.Popen(
            [*command, str(program())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = words(bed)
        if table is not None and len(table):
            rows = np.stack([table.prefixes, table.bits.astype(np.uint32)], axis=1)
            line += f" routes={self._file('routes', rows)}"
        self.compiler = str(self._ask(line)["compiler"])

    def __enter__(self) -> Self:
        """Return the loop."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self._process.communicate()
        self._folder.cleanup()

    def _file(self, name: str, values: npt.NDArray[np.uint32]) -> Path:
        path = Path(self._folder.name) / name
        path.write_bytes(np.ascontiguousarray(values, np.uint32).tobytes())
        return path

    def _ask(self, line: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the loop ended at: {line}")
        return json.loads(answer)

    def destinations(self, name: str, addresses: npt.NDArray[np.uint32]) -> str:
        """Hand over destinations, to be used under the name that is returned."""
        return str(self._file(name, addresses))

    def run_units(
        self, case: Case, destinations: str, *, blocks: int = 64, count: bool = False
    ) -> list[Result]:
        """Run a case on each unit at the same time. count: callgrind counts."""
        line = f"{words(case)} destinations={destinations} blocks={blocks} count={int(count)}"
        return [Result(**answer) for answer in self._ask(line)]

    def run(self, case: Case, destinations: str, *, blocks: int = 64) -> Result:
        """Run a case on the one unit there is."""
        (result,) = self.run_units(case, destinations, blocks=blocks)
        return result
