# SPDX-License-Identifier: MIT
"""The command `twinroute`: its sub-commands, and what becomes of mistakes and interruptions."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import twinroute
from twinroute import check, control_commands, control_watch
from twinroute.config_errors import on_one_line
from twinroute.conformance import command as conformance
from twinroute.dpdk import doctor, run
from twinroute.errors import Failure, TwinrouteError

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DESCRIPTION = """\
A software router that you can prove: one C core, on a deterministic simulator and on DPDK.

A configuration (TOML) gives the ports with their addresses, and the routes. `check` tells whether
it is right, `sim` routes captures through it in virtual time, `demo` shows both at work. `run`
carries traffic on DPDK's devices; `show`, `route`, `capture` and more manage a router that runs."""

EPILOG = """\
examples:
  twinroute demo
  twinroute check router.toml
  twinroute sim router.toml --in p0=in.pcap --out out
  twinroute doctor router.toml
  twinroute run router.toml
  twinroute show ports
  twinroute COMMAND --help

exit status: 0 done, 1 ran but failed, 2 bad input or arguments, each problem a line on stderr"""


class Parser(argparse.ArgumentParser):
    """A parser, of a sub-command too, that does not hide that nobody reads its help."""

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        file = file or sys.stderr
        if message and file is not None:
            file.write(message)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit status.

    argv: arguments without the program's name; None: those of this process.
    """
    try:
        try:
            return _run(argv)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return EXIT_BROKEN_PIPE
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # rich's way to tell it
            return EXIT_BROKEN_PIPE
        raise
    except TwinrouteError as error:
        for line in str(error).splitlines():
            complain(line)
        return EXIT_BAD_INPUT
    except Failure as failure:
        complain(on_one_line(str(failure)))
        return EXIT_FAILED
    except OSError as error:  # a full disk, a folder that may not be written
        _forget_stdout()
        where = f"{error.filename}: " if error.filename else ""
        complain(on_one_line(f"{where}{error.strerror or error}"))
        return EXIT_FAILED


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    parser: argparse.ArgumentParser = Parser(
        prog="twinroute",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"twinroute {twinroute.__version__}")
    subparsers = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    check.add_parser(subparsers)
    for add_parser in _simulator_commands():
        add_parser(subparsers)
    conformance.add_parser(subparsers)
    doctor.add_parser(subparsers)
    run.add_parser(subparsers)
    control_commands.add_parsers(subparsers)
    control_watch.add_capture(subparsers)
    control_watch.add_trace(subparsers)
    control_commands.add_shell(subparsers)
    return parser


def complain(line: str) -> None:
    """Write a line to stderr as a problem.

    line: what is wrong, without a newline.
    """
    with suppress(OSError):  # nobody reads it
        print(f"twinroute: error: {line}", file=sys.stderr)


def _run(argv: list[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # names from a file print on any terminal
    parser = make_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as end:  # argparse has printed help, version or usage
        return end.code if isinstance(end.code, int) else EXIT_BAD_INPUT
    if args.command is None:
        parser.print_help(sys.stderr)
        return EXIT_BAD_INPUT
    handler: Callable[[argparse.Namespace], int] = args.handler
    return handler(args)


def _simulator_commands() -> list[Callable[..., object]]:
    """Return what adds `sim` and `demo`; where the simulator is not built they say so."""
    try:
        from twinroute.sim import command, demo
    except ImportError as error:
        reason = on_one_line(str(error))
        return [partial(_add_absent, name, reason) for name in ("sim", "demo")]
    return [command.add_parser, demo.add_parser]


def _add_absent(name: str, reason: str, subparsers: "Subparsers") -> None:
    def refuse(args: argparse.Namespace) -> int:
        raise TwinrouteError(f"{name}: the simulator is not built here: {reason}")

    text = f"The simulator is not built here: {reason}"
    parser = subparsers.add_parser(name, help="(the simulator is not built here)", description=text)
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    parser.set_defaults(handler=refuse)


def _forget_stdout() -> None:
    """Let the interpreter's last flush go nowhere."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        sys.stdout = None
