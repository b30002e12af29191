# SPDX-License-Identifier: MIT
"""Limits and rights of this process, and other instances that stand in the way."""

import os
import re
import stat
from collections.abc import Iterator

from twinroute.dpdk.doctor_findings import Finding, Topic, Wants, listed
from twinroute.dpdk.doctor_machine import Machine

CAPABILITIES = {
    "CAP_NET_ADMIN": (12, "twins"),
    "CAP_NET_RAW": (13, "frames by kernel interfaces"),
    "CAP_IPC_LOCK": (14, "memory for devices"),
    "CAP_SYS_ADMIN": (21, "namespaces, physical addresses"),
}
LIMITS = "/etc/security/limits.d/twinroute.conf"
FILES_SPARE = 256
UNIX_SOCKETS = "/proc/net/unix"
LOCK_NAME = "@twinroute-dpdk-"  # an abstract socket, see tr_eal_start()
RUNTIME_FOLDERS = ("/var/run/dpdk", "/run/twinroute/dpdk")

rights = Topic("limits and rights")
instances = Topic("other instances")


def probe(machine: Machine, wants: Wants) -> Iterator[Finding]:
    """Look at the limits, the rights, and other instances."""
    yield _rights(machine, wants)
    yield _memlock(machine, wants)
    yield _open_files(machine, wants)
    yield _tun(machine, wants)
    yield from _twins(machine, wants)
    yield _prefix(machine, wants)
    yield _socket(machine, wants)


def limit(machine: Machine, name: str) -> int | None:
    """Return a soft limit of this process, None for no limit."""
    for line in machine.lines("/proc/self/limits"):
        if found := re.match(rf"{re.escape(name)}\s+(\S+)", line):
            return int(found[1]) if found[1].isdigit() else None
    return None


def _rights(machine: Machine, wants: Wants) -> Finding:
    point = "capabilities"
    who = "root" if machine.euid == 0 else f"user {machine.euid}"
    missing = [
        f"{name} ({use})"
        for name, (number, use) in CAPABILITIES.items()
        if not machine.has_capability(number)
    ]
    if not missing:
        return rights.ok(point, f"{who}, all that are needed")
    text = f"{who}, without {listed(missing)}"
    if machine.euid == 0:
        return wants.bad(rights, point, text, "# run it outside this container or sandbox")
    name = wants.path or "CONFIG"
    return wants.bad(rights, point, text, f"sudo twinroute run {name}", "systemctl start twinroute")


def _memlock(machine: Machine, wants: Wants) -> Finding:
    point = "locked memory"
    bytes_max = limit(machine, "Max locked memory")
    text = "unlimited" if bytes_max is None else f"at most {bytes_max >> 20} MiB"
    if machine.has_capability(CAPABILITIES["CAP_IPC_LOCK"][0]):
        return rights.ok(point, f"{text}; CAP_IPC_LOCK lifts it")
    if bytes_max is None or bytes_max >= wants.memory_mb << 20:
        return rights.ok(point, text)
    text += f", {wants.memory_mb} MiB needed for devices by VFIO"
    return wants.bad(
        rights, point, text, "ulimit -l unlimited", f"echo '* - memlock unlimited' > {LIMITS}"
    )


