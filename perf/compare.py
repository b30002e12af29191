# SPDX-License-Identifier: MIT
"""`make bench-compare A=COMMIT B=COMMIT`: is the fast path of B faster than that of A?

Each commit is put into a worktree of its own and its core built with the loop of this tree
(perf/loop), so that both are measured by the same means. A commit whose core does not fit this
tree's loop can not be compared. Then all cases run in sessions: new processes of both, as where a
process has its memory makes a difference of some percent, and in them rounds, A and B by turns.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from twinroute.perf import samples
from twinroute.perf.loop import LOOP, PIPELINE
from twinroute.perf.selection import Field, Setup, Tables, setups

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3  # of a session
SETUP = ("-Dbuildtype=custom", "-Doptimization=3", "-Ddebug=true", "-Ddpdk=disabled")


def run(command: list[str], folder: Path = ROOT) -> str:
    """Run a command; what it says is told if it fails."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def build(commit: str, folder: Path) -> Path:
    """Build the loop with the core of a commit. Returns the program."""
    tree = folder / "tree"
    run(["git", "worktree", "add", "--quiet", "--detach", str(tree), commit])
    shutil.rmtree(tree / "perf", ignore_errors=True)
    shutil.copytree(ROOT / "perf", tree / "perf")
    run(["meson", "setup", str(folder / "build"), *SETUP], tree)
    run(["ninja", "--quiet", "-C", str(folder / "build"), f"perf/{LOOP}"], tree)
    return folder / "build" / "perf" / LOOP


def measure(
    selected: dict[str, Setup], tables: Tables, builds: dict[str, Path | None], sessions: int
) -> dict[str, dict[str, list[float]]]:
    """Run all cases. Returns, by build and case, the median of each session."""
    found: dict[str, dict[str, list[float]]] = {
        label: {name: [] for name in selected} for label in builds
    }
    for _ in range(sessions):
        with Field(selected, tables, builds) as field:
            rounds = field.rounds(ROUNDS, [PIPELINE])
        for label, cases in rounds.items():
            for name, places in cases.items():
                found[label][name].append(statistics.median(places[PIPELINE]))
    return found


def compare(a: str, b: str, selected: dict[str, Setup], sessions: int, tables: Tables) -> str:
    """Build and measure both. Returns a table, and writes the numbers to out/bench."""
    with TemporaryDirectory() as folder:
        builds: dict[str, Path | None] = {}
        try:
            for label, commit in (("A", a), ("B", b)):
                (Path(folder) / label).mkdir()
                builds[label] = build(commit, Path(folder) / label)
            found = measure(selected, tables, builds, sessions)
        finally:
            for label in ("A", "B"):
                tree = Path(folder) / label / "tree"
                if tree.exists():
                    run(["git", "worktree", "remove", "--force", str(tree)])
    rows = [["cycles a packet", f"A {a}", f"B {b}", "B/A", "99 % from", "to", ""]]
    for name in selected:
        before, after = found["A"][name], found["B"][name]
        change = samples.compare(before, after)
        numbers = [f"{statistics.median(series):.1f}" for series in (before, after)]
        interval = [f"{change.ratio:.3f}", f"{change.low:.3f}", f"{change.high:.3f}"]
        rows.append([name, *numbers, *interval, change.verdict])
    out = ROOT / "out" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    (out / "compare.json").write_text(json.dumps({"a": a, "b": b, "sessions": found}, indent=1))
    return samples.table(rows)


def main(words: list[str] | None = None) -> int:
    """Run it as a command."""
    parser = argparse.ArgumentParser(prog="twinroute.perf.compare", description=__doc__)
    parser.add_argument("a", help="a commit")
    parser.add_argument("b", help="another one")
    parser.add_argument("--sessions", type=int, default=9)
    parser.add_argument("--cases", default="", help="only those with this in their names")
    parser.add_argument("--rib", type=Path, help="a real routing table, one prefix a line")
    given = parser.parse_args(words)
    selected = {name: setup for name, setup in setups().items() if given.cases in name}
    if not selected or given.sessions < 1:
        parser.error("no such cases, or no session")
    names = []
    for name in (given.a, given.b):
        commit = run(["git", "rev-parse", "--short", f"{name}^{{commit}}"])
        names.append(commit)
    print(compare(names[0], names[1], selected, given.sessions, Tables(given.rib)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
