# SPDX-License-Identifier: MIT
"""A few conformance cases on the devices that need root: DPDK, Linux, and routers of others."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dpdk_bed import why_not as why_no_dpdk
from twinroute.conformance.devices.namespaces import why_not

ROOT = Path(__file__).parents[2]
CASES = ("transit_is_forwarded", "ttl_runs_out", "ttl_of_what_is_for_the_router")
BIRD = ROOT / "conformance" / "examples" / "bird_on_linux.py"

pytestmark = [
    pytest.mark.root,
    pytest.mark.no_sanitizer,
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
    pytest.mark.skipif(shutil.which("ethtool") is None, reason="ethtool is not here"),
]


def conformance(*argv: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process of its own: EAL starts once in each."""
    words = [sys.executable, "-m", "twinroute", "conformance", *argv]
    return subprocess.run(words, capture_output=True, text=True, timeout=110)


def chosen(*names: str) -> list[str]:
    return [word for name in names or CASES for word in ("--case", name)]


@pytest.mark.skipif(why_no_dpdk() is not None, reason=str(why_no_dpdk()))
def test_dpdk() -> None:
    done = conformance("--dut", "dpdk", *chosen())
    assert (done.returncode, done.stdout) == (0, "3 cases on dpdk: 3 pass\n"), done.stderr


def test_linux() -> None:
    done = conformance("--dut", "linux", *chosen())
    assert (done.returncode, done.stdout) == (0, "3 cases on linux: 3 pass\n"), done.stderr


@pytest.mark.skipif(shutil.which("bird") is None, reason="BIRD is not here")
def test_bird() -> None:
    interfaces = [word for i in (1, 2, 3) for word in ("--interface", f"p{i}=tr-{os.getpid()}-{i}")]
    done = conformance("--dut", "external", "--script", str(BIRD), *interfaces, *chosen())
    assert (done.returncode, done.stdout) == (0, "3 cases on external: 3 pass\n"), done.stderr


def script(path: Path, text: str) -> list[str]:
    """Write a script for the external device; return the options that name it."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return ["--dut", "external", "--script", str(path), "--interface", "p1=lo"]


def test_external_router_that_cannot(tmp_path: Path) -> None:
    options = script(tmp_path / "script", '[ $1 = stop ] || { echo "no routes here"; exit 3; }')
    done = conformance(*options, *chosen("transit_is_forwarded"))
    assert done.returncode == 0, done.stderr
    assert "not applicable: transit_is_forwarded" in done.stdout
    assert "    no routes here" in done.stdout


def test_external_script_that_fails(tmp_path: Path) -> None:
    options = script(tmp_path / "script", '[ $1 = stop ] || { echo "out of order" >&2; exit 1; }')
    done = conformance(*options, *chosen("transit_is_forwarded"))
    assert done.returncode == 1
    assert done.stderr.endswith("script configure: out of order\n")
