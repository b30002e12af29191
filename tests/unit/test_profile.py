# SPDX-License-Identifier: MIT
"""Cost profiles: the one that comes with the package, users' own, and wrong ones."""

from pathlib import Path
from typing import Any

import pytest

from tests import packets as p
from twinroute.errors import ConfigError
from twinroute.sim import Bench, load_profile
from twinroute.sim.profile import Profile, StepCost, parse_profile, profile_names, step_names

FAST = ("receive", "validate", "filter", "lookup", "next_hop", "transmit")


def test_names():
    assert profile_names() == ["functional", "default"]
    assert step_names()[:6] == list(FAST)


def test_functional_has_no_costs():
    profile = load_profile("functional")
    assert (profile.functional, profile.hz) == (True, 1_000_000_000)


def test_default_is_plausible():
    profile = load_profile("default")
    assert (profile.functional, profile.hz) == (False, 2_600_000_000)
    assert set(profile.steps) == set(step_names())
    fast = [profile.steps[name] for name in FAST]
    assert 120 <= sum(step.lane + step.call / 32 for step in fast) <= 150


def test_a_file_of_ones_own(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text("hz = 1_000_000_000\npoll = 7.5\n[step]\nlookup = { call = 1, lane = 2.125 }\n")
    profile = load_profile(path)
    assert (profile.name, profile.hz, profile.poll) == ("mine", 10**9, 7.5)
    assert profile.steps == {"lookup": StepCost(1, 2.125)}
    assert load_profile("mine.toml", base=tmp_path) == profile


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "hz: missing, expected a frequency, an integer from 1000000 to 1000000000000"),
        ("hz = 1.5e9", "hz = 1500000000.0: expected a frequency"),
        ("hz = true", "hz = true: expected a frequency"),
        ("hz = 10", "hz = 10: expected a frequency"),
        ("hz = 1_000_000_000\nghz = 1", "ghz = 1: expected no such key, but one of hz, poll, step"),
        ("hz = 1_000_000_000\npoll = -1", "poll = -1: expected cycles, a number from 0"),
        ("hz = 1_000_000_000\npoll = inf", "poll = inf: expected cycles"),
        ('hz = 1_000_000_000\npoll = "1"', 'poll = "1": expected cycles'),
        ("hz = 1_000_000_000\nstep = 1", "step = 1: expected a table"),
        ("hz = 1_000_000_000\n[step]\nlook = 1", "step.look = 1: expected no such key, but one of"),
        ("hz = 1_000_000_000\n[step]\nlookup = 1", "step.lookup = 1: expected a table"),
        (
            "hz = 1_000_000_000\n[step]\nlookup = { lanes = 1 }",
            "step.lookup.lanes = 1: expected no such key, but one of call, lane",
        ),
        (
            "hz = 1_000_000_000\n[step]\nlookup = { lane = true }",
            "step.lookup.lane = true: expected cycles",
        ),
        ("hz =", "expected TOML: "),
    ],
)
def test_wrong_files(text: str, problem: str):
    with pytest.raises(ConfigError) as error:
        parse_profile(text.encode(), name="x", source="x.toml")
    (line,) = error.value.problems
    assert line.startswith(f"x.toml: {problem}")
    assert "\n" not in line


def test_every_problem_is_named():
    text = b"hz = 1\npoll = -1\n[step]\nlookup = { call = -1, lane = -1 }\n"
    with pytest.raises(ConfigError) as error:
        parse_profile(text, name="x", source="x.toml")
    assert len(error.value.problems) == 4


@pytest.mark.parametrize("name", ["fast", "", "../default", "none/at/all.toml", "a\nb"])
def test_no_such_profile(name: str):
    with pytest.raises(ConfigError) as error:
        load_profile(name)
    assert len(error.value.problems) == 1
    assert "expected" in error.value.problems[0]


def latency_ps(profile: Any) -> int:
    """Return how long a router of this profile has a packet."""
    bench = Bench(profile=profile)
    router = bench.router(
        port={"p0": "10.0.0.1/24", "p1": "10.0.1.1/24"},
        neighbor=[{"port": "p1", "address": "10.0.1.2", "mac": "02:00:00:00:00:02"}],
        fast_path={"tx_buffer": 1},
    )
    a, b = bench.station("a"), bench.station("b")
    bench.link(a, router.port("p0"))
    bench.link(b, router.port("p1"))
    bench.settle()
    a.send(p.ether(router.port("p0").mac, b.mac, p.ipv4("10.0.0.2", "10.0.1.2")), at_us=100)
    bench.run_until_idle()
    return b.received()[-1].latency_ps


def test_costs_become_time():
    costs = {name: StepCost(call=100.0, lane=10.0) for name in FAST}
    plain = Profile("plain", functional=False, hz=1_000_000_000, poll=1.0)
    dear = Profile("dear", functional=False, hz=1_000_000_000, poll=1.0, steps=costs)
    slow = Profile("slow", functional=False, hz=500_000_000, poll=1.0, steps=costs)
    assert latency_ps("functional") == 0
    assert latency_ps(plain) < 10_000
    assert latency_ps(dear) - latency_ps(plain) == pytest.approx(6 * 110_000, abs=5_000)
    assert latency_ps(slow) - latency_ps(plain) == pytest.approx(12 * 110_000, abs=10_000)
