# SPDX-License-Identifier: MIT
"""The benchmarks' source of frames in a router on DPDK: what it is told to send arrives."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.dpdk_bed import needs_dpdk
from twinroute.perf import rivals
from twinroute.perf.contests import Contest
from twinroute.perf.processes import RunningRouter, wait_for
from twinroute.perf.selection import NONE, RANDOM, Tables
from twinroute.perf.source import IMIX, plugin

pytestmark = [
    needs_dpdk,
    pytest.mark.root,
    pytest.mark.no_sanitizer,
]


@pytest.fixture(autouse=True)
def plugin_of_ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the plugin where EAL takes one: not below a folder that everybody may write to."""
    with TemporaryDirectory(dir="/run") as folder:
        copy = Path(shutil.copy(plugin(), folder))
        monkeypatch.setattr(rivals, "plugin", lambda: copy)
        if reason := rivals.why_not():
            pytest.skip(reason)
        yield


@pytest.mark.parametrize("verdict", [False, True])
def test_lengths_checksums_and_expired_packets(tmp_path: Path, verdict: bool) -> None:
    contest = Contest(NONE, RANDOM, expired_every=10, imix=True, verdict=verdict)
    course = rivals.Course(rivals.Devices(), contest, Tables(), tmp_path)
    config = rivals.router_config(course, burst=48)
    with RunningRouter(config, rivals.control_of(tmp_path), course.environment()) as router:
        router.settle()
        wait_for(lambda: course.source.stream(1).packets, "traffic")
        counters = router.ask("show.counters")
    packets, size = counters["received"]["p0"], counters["received_bytes"]["p0"]
    assert size / packets == pytest.approx(sum(IMIX) / len(IMIX), rel=0.01)
    assert "ip_checksum" not in counters["dropped"]
    assert counters["punted"]["ttl_expired"] / counters["forwarded"] == pytest.approx(
        1 / 9, rel=0.1
    )
    assert counters["forwarded"] > packets / 2
