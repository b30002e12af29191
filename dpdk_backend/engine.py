# SPDX-License-Identifier: MIT
"""A router on DPDK: its life, and what may be asked of it while it runs.

    with Engine(load_config("router.toml")) as engine:
        engine.start()
        ...

Python only configures and reads: packets are the business of native threads, which never take the
interpreter's lock. Any thread may call an engine; calls take turns.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from twinroute import routes
from twinroute.config import Config
from twinroute.dpdk import eal, info
from twinroute.dpdk._dpdk import ffi, lib
from twinroute.dpdk.capture import DIRECTIONS, Capture
from twinroute.dpdk.eal import EngineError, text_of
from twinroute.dpdk.info import NATIVE, NicCounters, PortInfo, TraceEvent, UnitInfo
from twinroute.dpdk.placement import Placement, place
from twinroute.dpdk.settings import check_devices, engine_config
from twinroute.errors import TwinrouteError
from twinroute.native import Native
from twinroute.router_api import RouterApi

EVENTS_A_READ = 1024
RING_WAIT_S = 10.0  # the control ring is emptied at every turn of the slow path
POLL_S = 0.001

routes.check_layout(NATIVE)


@dataclass(frozen=True)
class EngineInfo:
    """Names and the C object of an engine's router."""

    name: str
    ports: Sequence[str]
    units: int
    pointer: Any


