# SPDX-License-Identifier: MIT
"""Versions: Python, twinroute, its extension, DPDK and its tools, kernel, routing daemons."""

import os
import re
from collections.abc import Iterator

import twinroute
from twinroute.config_errors import on_one_line
from twinroute.dpdk.doctor_findings import Finding, Topic, Wants, listed
from twinroute.dpdk.doctor_machine import Machine

PYTHON_MIN = (3, 11)
DPDK_MIN = (22, 11)
KERNEL_MIN = (4, 14)  # what DPDK 22.11 asks for
LIBRARY_FOLDERS = ("/usr/local/lib/*", "/usr/local/lib*", "/usr/lib/*", "/usr/lib64")
PROGRAM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
TOOLS = ("dpdk-devbind.py", "dpdk-hugepages.py")
DAEMONS = {
    "FRR": ("/usr/lib/frr/zebra", "/usr/local/sbin/zebra"),
    "BIRD": ("/usr/sbin/bird", "/usr/local/sbin/bird"),
}

versions = Topic("versions")


def probe(machine: Machine, wants: Wants) -> Iterator[Finding]:
    """Look at the software."""
    yield versions.ok("twinroute", twinroute.__version__)
    yield _python(machine)
    yield _kernel(machine)
    yield _dpdk(machine)
    yield _extension(machine)
    yield _tools(machine)
    for name, paths in DAEMONS.items():
        found = machine.first(paths)
        text = found or "not installed; only dynamic routing needs it"
        yield versions.ok(name, text) if found else versions.not_applicable(name, text)


def version(text: str) -> tuple[int, ...]:
    """Return the numbers at the start of a version: (22, 11, 4) for "22.11.4-rc1"."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _python(machine: Machine) -> Finding:
    if version(machine.python) >= PYTHON_MIN:
        return versions.ok("Python", machine.python)
    text = f"{machine.python}: twinroute needs 3.11 or later"
    return versions.problem("Python", text, "apt install python3")


def _kernel(machine: Machine) -> Finding:
    release = machine.kernel
    if not release:
        return versions.warning("kernel", "/proc/version is empty", "mount -t proc proc /proc")
    if version(release) >= KERNEL_MIN:
        return versions.ok("kernel", f"Linux {release}")
    text = f"Linux {release}: DPDK needs 4.14 or later"
    return versions.problem("kernel", text, f"apt install {machine.debian_kernel}", "reboot")


def _dpdk(machine: Machine) -> Finding:
    """Find DPDK as pkg-config would, or else its libraries by their number."""
    install = "apt install dpdk libdpdk-dev librte-meta-allpmds"
    found = pkg_config_version(machine)
    if version(found) >= DPDK_MIN:
        return versions.ok("DPDK", found)
    if found:
        text = f"{found}: twinroute needs 22.11 or later"
        return versions.problem("DPDK", text, install)
    if numbers := library_numbers(machine):
        years = listed(f"{number - 1}.11" for number in numbers)
        text = f"libraries of {years}, but no libdpdk.pc: twinroute cannot be built here"
        return versions.warning("DPDK", text, install)
    return versions.problem("DPDK", "not installed", install)


def pkg_config_version(machine: Machine) -> str:
    """Return the version of DPDK in the first libdpdk.pc that pkg-config would find, or ""."""
    folders = [
        part for part in machine.environ.get("PKG_CONFIG_PATH", "").split(os.pathsep) if part
    ]
    folders += [f"{folder}/pkgconfig" for folder in LIBRARY_FOLDERS]
    for path in machine.glob(*(f"{folder}/libdpdk.pc" for folder in folders)):
        for line in machine.lines(path):
            if line.startswith("Version:"):
                return line.partition(":")[2].strip()
    return ""


def library_numbers(machine: Machine) -> list[int]:
    """Return the ABI numbers of the installed librte_eal: 23 for DPDK 22.11."""
    paths = machine.glob(*(f"{folder}/librte_eal.so.*" for folder in LIBRARY_FOLDERS))
    found = (re.search(r"\.so\.(\d+)$", path) for path in paths)
    return sorted({int(match[1]) for match in found if match})


def _extension(machine: Machine) -> Finding:
    point = "twinroute.dpdk._dpdk"
    build = ("apt install dpdk libdpdk-dev librte-meta-allpmds pkg-config", "make build")
    try:
        running = machine.extension()
    except ModuleNotFoundError:
        text = "not built: twinroute was installed without its DPDK backend"
        return versions.problem(point, text, *build)
    except ImportError as error:  # it is there, and a library of DPDK is not
        text = f"does not load: {on_one_line(str(error))}"
        return versions.problem(point, text, *build)
    return versions.ok(point, f"loads, runs with {running}" if running else "loads")


def _tools(machine: Machine) -> Finding:
    point = "DPDK's tools"
    absent = [
        tool
        for tool in TOOLS
        if not machine.first(f"{folder}/{tool}" for folder in PROGRAM_FOLDERS)
    ]
    if absent:
        return versions.warning(point, f"{listed(absent)} not found", "apt install dpdk")
    return versions.ok(point, listed(TOOLS))
