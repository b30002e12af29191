# SPDX-License-Identifier: MIT
"""What devices do to the machine, without one."""

from pathlib import Path

from twinroute.conformance.devices.error_cost import ErrorCost


def test_the_last_who_tests_restores_what_an_unreachable_costs(tmp_path: Path) -> None:
    setting, before = tmp_path / "error_cost", tmp_path / "before"
    setting.write_text("250\n")
    for _ in range(2):
        first, second = (ErrorCost(setting, before) for _ in range(2))
        assert setting.read_text() == "0"
        first.close()
        assert setting.read_text() == "0"
        second.close()
        assert setting.read_text() == "250\n"


def test_a_run_that_was_killed_is_made_good_by_the_next(tmp_path: Path) -> None:
    setting, before = tmp_path / "error_cost", tmp_path / "before"
    setting.write_text("0\n")
    before.write_text("250\n")
    ErrorCost(setting, before).close()
    assert setting.read_text() == "250\n"
