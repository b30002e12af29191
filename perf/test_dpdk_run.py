# SPDX-License-Identifier: MIT
"""What `twinroute run` costs: its start, its memory, and a packet next to testpmd's forwarding.

Each test prints what it has measured: medians, and from the lowest to the highest of its rounds.
"""

import importlib.util
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from twinroute.perf.processes import (
    Application,
    Rate,
    RunningRouter,
    forwarding_rate,
    spread,
    wait_for,
)
from twinroute.perf.source import Source, plugin
from twinroute.perf.tables import RouteTable, make_table
from twinroute.perf.traffic import udp_frames

Print = Callable[[str], None]

ROUTES = 1_000_000
DESTINATIONS = 65536
FRAME_BYTES = 60
MACS = ("02:00:00:00:01:00", "02:00:00:00:01:01")  # of the ports
NET_NULL = f"net_null{{}},size={FRAME_BYTES}"
START_ROUNDS, MEMORY_ROUNDS, SPEED_ROUNDS, SPEED_S = 7, 3, 5, 1.0
BURST, BUFFERS, MEMORY_MB = 64, 16383, 512

# The ports' neighbours are set, so that ARP has no part in what is measured.
CONFIG = """
[router]
name = "perf"
[port.p0]
address = "10.0.0.1/24"
{mac0}
[port.p1]
address = "10.0.1.1/24"
{mac1}
[[neighbor]]
port = "p0"
address = "10.0.0.2"
mac = "02:00:00:00:00:02"
[[neighbor]]
port = "p1"
address = "10.0.1.2"
mac = "02:00:00:00:00:03"
{routes}
[dpdk]
hugepages = {hugepages}
file_prefix = "{prefix}"
{dpdk}
[dpdk.port.p0]
device = "{device0}"
[dpdk.port.p1]
device = "{device1}"
[log]
audit = []
[control]
socket = "{socket}"
"""
BY_DEFAULT = '[[route]]\nto = "0.0.0.0/0"\nvia = "10.0.1.2"\n'
FROM_FILE = '[[route_file]]\npath = "{}"\nvia = ["10.0.0.2", "10.0.1.2"]\n'


def why_not() -> str | None:
    """Say why nothing can be measured here, if that is so."""
    if importlib.util.find_spec("twinroute.dpdk") is None:
        return "the DPDK backend is not there"
    try:
        plugin()
    except FileNotFoundError:
        return "the DPDK backend is not built"
    return None if os.geteuid() == 0 else "EAL wants to be root"


pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(1200),
]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Print:
    """Return what prints a line for whoever runs the benchmark."""

    def show(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}", end="", flush=True)

    return show


@pytest.fixture(scope="module")
def table() -> RouteTable:
    """Return a full table."""
    return make_table(ROUTES)


def huge_pages() -> bool:
    """Tell whether the machine has set enough huge pages aside."""
    words = Path("/proc/meminfo").read_text().split()
    kb = int(words[words.index("HugePages_Free:") + 1]) * int(
        words[words.index("Hugepagesize:") + 1]
    )
    return kb >= MEMORY_MB << 10


def control_of(folder: Path) -> Path:
    """Return the control socket of the router that has its configuration in a folder."""
    return folder / "run" / "perf.sock"


def write_config(
    folder: Path, devices: tuple[str, str], *, macs: bool = False, routes: str, dpdk: str = ""
) -> Path:
    """Write a configuration of two ports."""
    path = folder / "perf.toml"
    mac = [f'mac = "{one}"' if macs else "" for one in MACS]
    text = CONFIG.format(
        mac0=mac[0],
        mac1=mac[1],
        routes=routes,
        hugepages=str(huge_pages()).lower(),
        prefix=f"perf{os.getpid()}",
        dpdk=dpdk,
        device0=devices[0],
        device1=devices[1],
        socket=control_of(folder),
    )
    path.write_text(text)
    return path


# --- from the start to the first packet -----------------------------------------------------------


