# SPDX-License-Identifier: MIT
"""What systemd is told of a running router (sd_notify(3)), and a watch over its units: one that
makes no more turns is named, and systemd's watchdog, which restarts the router, is not fed
(RFC 1812 10.3.2.2)."""

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

STILL_S = 10.0  # a unit without a turn stands still, where systemd has no watchdog


def notify(state: str) -> None:
    """Tell systemd, if it started this process and asks to be told."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("\0" + path[1:] if path[0] == "@" else path)
        sender.send(state.encode())


def watchdog_s() -> float | None:
    """Return within how many seconds systemd wants a sign of life each time; None: it does not."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    with suppress(ValueError):
        if (microseconds := int(os.environ.get("WATCHDOG_USEC", "0"))) > 0:
            return microseconds / 1e6
    return None


class Watch:
    """Looks at the turns of units, and feeds the watchdog once all of them have made one."""

    def __init__(
        self,
        turns: Callable[[], Mapping[str, int]],
        say: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin. turns: of each unit by its name. say: takes a line about a unit."""
        self._turns, self._say, self._clock = turns, say, clock
        within = watchdog_s()
        self._feeds = within is not None
        self.still_s = within / 2 if within else STILL_S
        self._moved = dict.fromkeys(turns(), clock())  # when each was first seen where it is
        self._seen = dict(turns())
        self._fed = dict(self._seen)
        self._still: set[str] = set()

    def look(self) -> None:
        """Look at all units; to be called several times within `still_s`."""
        now, turns = self._clock(), self._turns()
        for unit, count in turns.items():
            if count != self._seen.get(unit):
                self._seen[unit], self._moved[unit] = count, now
                if unit in self._still:
                    self._still.remove(unit)
                    self._say(f"unit {unit} goes on")
            elif unit not in self._still and now - self._moved[unit] >= self.still_s:
                self._still.add(unit)
                self._say(f"unit {unit} has stood still for {now - self._moved[unit]:.1f} s")
        if all(count != self._fed.get(unit) for unit, count in turns.items()):
            self._fed = dict(turns)
            if self._feeds:
                notify("WATCHDOG=1")
