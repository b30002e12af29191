# SPDX-License-Identifier: MIT
"""The command `twinroute demo`: the example capture through the example router."""

import argparse
import os
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from twinroute.config import load_config
from twinroute.sim.command import check_out, run
from twinroute.sim.replay import Replay, parse_inputs

CONFIG, CAPTURE, PORT, PROFILE = "two_ports.toml", "office.pcapng", "p0", "default"

DESCRIPTION = """\
Route the example capture, half a minute of a small office, through the example router of two ports,
and show what became of it. The first lines are the `twinroute sim` command that does the same."""

EPILOG = """\
example:
  twinroute demo --out out/demo
  tcpdump -nr out/demo/p1.pcap | head

exit status: 0 done, 1 ran but failed, 2 bad input"""


def add_parser(subparsers: Any) -> None:
    """Add `demo` to the sub-commands of argparse."""
    parser = subparsers.add_parser(
        "demo",
        help="route the example capture through the example router",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="out/demo",
        help="folder for the results (default: out/demo)",
    )
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Run `twinroute demo`; return the exit code."""
    folder = files("twinroute.sim").joinpath("examples")
    with as_file(folder.joinpath(CONFIG)) as config, as_file(folder.joinpath(CAPTURE)) as capture:
        return _demo(config, capture, Path(args.out))


def _demo(config_path: Path, capture: Path, out: Path) -> int:
    """Route the capture, after the command that does the same."""
    config_path, capture = _short(config_path), _short(capture)
    config = load_config(config_path)
    inputs = parse_inputs([f"{PORT}={capture}"], config, skip_long=False)
    check_out(out, list(config.ports), [str(capture)])
    print("This is what the following command does:")
    print(f"  twinroute sim {config_path} --in {PORT}={capture} --profile {PROFILE} --out {out}")
    job = Replay(config=config, inputs=inputs, seed=config.sim.seed, profile=PROFILE)
    return run(job, out)


def _short(path: Path) -> Path:
    """Name a file as seen from the current folder, where it is below it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else Path(relative)
