# SPDX-License-Identifier: MIT
"""Our router on the simulator: a new one for each test bed, in virtual time."""

from collections.abc import Sequence
from typing import Any

import twinroute
from twinroute.config import Config
from twinroute.conformance import names as n
from twinroute.conformance.device import CAPABILITIES, Captured, Counts, Device, Missing, Sent
from twinroute.conformance.knobs import our_config
from twinroute.conformance.setup import Setup
from twinroute.errors import ConfigError
from twinroute.reload import reload
from twinroute.sim import Bench, BenchError, Station, format_trace

US_PER_MINUTE = 60_000_000
BUFFERS = 8192
TRACED_MAX = 64  # frames of those sent in one go
TWIN_RATE = "100G"  # of what the host stack takes
NIC = {"rate": "unlimited", "rx_descriptors": 4096, "tx_descriptors": 4096}


class SimDevice(Device):
    """Our router on the simulator."""

    name = "sim"
    ours = True
    capabilities = frozenset(CAPABILITIES)

    def __init__(self, *, seed: int = 1) -> None:
        """Take the seed of ties."""
        self.seed = seed
        self.bench: Bench | None = None
        self._stations: dict[str, Station] = {}
        self._config: Any = None
        self._traced = 0

    def open(self, setup: Setup) -> None:
        """Make a world of one router, a station at each port, and one at each twin."""
        self.close()
        ports = setup.ports
        config = sim_config(setup)
        bench = Bench.from_config(config, seed=self.seed, guard_tables=True)
        self._stations = {port: bench.port(port).station for port in ports}
        for port in ports if setup.twins else ():
            stack = bench.station(f"stack-{port}")
            bench.link(stack, bench.only.twin(port), rate=TWIN_RATE)
            self._stations[n.twin(port)] = stack
        self.bench, self._config, self._traced = bench, config, 0

    def close(self) -> None:
        """Let go of the world."""
        self.bench, self._stations = None, {}

    def send(self, frames: Sequence[Sent], *, trace: bool = False) -> None:
        """Hand the frames to the stations, which send them at once."""
        for place in dict.fromkeys(one.place for one in frames):
            ones = [one for one in frames if one.place == place]
            if place not in self._stations:
                raise Missing(f"no {place}")
            marks = [trace and i < TRACED_MAX and not one.good for i, one in enumerate(ones)]
            self._stations[place].send_all([one.data for one in ones], trace=marks)

    def run(self, us: float | None, *, count: int = 0, wait_ms: float = 0) -> None:
        """Run for a time, or until the world is idle."""
        bench = self._bench
        if us is None:
            bench.run_until_idle(10 * US_PER_MINUTE)
        else:
            bench.run(us=us)

    def captured(self) -> list[Captured]:
        """Empty the stations' records."""
        found = []
        for place, station in self._stations.items():
            if station.received_count:
                ones = station.received()
                found += [Captured(place, one.data, one.time_ps) for one in ones]
                station.clear()
        return found

    @property
    def now_ps(self) -> int:
        """Virtual time."""
        return self._bench.now_ps

    def counts(self) -> Counts:
        """Read the router's counters."""
        counters = self._bench.only.counters()
        return Counts(counters.dropped.copy(), counters.punted.copy())

    def trace(self) -> str:
        """Write the events of the traced packets that are new."""
        new = self._bench.trace_events(self._traced)
        self._traced += len(new)
        return format_trace(new) if new else ""

    def problems(self) -> list[str]:
        """Check that every packet is accounted for."""
        try:
            self._bench.check_conservation()
        except BenchError as error:
            return str(error).splitlines()
        return []

    def change(self, setup: Setup) -> None:
        """Reload the configuration, as an operator does."""
        config = sim_config(setup)
        try:
            reload(self._bench.only, "sim", self._config, config)
        except ConfigError as error:
            raise Missing(str(error).splitlines()[0].removeprefix("<code>: ")) from None
        self._config = config
        self._bench.settle()

    def set_link(self, port: str, up: bool) -> None:
        """Take the link of a port down or up."""
        self._bench.port(port).link.set_up(up)

    @property
    def router(self) -> Any:
        """The simulator's router."""
        return self._bench.only

    @property
    def versions(self) -> dict[str, str]:
        """Name the version of twinroute."""
        return {"twinroute": twinroute.__version__}

    @property
    def _bench(self) -> Bench:
        assert self.bench is not None
        return self.bench


def sim_config(setup: Setup) -> Config:
    """Return the configuration of a test bed, with its world."""
    nic = {port: dict(NIC) for port in setup.ports}
    return our_config(setup, {"sim": {"neighbors": "silent", "buffers": BUFFERS, "port": nic}})
