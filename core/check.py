# SPDX-License-Identifier: MIT
"""`twinroute check`: tells whether a configuration is right, and what the router makes of it."""

import argparse
import json
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from twinroute.config import Config, Route, load_config
from twinroute.config_errors import on_one_line
from twinroute.errors import ConfigError, TwinrouteError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

ROUTES_SHOWN = 20

DESCRIPTION = """\
Check a configuration without running it, and show what it says: ports and addresses, routes, and
how the fast path batches. Route files are read whole, as the router would."""

EPILOG = """\
Each problem is a line on stderr that names the file, the key, its value and what was expected;
route[2] is the second [[route]] of the file. Nothing is half applied: one problem refuses it all.

example:
  twinroute check router.toml
  twinroute check router.toml --json | jq .config.ports

exit status: 0 right, 2 not"""


def add_parser(subparsers: "Subparsers") -> None:
    """Add `check` to the command line."""
    parser = subparsers.add_parser(
        "check",
        help="tell whether a configuration is right, and what it says",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG", help="configuration file (TOML)")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print an object with ok, problems, routes (how many) and config, defaults filled in "
        "(default: tables for people)",
    )
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Check the configuration `args.config`; raises ConfigError or InputError if it is wrong."""
    try:
        config = load_config(args.config)
        in_files = try_out(config)
    except TwinrouteError as error:
        if args.json:
            print(json.dumps({"ok": False, "problems": str(error).splitlines()}, indent=2))
        raise
    if args.json:
        routes = len(config.routes) + sum(in_files)
        shown = {"ok": True, "problems": [], "routes": routes, "config": as_json(config)}
        print(json.dumps(shown, indent=2))
    else:
        show(config, in_files, Console(highlight=False, emoji=False))
    return 0


def try_out(config: Config) -> list[int]:
    """Find out what the models cannot: load the profile, and read route files in a world.

    Returns the number of routes in each route file. Raises ConfigError for a profile, InputError
    for a line of a route file.
    """
    if config.sim.profile == "functional" and not config.route_files and not config.log.drops:
        return []
    try:
        from twinroute.drop_samples import check_reasons
        from twinroute.sim.bench import Bench
        from twinroute.sim.native import NATIVE
        from twinroute.sim.profile import load_profile, profile_names
    except ImportError as error:
        reason = on_one_line(str(error))
        line = f"{config.path}: cannot be checked whole, the simulator is not built here: {reason}"
        raise TwinrouteError(line) from None
    profile = config.sim.profile
    if not profile.endswith(".toml") and profile not in profile_names():
        names = ", ".join(profile_names())
        problem = f'sim.profile = "{profile}": expected one of {names}, or a path ending in .toml'
        raise ConfigError([on_one_line(f"{config.path}: {problem}")])
    load_profile(profile)
    check_reasons(NATIVE, config.log.drops, on_one_line(str(config.path)))
    router = Bench().router(config.model_copy(update={"route_files": []}))
    return [
        router.routes_load(file.path, via=file.via, preference=file.preference)
        for file in config.route_files
    ]


def as_json(config: Config) -> dict[str, Any]:
    """Return the configuration with its defaults, as JSON has it."""
    return config.model_dump(mode="json")


# --- for people -----------------------------------------------------------------------------------


def show(config: Config, in_files: list[int], console: Console) -> None:
    """Print a configuration.

    in_files: how many routes each route file holds.
    """
    title = on_one_line(f"{config.path}: router {config.name}")
    console.print(Text(title), soft_wrap=True)
    console.print()
    tables = [_ports(config)]
    if config.routes:
        tables.append(_routes(config))
    if config.route_files:
        tables.append(_route_files(config, in_files))
    if config.neighbors:
        tables.append(_neighbors(config))
    tables.append(_settings(config))
    for table in tables:
        console.print(table)
        console.print()
    console.print("ok", style="bold green")


def make_table(*columns: str) -> Table:
    """Make a table as all commands print them."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def add_row(table: Table, *cells: object) -> None:
    """Add a row of any texts."""
    table.add_row(*(Text(on_one_line(str(cell))) for cell in cells))


