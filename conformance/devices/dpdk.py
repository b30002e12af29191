# SPDX-License-Identifier: MIT
"""Our router on DPDK: ring ports in this process, and twins in a namespace of the tester's.

Time is real. A new engine is made for each test bed; the ring ports and EAL stay.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import twinroute
from twinroute.config import Config
from twinroute.conformance import names as n
from twinroute.conformance.device import (
    CAPABILITIES,
    Captured,
    Counts,
    Device,
    DeviceError,
    Missing,
    Sent,
)
from twinroute.conformance.devices.namespaces import Namespace, Tap, why_not
from twinroute.conformance.frames import is_arp
from twinroute.conformance.knobs import our_config
from twinroute.conformance.setup import Setup
from twinroute.errors import ConfigError, TwinrouteError
from twinroute.reload import reload

MEMORY_MB = 512
REST_S = 0.5  # until everything that was sent is accounted for, besides what a case waits for
QUEUE_FRAMES = 1024
COLLECT_EACH = 256  # frames sent, before queues that nobody empties are full
FRAME_BYTES = 9216 + 64


class DpdkDevice(Device):
    """Our router on DPDK's ring ports."""

    name = "dpdk"
    ours = True

    def __init__(self) -> None:
        """Start EAL, make the ring ports. Raises DeviceError."""
        try:
            from twinroute.dpdk import Engine, RingPort
        except ImportError as error:
            raise DeviceError(f"dpdk: not built here: {error}") from None
        self._engine_class = Engine
        self._engine: Any = None
        self._twins: dict[str, Tap] = {}
        self._found: list[Captured] = []
        self._due = self._at_twins = 0
        self._used = False  # the engine's state is no longer that of a new one
        self._setup: Setup | None = None
        self._namespace = self._make_namespace()
        self.capabilities = frozenset(CAPABILITIES) - {"virtual-time"}
        if self._namespace is None:
            self.capabilities -= {"twin"}
        self._devices = {port: f"net_ring_c{port}" for port in n.PORTS}
        config = self._config(Setup(mtu=dict.fromkeys(n.PORTS, 9000)))
        queues = {"rx_queues": 1, "tx_queues": 2}
        sizes = {"capacity": QUEUE_FRAMES, "frame_bytes": FRAME_BYTES}
        try:
            self._rings = {
                port: RingPort(config, f"c{port}", **queues, **sizes) for port in n.PORTS
            }
        except TwinrouteError as error:
            raise DeviceError(str(error)) from None

    @staticmethod
    def _make_namespace() -> Namespace | None:
        if why_not() or not Path("/dev/net/tun").exists():
            return None
        return Namespace(f"twins-{os.getpid()}")

    def end(self) -> None:
        """Close everything."""
        self._stop()
        for ring in self._rings.values():
            ring.close()
        if self._namespace:
            self._namespace.close()

    # --- set-up -----------------------------------------------------------------------------------

    def _config(self, setup: Setup) -> Config:
        ports: dict[str, dict[str, Any]] = {}
        for port in n.PORTS:
            if port in setup.addresses:
                ports[port] = {"device": self._devices[port], "twin_name": port}
                if setup.twins and self._namespace:
                    ports[port] |= {"twin": True, "twin_netns": self._namespace.name}
        dpdk = {
            "hugepages": False,
            "memory_mb": MEMORY_MB,
            "file_prefix": f"conformance-{os.getpid()}",
            "port": ports,
        }
        return our_config(setup, {"dpdk": dpdk})

    def open(self, setup: Setup) -> None:
        """Make an engine and start it; the kernel behind the twins is silenced."""
        if self._engine is not None and setup == self._setup and not self._used:
            self.captured()
            self._start_counting()
            return
        self._stop()
        config = self._config(setup)
        self._setup, self._open_config = setup, config
        self._used = bool(setup.unresolved or setup.knobs)
        try:
            self._engine = self._engine_class(config)
            self._engine.start()
        except TwinrouteError as error:
            raise DeviceError(str(error)) from None
        ports = list(config.ports)
        if setup.twins and self._namespace:
            self._namespace.ip(
                *(f"address flush dev {port}" for port in ports),
                *(f"link set {port} arp off" for port in ports),
            )
            self._twins = {n.twin(port): self._namespace.tap(port) for port in ports}
        self._wait(self._is_settled, REST_S)
        self.captured()
        self._start_counting()

    def _start_counting(self) -> None:
        """Begin with what there is: frames to be received, and at the twins."""
        counters = self._engine.counters()
        self._due = sum(counters.received.values()) + sum(counters.received_twin.values())
        self._at_twins = sum(counters.sent_twin.values())

    def close(self) -> None:
        """Keep the engine, for a case that wants the same, if this one has left no trace in it."""
        if self._used or (self._engine is not None and self._engine.held()):
            self._stop()

    def _stop(self) -> None:
        """Stop the engine."""
        for tap in self._twins.values():
            tap.close()
        self._twins = {}
        if self._engine is not None:
            self._engine.close()
            self._engine = None
            for ring in self._rings.values():
                ring.collect()

    def _is_settled(self) -> bool:
        info = self._engine.table_info()
        return not info.pending and not info.swap_outstanding

    # --- frames -----------------------------------------------------------------------------------

    def send(self, frames: Sequence[Sent], *, trace: bool = False) -> None:
        """Put frames into the ports' queues, or into the twins."""
        if trace:
            self._engine.trace("", most=len([one for one in frames if not one.good]))
        for index, one in enumerate(frames, 1):
            if index % COLLECT_EACH == 0:
                self._wait(self._is_at_rest, REST_S)
                self._collect()
            if one.place in self._twins:
                try:
                    self._twins[one.place].send(one.data)
                except OSError as error:
                    raise Missing(f"a frame the kernel does not send: {error}") from None
            elif self._setup and one.place in self._setup.addresses:
                self._rings[one.place].inject(one.data)
            else:
                raise Missing(f"no {one.place}")
            self._due += 1
            self._used |= is_arp(one.data)

    def run(self, us: float | None, *, count: int = 0, wait_ms: float = 0) -> None:
        """Wait for a time, or until every frame is accounted for."""
        if us is not None:
            time.sleep(us / 1e6)
            return
        self._wait(self._is_at_rest, REST_S + wait_ms / 1000)

    def _is_at_rest(self) -> bool:
        counters = self._engine.counters()
        came = sum(counters.received.values()) + sum(counters.received_twin.values())
        if came < self._due or counters.came != counters.left:
            return False
        if not self._twins:
            return True
        self._collect()  # what goes by a twin passes the kernel
        return bool(self._at_twins >= sum(counters.sent_twin.values()))

    def _wait(self, condition: Any, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            os.sched_yield()

    def captured(self) -> list[Captured]:
        """Empty the transmit queues and the twins' sockets."""
        self._collect()
        found, self._found = self._found, []
        return found

    def _collect(self) -> None:
        for port, ring in self._rings.items():
            self._found += [Captured(port, data, 0) for data in ring.collect()]
        for place, tap in self._twins.items():
            frames = tap.receive()
            self._at_twins += len(frames)
            self._found += [Captured(place, data, 0) for data in frames]

    # --- what it tells ----------------------------------------------------------------------------

    def counts(self) -> Counts:
        """Read the engine's counters."""
        counters = self._engine.counters()
        return Counts(counters.dropped.copy(), counters.punted.copy())

    def trace(self) -> str:
        """Write the steps of the traced packets, without times, which are never the same."""
        events = self._engine.trace_events()
        self._engine.trace("", most=0)
        lines = [
            f"packet {one.packet}  {one.port or 'made here'}  {one.place}  {one.verdict}"
            f" {one.reason}".rstrip()
            for one in events
        ]
        return "\n".join(lines)

    def problems(self) -> list[str]:
        """Check that every packet is accounted for."""
        counters = self._engine.counters()
        held = self._engine.held()
        if counters.came == counters.left + held:
            return []
        return [f"{counters.came} packets came, {counters.left} left, {held} are held"]

    def change(self, setup: Setup) -> None:
        """Reload the configuration, as an operator does."""
        config = self._config(setup)
        self._used = True
        try:
            reload(self._engine, "dpdk", self._open_config, config)
        except ConfigError as error:
            raise Missing(str(error).splitlines()[0].removeprefix("<code>: ")) from None
        self._open_config = config
        self._wait(self._is_settled, REST_S)

    def set_link(self, port: str, up: bool) -> None:
        """Take the link of a ring port down or up."""
        self._used = True
        self._rings[port].set_link(up=up)

    @property
    def router(self) -> Any:
        """The engine."""
        self._used = True
        return self._engine

    @property
    def versions(self) -> dict[str, str]:
        """Name the versions of twinroute and DPDK."""
        return {"twinroute": twinroute.__version__}
