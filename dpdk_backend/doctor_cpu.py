# SPDX-License-Identifier: MIT
"""Processors: enough cores, kept free of other work, near the ports, at full speed."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from twinroute.dpdk.doctor_findings import Finding, Topic, Wants, grub, listed
from twinroute.dpdk.doctor_machine import Machine, cpu_set, cpu_text
from twinroute.dpdk.doctor_memory import port_nodes

CPUS = "/sys/devices/system/cpu"
NODES = "/sys/devices/system/node"
ISOLATED_BY_CGROUP = "/sys/fs/cgroup/cpuset.cpus.isolated"
VECTORS = ("avx2", "avx512f", "avx512bw", "avx512vl")
OTHER_CPU = "# use another processor; in a virtual machine the host's: QEMU's -cpu host"
SHOW = "lscpu --extended=CPU,NODE,CORE,ONLINE"

processors = Topic("processors")


@dataclass(frozen=True)
class Cpus:
    """The CPUs of a machine and of the router on it.

    online: those at work. allowed: those that this process may run on. cores: those that the
    configuration names, or else good ones.
    """

    online: set[int]
    allowed: set[int]
    isolated: set[int]
    nohz_full: set[int]
    cores: tuple[int, ...]
    advice: tuple[str, ...]  # how to name good ones in the configuration


def probe(machine: Machine, wants: Wants) -> Iterator[Finding]:
    """Look at the processors."""
    cpus = _cpus(machine, wants)
    yield _cores(machine, wants, cpus)
    yield _isolation(wants, cpus)
    yield _ticks(wants, cpus)
    yield _governor(machine, wants, cpus)
    yield _siblings(machine, wants, cpus)
    yield _numa(machine, wants, cpus)
    yield _vectors(machine)
    yield _clock(machine)


def siblings_of(machine: Machine, cpu: int) -> set[int]:
    """Return the CPUs that share a core with one, itself included."""
    folder = f"{CPUS}/cpu{cpu}/topology"
    return cpu_set(machine.read(f"{folder}/thread_siblings_list")) or {cpu}


def node_cpus(machine: Machine) -> dict[int, set[int]]:
    """Return the CPUs of each NUMA node."""
    paths = machine.glob(f"{NODES}/node[0-9]*/cpulist")
    return {
        int(re.sub(r".*/node(\d+)/.*", r"\1", path)): cpu_set(machine.read(path)) for path in paths
    }


def _cpus(machine: Machine, wants: Wants) -> Cpus:
    online = cpu_set(machine.read(f"{CPUS}/online")) or {0}
    isolated = cpu_set(machine.read(f"{CPUS}/isolated"))
    isolated |= cpu_set(machine.read(ISOLATED_BY_CGROUP))
    allowed = (cpu_set(machine.status("Cpus_allowed_list")) or online) & online | isolated & online
    good = _good_cores(machine, wants, allowed, isolated)
    name = os.path.basename(wants.path)
    advice: tuple[str, ...] = ()
    if wants.path and len(good) == wants.units + 1:
        listing = ", ".join(map(str, good[:-1]))
        advice = (f"# in {name}: [dpdk] cores = [{listing}], slow_core = {good[-1]}",)
    return Cpus(
        online=online,
        allowed=allowed,
        isolated=isolated,
        nohz_full=cpu_set(machine.read(f"{CPUS}/nohz_full")),
        cores=wants.all_cores or (good if wants.configured else ()),
        advice=advice,
    )


def _good_cores(
    machine: Machine, wants: Wants, allowed: set[int], isolated: set[int]
) -> tuple[int, ...]:
    """Choose CPUs for the units and, the last, for the slow path.

    Near the ports, then isolated, one of each core, and not CPU 0: the kernel needs it.
    """
    near = port_nodes(machine, wants)
    by_node = node_cpus(machine)
    local = set().union(*(by_node.get(node, set()) for node in near))
    order = sorted(allowed - {0}, key=lambda cpu: (cpu not in local, cpu not in isolated, cpu))
    chosen: list[int] = []
    shared = siblings_of(machine, 0)
    for cpu in order:
        if len(chosen) <= wants.units and cpu not in shared:
            chosen.append(cpu)
            shared |= siblings_of(machine, cpu)
    return tuple(chosen)


def _cores(machine: Machine, wants: Wants, cpus: Cpus) -> Finding:
    point = "cores"
    text = f"{len(cpus.online)} online ({cpu_text(cpus.online)})"
    if cpus.allowed != cpus.online:
        text += f", {cpu_text(cpus.allowed)} allowed to this process"
    if not wants.configured:
        return processors.ok(point, text)
    if absent := set(wants.all_cores) - cpus.online:
        text += f"; cores {cpu_text(absent)} of the configuration are not"
        return processors.problem(point, text, *(cpus.advice or (SHOW,)))
    if barred := set(wants.all_cores) - cpus.allowed:
        text += f"; cores {cpu_text(barred)} of the configuration are barred by a cpuset"
        mend = f"systemctl set-property twinroute.service AllowedCPUs={cpu_text(cpus.online)}"
        return processors.problem(point, text, mend)
    need = wants.units + 1
    if len(cpus.allowed) <= need:
        text += f"; {need} for the router and one for all else are more: units share them"
        fewer = max(1, len(cpus.allowed) - 2)
        mend = f"# in {os.path.basename(wants.path)}: [fast_path] units = {fewer}"
        if fewer >= wants.units:
            mend = f"# give this machine {need + 1} CPUs"
        return processors.warning(point, text, mend)
    if wants.all_cores:
        slow = "" if wants.slow_core is None else f", slow path {wants.slow_core}"
        return processors.ok(point, f"{text}; fast path {cpu_text(wants.cores)}{slow}")
    return processors.ok(point, f"{text}; the configuration names none")


def _isolation(wants: Wants, cpus: Cpus) -> Finding:
    """Judge who else runs on the router's cores; without `cores` it takes some that others use."""
    point = "isolation"
    text = f"isolated: {cpu_text(cpus.isolated)}"
    if not wants.configured:
        return processors.not_applicable(point, f"{text}; no configuration to judge by")
    if len(cpus.allowed) <= wants.units + 1:
        return processors.not_applicable(point, f"{text}; too few cores to keep some free")
    missing = set(cpus.cores) - cpus.isolated
    mend = _isolate(cpus) if missing else ()
    if not wants.all_cores:
        text += "; the configuration names no cores, so other work runs on the router's"
        return processors.warning(point, text, *cpus.advice, *mend)
    if missing:
        text += f"; other work runs on the router's cores {cpu_text(missing)}"
        return processors.warning(point, text, *mend)
    return processors.ok(point, text)


