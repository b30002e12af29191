# SPDX-License-Identifier: MIT
"""Linux hosts on both sides of a router on DPDK, over each driver that needs no NIC: ping,
traceroute, path-MTU discovery, fragments, TCP, an ARP failure. Every packet is accounted for: by
the router's own counters, and by those of the hosts' interfaces."""

import json
import os
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest

from tests.dpdk_bed import needs_dpdk, on_dpdk, settled, wait_for
from tests.namespaces import Namespaces, has_xdp, inside, needs, sh, why_no_tap
from twinroute.config import build_config

pytestmark = [
    needs_dpdk,
    pytest.mark.root,
    pytest.mark.no_sanitizer,
    needs("ip", "ethtool", "ping", "traceroute", "iperf3"),
    pytest.mark.timeout(300),
]

SIDES = {"a": "10.88.0", "b": "10.88.1"}
MTU = {"a": 1500, "b": 1400}
HOST_A, HOST_B = "10.88.0.2", "10.88.1.2"
TCP_BYTES = 4 << 20
ARRIVES = " 0% packet loss"

# The kernel joins fragments before net_af_packet gets them.
as_on_the_wire = pytest.mark.parametrize("built", ["net_af_xdp", "net_tap"], indirect=True)
joined = pytest.mark.parametrize("built", ["net_af_packet"], indirect=True)

UNITS = {"net_af_packet": 2, "net_af_xdp": 1, "net_tap": 2}
OPTIONS = {"net_af_packet": ",qpairs=3", "net_af_xdp": ",force_copy=1", "net_tap": ""}


class Lab:
    """Hosts a and b, and a router between them in a third namespace; the link to b is narrower.

    A port of net_tap is an interface of the router's namespace: a bridge leads from it to the host.
    """

    def __init__(self, driver: str) -> None:
        self.driver = driver
        self.spaces = Namespaces()
        self.hosts: dict[str, str] = {}
        self.engine: Any = None

    def build(self) -> None:
        """Make hosts and router, and let them find each other."""
        from twinroute.dpdk import Engine, eal

        config = self.config()
        eal.start(config)  # its threads live longer than the namespaces
        near = self.spaces.add("r")
        is_tap = self.driver == "net_tap"
        for side, net in SIDES.items():
            port = f"v{side}" if is_tap else f"r{side}"
            addresses = (f"{net}.2/24", f"{net}.1")
            self.hosts[side] = self.spaces.host(side, near, port, *addresses)
        sh(f"ip -n {self.hosts['b']} link set eth0 mtu {MTU['b']}")
        # So its neighbours send longer segments than the link to it takes, and have to find out.
        sh(f"ip -n {self.hosts['b']} route replace default via {SIDES['b']}.1 advmss 1460")
        with inside(near):
            self.engine = Engine(config)
            self.engine.start()
        for side in SIDES if is_tap else ():
            self.spaces.bridge(near, f"r{side}", f"v{side}")
        settled(self.engine)
        wait_for(lambda: all(one.link_up for one in self.engine.port_infos()), "links")
        for side, target in (("a", HOST_B), ("b", HOST_A)):
            wait_for(partial(self.reaches, side, target), f"a ping from {side}")

    def config(self) -> Any:
        ports = {side: {"address": f"{net}.1/24", "mtu": MTU[side]} for side, net in SIDES.items()}
        slow = {"arp_retries": 1, "arp_retry_ms": 100, "icmp_errors_per_s": 0}
        fast = {"units": UNITS[self.driver]}
        made = build_config({"port": ports, "fast_path": fast, "slow_path": slow})
        name = f"{self.driver}_{self.spaces.prefix}"
        options = OPTIONS[self.driver]
        return on_dpdk(made, {side: f"{name}{side},iface=r{side}{options}" for side in SIDES})

    def close(self) -> None:
        if self.engine is not None:
            with inside(f"{self.spaces.prefix}r"):
                self.engine.close()
        self.spaces.close()

    def reaches(self, side: str, target: str) -> bool:
        return ARRIVES in self.ping(side, target)

    def ping(self, side: str, target: str, options: str = "") -> str:
        return self.spaces.run(self.hosts[side], f"ping -n -c 1 -W 5 {options} {target}")

    def at_rest(self) -> bool:
        """Tell whether all that came has left."""
        counters = self.engine.counters()
        return counters.came == counters.left and not self.engine.held()

    def frames(self) -> dict[str, tuple[int, int]]:
        """Return for each side how many frames the router has received, and sent, more than the
        host says that it has sent, and received."""
        counters, more = self.engine.counters(), {}
        for side, host in self.hosts.items():
            (link,) = json.loads(sh(f"ip -n {host} -j -s link show dev eth0"))
            there = link["stats64"]
            received = counters.received[side] - there["tx"]["packets"]
            more[side] = (received, counters.sent[side] - there["rx"]["packets"])
        return more

    def quiet(self) -> tuple[Any, dict[str, tuple[int, int]]]:
        """Wait until nothing is under way, not even on the links; return counters and frames."""

        def looks() -> Any:
            before = self.engine.counters()
            frames = self.frames()
            still = self.at_rest() and self.frames() == frames == self.frames()
            return still and before.came == self.engine.counters().came and (before, frames)

        return wait_for(looks, "silence")

    @contextmanager
    def loses(self, *, exact: bool = True, **reasons: int) -> Iterator[None]:
        """Expect these drops and no others meanwhile; the rest of what came has left.

        exact: no driver joins or loses frames: the router counts what the hosts count.
        """
        before, frames = self.quiet()
        yield
        wait_for(lambda: self.at_rest() and (not exact or self.frames() == frames), "the balance")
        dropped = self.engine.counters().dropped - before.dropped
        del dropped["arp_done"]  # hosts ask again when they like
        assert dropped == Counter(reasons)
        for side in SIDES:
            nic = self.engine.nic(side)
            assert (nic.missed, nic.errors, nic.no_buffer, nic.chained) == (0, 0, 0, 0)


