# SPDX-License-Identifier: MIT
"""The commands that ask or change a running router: show, route, neighbor, port and config."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from twinroute import control_tables as tables
from twinroute.control_client import ControlClient, find_socket
from twinroute.errors import InputError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

Object = dict[str, Any]
Run = Callable[[argparse.Namespace, ControlClient], None]

KINDS = ("blackhole", "unreachable", "prohibit")
SHOWN: dict[str, tuple[str, Callable[[Object, Console], None]]] = {
    "ports": ("ports, their devices and what these do, links, traffic", tables.ports),
    "neighbors": ("stations on the ports' subnets, and who of them answers", tables.neighbors),
    "counters": ("packets by port, and what became of them", tables.counters),
    "drops": ("why packets were dropped, used up or punted, with the RFC", tables.drops),
    "filters": ("rules of the packet filter, and the packets they decided on", tables.filters),
    "steps": ("calls, packets and cycles of each step of the router", tables.steps),
    "units": ("the router's threads: processor, load, queues", tables.units),
    "config": ("the configuration that runs, defaults filled in", tables.config),
}
BY_UNIT = ("counters", "drops", "steps")
WHERE = """\
The router is found by its control socket: --socket PATH, or TWINROUTE_SOCKET, or the only one in
/run/twinroute. Exit status: 0 done, 1 no router answers or it failed, 2 bad input."""


def add_parsers(subparsers: "Subparsers") -> None:
    """Add all of them to a command line."""
    _add_show(subparsers)
    _add_route(subparsers)
    _add_neighbor(subparsers)
    _add_port(subparsers)
    config = _group(subparsers, "config", "reload a running router's configuration", RELOAD_EPILOG)
    command(config, "reload", "read the file again; change all that differs, or nothing", _reload)


def socket_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says which router is meant."""
    parser.add_argument("--socket", metavar="PATH", help="control socket of the router")


def _group(subparsers: "Subparsers", name: str, text: str, epilog: str) -> "Subparsers":
    parser = subparsers.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"{epilog}\n{WHERE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser.add_subparsers(title="what", dest="what", metavar="WHAT", required=True)


def command(
    subparsers: "Subparsers", name: str, text: str, run: Run, epilog: str = ""
) -> argparse.ArgumentParser:
    """Add a command that asks a running router; `run` does it on a connection."""
    parser = subparsers.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"{epilog}\n{WHERE}".lstrip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    socket_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON (default: tables)")

    def handler(args: argparse.Namespace) -> int:
        with ControlClient(find_socket(args.socket)) as client:
            run(args, client)
        return 0

    parser.set_defaults(handler=handler)
    return parser


def _print(
    args: argparse.Namespace, result: Object, table: Callable[[Object, Console], None]
) -> None:
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        table(result, Console(highlight=False, emoji=False))


def _say(args: argparse.Namespace, result: Object, text: str) -> None:
    print(json.dumps(result) if args.json else text)


# --- show -----------------------------------------------------------------------------------------

SHOW_EPILOG = """\
examples:
  twinroute show ports
  twinroute show routes --within 10.0.0.0/8
  twinroute show counters --unit 0 --json | jq .forwarded
"""


def _add_show(subparsers: "Subparsers") -> None:
    group = _group(subparsers, "show", "show what a running router has and does", SHOW_EPILOG)
    for name, (text, table) in SHOWN.items():
        parser = command(group, name, text, _shower(f"show.{name}", table))
        if name in BY_UNIT:
            parser.add_argument("--unit", type=int, metavar="N", help="of one unit (default: all)")
    routes = command(group, "routes", "the routing table, the best route of each prefix", _routes)
    routes.add_argument("--all", action="store_true", help="every route, not the best alone")
    routes.add_argument("--source", help="of one source: config, api, kernel, port, learned")
    routes.add_argument("--within", metavar="PREFIX", help="of this prefix and those inside it")


def _shower(method: str, table: Callable[[Object, Console], None]) -> Run:
    def run(args: argparse.Namespace, client: ControlClient) -> None:
        unit = getattr(args, "unit", None)
        params = {} if unit is None else {"unit": unit}
        _print(args, client.call(method, **params), table)

    return run


