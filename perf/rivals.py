# SPDX-License-Identifier: MIT
"""The router next to DPDK's own applications, on the same devices, in rounds in turn.

testpmd io sends on whatever it receives without a look; l3fwd is DPDK's example of a router: the
longest prefix and new MAC addresses, TTL and checksum, but no checks, no counters, no slow path
(`.ci/install bench` builds it). Cycles a packet, those of the devices included.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from twinroute.perf.processes import (
    Application,
    Rate,
    RunningRouter,
    forwarding_rate,
    wait_for,
)
from twinroute.perf.source import Source, plugin
from twinroute.perf.tables import RouteTable, make_table

DESTINATIONS = 65536
NET_NULL = "net_null{},size=60"
BUFFERS, MEMORY_MB, SECONDS = 16383, 512, 1.0
ROUTES = 100_000  # l3fwd compares each new route with all of its length
L3FWD = Path(__file__).resolve().parents[1] / "build" / "l3fwd"
MACS = ("02:00:00:00:01:00", "02:00:00:00:01:01")  # of the ports

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


@dataclass(frozen=True)
class Devices:
    """The two ports that all applications get: an EAL device with {} for 0 and 1, and its driver.

    Any device is counted by the traffic source's plugin, but only net_null's frames come from it.
    """

    device: str = NET_NULL
    driver: Path | None = None

    @property
    def names(self) -> tuple[str, str]:
        """Both devices."""
        return self.device.format(0), self.device.format(1)

    @property
    def options(self) -> list[str]:
        """EAL's options for the plugins."""
        plugins = [plugin(), *([self.driver] if self.driver else [])]
        return [word for path in plugins for word in ("-d", str(path))]

    @property
    def tells_types(self) -> bool:
        """Whether the driver says of itself that it tells what packets are."""
        return self.driver is not None


def huge_pages() -> bool:
    """Tell whether the machine has set enough huge pages aside."""
    words = Path("/proc/meminfo").read_text().split()
    kb = int(words[words.index("HugePages_Free:") + 1]) * int(
        words[words.index("Hugepagesize:") + 1]
    )
    return kb >= MEMORY_MB << 10


def last_cpu() -> int:
    """Return the CPU for the thread that forwards."""
    return max(os.sched_getaffinity(0))


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


# --- one application ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Course:
    """Where all applications run: devices, what they receive, and a folder for their files."""

    devices: Devices
    source: Source
    folder: Path
    seconds: float = SECONDS

    def rate(self) -> Rate:
        """Measure the application that runs now."""
        return forwarding_rate(self.source, 2, self.seconds)

    def dpdk(self, command: list[str], words: list[str]) -> Rate:
        """Measure an application of DPDK's."""
        first, last = min(os.sched_getaffinity(0)), last_cpu()
        memory = ["--in-memory"] if huge_pages() else ["--no-huge", "--no-shconf"]
        command = [*command, *memory, "-m", str(MEMORY_MB), *self.devices.options]
        command += ["--no-pci", "--no-telemetry", f"--file-prefix=perf{os.getpid()}t"]
        command += [f"--vdev={name}" for name in self.devices.names]
        cores = f"{first},{last}" if "testpmd" in command[0] else str(last)
        self.source.reset()
        with (
            (self.folder / "application.log").open("w") as log,
            Application(
                [*command, "-l", cores, "--", *words], self.source.environment(), log
            ) as application,
        ):
            process = application.process
            wait_for(lambda: process.poll() is not None or self._has_traffic(), "traffic")
            if process.poll() is not None:
                raise RuntimeError((self.folder / "application.log").read_text()[-1000:])
            return self.rate()

    def _has_traffic(self) -> bool:
        return any(self.source.stream(port).packets for port in (0, 1))


def measure_testpmd(course: Course, *, burst: int) -> Rate:
    """Measure testpmd, which sends on whatever it receives without a look."""
    words = ["--forward-mode=io", "--auto-start", "--nb-cores=1", f"--burst={burst}"]
    words += [f"--total-num-mbufs={BUFFERS}", "--rxd=512", "--txd=512"]
    return course.dpdk(["dpdk-testpmd"], words)


