# SPDX-License-Identifier: MIT
"""`twinroute doctor` on machines whose processors, limits or other programs are in the way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake_machine import WANTS, FakeMachine, case, grub, judge
from twinroute.dpdk.doctor_findings import Verdict
from twinroute.dpdk.doctor_machine import cpu_set, cpu_text

pytestmark = pytest.mark.no_sanitizer

OK, WARNING = Verdict.OK, Verdict.WARNING
PROBLEM, NOT_APPLICABLE = Verdict.PROBLEM, Verdict.NOT_APPLICABLE
Breaks = Callable[[FakeMachine], object]
FAST_CORES = "isolcpus=2-4", "nohz_full=2-4", "rcu_nocbs=2-4"
CPUS = "/sys/devices/system/cpu"
OTHER_CPU = "# use another processor; in a virtual machine the host's: QEMU's -cpu host"
PREFIX, SOCKET = "file prefix twinroute", "/run/twinroute/router.sock"
ANOTHER = "# or in router.toml: [dpdk] file_prefix = another name"


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


PROCESSORS = [
    case(
        "too few",
        lambda m: (m.write(f"{CPUS}/online", "0-3"), m.write(f"{CPUS}/isolated", "")),
        "cores",
        PROBLEM,
        "lscpu --extended=CPU,NODE,CORE,ONLINE",
    ),
    case(
        "barred by a cpuset",
        lambda m: (m.status_of(cpus="0-3"), m.write(f"{CPUS}/isolated", "")),
        "cores",
        PROBLEM,
        "systemctl set-property twinroute.service AllowedCPUs=0-7",
    ),
    case(
        "not isolated",
        lambda m: m.write(f"{CPUS}/isolated", "2-3"),
        "isolation",
        WARNING,
        *grub(*FAST_CORES),
    ),
    case(
        "with ticks",
        lambda m: m.write(f"{CPUS}/nohz_full", "(null)"),
        "nohz_full",
        WARNING,
        *grub(*FAST_CORES[1:]),
    ),
    case(
        "slow governor",
        lambda m: m.write(f"{CPUS}/cpu3/cpufreq/scaling_governor", "powersave"),
        "frequency governor",
        WARNING,
        "apt install linux-cpupower",
        "cpupower --cpu 3 frequency-set --governor performance",
    ),
    case(
        "hyper-threads of one core",
        lambda m: [m.siblings(cpu, cpu + 1) for cpu in (0, 2, 4, 6)],
        "hyper-threads",
        WARNING,
        "# in router.toml: [dpdk] cores = [2, 4], slow_core = 6",
    ),
    case(
        "far from the ports",
        lambda m: m.nodes("4-7", "0-3"),
        "NUMA",
        WARNING,
        "# in router.toml: [dpdk] cores = [4, 5], slow_core = 6",
    ),
    case(
        "no AVX2",
        lambda m: m.cpuinfo_of("GenuineIntel", "hypervisor", vectors="sse4_2"),
        "vector instructions",
        WARNING,
        OTHER_CPU,
    ),
    case(
        "no SSE4.2",
        lambda m: m.cpuinfo_of("GenuineIntel", vectors="sse2"),
        "vector instructions",
        PROBLEM,
        OTHER_CPU,
    ),
    case(
        "cycle counter that varies",
        lambda m: m.write("/proc/cpuinfo", "vendor_id : GenuineIntel\nflags : avx2 sse4_2 tsc"),
        "cycle counter",
        WARNING,
        *grub("processor.max_cstate=1"),
    ),
]


@pytest.mark.parametrize(("breaks", "point", "verdict", "mend"), PROCESSORS)
def test_processors(
    machine: FakeMachine, breaks: Breaks, point: str, verdict: Verdict, mend: tuple[str, ...]
):
    breaks(machine)
    judge(machine, point, verdict, mend)


RIGHTS = [
    case(
        "a user",
        lambda m: (setattr(m, "euid", 1000), m.status_of(capabilities=0)),
        "capabilities",
        PROBLEM,
        "sudo twinroute run /etc/twinroute/router.toml",
        "systemctl start twinroute",
    ),
    case(
        "root without rights",
        lambda m: m.status_of(capabilities=1 << 12 | 1 << 13 | 1 << 14),
        "capabilities",
        PROBLEM,
        "# run it outside this container or sandbox",
    ),
    case(
        "little locked memory",
        lambda m: (m.status_of(capabilities=0), m.limits(memlock=8 << 20)),
        "locked memory",
        PROBLEM,
        "ulimit -l unlimited",
        "echo '* - memlock unlimited' > /etc/security/limits.d/twinroute.conf",
    ),
    case(
        "few open files",
        lambda m: m.limits(files=512),
        "open files",
        PROBLEM,
        "ulimit -n 65536",
        "echo '* - nofile 65536' > /etc/security/limits.d/twinroute.conf",
    ),
    case(
        "no TUN",
        lambda m: m.remove("/dev/net"),
        "/dev/net/tun",
        PROBLEM,
        "modprobe tun",
        "echo tun > /etc/modules-load.d/tun.conf",
    ),
    case(
        "TUN without its file",
        lambda m: (m.remove("/dev/net"), m.write("/sys/module/tun/initstate", "live")),
        "/dev/net/tun",
        PROBLEM,
        "mkdir -p /dev/net",
        "mknod -m 0666 /dev/net/tun c 10 200",
    ),
    case(
        "no namespace",
        lambda m: m.remove("/run/netns/router"),
        "twin of wan",
        PROBLEM,
        "ip netns add router",
    ),
    case(
        "twin's name taken",
        lambda m: m.write("/sys/class/net/lan0/flags", "0x1003"),
        "twin of lan",
        PROBLEM,
        '# in router.toml: [dpdk.port.lan] twin_name = "another name"',
    ),
]


@pytest.mark.parametrize(("breaks", "point", "verdict", "mend"), RIGHTS)
def test_rights(
    machine: FakeMachine, breaks: Breaks, point: str, verdict: Verdict, mend: tuple[str, ...]
):
    breaks(machine)
    judge(machine, point, verdict, mend)


INSTANCES = [
    case(
        "DPDK with this prefix",
        lambda m: m.lock("/var/run/dpdk/twinroute/config", 4711),
        PREFIX,
        PROBLEM,
        "kill 4711",
        ANOTHER,
    ),
    case(
        "twinroute with this prefix",
        lambda m: m.sockets("@twinroute-dpdk-twinroute"),
        PREFIX,
        PROBLEM,
        "systemctl stop twinroute",
        ANOTHER,
    ),
    case(
        "socket in use",
        lambda m: m.sockets(SOCKET),
        "control socket",
        PROBLEM,
        "systemctl stop twinroute",
    ),
    case("socket left behind", lambda m: m.socket(SOCKET), "control socket", OK),
    case(
        "a file in the socket's place",
        lambda m: m.write(SOCKET, ""),
        "control socket",
        PROBLEM,
        f"rm -i {SOCKET}",
    ),
    case(
        "no folder above that of the socket",
        lambda m: m.remove("/run"),
        "control socket",
        PROBLEM,
        "install -d -m 0755 /run",
    ),
]


@pytest.mark.parametrize(("breaks", "point", "verdict", "mend"), INSTANCES)
def test_instances(
    machine: FakeMachine, breaks: Breaks, point: str, verdict: Verdict, mend: tuple[str, ...]
):
    breaks(machine)
    judge(machine, point, verdict, mend)


# --- judged by another configuration --------------------------------------------------------------


def test_cores_that_the_configuration_does_not_name(machine: FakeMachine):
    wants = replace(WANTS, cores=(), slow_core=None)
    name_them = "# in router.toml: [dpdk] cores = [2, 3], slow_core = 4"
    judge(machine, "isolation", WARNING, (name_them,), wants)
    machine.write(f"{CPUS}/isolated", "")
    machine.status_of(cpus="0-7")
    name_them = "# in router.toml: [dpdk] cores = [1, 2], slow_core = 3"
    cores = [f"{word}=1-3" for word in ("isolcpus", "nohz_full", "rcu_nocbs")]
    judge(machine, "isolation", WARNING, (name_them, *grub(*cores)), wants)
    judge(machine, "NUMA", NOT_APPLICABLE, (), wants)


def test_fewer_cores_than_units(machine: FakeMachine):
    machine.write(f"{CPUS}/online", "0-2")
    machine.write(f"{CPUS}/isolated", "")
    machine.status_of(cpus="0-2")
    wants = replace(WANTS, cores=(), slow_core=None)
    judge(machine, "cores", WARNING, ("# in router.toml: [fast_path] units = 1",), wants)
    machine.write(f"{CPUS}/online", "0-1")
    wants = replace(wants, units=1)
    judge(machine, "cores", WARNING, ("# give this machine 3 CPUs",), wants)
    judge(machine, "isolation", NOT_APPLICABLE, (), wants)


def test_no_twin_needs_no_tun(machine: FakeMachine):
    machine.remove("/dev/net")
    ports = tuple(replace(port, twin="") for port in WANTS.ports)
    judge(machine, "/dev/net/tun", NOT_APPLICABLE, (), replace(WANTS, ports=ports))


def test_twin_of_the_router_that_runs_is_no_other(machine: FakeMachine):
    machine.write("/sys/class/net/lan0/flags", "0x1003")
    machine.sockets("@twinroute-dpdk-twinroute")
    judge(machine, "twin of lan", OK, ())


def test_files_of_a_process_that_has_ended(machine: FakeMachine):
    machine.write("/var/run/dpdk/twinroute/config", "")
    judge(machine, PREFIX, OK, ())


def test_lists_of_cpus():
    assert cpu_set("0-3,8\n") == {0, 1, 2, 3, 8}
    assert cpu_set("(null)") == cpu_set("") == set()
    assert cpu_text([8, 0, 2, 1]) == "0-2,8"
    assert cpu_text([]) == "none"
