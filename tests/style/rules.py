# SPDX-License-Identifier: MIT
"""The rules of style that a machine can check.

A rule takes the text of a file (or what the last few rules say) and yields its offences, each a
line number and what is wrong there.
"""

import ast
import re
from collections.abc import Iterable, Iterator

Offences = Iterator[tuple[int, str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef

COLUMNS_MAX = 100
FILE_LINES_MAX = 399
FUNCTION_LINES_MAX = 69
LICENCE = "SPDX-License-Identifier: MIT"
EXTENSIONS = {"_sim", "_dpdk"}

# The brackets keep this file from offending.
MARKS = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b")
MACHINE = re.compile(
    r"(?<!\w)/wor[k]/|\.\./share[d]\b|/opt/(pyp[i]|wheel[s])|\b(pyp[i]|pythonhoste[d])\.org"
    r"|\bdebia[n]\.org|\bcrate[s]\.io|\bnpmj[s]\.org|\bgolan[g]\.org"
)
BACKEND_CONDITION = re.compile(r"\s*#\s*(el)?if.*\b(\w+_)?(DPDK|RTE|SIM)(_\w+)?\b", re.IGNORECASE)
STRING_OR_COMMENT = re.compile(r'"(\\.|[^"\\\n])*"|//[^\n]*')
TYPEDEF = re.compile(r"^\s*typedef\b[^;]*;", re.MULTILINE)


def matches(pattern: re.Pattern[str], text: str, what: str) -> Offences:
    """Yield one offence for each line in which `pattern` is found."""
    for number, line in enumerate(text.split("\n"), 1):
        if found := pattern.search(line):
            yield number, f"{what}: {found.group().strip()}"


# --- any file -------------------------------------------------------------------------------------


def no_marks(text: str) -> Offences:
    """Nothing is left for later in a comment."""
    return matches(MARKS, text, "left for later")


def no_machine(text: str) -> Offences:
    """No path or host of the machine that the file was written on."""
    return matches(MACHINE, text, "place outside the project")


def short_file(text: str) -> Offences:
    """A file is short."""
    lines = len(text.splitlines())
    if lines > FILE_LINES_MAX:
        yield lines, f"file of {lines} lines, at most {FILE_LINES_MAX}"


# --- C --------------------------------------------------------------------------------------------


def c_licence(text: str) -> Offences:
    """The licence is the first line."""
    if text.split("\n")[0] != f"// {LICENCE}":
        yield 1, f"first line is not // {LICENCE}"


def c_opening(text: str) -> Offences:
    """A comment of 2 to 10 lines follows the licence: the file's place in the packet's way."""
    lines = text.split("\n")[1:]
    comments = next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))
    if not 2 <= comments <= 10:
        yield 2, f"opening comment of {comments} lines, not 2 to 10"


def c_tabs(text: str) -> Offences:
    """Indentation starts with a tab; what follows it is for clang-format to judge."""
    return matches(re.compile(r"^ +\s*\S+"), text, "indented by spaces")


def c_columns(text: str) -> Offences:
    """A line fits the screen."""
    for number, line in enumerate(text.split("\n"), 1):
        if (columns := len(line.expandtabs(8))) > COLUMNS_MAX:
            yield number, f"{columns} columns, at most {COLUMNS_MAX}"


def c_short_functions(text: str) -> Offences:
    """A function is short. clang-format puts its braces, and no others, in column 0."""
    start = None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            if (lines := number - start + 1) > FUNCTION_LINES_MAX:
                yield start, f"function of {lines} lines, at most {FUNCTION_LINES_MAX}"
            start = None


def c_no_block_comments(text: str) -> Offences:
    """Comments are // sentences."""
    code = STRING_OR_COMMENT.sub("", text)
    return matches(re.compile(r"/\*.*"), code, "block comment")


def c_typedefs(text: str) -> Offences:
    """Only function pointers have a typedef."""
    for found in TYPEDEF.finditer(text):
        if not re.match(r"\s*typedef\b[^{;]*\(\*", found.group()):
            yield (
                text.count("\n", 0, found.end()) + 1,
                "typedef of something but a function pointer",
            )


def c_once(text: str) -> Offences:
    """A header has #pragma once."""
    if "#pragma once" not in text.split("\n"):
        yield 1, "no #pragma once"


def c_backend_conditions(text: str) -> Offences:
    """The include path picks the backend, no condition does."""
    return matches(BACKEND_CONDITION, text, "condition on a backend")


# --- Python ---------------------------------------------------------------------------------------


def py_licence(text: str) -> Offences:
    """The licence is the first line."""
    if text.split("\n")[0] != f"# {LICENCE}":
        yield 1, f"first line is not # {LICENCE}"


def py_short_functions(text: str) -> Offences:
    """A function is short."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name}: {lines} lines, at most {FUNCTION_LINES_MAX}"


def py_docstrings(text: str) -> Offences:
    """A module and all that is public in it have a docstring."""
    module = ast.parse(text)
    if not ast.get_docstring(module):
        yield 1, "module without docstring"
    scopes: list[ast.Module | ast.ClassDef] = [module]
    while scopes:
        for node in scopes.pop().body:
            if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
                continue
            # The setter of a property and a typing.overload share another one's.
            decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
            shared = decorators & {"overload", "typing.overload", f"{node.name}.setter"}
            if not shared and not ast.get_docstring(node):
                yield node.lineno, f"{node.name} without docstring"
            if isinstance(node, ast.ClassDef):
                scopes.append(node)


def imports(text: str) -> Offences:
    """Yield not an offence but every imported name, with its module."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def py_no_extension(text: str) -> Offences:
    """The C extensions are for the backend packages only."""
    for number, name in imports(text):
        if EXTENSIONS & set(name.split(".")):
            yield number, f"imports {name}"


def py_no_scapy(text: str) -> Offences:
    """Scapy is GPL-2: no part of the router uses it."""
    for number, name in imports(text):
        if name.split(".")[0] == "scapy":
            yield number, f"imports {name}"


def py_no_sleep(text: str) -> Offences:
    """Time is the simulator's; nobody waits for the wall clock."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sleep":
            yield node.lineno, "sleeps"


# --- other ----------------------------------------------------------------------------------------


def symbols(nm_output: str) -> Offences:
    """What `nm --extern-only` shows is ours, or Python's way into the extension."""
    for number, line in enumerate(nm_output.splitlines(), 1):
        name = line.split()[-1]
        if not name.startswith(("tr_", "PyInit_", "_cffi_")) and name not in ("_init", "_fini"):
            yield number, f"external symbol without tr_: {name}"


def listed(meson_build: str, files: Iterable[str]) -> Offences:
    """A folder's meson.build names each of its files."""
    quoted = set(re.findall(r"'([^']+)'", re.sub(r"#.*", "", meson_build)))
    for name in sorted(set(files) - quoted):
        yield 1, f"does not list {name}"
