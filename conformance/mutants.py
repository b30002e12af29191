# SPDX-License-Identifier: MIT
"""Mutants: the core with one rule broken, to see that the case of that rule notices.

mutants/*.toml says what to replace where, which requirement that breaks, and the case that must
kill it. The source tree is copied to build/mutants and compiled there without optimization; after
that each mutant costs one C file, one link, and one run of its case.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twinroute.errors import Failure, InputError

FILES = Path(__file__).parent / "mutants"
SOURCES = (
    "core",
    "sim_backend",
    "dpdk_backend",
    "conformance",
    "perf",
    "tests/fuzz",
    "tests/threads",
)
TOP = ("meson.build", "meson.options", "pyproject.toml")
DATA_FOLDERS = ("profiles", "examples")
TIMEOUT_S = 120
MESON_OPTIONS = ("-Doptimization=1", "-Ddebug=false", "-Dwerror=false")
KILLED, SURVIVED = "killed", "survived"
SCRIPT = "import sys; from twinroute.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Mutant:
    """A rule that is broken: `old` stands once in `file`, and is replaced by `new`."""

    name: str
    id: str
    case: str
    text: str
    file: str
    old: str
    new: str


def all_mutants() -> list[Mutant]:
    """Read every mutant, by file and name."""
    found = []
    for path in sorted(FILES.glob("*.toml")):
        for table in tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", []):
            found.append(Mutant(**table))
    return found


def source_tree() -> Path:
    """Return the source tree that this package is run from. Raises InputError."""
    root = Path(__file__).resolve().parents[1]
    if not all((root / name).exists() for name in (*TOP, "core/api.h")):
        raise InputError("--mutants: expected to be run from the source tree, in its .venv")
    return root


def mutated(mutant: Mutant, text: str) -> str:
    """Return the text of the mutant's file with the rule broken. Raises Failure."""
    count = text.count(mutant.old)
    if count != 1:
        raise Failure(
            f"mutant {mutant.name}: {mutant.file}: expected once, found {count} times: {mutant.old}"
        )
    return text.replace(mutant.old, mutant.new)


class Workshop:
    """A copy of the source tree in which mutants are made and tried, kept warm from run to run."""

    def __init__(self, root: Path, folder: Path | None = None) -> None:
        """Copy what has changed, compile it, and lay the package out."""
        self.root = root
        folder = folder or root / "build" / "mutants"
        self.tree, self.objects, self.site = (folder / name for name in ("tree", "obj", "site"))
        self._copy()
        if not (self.objects / "build.ninja").exists():
            self._do("meson", "setup", str(self.objects), str(self.tree), *MESON_OPTIONS)
        self.extension = f"sim_backend/_sim{sysconfig.get_config_var('EXT_SUFFIX')}"
        self.compile()
        self._lay_out()

    def try_out(self, mutant: Mutant) -> dict[str, Any]:
        """Make a mutant and run its case on it; return how that went."""
        path = self.tree / mutant.file
        original = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutated(mutant, original), encoding="utf-8")
            try:
                self.compile()
            except Failure as failure:
                raise Failure(f"mutant {mutant.name}: {failure}") from None
            result = self.run_case(mutant.case)
        finally:
            path.write_text(original, encoding="utf-8")
        return {**asdict(mutant), **result}

    def run_case(self, name: str) -> dict[str, Any]:
        """Run a case on what is compiled now."""
        libraries = sysconfig.get_path("purelib")
        # -S: no .pth files, one of which would import the build that is installed.
        environment = {**os.environ, "PYTHONPATH": f"{self.site}:{libraries}"}
        argv = [sys.executable, "-S", "-c", SCRIPT, "conformance", "--case", name, "--first"]
        try:
            done = subprocess.run(
                argv, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            return {"result": KILLED, "how": "the case does not end"}
        if done.returncode == 0:
            return {"result": SURVIVED, "how": "the case passes"}
        lines = [line.strip() for line in done.stdout.splitlines()]
        if done.returncode == 1:
            return {"result": KILLED, "how": " ".join(lines[:2])}
        if done.returncode < 0:
            return {"result": KILLED, "how": f"the router ends by signal {-done.returncode}"}
        raise Failure(f"case {name}: {done.stderr.strip()}")

    def compile(self) -> None:
        """Compile what has changed. Raises Failure."""
        self._do("ninja", "-C", str(self.objects), self.extension)

    def _do(self, *argv: str) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
        environment = {**os.environ, "PATH": path, "CC": "gcc"}
        program = shutil.which(argv[0], path=path) or argv[0]
        done = subprocess.run([program, *argv[1:]], env=environment, capture_output=True, text=True)
        if done.returncode:
            lines = [line for line in done.stdout.splitlines() if "error" in line.lower()]
            raise Failure(f"{argv[0]}: {' '.join(lines[:3]) or done.stderr.strip()}")

    def _copy(self) -> None:
        """Bring the copy up to date; what is the same keeps its time, and is not compiled again."""
        wanted = {Path(name) for name in TOP}
        for folder in SOURCES:
            wanted |= {
                path.relative_to(self.root)
                for path in (self.root / folder).rglob("*")
                if path.is_file() and "__pycache__" not in path.parts
            }
        for path in sorted(wanted):
            copy, original = self.tree / path, self.root / path
            if not copy.exists() or copy.read_bytes() != original.read_bytes():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(original, copy)
        for path in [path for path in self.tree.rglob("*") if path.is_file()]:
            if path.relative_to(self.tree) not in wanted:
                path.unlink()

    def _lay_out(self) -> None:
        """Make the package of links: the folders as they are called when installed."""
        shutil.rmtree(self.site, ignore_errors=True)
        package = self.site / "twinroute"
        for folder, name in (("core", ""), ("sim_backend", "sim"), ("dpdk_backend", "dpdk")):
            (package / name).mkdir(parents=True, exist_ok=True)
            for path in (self.tree / folder).iterdir():
                if path.suffix == ".py" or (
                    path.is_dir() and path.name in ("profiles", "examples")
                ):
                    (package / name / path.name).symlink_to(path)
        (package / "conformance").symlink_to(self.tree / "conformance")
        built = self.objects / self.extension
        (package / "sim" / built.name).symlink_to(built)


def try_all(
    mutants: Iterable[Mutant], told: Callable[[dict[str, Any]], None] = lambda result: None
) -> dict[str, Any]:
    """Try mutants; return the kill rate and how each went. Raises Failure.

    First every case that has to kill one must pass on the core as it is.
    """
    mutants = list(mutants)
    workshop = Workshop(source_tree())
    for name in dict.fromkeys(mutant.case for mutant in mutants):
        unbroken = workshop.run_case(name)
        if unbroken["result"] != SURVIVED:
            raise Failure(f"case {name} fails without a mutant: {unbroken['how']}")
    results = []
    for mutant in mutants:
        result = workshop.try_out(mutant)
        told(result)
        results.append(result)
    killed = sum(one["result"] == KILLED for one in results)
    return {"killed": killed, "of": len(results), "mutants": results}
