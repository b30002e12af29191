# SPDX-License-Identifier: MIT
"""What the slow path does in a second of its processor, and what a flood of its packets costs the
others. Rates are by the time that a thread was on its CPU: other work on the machine disturbs them
little. Each test prints what it has measured: medians, and the lowest and highest of its rounds.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinroute.perf.processes import RunningRouter, wait_for
from twinroute.perf.rivals import NET_NULL, control_of, write_config
from twinroute.perf.samples import spread
from twinroute.perf.source import Source, plugin
from twinroute.perf.test_dpdk_run import pytestmark, tell

__all__ = ["pytestmark", "tell"]

Print = Callable[[str], None]

ROUNDS, ROUND_S = 7, 0.5
EXPIRED_EVERY = 10
DESTINATIONS = 65536
ROUTES = '[[route]]\nto = "0.0.0.0/0"\nvia = "10.0.1.2"\n[slow_path]\n'
ROUTES += "icmp_errors_per_s = {}\npunt_ring = {}\n"
UNLIMITED, AS_SHIPPED = 0, 1000


@dataclass(frozen=True)
class Load:
    """What a router has done between two looks."""

    answered: int
    forwarded: int
    dropped: int  # as the ring to the slow path was full
    fast_s: float  # that the thread of the fast path was on its CPU
    slow_s: float
    idle: float  # part of the slow path's turns that found nothing


def cpu_s(process: int, name: str) -> float:
    """Return how long a thread has been on a CPU."""
    for task in Path(f"/proc/{process}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int((task / "schedstat").read_text().split()[0]) / 1e9
    raise FileNotFoundError(name)


def look(router: RunningRouter) -> tuple[dict[str, Any], float, float]:
    """Read counters and times at once, or nearly."""
    counters = router.ask("show.counters")
    pid = router.process.pid
    slow = router.ask("show.units")["units"][-1]
    counters |= {name: slow[name] for name in ("turns", "idle")}
    return counters, cpu_s(pid, "tr-fast-0"), cpu_s(pid, "tr-slow")


def has_worked(process: int, name: str, until_s: float) -> bool:
    """Tell whether a thread has been on a CPU for so long."""
    return cpu_s(process, name) > until_s


def work(router: RunningRouter, seconds: float) -> None:
    """Wait until both threads have been on a CPU for so long."""
    pid = router.process.pid
    threads = [(name, cpu_s(pid, name)) for name in ("tr-fast-0", "tr-slow")]
    for name, begun in threads:
        wait_for(partial(has_worked, pid, name, begun + seconds), name)


def measure(folder: Path, expired_every: int, *, punt_ring: int, errors: int, cpus: int) -> Load:
    """Have a router of two units forward for a while.

    errors: that may be sent in a second.
    cpus: with one both units take turns on it, so each finds its ring full, or empty.
    """
    present = sorted(os.sched_getaffinity(0))
    addresses = np.arange(DESTINATIONS, dtype=np.uint32) + np.uint32(0xC6120000)
    source = Source(folder / "source", addresses)
    dpdk = f'cores = [{present[-1]}]\nslow_core = {present[-cpus]}\neal_args = ["-d", "{plugin()}"]'
    devices = (NET_NULL.format(0), f"{NET_NULL.format(1)},no-rx=1")
    config = write_config(folder, devices, routes=ROUTES.format(errors, punt_ring), dpdk=dpdk)
    environment = source.environment(expired_every)
    with RunningRouter(config, control_of(folder), environment) as router:
        wait_for(lambda: source.stream(0).packets, "traffic")
        work(router, ROUND_S / 4)
        before, fast_s, slow_s = look(router)
        work(router, ROUND_S)
        after, fast_end_s, slow_end_s = look(router)
    ring = [one["dropped"].get("punt_ring_full", 0) for one in (before, after)]
    return Load(
        answered=after["generated"] - before["generated"],
        forwarded=after["forwarded"] - before["forwarded"],
        dropped=ring[1] - ring[0],
        fast_s=fast_end_s - fast_s,
        slow_s=slow_end_s - slow_s,
        idle=(after["idle"] - before["idle"]) / (after["turns"] - before["turns"]),
    )


def test_time_exceeded(tmp_path: Path, tell: Print) -> None:
    """All packets have expired, and the slow path answers as many as it can."""
    rates = []
    for _ in range(ROUNDS):
        load = measure(tmp_path, 1, punt_ring=16384, errors=UNLIMITED, cpus=1)
        assert load.forwarded == 0
        assert load.idle < 0.1  # else it was not at work all the time
        rates.append(load.answered / load.slow_s)
    tell(f"expired packets answered in a second of one core: {spread(rates, 0)}")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two CPUs expected")
@pytest.mark.parametrize("errors", [AS_SHIPPED, UNLIMITED])
def test_a_flood_beside_simple_packets(tmp_path: Path, tell: Print, errors: int) -> None:
    """One packet of ten has expired: what all packets cost the fast path, next to none of them."""
    ratios, shares = [], []
    for _ in range(ROUNDS):
        without, flooded = (
            measure(tmp_path, every, punt_ring=256, errors=errors, cpus=2)
            for every in (0, EXPIRED_EVERY)
        )
        packets = flooded.forwarded * EXPIRED_EVERY / (EXPIRED_EVERY - 1)
        ratios.append(packets / flooded.fast_s * without.fast_s / without.forwarded)
        shares.append(flooded.dropped / (packets / EXPIRED_EVERY))
    limit = f"{errors} ICMP errors a second" if errors else "no limit of ICMP errors"
    tell(f"packets a second beside a flood, of those without, {limit}: {spread(ratios, 3)}")
    tell(f"  of the flood was dropped by a full ring: {spread(shares, 2)}")
