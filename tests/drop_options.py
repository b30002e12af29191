# SPDX-License-Identifier: MIT
"""Worlds in which a packet's IP options end it: a function for each drop reason of them."""

from tests import packets as p
from tests import worlds as w
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))


def transit(dst: str, options: bytes) -> bytes:
    """Return a packet of H1 with options."""
    return p.ether(w.M1, w.h1, p.ipv4(w.H1, dst, UDP, options=options))


def _by_option(options: bytes, dst: str = w.A1, **policies: str) -> Bench:
    bench = w.bed(options=policies)
    w.exchange(bench, w.P1, [transit(dst=dst, options=options)])
    return bench


def router_alert() -> Bench:
    return _by_option(b"\x94\x04\0\0", router_alert="drop")


def quick_start() -> Bench:
    return _by_option(b"\x19\x08\0\0\0\0\0\0", quick_start="drop")


def security_option() -> Bench:
    return _by_option(b"\x85\x04\0\0", security="drop")


def unknown_option() -> Bench:
    return _by_option(b"\x1f\x04\0\0", unknown="drop")


def two_source_routes() -> Bench:
    return _by_option(b"\x83\x07\x04\x0a\x03\x00\x02" * 2, loose_source_route="ignore")


def strict_route_left() -> Bench:
    return _by_option(b"\x89\x07\x04\x0a\x03\x00\x02", strict_source_route="process")


def source_route_failed() -> Bench:
    option = b"\x89\x07\x04" + p.address_bytes(w.A1)
    return _by_option(option, w.R1, strict_source_route="process")
