# SPDX-License-Identifier: MIT
"""The commands for a running router: what they print, their exit status, and their help."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.control_bed import GATEWAY, GATEWAY_MAC, HOST, OTHER, OTHER_MAC, TABLES, Bed, bed, toml
from twinroute.cli import main
from twinroute.config import load_config
from twinroute.sim import capture as files


@dataclass
class Command:
    """Runs the command line on a router."""

    r1: Bed
    capsys: pytest.CaptureFixture[str]
    folder: Path

    def __call__(self, *argv: str, status: int = 0) -> str:
        """Run a command and return what it prints; errors if it is to fail."""
        assert main(list(argv)) == status
        captured = self.capsys.readouterr()
        assert "Traceback" not in captured.err
        return captured.out if status == 0 else captured.err

    def json(self, *argv: str):
        return json.loads(self(*argv, "--json"))


@pytest.fixture
def command(capsys, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    file = tmp_path / "r1.toml"
    file.write_text(toml())
    with bed(tmp_path, load_config(file)) as r1:
        monkeypatch.setenv("TWINROUTE_SOCKET", str(r1.path))
        yield Command(r1, capsys, tmp_path)


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# --- show -----------------------------------------------------------------------------------------


def test_show_ports(command: Command):
    command.r1.exchange(command.r1.frame())
    shown = rows(command("show", "ports"))
    mac = command.r1.config.ports["p0"].mac
    assert ["p0", "10.0.0.1/24", mac, "1500", "up", "-"] in shown
    assert ["p0", "1", "60", "0", "0", "0", "0", "0"] in shown
    assert command.json("show", "ports")["ports"][0]["name"] == "p0"


def test_show_routes(command: Command):
    shown = command("show", "routes")
    assert ["198.18.0.0/16", "via", GATEWAY, "p1", "config", "20", "0"] in rows(shown)
    assert shown.splitlines()[-1].startswith("25 routes; tables: ")
    only = command("show", "routes", "--source", "config", "--all")
    assert only.splitlines()[-1].startswith("1 route; tables: ")
    none = command("show", "routes", "--within", "9.0.0.0/8")
    assert none.startswith("0 routes; tables: ")
    assert command.json("show", "routes")["count"] == 25


def test_show_filters(command: Command):
    assert command("show", "filters") == "no packet is filtered\n"
    assert command.json("show", "filters") == {"filters": []}
    path = command.folder / "r1.toml"
    path.write_text(path.read_text() + '[[filter]]\naction = "drop"\nport = "p0"\n')
    assert command("config", "reload") == "reloaded: filters replaced\n"
    command.r1.exchange(command.r1.frame(), command.r1.frame())
    shown = rows(command("show", "filters"))
    assert shown[1] == ["drop", "2", "p0", "from", "any", "to", "any"]
    assert command.json("show", "filters")["filters"][0]["packets"] == 2


def test_show_the_rest(command: Command):
    assert "no packet was dropped" in command("show", "drops")
    command.r1.exchange(command.r1.frame(), command.r1.frame("100.64.7.1"))
    assert [HOST, "p0", "02:00:00:00:00:01", "static", "0"] in rows(command("show", "neighbors"))
    assert ["forwarded", "1"] in rows(command("show", "counters"))
    drops = command("show", "drops")
    assert [
        "no_route",
        "1",
        "RFC1812",
        "5.2.7.1",
        "no",
        "route",
        "to",
        "the",
        "destination",
    ] in rows(drops)
    assert "dropped" not in command("show", "drops", "--unit", "0")
    assert ["validate", "2", "2"] in [row[:3] for row in rows(command("show", "steps"))]
    assert ["1", "slow", "any"] in [row[:3] for row in rows(command("show", "units"))]
    config = command("show", "config")
    assert f"# {command.folder}/r1.toml" in config
    assert "fast_path.burst = 64" in config
    assert f'routes[1].via = ["{GATEWAY}"]' in config
    for what in ("neighbors", "counters", "drops", "steps", "units", "config"):
        assert command.json("show", what)


# --- change ---------------------------------------------------------------------------------------


def test_routes_come_and_go(command: Command):
    assert command("route", "add", "100.64.7.0/24", "via", GATEWAY, "dev", "p1") == (
        f"added 100.64.7.0/24 via {GATEWAY} dev p1\n"
    )
    assert command("route", "get", "100.64.7.7") == f"100.64.7.7 via {GATEWAY} dev p1\n"
    assert command.json("route", "get", "100.64.7.7")["port"] == "p1"
    assert command("route", "delete", "100.64.7.0/24") == "deleted 100.64.7.0/24\n"
    command("route", "add", "blackhole", "100.64.7.0/24", "metric", "9", "--preference", "3")
    assert command("route", "get", "100.64.7.7") == "100.64.7.7 blackhole\n"
    assert command("route", "get", "9.9.9.9") == "9.9.9.9 none\n"
    assert command("route", "delete", "100.64.7.0/24", "--metric", "9", "--json") == "{}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["via", GATEWAY],
        ["blackhole"],
        ["1.0.0.0/8", "via"],
        ["1.0.0.0/8", "to", GATEWAY],
        ["1/8", "x"],
    ],
)
def test_a_route_in_another_form_is_refused(command: Command, words: list[str]):
    error = command("route", "add", *words, status=2)
    assert error.count("\n") == 1
    assert error.startswith(
        f"twinroute: error: route add {' '.join(words)}: expected [KIND] PREFIX"
    )


def test_a_route_that_the_router_refuses(command: Command):
    error = command("route", "add", "1.0.0.0/8", "via", "9.9.9.9", status=2)
    assert "gateway on a connected subnet expected" in error
    assert command("route", "delete", "9.0.0.0/8", status=2).count("\n") == 1


def test_route_load(command: Command, monkeypatch):
    file = command.folder / "table.txt"
    file.write_text("".join(f"100.{n // 256}.{n % 256}.0/24\n" for n in range(20_000)))
    out = command("route", "load", str(file), "--via", GATEWAY, "--via", OTHER)
    assert out == f"loaded 20,000 routes from {file}\n"
    file.write_text("100.0.0.0/8 via nowhere\n")
    assert f"{file}:1: '100.0.0.0/8 via nowhere'" in command("route", "load", str(file), status=2)
    error = command("route", "load", "none.txt", status=2)
    assert error == (
        "twinroute: error: none.txt: expected a route file: No such file or directory\n"
    )


def test_neighbors(command: Command):
    out = command("neighbor", "add", "p1", OTHER, OTHER_MAC)
    assert out == f"set {OTHER} on p1 to {OTHER_MAC}\n"
    assert [OTHER, "p1", OTHER_MAC, "static", "0"] in rows(command("show", "neighbors"))
    assert command("neighbor", "delete", "p1", OTHER) == f"deleted {OTHER} on p1\n"
    assert "expected one that was set" in command("neighbor", "delete", "p1", OTHER, status=2)


def test_ports_go_down_and_up(command: Command):
    assert command("port", "down", "p1") == "p1 is down\n"
    shown = rows(command("show", "ports"))
    assert ["up,", "disabled", "-"] in [row[-3:] for row in shown]
    shown = rows(command("show", "routes"))
    unusable = ["198.18.0.0/16", "via", GATEWAY, "p1", "(unusable)", "config", "20", "0"]
    assert unusable in shown
    assert command.json("port", "up", "p1") == {}
    assert unusable not in rows(command("show", "routes"))
    assert command("port", "down", "p9", status=2) == (
        "twinroute: error: port = p9: expected one of p0, p1\n"
    )


def test_a_reload_that_changes_a_port(command: Command):
    file = command.folder / "r1.toml"
    port = {"address": ["10.0.1.1/24", "10.0.7.1/24"]}
    file.write_text(toml(TABLES | {"port": {**TABLES["port"], "p1": port}}))
    assert command("config", "reload") == "reloaded: port p1 set\n"
    assert "10.0.1.1/24, 10.0.7.1/24 (probing)" in command("show", "ports")


def test_config_reload(command: Command):
    assert command("config", "reload") == "reloaded: nothing has changed\n"
    file = command.folder / "r1.toml"
    file.write_text(toml(TABLES | {"route": [], "slow_path": {"arp_retries": 9}}))
    assert command("config", "reload") == "reloaded: 1 route deleted, arp_retries = 9\n"
    file.write_text(toml(TABLES | {"fast_path": {"units": 3, "burst": 5}}))
    errors = command("config", "reload", status=2).splitlines()
    assert errors[0] == (
        f"twinroute: error: {file}: fast_path.units = 3: cannot change while the router runs,"
        " which has 1: restart it for that"
    )
    assert len(errors) == 2


# --- watch ----------------------------------------------------------------------------------------


@pytest.fixture
def busy(command: Command, monkeypatch):
    """Let a frame pass as soon as a capture or trace has begun."""
    target, bench = command.r1.target, command.r1.bench

    def begin(original: Callable[..., Any], *args: Any) -> Any:
        begun = original(*args)
        bench.port("p0").send(command.r1.frame())
        bench.run(us=1000)
        return begun

    for name in ("capture", "trace"):
        monkeypatch.setattr(target, name, partial(begin, getattr(target, name)))


@pytest.mark.usefixtures("busy")
def test_capture_lines(command: Command):
    lines = command("capture", "-c", "2", "ip").splitlines()
    assert len(lines) == 2
    assert lines[0].split()[1:4] == ["p0", "in", "60"]
    assert lines[0].endswith("10.0.0.2:0 > 198.18.0.1:0 UDP ttl 64 length 46")
    assert lines[1].split()[1:3] == ["p1", "out"]


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("name", ["x.pcap", "x.pcapng"])
def test_capture_into_a_file(command: Command, name: str):
    path = command.folder / name
    command("capture", "-c", "1", "--port", "p1", "--direction", "out", "-w", str(path))
    read = files.read(path)
    assert len(read) == 1
    assert read.frame(0)[:6] == bytes.fromhex(GATEWAY_MAC.replace(":", ""))


@pytest.mark.usefixtures("busy")
def test_capture_and_trace_as_json(command: Command):
    frame = json.loads(command("capture", "-c", "1", "--json"))
    assert bytes.fromhex(frame["data"]) == command.r1.frame()
    records = [json.loads(line) for line in command("trace", "-c", "1", "--json").splitlines()]
    assert [one["step"] for one in records][0::4] == ["validate", "transmit"]


@pytest.mark.usefixtures("busy")
def test_trace_lines(command: Command):
    heading, *lines = command("trace", "-c", "1").splitlines()
    assert heading.split() == ["packet", "us", "unit", "port", "bytes", "step", "verdict"]
    assert lines[0].split()[-2:] == ["validate", "forward"]
    assert len(lines) == 5


def test_wrong_filters_and_ports(command: Command):
    assert "syntax error" in command("capture", "ip", "and", status=2)
    assert "syntax error" in command("trace", "ip", "and", status=2)
    assert "expected one of p0, p1" in command("capture", "--port", "p9", status=2)
    assert "no_such_folder" in command("capture", "-w", "no_such_folder/x", status=1)


def test_ctrl_c_ends_a_capture_well(command: Command):
    argv = [sys.executable, "-m", "twinroute", "capture", "-w", str(command.folder / "x.pcap")]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr is not None
        assert process.stderr.readline() == "capturing on p0, p1\n"
        command.r1.exchange(command.r1.frame())
        process.send_signal(2)
        assert process.stderr.read() == "2 frames, 0 lost\n"
    assert process.returncode == 0
    assert len(files.read(command.folder / "x.pcap")) == 2


# --- without a router -----------------------------------------------------------------------------

COMMANDS = [
    ["show", "ports"],
    ["route", "delete", "1.0.0.0/8"],
    ["neighbor", "delete", "p0", "1.1.1.1"],
    ["config", "reload"],
    ["capture"],
    ["trace"],
    ["shell"],
]


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_no_router(argv: list[str], tmp_path: Path, capsys):
    socket = str(tmp_path / "none.sock")
    assert main([*argv, "--socket", socket]) == 1
    error = capsys.readouterr().err
    assert error == f"twinroute: error: {socket}: no router answers: no such socket\n"


@pytest.mark.parametrize("argv", [["show"], ["route"], ["neighbor"], ["config"], *COMMANDS[-3:]])
def test_help_teaches(argv: list[str], capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert main([*argv, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"  twinroute {argv[0]}" in text
    assert "example" in text
    assert max(map(len, text.splitlines())) <= 100


def test_run_without_dpdk_is_one_line(command: Command, monkeypatch):
    monkeypatch.setitem(sys.modules, "twinroute.dpdk._dpdk", None)
    error = command("run", str(command.folder / "r1.toml"), status=1)
    assert error.startswith("twinroute: error: run: DPDK is missing: ")
    assert error.count("\n") == 1
