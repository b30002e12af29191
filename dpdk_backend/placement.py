# SPDX-License-Identifier: MIT
"""Which CPU runs which unit: as configured, else on the NUMA node of the ports."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NODES = Path("/sys/devices/system/node")
UNITS = ("tr-fast-", "tr-slow")  # names of their threads (engine.c)


@dataclass(frozen=True)
class Placement:
    """A CPU (-1: any) for each unit, the slow path last, and whether it has it for itself."""

    cpus: list[int]
    alone: list[bool]


def cpus_of_node(node: int, nodes: Path = NODES) -> set[int]:
    """Return the CPUs of a NUMA node; empty where the kernel does not say."""
    try:
        text = (nodes / f"node{node}" / "cpulist").read_text().strip()
    except OSError:
        return set()
    cpus: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def place(
    units: int,
    port_nodes: Sequence[int],
    *,
    cores: Sequence[int] = (),
    slow_core: int | None = None,
    allowed: set[int] | None = None,
) -> Placement:
    """Choose CPUs for `units` fast-path units and the slow path.

    port_nodes: NUMA node of each port, -1: none. cores, slow_core: what the configuration says.
    allowed: CPUs of this process. The first of them is left to the rest of the system; where there
    are too few for all units, none is bound and all give way to each other.
    """
    allowed = os.sched_getaffinity(0) if allowed is None else allowed
    chosen = [*cores] + ([slow_core] if slow_core is not None else [])
    nodes = Counter(node for node in port_nodes if node >= 0)
    near = cpus_of_node(nodes.most_common(1)[0][0]) if nodes else set()
    free = [cpu for cpu in sorted(allowed)[1:] if cpu not in chosen]
    free.sort(key=lambda cpu: cpu not in near)  # stable: by number among equals
    wanted = (0 if cores else units) + (slow_core is None)
    bound = free[:wanted] if len(free) >= wanted else [-1] * wanted
    fast = list(cores) or bound[:units]
    cpus = [*fast, slow_core if slow_core is not None else bound[-1]]
    shared = Counter(cpus)
    return Placement(cpus, [cpu >= 0 and shared[cpu] == 1 for cpu in cpus])


def make_way(placement: Placement) -> None:
    """Have this process's other threads, and all that they start, leave the CPUs of units alone.

    Where they would be left without a CPU they stay where they are.
    """
    allowed = os.sched_getaffinity(0)
    taken = {cpu for cpu, alone in zip(placement.cpus, placement.alone, strict=True) if alone}
    if not allowed - taken:
        taken.discard(placement.cpus[-1])  # the slow path shares its own rather than the others
    if not allowed & taken or not allowed - taken:
        return
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError, FileNotFoundError):  # it has ended
            if not (task / "comm").read_text().startswith(UNITS):
                os.sched_setaffinity(int(task.name), allowed - taken)
