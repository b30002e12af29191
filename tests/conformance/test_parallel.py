# SPDX-License-Identifier: MIT
"""Cases on several devices at a time: what comes of it is what comes of them one by one."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.dpdk_bed import needs_dpdk
from twinroute.conformance.case import Case
from twinroute.conformance.config_bed import ConfigBed
from twinroute.conformance.device import DeviceError
from twinroute.conformance.evidence import Failed
from twinroute.conformance.parallel import run_parallel
from twinroute.conformance.runner import FAIL, PASS, Outcome, Run


def obeys(bed: ConfigBed) -> None:
    """Pass."""


def disobeys(bed: ConfigBed) -> None:
    """Fail."""
    raise Failed("as it always does")


CASES = [
    Case(f"case{i}", (), "", "", config=disobeys if i == 2 else obeys) for i in range(8)
]  # of the configuration, so that a device has nothing to do


class Idle:
    """A device that nobody sends to. ended: a file that tells when it was given back."""

    name, ours, versions = "idle", True, {"idle": "1"}

    def __init__(self, ended: Path | None = None) -> None:
        self.ended = ended

    def end(self) -> None:
        """Leave a mark of this process."""
        if self.ended:
            (self.ended / str(os.getpid())).touch()


def run(make: Any, told: list[Outcome], **options: Any) -> Run:
    return run_parallel(make, CASES, jobs=3, seed=5, told=told.append, **options)


def test_outcomes_are_in_the_order_of_the_cases():
    told: list[Outcome] = []
    found = run(Idle, told)
    assert [one.case.name for one in told] == list(found.outcomes) == [one.name for one in CASES]
    assert [found.status(one.name)[0] for one in CASES] == [PASS, PASS, FAIL] + 5 * [PASS]
    assert (found.device, found.ours, found.versions, found.seed) == (
        "idle",
        True,
        {"idle": "1"},
        5,
    )


def test_it_ends_at_the_first_that_fails():
    told: list[Outcome] = []
    assert list(run(Idle, told, first=True).outcomes) == ["case0", "case1", "case2"]
    assert told[-1].status == FAIL


def test_every_device_is_given_back(tmp_path: Path):
    run(partial(Idle, tmp_path), [])
    marks = [int(one.name) for one in tmp_path.iterdir()]
    assert 1 <= len(marks) <= 3
    assert os.getpid() not in marks


def no_device() -> Any:
    raise DeviceError("no device here")


def last_words() -> Any:
    os._exit(1)


@pytest.mark.parametrize(
    ("make", "problem"), [(no_device, "no device here"), (last_words, "a process that ran cases")]
)
def test_a_device_that_fails(make: Any, problem: str):
    with pytest.raises(DeviceError, match=problem):
        run(make, [])


def test_the_report_is_the_same(tmp_path: Path):
    for jobs in ("1", "3"):
        argv = [sys.executable, "-m", "twinroute", "conformance", "--select", "5.3.1"]
        argv += ["--jobs", jobs, "--report", str(tmp_path / jobs)]
        subprocess.run(argv, check=True, capture_output=True)
    ones = [
        {
            one.relative_to(tmp_path / jobs): one.read_bytes()
            for one in (tmp_path / jobs).rglob("*.*")
        }
        for jobs in ("1", "3")
    ]
    assert len(ones[0]) > 3
    assert ones[0] == ones[1]


@needs_dpdk
@pytest.mark.no_sanitizer
def test_real_devices_leave_nothing_behind():
    def left() -> set[Path]:
        spaces = Path("/run/netns").glob("twins-*")
        return {*Path("/var/run/dpdk").glob("conformance-*"), *spaces}

    before = left()
    argv = [sys.executable, "-m", "twinroute", "conformance", "--dut", "dpdk"]
    argv += ["--jobs", "2", "--select", "5.3.1"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "2 cases on dpdk: 2 pass\n"
    assert left() == before
