# SPDX-License-Identifier: MIT
"""The test bed with a slow link behind p2, packets of any class for it, and what became of them."""

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tests import packets as p
from tests import worlds as w
from twinroute.sim import Bench

SIZE = 1000  # bytes of a frame
FRAME_BITS = (SIZE + 24) * 8  # on the wire


def slow_bed(rate: int = 50_000_000, *, descriptors: int = 64, **options: Any) -> Bench:
    """Return the bed with a link of that rate (bit/s) at p2, whose NIC has few descriptors."""
    config = w.bed_config(**options)
    nic = config.sim.port[w.P2].model_copy(update={"rate": rate, "tx_descriptors": descriptors})
    sim = config.sim.model_copy(update={"port": {**config.sim.port, w.P2: nic}})
    bench = Bench.from_config(config.model_copy(update={"sim": sim}), guard_tables=True)
    bench.run_until_idle()
    return bench


def frame_of(tos: int, number: int, destination: str = w.A1) -> bytes:
    """Return a frame of H1 with a type of service; it carries its number."""
    data = p.udp(1024 + tos, 9, struct.pack("!I", number) + bytes(SIZE - 14 - 28 - 4))
    return p.ether(w.M1, w.h1, p.ipv4(w.H1, destination, data, tos=tos, ident=number & 0xFFFF))


def schedule(loads: dict[int, int], us: float, start_us: float) -> list[tuple[float, int]]:
    """Return when a frame comes, and its type of service: bit/s of each, evenly for so many µs."""
    times = []
    for tos, bits_per_s in loads.items():
        gap_us = FRAME_BITS / bits_per_s * 1e6
        times += [(start_us + n * gap_us, tos) for n in range(int(us / gap_us))]
    return sorted(times)


def offer(bench: Bench, times: Sequence[tuple[float, int]]) -> list[bytes]:
    """Send frames into p1 at their times, run until all is out; return what was sent in."""
    frames = [frame_of(tos, number) for number, (_, tos) in enumerate(times)]
    for frame, (at_us, _) in zip(frames, times, strict=True):
        bench.port(w.P1).send(frame, at_us=at_us)
    bench.run_until_idle()
    bench.check_conservation()
    assert bench.only.held() == 0
    return frames


def by_class(frames: Iterable[bytes]) -> Counter[int]:
    """Count frames by their type of service."""
    return Counter(frame[15] for frame in frames)


def numbers(frames: Iterable[bytes], tos: int) -> list[int]:
    """Return the numbers of the frames of a type of service."""
    return [int.from_bytes(frame[42:46]) for frame in frames if frame[15] == tos]
