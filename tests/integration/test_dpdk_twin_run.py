# SPDX-License-Identifier: MIT
"""`twinroute run` with twins, on net_af_packet and net_tap: the host stack behind the twins, in a
namespace of its own, pings and serves the hosts on both sides, while these reach each other."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.dpdk_bed import needs_dpdk, wait_for
from tests.namespaces import Namespaces, inside, needs, sh, why_no_tap
from twinroute.control_client import ControlClient

pytestmark = [
    needs_dpdk,
    pytest.mark.root,
    pytest.mark.no_sanitizer,
    needs("ip", "ethtool", "ping"),
    pytest.mark.timeout(300),
]

HOST_A, HOST_B = "10.86.0.2", "10.86.1.2"
OWN_A, OWN_B = "10.86.0.1", "10.86.1.1"
ARRIVES = " 0% packet loss"

CONFIG = """
[router]
name = "twins"
[port.a]
address = "10.86.0.1/24"
[port.b]
address = ["10.86.1.1/24", "10.86.2.1/30"]
mtu = 1400
[dpdk]
hugepages = false
file_prefix = "{prefix}"
[dpdk.port.a]
device = "net_af_packet_a,iface=ra,qpairs=2"
twin = true
twin_name = "lan"
twin_netns = "{prefix}{twins}"
[dpdk.port.b]
device = "net_tap_b,iface=rb"
twin = true
twin_netns = "{prefix}{twins}"
[log]
audit = []
[control]
socket = "{folder}/run/twins.sock"
"""


class Bed:
    """Hosts a and b, the router's namespace r, and t for its twins."""

    def __init__(self, folder: Path, spaces: Namespaces) -> None:
        self.folder, self.spaces = folder, spaces
        self.near, self.stack = spaces.add("r"), spaces.add("t")
        host = spaces.host
        self.a = host("a", self.near, "ra", f"{HOST_A}/24", OWN_A)
        self.b = host("b", self.near, "vb", f"{HOST_B}/24", OWN_B)
        sh(f"ip -n {self.b} link set eth0 mtu 1400")
        self.file = folder / "twins.toml"
        self.socket = folder / "run" / "twins.sock"
        self.process: subprocess.Popen[str] | None = None

    def run(self, twins: str = "t") -> str:
        """Run the router; return the first line that it says."""
        names = {"prefix": self.spaces.prefix, "folder": self.folder, "twins": twins}
        self.file.write_text(CONFIG.format(**names))
        command = f"{sys.executable} -m twinroute run {self.file}"
        self.process = self.spaces.start(self.near, command)
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def start(self) -> None:
        """Run the router until hosts and twins reach each other."""
        assert self.run() == f"twinroute: twins ready: 2 ports, control {self.socket}\n"
        self.spaces.bridge(self.near, "rb", "vb")
        for here, target in ((self.a, HOST_B), (self.stack, HOST_A), (self.stack, HOST_B)):
            wait_for(partial(self.reaches, here, target), f"a ping from {here} to {target}")

    def reaches(self, here: str, target: str) -> bool:
        return ARRIVES in self.ping(here, target)

    def ping(self, here: str, target: str, options: str = "") -> str:
        return self.spaces.run(here, f"ping -n -c 1 -W 5 {options} {target}")

    def counters(self) -> Any:
        with ControlClient(self.socket) as client:
            return client.call("show.counters")

    def interfaces(self, netns: str) -> list[str]:
        return [one["ifname"] for one in json.loads(sh(f"ip -n {netns} -j link"))]


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    if why := why_no_tap():
        pytest.skip(why)
    with closing(Namespaces()) as spaces:
        yield Bed(tmp_path, spaces)


def exchange(here: str, own: str, there: str, target: str) -> None:
    """Send datagrams of many sizes from a namespace to an address in another, and back."""
    sockets = []
    for netns, address in ((here, own), (there, target)):
        with inside(netns):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.settimeout(20)
        one.bind((address, 7777))
        sockets.append(one)
    with sockets[0] as client, sockets[1] as server:
        for size in (0, 1, 512, 1372):
            data = os.urandom(size)
            client.sendto(data, (target, 7777))
            assert server.recvfrom(2048) == (data, (own, 7777))
            server.sendto(data[::-1], (own, 7777))
            assert client.recvfrom(2048) == (data[::-1], (target, 7777))


