# SPDX-License-Identifier: MIT
"""`twinroute doctor`: a good machine, a bare one, what is printed; example and unit file."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tests.fake_machine import WANTS, FakeMachine, find
from twinroute.cli import main
from twinroute.config import load_config
from twinroute.dpdk.doctor import examine, show
from twinroute.dpdk.doctor_findings import PortWants, Verdict, Wants, grub, wants_of
from twinroute.dpdk.doctor_limits import CAPABILITIES

pytestmark = pytest.mark.no_sanitizer

FOLDER = Path(__file__).parents[2] / "dpdk_backend"
EXAMPLE = FOLDER / "examples" / "two_ports.toml"
UNIT = FOLDER / "twinroute.service"
OK, NOT_APPLICABLE, PROBLEM = Verdict.OK, Verdict.NOT_APPLICABLE, Verdict.PROBLEM


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


# --- a good machine -------------------------------------------------------------------------------


def test_good_machine(machine: FakeMachine):
    findings = examine(machine, WANTS)
    bad = [finding for finding in findings if finding.verdict not in (OK, NOT_APPLICABLE)]
    assert not bad
    assert not [finding for finding in findings if finding.mend]
    assert find(findings, "lan = 0000:03:00.0").found == (
        "8086:1533, driver vfio-pci, NUMA node 0, IOMMU group 12"
    )
    assert find(findings, "2 MiB, node 0").found == "1024 reserved (2 GiB), 1024 free"
    assert find(findings, "0000:00:1f.6").found == (
        "8086:15b7, driver e1000e, NUMA node 0, eno1 up at 1000 Mbit/s with the default route; "
        "not in the configuration"
    )
    assert find(findings, "cores").found == "8 online (0-7); fast path 2-3, slow path 4"


def test_good_machine_without_configuration(machine: FakeMachine):
    findings = examine(machine, Wants())
    assert {finding.verdict for finding in findings} == {OK, NOT_APPLICABLE}
    assert find(findings, "0000:03:00.0").verdict is OK


def test_it_changes_nothing(machine: FakeMachine):
    def state() -> dict[str, int]:
        return {str(path): path.lstat().st_mtime_ns for path in machine.root.rglob("*")}

    before = state()
    examine(machine, WANTS)
    assert state() == before


def test_bare_machine_without_configuration_has_no_more_than_dpdk_as_problem(tmp_path: Path):
    bare = FakeMachine(tmp_path, bare=True)
    problems = [f.point for f in examine(bare, Wants()) if f.verdict is PROBLEM]
    assert problems == ["DPDK"]
    for finding in examine(bare, WANTS):
        assert finding.found
        assert finding.mend or finding.verdict in (OK, NOT_APPLICABLE)


# --- configurations -------------------------------------------------------------------------------


def test_example_says_what_it_wants():
    wants = wants_of(load_config(EXAMPLE))
    assert wants.ports == (
        PortWants("lan", "0000:03:00.0", twin="lan0"),
        PortWants("wan", "0000:03:00.1", twin="wan0"),
    )
    assert (wants.cores, wants.slow_core, wants.units) == ((2, 3), 4, 2)
    assert (wants.memory_mb, wants.hugepages, wants.unnamed) == (1024, True, ())
    assert (wants.file_prefix, wants.socket) == ("twinroute", "/run/twinroute/router.sock")


def test_example_passes_check(capsys: pytest.CaptureFixture[str]):
    assert main(["check", str(EXAMPLE)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ok"


def test_configuration_for_the_simulator_has_no_device(machine: FakeMachine, tmp_path: Path):
    file = tmp_path / "sim.toml"
    file.write_text('[port.p0]\naddress = "10.0.0.1/24"\n')
    findings = examine(machine, wants_of(load_config(file)))
    finding = find(findings, "ports p0")
    assert finding.verdict is PROBLEM
    assert finding.mend[0] == "# in sim.toml: [dpdk.port.p0] device = ..."


# --- the command ----------------------------------------------------------------------------------


def test_json(capsys: pytest.CaptureFixture[str]):
    status = main(["doctor", "--json", str(EXAMPLE)])
    found = json.loads(capsys.readouterr().out)
    assert all(list(each) == ["topic", "point", "verdict", "found", "mend"] for each in found)
    verdicts = {each["verdict"] for each in found}
    assert verdicts <= {verdict.value for verdict in Verdict}
    assert status == ("problem" in verdicts)


def test_report_for_pipes_has_a_line_for_each_point(capsys: pytest.CaptureFixture[str]):
    status = main(["doctor", str(EXAMPLE)])
    lines = capsys.readouterr().out.splitlines()
    assert status == any(line.startswith("  problem ") for line in lines)
    assert "\x1b" not in "".join(lines)
    assert lines == [line.rstrip() for line in lines]
    assert lines[0] == "versions"
    assert any(line.startswith("  ok              Python ") for line in lines)


def test_bad_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", str(tmp_path / "none.toml")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("twinroute: error: ")
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_report_fits_the_terminal_but_for_what_is_copied(machine: FakeMachine, columns: int):
    machine.remove("/sys/bus/pci/devices/0000:03:00.0/driver")
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=columns)
    findings = examine(machine, WANTS)
    show(findings, console)
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines if not line.startswith("      ")) <= columns
    copied = [line.strip() for line in lines]
    assert all(line in copied for finding in findings for line in finding.mend)
    assert lines[-1].strip() == "1 problem, no warning"


def test_it_works_without_dpdk():
    """The extension cannot be imported, as where DPDK's libraries are missing."""
    code = (
        "import sys; sys.modules['twinroute.dpdk._dpdk'] = None\n"
        "from twinroute.cli import main; sys.exit(main(['doctor', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    points = {each["point"]: each for each in json.loads(done.stdout)}
    assert points["twinroute.dpdk._dpdk"]["verdict"] == "problem"


def test_kernel_command_line_is_edited_as_meant(tmp_path: Path):
    file = tmp_path / "grub"
    file.write_text('GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX="quiet"\n')
    edit = grub("intel_iommu=on", "iommu=pt")[0].replace("/etc/default/grub", str(file))
    subprocess.run(["sh", "-c", edit], check=True)
    expected = 'GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX="intel_iommu=on iommu=pt quiet"\n'
    assert file.read_text() == expected


# --- the unit of systemd --------------------------------------------------------------------------


def test_unit_says_what_the_router_needs():
    lines = UNIT.read_text().splitlines()
    for line in (
        "ExecStart=/usr/local/bin/twinroute run /etc/twinroute/router.toml",
        "Type=notify",
        "Restart=on-failure",
        "LimitMEMLOCK=infinity",
        "RuntimeDirectory=twinroute",
    ):
        assert line in lines
    granted = {
        word
        for line in lines
        if line.startswith("CapabilityBoundingSet=")
        for word in line.partition("=")[2].split()
    }
    assert granted >= set(CAPABILITIES)


def test_systemd_takes_the_unit(tmp_path: Path):
    systemd = shutil.which("systemd-analyze")
    if systemd is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "twinroute.service"
    program = "/usr/local/bin/twinroute"  # need not be there
    unit.write_text(UNIT.read_text().replace(program, "/bin/true"))
    done = subprocess.run([systemd, "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
