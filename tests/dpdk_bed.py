# SPDX-License-Identifier: MIT
"""The test bed of tests/worlds.py on DPDK ring ports, in this process. EAL starts once a process,
with what the first test asks for; every test after it shares that."""

import importlib.util
import os
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from tests import worlds as w
from twinroute.config import Config
from twinroute.config_backends import Dpdk, DpdkPort

WAIT_S = 20.0
MEMORY_MB = 384


def why_not() -> str | None:
    """Say why DPDK cannot run here, if it cannot."""
    try:
        if importlib.util.find_spec("twinroute.dpdk._dpdk") is None:
            return "the DPDK backend is not built"
    except ImportError as error:
        return str(error)
    if os.geteuid() != 0:
        return "EAL wants to be root"
    if os.environ.get("TWINROUTE_SANITIZER"):
        return "DPDK's libraries are not built with the sanitizer"
    return None


needs_dpdk = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def on_dpdk(config: Config, devices: Mapping[str, Any], **dpdk: Any) -> Config:
    """Return the configuration with a device for each port: its name, or a table."""
    ports = {
        name: DpdkPort(**({"device": device} if isinstance(device, str) else device))
        for name, device in devices.items()
    }
    ports = {
        name: port.model_copy(update={"twin_name": port.twin_name or name})
        for name, port in ports.items()
    }
    fields = {"hugepages": False, "memory_mb": MEMORY_MB, "file_prefix": f"test-{os.getpid()}"}
    made = Dpdk(**{**fields, **dpdk}, port=ports)
    return config.model_copy(update={"dpdk": made})


def wait_for(condition: Callable[[], object], what: str = "") -> Any:
    """Poll until the condition holds; native threads are at work meanwhile."""
    end = time.monotonic() + WAIT_S
    while not (result := condition()):
        assert time.monotonic() < end, f"not within {WAIT_S:g} s: {what}"
        os.sched_yield()
    return result


class RingBed:
    """Ring ports for the test bed, and one engine at a time on them."""

    def __init__(self, units: int, *, prefix: str = "") -> None:
        from twinroute.dpdk import RingPort

        self.units = units
        self.devices = {name: f"net_ring_{prefix}{units}{name}" for name in (w.P1, w.P2, w.P3)}
        config = on_dpdk(w.bed_config(), self.devices)
        self.rings = {
            name: RingPort(config, f"{prefix}{units}{name}", rx_queues=units, tx_queues=units + 1)
            for name in self.devices
        }

    def close(self) -> None:
        """Remove the ports."""
        for ring in self.rings.values():
            ring.close()

    def engine(self, config: Config | None = None, **bed: Any) -> Any:
        """Make an engine of the test bed's configuration, or of another with its ports."""
        from twinroute.dpdk import Engine

        fast = {"units": self.units, **bed.pop("fast", {})}
        return Engine(on_dpdk(config or w.bed_config(fast=fast, **bed), self.devices))

    def inject(self, port: str, frames: Iterable[bytes]) -> int:
        """Put frames into a port, those between the same addresses into the same queue."""
        count = 0
        for frame in frames:
            queue = zlib.crc32(frame[26:34]) % self.units
            self.rings[port].inject(frame, queue)
            count += 1
        return count

    def collect(self) -> dict[str, list[bytes]]:
        """Take what left by each port."""
        return {name: ring.collect() for name, ring in self.rings.items()}

    def exchange(self, engine: Any, port: str, frames: list[bytes]) -> dict[str, list[bytes]]:
        """Put frames in, wait until all are accounted for, and return what left by each port."""
        wanted = sum(engine.counters().received.values()) + self.inject(port, frames)

        def at_rest() -> bool:
            counters = engine.counters()
            received = sum(counters.received.values())
            return received == wanted and counters.came == counters.left

        wait_for(at_rest, "all frames sent or dropped")
        return self.collect()


def settled(engine: Any) -> Any:
    """Wait until every change is in the tables of every unit; return the engine."""

    def done() -> bool:
        info = engine.table_info()
        return not info.pending and not info.swap_outstanding

    wait_for(done, "tables published")
    return engine
