# SPDX-License-Identifier: MIT
"""`twinroute run` between two routers of another process, this one, by net_memif, or by net_vhost
and net_virtio_user: two queues, two units. Frames go in and come out by rings here, so that every
byte of every flow is accounted for.

    ring - west - memif - [the process] - memif - east - ring
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests import packets as p
from tests.dpdk_bed import needs_dpdk, on_dpdk, settled, wait_for
from tests.namespaces import end
from twinroute.config import build_config
from twinroute.control_client import ControlClient

pytestmark = [needs_dpdk, pytest.mark.root, pytest.mark.no_sanitizer, pytest.mark.timeout(300)]

UNITS = 2
NUMBERS = count()
SIDES = ("west", "east")

# The routers' addresses and MAC addresses, from west to east.
RING_MAC = {"west": "02:00:00:00:0a:01", "east": "02:00:00:00:0b:01"}
HOST_MAC = {"west": "02:00:00:00:0a:09", "east": "02:00:00:00:0b:09"}
LINK_MAC = {"west": "02:00:00:00:0c:02", "east": "02:00:00:00:0d:02"}
PORT_MAC = {"west": "02:00:00:00:0c:01", "east": "02:00:00:00:0d:01"}
LINK = {"west": "10.9.0", "east": "10.9.1"}
NET = {"west": "10.8.0", "east": "10.8.1"}
OTHER = {"west": "east", "east": "west"}
OTHER_ROLE = {"server": "client", "client": "server"}

CONFIG = """
[router]
name = "middle"
[fast_path]
units = 2
[slow_path]
arp_announce = false
[port.west]
address = "10.9.0.1/24"
mac = "{PORT_MAC[west]}"
[port.east]
address = "10.9.1.1/24"
mac = "{PORT_MAC[east]}"
[[route]]
to = "10.8.0.0/24"
via = "10.9.0.2"
[[route]]
to = "10.8.1.0/24"
via = "10.9.1.2"
[dpdk]
hugepages = false
file_prefix = "{prefix}"
[dpdk.port.west]
device = "{west}"
[dpdk.port.east]
device = "{east}"
[log]
audit = []
[control]
socket = "{folder}/run/middle.sock"
"""


class Bed:
    """The process in the middle, and the routers on both sides."""

    def __init__(self, folder: Path, driver: str, role: str) -> None:
        self.folder = folder
        self.prefix = f"two-{os.getpid()}-{next(NUMBERS)}"
        self.driver = driver
        self.role = role
        self.socket = folder / "run" / "middle.sock"
        self.process: subprocess.Popen[str] | None = None
        self.rings: dict[str, Any] = {}
        self.engines: dict[str, Any] = {}
        self.injected = dict.fromkeys(SIDES, 0)
        self.before = dict.fromkeys(SIDES, (0, 0))  # received and sent in an earlier run

    def device(self, side: str, role: str) -> str:
        """Return one end of the link to a side."""
        path, name = self.folder / f"{side}.sock", f"{self.prefix}{side}"
        if self.driver == "memif":
            return f"net_memif_{name},role={role},id=0,socket={path},socket-abstract=no"
        if role == "server":
            return f"net_vhost_{name},iface={path},queues={UNITS}"
        return f"net_virtio_user_{name},path={path},queues={UNITS}"

    def start(self) -> None:
        """Run the router in the middle until it says that it is ready."""
        for side, engine in self.engines.items():
            counters = engine.counters()
            self.before[side] = (counters.received["link"], counters.sent["link"])
        file = self.folder / "middle.toml"
        devices = {side: self.device(side, self.role) for side in SIDES}
        names = {"PORT_MAC": PORT_MAC, "prefix": self.prefix, "folder": self.folder}
        file.write_text(CONFIG.format(**names, **devices))
        command = [sys.executable, "-m", "twinroute", "run", str(file)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line == f"twinroute: middle ready: 2 ports, control {self.socket}\n"

    def stop(self) -> str:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        _, text = self.process.communicate(timeout=60)
        return text

    def build(self, stack: ExitStack) -> None:
        """Make the routers of this process."""
        for side in SIDES:
            self.engines[side] = stack.enter_context(self.make(side, stack))
            self.engines[side].start()
            settled(self.engines[side])

    def make(self, side: str, stack: ExitStack) -> Any:
        from twinroute.dpdk import Engine, RingPort

        host = {"port": "ring", "address": f"{NET[side]}.9", "mac": HOST_MAC[side]}
        tables = {
            "port": {
                "ring": {"address": f"{NET[side]}.1/24", "mac": RING_MAC[side]},
                "link": {"address": f"{LINK[side]}.2/24", "mac": LINK_MAC[side]},
            },
            "fast_path": {"units": UNITS},
            "slow_path": {"arp_announce": False},
            "neighbor": [host],
            "route": [{"to": "0.0.0.0/0", "via": f"{LINK[side]}.1"}],
        }
        config = build_config(tables)
        name = f"{self.prefix}{side}"
        devices = {"ring": f"net_ring_{name}", "link": self.device(side, OTHER_ROLE[self.role])}
        config = on_dpdk(config, devices)
        self.rings[side] = RingPort(config, name, rx_queues=UNITS, tx_queues=UNITS + 1)
        stack.callback(self.rings[side].close)
        return Engine(config)

    def close(self) -> None:
        if self.process is not None:
            end(self.process)

    def links(self) -> list[bool]:
        """Return for each side whether its link to the middle is up."""
        return [self.engines[side].port_infos()[1].link_up for side in SIDES]

    def inject(self, side: str, sent: bytes, queue: int) -> None:
        self.rings[side].inject(sent, queue)
        self.injected[side] += 1

    def crosses(self, side: str, queue: int) -> bool:
        """Send a frame into a queue, and tell whether one has come out on the other side."""
        self.inject(side, frame(side, 0xFFFF, 0, 60), queue)
        return bool(self.rings[OTHER[side]].collect())

    def find_each_other(self) -> None:
        """Wait until both links are up, neighbours known, and nothing is under way any more."""
        wait_for(lambda: all(self.links()), "links")
        for side in SIDES:
            for queue in range(UNITS):
                wait_for(partial(self.crosses, side, queue), f"a frame from {side}")
        wait_for(self.at_rest, "nothing under way")
        for side in SIDES:
            self.rings[side].collect()

    def at_rest(self) -> bool:
        """Tell whether nothing is under way, in the routers and between them."""
        middle = self.units()

        def count(way: str, side: str) -> int:
            """Count frames by a port of the process in the middle."""
            return sum(unit[way][side] for unit in middle)

        for side, engine in self.engines.items():
            here = engine.counters()
            if here.came != here.left or here.received["ring"] != self.injected[side]:
                return False
            if self.passed(side) != (count("sent", side), count("received", side)):
                return False
        return not any(unit["held"] for unit in middle)

    def passed(self, side: str) -> tuple[int, int]:
        """Count frames by a side's link, to and fro, since the process in the middle has begun."""
        now, (received, sent) = self.engines[side].counters(), self.before[side]
        return now.received["link"] - received, now.sent["link"] - sent

    def units(self) -> list[dict[str, Any]]:
        """Return what each unit in the middle has counted, the slow path last."""
        with ControlClient(self.socket) as client:
            return [client.call("show.counters", unit=unit) for unit in range(UNITS + 1)]


