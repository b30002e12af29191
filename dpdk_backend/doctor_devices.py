# SPDX-License-Identifier: MIT
"""Network devices: their drivers and links, and those that the configuration names."""

import os
from collections.abc import Iterator

from twinroute.dpdk import doctor_drivers
from twinroute.dpdk.doctor_findings import Finding, PortWants, Topic, Wants, listed
from twinroute.dpdk.doctor_iommu import SHARED_DRIVERS, UIO_DRIVERS
from twinroute.dpdk.doctor_machine import Machine

PCI = "/sys/bus/pci/devices"
NETWORK_CLASS = "0x02"
BRIDGE_CLASS = "0x06"
SHOW = "dpdk-devbind.py --status-dev net"
INTERFACES = "/etc/dpdk/interfaces"
IFF_UP = 1

devices = Topic("network devices")


def probe(machine: Machine, wants: Wants) -> Iterator[Finding]:
    """Look at the configured devices, then at the others."""
    known = doctor_drivers.Drivers(machine) if wants.ports else None
    for port in wants.ports:
        assert known is not None
        if port.pci:
            yield _port(machine, port, known)
        else:
            yield from doctor_drivers.vdev(machine, port, known)
    if wants.path and wants.unnamed:
        name = os.path.basename(wants.path)
        text = f"no device in {name}: twinroute run needs one for each port"
        mend = [f"# in {name}: [dpdk.port.{port}] device = ..." for port in wants.unnamed]
        yield devices.problem(f"ports {listed(wants.unnamed)}", text, *mend, SHOW)
    named = {port.pci for port in wants.ports}
    others = [address for address in machine.names(PCI) if address not in named]
    for address in others:
        if machine.read(f"{PCI}/{address}/class").startswith(NETWORK_CLASS):
            text = describe(machine, address)
            if wants.ports:
                yield devices.not_applicable(address, f"{text}; not in the configuration")
            else:
                yield devices.ok(address, text)


def driver_of(machine: Machine, address: str) -> str:
    """Return the kernel driver that a PCI device is bound to, or ""."""
    return machine.target(f"{PCI}/{address}/driver")


def interfaces_of(machine: Machine, address: str) -> list[str]:
    """Return the network interfaces that the kernel has on a PCI device."""
    folders = machine.glob(f"{PCI}/{address}/net", f"{PCI}/{address}/virtio*/net")
    return sorted({name for folder in folders for name in machine.names(folder)})


def describe(machine: Machine, address: str) -> str:
    """Write what is known of a PCI device: identity, driver, NUMA node, interfaces with links."""
    vendor, device = (machine.read(f"{PCI}/{address}/{key}")[2:] for key in ("vendor", "device"))
    driver = driver_of(machine, address)
    node = machine.number(f"{PCI}/{address}/numa_node")
    parts = [f"{vendor}:{device}", f"driver {driver}" if driver else "no driver"]
    if node is not None and node >= 0:
        parts.append(f"NUMA node {node}")
    leading = machine.default_route_interfaces()
    for name in interfaces_of(machine, address):
        text = f"{name} {link_text(machine, name)}"
        parts.append(f"{text} with the default route" if name in leading else text)
    return ", ".join(parts)


def link_text(machine: Machine, interface: str) -> str:
    """Write the state of an interface's link."""
    folder = f"/sys/class/net/{interface}"
    if not is_up(machine, interface):
        return "down"
    if machine.number(f"{folder}/carrier") != 1:
        return "up without link"
    speed = machine.number(f"{folder}/speed") or -1
    return f"up at {speed} Mbit/s" if speed > 0 else "up with link"


def is_up(machine: Machine, interface: str) -> bool:
    """Tell whether an interface is up, with or without link."""
    try:
        return bool(int(machine.read(f"/sys/class/net/{interface}/flags"), 16) & IFF_UP)
    except ValueError:
        return False


