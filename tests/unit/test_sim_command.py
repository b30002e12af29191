# SPDX-License-Identifier: MIT
"""`twinroute sim` and `twinroute demo`, from arguments to files, and what they refuse."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import packets as p
from twinroute.cli import main
from twinroute.sim import Bench, Frame
from twinroute.sim.capture import read, write

P0_MAC, P1_MAC, GATEWAY_MAC = "02:54:52:00:00:00", "02:54:52:00:00:01", "02:00:00:00:00:02"
SENDER, FOREIGN = "02:00:00:00:00:99", "02:ff:00:00:00:01"
CONFIG = f"""
[fast_path]
tx_buffer = 1
[port.p0]
address = "10.0.0.1/24"
[port.p1]
address = "10.0.1.1/24"
[[route]]
to = "198.18.0.0/16"
via = "10.0.1.2"
[[neighbor]]
port = "p1"
address = "10.0.1.2"
mac = "{GATEWAY_MAC}"
[[neighbor]]
port = "p0"
address = "10.0.0.2"
mac = "{SENDER}"
"""


def transit(index: int, *, to: str = P0_MAC, size: int = 60, **fields: Any) -> bytes:
    """Return a frame to be forwarded."""
    packet = p.ipv4("10.0.0.2", "198.18.0.1", bytes(size - 34), ident=index, **fields)
    return p.ether(to, SENDER, packet)


class Command:
    """Runs `twinroute sim` in a folder with a configuration and captures."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]):
        self.folder, self.capsys = folder, capsys
        self.out = folder / "out"
        (folder / "router.toml").write_text(CONFIG)
        self.capture("a.pcap", [Frame(transit(i), 10**15 + i * 10**9) for i in range(20)])

    def capture(self, name: str, frames: list[Frame]) -> None:
        """Write a capture."""
        write(self.folder / name, frames)

    def arguments(self, *words: str) -> list[str]:
        """Return the arguments of a run that reads a.pcap, unless told otherwise."""
        inputs = [] if "--in" in words else ["--in", f"p0={self.folder / 'a.pcap'}"]
        outputs = [] if "--out" in words else ["--out", str(self.out)]
        return ["sim", str(self.folder / "router.toml"), *inputs, *outputs, *words]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Run; return exit code, standard output and standard error."""
        code = main(self.arguments(*words))
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err

    def json(self, *words: str) -> Any:
        """Run with --json; return the report."""
        code, out, err = self(*words, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, capsys)


def times_ps(path: Path) -> list[int]:
    """Times in a capture, picoseconds (whole nanoseconds)."""
    return [int(time) * 1000 for time in read(path).times_ns]


# --- what it does ---------------------------------------------------------------------------------


def test_end_to_end(command: Command):
    code, out, err = command()
    assert (code, err) == (0, "")
    files = sorted(entry.name for entry in command.out.iterdir())
    assert files == ["p0.pcap", "p1.pcap", "report.json"]
    captured = read(command.out / "p1.pcap")
    expected = [p.forwarded(transit(i), P1_MAC, GATEWAY_MAC) for i in range(20)]
    assert [captured.frame(i) for i in range(20)] == expected
    assert times_ps(command.out / "p1.pcap") == [i * 10**9 + 134_000 for i in range(20)]
    for text in ("packets in", "forwarded  20 packets", "latency ", "hash ", "p1.pcap"):
        assert text in out
    report = json.loads((command.out / "report.json").read_text())
    assert report["ports"]["p0"]["in"] == {"packets": 20, "bytes": 1200}
    assert report["ports"]["p1"]["out"] == {"packets": 20, "bytes": 1200}
    assert report["latency_us"] == dict.fromkeys(("p50", "p90", "p99", "p99.9", "max"), 0)
    assert report["virtual_us"] == 19_000 + 0.1344


def test_json_only(command: Command):
    report = command.json()
    assert report["forwarded"] == 20
    assert report["inputs"]["p0"]["packets"] == 20
    assert report == json.loads((command.out / "report.json").read_text())


def test_two_captures_keep_their_distance(command: Command):
    back = p.ether(P1_MAC, GATEWAY_MAC, p.ipv4("198.18.0.1", "10.0.0.2", bytes(26)))
    command.capture("b.pcap", [Frame(back, 10**15 - 5 * 10**9)])
    inputs = [f"p0={command.folder / 'a.pcap'}", f"p1={command.folder / 'b.pcap'}"]
    report = command.json("--in", inputs[0], "--in", inputs[1])
    assert report["forwarded"] == 21
    assert times_ps(command.out / "p0.pcap") == [134_000]
    assert times_ps(command.out / "p1.pcap")[0] == 5 * 10**9 + 134_000


@pytest.mark.parametrize(
    ("speed", "step_ps"), [("own", 10**9), ("10", 10**8), ("0.5", 2 * 10**9), ("line", 67_200)]
)
def test_speed(command: Command, speed: str, step_ps: int):
    command.json("--speed", speed)
    times = np.array(times_ps(command.out / "p1.pcap"))
    assert (abs(times - 134_400 - np.arange(20) * step_ps) < 1000).all()


def test_another_routers_mac(command: Command):
    command.capture("f.pcap", [Frame(transit(i, to=FOREIGN), i) for i in range(9)])
    words = ("--in", f"p0={command.folder / 'f.pcap'}")
    report = command.json(*words)
    assert (report["forwarded"], report["dropped"]) == (0, {"not_for_us": 9})
    assert "--rewrite-mac" in report["hint"]
    assert "--rewrite-mac" in command(*words)[1]
    report = command.json(*words, "--rewrite-mac")
    assert (report["forwarded"], report["dropped"]) == (9, {})
    assert "hint" not in report


def test_rewriting_leaves_groups_alone(command: Command):
    request = p.arp(1, SENDER, "10.0.0.2", "00:00:00:00:00:00", "10.0.0.1")
    frames = [p.ether(p.BROADCAST, SENDER, request, 0x0806), b"\2" * 5]
    command.capture("g.pcap", [Frame(data, 0) for data in frames])
    report = command.json("--in", f"p0={command.folder / 'g.pcap'}", "--rewrite-mac")
    assert (report["consumed"], report["dropped"]) == ({"arp_done": 1}, {"frame_short": 1})


def test_reasons_are_told_with_their_section(command: Command):
    frames = [transit(1), transit(2, ttl=1), transit(3, header_checksum=9)]
    command.capture("r.pcap", [Frame(data, 0) for data in frames])
    words = ("--in", f"p0={command.folder / 'r.pcap'}")
    out = command(*words)[1]
    for text in ("RFC1812 5.2.2 (2)", "IP header checksum wrong", "punted to the slow path: 1"):
        assert text in out
    report = command.json(*words)
    assert report["dropped"] == {"ip_checksum": 1, "ttl_expired": 1}
    assert report["punted"] == {"ttl_expired": 1}
    assert report["generated"] == 1


def test_trace(command: Command):
    out = command("--trace", "2")[1]
    assert "next_hop" in out
    report = command.json("--trace", "ip[4:2] = 7")
    assert {event["packet"] for event in report["trace"]} == {1}
    assert report["trace"][0]["time_ps"] == 7 * 10**9


def test_limit(command: Command):
    report = command.json("--limit-ms", "10.5")
    assert (report["forwarded"], report["in_flight"], report["virtual_us"]) == (11, 9, 10_500)
    assert "in flight  9" in command("--limit-ms", "10.5")[1]


def test_profile_and_seed(command: Command):
    report = command.json("--profile", "default", "--seed", "7")
    assert (report["profile"], report["seed"]) == ("default", 7)
    assert report["latency_us"]["p50"] > 0.05


def test_long_frames_can_be_left_out(command: Command):
    command.capture("l.pcap", [Frame(transit(1), 0), Frame(bytes(1515), 0)])
    words = ("--in", f"p0={command.folder / 'l.pcap'}")
    code, _, err = command(*words)
    assert code == 2
    assert "frame 2 of 1515 bytes: expected at most 1514" in err
    report = command.json(*words, "--skip-long")
    assert (report["inputs"]["p0"]["skipped_long"], report["forwarded"]) == (1, 1)
    assert "left out   1 frames" in command(*words, "--skip-long")[1]


def test_a_vlan_tag_may_come_on_top(command: Command):
    command.capture("v.pcap", [Frame(p.ether(P0_MAC, SENDER, bytes(1504), 0x8100), 0)])
    report = command.json("--in", f"p0={command.folder / 'v.pcap'}")
    assert report["dropped"] == {"ether_type": 1}


# --- what it refuses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--in", "a.pcap"], "--in a.pcap: expected PORT=FILE"),
        (["--in", "p7=a.pcap"], "--in p7=a.pcap: expected a port of p0, p1"),
        (["--in", "p0=none.pcap"], "none.pcap: no such file"),
        (["--in", "p0=a.pcap", "--in", "p0=a.pcap"], "--in p0=a.pcap: expected one capture a port"),
        (["--in", "p0=router.toml"], "router.toml: unknown file format"),
        (["--speed", "fast"], '--speed fast: expected "own", "line", or a factor'),
        (["--speed", "0"], "--speed 0: expected"),
        (["--speed", "nan"], "--speed nan: expected"),
        (["--seed", "-1"], "--seed -1: expected 0 to"),
        (["--limit-ms", "0"], "--limit-ms 0: expected more than 0"),
        (["--profile", "quick"], 'profile = "quick": expected one of functional, default'),
        (["--trace", "udp and"], '--trace filter "udp and": '),
        (["--out", "router.toml"], "--out router.toml: expected a folder"),
        (["--out", "router.toml/deep"], "router.toml is a file"),
    ],
)
def test_wrong_arguments(
    command: Command, words: list[str], problem: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(command.folder)
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("twinroute: error: ")
    assert problem in line
    assert sorted(entry.name for entry in command.folder.iterdir()) == ["a.pcap", "router.toml"]


def test_times_too_far_apart(command: Command):
    command.capture("t.pcap", [Frame(transit(1), 0), Frame(transit(2), 10**19)])
    words = ("--in", f"p0={command.folder / 't.pcap'}")
    code, _, err = command(*words)
    assert code == 2
    assert "days" in err
    assert command.json(*words, "--speed", "line")["forwarded"] == 2
    assert command.json(*words, "--speed", "1e6")["forwarded"] == 2


def test_an_input_is_not_overwritten(command: Command):
    command.json()
    before = (command.out / "p1.pcap").read_bytes()
    code, _, err = command("--in", f"p0={command.out / 'p1.pcap'}")
    assert code == 2
    assert "would be overwritten" in err
    assert (command.out / "p1.pcap").read_bytes() == before


def test_no_folder_without_success(command: Command):
    (command.folder / "router.toml").write_text(CONFIG + "[nonsense]\n")
    assert command()[0] == 2
    assert not command.out.exists()


# --- the same on every run ------------------------------------------------------------------------


def outputs(folder: Path) -> dict[str, Any]:
    """Return all output files; of the report, the part that is the same on every run."""
    files: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir()}
    report = json.loads(files["report.json"])
    assert report.pop("wall")["run_s"] >= 0
    return {**files, "report.json": report}


def test_two_runs_and_two_processes(command: Command):
    frames = [transit(i, size=60 + 7 * i, ttl=1 + i % 3) for i in range(150)]
    command.capture("m.pcap", [Frame(data, i * 10**7) for i, data in enumerate(frames)])
    words = ["--in", f"p0={command.folder / 'm.pcap'}", "--profile", "default", "--trace", "5"]
    found = []
    for name in ("one", "two"):
        command.json(*words, "--out", str(command.folder / name))
        found.append(outputs(command.folder / name))
    for name, hash_seed in (("three", "1"), ("four", "2")):
        arguments = command.arguments(*words, "--out", str(command.folder / name), "--json")
        subprocess.run(
            [sys.executable, "-m", "twinroute", *arguments],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
        )
        found.append(outputs(command.folder / name))
    assert all(one == found[0] for one in found)
    assert found[0]["report.json"]["hash"] != f"{0:016x}"
    assert found[0]["report.json"]["trace"]


def test_progress_does_not_change_anything(command: Command):
    from twinroute.config import load_config
    from twinroute.sim.replay import Replay, parse_inputs, replay

    config = load_config(command.folder / "router.toml")
    inputs = parse_inputs([f"p0={command.folder / 'a.pcap'}"], config, skip_long=False)
    job = Replay(config=config, inputs=inputs, seed=1, profile="default")
    shares: list[float] = []
    worlds = [replay(job).bench, replay(job, shares.append).bench]
    assert worlds[0].hash == worlds[1].hash
    assert worlds[0].now_ps == worlds[1].now_ps
    assert len(shares) > 100
    assert shares == sorted(shares)
    assert shares[-1] == 1


# --- demo -----------------------------------------------------------------------------------------


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["demo", "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "  twinroute sim " in out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["forwarded"] > 3000
    assert {"ip_checksum", "martian_source", "fragmentation_needed"} <= report["dropped"].keys()
    assert {"arp_done", "echo_answered", "fragmented"} <= report["consumed"].keys()
    assert {"ttl_expired", "too_long", "neighbor"} <= report["punted"].keys()
    assert read(tmp_path / "out" / "p1.pcap").lengths.max() <= 1492 + 14


def test_the_example_capture_is_what_its_script_makes(tmp_path: Path):
    folder = Path(__file__).parents[2] / "sim_backend" / "examples"
    made = tmp_path / "office.pcapng"
    subprocess.run([sys.executable, folder / "make_office.py", made], check=True)
    assert made.read_bytes() == (folder / "office.pcapng").read_bytes()


def test_the_example_in_the_readme():
    folder = Path(__file__).parents[2] / "sim_backend" / "examples"
    bench = Bench.from_config(folder / "two_ports.toml")
    bench.trace(most=1)
    bench.port("p0").send(transit(1))
    bench.run_until_idle()
    assert len(bench.port("p1").received()) == 2  # the ARP request came first
    assert bench.only.counters().dropped == {"arp_done": 1}