def frame(side: str, flow: int, number: int, size: int) -> bytes:
    """Make a frame from a side's host to the other's; it tells its flow and its place in it."""
    seeded = random.Random(f"{side}{flow}{number}")
    data = number.to_bytes(4) + seeded.randbytes(size - 14 - 20 - 8 - 4)
    packet = p.ipv4(f"{NET[side]}.9", f"{NET[OTHER[side]]}.9", p.udp(flow, 9, data), ttl=9)
    return p.ether(RING_MAC[side], HOST_MAC[side], packet)


def arrived(side: str, sent: bytes) -> bytes:
    """Return what three routers make of a frame."""
    there = OTHER[side]
    once = p.forwarded(sent, LINK_MAC[side], PORT_MAC[side])
    twice = p.forwarded(once, PORT_MAC[there], LINK_MAC[there])
    return p.forwarded(twice, RING_MAC[there], HOST_MAC[there])


FLOWS, FRAMES, AT_ONCE = 16, 48, 4  # of each side; frames of each flow, and how many at a time


def exchange(bed: Bed) -> None:
    """Send every flow both ways, and compare all that comes out with what must."""
    sizes = random.Random(7)
    for start in range(0, FRAMES, AT_ONCE):
        wanted: dict[str, Any] = {}
        got: dict[str, list[bytes]] = {}
        for side in SIDES:
            sent = [
                (flow, frame(side, flow, number, sizes.choice([60, 61, 64, 594, 1500, 1514])))
                for number in range(start, start + AT_ONCE)
                for flow in range(FLOWS)
            ]
            for flow, one in sent:
                bed.inject(side, one, flow % UNITS)
            wanted[OTHER[side]] = p.by_flow([arrived(side, one) for _, one in sent])
            got[OTHER[side]] = []

        def all_there(wanted: Any = wanted, got: Any = got) -> bool:
            for side, frames in got.items():
                frames.extend(bed.rings[side].collect())
            return all(len(frames) >= AT_ONCE * FLOWS for frames in got.values())

        wait_for(all_there, f"frames {start} to {start + AT_ONCE} of each flow")
        for side, flows in wanted.items():
            came = p.by_flow(got[side])
            assert came.keys() == flows.keys()
            assert [flow for flow in flows if came[flow] != flows[flow]] == []