def _port(machine: Machine, port: PortWants, known: "doctor_drivers.Drivers") -> Finding:
    """Judge the PCI device of a port."""
    point, address = f"{port.name} = {port.pci}", port.pci
    if not machine.exists(f"{PCI}/{address}"):
        return devices.problem(point, "there is no such device", SHOW)
    text = describe(machine, address)
    kind = machine.read(f"{PCI}/{address}/class")
    if not kind.startswith(NETWORK_CLASS):
        return devices.problem(point, f"{text}: class {kind} is no network device", SHOW)
    identity = tuple(machine.read(f"{PCI}/{address}/{key}") for key in ("vendor", "device"))
    if not known.drives(*identity):
        text = f"{text}: no driver of this DPDK knows it"
        return devices.problem(point, text, "apt install librte-meta-allpmds")
    driver = driver_of(machine, address)
    if driver in SHARED_DRIVERS:
        return devices.ok(point, f"{text}; DPDK works beside this driver")
    if driver in UIO_DRIVERS:
        if not machine.iommu:
            return devices.ok(point, text)
        text = f"{text}; with an IOMMU vfio-pci is safer"
        return devices.warning(point, text, *_bind(machine, address))
    if driver == "vfio-pci":
        return _group(machine, point, address, text)
    return _of_the_kernel(machine, point, address, text)


def _of_the_kernel(machine: Machine, point: str, address: str, text: str) -> Finding:
    """Judge a device that is not DPDK's yet."""
    names = interfaces_of(machine, address)
    leading = machine.default_route_interfaces()
    if kept := [name for name in names if name in leading]:
        text = f"{text}: in use, binding it to DPDK would cut this machine off"
        mend = (
            "# name another device, or move the default route to another interface first",
            f"ip route show default dev {kept[0]}",
            SHOW,
        )
        return devices.problem(point, text, *mend)
    down = [f"ip link set dev {name} down" for name in names if is_up(machine, name)]
    use = "the kernel's" if driver_of(machine, address) else "not bound"
    text = f"{text}: {use}, DPDK needs {machine.userspace_driver}"
    return devices.problem(point, text, *down, *_bind(machine, address))


def _bind(machine: Machine, address: str) -> tuple[str, ...]:
    """Return the commands that bind a device to a driver for DPDK, now and at each start."""
    driver = machine.userspace_driver
    return (
        f"modprobe {driver}",
        f"dpdk-devbind.py --bind={driver} {address}",
        f"echo 'pci {address} {driver}' >> {INTERFACES}",
        "systemctl enable dpdk",
    )


def _group(machine: Machine, point: str, address: str, text: str) -> Finding:
    """Judge a device bound to vfio-pci: no other of its IOMMU group may be the kernel's."""
    group = machine.target(f"{PCI}/{address}/iommu_group")
    if not group:
        mend = _bind(machine, address)
        return devices.problem(point, f"{text}: in no IOMMU group, VFIO cannot open it", *mend)
    file = f"/dev/vfio/{group}"
    noiommu = f"/dev/vfio/noiommu-{group}"
    present = machine.first((file, noiommu))
    if not present:
        return devices.problem(point, f"{text}: there is no {file}", "udevadm trigger")
    for other in machine.names(f"{PCI}/{address}/iommu_group/devices"):
        bound = driver_of(machine, other)
        bridge = machine.read(f"{PCI}/{other}/class").startswith(BRIDGE_CLASS)
        if other != address and bound and bound != "vfio-pci" and not bridge:
            text = f"{text}: {other} in the same IOMMU group {group} is bound to {bound}"
            return devices.problem(point, text, f"dpdk-devbind.py --bind=vfio-pci {other}")
    about = machine.stat(present)
    if machine.euid and about and about.st_uid != machine.euid and not about.st_mode & 0o002:
        text = f"{text}: user {machine.euid} may not open {present}"
        return devices.problem(point, text, f"chown {machine.euid} {present}")
    return devices.ok(point, f"{text}, IOMMU group {group}")