def measure_l3fwd(course: Course, *, lookup: str, burst: int, table: RouteTable | None) -> Rate:
    """Measure l3fwd by rte_lpm or rte_fib; without a table all leaves by the second port."""
    rules = course.folder / "rules"
    lines = ["R0.0.0.0/1 1", "R128.0.0.0/1 1"]
    if table is not None:
        table.write(rules)
        lines += (f"R{line} {i % 2}" for i, line in enumerate(rules.read_text().split()))
    rules.write_text("\n".join(lines) + "\n")
    none = course.folder / "rules6"  # it wants some of IPv6
    none.write_text("Rfe80::/16 0\n")
    words = ["-p", "3", "-P", f"--lookup={lookup}", f"--rule_ipv4={rules}", f"--rule_ipv6={none}"]
    words += [f"--config=(0,0,{last_cpu()}),(1,0,{last_cpu()})"]
    words += [] if course.devices.tells_types else ["--parse-ptype"]
    return course.dpdk([str(L3FWD / f"l3fwd-{burst}")], words)


def measure_router(course: Course, *, burst: int, table: RouteTable | None) -> Rate:
    """Measure the router, which must forward it all."""
    routes = BY_DEFAULT
    if table is not None:
        table.write(course.folder / "routes.txt")
        routes += FROM_FILE.format(course.folder / "routes.txt")
    words = ", ".join(f'"{word}"' for word in course.devices.options)
    dpdk = f"cores = [{last_cpu()}]\nbuffers = {BUFFERS}\neal_args = [{words}]"
    routes += f"[fast_path]\nburst = {burst}"
    config = write_config(course.folder, course.devices.names, routes=routes, dpdk=dpdk)
    course.source.reset()
    with RunningRouter(config, control_of(course.folder), course.source.environment()) as router:
        router.settle()
        wait_for(lambda: sum(router.ask("show.counters")["received"].values()), "traffic")
        before = router.ask("show.counters")
        rate = course.rate()
        after = router.ask("show.counters")
    received = sum(after["received"].values()) - sum(before["received"].values())
    assert after["forwarded"] - before["forwarded"] > 0.99 * received
    return rate


# --- all of them ----------------------------------------------------------------------------------


def rivals(table: RouteTable) -> Mapping[str, Callable[[Course], Rate]]:
    """Return what can be run here, by name; testpmd comes first."""
    found: dict[str, Callable[[Course], Rate]] = {}
    tables = {"one route": None, f"{len(table):,} routes": table}
    if shutil.which("dpdk-testpmd"):
        for burst in (32, 64):
            found[f"testpmd io, bursts of {burst}"] = partial(measure_testpmd, burst=burst)
    for burst in (32, 64):
        if not (L3FWD / f"l3fwd-{burst}").exists():
            continue
        for lookup in ("lpm", "fib"):
            for name, routes in tables.items():
                run = partial(measure_l3fwd, lookup=lookup, burst=burst, table=routes)
                found[f"l3fwd {lookup}, {name}, bursts of {burst}"] = run
    for burst in (32, 64, 256):
        for name, routes in tables.items():
            run_router = partial(measure_router, burst=burst, table=routes)
            found[f"twinroute, {name}, bursts of {burst}"] = run_router
    return found


def why_not() -> str | None:
    """Say why nothing of this can be measured here, if that is so."""
    try:
        plugin()
    except (FileNotFoundError, ModuleNotFoundError):
        return "the DPDK backend is not built"
    if any(folder.stat().st_mode & 0o002 for folder in plugin().parents):
        return "EAL takes no plugin below a folder that everybody may write to"
    if len(os.sched_getaffinity(0)) < 2:
        return "two CPUs expected"
    return None if os.geteuid() == 0 else "EAL wants to be root"


def rates(
    devices: Devices, folder: Path, rounds: int, *, routes: int = ROUTES
) -> dict[str, list[Rate]]:
    """Measure all of them, round by round."""
    table = make_table(routes)
    source = Source(folder / "source", table.addresses(DESTINATIONS))
    course = Course(devices, source, folder)
    applications = rivals(table)
    found: dict[str, list[Rate]] = {name: [] for name in applications}
    for _ in range(rounds):
        for name, run in applications.items():
            found[name].append(run(course))
    return found
