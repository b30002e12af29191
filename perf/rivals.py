# SPDX-License-Identifier: MIT
"""The router next to DPDK's own applications, on the same devices, in rounds in turn.

testpmd io sends on whatever it receives without a look; l3fwd is DPDK's example of a router: the
longest prefix and new MAC addresses, TTL and checksum, but no checks, no counters, no slow path
(`.ci/install bench` builds it). Cycles a packet, those of the devices included.
"""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from twinroute.perf import fastclick, vpp
from twinroute.perf.contests import Contest
from twinroute.perf.processes import (
    Application,
    Rate,
    RunningRouter,
    forwarding_rate,
    wait_for,
)
from twinroute.perf.progress import Progress
from twinroute.perf.selection import Tables
from twinroute.perf.source import IMIX, Source, plugin

NET_NULL = "net_null{},size=60"
BURST = 64  # the router's own
BUFFERS, MEMORY_MB, SECONDS = 16383, 512, 1.0
L3FWD = Path(__file__).resolve().parents[1] / "build" / "l3fwd"
L3FWD_BURSTS = (32, 64, 256)
ROUTER, FASTCLICK, VPP = "twinroute", "FastClick", "VPP"
CLICK_BURST = 32  # its own; longer ones were no faster
# Without it rte_fib leaves AVX-512 alone.
SIMD = "--force-max-simd-bitwidth=512"
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
{neighbors}
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
NEIGHBOR = '[[neighbor]]\nport = "p1"\naddress = "10.0.1.{}"\nmac = "02:00:00:00:00:0{}"\n'
GATEWAYS = 4
RULE = '[[filter]]\naction = "drop"\nsource = "10.9.9.{}"\n'
BY_DEFAULT = '[[route]]\nto = "0.0.0.0/0"\nvia = "10.0.1.2"\n'
FROM_FILE = '[[route_file]]\npath = "{}"\nvia = {}\n'
VIA = ("10.0.0.2", "10.0.1.2")


@dataclass(frozen=True)
class Devices:
    """The two ports that all applications get: an EAL device with {} for 0 and 1, and its driver.

    Any device is counted by the traffic source's plugin, but only net_null's frames come from it;
    another may have {destinations} for a file of the case's addresses, one a line.
    """

    device: str = NET_NULL
    driver: Path | None = None

    def names(self, folder: Path, contest: Contest) -> tuple[str, str]:
        """Return both devices. folder: where the addresses are."""
        device = self.device
        if contest.imix:
            device = device.replace("size=60", f"size={max(IMIX)}")
        path = folder / "destinations.txt"
        return device.format(0, destinations=path), device.format(1, destinations=path)

    @property
    def plugins(self) -> list[Path]:
        """The source of the frames, and the driver."""
        return [plugin(), *([self.driver] if self.driver else [])]

    @property
    def options(self) -> list[str]:
        """EAL's options for the plugins."""
        return [word for path in self.plugins for word in ("-d", str(path))]

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
        neighbors="".join(NEIGHBOR.format(i + 2, i + 3) for i in range(GATEWAYS)),
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


