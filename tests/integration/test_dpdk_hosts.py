# SPDX-License-Identifier: MIT
"""Linux hosts on both sides of a router on DPDK, over each driver that needs no NIC: pings of all
sizes, traceroute's errors, path-MTU discovery and an ARP failure, with every drop explained."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from typing import Any

import pytest

from tests.dpdk_bed import needs_dpdk, on_dpdk, settled, wait_for
from twinroute.config import build_config

pytestmark = [
    needs_dpdk,
    pytest.mark.root,
    pytest.mark.no_sanitizer,
    pytest.mark.skipif(shutil.which("ip") is None, reason="iproute2 is not here"),
]

CLONE_NEWNET = 0x40000000
NUMBERS = count()  # a name is not used twice: the kernel takes its time to remove interfaces


def sh(command: str, *, check: bool = True) -> str:
    done = subprocess.run(command.split(), check=check, capture_output=True, text=True)
    return done.stdout


@contextmanager
def inside(netns: str) -> Iterator[None]:
    """Have this thread in a network namespace: net_tap makes and asks its interface there."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path: str) -> None:
        with open(path, "rb") as file:
            assert libc.setns(file.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    with open("/proc/thread-self/ns/net", "rb") as before:
        enter(f"/run/netns/{netns}")
        try:
            yield
        finally:
            assert libc.setns(before.fileno(), CLONE_NEWNET) == 0


class Lab:
    """Two namespaces, a and b, and a router between them. The link to b has a smaller MTU."""

    def __init__(self, driver: str, units: int) -> None:
        self.driver = driver
        self.names = [f"h{os.getpid() % 100000}x{next(NUMBERS)}" for _ in "ab"]
        ports = {
            "a": {"address": "10.88.0.1/24", "mtu": 1500},
            "b": {"address": "10.88.1.1/24", "mtu": 1400},
        }
        slow = {"arp_retries": 1, "arp_retry_ms": 100, "icmp_errors_per_s": 0}
        tables = {"port": ports, "fast_path": {"units": units}, "slow_path": slow}
        self.config = build_config(tables)
        self.engine: Any = None

    def device(self, driver: str, name: str) -> str:
        queues = self.config.fast_path.units + 1
        options = {"net_af_packet": f",qpairs={queues}", "net_af_xdp": ",force_copy=1"}
        return f"{driver}_{name},iface={name}{options.get(driver, '')}"

    def build(self) -> None:
        """Make the hosts and the engine; a host of net_tap has the interface itself."""
        from twinroute.dpdk import Engine

        is_tap = self.driver == "net_tap"
        for name in self.names:
            sh(f"ip netns add {name}")
        drivers = [self.driver, "net_af_packet" if is_tap else self.driver]
        for driver, name in zip(drivers, self.names, strict=True):
            if driver != "net_tap":
                self.veth(name, self.names[0] if is_tap else "")
        pairs = zip("ab", drivers, self.names, strict=True)
        config = on_dpdk(self.config, {side: self.device(*rest) for side, *rest in pairs})
        with inside(self.names[0]) if is_tap else nullcontext():
            self.engine = Engine(config)
        self.engine.start()
        if is_tap:
            sh(f"ip -n {self.names[0]} link set {self.names[0]} name eth0")
            sh(f"ip -n {self.names[0]} link set eth0 address 02:88:00:00:00:01")
        sh(f"ip -n {self.names[1]} link set eth0 mtu 1400")
        for number, name in enumerate(self.names):
            sh(f"ip -n {name} link set eth0 up")
            sh(f"ip -n {name} address add 10.88.{number}.2/24 dev eth0")
            sh(f"ip -n {name} route add default via 10.88.{number}.1")
        settled(self.engine)

    @staticmethod
    def veth(name: str, home: str) -> None:
        sh(f"ip link add {name} type veth peer name eth0 netns {name}")
        sh(f"ip netns exec {name} ethtool -K eth0 tx off")
        if home:
            sh(f"ip link set {name} netns {home}")
        sh(f"ip {f'-n {home} ' if home else ''}link set {name} up")

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()
        for name in self.names:
            sh(f"ip netns delete {name}", check=False)
            sh(f"ip link delete {name}", check=False)

    def ping(self, target: str, options: str = "") -> str:
        command = f"ip netns exec {self.names[0]} ping -n -c 1 -W 2 {options} {target}"
        return sh(command, check=False)


@pytest.fixture(
    params=[("net_af_packet", 2), ("net_af_xdp", 1), ("net_tap", 1)], ids=lambda param: param[0]
)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(*request.param)
    try:
        made.build()
        yield made
    finally:
        made.close()


def says(ask: Callable[[], str], text: str) -> None:
    wait_for(lambda: text in ask(), text)


def test_hosts_speak(lab: Lab):
    far = "10.88.1.2"
    says(lambda: lab.ping(far), " 0% packet loss")
    for size in (0, 18, 1372, 1400, 3000, 8000):  # the last ones in fragments
        assert " 0% packet loss" in lab.ping(far, f"-M dont -s {size}"), size
    says(lambda: lab.ping("10.88.0.1"), " 0% packet loss")
    assert "Time to live exceeded" in lab.ping(far, "-t 1")
    assert "Destination Net Unreachable" in lab.ping("198.18.0.1")
    assert "Destination Host Unreachable" in lab.ping("10.88.1.99")
    assert "mtu = 1400" in lab.ping(far, "-M do -s 1450")
    counters = lab.engine.counters()
    explained = {
        *("arp_done", "echo_answered", "fragmented", "ttl_expired", "no_route"),
        *("neighbor_failed", "fragmentation_needed", "not_for_us", "ether_type"),
        *("twin_full", "multicast", "link_broadcast"),  # what hosts tell everybody
    }
    assert set(counters.dropped) <= explained, counters.dropped
    wait_for(lambda: (c := lab.engine.counters()).came == c.left, "the balance")
