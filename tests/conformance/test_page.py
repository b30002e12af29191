# SPDX-License-Identifier: MIT
"""The report's page in a real browser: what the filter and the search show, and what a click opens.

A script is put behind the page's own; it does what a reader would do and writes down what it sees.
"""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from twinroute.conformance.case import Variation, all_cases
from twinroute.conformance.devices import make_device
from twinroute.conformance.report_files import write_report
from twinroute.conformance.requirements import requirements
from twinroute.conformance.runner import Run, run_all, select

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)

pytestmark = [
    pytest.mark.no_sanitizer,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium: .ci/install browser"),
]

READER = """
<script>
const seen = {};
const ids = () => [...document.querySelectorAll("#requirements tr.row")].map(line => line.id);
const type = (name, value) => {
  form.elements[name].value = value;
  form.elements[name].dispatchEvent(new Event("input", {bubbles: true}));
};
{
%s
}
document.title = JSON.stringify(seen);
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    device = make_device("sim")
    run = Run("sim", True, {}, 1)
    cases = select(all_cases().values(), ["ttl_runs_out", "transit_is_forwarded"])
    run_all(device, cases, run, variations=[Variation()])
    write_report(run, folder)
    return folder / "report.html"


def read(page: Path, script: str, address: str = "") -> Any:
    """Load the page with a reader's script behind it; return what it has seen."""
    assert BROWSER
    copy = page.with_name("read.html")
    copy.write_text(page.read_text().replace("</html>", READER % script + "</html>"))
    argv = [BROWSER, "--headless", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}"]
    argv += ["--no-sandbox"] if os.geteuid() == 0 else []
    argv += ["--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", f"file://{copy}{address}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100)
    found = re.search(r"<title>(.*?)</title>", done.stdout, re.S)
    assert found, done.stderr
    return json.loads(html.unescape(found[1]))


def test_all_requirements_are_there(page: Path) -> None:
    seen = read(page, "seen.ids = ids(); seen.count = document.getElementById('count').value;")
    assert seen["ids"] == list(requirements())
    assert seen["count"] == f"{len(seen['ids'])} of {len(seen['ids'])}"


def test_filter_by_every_field(page: Path) -> None:
    script = """
    for (const [name, value] of [["level", "MUST NOT"], ["status", "pass"], ["plane", "slow"],
        ["testable", "config"], ["section", "RFC1812-5.3"]]) {
      type(name, value);
      seen[name] = ids();
      type(name, "");
    }
    seen.all = ids().length;
    """
    seen = read(page, script)
    known = requirements()
    assert seen["all"] == len(known)
    assert seen["level"] == [one.id for one in known.values() if one.level == "MUST NOT"]
    assert seen["plane"] == [one.id for one in known.values() if one.plane == "slow"]
    assert seen["testable"] == [one.id for one in known.values() if one.testable == "config"]
    assert seen["section"] == [one for one in known if one.startswith("RFC1812-5.3.")]
    assert "RFC1812-5.3.1-4" in seen["status"]
    assert "RFC1812-4.3.3.6-1" not in seen["status"]


def test_search(page: Path) -> None:
    script = """
    type("q", "ttl_runs_out must");
    seen.one = ids();
    type("q", "TIME EXCEEDED");
    seen.two = ids();
    type("q", "nothing has these words");
    seen.none = ids();
    document.querySelector("#filter [type=reset]").click();
    setTimeout(() => { seen.all = ids().length; document.title = JSON.stringify(seen); });
    """
    seen = read(page, script)
    assert set(seen["one"]) == set(all_cases()["ttl_runs_out"].ids)
    assert "RFC1812-5.2.7.3-1" in seen["two"]
    assert seen["none"] == []
    assert seen["all"] == len(requirements())


def test_a_link_leads_to_what_it_says(page: Path) -> None:
    address = "#level=MUST&q=ttl_runs_out&section=5.3.1"
    seen = read(page, "seen.ids = ids(); seen.hash = location.hash;", address)
    assert seen["ids"] == ["RFC1812-5.3.1-1", "RFC1812-5.3.1-2", "RFC1812-5.3.1-4"]
    assert "section=5.3.1" in seen["hash"]


def test_a_click_shows_the_evidence(page: Path) -> None:
    script = """
    document.getElementById("RFC1812-5.3.1-4").click();
    const detail = document.querySelector("tr.detail");
    seen.text = detail.textContent;
    seen.links = [...detail.querySelectorAll("a")].map(one => one.getAttribute("href"));
    document.getElementById("RFC1812-5.3.1-4").click();
    seen.closed = document.querySelector("tr.detail") === null;
    """
    seen = read(page, script)
    assert "twinroute conformance --dut sim --case ttl_runs_out" in seen["text"]
    assert "ICMP type 11 code 0 time exceeded" in seen["text"]
    assert "ttl_expired 1" in seen["text"]
    assert "slow_icmp_error" in seen["text"]
    assert seen["links"] == ["pcap/ttl_runs_out.pcapng"]
    assert (page.parent / "pcap" / "ttl_runs_out.pcapng").stat().st_size > 500
    assert seen["closed"]


def test_it_asks_nobody(page: Path) -> None:
    """One file, and nothing in it that a browser would fetch."""
    text = page.read_text()
    assert not re.search(r"<(script|link|img|iframe)[^>]*\\b(src|href)=", text)
    assert not re.search(r"@import|url\(", text)