def _routes(args: argparse.Namespace, client: ControlClient) -> None:
    given = {"all": args.all, "source": args.source, "within": args.within}
    stream = client.stream("show.routes", **{name: value for name, value in given.items() if value})
    rows = [row for event in stream for row in event["routes"]]
    if args.json:
        print(json.dumps({"routes": rows, **stream.result}, indent=2))
        return
    console = Console(highlight=False, emoji=False)
    if rows:
        tables.show(console, tables.route_table(rows))
        console.print()
    tables.route_end(stream.result, console)


# --- change ---------------------------------------------------------------------------------------

ROUTE_EPILOG = """\
A route that is added here is one of source "api". It is gone when the router ends: what shall last
belongs into the configuration. Of several sources the lowest preference of a prefix wins, and of
several routes that were added here the lowest metric (0 if none is given); the others stand by.

examples:
  twinroute route add 10.2.0.0/16 via 10.0.1.2
  twinroute route add 10.2.0.0/16 via 10.0.1.2 dev p1 --preference 5
  twinroute route add 10.2.0.0/16 via 10.0.2.2 metric 10
  twinroute route add 10.4.0.0/16 via 10.0.1.2 via 10.0.2.2 mtu 1400
  twinroute route add blackhole 10.3.0.0/16
  twinroute route delete 10.2.0.0/16
  twinroute route load full-table.txt --via 10.0.1.2 --via 10.0.1.3
  twinroute route get 10.2.3.4
"""
ROUTE_FORM = "[KIND] PREFIX [via GATEWAY]... [dev PORT] [mtu BYTES] [metric N]"
NUMBERS = ("mtu", "metric")


def _add_route(subparsers: "Subparsers") -> None:
    group = _group(subparsers, "route", "change a running router's routes", ROUTE_EPILOG)
    add = command(group, "add", "add a route, or replace the one added before", _route_add)
    add.add_argument(
        "route",
        nargs="+",
        metavar="WORD",
        help=f"{ROUTE_FORM}, with the kind {', '.join(KINDS)} or none",
    )
    add.add_argument("--preference", type=int, default=20, metavar="N", help="0 to 255 (20)")
    delete = command(group, "delete", "delete a route that was added here", _route_delete)
    delete.add_argument("prefix", metavar="PREFIX")
    delete.add_argument("--metric", type=int, metavar="N", help="of several with that prefix")
    load = command(group, "load", "add all routes of a file, or none if one is wrong", _route_load)
    load.add_argument("file", metavar="FILE", help=f"a line: {ROUTE_FORM}; - reads stdin")
    load.add_argument(
        "--via", action="append", default=[], metavar="GATEWAY", help="for lines without a target"
    )
    load.add_argument("--preference", type=int, default=20, metavar="N", help="0 to 255 (20)")
    get = command(group, "get", "tell where packets to an address go", _route_get)
    get.add_argument("address", metavar="ADDRESS")


def _route_words(words: list[str]) -> Object:
    """Read a route as it stands in a route file."""
    rest = list(words)
    params: Object = {"kind": rest.pop(0)} if rest[0] in KINDS else {}
    names = {"dev": "port", "mtu": "mtu", "metric": "metric"}
    if rest:
        params["to"] = rest.pop(0)
    while len(rest) >= 2:
        word, value, *rest = rest
        if word == "via":
            params.setdefault("via", []).append(value)
        elif word in names and names[word] not in params:
            params[names[word]] = int(value) if word in NUMBERS and value.isdecimal() else value
        else:
            rest = [word]
    if rest or "to" not in params:
        raise InputError(f"route add {' '.join(words)}: expected {ROUTE_FORM}")
    return params


def _route_add(args: argparse.Namespace, client: ControlClient) -> None:
    params = _route_words(args.route)
    result = client.call("route.add", **params, preference=args.preference)
    _say(args, result, f"added {' '.join(args.route)}")


def _route_delete(args: argparse.Namespace, client: ControlClient) -> None:
    metric = {} if args.metric is None else {"metric": args.metric}
    result = client.call("route.delete", to=args.prefix, **metric)
    _say(args, result, f"deleted {args.prefix}")


def _route_load(args: argparse.Namespace, client: ControlClient) -> None:
    try:
        text = sys.stdin.buffer.read() if args.file == "-" else Path(args.file).read_bytes()
    except OSError as error:
        raise InputError(f"{args.file}: expected a route file: {error.strerror}") from None
    name = "stdin" if args.file == "-" else args.file
    result = client.load(text, name=name, via=args.via, preference=args.preference)
    _say(args, result, f"loaded {result['routes']:,} routes from {name}")


