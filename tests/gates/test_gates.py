# SPDX-License-Identifier: MIT
"""The fast path costs what is stored in perf/baseline.toml: neither more, nor less unnoticed.

The numbers are exact, so that a busy machine makes no difference.
"""

from pathlib import Path

import pytest

from twinroute.perf import baseline, gates

pytestmark = pytest.mark.no_sanitizer

UPDATE = "`make gates-update` stores the new numbers"


def expect(found: baseline.Group, stored: baseline.Group, unit: str) -> None:
    """Fail with a line for each number that is not as stored."""
    lines = list(baseline.compare(found, stored, unit))
    assert not lines, "\n".join(["not as in perf/baseline.toml:", *lines, UPDATE])


@pytest.fixture(scope="module")
def stored():
    return baseline.read()


def test_virtual_cycles(stored):
    expect(gates.count_cycles(), stored[gates.CYCLES], "virtual cycles")


@pytest.mark.skipif(bool(gates.no_counting()), reason=gates.no_counting() or "")
@pytest.mark.parametrize("gate", list(gates.gate_beds()), ids=lambda gate: next(iter(gate.cases)))
def test_instructions(stored, gate):
    compiler, found = gates.count_bed(gate)
    group = f"instructions.{compiler}"
    if group not in stored:
        pytest.skip(f"no numbers are stored for {compiler}")
    expect(found, {name: stored[group].get(name, {}) for name in found}, "instructions")


def test_no_stored_case_is_missing_in_the_gates(stored):
    cases = {name for gate in gates.gate_beds() for name in gate.cases}
    for group, numbers in stored.items():
        if group.startswith("instructions."):
            assert numbers.keys() == cases


# --- the tool itself ------------------------------------------------------------------------------


def compare(found: float, stored: float) -> list[str]:
    return list(baseline.compare({"x": {"lookup": found}}, {"x": {"lookup": stored}}, "cycles"))


@pytest.mark.parametrize("found", [98.0, 100.0, 102.0])
def test_two_percent_are_no_change(found):
    assert compare(found, 100.0) == []


def test_a_change_names_the_step_and_both_numbers():
    assert compare(102.5, 100.0) == ["lookup, x: 102.50 cycles, 100.00 stored: 2.5% more"]
    assert compare(50.0, 100.0) == ["lookup, x: 50.00 cycles, 100.00 stored: 50.0% less"]


def test_hardly_anything_is_no_change():
    assert compare(0.14, 0.10) == []
    assert compare(0.2, 0.0) == ["lookup, x: 0.20 cycles, 0.00 stored: something more"]


def test_new_and_gone_numbers_are_told():
    lines = list(baseline.compare({"a": {"new": 1.0}}, {"a": {"old": 1.0}, "b": {}}, "cycles"))
    assert lines == [
        "new, a: 1.00 cycles, nothing stored",
        "old, a: stored, but not there any more",
        "b: stored, but not there any more",
    ]


def test_what_is_written_is_read(tmp_path: Path):
    groups = {"cycles.default": {"1,024 of 2": {"b": 2.25, "a": 1.0}}, "a.b-12": {"c": {"d": 0.5}}}
    baseline.write(groups, tmp_path / "baseline.toml")
    assert baseline.read(tmp_path / "baseline.toml") == groups


def test_tables_for_gates_are_the_same_everywhere():
    table = gates.exact_table(1000)
    assert len(table) == 1000
    assert sum(int(prefix) for prefix in table.prefixes) % 2**32 == 0x79288A30
    assert len(set(zip(table.prefixes.tolist(), table.bits.tolist(), strict=True))) == 1000
    addresses = gates.exact_addresses(table, 100)
    assert sum(int(address) for address in addresses) % 2**32 == 0xE65039B4
