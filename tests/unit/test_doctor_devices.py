# SPDX-License-Identifier: MIT
"""`twinroute doctor` on machines whose devices DPDK cannot take, or not safely."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake_machine import ROUTE_HEADER, WANTS, FakeMachine, case, grub, judge, route
from twinroute.dpdk.doctor_findings import PortWants, Verdict, Wants

pytestmark = pytest.mark.no_sanitizer

OK, WARNING = Verdict.OK, Verdict.WARNING
PROBLEM, NOT_APPLICABLE = Verdict.PROBLEM, Verdict.NOT_APPLICABLE
Breaks = Callable[[FakeMachine], object]
PCI = "/sys/bus/pci/devices"
SHOW = "dpdk-devbind.py --status-dev net"
VTD = '# switch on "VT-d" in the firmware\'s set-up'
NOIOMMU = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"


LAN = "lan = 0000:03:00.0"


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def bind(address: str, driver: str = "vfio-pci") -> tuple[str, ...]:
    return (
        f"modprobe {driver}",
        f"dpdk-devbind.py --bind={driver} {address}",
        f"echo 'pci {address} {driver}' >> /etc/dpdk/interfaces",
        "systemctl enable dpdk",
    )


def iommu_off(m: FakeMachine, cmdline: str = "quiet") -> None:
    m.remove("/sys/class/iommu", "/sys/kernel/iommu_groups")
    m.write("/proc/cmdline", cmdline)


def vfio_not_loaded(m: FakeMachine) -> None:
    for address in ("0000:03:00.0", "0000:03:00.1"):
        m.bind(address, "igb")
    m.remove("/sys/bus/pci/drivers/vfio-pci", "/sys/module/vfio_pci", "/dev/vfio")


IOMMU = [
    case("off", iommu_off, "IOMMU", WARNING, VTD, *grub("intel_iommu=on", "iommu=pt")),
    case(
        "off, though asked for",
        lambda m: iommu_off(m, "intel_iommu=on iommu=pt"),
        "IOMMU",
        WARNING,
        VTD,
    ),
    case(
        "switched off",
        lambda m: iommu_off(m, "quiet intel_iommu=off"),
        "IOMMU",
        WARNING,
        "sed -i 's/ *intel_iommu=off//' /etc/default/grub",
        "update-grub",
        "reboot",
    ),
    case(
        "off, AMD",
        lambda m: (iommu_off(m), m.cpuinfo_of("AuthenticAMD")),
        "IOMMU",
        WARNING,
        '# switch on "AMD-Vi" or "IOMMU" in the firmware\'s set-up',
        *grub("iommu=pt"),
    ),
    case(
        "off, virtual machine",
        lambda m: (iommu_off(m), m.cpuinfo_of("GenuineIntel", "hypervisor")),
        "IOMMU",
        WARNING,
        "# a virtual machine gets one from its host, as by QEMU's -device intel-iommu",
        *grub("intel_iommu=on", "iommu=pt"),
    ),
    case(
        "no-IOMMU mode beside an IOMMU",
        lambda m: m.write(NOIOMMU, "Y"),
        "no-IOMMU mode",
        WARNING,
        f"echo N > {NOIOMMU}",
    ),
    case(
        "VFIO not loaded",
        vfio_not_loaded,
        "VFIO",
        PROBLEM,
        "modprobe vfio-pci",
        "echo vfio-pci > /etc/modules-load.d/vfio-pci.conf",
    ),
    case(
        "VFIO not in the kernel",
        lambda m: (vfio_not_loaded(m), m.write("/lib/modules/6.1.0-50-amd64/modules.dep", "")),
        "VFIO",
        PROBLEM,
        "apt install linux-image-amd64",
        "reboot",
    ),
    case(
        "VFIO without its file",
        lambda m: m.remove("/dev/vfio/vfio"),
        "VFIO",
        PROBLEM,
        "modprobe vfio",
        "modprobe vfio_iommu_type1",
    ),
    case(
        "no IOMMU and UIO not loaded",
        iommu_off,
        "UIO",
        PROBLEM,
        "modprobe uio_pci_generic",
        "echo uio_pci_generic > /etc/modules-load.d/uio_pci_generic.conf",
    ),
]


@pytest.mark.parametrize(("breaks", "point", "verdict", "mend"), IOMMU)
def test_iommu(
    machine: FakeMachine, breaks: Breaks, point: str, verdict: Verdict, mend: tuple[str, ...]
):
    breaks(machine)
    judge(machine, point, verdict, mend)


def kernels(m: FakeMachine, *, up: bool = False, leads: bool = False) -> None:
    """Give the device of port lan to the kernel, with an interface."""
    m.bind("0000:03:00.0", "igb")
    m.interface("0000:03:00.0", "enp3s0f0", up=up)
    if leads:
        m.write("/proc/net/route", ROUTE_HEADER + route("enp3s0f0"))


DEVICES = [
    case("not there", lambda m: m.remove(f"{PCI}/0000:03:00.0"), LAN, PROBLEM, SHOW),
    case(
        "no network device",
        lambda m: m.write(f"{PCI}/0000:03:00.0/class", "0x010802"),
        LAN,
        PROBLEM,
        SHOW,
    ),
    case(
        "unknown to DPDK",
        lambda m: m.write(f"{PCI}/0000:03:00.0/device", "0x1234"),
        LAN,
        PROBLEM,
        "apt install librte-meta-allpmds",
    ),
    case("the kernel's", kernels, LAN, PROBLEM, *bind("0000:03:00.0")),
    case(
        "the kernel's, up",
        lambda m: kernels(m, up=True),
        LAN,
        PROBLEM,
        "ip link set dev enp3s0f0 down",
        *bind("0000:03:00.0"),
    ),
    case(
        "with the default route",
        lambda m: kernels(m, up=True, leads=True),
        LAN,
        PROBLEM,
        "# name another device, or move the default route to another interface first",
        "ip route show default dev enp3s0f0",
        SHOW,
    ),
    case(
        "without driver",
        lambda m: m.remove(f"{PCI}/0000:03:00.0/driver"),
        LAN,
        PROBLEM,
        *bind("0000:03:00.0"),
    ),
    case(
        "without driver and IOMMU",
        lambda m: (iommu_off(m), m.remove(f"{PCI}/0000:03:00.0/driver")),
        LAN,
        PROBLEM,
        *bind("0000:03:00.0", "uio_pci_generic"),
    ),
    case(
        "UIO beside an IOMMU",
        lambda m: m.bind("0000:03:00.0", "uio_pci_generic"),
        LAN,
        WARNING,
        *bind("0000:03:00.0"),
    ),
    case(
        "another of its group is the kernel's",
        lambda m: (m.bind("0000:03:00.1", "igb"), m.group("0000:03:00.1", 12)),
        LAN,
        PROBLEM,
        "dpdk-devbind.py --bind=vfio-pci 0000:03:00.1",
    ),
    case("group without file", lambda m: m.remove("/dev/vfio/12"), LAN, PROBLEM, "udevadm trigger"),
]


@pytest.mark.parametrize(("breaks", "point", "verdict", "mend"), DEVICES)
def test_devices(
    machine: FakeMachine, breaks: Breaks, point: str, verdict: Verdict, mend: tuple[str, ...]
):
    breaks(machine)
    judge(machine, point, verdict, mend)


# --- virtual devices, and other ways --------------------------------------------------------------


def on(device: str) -> Wants:
    """Want one port, on a device."""
    return replace(WANTS, ports=(PortWants("lan", device),))


VDEVS = [
    ("net_tap0,iface=lan0", OK, ()),
    ("net_af_packet1,iface=veth0", OK, ()),
    ("eth_af_packet0,iface=veth0", OK, ()),
    ("net_virtio_user0,path=/tmp/vhost.sock", OK, ()),
    ("net_memif0", PROBLEM, ("apt install librte-meta-allpmds",)),
    ("net_af_packet0,iface=veth9", PROBLEM, ("ip link show", "# create veth9 first")),
    ("net_virtio_user0,path=/dev/vhost-net", PROBLEM, ("modprobe vhost_net",)),
    (
        "net_af_packet0,iface=eno1",
        WARNING,
        ("# take an interface of its own for the router",),
    ),
]


@pytest.mark.parametrize(("device", "verdict", "mend"), VDEVS)
def test_vdevs(machine: FakeMachine, device: str, verdict: Verdict, mend: tuple[str, ...]):
    machine.write("/sys/class/net/veth0/flags", "0x1003")
    name = device.partition(",")[0]
    judge(machine, f"lan = {name}", verdict, mend, on(device))


def test_vdevs_need_no_iommu(machine: FakeMachine):
    iommu_off(machine)
    for point in ("IOMMU", "VFIO"):
        judge(machine, point, NOT_APPLICABLE, (), on("net_tap0"))


def test_names_of_pci_devices(machine: FakeMachine):
    for text in ("0000:03:00.0", "03:00.0", "0000:03:00.0,mprq_en=1"):
        judge(machine, "lan = 0000:03:00.0", OK, (), on(text))


def test_uio_without_iommu_is_all_there_is(machine: FakeMachine):
    iommu_off(machine)
    for address in ("0000:03:00.0", "0000:03:00.1"):
        machine.bind(address, "uio_pci_generic")
    judge(machine, LAN, OK, ())
    judge(machine, "IOMMU", NOT_APPLICABLE, ())


def test_no_iommu_mode_serves(machine: FakeMachine):
    iommu_off(machine)
    machine.write(NOIOMMU, "Y")
    for number, address in enumerate(("0000:03:00.0", "0000:03:00.1")):
        machine.group(address, number)
        machine.remove(f"/dev/vfio/{number}")
        machine.write(f"/dev/vfio/noiommu-{number}", "")
    judge(machine, LAN, OK, ())
    judge(machine, "no-IOMMU mode", OK, ())


def test_drivers_that_dpdk_works_beside(machine: FakeMachine):
    machine.bind("0000:03:00.0", "mlx5_core")
    judge(machine, LAN, OK, ())


def test_ports_without_device(machine: FakeMachine):
    wants = replace(WANTS, ports=(), unnamed=("lan", "wan"))
    mend = (
        "# in router.toml: [dpdk.port.lan] device = ...",
        "# in router.toml: [dpdk.port.wan] device = ...",
        SHOW,
    )
    judge(machine, "ports lan, wan", PROBLEM, mend, wants)
