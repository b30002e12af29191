# SPDX-License-Identifier: MIT
"""Routers in the simulator whose tables are loaded and changed, for the benchmarks of that."""

from typing import Any

from twinroute.sim import Bench, Router

PORTS = {"p0": "10.0.0.1/24", "p1": "10.0.1.1/24"}


def linked_router(**config: Any) -> tuple[Bench, Router]:
    """Return an empty router with a link at each port: no route leads by a port without one."""
    bench = Bench()
    router = bench.router(port=PORTS, **config)
    for port in PORTS:
        bench.link(router.port(port), bench.station(record=False))
    bench.settle()
    return bench, router
