# SPDX-License-Identifier: MIT
"""A machine made of files for `twinroute doctor`: all that is right for WANTS, to be broken."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twinroute.dpdk.doctor import examine
from twinroute.dpdk.doctor_findings import Finding, PortWants, Verdict, Wants
from twinroute.dpdk.doctor_machine import Machine

WANTS = Wants(
    path="/etc/twinroute/router.toml",
    ports=(
        PortWants("lan", "0000:03:00.0", twin="lan0"),
        PortWants("wan", "0000:03:00.1", twin="wan0", netns="router"),
    ),
    units=2,
    cores=(2, 3),
    slow_core=4,
    memory_mb=1024,
)
ALL_CAPABILITIES = (1 << 41) - 1
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
PCI = "/sys/bus/pci"
CPUS = "/sys/devices/system/cpu"
NODES = "/sys/devices/system/node"
ROUTE_HEADER = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
DRIVERS = {
    "igb": {"name": "net_e1000_igb", "pci_ids": [[0x8086, 0x1533, 65535, 65535]]},
    "tap": {"name": "net_tap", "params": "iface=<string>", "pci_ids": []},
    "af_packet": {"name": "net_af_packet", "params": "iface=<string>", "pci_ids": []},
    "virtio": {"name": "net_virtio_user", "params": "path=<path>", "pci_ids": []},
}


class FakeMachine(Machine):
    """A Debian 12 server with 8 CPUs, two NUMA nodes, two NICs for DPDK and one of the kernel's.

    bare: nothing of all that.
    """

    def __init__(self, root: Path, *, bare: bool = False) -> None:
        super().__init__(
            root, environ={}, euid=0, python="3.11.2", extension=lambda: "DPDK 22.11.11"
        )
        if bare:
            return
        self._software()
        self.huge_pages(node=0, reserved=1024)
        self.huge_pages(node=1)
        self.write("/proc/mounts", "hugetlbfs /dev/hugepages hugetlbfs rw,pagesize=2M 0 0")
        self._processors()
        self._handing_over()
        self.device("0000:00:1f.6", "0x15b7", "e1000e")
        self.interface("0000:00:1f.6", "eno1", up=True)
        self.write("/proc/net/route", ROUTE_HEADER + route("eno1"))
        self.status_of()
        self.limits()
        self.write("/dev/net/tun", "")
        self.write("/run/netns/router", "")
        self.write("/run/twinroute/.keep", "")
        self.sockets("/run/systemd/notify")

    def _software(self) -> None:
        self.write("/proc/version", "Linux version 6.1.0-50-amd64 (debian-kernel@example.net)")
        self.write("/proc/sys/kernel/arch", "x86_64")
        self.write("/proc/cmdline", "quiet intel_iommu=on iommu=pt")
        modules = "\n".join(
            f"kernel/drivers/{name}.ko: other.ko"
            for name in ("vfio/pci/vfio-pci", "uio/uio_pci_generic", "net/tun", "vhost/vhost_net")
        )
        self.write("/lib/modules/6.1.0-50-amd64/modules.dep", modules)
        self.write(f"{LIBRARIES}/pkgconfig/libdpdk.pc", "Name: DPDK\nVersion: 22.11.11\n")
        self.write(f"{LIBRARIES}/librte_eal.so.23", "")
        for tool in ("dpdk-devbind.py", "dpdk-hugepages.py"):
            self.write(f"/usr/bin/{tool}", "")
        for name, info in DRIVERS.items():
            text = f"\x7fELF\0PMD_INFO_STRING= {json.dumps(info)}\0"
            self.write(f"{LIBRARIES}/dpdk/pmds-23.0/librte_net_{name}.so.23", text)

    def _processors(self) -> None:
        self.write(f"{CPUS}/online", "0-7")
        self.write(f"{CPUS}/isolated", "2-4")
        self.write(f"{CPUS}/nohz_full", "2-4")
        for cpu in range(8):
            self.siblings(cpu)
            self.write(f"{CPUS}/cpu{cpu}/cpufreq/scaling_governor", "performance")
        self.nodes("0-5", "6-7")
        self.cpuinfo_of("GenuineIntel")

    def _handing_over(self) -> None:
        self.write("/sys/class/iommu/dmar0/name", "")
        self.write("/sys/module/vfio_pci/initstate", "live")
        self.write("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N")
        self.write("/dev/vfio/vfio", "")
        for number, address in enumerate(("0000:03:00.0", "0000:03:00.1"), 12):
            self.device(address, "0x1533", "vfio-pci")
            self.group(address, number)

    # --- files ------------------------------------------------------------------------------------

    def write(self, path: str, text: str) -> None:
        """Make a file, and the folders that it is in."""
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link to another path of the machine."""
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(os.path.relpath(self.path(target), place.parent))

    def remove(self, *paths: str) -> None:
        """Take away files, links or folders that are there."""
        for path in paths:
            place = self.path(path)
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()

    # --- parts of the machine ---------------------------------------------------------------------

    def huge_pages(
        self, *, node: int, reserved: int = 0, free: int | None = None, kib: int = 2048
    ) -> None:
        """Set the pages of one size on a node; all are free unless told otherwise."""
        folder = f"{NODES}/node{node}/hugepages/hugepages-{kib}kB"
        self.write(f"{folder}/nr_hugepages", f"{reserved}\n")
        self.write(f"{folder}/free_hugepages", f"{reserved if free is None else free}\n")

    def device(self, address: str, device: str, driver: str, *, kind: str = "0x020000") -> None:
        """Put a PCI device of Intel on node 0, bound to a driver."""
        folder = f"{PCI}/devices/{address}"
        values = {"vendor": "0x8086", "device": device, "class": kind, "numa_node": "0"}
        for key, value in values.items():
            self.write(f"{folder}/{key}", value)
        self.bind(address, driver)

    def bind(self, address: str, driver: str) -> None:
        """Bind a PCI device to a driver."""
        self.path(f"{PCI}/drivers/{driver}").mkdir(parents=True, exist_ok=True)
        self.link(f"{PCI}/devices/{address}/driver", f"{PCI}/drivers/{driver}")

    def group(self, address: str, number: int) -> None:
        """Put a PCI device into an IOMMU group that VFIO has a file for."""
        folder = f"/sys/kernel/iommu_groups/{number}"
        self.link(f"{folder}/devices/{address}", f"{PCI}/devices/{address}")
        self.link(f"{PCI}/devices/{address}/iommu_group", folder)
        self.write(f"/dev/vfio/{number}", "")

    def interface(self, address: str, name: str, *, up: bool) -> None:
        """Give a PCI device an interface, with link if it is up."""
        self.write(f"{PCI}/devices/{address}/net/{name}/flags", "")
        self.write(f"/sys/class/net/{name}/flags", "0x1003" if up else "0x1002")
        self.write(f"/sys/class/net/{name}/carrier", "1" if up else "0")
        self.write(f"/sys/class/net/{name}/speed", "1000")

    def siblings(self, *cpus: int) -> None:
        """Make some CPUs the threads of one core."""
        for cpu in cpus:
            text = ",".join(map(str, cpus))
            self.write(f"{CPUS}/cpu{cpu}/topology/thread_siblings_list", text)

    def nodes(self, *cpus: str) -> None:
        """Say which CPUs each NUMA node has."""
        for node, text in enumerate(cpus):
            self.write(f"{NODES}/node{node}/cpulist", text)

    def cpuinfo_of(self, vendor: str, *flags: str, vectors: str = "sse4_2 avx2 avx512f") -> None:
        """Describe the processors."""
        words = f"{vectors} constant_tsc nonstop_tsc {' '.join(flags)}"
        self.write("/proc/cpuinfo", f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: {words}\n")

    def status_of(self, *, capabilities: int = ALL_CAPABILITIES, cpus: str = "0-1,5-7") -> None:
        """Set the rights of the process, and the CPUs that it may run on."""
        text = f"Name:\tpython3\nCapEff:\t{capabilities:016x}\nCpus_allowed_list:\t{cpus}\n"
        self.write("/proc/self/status", text)

    def limits(self, *, memlock: int = 8 << 20, files: int = 1024) -> None:
        """Set limits of the process, in bytes and files."""
        text = "Limit                     Soft Limit           Hard Limit           Units\n"
        text += f"Max open files            {files:<20} 1048576              files\n"
        text += f"Max locked memory         {memlock:<20} unlimited            bytes\n"
        self.write("/proc/self/limits", text)

    def sockets(self, *names: str) -> None:
        """Set the UNIX sockets that are in use."""
        lines = [f"0000: 00000002 00000000 00010000 0001 01 77{i} {n}" for i, n in enumerate(names)]
        header = "Num       RefCount Protocol Flags    Type St Inode Path"
        self.write("/proc/net/unix", "\n".join([header, *lines]))

    def socket(self, path: str) -> None:
        """Leave a socket's file that nobody listens on."""
        os.mknod(self.path(path), stat.S_IFSOCK | 0o600)

    def lock(self, path: str, process: int) -> None:
        """Let a process hold a lock on a file."""
        self.write(path, "")
        about = self.path(path).stat()
        device = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}"
        line = f"1: POSIX  ADVISORY  WRITE {process} {device}:{about.st_ino} 0 EOF"
        self.write("/proc/locks", f"{line}\n2: FLOCK  ADVISORY  WRITE 1 00:01:1 0 EOF\n")


