# SPDX-License-Identifier: MIT
"""Stations: hosts and testers at a router's ports, and stacks behind their twins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import numpy.typing as npt

from twinroute.config_rules import MAC
from twinroute.sim import capture
from twinroute.sim._sim import ffi, lib
from twinroute.sim.frames import (
    Bulk,
    Frame,
    Frames,
    Latencies,
    Lengths,
    Times,
    copy_facts,
    copy_frames,
    pack,
    send,
    unpack,
)
from twinroute.sim.world import End, StationInfo, World, argument, check, millionths, picoseconds

ARP = {
    "silent": lib.TR_STATION_SILENT,
    "own": lib.TR_STATION_OWN,
    "subnet": lib.TR_STATION_SUBNET,
}


def mac_bytes(mac: str) -> bytes:
    """Read the MAC address of a station."""
    return bytes.fromhex(argument("mac", mac, MAC).replace(":", ""))


def mac_text(octets: bytes) -> str:
    """Write a MAC address."""
    return octets.hex(":")


@dataclass(frozen=True)
class Station:
    """A station of a bench: it sends, receives, answers ARP and echo, and calls back.

    The callback gets the station and the frame, may send, and may stop the bench.
    """

    world: World
    id: int

    @property
    def info(self) -> StationInfo:
        """Name and addresses."""
        return self.world.stations[self.id]

    @property
    def name(self) -> str:
        """Name."""
        return self.info.name

    @property
    def mac(self) -> str:
        """MAC address."""
        return self.info.mac

    @property
    def address(self) -> str | None:
        """IPv4 address with prefix length, if it has one."""
        return self.info.address

    @property
    def end(self) -> End:
        """This station as an end of a link."""
        return End(lib.TR_END_STATION, self.id)

    def send(
        self,
        frame: bytes,
        *more: bytes,
        at_us: float | None = None,
        at_ps: int | None = None,
        trace: bool = False,
    ) -> None:
        """Send frames (Ethernet, without FCS) as soon as the time has come and the wire is free."""
        at = picoseconds(us=at_us, ps=at_ps, name="at")
        send(self.world, self.id, pack([bytes(one) for one in (frame, *more)]), at, trace)

    def send_all(
        self,
        frames: Sequence[bytes],
        *,
        at_ps: npt.ArrayLike | int | None = None,
        trace: npt.ArrayLike | bool = False,
    ) -> None:
        """Send frames, all at a time or each at its own."""
        send(self.world, self.id, pack(frames), at_ps, trace)

    def send_bulk(
        self,
        frames: Bulk,
        *,
        at_ps: npt.ArrayLike | int | None = None,
        trace: npt.ArrayLike | bool = False,
    ) -> None:
        """Send frames from arrays: a table of uint8 (a frame a row) or (data, offsets, lengths).

        `at_ps` is when each may leave, or all; None: now. `trace` marks frames to be traced.
        """
        send(self.world, self.id, unpack(frames), at_ps, trace)

    def received_bulk(self) -> Frames:
        """Copy what the station received since the start, or since clear(), as arrays."""
        return copy_frames(self._record())

    def received(self) -> list[Frame]:
        """Return what the station received since the start, or since clear()."""
        return list(self.received_bulk().each())

    def received_facts(self) -> tuple[Lengths, Times, Latencies]:
        """Copy lengths, times and latencies of what was received, without the bytes."""
        return copy_facts(self._record())

    @property
    def received_count(self) -> int:
        """Number of frames on record."""
        return int(self._record().count)

    def clear(self) -> None:
        """Forget what was received."""
        self.world.at_rest("clear")
        check(lib.tr_station_clear(self.world.pointer, self.id), f"clear {self.name}")

    def write_capture(self, path: str | Path) -> None:
        """Write what was received as a nanosecond pcap, whole or not at all."""
        capture.write_c(path, self._record())

    def _record(self) -> Any:
        """Point a struct tr_frames to the record; it holds until the world runs again."""
        self.world.at_rest("received frames")
        frames = ffi.new("struct tr_frames *")
        check(lib.tr_station_received(self.world.pointer, self.id, frames), f"{self.name}")
        return frames


OnFrame = Callable[[Station, Frame], None]


def add_station(
    world: World,
    *,
    name: str | None = None,
    address: IPv4Interface | None = None,
    answers_for_all: bool = False,
    mac: str | None = None,
    arp: str = "silent",
    echo: bool = False,
    record: bool = True,
    on_frame: OnFrame | None = None,
    silent: float = 0.0,
) -> Station:
    """Add a station to a world; see Bench.station() for the arguments.

    answers_for_all: the "subnet" that it answers ARP for is the whole Internet.
    """
    world.at_rest("station")
    number = len(world.stations)
    if arp not in ARP:
        raise ValueError(f'arp="{arp}": expected one of {", ".join(ARP)}')
    if arp != "silent" and address is None:
        raise ValueError(f'arp="{arp}": expected an address to answer for')
    octets = (b"\x02ST" + number.to_bytes(3)) if mac is None else mac_bytes(mac)
    config = ffi.new("struct tr_station_config *")
    config.mac = list(octets)
    if address is not None:
        config.address = int(address.ip)
        config.bits = 0 if answers_for_all else address.network.prefixlen
    config.arp = ARP[arp]
    config.echo = echo
    config.record = record
    config.call = on_frame is not None
    config.silent_ppm = millionths(silent, "silent")
    station = check(lib.tr_world_station(world.pointer, config), f"station {name}")
    assert station == number
    text = None if address is None else str(address)
    world.stations.append(StationInfo(name or f"h{number + 1}", mac_text(octets), text))
    made = Station(world, station)
    if on_frame is not None:
        world.callbacks.on_frame[station] = _adapter(made, on_frame)
    return made


def _adapter(station: Station, on_frame: OnFrame) -> Callable[[int, bytes, int], None]:
    """Turn what C hands over into the arguments of `on_frame`."""

    def call(_: int, data: bytes, now_ps: int) -> None:
        on_frame(station, Frame(data, now_ps))

    return call