def why_not(driver: str) -> str | None:
    """Say what this machine lacks for a driver."""
    if driver == "net_af_xdp" and not has_xdp():
        return "the kernel has no AF_XDP"
    return why_no_tap() if driver == "net_tap" else None


@pytest.fixture(scope="module", params=list(UNITS))
def built(request: pytest.FixtureRequest) -> Iterator[Lab]:
    if why := why_not(request.param):
        pytest.skip(why)
    with ExitStack() as stack:
        made = Lab(request.param)
        stack.callback(made.close)
        made.build()
        yield made


@pytest.fixture
def lab(built: Lab) -> Lab:
    for host in built.hosts.values():
        sh(f"ip -n {host} route flush cache")  # the path MTU that another test has found out
    return built


def cut(size: int, mtu_in: int, mtu_out: int) -> int:
    """Count packets to be cut: fragments of so many bytes behind IP that are beyond `mtu_out`."""
    room = (mtu_in - 20) // 8 * 8
    return sum(min(room, size - at) + 20 > mtu_out for at in range(0, size, room))


def test_ping_of_all_sizes(lab: Lab):
    sizes = [0, 18, 1372, 1373, 1400, 1472]
    if lab.driver != "net_af_packet":
        sizes += [1473, 3000, 8000]
    fragmented = sum(cut(8 + size, MTU["a"], MTU["b"]) for size in sizes)
    with lab.loses(exact=lab.driver != "net_af_packet", fragmented=fragmented):
        for size in sizes:
            assert ARRIVES in lab.ping("a", HOST_B, f"-M dont -s {size}"), size
    with lab.loses(echo_answered=2):
        assert ARRIVES in lab.ping("a", "10.88.0.1")
        assert ARRIVES in lab.ping("a", "10.88.1.1")


def test_traceroute(lab: Lab):
    with lab.loses(ttl_expired=2):
        for side, near, far in (("a", "10.88.0.1", HOST_B), ("b", "10.88.1.1", HOST_A)):
            command = f"traceroute -n -q 1 -N 1 -w 20 -m 3 {far}"
            lines = lab.spaces.run(lab.hosts[side], command).splitlines()
            assert [line.split()[:2] for line in lines[1:]] == [["1", near], ["2", far]], lines