def _open_files(machine: Machine, wants: Wants) -> Finding:
    """Compare with one file for each huge page of 2 MiB, as DPDK opens them."""
    point = "open files"
    most = limit(machine, "Max open files")
    need = FILES_SPARE + (wants.memory_mb // 2 if wants.hugepages else 0)
    if most is None or most >= need:
        return rights.ok(point, "unlimited" if most is None else f"at most {most}")
    text = f"at most {most}, {need} may be needed: one for each huge page"
    enough = max(65536, 1 << need.bit_length())
    mend = (f"ulimit -n {enough}", f"echo '* - nofile {enough}' > {LIMITS}")
    return wants.bad(rights, point, text, *mend)


def _tun(machine: Machine, wants: Wants) -> Finding:
    point = "/dev/net/tun"
    if machine.exists("/dev/net/tun"):
        return rights.ok(point, "present")
    if wants.configured and not any(
        port.twin or port.vdev.startswith(("net_tap", "net_tun")) for port in wants.ports
    ):
        return rights.not_applicable(point, "absent; no port has a twin")
    text = "absent: the ports' twins need it"
    if machine.exists("/sys/module/tun"):
        mend = ("mkdir -p /dev/net", "mknod -m 0666 /dev/net/tun c 10 200")
    elif machine.has_module("tun"):
        mend = ("modprobe tun", "echo tun > /etc/modules-load.d/tun.conf")
    else:
        mend = (f"apt install {machine.debian_kernel}", "reboot")
    return wants.bad(rights, point, text, *mend)


def _twins(machine: Machine, wants: Wants) -> Iterator[Finding]:
    """Look at where the ports' twins are to be."""
    name = os.path.basename(wants.path)
    for port in wants.ports:
        point = f"twin of {port.name}"
        if not port.twin:
            continue
        if port.netns:
            path = port.netns if "/" in port.netns else f"/run/netns/{port.netns}"
            if machine.exists(path):
                yield rights.ok(point, f"{port.twin} in namespace {port.netns}")
                continue
            text = f"there is no network namespace {port.netns}"
            mend = f"ip netns add {os.path.basename(port.netns)}"
            yield rights.problem(point, text, mend)
        elif machine.exists(f"/sys/class/net/{port.twin}") and not _runs(machine, wants):
            text = f"there is an interface {port.twin} already"
            mend = f'# in {name}: [dpdk.port.{port.name}] twin_name = "another name"'
            yield rights.problem(point, text, mend)
        else:
            yield rights.ok(point, port.twin)


# --- other instances ------------------------------------------------------------------------------


def unix_sockets(machine: Machine) -> set[str]:
    """Return the paths and abstract names of the UNIX sockets of this network namespace."""
    found = set()
    for line in machine.lines(UNIX_SOCKETS)[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8:
            found.add(fields[7])
    return found


def lock_holders(machine: Machine, path: str) -> list[int]:
    """Return the processes that hold a lock on a file; 0 for one of another PID namespace."""
    about = machine.stat(path)
    if about is None:
        return []
    file = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    found = set()
    for line in machine.lines("/proc/locks"):
        fields = line.split()
        if len(fields) >= 8 and fields[5] == file and "->" not in fields:
            found.add(max(0, int(fields[4])))
    return sorted(found)


def runtime_folders(machine: Machine, prefix: str) -> list[str]:
    """Return the folders in which DPDK keeps its files of a prefix."""
    own = machine.environ.get("RUNTIME_DIRECTORY") or machine.environ.get("XDG_RUNTIME_DIR")
    folders = (*RUNTIME_FOLDERS, *([f"{own}/dpdk"] if own else []), "/tmp/dpdk")
    return [f"{folder}/{prefix}" for folder in folders]


def _runs(machine: Machine, wants: Wants) -> bool:
    """Tell whether a twinroute with this file prefix is running."""
    return f"{LOCK_NAME}{wants.file_prefix}" in unix_sockets(machine)


def _prefix(machine: Machine, wants: Wants) -> Finding:
    point = f"file prefix {wants.file_prefix}"
    name = os.path.basename(wants.path) or "the configuration"
    another = f"# or in {name}: [dpdk] file_prefix = another name"
    for folder in runtime_folders(machine, wants.file_prefix):
        if holders := lock_holders(machine, f"{folder}/config"):
            who = listed(f"process {pid}" if pid else "another container" for pid in holders)
            kill = [f"kill {pid}" for pid in holders if pid]
            text = f"used by {who}: {folder}/config is locked"
            return wants.bad(instances, point, text, *kill, another)
    if _runs(machine, wants):
        text = "used by a running twinroute"
        return wants.bad(instances, point, text, "systemctl stop twinroute", another)
    left = [
        folder for folder in runtime_folders(machine, wants.file_prefix) if machine.exists(folder)
    ]
    if left:
        return instances.ok(point, f"free; files of an ended process in {listed(left)} are reused")
    return instances.ok(point, "free")


def _socket(machine: Machine, wants: Wants) -> Finding:
    point = "control socket"
    path, folder = wants.socket, os.path.dirname(wants.socket)
    if path in unix_sockets(machine):
        text = f"{path}: a running twinroute listens there"
        return wants.bad(instances, point, text, "systemctl stop twinroute")
    about = machine.stat(path)
    if about is None:
        above = os.path.dirname(folder)  # the router makes the last folder itself
        if wants.configured and not machine.exists(above):
            text = f"{path}: there is no folder {above}"
            return instances.problem(point, text, f"install -d -m 0755 {above}")
        return instances.ok(point, f"{path}: free")
    if stat.S_ISSOCK(about.st_mode):
        text = f"{path}: free; left behind by a process that has ended, it will be replaced"
        return instances.ok(point, text)
    return wants.bad(instances, point, f"{path}: something else than a socket", f"rm -i {path}")
