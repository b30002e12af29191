# SPDX-License-Identifier: MIT
"""The answers of a running router as tables for people."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from twinroute.check import add_row, make_table, rate_text
from twinroute.config_errors import Place, as_toml, on_one_line, place_text

Object = dict[str, Any]


def numbers(table: Table, first: int = 1) -> Table:
    """Put the columns from `first` on to the right."""
    for column in table.columns[first:]:
        column.justify = "right"
    return table


def show(console: Console, *tables: Table) -> None:
    """Print tables with a line between them."""
    for index, table in enumerate(tables):
        if index:
            console.print()
        console.print(table)


def ports(result: Object, console: Console) -> None:
    """Print show.ports."""
    ways = make_table("port", "address", "MAC address", "MTU", "link", "twin")
    devices = make_table(
        *("port", "device", "driver", "NUMA", "queues", "RSS", "checksums", "slow path's packets")
    )
    traffic = numbers(
        make_table("port", "received", "bytes", "sent", "bytes", "from twin", "to twin", "lost")
    )
    for port in result["ports"]:
        link = "up" if port["link_up"] else "down"
        if port["link_mbps"]:
            link += f", {rate_text(port['link_mbps'] * 10**6)}"
        if not port["enabled"]:
            link += ", disabled"
        states = port["address_states"].items()
        notes = (one if state == "in use" else f"{one} ({state})" for one, state in states)
        addresses = ", ".join(notes) or "none"
        add_row(ways, port["name"], addresses, port["mac"], port["mtu"], link, port["twin"] or "-")
        queues = f"{port['rx_queues']} in, {port['tx_queues']} out"
        numa = "-" if port["numa_node"] < 0 else port["numa_node"]
        filters = "by the NIC" if port["filters"] else "by software"
        if port["filters_why"]:
            filters += f" ({port['filters_why']})"
        add_row(
            *(devices, port["name"], port["device"], port["driver"], numa, queues),
            "yes" if port["rss"] else "no",
            "by the NIC" if port["checksum"] else "by software",
            filters,
        )
        counted, nic = port["counters"], port["nic"]
        lost = sum(
            nic[name]
            for name in ("missed", "no_buffer", "errors", "chained", "send_errors")
            if name in nic
        )
        row = ("received", "received_bytes", "sent", "sent_bytes", "received_twin", "sent_twin")
        add_row(traffic, port["name"], *(_grouped(counted[name]) for name in row), _grouped(lost))
    show(console, ways, devices, traffic)


def route_table(rows: Iterable[Object]) -> Table:
    """Make a table of routes."""
    table = make_table("prefix", "target", "port", "source", "preference", "metric")
    for row in rows:
        target = ", ".join(f"via {path['via']}" for path in row["paths"]) or row["kind"]
        ports = ", ".join(path["port"] for path in row["paths"]) or row["port"] or "-"
        if row["mtu"]:
            target += f", MTU {row['mtu']}"
        if not row["usable"]:
            ports += " (unusable)"
        ranks = (str(row["preference"]), str(row["metric"]))
        add_row(table, row["to"], target, ports, row["source"], *ranks)
    return table


def route_end(result: Object, console: Console) -> None:
    """Print what show.routes comes to."""
    table = result["table"]
    text = f"{_count(result['count'], 'route')}; tables: " + _table_text(table)
    console.print(Text(text))


def _table_text(table: Object) -> str:
    text = (
        f"{_count(table['routes'], 'prefix', 'es')}, {_count(table['next_hops'], 'next hop')},"
        f" swapped {table['generation']} times"
    )
    if table["pending"] or table["swap_outstanding"]:
        text += f", {_count(table['pending'], 'change')} on the way"
    if table["unplaced"]:
        text += f"; NO ROOM for {_count(table['unplaced'], 'prefix', 'es')}"
    return text


def neighbors(result: Object, console: Console) -> None:
    """Print show.neighbors."""
    table = make_table("neighbour", "port", "MAC address", "state", "waiting packets")
    for row in result["neighbors"]:
        known = row["state"] in ("reachable", "refreshing")
        state = "static" if row["static"] else row["state"]
        add_row(
            *(table, row["address"], row["port"], row["mac"] if known else "-"),
            *(state, row["pending"]),
        )
    show(console, table)


def counters(result: Object, console: Console) -> None:
    """Print show.counters."""
    by_port = numbers(make_table("port", "received", "bytes", "sent", "bytes"))
    for port in result["received"]:
        names = ("received", "received_bytes", "sent", "sent_bytes")
        add_row(by_port, port, *(_grouped(result[name][port]) for name in names))
    rest = numbers(make_table("packets", "count"))
    lost, used = sum(result["dropped"].values()), sum(result["consumed"].values())
    for name, count in (
        ("forwarded", result["forwarded"]),
        ("made by the router", result["generated"]),
        ("from twins", sum(result["received_twin"].values())),
        ("to twins", sum(result["sent_twin"].values())),
        ("punted to the slow path", sum(result["punted"].values())),
        ("dropped (show drops)", lost),
        ("answered or used up", used),
        ("held", result["held"]),
    ):
        add_row(rest, name, _grouped(count))
    show(console, by_port, rest)


def drops(result: Object, console: Console) -> None:
    """Print those reasons of show.drops that have occurred."""
    tables = []
    for key, title in (
        ("dropped", "dropped"),
        ("consumed", "answered or used up, nothing lost"),
        ("punted", "punted to the slow path"),
    ):
        table = make_table(title, "packets", "RFC", "why")
        table.columns[1].justify = "right"
        for one in result[key]:
            if one["packets"]:
                packets = _grouped(one["packets"])
                add_row(table, one["name"], packets, one["rfc"] or "-", one["text"])
        if table.row_count:
            tables.append(table)
    nic = numbers(make_table("lost by the NIC", "reason", "frames"), 2)
    for port, counts in result["nic"].items():
        for name, count in counts.items():
            if count:
                add_row(nic, port, name, _grouped(count))
    if nic.row_count:
        tables.append(nic)
    if tables:
        show(console, *tables)
    else:
        console.print("no packet was dropped, punted or used up")


def steps(result: Object, console: Console) -> None:
    """Print show.steps: those that were called."""
    table = numbers(make_table("step", "calls", "packets", "cycles/packet", "packets/call"))
    for one in result["steps"]:
        if one["calls"]:
            timed = one["timed_lanes"]
            each = f"{one['cycles'] / timed:.1f}" if timed else "-"
            batch = f"{one['lanes'] / one['calls']:.1f}"
            counted = (_grouped(one[name]) for name in ("calls", "lanes"))
            add_row(table, one["name"], *counted, each, batch)
    show(console, table)


def filters(result: Object, console: Console) -> None:
    """Print show.filters."""
    table = make_table("action", "packets", "ports", "match")
    table.columns[1].justify = "right"
    for row in result["filters"]:
        ports = ", ".join(row["ports"])
        add_row(table, row["action"], _grouped(row["packets"]), ports, row["match"])
    if table.row_count:
        show(console, table)
    else:
        console.print("no packet is filtered")


def units(result: Object, console: Console) -> None:
    """Print show.units."""
    table = make_table("unit", "kind", "CPU", "busy turns", "bursts", "forwarded", "held", "swaps")
    for row in result["units"]:
        cpu = "any" if row["cpu"] is None else str(row["cpu"])
        if row["yields"]:
            cpu += ", shared"
        turns = row["turns"]
        busy = f"{100 * (turns - row['idle']) / turns:.1f} %" if turns else "-"
        counted = (_grouped(row[name]) for name in ("bursts", "forwarded", "held", "swaps"))
        add_row(table, row["index"], row["kind"], cpu, busy, *counted)
    show(console, numbers(table, 3))
    console.print()
    console.print(Text("tables: " + _table_text(result["table"])))


def config(result: Object, console: Console) -> None:
    """Print show.config as keys and values."""
    if result["path"]:
        console.print(Text(on_one_line(f"# {result['path']}")), soft_wrap=True)
    for place, value in _leaves((), result["config"]):
        text = f"{place_text(place)} = {as_toml(value)}"
        console.print(Text(on_one_line(text)), soft_wrap=True)


def _leaves(place: Place, value: Any) -> Iterable[tuple[Place, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves((*place, key), inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, inner in enumerate(value):
            yield from _leaves((*place, index), inner)
    elif value is not None:
        yield place, value


def reloaded(result: Object, console: Console) -> None:
    """Print what config.reload has changed."""
    console.print(Text(reload_text(result)))


def reload_text(result: Object) -> str:
    """Tell what config.reload has changed."""
    parts = [
        f"{_count(result[f'{what}s_{verb}'], word)} {verb}"
        for what, word in (("route", "route"), ("neighbor", "neighbour"))
        for verb in ("set", "deleted")
        if result[f"{what}s_{verb}"]
    ]
    parts += [f"port {name} set" for name in result["ports"]]
    parts += ["filters replaced"] * result["filters"]
    parts += [f"{name} = {value}" for name, value in result["settings"].items()]
    return "reloaded: " + (", ".join(parts) or "nothing has changed")


def record_line(record: Object) -> str:
    """Write a record of a trace."""
    verdict = f"{record['verdict']} {record['reason']}".strip()
    return (
        f"{record['packet']:>6}  {record['time_us']:>12.3f}  {record['unit']:>4}  "
        f"{record['port']:<15}  {record['size']:>5}  {record['step']:<16}  {verdict}"
    )


RECORD_HEADING = (
    f"{'packet':>6}  {'us':>12}  {'unit':>4}  {'port':<15}  {'bytes':>5}  {'step':<16}  verdict"
)


def _grouped(number: int) -> str:
    return f"{number:,}"


def _count(number: int, what: str, plural: str = "s") -> str:
    return f"{number:,} {what}{'' if number == 1 else plural}"
