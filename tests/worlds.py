# SPDX-License-Identifier: MIT
"""The standard test bed: three ports, a host and a neighbour router on each, two routes."""

from collections.abc import Iterable, Mapping
from typing import Any

from twinroute.config import Config, parse_config
from twinroute.sim import Bench
from twinroute.sim.native import NATIVE

# Variants of the fast path's inner loops that the processor here can run.
VECTORS = [n for n in ("scalar", "avx2", "avx512") if NATIVE.lib.tr_vector_runs(n.encode())]
P1, P2, P3 = "p1", "p2", "p3"
M1, M2, M3 = "02:00:00:00:01:01", "02:00:00:00:02:01", "02:00:00:00:03:01"  # the router's
h1, h2, h3 = "02:00:00:00:01:02", "02:00:00:00:02:02", "02:00:00:00:03:02"  # hosts
g1, g2, g3 = "02:00:00:00:01:fe", "02:00:00:00:02:fe", "02:00:00:00:03:fe"  # neighbour routers
NO_MAC = "00:00:00:00:00:00"
H1, H2, H3 = "10.1.0.2", "10.2.0.2", "10.3.0.2"
G1, G2, G3 = "10.1.0.254", "10.2.0.254", "10.3.0.254"
R1, R2, R3 = "10.1.0.1", "10.2.0.1", "10.3.0.1"
A1 = "198.18.0.1"  # reached by G2
B1 = "198.19.0.1"  # reached by G3
C1 = "198.20.0.1"  # reached by G2 or G3, with the route GROUP
U = "10.99.0.1"  # no route

BASE = """
[fast_path]
{fast}
[slow_path]
{slow}
[options]
{options}
[icmp.redirect]
per_s = 0
{icmp}
[port.p1]
address = "10.1.0.1/24"
mac = "02:00:00:00:01:01"
mtu = {mtu1}
{ports}
{p1}
[port.p2]
address = "10.2.0.1/24"
mac = "02:00:00:00:02:01"
mtu = {mtu2}
{ports}
{p2}
[port.p3]
address = "10.3.0.1/24"
mac = "02:00:00:00:03:01"
{ports}
{p3}
[[route]]
to = "198.18.0.0/16"
via = "10.2.0.254"
[[route]]
to = "198.19.0.0/16"
via = "10.3.0.254"
{routes}
{neighbors}
[sim]
neighbors = "silent"
{sim}
[sim.port.p1]
{nic}
[sim.port.p2]
{nic}
[sim.port.p3]
{nic}
"""

# What the bed leaves to its defaults: copies of broadcasts and multicasts go everywhere.
GROUPS = """
receive_directed_broadcast = true
forward_directed_broadcast = true
groups = ["239.1.1.1"]
"""
MULTICAST_ROUTE = """
[[multicast_route]]
group = "239.1.1.1"
from = "p1"
to = ["p2", "p3"]
"""
GROUP = f"""
[[route]]
to = "198.20.0.0/16"
via = ["{G2}", "{G3}"]
"""
HASH_SEED = 20  # of tests that say by which of them a flow leaves

RESOLVED = {
    "p1": {H1: h1, G1: g1},
    "p2": {H2: h2, G2: g2},
    "p3": {H3: h3, G3: g3},
}


def _lines(values: Mapping[str, Any]) -> str:
    """Render TOML lines for simple values."""
    text = {True: "true", False: "false"}
    return "\n".join(
        f"{key} = {text.get(value, value) if isinstance(value, bool) else repr(value)}"
        for key, value in values.items()
    )


def bed_config(
    *,
    fast: Mapping[str, Any] | None = None,
    slow: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    nic: Mapping[str, Any] | None = None,
    sim: Mapping[str, Any] | None = None,
    icmp: str = "",
    ports: str = "",
    mtu1: int = 1500,
    mtu2: int = 1500,
    port: Mapping[str, Mapping[str, Any]] | None = None,
    routes: str = "",
    resolved: bool = True,
) -> Config:
    """Return the test bed's configuration; mappings add keys to the sections of their names.

    icmp: TOML behind the table [icmp.redirect], which sets no limit. ports: TOML in every port.
    port: keys of single ports. routes: more tables, of any kind, as TOML text.
    """
    neighbors = [
        f'[[neighbor]]\nport = "{port}"\naddress = "{address}"\nmac = "{mac}"'
        for port, entries in RESOLVED.items()
        for address, mac in entries.items()
    ]
    queues = {"rate": "unlimited", "rx_descriptors": 4096, "tx_descriptors": 4096, **(nic or {})}
    return parse_config(
        BASE.format(
            fast=_lines(fast or {}),
            slow=_lines({"icmp_errors_per_s": 0, "arp_announce": False, **(slow or {})}),
            options=_lines(options or {}),
            icmp=icmp,
            ports=ports,
            sim=_lines({"buffers": 65536, **(sim or {})}),
            nic=_lines(queues),
            **{name: _lines((port or {}).get(name, {})) for name in (P1, P2, P3)},
            mtu1=mtu1,
            mtu2=mtu2,
            routes=routes,
            neighbors="\n".join(neighbors) if resolved else "",
        )
    )


def bed(*, seed: int = 1, profile: str = "functional", **config: Any) -> Bench:
    """Return a bench with the test bed, its neighbours' MACs known unless resolved=False."""
    bench = Bench.from_config(bed_config(**config), seed=seed, profile=profile, guard_tables=True)
    bench.run_until_idle()
    return bench


def received(bench: Bench, port: str) -> list[bytes]:
    """Return what left the router by a port."""
    return [frame.data for frame in bench.port(port).received()]


def exchange(bench: Bench, port: str, frames: Iterable[bytes]) -> dict[str, list[bytes]]:
    """Send frames into a port, run until nothing moves, check the balance; frames out by port."""
    for name in (P1, P2, P3):
        bench.port(name).clear()
    for frame in frames:
        bench.port(port).send(frame)
    bench.run_until_idle()
    bench.check_conservation()
    return {name: received(bench, name) for name in (P1, P2, P3)}
