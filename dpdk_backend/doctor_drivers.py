# SPDX-License-Identifier: MIT
"""The poll-mode drivers of the installed DPDK, as they describe themselves, and vdevs by them.

A driver's library holds strings `PMD_INFO_STRING= {...}`: JSON with its name and the PCI devices
that it knows. They are read as text; no library is loaded.
"""

import json
import re
from collections.abc import Iterator

from twinroute.dpdk.doctor_findings import Finding, PortWants, Topic
from twinroute.dpdk.doctor_machine import Machine

FOLDERS = ("/usr/local/lib/*", "/usr/local/lib*", "/usr/lib/*", "/usr/lib64")
INFO = re.compile(rb"PMD_INFO_STRING= (\{[^\0]*\})")
LIBRARY = re.compile(r"librte_net_(\w+)\.so")
ANY = 0xFFFF
INSTALL = "apt install librte-meta-allpmds"
# Options of vdevs that name an interface which must be there before.
TAKES_INTERFACE = {
    "net_af_packet": ("iface",),
    "net_af_xdp": ("iface",),
    "net_pcap": ("iface", "rx_iface", "rx_iface_in", "tx_iface"),
    "net_tap": ("remote",),
}

devices = Topic("network devices")


class Drivers:
    """Knows the drivers that DPDK would find."""

    def __init__(self, machine: Machine) -> None:
        self.names: set[str] = set()
        self.pci: set[tuple[int, int]] = set()
        self.files: set[str] = set()
        for path in _libraries(machine):
            if found := LIBRARY.search(path):
                self.files.add(found[1])
            for text in INFO.findall(machine.read_bytes(path)):
                self._take(text)

    def _take(self, text: bytes) -> None:
        try:
            info = json.loads(text)
            self.names.add(str(info["name"]))
            self.pci |= {(int(ids[0]), int(ids[1])) for ids in info.get("pci_ids", ())}
        except (ValueError, KeyError, TypeError, IndexError):
            return

    def drives(self, vendor: str, device: str) -> bool:
        """Tell whether a driver knows a PCI device; true if the drivers do not say what they know.

        vendor, device: as sysfs has them, "0x8086".
        """
        try:
            wanted = int(vendor, 16), int(device, 16)
        except ValueError:
            return True
        return not self.pci or wanted in self.pci or (wanted[0], ANY) in self.pci

    def of_vdev(self, vdev: str) -> str:
        """Return the driver that EAL would take for a vdev, "" if there is none.

        vdev: "net_tap0": the driver's name or its older eth_ one, and what tells devices apart.
        """
        name = re.sub(r"^eth_", "net_", vdev)
        fitting = [driver for driver in self.names if name.startswith(driver)]
        if fitting:
            return max(fitting, key=len)
        plain = re.sub(r"\d*$", "", name)
        file = {"net_bonding": "bond", "net_virtio_user": "virtio", "net_tun": "tap"}.get(
            plain, plain.removeprefix("net_")
        )
        return plain if file in self.files else ""


def _libraries(machine: Machine) -> list[str]:
    """Return a path for each driver's library, not for each of its links."""
    folders = machine.glob(*(f"{folder}/dpdk/pmds-*" for folder in FOLDERS))
    found: dict[str, str] = {}
    for folder in folders:
        for name in machine.names(folder):
            if (match := LIBRARY.match(name)) and match[1] not in found:
                found[match[1]] = f"{folder}/{name}"
    return list(found.values())


def vdev(machine: Machine, port: PortWants, known: Drivers) -> Iterator[Finding]:
    """Judge a port on a vdev: its driver, and what its options name."""
    point = f"{port.name} = {port.vdev}"
    if not known.names and not known.files:
        yield devices.not_applicable(point, "no driver of DPDK found here to look into")
        return
    driver = known.of_vdev(port.vdev)
    if not driver:
        text = f"no driver of the installed DPDK takes {port.vdev}"
        yield devices.problem(point, text, INSTALL)
        return
    options = port.options
    for key in TAKES_INTERFACE.get(driver, ()):
        interface = options.get(key)
        if interface and not machine.exists(f"/sys/class/net/{interface}"):
            text = f"driver {driver}; {key}={interface}: there is no such interface"
            yield devices.problem(point, text, "ip link show", f"# create {interface} first")
            return
        if interface and interface in machine.default_route_interfaces():
            text = f"driver {driver}; {interface} has the kernel's default route: both answer"
            yield devices.warning(point, text, "# take an interface of its own for the router")
            return
    path = options.get("path", "")
    if path == "/dev/vhost-net" and not machine.exists(path):
        yield devices.problem(point, f"driver {driver}; no {path}", "modprobe vhost_net")
        return
    yield devices.ok(point, f"driver {driver}")
