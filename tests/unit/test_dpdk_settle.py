# SPDX-License-Identifier: MIT
"""How long the DPDK backend waits for its tables: as long as something moves."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.dpdk_bed import needs_dpdk
from twinroute.counters import TableInfo
from twinroute.errors import TwinrouteError

pytestmark = needs_dpdk
CHANGES = 50


class Tables:
    """A router that writes `pace` of its changes a turn, and publishes when it has written all."""

    def __init__(self, pace: int) -> None:
        self.pace, self.unwritten, self.published = pace, CHANGES, False

    def table_info(self) -> TableInfo:
        pending = 0 if self.published else CHANGES
        return TableInfo(CHANGES, 1, 1, pending, False, self.unwritten)

    def turn(self) -> None:
        self.published = self.unwritten == 0
        self.unwritten -= min(self.pace, self.unwritten)


def settle(pace: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    from twinroute.dpdk import target

    clock = iter(range(1_000_000))  # a second passes with each look at it
    monkeypatch.setattr(target, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    tables = Tables(pace)
    waiting: Any = object.__new__(target.EngineTarget)
    waiting.router, waiting.engine = tables, SimpleNamespace(wait_a_turn=tables.turn)
    waiting._shortages = SimpleNamespace(look=lambda info: None)
    told: list[int] = []
    waiting.settle(told.append)
    return told


def test_it_waits_for_many_changes_that_are_published_at_once(monkeypatch: pytest.MonkeyPatch):
    assert settle(1, monkeypatch) == [*range(CHANGES, -1, -1)]


def test_it_gives_up_when_nothing_moves(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(TwinrouteError, match="50 changes are not in the tables yet"):
        settle(0, monkeypatch)
