# SPDX-License-Identifier: MIT
"""The simulator: routers, links and hosts in one process and in virtual time."""

from twinroute.counters import Counters
from twinroute.native import Reason
from twinroute.router_api import NeighborInfo
from twinroute.routes import Hop, RouteInfo
from twinroute.sim.bench import Bench
from twinroute.sim.counters import NicCounters, drop_reasons, punt_reasons
from twinroute.sim.frames import Frame, Frames
from twinroute.sim.link import Faults, Link, LinkCounters
from twinroute.sim.profile import Profile, load_profile
from twinroute.sim.router import Port, Router, RouterFaults, Twin
from twinroute.sim.station import Station
from twinroute.sim.trace import TraceEvent, format_trace
from twinroute.sim.world import BenchError

__all__ = [
    "Bench",
    "BenchError",
    "Counters",
    "Faults",
    "Frame",
    "Frames",
    "Hop",
    "Link",
    "LinkCounters",
    "NeighborInfo",
    "NicCounters",
    "Port",
    "Profile",
    "Reason",
    "RouteInfo",
    "Router",
    "RouterFaults",
    "Station",
    "TraceEvent",
    "Twin",
    "drop_reasons",
    "format_trace",
    "load_profile",
    "punt_reasons",
]
