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
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from twinroute.perf import rivals
from twinroute.perf.contests import contests
from twinroute.perf.processes import (
    RunningRouter,
    wait_for,
)
from twinroute.perf.rivals import (
    BY_DEFAULT,
    FROM_FILE,
    MACS,
    NET_NULL,
    VIA,
    control_of,
    write_config,
)
from twinroute.perf.samples import spread
from twinroute.perf.selection import Tables
from twinroute.perf.source import plugin
from twinroute.perf.tables import RouteTable, make_table
from twinroute.perf.traffic import udp_frames

Print = Callable[[str], None]

ROUTES = 1_000_000
DESTINATIONS = 65536
START_ROUNDS, MEMORY_ROUNDS, SPEED_ROUNDS = 7, 3, 3


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
        routes += FROM_FILE.format(tmp_path / "routes.txt", list(VIA))
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
        routes += FROM_FILE.format(tmp_path / "routes.txt", list(VIA))
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


def test_cycles_next_to_others(request: pytest.FixtureRequest, tmp_path: Path, tell: Print) -> None:
    """Cycles a packet next to testpmd and l3fwd, the devices' own included."""
    if reason := rivals.why_not():
        pytest.skip(reason)
    devices = rivals.Devices(
        request.config.getoption("--device"), request.config.getoption("--plugin")
    )
    with TemporaryDirectory(dir=tmp_path) as folder:
        found = rivals.rates(devices, contests(), Tables(), Path(folder), SPEED_ROUNDS)
    for case, applications in found.items():
        first = next(iter(applications.values()))
        for what, rates in applications.items():
            ratios = [rate.cycles / one.cycles for rate, one in zip(rates, first, strict=True)]
            tell(
                f"{case}: {what}: {spread([rate.cycles for rate in rates])} cycles a packet,"
                f" {spread(ratios, 2)} of the first,"
                f" bursts of {spread([rate.packets_per_burst for rate in rates])},"
                f" on its CPU {spread([100 * rate.on_cpu for rate in rates], 0)} % of the time"
            )
