# SPDX-License-Identifier: MIT
"""A capture that twinroute did not make: tcpdump between two network namespaces that ping and run
iperf3, routed by `twinroute sim`."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import packets as p
from twinroute.sim import capture

NEEDED = ["ip", "tcpdump", "ping", "iperf3", "ethtool"]
CONFIG = """
[port.p0]
address = "10.1.0.1/24"
[port.p1]
address = "10.2.0.1/24"
"""

pytestmark = pytest.mark.root


def missing() -> str:
    """Say what this machine lacks for the test, or nothing."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    lacks = [tool for tool in NEEDED if shutil.which(tool) is None]
    return f"needs {', '.join(lacks)}" if lacks else ""


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed."""
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)


@pytest.fixture
def hosts() -> Iterator[tuple[str, str]]:
    """Two namespaces with a veth pair between them, 10.1.0.2 and 10.2.0.2."""
    if reason := missing():
        pytest.skip(reason)
    names = (f"tr-a-{os.getpid()}", f"tr-b-{os.getpid()}")
    try:
        for name in names:
            command("ip", "netns", "add", name)
        command(
            *("ip", "link", "add", "eth0", "netns", names[0], "type", "veth"),
            *("peer", "name", "eth0", "netns", names[1]),
        )
        for name, address in zip(names, ("10.1.0.2/8", "10.2.0.2/8"), strict=True):
            inside = ("ip", "netns", "exec", name)
            # Segmentation offload would show frames that were never on a wire.
            command(*inside, "ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off")
            command(*inside, "ethtool", "-K", "eth0", "tx", "off")
            command(*inside, "ip", "address", "add", address, "dev", "eth0")
            command(*inside, "ip", "link", "set", "eth0", "up")
            command(*inside, "ip", "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def record(hosts: tuple[str, str], path: Path) -> None:
    """Capture a ping and a short iperf3 run at the first host."""
    inside = [("ip", "netns", "exec", host) for host in hosts]
    tcpdump = subprocess.Popen(
        [
            *inside[0],
            "tcpdump",
            "-i",
            "eth0",
            "-w",
            str(path),
            "-U",
            "--immediate-mode",
            # Room for all of it: a busy machine lets it wait.
            *("-s", "2048", "-B", "16384"),
            "ip or arp",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    server = subprocess.Popen(
        [*inside[1], "iperf3", "-s", "-1", "--forceflush"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert tcpdump.stderr is not None
        assert server.stdout is not None
        assert any("listening on" in line for line in tcpdump.stderr)
        assert any("Server listening" in line for line in server.stdout)
        command(*inside[0], "ping", "-c", "5", "-i", "0.05", "10.2.0.2")
        command(*inside[0], "iperf3", "-c", "10.2.0.2", "-n", "500K")
        assert server.wait(30) == 0
    finally:
        tcpdump.send_signal(signal.SIGINT)
        tcpdump.wait(30)
        server.kill()
        server.wait()
        for stream in (tcpdump.stderr, server.stdout):
            if stream:
                stream.close()


def frames(path: Path) -> list[bytes]:
    """Read a capture."""
    whole = capture.read(path)
    return [whole.frame(i) for i in range(len(whole))]


def test_capture_of_real_hosts(hosts: tuple[str, str], tmp_path: Path) -> None:
    pcap = tmp_path / "real.pcap"
    record(hosts, pcap)
    (tmp_path / "router.toml").write_text(CONFIG)
    words = [sys.executable, "-m", "twinroute", "sim", str(tmp_path / "router.toml")]
    words += ["--in", f"p0={pcap}", "--out", str(tmp_path / "out"), "--rewrite-mac", "--json"]
    report = json.loads(command(*words).stdout)
    assert report

    sent = frames(pcap)
    there = [p.ip_of(f) for f in sent if f[12:14] == b"\x08\x00" and f[30:34] == b"\x0a\x02\0\x02"]
    out = frames(tmp_path / "out" / "p1.pcap")
    routed = [p.ip_of(f) for f in out if f[12:14] == b"\x08\x00"]
    assert len(there) > 300  # 5 echo requests and 500 KB of TCP
    assert len(routed) == len(there)
    for before, after in zip(there, routed, strict=True):
        then, now = p.ip_fields(before), p.ip_fields(after)
        assert now == then | {"ttl": int(str(then["ttl"])) - 1}