@pytest.fixture
def links() -> Iterator[tuple[str, str]]:
    """Make two links, and return the interfaces for the ports; the other end has a z at its end."""
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not here")
    names = [f"trp{os.getpid() % 100000}{side}" for side in "ab"]
    for name in names:
        command = f"ip link add {name} type veth peer name {name}z"
        subprocess.run(command.split(), check=True)
        for end in (name, f"{name}z"):
            subprocess.run(f"ip link set {end} up".split(), check=True)
    yield names[0], names[1]
    for name in names:
        subprocess.run(f"ip link delete {name}".split(), check=True)


def raw_socket(interface: str) -> socket.socket:
    """Return a socket for the frames of an interface."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.bind((interface, 0))
    return made


class Probe:
    """Sends a frame again and again until one has come through."""

    def __init__(self, inside: str, outside: str) -> None:
        """Begin."""
        address = int.from_bytes(bytes([198, 18, 0, 1]))
        self._frame = udp_frames(np.array([address], np.uint32), to=MACS[0])[0].tobytes()
        self._in, self._out = raw_socket(inside), raw_socket(outside)
        self._end = threading.Event()
        self.came = 0.0
        self._threads = [threading.Thread(target=one) for one in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while not self._end.wait(0.0005):
            self._in.send(self._frame)

    def _receive(self) -> None:
        self._out.settimeout(0.1)
        while not self._end.is_set():
            try:
                frame = self._out.recv(2048)
            except TimeoutError:
                continue
            if frame[12:14] == b"\x08\x00" and frame[30:34] == self._frame[30:34]:
                self.came = time.monotonic()
                self._end.set()

    def wait(self) -> None:
        """Wait until the frame has come through."""
        wait_for(lambda: self.came, "the first packet")

    def close(self) -> None:
        """End."""
        self._end.set()
        for thread in self._threads:
            thread.join()
        self._in.close()
        self._out.close()


@pytest.mark.parametrize("full", [False, True], ids=["one-route", "full-table"])
def test_start(
    links: tuple[str, str], table: RouteTable, tmp_path: Path, tell: Print, full: bool
) -> None:
    """From the command to the first packet forwarded between two links, and so on."""
    routes = BY_DEFAULT
    if full:
        table.write(tmp_path / "routes.txt")
        routes += FROM_FILE.format(tmp_path / "routes.txt")
    devices = (f"net_af_packet0,iface={links[0]}", f"net_af_packet1,iface={links[1]}")
    config = write_config(tmp_path, devices, macs=True, routes=routes)
    first, ready, whole = [], [], []
    for _ in range(START_ROUNDS):
        probe = Probe(f"{links[0]}z", f"{links[1]}z")
        try:
            with RunningRouter(config, control_of(tmp_path)) as router:
                probe.wait()
                router.settle()
                first.append((probe.came - router.started) * 1000)
                ready.append(router.ready_s * 1000)
                whole.append((time.monotonic() - router.started) * 1000)
        finally:
            probe.close()
    what = f"{len(table):,} routes" if full else "one route"
    tell(f"start with {what}: first packet after {spread(first, 0)} ms,")
    tell(f'  "ready" after {spread(ready, 0)} ms, all routes in force after {spread(whole, 0)} ms')


# --- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True], ids=["one-route", "full-table"])
def test_memory(table: RouteTable, tmp_path: Path, tell: Print, full: bool) -> None:
    """Of the process with two ports and the default settings; EAL's is a part of it."""
    routes = BY_DEFAULT
    if full:
        table.write(tmp_path / "routes.txt")
        routes += FROM_FILE.format(tmp_path / "routes.txt")
    config = write_config(tmp_path, (NET_NULL.format(0), NET_NULL.format(1)), routes=routes)
    kinds: dict[str, list[float]] = {}
    for _ in range(MEMORY_ROUNDS):
        with RunningRouter(config, control_of(tmp_path)) as router:
            router.settle()
            memory = router.memory_kb()
        memory["Huge"] = memory["Private_Hugetlb"] + memory["Shared_Hugetlb"]
        for name in ("Rss", "Pss", "Huge"):
            kinds.setdefault(name, []).append(memory[name] / 1024)
    what = f"{len(table):,} routes" if full else "one route"
    listed = ", ".join(f"{name} {spread(values, 0)}" for name, values in kinds.items())
    tell(f"memory with {what}, MiB: {listed}")


