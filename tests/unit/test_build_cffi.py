# SPDX-License-Identifier: MIT
"""The generator of the Python extension reads a header as cffi must see it."""

import pytest

from core.build_cffi import readable_by_cffi

pytestmark = pytest.mark.no_sanitizer


@pytest.mark.parametrize("line", ["#define N 64", "#define N 0xffff", "# define N -1 // why"])
def test_integer_macros_stay(line: str):
    assert readable_by_cffi(f"{line}\nint x;\n") == f"{line}\nint x;\n"


@pytest.mark.parametrize("line", ["#pragma once", "#include <stdint.h>", "#define N (1 << 6)"])
def test_other_directives_go_and_lines_keep_their_numbers(line: str):
    assert readable_by_cffi(f"int a;\n{line}\nint b;\n") == "int a;\n\nint b;\n"


def test_a_directive_of_several_lines_goes_whole():
    assert readable_by_cffi("#define F(x) \\\n\tg(x) \\\n\th(x)\nint b;\n") == "\n\n\nint b;\n"
