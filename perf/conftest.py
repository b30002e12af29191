# SPDX-License-Identifier: MIT
"""Options of the benchmarks."""

from pathlib import Path

import pytest

from twinroute.perf.rivals import NET_NULL


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --rib, --plugin and --device."""
    parser.addoption(
        "--rib", type=Path, help="a real routing table, one prefix a line, may be packed by xz"
    )
    parser.addoption("--plugin", type=Path, help="a DPDK driver for --device")
    parser.addoption(
        "--device", default=NET_NULL, help="both ports next to DPDK's own applications: {} is 0, 1"
    )
