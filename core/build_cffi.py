# SPDX-License-Identifier: MIT
"""Write the C source of a backend's Python extension; meson runs this at build time.

    build_cffi.py MODULE OUTPUT FILE...

Each FILE.h is included by the generated C and read by cffi. A FILE.cdef is read by cffi only: it
holds `extern "Python" ...;` declarations, the functions that C calls and Python supplies.

cffi has no preprocessor. Directives are dropped, except `#define NAME <number>`, which cffi needs
for array sizes and offers to Python as a constant.
"""

import re
import sys
from contextlib import redirect_stdout
from pathlib import Path

from cffi import FFI

# A directive, with the lines that a trailing backslash joins to it.
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$", re.MULTILINE)
NUMBER = re.compile(r"\s*#\s*define\s+\w+\s+-?(0[xX][0-9a-fA-F]+|\d+)[uUlL]*\s*(//.*)?")


def readable_by_cffi(text: str) -> str:
    """Drop every directive but integer macros, keeping the line numbers for cffi's messages."""

    def keep_numbers(match: re.Match[str]) -> str:
        directive = match.group()
        return directive if NUMBER.fullmatch(directive) else "\n" * directive.count("\n")

    return DIRECTIVE.sub(keep_numbers, text)


def main(module: str, output: str, *files: str) -> None:
    """Generate `output`, the C source of the extension `module`, from headers and cdefs."""
    ffi = FFI()
    paths = [Path(name) for name in files]
    for path in paths:
        ffi.cdef(readable_by_cffi(path.read_text(encoding="utf-8")))
    includes = [f'#include "{path.name}"' for path in paths if path.suffix == ".h"]
    ffi.set_source(module, "\n".join(includes))
    with redirect_stdout(None):  # it reports success, which ninja would show
        ffi.emit_c_code(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