def _ports(config: Config) -> Table:
    table = make_table("port", "address", "MAC address", "MTU", "simulated link")
    for name, port in config.ports.items():
        link = config.sim.port[name]
        delay = f", {link.delay_us:g} µs" if link.delay_us else ""
        addresses = ", ".join(str(address) for address in port.addresses) or "none"
        add_row(table, name, addresses, port.mac, port.mtu, rate_text(link.rate) + delay)
    return table


def rate_text(bits: int) -> str:
    """Write a rate for people.

    bits: per second, 0 for unlimited.
    """
    if not bits:
        return "unlimited"
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if bits >= size:
            return f"{bits / size:.12g} {unit}bit/s"
    return f"{bits} bit/s"


def _routes(config: Config) -> Table:
    table = make_table("route", "target", "preference", "metric")
    for route in config.routes[:ROUTES_SHOWN]:
        add_row(table, route.to, _target(config, route), route.preference, route.metric)
    if len(config.routes) > ROUTES_SHOWN:
        add_row(table, f"and {len(config.routes) - ROUTES_SHOWN} more")
    return table


def _target(config: Config, route: Route) -> str:
    if not route.via:
        return route.kind
    ways = (f"via {via} on {route.port or port_towards(config, via)}" for via in route.via)
    return ", ".join(ways) + (f", MTU {route.mtu}" if route.mtu else "")


def port_towards(config: Config, gateway: IPv4Address) -> str:
    """Return the name of the port on whose subnet (the longest prefix) a gateway is, or "?"."""
    around = [
        (address.network.prefixlen, name)
        for name, port in config.ports.items()
        for address in port.addresses
        if gateway in address.network
    ]
    return max(around)[1] if around else "?"


def _route_files(config: Config, in_files: list[int]) -> Table:
    table = make_table("route file", "routes", "those without a target", "preference")
    for file, routes in zip(config.route_files, in_files, strict=True):
        via = " ".join(["via", *map(str, file.via)]) if file.via else "are refused"
        add_row(table, file.path, routes, via, file.preference)
    return table


def _neighbors(config: Config) -> Table:
    table = make_table("neighbour", "MAC address", "port")
    for neighbor in config.neighbors:
        add_row(table, neighbor.address, neighbor.mac, neighbor.port)
    return table


def _settings(config: Config) -> Table:
    fast, slow, sim = config.fast_path, config.slow_path, config.sim
    rebatch = f", re-batched for at most {fast.rebatch_us:g} µs" if fast.rebatch else ""
    limit = f"{slow.icmp_errors_per_s} per second" if slow.icmp_errors_per_s else "unlimited"
    table = make_table("part", "settings")
    add_row(
        table,
        "fast path",
        f"{fast.units} unit{'s' * (fast.units > 1)}, bursts of {fast.burst}, {fast.scatter}"
        f"{rebatch}; routes in {fast.lpm}; sends at {fast.tx_buffer} packets or after "
        f"{fast.tx_flush_us:g} µs",
    )
    add_row(
        table,
        "slow path",
        f"ring of {slow.punt_ring} packets, {slow.neighbors} neighbours, ICMP errors {limit}",
    )
    add_row(table, "IP options", _policies(config))
    add_row(
        table,
        "simulator",
        f"profile {sim.profile}, seed {sim.seed}, {sim.buffers} buffers, "
        + ("neighbours answer ARP" if sim.neighbors == "answer" else "neighbours are silent"),
    )
    return table


def _policies(config: Config) -> str:
    """Tell the options that make a packet be dropped, and those that are processed."""
    names: dict[str, list[str]] = {"drop": [], "process": []}
    for name, policy in config.options:
        names.setdefault(policy, []).append(name)
    dropped = ", ".join(names["drop"]) or "none"
    processed = ", ".join(names["process"]) or "none"
    return f"packets with these are dropped: {dropped}; processed: {processed}"
