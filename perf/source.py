# SPDX-License-Identifier: MIT
"""Traffic without a NIC: frames out of DPDK's net_null ports, for any application that uses those.

traffic_source.c writes them. Give its plugin() to EAL by -d, and the application environment().
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

STREAMS_MAX = 64
PORT_QUEUES_MAX = 4
IMIX = (60, 590, 60, 590, 60, 60, 1514, 60, 590, 60, 590, 60)  # 7 : 4 : 1
COUNTS = ("packets", "bursts", "cycles", "hz", "cpu_ns")
STREAM = np.dtype([*((name, "u8") for name in COUNTS), ("reserved", "V24")])


@dataclass(frozen=True)
class Stream:
    """What a receive queue had got, at some moment shortly before."""

    packets: int
    bursts: int
    cycles: int  # of the clock
    hz: int  # of the clock
    cpu_ns: int  # that the thread which polls the queue has been on a CPU


def plugin() -> Path:
    """Return the plugin; FileNotFoundError where the DPDK backend is not built."""
    with as_file(files("twinroute.perf") / "traffic_source.so") as path:
        return path.resolve(strict=True)


class Source:
    """A set of destinations, and the streams that an application makes of it."""

    def __init__(self, path: Path, destinations: npt.NDArray[np.uint32]) -> None:
        """Write the file at `path`. destinations: host order; as many as a power of two."""
        if len(destinations) & (len(destinations) - 1) or not len(destinations):
            raise ValueError(f"{len(destinations)} destinations: expected a power of two")
        self.path = path
        counts = np.zeros(STREAMS_MAX, STREAM)
        path.write_bytes(counts.tobytes() + destinations.astype(">u4").tobytes())

    def environment(
        self, expired_every: int = 0, *, lengths: Sequence[int] = (), verdict: bool = True
    ) -> dict[str, str]:
        """Return what the application's environment has to have.

        expired_every: one packet of so many has a TTL of 1; 0: none. lengths: of frames, in turn;
        none: the device's. verdict: the checksum is said to be right, as NICs do.
        """
        chosen = {"TWINROUTE_SOURCE": str(self.path)}
        if expired_every:
            chosen["TWINROUTE_SOURCE_EXPIRED"] = str(expired_every)
        if lengths:
            chosen["TWINROUTE_SOURCE_BYTES"] = ",".join(map(str, lengths))
        if not verdict:
            chosen["TWINROUTE_SOURCE_CHECKSUM"] = "unknown"
        return chosen

    def stream(self, port: int, queue: int = 0) -> Stream:
        """Return the count of a queue; the application may be at work."""
        offset = (port * PORT_QUEUES_MAX + queue) * STREAM.itemsize
        row = np.fromfile(self.path, STREAM, 1, offset=offset)[0]
        return Stream(*(int(row[name]) for name in COUNTS))

    def reset(self) -> None:
        """Set all counts to 0, before another application starts."""
        with self.path.open("r+b") as file:
            file.write(np.zeros(STREAMS_MAX, STREAM).tobytes())
