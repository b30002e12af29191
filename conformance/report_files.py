# SPDX-License-Identifier: MIT
"""The report as files: report.html by itself, report.json, junit.xml, and a capture a case."""

import json
from collections.abc import Iterator
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from twinroute.conformance import names as n
from twinroute.conformance.device import Captured, Sent
from twinroute.conformance.evidence import Round
from twinroute.conformance.report import make_report, pcap_name
from twinroute.conformance.runner import FAIL, PASS, Run
from twinroute.pcap_file import PcapngWriter
from twinroute.target import CapturedFrame

PS_PER_NS = 1000
FRAMES_MAX = 2000  # of a capture


def write_report(run: Run, folder: Path) -> dict[str, Any]:
    """Write all files of a run's report into a folder; return the report."""
    report = make_report(run)
    captures = folder / "pcap"
    captures.mkdir(parents=True, exist_ok=True)
    for outcomes in run.outcomes.values():
        shown = next((one for one in outcomes if one.status == FAIL), outcomes[0])
        if any(round_.sent for round_ in shown.rounds):
            (folder / pcap_name(shown.case)).write_bytes(_capture(shown.rounds))
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    (folder / "report.json").write_text(text, encoding="utf-8")
    (folder / "report.html").write_text(page(report), encoding="utf-8")
    (folder / "junit.xml").write_bytes(_junit(report))
    return report


def page(report: dict[str, Any]) -> str:
    """Return the report as one HTML page that needs no other file and no network."""
    parts = resources.files("twinroute.conformance") / "page"
    data = json.dumps(report, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    text = (parts / "report.html").read_text(encoding="utf-8")
    for mark, part in (
        ("/*style*/", (parts / "report.css").read_text(encoding="utf-8")),
        ("/*script*/", (parts / "report.js").read_text(encoding="utf-8")),
        ("/*data*/", data),
    ):
        before, after = text.split(mark)
        text = before + part + after
    return text


def _capture(rounds: list[Round]) -> bytes:
    """Write what went in and came out as pcapng, an interface for each place."""
    file = BytesIO()
    writer = PcapngWriter(file, n.PLACES)
    for count, frame in enumerate(_frames(rounds)):
        if count == FRAMES_MAX:
            break
        writer.write(frame)
    return file.getvalue()


def _frames(rounds: list[Round]) -> Iterator[CapturedFrame]:
    """Yield the frames of some rounds; what came in a round after what was sent in it."""
    for round_ in rounds:
        yield from (_captured(one, "in") for one in round_.sent)
        yield from (_captured(one, "out") for one in sorted(round_.got, key=_time))


def _time(one: Captured) -> int:
    return one.time_ps


def _captured(one: Sent | Captured, way: str) -> CapturedFrame:
    return CapturedFrame(one.time_ps // PS_PER_NS, one.place, way, len(one.data), one.data)


def _junit(report: dict[str, Any]) -> bytes:
    """Return the cases as JUnit's XML, a test for each run of a case."""
    root = ElementTree.Element("testsuites", name=f"conformance of {report['device']}")
    suites: dict[str, ElementTree.Element] = {}
    for case in report["cases"]:
        module = case["module"]
        suite = suites.get(module)
        if suite is None:
            suite = suites[module] = ElementTree.SubElement(root, "testsuite", name=module)
        for run in case["runs"]:
            name = f"{case['name']} ({run['name']})"
            test = ElementTree.SubElement(suite, "testcase", classname=module, name=name, time="0")
            _result(test, run["status"], run["reason"], " ".join(case["ids"]))
    for suite in suites.values():
        tests = list(suite)
        suite.set("tests", str(len(tests)))
        suite.set("failures", str(sum(one.find("failure") is not None for one in tests)))
        suite.set("skipped", str(sum(one.find("skipped") is not None for one in tests)))
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _result(test: ElementTree.Element, status: str, reason: str, ids: str) -> None:
    properties = ElementTree.SubElement(test, "properties")
    ElementTree.SubElement(properties, "property", name="requirements", value=ids)
    if status == FAIL:
        ElementTree.SubElement(test, "failure", message=reason.split("\n")[0]).text = reason
    elif status != PASS:
        ElementTree.SubElement(test, "skipped", message=f"{status}: {reason}")
