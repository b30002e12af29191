# SPDX-License-Identifier: MIT
"""What the NICs of a router have counted, and the reasons that a router counts under."""

from dataclasses import dataclass

from twinroute.native import Reason
from twinroute.sim.native import NATIVE


def drop_reasons() -> list[Reason]:
    """List every reason for which a packet ends in the router, in the order of drops.def."""
    return list(NATIVE.drops)


def punt_reasons() -> list[Reason]:
    """List every reason for which the fast path hands a packet over, in the order of punts.def."""
    return list(NATIVE.punts)


@dataclass(frozen=True)
class NicCounters:
    """What the NIC of a port has counted, in frames."""

    received: int  # put into a receive queue
    received_bytes: int
    missed: int  # receive queue full
    no_buffer: int  # no packet buffer for a frame that came
    sent: int
    sent_bytes: int