# --- a packet's cycles ----------------------------------------------------------------------------


def last_cpu() -> int:
    """Return the CPU for the thread that forwards."""
    return max(os.sched_getaffinity(0))


def measure_testpmd(source: Source, folder: Path) -> Rate:
    """Measure testpmd, which sends on whatever it receives without a look."""
    first, last = min(os.sched_getaffinity(0)), last_cpu()
    memory = ["--in-memory"] if huge_pages() else ["--no-huge", "--no-shconf"]
    command = ["dpdk-testpmd", "-l", f"{first},{last}", *memory, "-m", str(MEMORY_MB)]
    command += ["--no-pci", "--no-telemetry", f"--file-prefix=perf{os.getpid()}t"]
    command += ["-d", str(plugin()), *(f"--vdev={NET_NULL.format(i)}" for i in (0, 1)), "--"]
    command += ["--forward-mode=io", "--auto-start", "--nb-cores=1", f"--burst={BURST}"]
    command += [f"--total-num-mbufs={BUFFERS}", "--rxd=512", "--txd=512"]
    source.reset()
    with (
        (folder / "testpmd.log").open("w") as log,
        Application(command, source.environment(), log),
    ):
        return forwarding_rate(source, 2, SPEED_S)


def measure_router(source: Source, config: Path, folder: Path) -> Rate:
    """Measure the router, which must forward it all."""
    source.reset()
    with RunningRouter(config, control_of(folder), source.environment()) as router:
        router.settle()
        wait_for(lambda: source.stream(1).packets, "traffic")
        before = router.ask("show.counters")
        rate = forwarding_rate(source, 2, SPEED_S)
        after = router.ask("show.counters")
    received = sum(after["received"].values()) - sum(before["received"].values())
    assert after["forwarded"] - before["forwarded"] > 0.99 * received
    return rate


@pytest.mark.skipif(shutil.which("dpdk-testpmd") is None, reason="testpmd is not here")
def test_cycles_next_to_testpmd(table: RouteTable, tmp_path: Path, tell: Print) -> None:
    """Cycles a packet on the same devices, the source's own included, in rounds in turn."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("two CPUs expected")
    table.write(tmp_path / "routes.txt")
    source = Source(tmp_path / "source", table.addresses(DESTINATIONS))
    dpdk = f'cores = [{last_cpu()}]\nbuffers = {BUFFERS}\neal_args = ["-d", "{plugin()}"]'
    devices = (NET_NULL.format(0), NET_NULL.format(1))
    configs = {}
    for what, routes in (
        ("one route", BY_DEFAULT),
        ("a full table", FROM_FILE.format(tmp_path / "routes.txt")),
    ):
        (tmp_path / what).mkdir()
        configs[what] = write_config(tmp_path / what, devices, routes=routes, dpdk=dpdk)
    rates: dict[str, list[Rate]] = {what: [] for what in ("testpmd io", *configs)}
    for _ in range(SPEED_ROUNDS):
        rates["testpmd io"].append(measure_testpmd(source, tmp_path))
        for what, config in configs.items():
            rates[what].append(measure_router(source, config, config.parent))
    for what, found in rates.items():
        beside = zip(found, rates["testpmd io"], strict=True)
        ratios = [rate.cycles / io.cycles for rate, io in beside]
        tell(
            f"{what}: {spread([rate.cycles for rate in found])} cycles a packet,"
            f" {spread(ratios, 2)} of testpmd's,"
            f" bursts of {spread([rate.packets_per_burst for rate in found])},"
            f" on its CPU {spread([100 * rate.on_cpu for rate in found], 0)} % of the time"
        )