class Course:
    """What all applications of a contest get: devices, what they receive, and files of theirs."""

    def __init__(self, devices: Devices, contest: Contest, tables: Tables, folder: Path) -> None:
        """folder: for the files."""
        self.devices, self.contest, self.folder = devices, contest, folder
        self.routes = tables.table(contest.table)
        destinations = tables.destinations(contest.table, contest.to)
        self.source = Source(folder / "source", destinations)
        if "{destinations}" in devices.device:
            octets = destinations.astype(">u4").view("u1").reshape(-1, 4)
            lines = (f"{a}.{b}.{c}.{d}\n" for a, b, c, d in octets.tolist())
            (folder / "destinations.txt").write_text("".join(lines))

    @property
    def names(self) -> tuple[str, str]:
        """Both devices."""
        return self.devices.names(self.folder, self.contest)

    @cached_property
    def route_file(self) -> Path:
        """The table, as the router reads it."""
        path = self.folder / "routes.txt"
        assert self.routes is not None
        self.routes.write(path)
        return path

    def port_of(self, index: int) -> int:
        """Return the port that a route leads to."""
        return index % 2 if self.contest.ways == 2 else 1

    @cached_property
    def rules(self) -> Path:
        """The table, as l3fwd reads it; without one all leaves by the second port."""
        lines = ["R0.0.0.0/1 1", "R128.0.0.0/1 1"]
        if self.routes is not None:
            words = self.route_file.read_text().split()
            lines += (f"R{line} {self.port_of(i)}" for i, line in enumerate(words))
        path = self.folder / "rules"
        path.write_text("\n".join(lines) + "\n")
        (self.folder / "rules6").write_text("Rfe80::/16 0\n")  # it wants some of IPv6
        return path

    def environment(self) -> dict[str, str]:
        """Return what the source is told."""
        contest = self.contest
        lengths = IMIX if contest.imix else ()
        return self.source.environment(
            contest.expired_every, lengths=lengths, verdict=contest.verdict
        )

    def rate(self) -> Rate:
        """Measure the application that runs now."""
        return forwarding_rate(self.source, 2, SECONDS, queues=self.contest.units)

    @property
    def cpus(self) -> tuple[int, int]:
        """For the thread that starts all, and for the one that forwards."""
        return min(os.sched_getaffinity(0)), last_cpu()

    def dpdk(self, command: list[str], words: list[str]) -> Rate:
        """Measure an application of DPDK's."""
        first, last = self.cpus
        memory = ["--in-memory"] if huge_pages() else ["--no-huge", "--no-shconf"]
        command = [*command, *memory, "-m", str(MEMORY_MB), SIMD, *self.devices.options]
        command += ["--no-pci", "--no-telemetry", f"--file-prefix=perf{os.getpid()}t"]
        command += [f"--vdev={name}" for name in self.names]
        cores = f"{first},{last}" if "testpmd" in command[0] else str(last)
        return self.run([*command, "-l", cores, "--", *words])

    def run(self, command: list[str], environment: Mapping[str, str] | None = None) -> Rate:
        """Measure an application once its traffic has begun. environment: what it needs more."""
        environment = {**self.environment(), **(environment or {})}
        self.source.reset()
        with (
            (self.folder / "application.log").open("w") as log,
            Application(command, environment, log) as application,
        ):
            process = application.process
            wait_for(lambda: process.poll() is not None or self._has_traffic(), "traffic")
            if process.poll() is not None:
                text = (self.folder / "application.log").read_text()[-1000:]
                raise RuntimeError(f"{command[0]} ended with {process.returncode}: {text}")
            return self.rate()

    def _has_traffic(self) -> bool:
        return any(self.source.stream(port).packets for port in (0, 1))


def measure_testpmd(course: Course, *, burst: int) -> Rate:
    """Measure testpmd, which sends on whatever it receives without a look."""
    words = ["--forward-mode=io", "--auto-start", "--nb-cores=1", f"--burst={burst}"]
    words += [f"--total-num-mbufs={BUFFERS}", "--rxd=512", "--txd=512"]
    return course.dpdk(["dpdk-testpmd"], words)


def measure_l3fwd(course: Course, *, lookup: str, burst: int) -> Rate:
    """Measure l3fwd by rte_lpm or rte_fib."""
    words = ["-p", "3", "-P", f"--lookup={lookup}", f"--rule_ipv4={course.rules}"]
    words += [f"--rule_ipv6={course.folder / 'rules6'}"]
    words += [f"--config=(0,0,{last_cpu()}),(1,0,{last_cpu()})"]
    words += [] if course.devices.tells_types else ["--parse-ptype"]
    return course.dpdk([str(L3FWD / f"l3fwd-{burst}")], words)


