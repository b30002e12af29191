# SPDX-License-Identifier: MIT
"""A device under test: what the suite needs of a router, whatever it is made of."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from twinroute.conformance.setup import Setup

# What a device may be capable of, and what a case may need.
CAPABILITIES = {
    "counters": "counts drops and punts by reason",
    "twin": "the host stack's side of the ports is the tester's",
    "link": "the link of a port can be taken down and up",
    "change": "the configuration can be changed while it runs",
    "virtual-time": "time is the tester's",
    "arp": "neighbours come and go as the case says, and not by themselves",
    "padding": "frames are at least 60 octets long",
    "trace": "shows a packet's way through its steps",
}


class Missing(Exception):
    """The device does not have what a case asks for; the text says what that is."""


class Unable(Missing):
    """The device lacks a capability, of which its router is innocent."""


class DeviceError(Exception):
    """The device cannot be used at all."""


@dataclass(frozen=True)
class Captured:
    """A frame that came out at a place."""

    place: str
    data: bytes
    time_ps: int


@dataclass(frozen=True)
class Sent:
    """A frame to send into a port, or out of a twin. good: one of the packets around a case's."""

    place: str
    data: bytes
    good: bool = False
    time_ps: int = 0


@dataclass(frozen=True)
class Counts:
    """Packets by the reason of their drop (what was answered or used up, too) and of their punt."""

    dropped: Counter[str] = field(default_factory=Counter)
    punted: Counter[str] = field(default_factory=Counter)

    def since(self, before: "Counts") -> "Counts":
        """Return what was counted after another reading."""
        return Counts(
            Counter({k: v - before.dropped[k] for k, v in self.dropped.items()}) + Counter(),
            Counter({k: v - before.punted[k] for k, v in self.punted.items()}) + Counter(),
        )


class Device(ABC):
    """A router between the tester's ports. A case opens it, once for each test bed."""

    name: str
    ours: bool  # what it lacks is not implemented, rather than not applicable
    capabilities: frozenset[str]

    @abstractmethod
    def open(self, setup: Setup) -> None:
        """Make a router, or set the one there is up. Raises Missing."""

    @abstractmethod
    def close(self) -> None:
        """Forget the router; nothing, if there is none."""

    def end(self) -> None:
        """Give back what the device holds from bed to bed."""
        self.close()

    @abstractmethod
    def send(self, frames: Sequence[Sent], *, trace: bool = False) -> None:
        """Send frames one after another; trace those that are not merely good."""

    @abstractmethod
    def run(self, us: float | None, *, count: int = 0, wait_ms: float = 0) -> None:
        """Let time pass: so much, or until nothing moves any more.

        For a device that can but wait: count: frames that are expected. wait_ms: time that they
        may take, besides what a router takes anyway.
        """

    @abstractmethod
    def captured(self) -> list[Captured]:
        """Take what came out since the last call, at each place in its order."""

    @property
    def now_ps(self) -> int:
        """The device's time; 0 where it would not be the same again."""
        return 0

    def counts(self) -> Counts | None:
        """Read the counters, if there are any."""
        return None

    def trace(self) -> str:
        """Take the way of the traced packets through the router's steps, as text."""
        return ""

    def problems(self) -> list[str]:
        """Say what is wrong with the router itself: a packet that is not accounted for."""
        return []

    def change(self, setup: Setup) -> None:
        """Change the configuration of the running router. Raises Missing."""
        raise Missing(f"{self.name} cannot be changed while it runs")

    def set_link(self, port: str, up: bool) -> None:
        """Take the link of a port down or up at the tester's end. Raises Missing."""
        raise Missing(f"{self.name} has no links that can be taken down")

    @property
    def router(self) -> Any:
        """The router itself, for what only our own backends can be asked. Raises Missing."""
        raise Missing(f"{self.name} is not a router of ours")

    @property
    def versions(self) -> dict[str, str]:
        """Name what the device is made of, with versions."""
        return {}
