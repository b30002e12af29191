# SPDX-License-Identifier: MIT
"""`twinroute run` when it says that it is ready: what packets go by, and where its threads are."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dpdk_bed import needs_dpdk
from tests.namespaces import end
from twinroute.control_client import ControlClient

pytestmark = [needs_dpdk, pytest.mark.root, pytest.mark.no_sanitizer, pytest.mark.timeout(300)]

ROUTES = 200_000
GATEWAYS = ("10.0.0.2", "10.1.0.2")
CONFIG = """
[router]
name = "large"
[port.a]
address = "10.0.0.1/24"
[port.b]
address = "10.1.0.1/16"
[[route_file]]
path = "{folder}/routes"
via = ["10.0.0.2", "10.1.0.2"]
[dpdk]
hugepages = false
memory_mb = 256
file_prefix = "large-{pid}"
[dpdk.port.a]
device = "net_null0,no-rx=1"
[dpdk.port.b]
device = "net_null1,no-rx=1"
[control]
socket = "{folder}/run/large.sock"
[log]
audit = []
"""


def network(number: int) -> str:
    """Return the /24 of a route, and where the host of it is asked for."""
    return f"{20 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def run(folder: Path, dpdk: str = "") -> "subprocess.Popen[str]":
    text = CONFIG.format(folder=folder, pid=os.getpid()).replace("[dpdk]", f"[dpdk]\n{dpdk}")
    (folder / "large.toml").write_text(text)
    command = [sys.executable, "-m", "twinroute", "run", str(folder / "large.toml")]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_ready_is_said_when_all_routes_are_in_force(tmp_path: Path) -> None:
    lines = [f"{network(number)}.0/24\n" for number in range(ROUTES)]
    (tmp_path / "routes").write_text("".join(lines))
    process = run(tmp_path)
    try:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("twinroute: large ready: 2 ports, ")
        with ControlClient(tmp_path / "run" / "large.sock") as client:
            for number in (ROUTES - 1, ROUTES - 2, 0, ROUTES // 2):
                hop = client.call("route.lookup", address=f"{network(number)}.9")
                assert hop["via"] == GATEWAYS[number % 2]
            table = client.call("show.units")["table"]
        assert (table["pending"], table["unplaced"], table["lost"]) == (0, 0, 0)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60)[1] == "twinroute: stopped\n"
    finally:
        end(process)


def test_a_table_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    lines = [
        f"{network(number)}.0/24 via 10.1.{number >> 8}.{number & 255}\n"
        for number in range(2, 40_002)
    ]
    (tmp_path / "routes").write_text("".join(lines))
    process = run(tmp_path)
    try:
        text = process.communicate(timeout=60)[1]
        need = "40000 more next hops: expected at most [0-9]+"
        assert re.fullmatch(f"twinroute: error: large: routes: they need {need}\n", text)
        assert process.returncode == 2
    finally:
        end(process)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two CPUs expected")
def test_only_units_are_on_their_cpus(tmp_path: Path) -> None:
    (tmp_path / "routes").write_text("")
    slow, *others, fast = sorted(os.sched_getaffinity(0))
    process = run(tmp_path, f"cores = [{fast}]\nslow_core = {slow}")
    try:
        assert process.stderr is not None
        assert " ready: " in process.stderr.readline()
        found = {
            (task / "comm").read_text().strip(): os.sched_getaffinity(int(task.name))
            for task in Path(f"/proc/{process.pid}/task").iterdir()
        }
        assert (found.pop("tr-fast-0"), found.pop("tr-slow")) == ({fast}, {slow})
        assert len(found) >= 3  # the control thread, what looks at ports, EAL's
        assert all(cpus <= ({*others} or {slow}) for cpus in found.values()), found
    finally:
        end(process)
