# SPDX-License-Identifier: MIT
"""The project keeps its rules of style. What a rule means stands in rules.py."""

import importlib.util
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.style import rules

pytestmark = pytest.mark.no_sanitizer

ROOT = Path(__file__).parents[2]
BACKENDS = ("sim_backend/", "dpdk_backend/")
PACKAGE = ("core/", *BACKENDS, "conformance/", "perf/")


def project_files() -> list[str]:
    """All files of the project: those that git tracks, and those that it would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted({name for name in names.split("\0") if name and (ROOT / name).is_file()})


FILES = project_files()
HEADERS = [name for name in FILES if name.endswith(".h")]
C = [name for name in FILES if name.endswith((".c", ".h"))]
PYTHON = [name for name in FILES if name.endswith(".py")]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def below(folders: str | tuple[str, ...], names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(folders)]


def check(rule: Callable[[str], rules.Offences], names: Iterable[str]) -> None:
    found = [f"{name}:{line}: {what}" for name in names for line, what in rule(read(name))]
    assert not found, "\n".join(["", *found])


def test_there_are_files():
    assert HEADERS
    assert PYTHON
    assert below("core/", C)


def test_any_file_leaves_nothing_for_later():
    check(rules.no_marks, C + PYTHON)


def test_any_file_names_no_place_outside():
    check(rules.no_machine, FILES)


def test_any_file_is_short():
    check(rules.short_file, C + PYTHON)


def test_c_licence():
    check(rules.c_licence, C)


def test_c_opening():
    check(rules.c_opening, C)


def test_c_tabs():
    check(rules.c_tabs, C)


def test_c_columns():
    check(rules.c_columns, C)


def test_c_short_functions():
    check(rules.c_short_functions, C)


def test_c_no_block_comments():
    check(rules.c_no_block_comments, C)


def test_c_typedefs():
    check(rules.c_typedefs, C)


def test_c_once():
    check(rules.c_once, HEADERS)


def test_c_backend_conditions():
    check(rules.c_backend_conditions, below("core/", C))


@pytest.mark.parametrize("extension", ["sim._sim", "dpdk._dpdk"])
def test_c_symbols(extension: str):
    spec = importlib.util.find_spec(f"twinroute.{extension}")
    if extension == "dpdk._dpdk" and spec is None:
        pytest.skip("the DPDK backend is not built here")
    assert spec is not None
    assert spec.origin is not None
    command = ["nm", "--extern-only", "--defined-only", spec.origin]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert f"PyInit_{extension.split('.')[1]}" in found
    offenders = [what for _, what in rules.symbols(found)]
    assert not offenders, "\n".join(["", *offenders])


def test_py_licence():
    check(rules.py_licence, PYTHON)


def test_py_short_functions():
    check(rules.py_short_functions, PYTHON)


def test_py_docstrings():
    check(rules.py_docstrings, below(PACKAGE, PYTHON))


def test_py_no_extension_outside_the_backends():
    outside = set(below(PACKAGE, PYTHON)) - set(below(BACKENDS, PYTHON))
    check(rules.py_no_extension, sorted(outside))


def test_py_no_scapy_in_the_router():
    check(rules.py_no_scapy, below(("core/", *BACKENDS), PYTHON))


def test_py_no_sleep_in_tests():
    check(rules.py_no_sleep, below("tests/", PYTHON))


@pytest.mark.parametrize("folder", [name for name in PACKAGE if (ROOT / name).is_dir()])
def test_meson_lists_every_file(folder: str):
    # Examples are run from the source tree, and not installed.
    inside = [name.removeprefix(folder) for name in below(folder, FILES)]
    names = [
        name
        for name in inside
        if name.endswith((".c", ".py", ".toml")) and not name.startswith("examples/")
    ]
    build = f"{folder}meson.build"
    check(lambda text: rules.listed(text, names), [build])
