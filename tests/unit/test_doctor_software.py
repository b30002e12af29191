# SPDX-License-Identifier: MIT
"""`twinroute doctor` on machines where software or memory is missing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake_machine import WANTS, FakeMachine, case, find, grub, judge
from twinroute.dpdk.doctor import examine
from twinroute.dpdk.doctor_findings import Verdict

pytestmark = pytest.mark.no_sanitizer

OK, WARNING = Verdict.OK, Verdict.WARNING
PROBLEM, NOT_APPLICABLE = Verdict.PROBLEM, Verdict.NOT_APPLICABLE
Breaks = Callable[[FakeMachine], object]
INSTALL = "apt install dpdk libdpdk-dev librte-meta-allpmds"
BUILD = (f"{INSTALL} pkg-config", "make build")
DPDK = "/usr/lib/x86_64-linux-gnu"
NODES = "/sys/devices/system/node"
SMALL_PAGES = [f"{NODES}/node{node}/hugepages/hugepages-2048kB" for node in (0, 1)]


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def no_extension(error: ImportError) -> Breaks:
    def load() -> str:
        raise error

    return lambda m: setattr(m, "extension", load)


SOFTWARE = [
    case(
        "old Python",
        lambda m: setattr(m, "python", "3.10.12"),
        "Python",
        PROBLEM,
        "apt install python3",
    ),
    case(
        "old kernel",
        lambda m: m.write("/proc/version", "Linux version 4.9.0-19-amd64 (debian)"),
        "kernel",
        PROBLEM,
        "apt install linux-image-amd64",
        "reboot",
    ),
    case(
        "no DPDK",
        lambda m: m.remove(f"{DPDK}/pkgconfig", f"{DPDK}/librte_eal.so.23"),
        "DPDK",
        PROBLEM,
        INSTALL,
    ),
    case(
        "DPDK without its headers",
        lambda m: m.remove(f"{DPDK}/pkgconfig"),
        "DPDK",
        WARNING,
        INSTALL,
    ),
    case(
        "old DPDK",
        lambda m: m.write(f"{DPDK}/pkgconfig/libdpdk.pc", "Name: DPDK\nVersion: 20.11.10"),
        "DPDK",
        PROBLEM,
        INSTALL,
    ),
    case(
        "extension not built",
        no_extension(ModuleNotFoundError("No module named 'twinroute.dpdk._dpdk'")),
        "twinroute.dpdk._dpdk",
        PROBLEM,
        *BUILD,
    ),
    case(
        "extension without its libraries",
        no_extension(ImportError("librte_eal.so.23: cannot open shared object file")),
        "twinroute.dpdk._dpdk",
        PROBLEM,
        *BUILD,
    ),
    case(
        "no tools",
        lambda m: m.remove("/usr/bin/dpdk-devbind.py"),
        "DPDK's tools",
        WARNING,
        "apt install dpdk",
    ),
]


@pytest.mark.parametrize(("breaks", "point", "verdict", "mend"), SOFTWARE)
def test_software(
    machine: FakeMachine, breaks: Breaks, point: str, verdict: Verdict, mend: tuple[str, ...]
):
    breaks(machine)
    judge(machine, point, verdict, mend)


MEMORY = [
    case(
        "too few huge pages",
        lambda m: m.huge_pages(node=0, reserved=256, free=128),
        "memory for the router",
        PROBLEM,
        "dpdk-hugepages.py -p 2M -n 0 --reserve 1280M",
        "echo 'vm.nr_hugepages = 640' > /etc/sysctl.d/80-twinroute.conf",
    ),
    case(
        "huge pages on the wrong node",
        lambda m: (m.huge_pages(node=0, reserved=0), m.huge_pages(node=1, reserved=512)),
        "node 0",
        WARNING,
        "dpdk-hugepages.py -p 2M -n 0 --reserve 1024M",
        "echo 'vm.nr_hugepages = 1024' > /etc/sysctl.d/80-twinroute.conf",
    ),
    case(
        "only large pages, all taken",
        lambda m: (
            m.remove(*SMALL_PAGES),
            m.huge_pages(node=0, kib=1 << 20, reserved=1, free=0),
        ),
        "memory for the router",
        PROBLEM,
        "dpdk-hugepages.py -p 1G -n 0 --reserve 2048M",
        *grub("hugepagesz=1G", "hugepages=2"),
    ),
    case(
        "no huge pages in the kernel",
        lambda m: m.remove(*SMALL_PAGES),
        "reserved",
        PROBLEM,
        "apt install linux-image-amd64",
        "reboot",
    ),
]


@pytest.mark.parametrize(("breaks", "point", "verdict", "mend"), MEMORY)
def test_memory(
    machine: FakeMachine, breaks: Breaks, point: str, verdict: Verdict, mend: tuple[str, ...]
):
    breaks(machine)
    judge(machine, point, verdict, mend)


def test_no_huge_pages_asked_for(machine: FakeMachine):
    machine.huge_pages(node=0)
    wants = replace(WANTS, hugepages=False)
    machine.write("/proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 2097152 kB\n")
    judge(machine, "reserved", NOT_APPLICABLE, (), wants)
    judge(machine, "memory for the router", OK, (), wants)
    machine.write("/proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 524288 kB\n")
    mend = "# in router.toml: [dpdk] memory_mb = 256"
    judge(machine, "memory for the router", PROBLEM, (mend,), wants)


def test_libraries_tell_the_version_without_pkg_config(machine: FakeMachine):
    machine.remove(f"{DPDK}/pkgconfig")
    found = find(examine(machine, WANTS), "DPDK").found
    assert found == "libraries of 22.11, but no libdpdk.pc: twinroute cannot be built here"


def test_pkg_config_path_comes_first(machine: FakeMachine):
    machine.write("/opt/dpdk/pkgconfig/libdpdk.pc", "Name: DPDK\nVersion: 24.11.1\n")
    machine.environ = {"PKG_CONFIG_PATH": "/opt/dpdk/pkgconfig"}
    assert find(examine(machine, WANTS), "DPDK").found == "24.11.1"


def test_routing_daemons_are_told(machine: FakeMachine):
    assert find(examine(machine, WANTS), "FRR").verdict is NOT_APPLICABLE
    machine.write("/usr/lib/frr/zebra", "")
    assert find(examine(machine, WANTS), "FRR").found == "/usr/lib/frr/zebra"