def test_errors(lab: Lab):
    with lab.loses(no_route=1):
        assert "Destination Net Unreachable" in lab.ping("a", "198.18.0.1")
    with lab.loses(neighbor_failed=1):
        assert "Destination Host Unreachable" in lab.ping("a", "10.88.1.99")
    with lab.loses(ttl_expired=1):
        assert "Time to live exceeded" in lab.ping("b", HOST_A, "-t 1")


def test_path_mtu_discovery(lab: Lab):
    with lab.loses(fragmentation_needed=1):
        assert "mtu = 1400" in lab.ping("a", HOST_B, "-M do -s 1450")
        # The host has learned it, and says so itself.
        assert "mtu 1400" in sh(f"ip -n {lab.hosts['a']} route get {HOST_B}")
        assert "message too long" in lab.ping("a", HOST_B, "-M do -s 1450").lower()
    with lab.loses():
        assert ARRIVES in lab.ping("a", HOST_B, "-M do -s 1372")


# --- UDP and TCP ----------------------------------------------------------------------------------


@contextmanager
def stations(lab: Lab) -> Iterator[dict[str, socket.socket]]:
    """Open a UDP socket on each host, which lets datagrams be fragmented on their way."""
    with ExitStack() as stack:
        made = {}
        for side, address in (("a", HOST_A), ("b", HOST_B)):
            with inside(lab.hosts[side]):
                one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            one.bind((address, 7777))
            one.settimeout(20)
            made[side] = one
        yield made


def carry(lab: Lab, sizes: Iterable[int]) -> None:
    """Send datagrams both ways, and compare each with what arrives."""
    ways = (("a", "b", HOST_B), ("b", "a", HOST_A))
    with stations(lab) as sockets:
        for size in sizes:
            for here, there, address in ways:
                sent = os.urandom(size)
                sockets[here].sendto(sent, (address, 7777))
                assert sockets[there].recv(65536) == sent, (size, here)


def test_udp(lab: Lab):
    with lab.loses():
        carry(lab, [0, 1, 18, 512, 1372])


@as_on_the_wire
def test_udp_fragments(lab: Lab):
    sizes = [1373, 1472, 1473, 2960, 8972, 40000, 65507]
    # What b sends is in fragments of 1396 bytes already.
    fragmented = sum(cut(8 + size, MTU["a"], MTU["b"]) for size in sizes)
    with lab.loses(fragmented=fragmented):
        carry(lab, sizes)


@joined
def test_udp_fragments_joined_by_the_kernel(lab: Lab):
    """Datagrams that fit a frame of the ring cross; what is longer is cut, seen and dropped."""
    with lab.loses(exact=False, fragmented=1):
        carry(lab, [1472])
    with lab.loses(exact=False, ip_total_length=3), stations(lab) as sockets:
        for size in (2960, 8972, 40000):
            sockets["a"].sendto(os.urandom(size), (HOST_B, 7777))
        sockets["a"].sendto(b"the end", (HOST_B, 7777))
        assert sockets["b"].recv(65536) == b"the end"


@pytest.mark.parametrize("way", ["", "-R"], ids=["to_b", "to_a"])
def test_tcp(lab: Lab, way: str):
    before = lab.engine.counters()
    server = lab.spaces.start(lab.hosts["b"], f"iperf3 -s -1 -B {HOST_B} --forceflush")
    out = server.stdout
    assert out is not None
    wait_for(lambda: "listening" in out.readline(), "iperf3's server")
    # A small window: what is under way at the end does not count as received.
    options = f"-c {HOST_B} -n {TCP_BYTES} -w 64K -J {way}"
    report = json.loads(lab.spaces.run(lab.hosts["a"], f"iperf3 {options}"))
    assert "error" not in report, report["error"]
    assert report["end"]["sum_received"]["bytes"] >= TCP_BYTES // 2
    server.communicate(timeout=60)
    wait_for(lab.at_rest, "the balance")
    dropped = lab.engine.counters().dropped - before.dropped
    # TCP fills whatever is there, and finds out both the rate and the path's MTU by loss.
    assert set(dropped) <= {"arp_done", "tx_full", "fragmentation_needed"}, dropped
    assert (dropped["fragmentation_needed"] > 0) == (way == "")