def route(interface: str) -> str:
    """Return the line of /proc/net/route for a default route."""
    return f"{interface} 00000000 0100000A 0003 0 0 0 00000000 0 0 0\n"


# --- findings -------------------------------------------------------------------------------------


def case(
    name: str,
    breaks: Callable[[FakeMachine], object],
    point: str,
    verdict: Verdict,
    *mend: str,
) -> Any:
    """Describe a machine with one thing wrong, and what the doctor says of a point of it."""
    return pytest.param(breaks, point, verdict, mend, id=name)


def find(findings: list[Finding], point: str) -> Finding:
    """Return the finding on a point."""
    found = [finding for finding in findings if finding.point == point]
    assert len(found) == 1, [finding.point for finding in findings]
    return found[0]


def judge(
    machine: FakeMachine, point: str, verdict: Verdict, mend: tuple[str, ...], wants: Wants = WANTS
) -> None:
    """Check the verdict on a point and what mends it, and that a shell takes every line."""
    findings = examine(machine, wants)
    finding = find(findings, point)
    assert (finding.verdict, finding.mend) == (verdict, mend), finding
    lines = "\n".join(line for each in findings for line in each.mend)
    subprocess.run(["bash", "-n"], input=lines, text=True, check=True)


def grub(*parameters: str) -> tuple[str, ...]:
    """Return the commands for the kernel's command line."""
    added = " ".join(parameters)
    edit = f"""sed -i 's/^GRUB_CMDLINE_LINUX="/&{added} /' /etc/default/grub"""
    return edit, "update-grub", "reboot"
