# SPDX-License-Identifier: MIT
"""A router between two stations: the smallest world, for the tests of the bench itself."""

from typing import Any

from tests import packets as p
from twinroute.sim import Bench

SENDER = "02:00:00:00:00:99"
GATEWAY = "10.0.1.2"
GATEWAY_MAC = "02:00:00:00:00:02"
OTHER = "10.0.1.3"
OTHER_MAC = "02:00:00:00:00:03"
WIRE_PS = (60 + 24) * 8 * 100  # the shortest frame at 10 Gbit/s
TABLES: dict[str, Any] = {
    "port": {"p0": "10.0.0.1/24", "p1": "10.0.1.1/24"},
    "neighbor": [
        {"port": "p0", "address": "10.0.0.2", "mac": SENDER},
        {"port": "p1", "address": GATEWAY, "mac": GATEWAY_MAC},
        {"port": "p1", "address": OTHER, "mac": OTHER_MAC},
    ],
    "fast_path": {"tx_buffer": 1},
    "route": [{"to": "198.18.0.0/16", "via": GATEWAY}],
}


class World:
    """A router between two stations, `a` at p0 and `b` at p1."""

    def __init__(self, *, rate: str | int = "10G", delay_us: float = 0, **options: Any):
        settings = {key: options.pop(key) for key in ("seed", "profile") if key in options}
        self.faults = options.pop("faults", None)
        self.bench = Bench(**settings)
        self.router = self.bench.router(**{**TABLES, **options})
        self.a = self.bench.station("a")
        self.b = self.bench.station("b")
        self.link_a = self.bench.link(
            self.a, self.router.port("p0"), rate=rate, delay_us=delay_us, faults=self.faults
        )
        self.link_b = self.bench.link(self.router.port("p1"), self.b, rate=rate)
        self.bench.settle()
        self.start_ps = self.bench.now_ps

    def frame(self, dst: str = "198.18.0.1", size: int = 60, ident: int = 0) -> bytes:
        """Return a frame of `size` bytes for p0."""
        packet = p.ipv4("10.0.0.2", dst, bytes(size - 34), ident=ident)
        return p.ether(self.router.port("p0").mac, SENDER, packet)

    def idents(self) -> list[int]:
        """Identification fields of what came out at p1, in order."""
        return [int.from_bytes(frame.data[18:20]) for frame in self.b.received()]
