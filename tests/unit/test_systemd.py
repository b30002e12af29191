# SPDX-License-Identifier: MIT
"""What systemd is told: states, and signs of life for as long as every unit makes turns."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinroute.systemd import STILL_S, Watch, notify, watchdog_s


@pytest.fixture(params=["", "@"])
def heard(tmp_path: Path, monkeypatch, request) -> Iterator[socket.socket]:
    """What has been said to systemd, whose socket is a file or an abstract one."""
    path = f"{request.param}{tmp_path}/notify"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    listener.bind(path.replace("@", "\0"))
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with listener:
        yield listener


def said(listener: socket.socket) -> list[str]:
    """Take what was said so far."""
    lines = []
    while True:
        try:
            lines.append(listener.recv(100).decode())
        except BlockingIOError:
            return lines


class Units:
    """Units whose turns the test makes, on its own clock."""

    def __init__(self) -> None:
        self.turns = {"fast-0": 5, "fast-1": 0, "slow": 7}
        self.now = 100.0
        self.lines: list[str] = []
        self.watch = Watch(lambda: dict(self.turns), self.lines.append, lambda: self.now)

    def go(self, seconds: float, *units: str) -> list[str]:
        """Let these units make a turn, look, and return what was said."""
        for unit in units or self.turns:
            self.turns[unit] += 1
        self.now += seconds
        self.lines.clear()
        self.watch.look()
        return list(self.lines)


def test_states(heard: socket.socket):
    notify("READY=1")
    notify("STOPPING=1")
    assert said(heard) == ["READY=1", "STOPPING=1"]


@pytest.mark.parametrize("path", ["", "relative", "/nowhere/at/all"])
def test_nobody_to_tell(monkeypatch, path: str):
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [
        ("30000000", None, 30.0),
        ("30000000", "1", None),  # meant for another process
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_what_systemd_asks_for(monkeypatch, usec: str | None, pid: str | None, expected):
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid or str(os.getpid()))):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert watchdog_s() == expected


def test_the_watchdog_is_fed_once_all_have_made_a_turn(heard: socket.socket, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    units = Units()
    units.watch.look()
    assert said(heard) == []
    units.go(1)
    assert said(heard) == ["WATCHDOG=1"]
    units.go(1, "fast-0", "slow")
    units.go(1, "fast-0", "slow")
    assert said(heard) == []
    units.go(1, "fast-1")  # the others have since the last time
    assert said(heard) == ["WATCHDOG=1"]


def test_a_unit_that_stands_still_is_named_once(heard: socket.socket, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    units = Units()
    assert units.go(14.9, "fast-0", "slow") == []
    assert units.go(0.1, "fast-0", "slow") == ["unit fast-1 has stood still for 15.0 s"]
    assert units.go(1, "fast-0", "slow") == []
    assert said(heard) == []
    assert units.go(1) == ["unit fast-1 goes on"]
    assert said(heard) == ["WATCHDOG=1"]
    assert units.go(15, "fast-0", "fast-1") == ["unit slow has stood still for 15.0 s"]


def test_it_is_named_without_a_watchdog_too(heard: socket.socket, monkeypatch):
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    units = Units()
    assert units.go(STILL_S, "slow") == [
        f"unit {name} has stood still for {STILL_S} s" for name in ("fast-0", "fast-1")
    ]
    units.go(1)
    assert said(heard) == []
