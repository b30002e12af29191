# SPDX-License-Identifier: MIT
"""Each rule of style finds an offence, and accepts what is right: no check of style is vacuous."""

import inspect

import pytest

from tests.style import rules

pytestmark = pytest.mark.no_sanitizer

C_OPENING = f"// {rules.LICENCE}\n// Where the packet goes.\n// And why.\n"
LONG = "\n" * rules.FUNCTION_LINES_MAX
LONG_PY = "    x = 1\n" * rules.FUNCTION_LINES_MAX

# rule: what it must refuse, what it must accept
SAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "no_marks": (["// TOD" + "O: later", "x  # XX" + "X"], ["mkstemp(XXXXXX)", "todos"]),
    "no_machine": (
        ["see /wor" + "k/notes", "open('../share" + "d/x')", "https://pyp" + "i.org/simple"],
        ["network/peer", "the shared FIB"],
    ),
    "short_file": (["x\n" * (rules.FILE_LINES_MAX + 1)], ["x\n" * rules.FILE_LINES_MAX]),
    "c_licence": (["", "// licence\n", f"\n// {rules.LICENCE}\n"], [C_OPENING]),
    "c_opening": (
        [f"// {rules.LICENCE}\n// One line.\nint x;\n", C_OPENING + "// more\n" * 9],
        [C_OPENING, C_OPENING + "// more\n" * 8],
    ),
    "c_tabs": (["    return;", " \treturn;"], ["\treturn;", "int x; // why", ""]),
    "c_columns": (["x" * 101, "\t" * 12 + "12345"], ["x" * 100, "\t" * 12 + "1234"]),
    "c_short_functions": (
        ["int f(void)\n{" + LONG + "}\n", "struct s {\n};\nint f(void)\n{" + LONG + "}\n"],
        ["int f(void)\n{" + LONG[1:] + "}\n", "struct s {" + LONG + "};\n"],
    ),
    "c_no_block_comments": (
        ["/* no */", 'f("a"); /* no */', "/*\n * no\n */"],
        ["// fast_path/*.c", 'glob("core/*.c");', "int x = a / *b;"],
    ),
    "c_typedefs": (
        ["typedef int number;", "typedef struct {\n\tint (*f)(void);\n} s;"],
        ["typedef int (*handler)(void *);", "typedef void\n\t(*handler)(void *user);"],
    ),
    "c_once": (["#ifndef A\n", "// #pragma once\n"], ["// a\n#pragma once\n"]),
    "c_backend_conditions": (
        ["#ifdef TR_DPDK", "# if defined(SIM)", "#elif RTE_VERSION > 3", "#ifndef WITH_SIM_CLOCK"],
        ["#ifdef __AVX2__", "#if TR_SIMD", "#define SIM 1", "// if DPDK"],
    ),
    "py_licence": (["", '"""Doc."""\n'], [f"# {rules.LICENCE}\n"]),
    "py_short_functions": (
        ["def f():\n" + LONG_PY, "class C:\n  async def f():\n" + LONG_PY],
        ["def f():\n" + LONG_PY.replace("    x = 1\n", "", 1)],
    ),
    "py_docstrings": (
        [
            "x = 1",
            '"""M."""\ndef f(): ...',
            '"""M."""\nclass C: ...',
            '"""M."""\nclass C:\n    """C."""\n    def f(self): ...',
        ],
        [
            '"""M."""\ndef _f(): ...',
            '"""M."""\ndef f():\n    """F."""',
            '"""M."""\nclass _C:\n    def f(self): ...',
            '"""M."""\n@x.setter\ndef x(): ...\n@overload\ndef y(): ...',
        ],
    ),
    "py_no_extension": (
        [
            "import twinroute.sim._sim",
            "from twinroute.sim._sim import lib",
            "from twinroute.sim import _sim",
            "def f():\n    from twinroute.dpdk._dpdk import ffi",
        ],
        ["from twinroute.sim import Bench", "import simulation"],
    ),
    "py_no_scapy": (
        ["import scapy", "import scapy.all as s", "from scapy.layers.inet import IP"],
        ["from tests import scapy_frames"],
    ),
    "py_no_sleep": (
        ["import time\ntime.sleep(1)", "sleep(0.1)", "async def f():\n    await asyncio.sleep(1)"],
        ["bench.run(us=5)", "# sleep(1)", "asleep()"],
    ),
    "symbols": (
        ["0001 T tr_poll\n0002 T poll", "0003 B counter"],
        ["0001 T tr_poll\n0002 T PyInit__sim\n"],
    ),
}


def test_every_rule_has_samples():
    members = inspect.getmembers(rules, inspect.isfunction)
    assert {name for name, _ in members} - {"matches", "imports", "listed"} == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_rule_refuses(name: str):
    accepted = [text for text in SAMPLES[name][0] if not list(getattr(rules, name)(text))]
    assert accepted == []


@pytest.mark.parametrize("name", SAMPLES)
def test_rule_accepts(name: str):
    refused = [found for text in SAMPLES[name][1] if (found := list(getattr(rules, name)(text)))]
    assert refused == []


def test_listed():
    build = "files(\n  'a.c',\n  # 'b.c',\n)"
    assert list(rules.listed(build, ["a.c"])) == []
    assert list(rules.listed(build, ["a.c", "b.c", "sub/a.c"])) == [
        (1, "does not list b.c"),
        (1, "does not list sub/a.c"),
    ]


def test_line_numbers():
    assert list(rules.c_tabs("int f(void)\n{\n  return;\n}\n")) == [
        (3, "indented by spaces: return;")
    ]
    assert [line for line, _ in rules.c_typedefs("int a;\n\ntypedef int b;\n")] == [3]
