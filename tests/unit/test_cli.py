# SPDX-License-Identifier: MIT
"""The command line: what it prints, where, and with which exit status; never a traceback."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import twinroute
from twinroute.cli import main
from twinroute.config import parse_config
from twinroute.errors import InputError
from twinroute.sim.bench import Bench

EXAMPLE = Path(__file__).parents[2] / "sim_backend" / "examples" / "two_ports.toml"
PORTS = '[port.p0]\naddress = "10.0.0.1/24"\n[port.p1]\naddress = "10.0.1.1/24"\n'
TWO_ROUTES = """[[route]]
to = "0.0.0.0/0"
via = "10.0.1.2"
[[route]]
to = "10.2.0.0/16"
via = "10.0.0.2"
[sim.port.p1]
rate = "1G"
delay_us = 5.0
"""
ROUTE_FILE = PORTS + '[[route_file]]\npath = "routes.txt"\nvia = ["10.0.0.2", "10.0.1.2"]\n'
ROUTES = "# prefixes\n10.2.0.0/16 via 10.0.1.9\n10.3.0.0/16\n\nblackhole 10.4.0.0/16 # none\n"


@dataclass
class Outcome:
    """How a run of the command line ended, and the lines that it wrote."""

    status: int
    out: list[str]
    err: list[str]


@dataclass
class Command:
    """Runs the command line in this process, in a folder of its own."""

    capsys: pytest.CaptureFixture[str]
    folder: Path

    def __call__(self, *argv: str) -> Outcome:
        status = main(list(argv))
        captured = self.capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(status, captured.out.splitlines(), captured.err.splitlines())

    def check(self, text: str, *argv: str) -> Outcome:
        """Check a configuration with this text."""
        (self.folder / "router.toml").write_text(text)
        return self("check", "router.toml", *argv)


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return Command(capsys, tmp_path)


# --- check ----------------------------------------------------------------------------------------


def test_check_takes_the_example(command: Command):
    outcome = command("check", str(EXAMPLE))
    assert (outcome.status, outcome.err, outcome.out[-1]) == (0, [], "ok")
    assert outcome.out[0] == f"{EXAMPLE}: router router"


def test_check_shows_the_configuration(command: Command):
    outcome = command.check(PORTS + TWO_ROUTES)
    assert (outcome.status, outcome.err) == (0, [])
    assert outcome.out[0] == "router.toml: router router"
    rows = [line.split() for line in outcome.out]
    assert ["p0", "10.0.0.1/24", "02:54:52:00:00:00", "1500", "10", "Gbit/s"] in rows
    assert ["p1", "10.0.1.1/24", "02:54:52:00:00:01", "1500", "1", "Gbit/s,", "5", "µs"] in rows
    assert ["0.0.0.0/0", "via", "10.0.1.2", "on", "p1", "20", "0"] in rows
    assert ["fast", "path", "1", "unit,", "bursts", "of", "64,", "drop-out;"] in [
        row[:8] for row in rows
    ]
    assert outcome.out[-1] == "ok"


def test_check_for_machines(command: Command):
    outcome = command.check(PORTS + TWO_ROUTES, "--json")
    assert (outcome.status, outcome.err) == (0, [])
    shown = json.loads("\n".join(outcome.out))
    assert (shown["ok"], shown["problems"], shown["routes"]) == (True, [], 2)
    port = shown["config"]["ports"]["p1"]
    assert (port["addresses"], port["mac"], port["mtu"], port["up"]) == (
        ["10.0.1.1/24"],
        "02:54:52:00:00:01",
        1500,
        True,
    )
    assert shown["config"]["routes"][0]["via"] == ["10.0.1.2"]
    assert shown["config"]["sim"]["port"]["p1"]["rate"] == 10**9


def test_check_shows_all_that_there_is(command: Command):
    routes = "".join(f'[[route]]\nto = "10.{n}.0.0/16"\nkind = "prohibit"\n' for n in range(2, 30))
    neighbor = '[[neighbor]]\nport = "p0"\naddress = "10.0.0.2"\nmac = "02:00:00:00:00:02"\n'
    sim = '[sim]\nneighbors = "silent"\n[sim.port.p0]\nrate = "unlimited"\n'
    outcome = command.check(PORTS + routes + neighbor + sim)
    text = "\n".join(outcome.out)
    assert outcome.status == 0
    assert "10.2.0.0/16    prohibit" in text
    assert "and 8 more" in text
    assert "10.0.0.2    02:00:00:00:00:02   p0" in text
    assert "unlimited" in text
    assert "neighbours are silent" in text


def test_check_tells_each_problem_on_a_line(command: Command):
    outcome = command.check(PORTS.replace("/24", "/33"))
    assert (outcome.status, outcome.out) == (2, [])
    mask = "expected a prefix length from 1 to 32 behind the slash"
    assert outcome.err == [
        f'twinroute: error: router.toml: port.p0.address = "10.0.0.1/33": {mask}',
        f'twinroute: error: router.toml: port.p1.address = "10.0.1.1/33": {mask}',
    ]


def test_check_tells_machines_of_problems(command: Command):
    outcome = command.check("[port.p0]\nmtu 5", "--json")
    assert outcome.status == 2
    problem = "router.toml:2:5: TOML syntax: expected '=' after a key in a key/value pair"
    assert json.loads("\n".join(outcome.out)) == {"ok": False, "problems": [problem]}
    assert outcome.err == [f"twinroute: error: {problem}"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("no.toml", "no.toml: expected a TOML file, there is no such file"),
        (".", ".: expected a TOML file, this is a directory"),
        ("a\nb", r"a\nb: expected a TOML file, there is no such file"),
    ],
)
def test_check_without_a_file(command: Command, path: str, expected: str):
    outcome = command("check", path)
    assert (outcome.status, outcome.out) == (2, [])
    assert outcome.err == [f"twinroute: error: {expected}"]


# --- check, with the router's own tables ----------------------------------------------------------


def test_check_reads_route_files(command: Command):
    (command.folder / "routes.txt").write_text(ROUTES)
    outcome = command.check(ROUTE_FILE)
    assert (outcome.status, outcome.err) == (0, [])
    assert ["routes.txt", "3", "via", "10.0.0.2", "10.0.1.2", "20"] in [
        line.split() for line in outcome.out
    ]
    assert json.loads("\n".join(command.check(ROUTE_FILE, "--json").out))["routes"] == 3


@pytest.mark.parametrize(
    "line",
    [
        "10.5.0.0/33 via 10.0.0.2",
        "10.5.0.1/16 via 10.0.0.2",
        "10.5.0.0/16 via 192.0.2.1",
        "10.5.0.0/16 via 10.0.0.1",
        "10.5.0.0/16 via",
        "10.5.0.0/16 dev p9",
        "10.5.0.0",
        "default gateway",
        "blackhole",
        "\0",
        "\x85 \x1b[31m",
        "x" * 5000,
    ],
)
def test_check_names_the_bad_line_of_a_route_file(command: Command, line: str):
    (command.folder / "routes.txt").write_text(f"{ROUTES}{line}\n10.6.0.0/16\n")
    outcome = command.check(ROUTE_FILE)
    assert (outcome.status, outcome.out, len(outcome.err)) == (2, [], 1)
    assert outcome.err[0].startswith("twinroute: error: routes.txt:6: ")
    assert outcome.err[0].isprintable()
    assert len(outcome.err[0]) < 500


def test_a_bad_line_of_a_route_file_changes_nothing(tmp_path: Path):
    path = tmp_path / "routes.txt"
    path.write_text(f"{ROUTES}10.5.0.0/16 via 192.0.2.1\n10.6.0.0/16\n")
    bench = Bench()
    router = bench.router(parse_config(PORTS))
    bench.settle()
    before = router.routes(all=True), router.table_info()
    with pytest.raises(InputError, match=r"^\S+/routes.txt:6: '10.5.0.0/16 via 192.0.2.1': "):
        router.routes_load(path, via=["10.0.0.2"])
    bench.settle()
    assert (router.routes(all=True), router.table_info()) == before


def test_check_knows_the_profiles(command: Command):
    outcome = command.check(PORTS + '[sim]\nprofile = "functionall"\n')
    assert (outcome.status, len(outcome.err)) == (2, 1)
    start = 'twinroute: error: router.toml: sim.profile = "functionall": expected one of functional'
    assert outcome.err[0].startswith(start)
    assert command.check(PORTS + '[sim]\nprofile = "default"\n').status == 0


def test_check_reads_a_profile(command: Command):
    (command.folder / "cpu.toml").write_text('hz = "fast"\n')
    outcome = command.check(PORTS + '[sim]\nprofile = "cpu.toml"\n')
    assert (outcome.status, len(outcome.err)) == (2, 1)
    assert outcome.err[0].startswith('twinroute: error: cpu.toml: hz = "fast": expected ')


# --- the command itself ---------------------------------------------------------------------------


def test_version(command: Command):
    assert command("--version") == Outcome(0, [f"twinroute {twinroute.__version__}"], [])


@pytest.mark.parametrize("argv", [[], ["check"], ["sim"], ["demo"]])
def test_help_teaches(command: Command, argv: list[str]):
    outcome = command(*argv, "--help")
    assert (outcome.status, outcome.err) == (0, [])
    text = "\n".join(outcome.out)
    assert "example" in text
    assert f"twinroute {' '.join(argv)}".strip() in text
    assert not [line for line in outcome.out if len(line) > 100]


@pytest.mark.parametrize("argv", [[], ["check"], ["chek", "x"], ["check", "x", "y"], ["-x"]])
def test_wrong_arguments(command: Command, argv: list[str]):
    outcome = command(*argv)
    assert (outcome.status, outcome.out) == (2, [])
    assert outcome.err[0].startswith("usage: twinroute")


def python(*argv: str, **options: object) -> "subprocess.Popen[str]":
    """Start the command line as a process, with pipes where nothing else is given."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    arguments = [sys.executable, "-m", "twinroute", *argv]
    return subprocess.Popen(arguments, text=True, **pipes)  # type: ignore[call-overload]


