# SPDX-License-Identifier: MIT
"""`twinroute run` between two hosts in network namespaces: forwarding, management, and its end."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dpdk_bed import needs_dpdk, wait_for
from twinroute.control_client import ControlClient, ControlError
from twinroute.sim import capture as files

pytestmark = [
    needs_dpdk,
    pytest.mark.root,
    pytest.mark.no_sanitizer,
    pytest.mark.skipif(shutil.which("ip") is None, reason="iproute2 is not here"),
]

# Two sides, each a host in a namespace behind a veth that the router has by net_af_packet.
CONFIG = """
[router]
name = "real"
[port.a]
address = "10.77.0.1/24"
[port.b]
address = "10.77.1.1/24"
[[route]]
to = "198.18.0.0/16"
via = "10.77.1.2"
[dpdk]
hugepages = false
file_prefix = "{name}"
[dpdk.port.a]
device = "net_af_packet0,iface={name}a"
[dpdk.port.b]
device = "net_af_packet1,iface={name}b"
[log]
audit = []
[control]
socket = "{folder}/run/real.sock"
"""

# A name is not used twice: the kernel takes its time to remove interfaces.
NUMBERS = itertools.count()


def sh(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)


class Router:
    """`twinroute run` in a process of its own, and the hosts on both sides."""

    def __init__(self, folder: Path) -> None:
        self.name = f"tr{os.getpid() % 100000}{next(NUMBERS)}"
        self.folder = folder
        self.file = folder / "real.toml"
        self.write(CONFIG)
        self.socket = folder / "run" / "real.sock"
        self.process: subprocess.Popen[str] | None = None

    def build(self) -> None:
        """Make the namespaces."""
        for index, side in enumerate("ab"):
            self._host(f"{self.name}{side}", f"10.77.{index}")
        sh(f"ip -n {self.name}b address add 198.18.0.1/15 dev lo")

    def write(self, text: str) -> None:
        self.file.write_text(text.format(name=self.name, folder=self.folder))

    @staticmethod
    def _host(name: str, subnet: str) -> None:
        sh(f"ip netns add {name}")
        sh(f"ip link add {name} type veth peer name eth0 netns {name}")
        sh(f"ip netns exec {name} ethtool -K eth0 tx off")
        for command in (
            f"-n {name} link set lo up",
            f"-n {name} link set eth0 up",
            f"-n {name} address add {subnet}.2/24 dev eth0",
            f"-n {name} route add default via {subnet}.1",
            f"link set {name} up",
        ):
            sh(f"ip {command}")

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for side in "ab":
            for command in ("link", "netns"):
                subprocess.run(["ip", command, "delete", f"{self.name}{side}"], check=False)

    def command(self, *argv: str) -> list[str]:
        return [sys.executable, "-m", "twinroute", *argv]

    def start(self) -> None:
        """Run it, and return once it says that it is ready."""
        self.process = subprocess.Popen(
            self.command("run", str(self.file)), stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line == f"twinroute: real ready: 2 ports, control {self.socket}\n"

    def stop(self, number: int = signal.SIGTERM) -> str:
        """End it by a signal, and return what it had to say since it was ready."""
        assert self.process is not None
        self.process.send_signal(number)
        assert self.process.stderr is not None
        text = self.process.stderr.read()
        self.process.wait()
        return text

    def ask(self, *argv: str) -> subprocess.CompletedProcess[str]:
        argv = (*argv, "--socket", str(self.socket))
        return subprocess.run(self.command(*argv), capture_output=True, text=True, timeout=60)

    def ping(self, target: str, *options: str) -> str:
        """Ping from the first host, until an answer comes or a second has passed."""
        command = f"ip netns exec {self.name}a ping -n -c 1 -W 1 {' '.join(options)} {target}"
        return subprocess.run(command.split(), capture_output=True, text=True).stdout


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    made = Router(tmp_path)
    try:
        made.build()
        yield made
    finally:
        made.close()


def reaches(router: Router, target: str) -> bool:
    return " 0% packet loss" in router.ping(target)


def test_forward_manage_and_stop(router: Router):
    router.start()
    wait_for(lambda: reaches(router, "198.18.0.1"), "the first ping")
    assert "Time to live exceeded" in router.ping("198.18.0.1", "-t", "1")
    ports = json.loads(router.ask("show", "ports", "--json").stdout)["ports"]
    assert [(one["name"], one["driver"], one["link_up"]) for one in ports] == [
        ("a", "net_af_packet", True),
        ("b", "net_af_packet", True),
    ]
    assert "Destination Net Unreachable" in router.ping("198.19.0.1")
    assert router.ask("route", "add", "198.19.0.0/16", "via", "10.77.1.2").returncode == 0
    assert reaches(router, "198.19.0.1")
    assert router.ask("route", "delete", "198.19.0.0/16").returncode == 0
    assert not reaches(router, "198.19.0.1")
    router.write(CONFIG.replace("198.18.0.0/16", "198.18.0.0/15"))
    assert router.ask("config", "reload").stdout == "reloaded: 1 route set, 1 route deleted\n"
    assert reaches(router, "198.19.0.1")
    assert router.ask("port", "down", "b").stdout == "b is down\n"
    assert "Destination Net Unreachable" in router.ping("198.18.0.1")
    assert router.ask("port", "up", "b").stdout == "b is up\n"
    assert reaches(router, "198.18.0.1")
    router.write(CONFIG.replace("hugepages = false", "hugepages = false\nmemory_mb = 99"))
    refused = router.ask("config", "reload")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    second = subprocess.run(router.command("run", str(router.file)), capture_output=True, text=True)
    assert second.returncode == 2
    assert "another twinroute runs with this control socket" in second.stderr
    assert router.stop() == "twinroute: stopped\n"
    assert router.process is not None
    assert router.process.returncode == 0
    assert not router.socket.parent.exists()
    assert not Path("/var/run/dpdk", router.name).exists()


def test_capture_and_trace(router: Router):
    router.start()
    wait_for(lambda: reaches(router, "198.18.0.1"), "the first ping")
    with ControlClient(router.socket) as client:
        stream = client.stream("capture", count=4, filter="icmp")
        events = iter(stream)
        assert next(events) == {"capturing": ["a", "b"]}
        assert reaches(router, "198.18.0.1")
        frames = [frame for event in events for frame in event["frames"]]
        ways = {(frame["port"], frame["direction"]) for frame in frames}
        assert ways == {("a", "in"), ("b", "out"), ("b", "in"), ("a", "out")}
        stream = client.stream("trace", count=2, filter="icmp")
        events = iter(stream)
        next(events)
        assert reaches(router, "198.18.0.1")
        records = [record for event in events for record in event["records"]]
        for number in (1, 2):
            steps = [one["step"] for one in records if one["packet"] == number]
            assert steps == ["validate", "filter", "lookup", "next_hop", "transmit"]
    path = router.folder / "x.pcap"
    argv = ("capture", "-w", str(path), "--port", "a", "--socket", str(router.socket), "icmp")
    with subprocess.Popen(router.command(*argv), stderr=subprocess.PIPE, text=True) as capture:
        assert capture.stderr is not None
        assert capture.stderr.readline() == "capturing on a\n"
        assert reaches(router, "198.18.0.1")
        capture.send_signal(signal.SIGINT)
        assert capture.stderr.read() == "2 frames, 0 lost\n"
    assert len(files.read(path)) == 2
    assert router.stop(signal.SIGINT) == "twinroute: stopped\n"


def test_after_a_kill_it_starts_again(router: Router):
    router.start()
    router.stop(signal.SIGKILL)
    assert router.socket.exists()
    with pytest.raises(ControlError, match="nobody is there"):
        ControlClient(router.socket)
    router.start()
    wait_for(lambda: reaches(router, "198.18.0.1"), "a ping of the second one")
    router.stop()
    assert not router.socket.exists()


def test_a_device_that_is_not_there(router: Router):
    router.write(CONFIG.replace("iface={name}b", "iface=nowhere"))
    done = subprocess.run(
        router.command("run", str(router.file)), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert re.fullmatch(r"twinroute: error: dpdk: port b: .*\n", done.stderr)
    assert not router.socket.parent.exists()


def test_one_interface_for_two_ports(router: Router):
    router.write(CONFIG.replace("iface={name}b", "iface={name}a"))
    for word in ("run", "check"):
        command = router.command(word, str(router.file))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        device = f"net_af_packet1,iface={router.name}a"
        assert done.stderr == (
            f'twinroute: error: {router.file}: dpdk.port.b.device = "{device}": expected another'
            f" device: dpdk.port.a has interface {router.name}a\n"
        )
    assert not router.socket.parent.exists()