class Engine(RouterApi):
    """One router on DPDK ports; several may live in a process, on different ports."""

    failure: ClassVar[type[TwinrouteError]] = EngineError

    def __init__(self, config: Config) -> None:
        """Start EAL if need be, open the devices, make the router. Raises EngineError."""
        check_devices(config)
        eal.start(config)
        self.config = config
        self.ports = list(config.ports)
        self.units = config.fast_path.units + 1  # the slow path included
        self._lock = threading.RLock()
        error = ffi.new("char[]", lib.TR_DPDK_TEXT)
        self._pointer = lib.tr_engine_new(engine_config(config), error)
        if not self._pointer:
            raise EngineError(f"dpdk: {text_of(error)}")
        pointer = lib.tr_engine_router(self._pointer)
        self._info = EngineInfo(config.name, self.ports, self.units, pointer)
        self.placement: Placement | None = None
        try:
            self.configure(config)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the engine."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop and free all."""
        self.close()

    # --- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the units' threads. Raises EngineError."""
        nodes = [port.numa_node for port in self.port_infos()]
        dpdk = self.config.dpdk
        self.placement = place(
            self.units - 1,
            [-1 if node is None else node for node in nodes],
            cores=dpdk.cores,
            slow_core=dpdk.slow_core,
        )
        cpus = ffi.new("int32_t[]", self.placement.cpus)
        yields = ffi.new("bool[]", [not alone for alone in self.placement.alone])
        error = ffi.new("char[]", lib.TR_DPDK_TEXT)
        with self._lock:
            if lib.tr_engine_start(self._open(), cpus, yields, error):
                raise EngineError(f"dpdk: {text_of(error)}")

    def stop(self, *, drain_ms: int | None = None) -> int:
        """Stop receiving, send what is held, stop the units; return the packets still held.

        drain_ms: the most time to take for it; `[dpdk] drain_ms` by default.
        """
        limit = self.config.dpdk.drain_ms if drain_ms is None else drain_ms
        with self._lock:
            return int(lib.tr_engine_stop(self._open(), limit)) if self._pointer else 0

    def close(self) -> None:
        """Stop, close the devices, free all. The engine can do nothing any more."""
        with self._lock:
            self.stop()
            pointer, self._pointer = self._pointer, ffi.NULL
            lib.tr_engine_free(pointer)

    @property
    def running(self) -> bool:
        """Whether the units run."""
        return bool(self._pointer and lib.tr_engine_is_running(self._pointer))

    def _open(self) -> Any:
        """Return the C engine."""
        if not self._pointer:
            raise EngineError("dpdk: the engine is closed")
        return self._pointer

    def _fit_mtu(self, name: str, mtu: int) -> str | None:
        error = ffi.new("char[]", lib.TR_DPDK_TEXT)
        with self._lock:
            if lib.tr_engine_fit_mtu(self._open(), self._port_index(name), mtu, error):
                return f"expected {text_of(error)}"
        return None

    # --- what it is and does ----------------------------------------------------------------------

    def port_infos(self) -> list[PortInfo]:
        """Return every port, in the order of the configuration."""
        with self._lock:
            pointer = self._open()
            return [info.port_info(pointer, i, name) for i, name in enumerate(self.ports)]

    def nic(self, port: str) -> NicCounters:
        """Return the counters of a port's NIC."""
        with self._lock:
            return info.nic_counters(self._open(), self._port_index(port))

    def unit_infos(self) -> list[UnitInfo]:
        """Return every unit's thread, the slow path last."""
        with self._lock:
            return self.unit_infos_unlocked()

    def unit_infos_unlocked(self) -> list[UnitInfo]:
        """Do the same without taking turns, also while another call waits for a unit that hangs.

        Who closes the engine sees to it that nobody asks meanwhile.
        """
        pointer = self._open()
        return [info.unit_info(pointer, unit, self.units) for unit in range(self.units)]

    # --- how its core is reached (RouterApi) ------------------------------------------------------

    @property
    def native(self) -> Native:
        """The DPDK backend's extension."""
        return NATIVE

    @property
    def info(self) -> EngineInfo:
        """Names and the C object."""
        self._open()
        return self._info

    def _post(self, call: Any, what: str) -> None:
        with self._lock:  # the ring to the slow path has room for one caller at a time
            super()._post(call, what)

    def wait_a_turn(self) -> None:
        """Let the units do something; those that have not been started do it here."""
        if self.running:
            threading.Event().wait(POLL_S)
            return
        with self._lock:
            lib.tr_engine_turn(self._open())

    def _make_room(self, attempt: int) -> bool:
        self.wait_a_turn()
        return attempt * POLL_S < RING_WAIT_S

    def _read_routes(self, out: Any, room: int, everything: bool) -> int:
        with self._lock:
            return int(lib.tr_engine_routes_read(self._open(), out, room, everything))

    def _read_neighbors(self, out: Any, room: int) -> int:
        with self._lock:
            return int(lib.tr_engine_neighbors_read(self._open(), out, room))

    def _read_rules(self, out: Any, room: int) -> int:
        with self._lock:
            return int(lib.tr_engine_rules_read(self._open(), out, room))

    def _read_hops(self, addresses: Any, count: int, out: Any, room: int) -> int:
        with self._lock:
            return int(lib.tr_engine_routes_lookup(self._open(), addresses, count, out, room))

    def _read_table_info(self, out: Any) -> None:
        with self._lock:
            lib.tr_engine_table_info(self._open(), out)

    def _read_held(self, unit: int) -> int:
        with self._lock:
            if unit + 1 == self.units:
                return int(lib.tr_engine_held(self._open()))
            return super()._read_held(unit)  # a sum of counts that the unit may change meanwhile

    # --- trace and capture ------------------------------------------------------------------------

    def trace(self, filter: str = "", *, most: int = 10) -> None:
        """Trace the next `most` packets received that match a libpcap filter; 0 ends the trace."""
        error = ffi.new("char[]", lib.TR_DPDK_TEXT)
        with self._lock:
            if lib.tr_engine_trace(self._open(), filter.encode(), most, error):
                raise EngineError(f'trace filter "{filter}": {text_of(error)}')

    def trace_events(self) -> list[TraceEvent]:
        """Take the events since the last call, sorted by packet and time."""
        out = ffi.new("struct tr_dpdk_trace_event[]", EVENTS_A_READ)
        events: list[TraceEvent] = []
        with self._lock:
            while count := int(lib.tr_engine_trace_read(self._open(), out, EVENTS_A_READ)):
                events += [info.trace_event(out[index], self.ports) for index in range(count)]
        return sorted(events, key=lambda event: (event.packet, event.cycles))

    def capture(
        self,
        filter: str = "",
        *,
        ports: Sequence[str] = (),
        directions: Sequence[str] = ("in", "out"),
        snap: int = 65535,
        buffers: int = 1023,
    ) -> Capture:
        """Start to capture frames that match a libpcap filter, on some ports or all.

        snap: bytes of a frame to copy. buffers: frames that wait to be read; more are lost.
        """
        snap = min(snap, max(self.port_status(name).mtu for name in self.ports) + 26)
        masks = [1 << self._port_index(port) for port in ports or self.ports]
        direction = sum(DIRECTIONS[one] for one in set(directions))
        error = ffi.new("char[]", lib.TR_DPDK_TEXT)
        arguments = (sum(set(masks)), direction, filter.encode(), snap, buffers, error)
        with self._lock:
            pointer = lib.tr_capture_start(self._open(), *arguments)
        if not pointer:
            raise EngineError(f'capture "{filter}": {text_of(error)}')
        return Capture(pointer, self.ports, snap)