def router_config(course: Course, *, burst: int) -> Path:
    """Write the router's configuration. Two units, if there are, share a CPU with the slow path."""
    contest = course.contest
    via = ", ".join(f'"10.0.1.{i + 2}"' for i in range(contest.gateways))
    text = f'[[route]]\nto = "0.0.0.0/0"\nvia = [{via}]\n'
    if course.routes is not None:
        text += FROM_FILE.format(course.route_file, list(VIA[-contest.ways :]))
    text += "".join(RULE.format(i) for i in range(contest.rules))
    text += f'[fast_path]\nburst = {burst}\nunits = {contest.units}\nlpm = "{contest.lpm}"'
    words = ", ".join(f'"{word}"' for word in [SIMD, *course.devices.options])
    cpus = sorted(os.sched_getaffinity(0))
    dpdk = f"cores = {cpus[-contest.units :]}\nslow_core = {cpus[0]}\n"
    dpdk += f"buffers = {BUFFERS}\neal_args = [{words}]"
    return write_config(course.folder, course.names, routes=text, dpdk=dpdk)


def measure_router(course: Course, *, burst: int) -> Rate:
    """Measure the router, which must forward all that is not complex."""
    config = router_config(course, burst=burst)
    course.source.reset()
    with RunningRouter(config, control_of(course.folder), course.environment()) as router:
        router.settle()
        wait_for(lambda: sum(router.ask("show.counters")["received"].values()), "traffic")
        before = router.ask("show.counters")
        rate = course.rate()
        after = router.ask("show.counters")
    received = sum(after["received"].values()) - sum(before["received"].values())
    every = course.contest.expired_every
    simple = received - (received / every if every else 0)
    assert after["forwarded"] - before["forwarded"] > 0.99 * simple
    return rate


# --- all of them ----------------------------------------------------------------------------------


def applications(contest: Contest) -> Mapping[str, Callable[[Course], Rate]]:
    """Return what can be run here, by name."""
    found: dict[str, Callable[[Course], Rate]] = {}
    if contest.l3fwd and shutil.which("dpdk-testpmd"):
        for burst in (32, 64):
            found[f"testpmd io, bursts of {burst}"] = partial(measure_testpmd, burst=burst)
    for lookup in contest.l3fwd:
        for burst in L3FWD_BURSTS:
            if (L3FWD / f"l3fwd-{burst}").exists():
                run_l3fwd = partial(measure_l3fwd, lookup=lookup, burst=burst)
                found[f"l3fwd {lookup}, bursts of {burst}"] = run_l3fwd
    if contest.l3fwd and fastclick.is_here():
        run_click = partial(fastclick.measure_fastclick, burst=CLICK_BURST)
        found[f"{FASTCLICK}, bursts of {CLICK_BURST}"] = run_click
    if contest.l3fwd and vpp.is_here():
        found[VPP] = vpp.measure_vpp
    for burst in contest.bursts:
        found[f"{ROUTER}, bursts of {burst}"] = partial(measure_router, burst=burst)
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
    devices: Devices,
    selected: Mapping[str, Contest],
    tables: Tables,
    folder: Path,
    rounds: int,
) -> dict[str, dict[str, list[Rate]]]:
    """Measure all of them, round by round. Returns rates by contest and application.

    Another application that fails is left out from there on.
    """
    if devices.driver is not None:
        selected = {name: one for name, one in selected.items() if one.is_plain}
    courses: dict[str, Course] = {}
    for index, (name, contest) in enumerate(selected.items()):
        (folder / str(index)).mkdir()
        courses[name] = Course(devices, contest, tables, folder / str(index))
    runs = [(name, app) for name, one in selected.items() for app in applications(one)]
    found: dict[str, dict[str, list[Rate]]] = {name: {} for name in selected}
    failed: set[tuple[str, str]] = set()
    progress = Progress("next to DPDK's applications", rounds * len(runs))
    for _ in range(rounds):
        for name, app in runs:
            progress.step(f"{name}: {app}")
            if (name, app) in failed:
                continue
            try:
                rate = applications(selected[name])[app](courses[name])
            except (RuntimeError, TimeoutError) as error:
                if app.startswith(ROUTER):
                    raise
                print(f"left out: {app}: {error}", file=sys.stderr)
                failed.add((name, app))
                found[name].pop(app, None)
                continue
            found[name].setdefault(app, []).append(rate)
    return found
