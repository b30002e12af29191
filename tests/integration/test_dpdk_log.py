# SPDX-License-Identifier: MIT
"""What `twinroute run` writes of its management, of packets it drops and of units that hang, and
what it tells systemd's watchdog meanwhile."""

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.dpdk_bed import needs_dpdk, wait_for
from twinroute.control_client import ControlClient

pytestmark = [needs_dpdk, pytest.mark.root, pytest.mark.no_sanitizer]

# By port a come frames of zeros, as many as the router takes; by b comes nothing.
CONFIG = """
[router]
name = "logs"
[port.a]
address = "10.77.0.1/24"
mac = "02:00:00:00:01:01"
[port.b]
address = "10.77.1.1/24"
[dpdk]
hugepages = false
file_prefix = "{prefix}"
[dpdk.port.a]
device = "net_null0,size=64"
[dpdk.port.b]
device = "net_null1,no-rx=1"
[control]
socket = "{folder}/run/logs.sock"
[log]
drops = ["not_for_us"]
drops_per_s = 2
"""
WATCHDOG_S = 4
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000  # also threads that are no children


class Router:
    """`twinroute run` in a process of its own, as systemd would have it."""

    def __init__(self, folder: Path) -> None:
        file = folder / "logs.toml"
        file.write_text(CONFIG.format(prefix=f"logs-{os.getpid()}", folder=folder))
        self.socket = folder / "run" / "logs.sock"
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.systemd.bind(str(folder / "notify"))
        self.systemd.settimeout(60)
        self.log = folder / "stderr"
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000),
        }
        with self.log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "twinroute", "run", str(file)],
                stderr=stderr,
                env=environment,
            )

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.systemd.close()

    def heard(self) -> str:
        return self.systemd.recv(100).decode()

    def said(self, text: str) -> str:
        """Wait for a line on stderr with that in it."""

        def line() -> str:
            lines = self.log.read_text().splitlines()
            return next((one for one in lines if text in one), "")

        found: str = wait_for(line, text)
        return found

    def events(self) -> list[dict[str, Any]]:
        """Return the lines of the log."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    @contextmanager
    def paused(self, thread: str) -> Iterator[None]:
        """Stop a thread of the process, and no other, for a while."""
        task = next(
            one
            for one in Path(f"/proc/{self.process.pid}/task").iterdir()
            if (one / "comm").read_text() == f"{thread}\n"
        )
        number = int(task.name)
        libc = ctypes.CDLL(None)
        if libc.ptrace(PTRACE_SEIZE, number, None, None):
            pytest.skip("threads of others may not be stopped here")
        assert libc.ptrace(PTRACE_INTERRUPT, number, None, None) == 0
        os.waitpid(number, WALL)
        try:
            yield
        finally:
            assert libc.ptrace(PTRACE_DETACH, number, None, None) == 0


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    made = Router(tmp_path)
    try:
        assert made.heard() == "READY=1", made.log.read_text()
        yield made
    finally:
        made.close()


def test_a_unit_that_hangs_is_named_and_systemd_hears_nothing(router: Router):
    assert router.heard() == "WATCHDOG=1"
    for thread, unit in (("tr-fast-0", "fast-0"), ("tr-slow", "slow")):
        with router.paused(thread):
            line = router.said(f"unit {unit} has stood still")
            assert line.startswith("twinroute: unit ")
            while select.select([router.systemd], [], [], 0)[0]:
                assert router.heard() == "WATCHDOG=1"  # from before
            assert not select.select([router.systemd], [], [], WATCHDOG_S / 2)[0]
        router.said(f"unit {unit} goes on")
        assert router.heard() == "WATCHDOG=1"
    router.process.send_signal(signal.SIGTERM)
    while (state := router.heard()) == "WATCHDOG=1":
        pass
    assert state == "STOPPING=1"
    assert router.process.wait(timeout=60) == 0


def test_the_log_on_stderr_has_changes_and_a_few_of_many_drops(router: Router):
    with ControlClient(router.socket) as client:
        client.call("port.down", port="b")
    router.said("drops_left_out")
    events = router.events()
    assert (events[0]["event"], events[0]["by"]) == ("change", "start")
    by_client = [one for one in events if one.get("pid") == os.getpid()]
    assert [(one["event"], one["uid"]) for one in by_client] == [("change", 0)]
    assert (by_client[0]["method"], by_client[0]["params"]) == ("port.down", {"port": "b"})
    drops = [one for one in events if one["event"] == "drop"]
    left_out = [one for one in events if one["event"] == "drops_left_out"]
    assert len(drops) <= 2 * (len(left_out) + 1)
    assert left_out[0]["packets"] > 60
    assert {(one["reason"], one["port"], one["size"]) for one in drops} == {("not_for_us", "a", 64)}
