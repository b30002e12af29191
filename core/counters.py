# SPDX-License-Identifier: MIT
"""What a router has counted, whatever backend it runs on."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twinroute.native import Native


@dataclass(frozen=True)
class StepCounters:
    """What a step has done. The clock is read in some of the bursts only."""

    calls: int = 0
    lanes: int = 0  # live when it was called
    cycles: int = 0  # that it took for the timed ones
    timed_lanes: int = 0

    @property
    def all_cycles(self) -> int:
        """Cycles for all lanes, if the timed ones are like the others."""
        return self.cycles * self.lanes // self.timed_lanes if self.timed_lanes else 0


@dataclass(frozen=True)
class Counters:
    """Counters of a unit, or of all units of a router, in packets.

    Reasons that did not occur are 0: `counters.dropped["no_route"]` always works.
    """

    received: dict[str, int]  # by port
    received_bytes: dict[str, int]
    received_twin: dict[str, int]
    sent: dict[str, int]
    sent_bytes: dict[str, int]
    sent_twin: dict[str, int]
    generated: int = 0
    forwarded: int = 0
    punted: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)  # the consumed ones too
    steps: dict[str, StepCounters] = field(default_factory=dict)
    bursts: int = 0
    flushes_full: int = 0
    flushes_timeout: int = 0
    swaps: int = 0
    # Names of the reasons in `dropped` by which nothing is lost.
    consuming: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def came(self) -> int:
        """Packets that came into being for the router: received or generated."""
        return sum(self.received.values()) + sum(self.received_twin.values()) + self.generated

    @property
    def left(self) -> int:
        """Packets that left the router: sent or dropped."""
        sent = sum(self.sent.values()) + sum(self.sent_twin.values())
        return sent + self.dropped.total()

    @property
    def lost(self) -> Counter[str]:
        """Packets dropped, without those that were answered or used up."""
        return Counter({k: n for k, n in self.dropped.items() if k not in self.consuming})

    @property
    def consumed(self) -> Counter[str]:
        """Packets that were answered or used up."""
        return Counter({k: n for k, n in self.dropped.items() if k in self.consuming})


@dataclass(frozen=True)
class TableInfo:
    """State of a router's double-buffered tables."""

    routes: int  # prefixes with at least one route
    next_hops: int  # in use
    generation: int  # swaps published
    pending: int  # changes not yet in a published table
    swap_outstanding: bool  # published, but not acknowledged by every unit; also filter rules
    unwritten: int = 0  # of those pending, prefixes not yet in the table to publish either
    unplaced: int = 0  # prefixes for which the table or the next hops have no room
    lost: int = 0  # changes of routes for which there was no memory
    hops_room: int = 0  # next hops that are free
    blocks_room: int = 0  # further blocks of 256 addresses with prefixes longer than /24


def read_counters(native: Native, units: Sequence[Any], ports: Sequence[str]) -> Counters:
    """Sum up filled structs tr_counters of one router."""

    def total(field_name: str) -> int:
        return sum(int(getattr(unit, field_name)) for unit in units)

    def by_port(field_name: str) -> dict[str, int]:
        arrays = [getattr(unit, field_name) for unit in units]
        return {name: sum(int(one[port]) for one in arrays) for port, name in enumerate(ports)}

    def by_reason(field_name: str, names: Iterable[str]) -> Counter[str]:
        arrays = [getattr(unit, field_name) for unit in units]
        sums = {name: sum(int(one[i]) for one in arrays) for i, name in enumerate(names)}
        return Counter({name: count for name, count in sums.items() if count})

    steps = {}
    for index, name in enumerate(native.steps):
        ones = [unit.step[index] for unit in units]
        steps[name] = StepCounters(
            sum(int(one.calls) for one in ones),
            sum(int(one.lanes) for one in ones),
            sum(int(one.cycles) for one in ones),
            sum(int(one.timed_lanes) for one in ones),
        )
    return Counters(
        received=by_port("received"),
        received_bytes=by_port("received_bytes"),
        received_twin=by_port("received_twin"),
        sent=by_port("sent"),
        sent_bytes=by_port("sent_bytes"),
        sent_twin=by_port("sent_twin"),
        generated=total("generated"),
        forwarded=total("forwarded"),
        bursts=total("bursts"),
        flushes_full=total("flushes_full"),
        flushes_timeout=total("flushes_timeout"),
        swaps=total("swaps"),
        punted=by_reason("punted", (reason.name for reason in native.punts)),
        dropped=by_reason("dropped", (reason.name for reason in native.drops)),
        steps=steps,
        consuming=frozenset(reason.name for reason in native.drops if reason.consumed),
    )
