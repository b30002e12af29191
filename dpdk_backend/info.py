# SPDX-License-Identifier: MIT
"""What an engine tells of its ports, units and traced packets."""

from dataclasses import dataclass
from typing import Any

from twinroute.dpdk._dpdk import ffi, lib
from twinroute.native import Native

NATIVE = Native(ffi, lib)


@dataclass(frozen=True)
class PortInfo:
    """A port and what its driver offers."""

    name: str
    device: str
    driver: str
    mac: str
    mtu: int
    numa_node: int | None
    rx_queues: int  # the one of the filters included
    tx_queues: int
    tx_shared: bool  # too few transmit queues: units share the last one
    rss: bool
    checksum: bool  # IPv4 header checksums are checked by the NIC, else in software
    filters: str  # "hardware", or "software: " with the reason
    promiscuous: bool
    twin: bool
    link_up: bool
    link_mbps: int | None


@dataclass(frozen=True)
class NicCounters:
    """What the NIC of a port has counted, in frames."""

    received: int
    received_bytes: int
    missed: int  # receive queue full
    errors: int
    no_buffer: int  # no packet buffer for a frame that came
    chained: int  # dropped: in several buffers that did not fit into one
    sent: int
    sent_bytes: int
    send_errors: int


@dataclass(frozen=True)
class UnitInfo:
    """A unit's thread."""

    name: str
    cpu: int | None  # None: any
    alone: bool  # it has its CPU for itself, and never sleeps
    turns: int
    idle_turns: int  # that found nothing
    trace_events_lost: int


@dataclass(frozen=True)
class TraceEvent:
    """One place that took a traced packet."""

    cycles: int
    packet: int  # number of the traced packet, from 1; what is made because of it shares it
    size: int  # bytes of the frame
    place: str  # a step of the core
    verdict: str  # forward: goes on; punt; drop; done: used up; "-": ends here with no reason
    reason: str
    unit: int
    port: str | None  # by which the packet came, None: made here


def port_info(pointer: Any, index: int, name: str) -> PortInfo:
    """Ask the C engine for a port."""
    out = ffi.new("struct tr_dpdk_port_info *")
    lib.tr_engine_port_info(pointer, index, out)
    why = NATIVE.text(out.filters_why) or "the driver has none"
    return PortInfo(
        name=name,
        device=NATIVE.text(out.device),
        driver=NATIVE.text(out.driver),
        mac=bytes(out.mac).hex(":"),
        mtu=int(out.mtu),
        numa_node=int(out.numa_node) if out.numa_node >= 0 else None,
        rx_queues=int(out.rx_queues),
        tx_queues=int(out.tx_queues),
        tx_shared=bool(out.tx_shared),
        rss=bool(out.rss),
        checksum=bool(out.checksum),
        filters="hardware" if out.filters else f"software: {why}",
        promiscuous=bool(out.promiscuous),
        twin=bool(out.twin),
        link_up=bool(out.link_up),
        link_mbps=int(out.link_mbps) or None,
    )


def nic_counters(pointer: Any, index: int) -> NicCounters:
    """Ask the C engine for a port's counters; all are 0 where the driver counts nothing."""
    out = ffi.new("struct tr_dpdk_nic_counters *")
    lib.tr_engine_nic_counters(pointer, index, out)
    names = NicCounters.__dataclass_fields__
    return NicCounters(**{name: int(getattr(out, name)) for name in names})


def unit_info(pointer: Any, unit: int, units: int) -> UnitInfo:
    """Ask the C engine for a unit."""
    out = ffi.new("struct tr_dpdk_unit_info *")
    lib.tr_engine_unit_info(pointer, unit, out)
    return UnitInfo(
        name="slow" if unit + 1 == units else f"fast-{unit}",
        cpu=int(out.cpu) if out.cpu != lib.TR_DPDK_ANY_CPU else None,
        alone=not out.yields,
        turns=int(out.turns),
        idle_turns=int(out.idle),
        trace_events_lost=int(out.events_lost),
    )


def trace_event(event: Any, ports: list[str]) -> TraceEvent:
    """Turn a struct tr_dpdk_trace_event into names."""
    verdict, reason = NATIVE.verdict(int(event.verdict))
    return TraceEvent(
        cycles=int(event.cycles),
        packet=int(event.packet),
        size=int(event.bytes),
        place=NATIVE.steps[event.place],
        verdict=verdict,
        reason=reason,
        unit=int(event.unit),
        port=ports[event.port] if event.port < len(ports) else None,
    )
