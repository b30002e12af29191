# SPDX-License-Identifier: MIT
"""IOMMU and VFIO: the safe way to hand a PCI device to DPDK, and what there is without."""

from collections.abc import Iterator

from twinroute.dpdk.doctor_findings import Finding, Topic, Wants, grub, listed
from twinroute.dpdk.doctor_machine import Machine

OPTIONS = ("intel_iommu=", "amd_iommu=", "iommu=", "iommu.passthrough=", "iommu.strict=")
NOIOMMU = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
LOAD_ALWAYS = "echo {0} > /etc/modules-load.d/{0}.conf"
UIO_DRIVERS = ("uio_pci_generic", "igb_uio")
# Their driver stays bound: the poll-mode driver works beside it.
SHARED_DRIVERS = ("mlx4_core", "mlx5_core", "mana")

iommu = Topic("IOMMU and VFIO")


def probe(machine: Machine, wants: Wants) -> Iterator[Finding]:
    """Look at what devices are handed over by."""
    needed = wants.pci and not _without(machine, wants)
    yield _iommu(machine, wants, needed)
    yield _noiommu(machine)
    if needed and machine.userspace_driver == "vfio-pci":
        yield from _vfio(machine, wants)
        return
    loaded = has_driver(machine, "vfio-pci")
    text = f"vfio-pci {'' if loaded else 'not '}loaded"
    yield iommu.not_applicable("VFIO", text if loaded else f"{text}; not needed here")
    if needed:
        yield _uio(machine, wants)


def has_driver(machine: Machine, name: str) -> bool:
    """Tell whether the kernel has a PCI driver now, as a module or built in."""
    return machine.exists(f"/sys/bus/pci/drivers/{name}")


def _without(machine: Machine, wants: Wants) -> bool:
    """Tell whether every configured device is bound to a driver that needs no VFIO."""
    drivers = [
        machine.target(f"/sys/bus/pci/devices/{port.pci}/driver")
        for port in wants.ports
        if port.pci
    ]
    return bool(drivers) and all(name in UIO_DRIVERS + SHARED_DRIVERS for name in drivers)


def _iommu(machine: Machine, wants: Wants, needed: bool) -> Finding:
    point = "IOMMU"
    given = [word for word in machine.read("/proc/cmdline").split() if word.startswith(OPTIONS)]
    line = f"kernel command line: {listed(given, 'says nothing of it')}"
    if machine.iommu:
        units = listed(machine.names("/sys/class/iommu"))
        groups = len(machine.names("/sys/kernel/iommu_groups"))
        return iommu.ok(point, f"{units}; {groups} groups; {line}")
    if not needed:
        return iommu.not_applicable(point, f"off; {line}; not needed here")
    if machine.noiommu:
        text = "off, and VFIO in no-IOMMU mode: a device can write to all memory"
        return iommu.warning(point, f"{text}; {line}", *_switch_on(machine, given))
    text = "off: without it uio_pci_generic is left, and a device can write to all memory"
    return iommu.warning(point, f"{text}; {line}", *_switch_on(machine, given))


def _switch_on(machine: Machine, given: list[str]) -> tuple[str, ...]:
    """Return what switches the IOMMU on, as the processor's maker has it."""
    amd = machine.cpuinfo("vendor_id") in ("AuthenticAMD", "HygonGenuine")
    off = [word for word in given if word in ("intel_iommu=off", "amd_iommu=off", "iommu=off")]
    if off:
        edits = (f"sed -i 's/ *{word}//' /etc/default/grub" for word in off)
        return *edits, "update-grub", "reboot"
    if "hypervisor" in machine.cpuinfo("flags", "Features").split():
        where = "# a virtual machine gets one from its host, as by QEMU's -device intel-iommu"
    elif amd:
        where = '# switch on "AMD-Vi" or "IOMMU" in the firmware\'s set-up'
    else:
        where = '# switch on "VT-d" in the firmware\'s set-up'
    if amd or "intel_iommu=on" in given:
        return (where,) if "iommu=pt" in given else (where, *grub("iommu=pt"))
    return where, *grub("intel_iommu=on", "iommu=pt")


def _noiommu(machine: Machine) -> Finding:
    point = "no-IOMMU mode"
    if not machine.exists(NOIOMMU):
        text = "this kernel, or its vfio if loaded, has none (Debian builds it without)"
        return iommu.not_applicable(point, text)
    if not machine.noiommu:
        return iommu.not_applicable(point, "off")
    if machine.iommu:
        text = "on, though there is an IOMMU: a device without a group can write to all memory"
        return iommu.warning(point, text, f"echo N > {NOIOMMU}")
    return iommu.ok(point, "on")


def _vfio(machine: Machine, wants: Wants) -> Iterator[Finding]:
    """Look at VFIO's driver and its device file."""
    if not has_driver(machine, "vfio-pci"):
        if machine.has_module("vfio-pci"):
            mend = ("modprobe vfio-pci", LOAD_ALWAYS.format("vfio-pci"))
            yield wants.bad(iommu, "VFIO", "vfio-pci is not loaded", *mend)
        else:
            mend = (f"apt install {machine.debian_kernel}", "reboot")
            yield wants.bad(iommu, "VFIO", f"kernel {machine.kernel} has no vfio-pci", *mend)
        return
    how = "loaded" if machine.exists("/sys/module/vfio_pci/initstate") else "built in"
    if not machine.exists("/dev/vfio/vfio"):
        text = f"vfio-pci {how}, but there is no /dev/vfio/vfio"
        yield wants.bad(iommu, "VFIO", text, "modprobe vfio", "modprobe vfio_iommu_type1")
        return
    groups = [name for name in machine.names("/dev/vfio") if name != "vfio"]
    text = f"vfio-pci {how}; groups in /dev/vfio: {listed(groups)}"
    yield iommu.ok("VFIO", text)


def _uio(machine: Machine, wants: Wants) -> Finding:
    """Look at the way that is left without an IOMMU."""
    drivers = [name for name in UIO_DRIVERS if has_driver(machine, name)]
    if drivers:
        return iommu.ok("UIO", f"{listed(drivers)} loaded")
    if machine.has_module("uio_pci_generic"):
        mend = ("modprobe uio_pci_generic", LOAD_ALWAYS.format("uio_pci_generic"))
        return wants.bad(iommu, "UIO", "uio_pci_generic is not loaded", *mend)
    text = f"kernel {machine.kernel} has no uio_pci_generic"
    return wants.bad(iommu, "UIO", text, f"apt install {machine.debian_kernel}", "reboot")