def test_host_stack_behind_the_twins(bed: Bed):
    bed.start()
    shown = json.loads(sh(f"ip -n {bed.stack} -j address"))
    links = {
        one["ifname"]: (one["mtu"], [own["local"] for own in one["addr_info"]]) for one in shown
    }
    assert links["lan"] == (1500, [OWN_A])
    assert links["b"] == (1400, [OWN_B, "10.86.2.1"])
    with ControlClient(bed.socket) as client:
        ports = client.call("show.ports")["ports"]
    assert [(one["driver"], one["twin"]) for one in ports] == [
        ("net_af_packet", "lan"),
        ("net_tap", "b"),
    ]

    def came_and_left() -> tuple[int, int]:
        now = bed.counters()
        ways = [
            sum(now[key].values()) for key in ("received", "received_twin", "sent", "sent_twin")
        ]
        ended = sum(now["dropped"].values()) + sum(now["consumed"].values())
        return ways[0] + ways[1] + now["generated"], ways[2] + ways[3] + ended

    before = bed.counters()
    for target in (HOST_A, HOST_B):
        for size in (0, 56, 1372):
            assert ARRIVES in bed.ping(bed.stack, target, f"-M do -s {size}")
    exchange(bed.stack, OWN_A, bed.a, HOST_A)  # the host stack asks
    exchange(bed.b, HOST_B, bed.stack, OWN_B)  # it serves
    exchange(bed.a, HOST_A, bed.b, HOST_B)  # the fast path's own, meanwhile
    assert ARRIVES in bed.ping(bed.b, OWN_B)  # answered by the router itself
    wait_for(lambda: len(set(came_and_left())) == 1 and not bed.counters()["held"], "the balance")
    now = bed.counters()
    # Behind them: pings, datagrams, and what ARP may ask.
    for port in ("a", "b"):
        assert now["received_twin"][port] - before["received_twin"][port] >= 3 + 4
        assert now["sent_twin"][port] - before["sent_twin"][port] >= 3 + 4
    assert now["dropped"] == before["dropped"]
    assert now["consumed"]["echo_answered"] == 1


def test_twins_follow_links_and_go_with_the_router(bed: Bed):
    bed.start()

    def carrier(name: str) -> bool:
        (link,) = json.loads(sh(f"ip -n {bed.stack} -j link show dev {name}"))
        return "LOWER_UP" in link["flags"]

    assert carrier("lan")
    assert carrier("b")
    sh(f"ip -n {bed.a} link set eth0 down")
    wait_for(lambda: not carrier("lan"), "no carrier")
    assert carrier("b")
    sh(f"ip -n {bed.a} link set eth0 up")
    wait_for(lambda: carrier("lan"), "carrier")
    wait_for(lambda: bed.reaches(bed.stack, HOST_A), "a ping once it is up again")
    assert sorted(bed.interfaces(bed.stack)) == ["b", "lan", "lo"]
    assert bed.process is not None
    bed.process.send_signal(signal.SIGTERM)
    said, _ = bed.process.communicate(timeout=60)
    assert (said.splitlines()[-1], bed.process.returncode) == ("twinroute: stopped", 0)
    assert bed.interfaces(bed.stack) == ["lo"]
    assert "rb" not in bed.interfaces(bed.near)
    assert not bed.socket.parent.exists()
    assert not Path("/var/run/dpdk", bed.spaces.prefix).exists()


def test_no_such_namespace(bed: Bed):
    line = bed.run(twins="nowhere")
    path = f"/run/netns/{bed.spaces.prefix}nowhere"
    twin = "twinroute: error: dpdk: twin lan of port a"
    assert line == f"{twin}: {path}: No such file or directory\n"
    assert bed.process is not None
    assert bed.process.wait(timeout=60) == 2
    assert "rb" not in bed.interfaces(bed.near)
    assert not bed.socket.parent.exists()
