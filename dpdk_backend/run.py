# SPDX-License-Identifier: MIT
"""`twinroute run`: a router on DPDK, until it is told to end."""

import argparse
from importlib import import_module
from typing import TYPE_CHECKING

from twinroute.config import load_config
from twinroute.config_errors import on_one_line
from twinroute.errors import Failure

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DESCRIPTION = """\
Run a router on the devices of its configuration, in the foreground. It says on stderr when it is
ready, and tells systemd if that has started it. SIGTERM or Ctrl-C: it sends what it holds, stops,
and leaves nothing behind. SIGHUP: it reads its configuration again, as `twinroute config reload`.

It writes who has changed what, and which packets were dropped, as [log] in the configuration says.

`twinroute show`, `route`, `capture`, `trace` and `shell` manage it from another terminal."""

EPILOG = """\
example:
  twinroute check router.toml && twinroute doctor router.toml
  twinroute run router.toml

[dpdk] in the configuration has devices, memory and cores, [control] the control socket (by default
/run/twinroute/NAME.sock), and [metrics] with listen = "127.0.0.1:9600" serves Prometheus.

exit status: 0 ended as told, 1 DPDK is missing or the router has failed, 2 bad configuration or
a device, a socket or memory that cannot be had"""


def add_parser(subparsers: "Subparsers") -> None:
    """Add `run` to the command line."""
    parser = subparsers.add_parser(
        "run",
        help="run a router on DPDK",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG", help="configuration file (TOML)")
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Run the router of `args.config`; return the exit status."""
    config = load_config(args.config)
    try:
        import_module("twinroute.dpdk._dpdk")
    except ImportError as error:
        reason = on_one_line(str(error))
        raise Failure(
            f"run: DPDK is missing: {reason} (on Debian: apt install libdpdk-dev, build again)"
        ) from None
    from twinroute.dpdk.target import EngineTarget
    from twinroute.service import serve

    return serve(config, EngineTarget)
