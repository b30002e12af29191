# SPDX-License-Identifier: MIT
"""What the doctor says: findings, and what a configuration asks of the machine."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinroute.config import Config

PCI_ADDRESS = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])", re.ASCII)
MEMORY_MB = 512  # asked for where no configuration says how much
FILE_PREFIX = "twinroute"
SOCKET = "/run/twinroute/router.sock"


class Verdict(StrEnum):
    """How a point stands; only a problem keeps the router from running."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Finding:
    """A point that was looked at.

    mend: lines for a shell that mend it; a line with # in front is for people.
    """

    topic: str
    point: str
    verdict: Verdict
    found: str
    mend: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topic:
    """Makes the findings of one topic."""

    name: str

    def ok(self, point: str, found: str) -> Finding:
        """Nothing to mend."""
        return Finding(self.name, point, Verdict.OK, found)

    def not_applicable(self, point: str, found: str) -> Finding:
        """Not needed here."""
        return Finding(self.name, point, Verdict.NOT_APPLICABLE, found)

    def warning(self, point: str, found: str, *mend: str) -> Finding:
        """The router runs, but slower or less safely."""
        return Finding(self.name, point, Verdict.WARNING, found, mend)

    def problem(self, point: str, found: str, *mend: str) -> Finding:
        """The router does not run."""
        return Finding(self.name, point, Verdict.PROBLEM, found, mend)


@dataclass(frozen=True)
class PortWants:
    """A port's name, and its device as DPDK takes it: a PCI address or a vdev, with options.

    twin: the name of its TAP, "" for none. netns: the namespace of that, "" for this process's.
    """

    name: str
    device: str
    twin: str = ""
    netns: str = ""

    @property
    def pci(self) -> str:
        """The PCI address with its domain, or "" for a vdev."""
        found = PCI_ADDRESS.fullmatch(self.device.partition(",")[0].strip().lower())
        return f"{found[1] or '0000'}:{found[2]}" if found else ""

    @property
    def vdev(self) -> str:
        """The name of a vdev, as "net_tap0", or ""."""
        return "" if self.pci else self.device.partition(",")[0].strip()

    @property
    def options(self) -> dict[str, str]:
        """What follows the device: key=value pairs."""
        pairs = (part.partition("=") for part in self.device.split(",")[1:])
        return {key.strip(): value.strip() for key, _, value in pairs}


@dataclass(frozen=True)
class Wants:
    """What the router needs; without a configuration, what a router of real NICs would.

    path: the configuration's, "" for none. cores: of the fast-path units, if given.
    """

    path: str = ""
    ports: tuple[PortWants, ...] = ()
    unnamed: tuple[str, ...] = ()  # ports without a device
    units: int = 1
    cores: tuple[int, ...] = ()
    slow_core: int | None = None
    hugepages: bool = True
    memory_mb: int = MEMORY_MB
    file_prefix: str = FILE_PREFIX
    socket: str = SOCKET

    @property
    def configured(self) -> bool:
        """Whether there are ports to judge by."""
        return bool(self.ports)

    @property
    def pci(self) -> bool:
        """Whether a PCI device is, or may be, wanted."""
        return not self.configured or any(port.pci for port in self.ports)

    @property
    def all_cores(self) -> tuple[int, ...]:
        """The cores that the configuration names, the slow path's last."""
        return self.cores + (() if self.slow_core is None else (self.slow_core,))

    def bad(self, topic: Topic, point: str, found: str, *mend: str) -> Finding:
        """Make what a configuration needs a problem, and a warning where there is none."""
        if self.configured:
            return topic.problem(point, found, *mend)
        return topic.warning(point, found, *mend)


def wants_of(config: "Config | None") -> Wants:
    """Read what a configuration asks of the machine."""
    if config is None:
        return Wants()
    dpdk = config.dpdk
    ports = tuple(
        PortWants(name, table.device, table.twin_name if table.twin else "", table.twin_netns)
        for name, table in dpdk.port.items()
    )
    return Wants(
        path=str(config.path or "CONFIG"),
        ports=ports,
        unnamed=tuple(name for name in config.ports if name not in dpdk.port),
        units=config.fast_path.units,
        cores=tuple(dpdk.cores),
        slow_core=dpdk.slow_core,
        hugepages=dpdk.hugepages,
        memory_mb=dpdk.memory_mb or _memory_taken(config),
        file_prefix=dpdk.file_prefix,
        socket=str(config.control.socket),
    )


def _memory_taken(config: "Config") -> int:
    """Return the MiB that EAL would be told to take; a guess where the extension is missing."""
    try:
        from twinroute.dpdk.eal import arguments
    except ImportError:
        return MEMORY_MB
    words = arguments(config)
    return int(words[words.index("-m") + 1]) if "-m" in words else MEMORY_MB


def grub(*parameters: str) -> tuple[str, ...]:
    """Return the commands that add parameters to the kernel's command line, on Debian."""
    added = " ".join(parameters)
    edit = f"""sed -i 's/^GRUB_CMDLINE_LINUX="/&{added} /' /etc/default/grub"""
    return edit, "update-grub", "reboot"


def listed(items: Iterable[object], none: str = "none") -> str:
    """Write things with commas between them."""
    return ", ".join(str(item) for item in items) or none


def megabytes(kib: int) -> str:
    """Write a size of memory for people.

    kib: in KiB.
    """
    return f"{kib >> 20} GiB" if kib and not kib % (1 << 20) else f"{kib >> 10} MiB"
