# SPDX-License-Identifier: MIT
"""The machine that the doctor looks at: its files below a root, and what no file tells.

Every probe reads through a Machine, so a test gives it a tree of its own in the place of /. It only
reads: nothing here writes, loads a module or starts a program.
"""

import importlib
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

FILE_BYTES_MAX = 64 << 20


def load_extension() -> str:
    """Load the C extension of this package, which needs DPDK's libraries; raises ImportError.

    Returns the version of DPDK that it says it runs with, "" if it does not say.
    """
    module = importlib.import_module("twinroute.dpdk._dpdk")
    for name in ("tr_dpdk_version", "rte_version"):
        if function := getattr(module.lib, name, None):
            return str(module.ffi.string(function()).decode())
    return ""


class Machine:
    """Reads a machine; what is not there or may not be read counts as empty.

    root: folder that stands for /. environ: environment variables. euid: effective user.
    python: version of Python. extension: loads the C extension, returns DPDK's version or raises
    ImportError.
    """

    def __init__(
        self,
        root: str | Path = "/",
        *,
        environ: Mapping[str, str] | None = None,
        euid: int | None = None,
        python: str | None = None,
        extension: Callable[[], str] = load_extension,
    ) -> None:
        self.root = Path(root)
        self.environ = os.environ if environ is None else environ
        self.euid = os.geteuid() if euid is None else euid
        self.python = python or platform.python_version()
        self.extension = extension

    def path(self, path: str) -> Path:
        """Return where a file of the machine, named by its absolute path, really is."""
        return self.root / path.lstrip("/")

    def read_bytes(self, path: str) -> bytes:
        """Return what a file holds."""
        try:
            with open(self.path(path), "rb") as file:
                return file.read(FILE_BYTES_MAX)
        except (OSError, ValueError):
            return b""

    def read(self, path: str) -> str:
        """Return the text of a file, without white space around it."""
        return self.read_bytes(path).decode(errors="replace").strip()

    def lines(self, path: str) -> list[str]:
        """Return the lines of a file."""
        return self.read(path).splitlines()

    def number(self, path: str) -> int | None:
        """Return the decimal integer that a file holds."""
        try:
            return int(self.read(path))
        except ValueError:
            return None

    def exists(self, path: str) -> bool:
        """Tell whether there is a file, a folder or anything else."""
        return os.path.lexists(self.path(path))

    def names(self, path: str) -> list[str]:
        """Return the sorted names in a folder."""
        try:
            return sorted(os.listdir(self.path(path)))
        except (OSError, ValueError):
            return []

    def glob(self, *patterns: str) -> list[str]:
        """Return the absolute paths, as seen from the root, that match any of some patterns."""
        found: list[str] = []
        for pattern in patterns:
            found += sorted(
                "/" + str(path.relative_to(self.root))
                for path in self.root.glob(pattern.lstrip("/"))
            )
        return found

    def target(self, path: str) -> str:
        """Return the last part of what a symbolic link points to, "" if it is none."""
        try:
            return os.path.basename(os.readlink(self.path(path)))
        except (OSError, ValueError):
            return ""

    def stat(self, path: str) -> os.stat_result | None:
        """Return owner, mode and inode of a file, following links."""
        try:
            return os.stat(self.path(path))
        except (OSError, ValueError):
            return None

    def first(self, paths: Iterable[str]) -> str:
        """Return the first of some paths that exists, or ""."""
        return next((path for path in paths if self.exists(path)), "")

    # --- what many probes ask ---------------------------------------------------------------------

    @property
    def kernel(self) -> str:
        """The kernel's release, as `uname -r` has it."""
        version = self.read("/proc/version").split()  # "Linux version 6.1.0-18-amd64 (..."
        return version[2] if len(version) > 2 else ""

    @property
    def debian_kernel(self) -> str:
        """The Debian package with the full kernel for this architecture."""
        arch = self.read("/proc/sys/kernel/arch") or "x86_64"
        known = {"x86_64": "amd64", "aarch64": "arm64"}
        return f"linux-image-{known.get(arch, arch)}"

    def has_module(self, name: str) -> bool:
        """Tell whether a kernel module can be loaded, or is built in."""
        folder = f"/lib/modules/{self.kernel}"
        listed = self.lines(f"{folder}/modules.dep") + self.lines(f"{folder}/modules.builtin")
        wanted = name.replace("-", "_")
        for line in listed:
            file = line.partition(":")[0].rpartition("/")[2]
            if file.partition(".ko")[0].replace("-", "_") == wanted:
                return True
        return False

    def status(self, key: str) -> str:
        """Return a value of /proc/self/status."""
        for line in self.lines("/proc/self/status"):
            name, _, value = line.partition(":")
            if name == key:
                return value.strip()
        return ""

    def cpuinfo(self, *keys: str) -> str:
        """Return the value of the first of some keys that /proc/cpuinfo has, of the first CPU."""
        for line in self.lines("/proc/cpuinfo"):
            name, _, value = line.partition(":")
            if name.strip() in keys:
                return value.strip()
        return ""

    def has_capability(self, number: int) -> bool:
        """Tell whether this process has a capability, by its number."""
        try:
            return bool(int(self.status("CapEff"), 16) >> number & 1)
        except ValueError:
            return self.euid == 0

    @property
    def iommu(self) -> bool:
        """Whether an IOMMU is at work; groups are no sign, VFIO makes some without one."""
        return bool(self.names("/sys/class/iommu"))

    @property
    def noiommu(self) -> bool:
        """Whether VFIO takes devices without an IOMMU."""
        mode = self.read("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode")
        return mode in ("Y", "1")

    @property
    def userspace_driver(self) -> str:
        """The kernel driver that hands a device to DPDK best on this machine."""
        return "vfio-pci" if self.iommu or self.noiommu else "uio_pci_generic"

    def default_route_interfaces(self) -> set[str]:
        """Return the interfaces that a default route, IPv4 or IPv6, leads out of."""
        found = set()
        for line in self.lines("/proc/net/route")[1:]:
            fields = line.split()
            if len(fields) > 7 and fields[1] == fields[7] == "00000000":
                found.add(fields[0])
        for line in self.lines("/proc/net/ipv6_route"):
            fields = line.split()
            unusable = len(fields) < 10 or int(fields[8], 16) & 0x0200  # RTF_REJECT
            if not unusable and fields[0] == "0" * 32 and fields[1] == "00":
                found.add(fields[9])
        return found - {"lo"}


def cpu_set(text: str) -> set[int]:
    """Read a list of CPUs or NUMA nodes as the kernel writes it: "0-3,8"."""
    found: set[int] = set()
    for part in text.replace("\n", ",").split(","):
        low, _, high = part.strip().partition("-")
        if low.isdigit() and (high or low).isdigit():
            found |= set(range(int(low), int(high or low) + 1))
    return found


def cpu_text(cpus: Iterable[int]) -> str:
    """Write CPUs as the kernel does: "0-3,8"; "none" if there are none."""
    ranges: list[list[int]] = []
    for cpu in sorted(cpus):
        if ranges and ranges[-1][1] == cpu - 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges) or "none"
