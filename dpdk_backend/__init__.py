# SPDX-License-Identifier: MIT
"""The DPDK backend: the router on real and virtual NICs, a native thread for each unit.

Where it is not built, asking for any of its names raises ImportError with the reason; the doctor,
which needs no DPDK, works all the same.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twinroute.dpdk.capture import Capture
    from twinroute.dpdk.eal import EngineError
    from twinroute.dpdk.engine import Engine
    from twinroute.dpdk.info import NicCounters, PortInfo, TraceEvent, UnitInfo
    from twinroute.dpdk.ring_port import RingPort

_HOMES = {
    "Capture": "capture",
    "Engine": "engine",
    "EngineError": "eal",
    "NicCounters": "info",
    "PortInfo": "info",
    "RingPort": "ring_port",
    "TraceEvent": "info",
    "UnitInfo": "info",
}

__all__ = [
    "Capture",
    "Engine",
    "EngineError",
    "NicCounters",
    "PortInfo",
    "RingPort",
    "TraceEvent",
    "UnitInfo",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import_module("twinroute.dpdk._dpdk")
    except ImportError as error:
        raise ImportError(
            f"twinroute.dpdk: the DPDK backend is not built here, or DPDK's libraries are missing"
            f" (on Debian: apt install libdpdk-dev, then build again): {error}"
        ) from error
    return getattr(import_module(f"twinroute.dpdk.{_HOMES[name]}"), name)
