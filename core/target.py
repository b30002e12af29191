# SPDX-License-Identifier: MIT
"""What the management serves: a router on some backend, with its ports and units.

The simulator's BenchTarget and the DPDK backend's Engine both are one. All of it is called from
one thread, the management's; nothing here may wait longer than the slow path takes for a turn.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twinroute.router_api import RouterApi


@dataclass(frozen=True)
class PortState:
    """A port as it is at the moment."""

    name: str
    mac: str
    mtu: int  # bytes of the IP packet
    device: str  # what EAL calls it, or what the simulator has
    driver: str
    link_up: bool
    link_mbps: int = 0  # 0: unknown or unlimited
    numa_node: int = -1  # -1: none
    rx_queues: int = 1
    tx_queues: int = 1
    rss: bool = False
    checksum: bool = False  # the NIC checks IPv4 header checksums; else software does
    filters: bool = False  # the NIC picks out what is for the slow path; else software does
    filters_why: str = ""  # why there are none
    promiscuous: bool = False
    twin: str = ""  # interface, or ""
    # Counters of the NIC by name, in frames and bytes: received, received_bytes, missed,
    # no_buffer, sent, sent_bytes and what else the backend has.
    nic: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class UnitState:
    """A unit and the processor that it runs on."""

    index: int
    kind: str  # fast, slow
    cpu: int | None = None  # None: wherever it is put
    yields: bool = False  # gives its processor away while there is nothing to do
    turns: int = 0  # of its loop
    idle: int = 0  # turns that found nothing
    held: int = 0  # packets in its queues, about


@dataclass(frozen=True)
class CapturedFrame:
    """A frame that came in or went out by a port."""

    time_ns: int  # since 1970; in the simulator since the start of the world
    port: str
    direction: str  # in, out
    size: int  # bytes of the frame; data may be less
    data: bytes


@dataclass(frozen=True)
class TraceRecord:
    """One place of the router that took a traced packet."""

    packet: int  # number of the traced packet, from 1; what is made because of it shares it
    time_us: float  # since the first one
    unit: int
    port: str  # by which the packet came, "-" for one that the router made
    size: int  # bytes of the frame
    step: str
    verdict: str  # forward: goes on; punt; drop; done: used up; "-": ends here with no reason
    reason: str  # of the punt, the drop or the use, or ""


class Capture(Protocol):
    """A capture under way."""

    @property
    def lost(self) -> int:
        """Frames that matched and found no buffer."""

    def read(self) -> list[CapturedFrame]:
        """Take the frames captured since the last call, or some of them."""

    def stop(self) -> None:
        """End it; what was not read is forgotten."""


class Trace(Protocol):
    """A trace under way; starting another one ends it."""

    @property
    def lost(self) -> int:
        """Records for which there was no room."""

    def read(self) -> list[TraceRecord]:
        """Take the records made since the last call; those of one unit are in order."""

    def stop(self) -> None:
        """End it."""


class Target(Protocol):
    """A router under management."""

    @property
    def backend(self) -> str:
        """Name of the backend, as its table in the configuration: "sim", "dpdk"."""

    @property
    def router(self) -> RouterApi:
        """Routes, neighbours and counters."""

    def port_states(self) -> list[PortState]:
        """Return every port as it is, in order of index."""

    def unit_states(self) -> list[UnitState]:
        """Return every unit as it is, the slow path last."""

    def settle(self, watch: Callable[[int], None] | None = None) -> None:
        """Return once every change so far is in the tables that the fast path uses.

        watch: told again and again how many changes are not written yet. Raises Unplaced
        (twinroute.room) if some routes have found no room.
        """

    def capture(
        self, ports: list[str], direction: str, filter: str, snap_bytes: int, buffers: int
    ) -> Capture:
        """Copy frames of these ports ([]: of all) that match a libpcap filter ("": any).

        direction: in, out or both. snap_bytes: copied of a frame at most. buffers: frames that
        wait to be read. Raises TwinrouteError for a wrong filter.
        """

    def trace(self, filter: str, most: int) -> Trace:
        """Trace the next packets that come in and match a libpcap filter ("": any)."""


class Engine(Target, Protocol):
    """A target that runs by itself between start() and stop(): what `twinroute run` runs."""

    def start(self) -> None:
        """Start the units. Raises TwinrouteError where something refuses."""

    def stop(self) -> int:
        """Drain, stop, give everything back; return the packets still held. May be repeated."""

    def problem(self) -> str | None:
        """Tell what has gone wrong since the start, in one line, or None."""

    def turns(self) -> dict[str, int]:
        """Return by the name of each unit how often its loop went round; never waits."""