@pytest.mark.no_sanitizer
def test_it_runs_as_a_module():
    process = python("check", str(EXAMPLE))
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.endswith("\nok\n")


@pytest.mark.no_sanitizer
@pytest.mark.parametrize("argv", [["check", str(EXAMPLE)], ["--help"]])
def test_a_reader_may_leave(argv: list[str]):
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = python(*argv, stdout=write_end)
    os.close(write_end)
    _, err = process.communicate()
    assert (process.returncode, err) == (141, "")


@pytest.mark.no_sanitizer
def test_a_full_disk_is_told():
    with open("/dev/full", "w") as full:
        process = python("check", str(EXAMPLE), stdout=full)
        _, err = process.communicate()
    assert (process.returncode, err) == (1, "twinroute: error: No space left on device\n")


@pytest.mark.no_sanitizer
def test_it_is_interrupted_quietly(tmp_path: Path):
    pipe = tmp_path / "router.toml"
    os.mkfifo(pipe)
    process = python("check", str(pipe))
    with open(pipe, "w"):  # opens as soon as the other side does
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "")


@pytest.mark.no_sanitizer
def test_any_terminal_will_do(tmp_path: Path):
    path = tmp_path / "f€ld.toml"
    path.write_text(PORTS)
    process = python("check", str(path), env=os.environ | {"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert r"f\u20acld.toml: router router" in out
