# SPDX-License-Identifier: MIT
"""Huge pages: reserved and free by size and NUMA node, mounted, and enough for the router."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from twinroute.dpdk.doctor_findings import Finding, Topic, Wants, grub, listed, megabytes
from twinroute.dpdk.doctor_machine import Machine

SIZES = re.compile(r"hugepages-(\d+)kB", re.ASCII)
UNITS = {"K": 1, "M": 1 << 10, "G": 1 << 20}
SMALL_KIB = 2048
SYSCTL = "/etc/sysctl.d/80-twinroute.conf"

huge_pages = Topic("huge pages")


@dataclass(frozen=True)
class Pages:
    """The huge pages of one size on one NUMA node; node -1: of a machine that tells no nodes."""

    size: int  # KiB
    node: int
    reserved: int
    free: int

    @property
    def option(self) -> str:
        """The size as dpdk-hugepages.py takes it."""
        return size_option(self.size)


def size_option(kib: int) -> str:
    """Write a page size as dpdk-hugepages.py and mount take it: "2M", "1G"."""
    return f"{kib >> 20}G" if kib >= 1 << 20 else f"{kib >> 10}M" if kib >= 1 << 10 else f"{kib}K"


def probe(machine: Machine, wants: Wants) -> Iterator[Finding]:
    """Look at the huge pages, or at plain memory where the configuration asks for none."""
    pages = all_pages(machine)
    if not wants.hugepages:
        yield huge_pages.not_applicable("reserved", "the configuration does without")
        yield _plain_memory(machine, wants)
        return
    if not pages:
        text = "this kernel has none"
        mend = (f"apt install {machine.debian_kernel}", "reboot")
        yield wants.bad(huge_pages, "reserved", text, *mend)
        return
    for entry in pages:
        where = (
            f"{megabytes(entry.size)}, node {entry.node}"
            if entry.node >= 0
            else (megabytes(entry.size))
        )
        if entry.reserved:
            total = megabytes(entry.reserved * entry.size)
            text = f"{entry.reserved} reserved ({total}), {entry.free} free"
            yield huge_pages.ok(where, text)
        else:
            yield huge_pages.not_applicable(where, "none reserved")
    yield _mounted(machine)
    yield _enough(machine, pages, wants)
    yield from _on_nodes(machine, pages, wants)


def all_pages(machine: Machine) -> list[Pages]:
    """Return the huge pages of every node and size, small pages first."""
    found = []
    nodes = machine.glob("/sys/devices/system/node/node[0-9]*/hugepages")
    for folder in nodes or ["/sys/kernel/mm/hugepages"]:
        node = re.search(r"/node(\d+)/", folder)
        for name in machine.names(folder):
            if size := SIZES.fullmatch(name):
                reserved = machine.number(f"{folder}/{name}/nr_hugepages") or 0
                free = machine.number(f"{folder}/{name}/free_hugepages") or 0
                found.append(Pages(int(size[1]), int(node[1]) if node else -1, reserved, free))
    return sorted(found, key=lambda entry: (entry.size, entry.node))


def mounts(machine: Machine) -> dict[int, str]:
    """Return where hugetlbfs is mounted, by page size in KiB."""
    default = re.search(r"^Hugepagesize:\s+(\d+)", machine.read("/proc/meminfo"), re.M)
    found: dict[int, str] = {}
    for line in machine.lines("/proc/mounts"):
        fields = line.split()
        if len(fields) < 4 or fields[2] != "hugetlbfs":
            continue
        size = re.search(r"\bpagesize=(\d+)([KMG])", fields[3])
        kib = int(size[1]) * UNITS[size[2]] if size else int(default[1]) if default else SMALL_KIB
        found.setdefault(kib, fields[1])
    return found


def _mounted(machine: Machine) -> Finding:
    """Tell the mounts: EAL in memory, as the router starts it, takes its pages without a file."""
    point = "hugetlbfs"
    mounted = mounts(machine)
    if not mounted:
        text = "not mounted; the router does without, other programs on DPDK need it"
        return huge_pages.not_applicable(point, text)
    where = listed(f"{path} ({megabytes(kib)})" for kib, path in mounted.items())
    return huge_pages.ok(point, f"mounted: {where}")


def _enough(machine: Machine, pages: list[Pages], wants: Wants) -> Finding:
    """Compare what is free with what the router needs."""
    point = "memory for the router"
    free = sum(entry.free * entry.size for entry in pages)
    need = wants.memory_mb << 10
    asks = f"{wants.memory_mb} MiB needed" if wants.configured else f"{wants.memory_mb} MiB advised"
    text = f"{free >> 10} MiB free in huge pages, {asks}"
    if free >= need:
        return huge_pages.ok(point, text)
    nodes = port_nodes(machine, wants) or {entry.node for entry in pages if entry.node <= 0}
    share = -(-(need - free) // len(nodes))
    return wants.bad(huge_pages, point, text, *reserve(pages, nodes, share))


def _on_nodes(machine: Machine, pages: list[Pages], wants: Wants) -> Iterator[Finding]:
    """Tell nodes that have a port and no free page: queues and buffers belong there."""
    free = {entry.node for entry in pages if entry.free}
    for node in sorted(port_nodes(machine, wants)):
        if free and node not in free and any(entry.node == node for entry in pages):
            ports = listed(port.name for port in wants.ports if port.pci)
            text = f"no page is free on a NUMA node of the ports {ports}"
            mend = reserve(pages, {node}, wants.memory_mb << 10)
            yield huge_pages.warning(f"node {node}", text, *mend)


def port_nodes(machine: Machine, wants: Wants) -> set[int]:
    """Return the NUMA nodes of the configured PCI devices, as far as they are told."""
    found = (
        machine.number(f"/sys/bus/pci/devices/{port.pci}/numa_node")
        for port in wants.ports
        if port.pci
    )
    return {node for node in found if node is not None and node >= 0}


def reserve(pages: list[Pages], nodes: set[int], more: int) -> tuple[str, ...]:
    """Return the commands that reserve more huge pages, now and at each start.

    more: KiB on each of the nodes.
    """
    sizes = {entry.size for entry in pages}
    size = SMALL_KIB if SMALL_KIB in sizes else min(sizes)
    option = size_option(size)
    count = -(-more // size)
    now: list[str] = []
    total = sum(entry.reserved for entry in pages if entry.size == size)
    for node in sorted(nodes):
        have = sum(e.reserved for e in pages if e.size == size and e.node == node)
        where = f" -n {node}" if node >= 0 else ""
        now.append(f"dpdk-hugepages.py -p {option}{where} --reserve {(have + count) * size >> 10}M")
        total += count
    if size == SMALL_KIB:
        return *now, f"echo 'vm.nr_hugepages = {total}' > {SYSCTL}"
    return *now, *grub(f"hugepagesz={option}", f"hugepages={total}")


def _plain_memory(machine: Machine, wants: Wants) -> Finding:
    point = "memory for the router"
    available = re.search(r"^MemAvailable:\s+(\d+)", machine.read("/proc/meminfo"), re.M)
    mib = int(available[1]) >> 10 if available else 0
    text = f"{mib} MiB available, {wants.memory_mb} MiB needed"
    if mib >= wants.memory_mb:
        return huge_pages.ok(point, text)
    name = os.path.basename(wants.path)
    return wants.bad(huge_pages, point, text, f"# in {name}: [dpdk] memory_mb = {mib // 2}")
