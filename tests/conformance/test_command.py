# SPDX-License-Identifier: MIT
"""`twinroute conformance`: what it runs, what it writes, and what it says of mistakes."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from twinroute.cli import main
from twinroute.conformance.case import all_cases
from twinroute.conformance.requirements import requirements

CASE = "ttl_runs_out"


def conformance(*argv: str) -> int:
    return main(["conformance", *argv])


def test_a_case_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert conformance("--case", CASE) == 0
    assert capsys.readouterr().out == "1 cases on sim: 1 pass\n"


@pytest.mark.parametrize("position", ["first", "middle", "last"])
def test_one_variation(position: str) -> None:
    assert conformance("--case", CASE, "--burst", "67", "--position", position) == 0


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ("RFC1812-5.3.1-4", {CASE}),
        ("RFC826", {name for name, case in all_cases().items() if case.ids[0][:6] == "RFC826"}),
        (CASE, {CASE}),
    ],
)
def test_selection(capsys: pytest.CaptureFixture[str], selection: str, names: set[str]) -> None:
    assert conformance("--list", "--select", selection) == 0
    lines = capsys.readouterr().out.splitlines()
    assert names <= {line.split(":")[0] for line in lines[::2]}


def test_selection_by_level(capsys: pytest.CaptureFixture[str]) -> None:
    assert conformance("--list", "--select", "MUST NOT") == 0
    known = requirements()
    for line in capsys.readouterr().out.splitlines()[::2]:
        ids = line.split(": ")[1].split()
        assert any(known[one].level == "MUST NOT" for one in ids)


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["--case", "nonesuch"], "--case nonesuch: there is no such case"),
        (["--select", "RFC9999"], "--select RFC9999: expected a section, a requirement's id"),
        (["--burst", "0"], "--burst 0: expected 1 to 512"),
        (["--jobs", "0"], "--jobs 0: expected at least 1"),
        (["--jobs", "2", "--dut", "external"], "--jobs 2: expected 1, as there is one external"),
        (["--mutant", "nonesuch"], "--mutant nonesuch: expected one of"),
        (["--dut", "external"], "--dut external: expected --interface for each port"),
        (["--interface", "eth1"], "--interface eth1: expected PORT=NAME, as p1=eth1"),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], argv: list[str], problem: str) -> None:
    assert conformance(*argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"twinroute: error: {problem}")


def test_report_is_the_same_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert conformance("--select", "RFC1812-5.3", "--report", str(tmp_path / name)) in (0, 1)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert {path.suffix for path in files} == {".html", ".json", ".xml", ".pcapng"}
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes(), path


def test_report(tmp_path: Path) -> None:
    assert conformance("--case", CASE, "--report", str(tmp_path)) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert [one["id"] for one in report["requirements"]] == list(requirements())
    by_id = {one["id"]: one for one in report["requirements"]}
    assert by_id["RFC1812-5.3.1-4"]["status"] == "pass"
    assert by_id["RFC1812-4.3.3.6-1"]["status"] == "untested"
    assert by_id["RFC1812-3.3.1-1"]["status"] == "not applicable"
    (case,) = report["cases"]
    assert case["replay"] == f"twinroute conformance --dut sim --case {CASE}"
    step = case["steps"][0]
    assert step["counters"] == {"dropped": {"ttl_expired": 1}, "punted": {"ttl_expired": 1}}
    assert step["expected"]["frames"][0]["what"] == "ERR(11/0)"
    assert ".." in step["expected"]["frames"][0]["hex"]
    assert "slow_icmp_error" in step["trace"]
    tests = ElementTree.parse(tmp_path / "junit.xml").findall(".//testcase")
    variations = ("alone", "first of 67", "middle of 67", "last of 67")
    assert [test.get("name") for test in tests] == [f"{CASE} ({one})" for one in variations]
