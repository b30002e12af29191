# SPDX-License-Identifier: MIT
"""An engine under management: what the control server and `twinroute run` need of it."""

import time
from collections.abc import Callable
from dataclasses import asdict

from twinroute.config import Config
from twinroute.dpdk._dpdk import lib
from twinroute.dpdk.capture import Capture
from twinroute.dpdk.eal import EngineError
from twinroute.dpdk.engine import Engine
from twinroute.dpdk.info import TraceEvent
from twinroute.dpdk.placement import make_way
from twinroute.room import Shortages
from twinroute.target import PortState, TraceRecord, UnitState

WAIT_S = 10.0  # without any progress; the slow path makes some at every turn


class EngineTarget:
    """An Engine (twinroute.target) made of the DPDK backend's."""

    backend = "dpdk"

    def __init__(self, config: Config) -> None:
        """Open the devices and make the router. Raises TwinrouteError."""
        self.engine = Engine(config)
        self.router = self.engine
        self._shortages = Shortages()

    def start(self) -> None:
        """Start the units' threads. Raises TwinrouteError."""
        self.engine.start()
        if self.engine.placement:
            make_way(self.engine.placement)

    def stop(self) -> int:
        """Drain, stop, close the devices; return the packets that were still held."""
        held = self.engine.stop() if self.engine.running else 0
        self.engine.close()
        return held

    def problem(self) -> str | None:
        """Tell if the units do not run although they should."""
        return None if self.engine.running else "its units have stopped"

    def turns(self) -> dict[str, int]:
        """Return how often each unit's loop went round, also if one of them hangs."""
        return {unit.name: unit.turns for unit in self.engine.unit_infos_unlocked()}

    def port_states(self) -> list[PortState]:
        """Return every port as it is."""
        states = []
        for info in self.engine.port_infos():
            filters, _, why = info.filters.partition(": ")
            twin = self.engine.config.dpdk.port[info.name].twin_name if info.twin else ""
            states.append(
                PortState(
                    name=info.name,
                    mac=info.mac,
                    mtu=info.mtu,
                    device=info.device,
                    driver=info.driver,
                    link_up=info.link_up,
                    link_mbps=info.link_mbps or 0,
                    numa_node=-1 if info.numa_node is None else info.numa_node,
                    rx_queues=info.rx_queues,
                    tx_queues=info.tx_queues,
                    rss=info.rss,
                    checksum=info.checksum,
                    filters=filters == "hardware",
                    filters_why=why,
                    promiscuous=info.promiscuous,
                    twin=twin,
                    nic=asdict(self.engine.nic(info.name)),
                )
            )
        return states

    def unit_states(self) -> list[UnitState]:
        """Return every unit as it is."""
        infos = self.engine.unit_infos()
        return [
            UnitState(
                index=index,
                kind="slow" if index + 1 == len(infos) else "fast",
                cpu=info.cpu,
                yields=not info.alone,
                turns=info.turns,
                idle=info.idle_turns,
                held=self.router.held(index),
            )
            for index, info in enumerate(infos)
        ]

    def settle(self, watch: Callable[[int], None] | None = None) -> None:
        """Wait until every change so far is in the table of every unit.

        watch: told now and then how many are not written yet. Raises EngineError when nothing moves
        any more, and Unplaced if some routes have found no room.
        """
        moved, end = None, 0.0
        while (info := self.router.table_info()).pending or info.swap_outstanding:
            if watch is not None:
                watch(info.unwritten)
            now = time.monotonic()
            if moved != (moved := (info.pending, info.unwritten, info.generation)):
                end = now + WAIT_S
            elif now > end:
                raise EngineError(f"dpdk: {info.pending} changes are not in the tables yet")
            self.engine.wait_a_turn()
        self._shortages.look(info)

    def capture(
        self, ports: list[str], direction: str, filter: str, snap_bytes: int, buffers: int
    ) -> Capture:
        """Copy frames that match a filter as they pass."""
        ways = ("in", "out") if direction == "both" else (direction,)
        return self.engine.capture(
            filter, ports=ports, directions=ways, snap=snap_bytes, buffers=buffers
        )

    def trace(self, filter: str, most: int) -> "EngineTrace":
        """Trace the next packets received that match a filter."""
        return EngineTrace(self.engine, filter, most)


class EngineTrace:
    """A trace of the units' steps, under way."""

    def __init__(self, engine: Engine, filter: str, most: int) -> None:
        """Begin."""
        self._engine = engine
        self._lost_before = self._lost_ever()
        self._us_a_cycle = 1e6 / int(lib.tr_dpdk_hz())
        self._start: int | None = None
        engine.trace(filter, most=most)

    @property
    def lost(self) -> int:
        """Records that found no room."""
        return self._lost_ever() - self._lost_before

    def _lost_ever(self) -> int:
        return sum(unit.trace_events_lost for unit in self._engine.unit_infos())

    def read(self) -> list[TraceRecord]:
        """Take the records since the last call, sorted by packet and time."""
        events = self._engine.trace_events()
        if events and self._start is None:
            self._start = min(event.cycles for event in events)
        return [self._record(event) for event in events]

    def stop(self) -> None:
        """Trace no more packets."""
        self._engine.trace("", most=0)

    def _record(self, event: TraceEvent) -> TraceRecord:
        assert self._start is not None
        return TraceRecord(
            packet=event.packet,
            time_us=round((event.cycles - self._start) * self._us_a_cycle, 3),
            unit=event.unit,
            port=event.port or "-",
            size=event.size,
            step=event.place,
            verdict=event.verdict,
            reason=event.reason,
        )
