# SPDX-License-Identifier: MIT
"""Options of the benchmarks."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --rib."""
    parser.addoption(
        "--rib", type=Path, help="a real routing table, one prefix a line, may be packed by xz"
    )