def _isolate(cpus: Cpus) -> tuple[str, ...]:
    cores = cpu_text(cpus.cores)
    return grub(f"isolcpus={cores}", f"nohz_full={cores}", f"rcu_nocbs={cores}")


def _ticks(wants: Wants, cpus: Cpus) -> Finding:
    point = "nohz_full"
    text = f"without ticks: {cpu_text(cpus.nohz_full)}"
    missing = set(cpus.cores) - cpus.nohz_full
    if not wants.configured or not cpus.cores:
        return processors.not_applicable(point, text)
    if not missing:
        return processors.ok(point, text)
    if missing - cpus.isolated:
        return processors.not_applicable(point, f"{text}; isolation comes first")
    text += f"; the kernel's tick interrupts {cpu_text(missing)}"
    cores = cpu_text(cpus.cores)
    return processors.warning(point, text, *grub(f"nohz_full={cores}", f"rcu_nocbs={cores}"))


def _governor(machine: Machine, wants: Wants, cpus: Cpus) -> Finding:
    point = "frequency governor"
    looked_at = cpus.cores or tuple(sorted(cpus.online))
    by_name: dict[str, set[int]] = {}
    for cpu in looked_at:
        if name := machine.read(f"{CPUS}/cpu{cpu}/cpufreq/scaling_governor"):
            by_name.setdefault(name, set()).add(cpu)
    if not by_name:
        return processors.not_applicable(point, "none: the kernel does not set the frequency")
    text = listed(f"{name} on {cpu_text(cores)}" for name, cores in by_name.items())
    slow = set().union(*(cores for name, cores in by_name.items() if name != "performance"))
    if not slow:
        return processors.ok(point, text)
    mend = (
        "apt install linux-cpupower",
        f"cpupower --cpu {cpu_text(slow)} frequency-set --governor performance",
    )
    return processors.warning(point, text, *mend)


def _siblings(machine: Machine, wants: Wants, cpus: Cpus) -> Finding:
    point = "hyper-threads"
    cores = set(wants.all_cores)
    threads = any(len(siblings_of(machine, cpu)) > 1 for cpu in cpus.online)
    if not threads:
        return processors.ok(point, "one thread a core")
    if not cores:
        return processors.not_applicable(point, "several threads a core, no cores configured")
    pairs = {tuple(sorted(siblings_of(machine, cpu) & cores)) for cpu in cores}
    shared = [cpu_text(pair) for pair in sorted(pairs) if len(pair) > 1]
    if not shared:
        return processors.ok(point, "the configured cores share none")
    text = f"configured cores that share one: {listed(shared)}"
    return processors.warning(point, text, *(cpus.advice or (SHOW,)))


def _numa(machine: Machine, wants: Wants, cpus: Cpus) -> Finding:
    point = "NUMA"
    by_node = node_cpus(machine)
    near = port_nodes(machine, wants)
    nodes = listed(f"node {node}: {cpu_text(members)}" for node, members in by_node.items())
    if len(by_node) < 2:
        return processors.ok(point, "one node")
    if not near or not wants.all_cores:
        return processors.not_applicable(point, nodes)
    local = set().union(*(by_node.get(node, set()) for node in near))
    if far := set(wants.all_cores) - local:
        text = f"{nodes}; ports are on {cpu_text(near)}, cores {cpu_text(far)} are not"
        return processors.warning(point, text, *(cpus.advice or (SHOW,)))
    return processors.ok(point, f"{nodes}; ports and cores are on {cpu_text(near)}")


def _vectors(machine: Machine) -> Finding:
    point = "vector instructions"
    flags = machine.cpuinfo("flags", "Features").split()
    if "asimd" in flags:
        return processors.ok(point, "asimd")
    if not flags:
        return processors.not_applicable(point, "/proc/cpuinfo does not tell")
    if "sse4_2" not in flags:
        return processors.problem(point, "no sse4_2: Debian's DPDK needs it", OTHER_CPU)
    found = [flag for flag in VECTORS if flag in flags]
    if "avx2" in found:
        return processors.ok(point, listed(found))
    return processors.warning(point, "no avx2: drivers take slower paths", OTHER_CPU)


def _clock(machine: Machine) -> Finding:
    """Look at the cycle counter by which the units tell time."""
    point = "cycle counter"
    flags = machine.cpuinfo("flags", "Features").split()
    if not flags:
        return processors.not_applicable(point, "/proc/cpuinfo does not tell")
    if "asimd" in flags or {"constant_tsc", "nonstop_tsc"} <= set(flags):
        return processors.ok(point, "constant")
    text = "its rate may change with frequency and sleep: times may be wrong"
    return processors.warning(point, text, *grub("processor.max_cstate=1"))