def cross(bed: Bed) -> None:
    """Exchange, and compare with what each router and each unit says of it."""
    before, around = bed.units(), {side: one.counters() for side, one in bed.engines.items()}
    exchange(bed)
    wait_for(bed.at_rest, "nothing under way")
    each = FLOWS // UNITS * FRAMES  # frames of a side for a unit
    for then, now in zip(before[:UNITS], bed.units(), strict=False):
        assert now["forwarded"] - then["forwarded"] == 2 * each
        for way in ("received", "sent"):
            passed = {side: now[way][side] - then[way][side] for side in SIDES}
            assert passed == dict.fromkeys(SIDES, each), way
        assert now["dropped"] == then["dropped"]
    for side, engine in bed.engines.items():
        counters = engine.counters()
        assert counters.forwarded - around[side].forwarded == 2 * UNITS * each
        assert counters.dropped - around[side].dropped == Counter()


@pytest.fixture(
    params=[(driver, role) for driver in ("memif", "vhost") for role in ("server", "client")],
    ids=lambda one: "-".join(one),
)
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """Make both processes; request.param: the links, and which end of them is in the middle."""
    with ExitStack() as stack:
        # A device's arguments, with the path of its socket, are at most 128 bytes from DPDK 24 on.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tr"))
        made = Bed(Path(folder), *request.param)
        stack.callback(made.close)
        if made.role == "server":  # net_memif wants the server to be there first
            made.start()
            made.build(stack)
        else:
            made.build(stack)
            made.start()
        yield made


def test_flows_cross_both_units(bed: Bed):
    bed.find_each_other()
    cross(bed)


def test_sigterm_leaves_nothing_behind(bed: Bed):
    bed.find_each_other()
    assert bed.stop() == "twinroute: stopped\n"
    assert bed.process is not None
    assert bed.process.returncode == 0
    wait_for(lambda: not any(bed.links()), "links down")
    assert not bed.socket.parent.exists()
    assert not Path("/var/run/dpdk", bed.prefix).exists()
    if bed.role == "server":
        assert not list(bed.folder.glob("*.sock"))
        return  # a client of either driver does not connect a second time
    bed.start()
    bed.find_each_other()
    cross(bed)
