# SPDX-License-Identifier: MIT
"""The fast path, and lookups, in a tight loop without NICs: perf/loop's programs, asked by lines.

with Loop(Bed(gateways=1)) as loop:
    to = loop.file("to", np.array([0x01020304]))
    print(loop.run(Case(burst=64, complex=10), to).per_packet())
"""

import json
import re
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
ROUND = 1 << 18  # lookups, of ROUND_LOOKUPS
PIPELINE = "pipeline"
LOOP, LOOKUPS = "fast_path_loop", "lookups"
STRUCTURES = Path(__file__).resolve().parents[1] / "core" / "tables"


def program(name: str) -> Path:
    """Return a program; FileNotFoundError where it is not built."""
    with as_file(files("twinroute.perf") / name) as path:
        return path.resolve(strict=True)


class Program:
    """A program at work. It ends with the `with` that it is made for."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it."""
        self._folder = TemporaryDirectory()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        """Return the program."""
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

    def file(self, name: str, values: npt.ArrayLike) -> str:
        """Hand numbers of 32 bits over, in a file whose path is returned."""
        path = Path(self._folder.name) / name
        path.write_bytes(np.ascontiguousarray(values, np.uint32).tobytes())
        return str(path)

    def routes(self, table: RouteTable | None) -> str:
        """Hand a table over. Returns the word for it."""
        if table is None or not len(table):
            return ""
        rows = np.stack([table.prefixes, table.bits.astype(np.uint32)], axis=1)
        return f" routes={self.file('routes', rows)}"

    def ask(self, line: str) -> Any:
        """Send a line and return what the answer says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"no answer to: {line}")
        return json.loads(answer)


# --- the fast path --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bed:
    """What a router is made from, beside its routes."""

    gateways: int = 16  # that the routes take in turn
    paths: int = 1  # gateways of each route
    rules: int = 0  # of the packet filter; no packet meets one
    units: int = 1
    compact: int = 0  # 1: look up in the compressed structure
    vector: str = ""  # variant of the inner loops; "": the fastest that this CPU can run


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
    cycles: dict[str, int]  # of a block, by place: the pipeline, or each step

    def per_packet(self, place: str = PIPELINE) -> float:
        """Cycles of the time stamp counter for a packet."""
        return self.cycles[place] / BLOCK


def words(item: Bed | Case) -> str:
    """Write a bed or a case as the program reads it."""
    return " ".join(f"{field.name}={getattr(item, field.name)}" for field in fields(item))


class Loop(Program):
    """The fast path in a loop."""

    def __init__(
        self,
        bed: Bed,
        table: RouteTable | None = None,
        *,
        command: Sequence[str] = (),
        path: Path | None = None,
    ) -> None:
        """Start it. command: what it is run by, valgrind for example; path: another build's."""
        super().__init__([*command, str(path or program(LOOP))])
        answer = self.ask(words(bed) + self.routes(table))
        self.compiler: str = answer["compiler"]
        self.hz: float = answer["hz"]  # of the time stamp counter

    def run_units(
        self, case: Case, destinations: str, *, blocks: int = 64, count: bool = False
    ) -> list[Result]:
        """Run a case on each unit at the same time. count: callgrind counts."""
        line = f"{words(case)} destinations={destinations} blocks={blocks} count={int(count)}"
        return [Result(**answer) for answer in self.ask(line)]

    def run(self, case: Case, destinations: str, *, blocks: int = 64) -> Result:
        """Run a case on the one unit there is."""
        (result,) = self.run_units(case, destinations, blocks=blocks)
        return result


# --- lookups --------------------------------------------------------------------------------------


def structures() -> list[str]:
    """List what may name a lookup structure: all words in quotes of the core's tables.

    The program takes those that the core knows and this CPU can run.
    """
    text = "".join(path.read_text() for path in sorted(STRUCTURES.glob("*.c")))
    return list(dict.fromkeys(re.findall(r'"([a-z][a-z0-9_]*(?:/[a-z0-9_]+)?)"', text)))


class Lookups(Program):
    """The core's lookup structures next to DPDK's, on one table."""

    def __init__(self, table: RouteTable, *, fib: bool = True) -> None:
        """Start it and load the table. fib: with rte_fib, which takes the most memory."""
        super().__init__([str(program(LOOKUPS))])
        # rte_fib keeps 64 bytes a route beside its tables, in pages of a mempool.
        megabytes = 512 + 2 * (len(table) * 160 >> 20 if fib else 0)
        line = f"kinds={','.join(structures())} megabytes={megabytes} fib={int(fib)}"
        answer = self.ask(line + self.routes(table))
        self.hz: int = answer["hz"]
        self.bytes: dict[str, int] = answer["bytes"]  # that a lookup may read, of the core's

    def addresses(self, name: str, values: npt.NDArray[np.uint32]) -> str:
        """Hand addresses over, as often as a round needs them, in a file that is returned."""
        return self.file(name.replace(" ", "_"), np.resize(values, max(len(values), ROUND)))

    def race(
        self, destinations: str, *, batch: int = 64, rounds: int = 15
    ) -> dict[str, list[float]]:
        """Return cycles a lookup by structure, of rounds in turn."""
        found: dict[str, list[float]] = self.ask(
            f"destinations={destinations} batch={batch} rounds={rounds}"
        )
        return found