def _route_get(args: argparse.Namespace, client: ControlClient) -> None:
    hop = client.call("route.lookup", address=args.address)
    ways = [f"via {path['via']} dev {path['port']}" for path in hop["paths"]]
    port = f" dev {hop['port']}" if hop["port"] else ""
    _say(args, hop, f"{args.address} {' '.join(ways) or hop['kind'] + port}")


NEIGHBOR_EPILOG = """\
A neighbour that is added is static: it is not asked by ARP, and stays until it is deleted.

examples:
  twinroute neighbor add p1 10.0.1.2 02:00:00:00:00:02
  twinroute neighbor delete p1 10.0.1.2
  twinroute show neighbors
"""
PORT_EPILOG = """\
A port that is down is as if it had no link: its routes are not used, and others take their place;
the twin has no carrier. It comes up with all that it had, and no sooner than it is told to: not by
`config reload`, unless `up` has changed in the file.

examples:
  twinroute port down p1
  twinroute port up p1
"""
RELOAD_EPILOG = """\
Routes, route files, neighbours, filters, a port's address, mtu and up, and in [slow_path] the
times, limits and rules of ARP and ICMP can change while the router runs. Anything else is refused
with its key, and then nothing changes. SIGHUP to the router does the same.

example:
  twinroute config reload
"""


def _add_neighbor(subparsers: "Subparsers") -> None:
    text = "set and delete a running router's neighbours"
    group = _group(subparsers, "neighbor", text, NEIGHBOR_EPILOG)
    add = command(group, "add", "set a neighbour's MAC address", _neighbor_add)
    delete = command(group, "delete", "delete a neighbour that was set", _neighbor_delete)
    for parser in (add, delete):
        parser.add_argument("port", metavar="PORT")
        parser.add_argument("address", metavar="ADDRESS")
    add.add_argument("mac", metavar="MAC")


def _neighbor_add(args: argparse.Namespace, client: ControlClient) -> None:
    result = client.call("neighbor.add", port=args.port, address=args.address, mac=args.mac)
    _say(args, result, f"set {args.address} on {args.port} to {args.mac}")


def _neighbor_delete(args: argparse.Namespace, client: ControlClient) -> None:
    result = client.call("neighbor.delete", port=args.port, address=args.address)
    _say(args, result, f"deleted {args.address} on {args.port}")


def _add_port(subparsers: "Subparsers") -> None:
    text = "put a running router's ports down and up"
    group = _group(subparsers, "port", text, PORT_EPILOG)
    for name, text in (("up", "enable a port"), ("down", "disable a port, whatever its link")):
        command(group, name, text, _port).add_argument("port", metavar="PORT")


def _port(args: argparse.Namespace, client: ControlClient) -> None:
    _say(args, client.call(f"port.{args.what}", port=args.port), f"{args.port} is {args.what}")


def _reload(args: argparse.Namespace, client: ControlClient) -> None:
    _print(args, client.call("config.reload"), tables.reloaded)


# --- shell ----------------------------------------------------------------------------------------

SHELL_DESCRIPTION = """\
Manage a running router at a prompt. The commands are those of the command line: show, route,
neighbor, port, config reload, capture, trace. Tab completes them, and ports, prefixes and
neighbours of the router; the arrows bring back what was typed, in this session and before."""
SHELL_EPILOG = f"""\
example:
  twinroute shell
  r1> show routes --within 10.0.0.0/8
  r1> route add 10.2.0.0/16 via 10.0.1.2
  r1> capture -c 5 icmp
  r1> exit

{WHERE}"""


def add_shell(subparsers: "Subparsers") -> None:
    """Add `shell` to a command line."""
    parser = subparsers.add_parser(
        "shell",
        help="manage a running router at a prompt",
        description=SHELL_DESCRIPTION,
        epilog=SHELL_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    socket_option(parser)
    parser.set_defaults(handler=_shell)


def _shell(args: argparse.Namespace) -> int:
    from twinroute.shell import Shell  # no other command pays for loading it

    return Shell(find_socket(args.socket)).run()
