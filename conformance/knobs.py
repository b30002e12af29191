# SPDX-License-Identifier: MIT
"""Knobs: settings that cases turn, by names of their own, and the keys of our configuration.

A knob of a port is written "urpf.p1". A name that is not in the table is taken for a key itself,
as "slow_path.arp_retries" or "port.p1.mtu"; what the configuration does not have is missing.
"""

from collections.abc import Callable, Mapping
from typing import Any

from twinroute.config import Config, build_config
from twinroute.conformance import names as n
from twinroute.conformance.device import Missing
from twinroute.conformance.setup import Route, Setup
from twinroute.errors import ConfigError

Document = dict[str, Any]

# Name of a knob: key of our configuration.
KEYS: dict[str, str] = {
    "icmp_errors_per_s": "slow_path.icmp_errors_per_s",
    "icmp_errors_burst": "slow_path.icmp_errors_burst",
    "arp_retries": "slow_path.arp_retries",
    "arp_retry_ms": "slow_path.arp_retry_ms",
    "arp_lifetime_s": "slow_path.arp_lifetime_s",
    "arp_failed_s": "slow_path.arp_failed_s",
    "neighbor_pending": "slow_path.neighbor_pending",
    "arp_announce": "slow_path.arp_announce",
    "record_route": "options.record_route",
    "receive_directed_broadcast": "receive_directed_broadcast",
    "forward_directed_broadcast": "forward_directed_broadcast",
    "groups": "groups",
    "loose_source_route": "options.loose_source_route",
    "strict_source_route": "options.strict_source_route",
    "timestamp": "options.timestamp",
    "stream_id": "options.stream_id",
    "unknown_option": "options.unknown",
    "reassembly_s": "slow_path.reassembly_s",
    "echo": "icmp.echo",
    "icmp_extensions": "icmp.extensions",
    "redirects": "redirects",
    "urpf": "urpf",
    "filter_default": "filter_default",
    "port_forwarding": "forwarding",
    "forwarding": "router.forwarding",
    "port_up": "up",
    "hash_seed": "fast_path.hash_seed",
    "martians_allowed": "martians.allow",
}


def _source_route(document: Document, value: Any) -> None:
    """Both kinds of source route."""
    for kind in ("loose", "strict"):
        _turn(document, f"options.{kind}_source_route", value)


def _filter(document: Document, value: Any) -> None:
    """Rules of the packet filter, as tables."""
    document["filter"] = value


def _route_mtu(document: Document, value: Any) -> None:
    """MTUs of routes, by their destination."""
    for to, mtu in value.items():
        next(route for route in document["route"] if route["to"] == to)["mtu"] = mtu


def _reverse_path(document: Document, value: Any) -> None:
    """The reverse path check of all ports."""
    for port in document["port"].values():
        port["urpf"] = value


# Knobs that are more than one key: the function changes the document.
SPECIAL: dict[str, Callable[[Document, Any], None]] = {
    "source_route": _source_route,
    "filter": _filter,
    "multicast_routes": lambda document, value: document.update(multicast_route=value),
    "route_mtu": _route_mtu,
    "urpf": _reverse_path,
}

UNKNOWN = "unknown key"


def our_config(setup: Setup, extra: Mapping[str, Any] | None = None) -> Config:
    """Return the configuration of our own router for a test bed. Raises Missing for a knob.

    extra: tables of a backend, taken as they are.
    """
    document: Document = {
        "slow_path": {"icmp_errors_per_s": 0, "arp_announce": False},
        "port": {port: _port(setup, port) for port in setup.ports},
        "route": [_route(route) for route in setup.routes],
        "neighbor": [
            {"port": port, "address": address, "mac": mac}
            for port in setup.ports
            if setup.addresses[port]
            for address, mac in setup.known(port).items()
        ],
        **(extra or {}),
    }
    if setup.loopback:
        raise Missing("no address on a loopback interface")
    for knob, value in setup.knobs.items():
        _turn(document, knob, value)
    try:
        return build_config(document, "<case>")
    except ConfigError as error:
        unknown = [line for line in str(error).splitlines() if UNKNOWN in line]
        if unknown:
            raise Missing(unknown[0].removeprefix("<case>: ")) from None
        raise


def _port(setup: Setup, port: str) -> Document:
    table: Document = {"mac": n.MAC[port], "mtu": setup.mtu_of(port)}
    if setup.addresses[port]:
        table["address"] = list(setup.addresses[port])
    return table


def _route(route: Route) -> Document:
    table: Document = {"to": route.to, "kind": route.kind}
    if route.via:
        table["via"] = route.via if isinstance(route.via, str) else list(route.via)
    if route.port:
        table["port"] = route.port
    if route.metric is not None:
        table["metric"] = route.metric
    return table


def _turn(document: Document, knob: str, value: Any) -> None:
    """Set a knob in a document."""
    if special := SPECIAL.get(knob):
        special(document, value)
        return
    name, _, port = knob.partition(".")
    key = KEYS.get(knob) or (f"port.{port}.{KEYS[name]}" if name in KEYS else knob)
    if "." not in key:
        raise Missing(f"no knob {knob}")
    *tables, last = key.split(".")
    for table in tables:
        document = document.setdefault(table, {})
    document[last] = value
