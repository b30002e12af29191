# SPDX-License-Identifier: MIT
"""Any frame, judged by the fast path as tests/model.py judges it: bytes, port and reason."""

from collections import Counter

import pytest
from hypothesis import given, settings

from tests import model
from tests import packets as p
from tests import worlds as w
from tests.strategies import any_frames, broken_frames, bursts, examples


def expected(frames: list[bytes]) -> tuple[dict[str, list[bytes]], Counter[str], Counter[str]]:
    """Return what is forwarded by port, dropped by reason and punted by reason."""
    out: dict[str, list[bytes]] = {w.P1: [], w.P2: [], w.P3: []}
    drops: Counter[str] = Counter()
    punts: Counter[str] = Counter()
    for frame in frames:
        verdict = model.fate(frame, w.P1)
        if verdict[0] == "forward":
            out[verdict[1]].append(verdict[2])
            punts["redirect"] += model.is_copied(verdict[2], w.P1, verdict[1])
        else:
            (drops if verdict[0] == "drop" else punts)[verdict[1]] += 1
    return out, drops, punts


def check(frames: list[bytes], vector: str) -> None:
    """Send the frames into p1 and hold the fast path to the model."""
    fast = {"hash_seed": w.HASH_SEED, "vector": vector}
    # Frames that come at once are a burst: of a few lanes no variant makes a vector.
    bench = w.bed(routes=w.GROUP, fast=fast, nic={"rate": "unlimited"})
    router = bench.only
    before = router.counters(unit=0)
    w.exchange(bench, w.P1, frames)
    after = router.counters(unit=0)
    out, drops, punts = expected(frames)
    assert after.forwarded - before.forwarded == sum(map(len, out.values()))
    assert {k: v for k, v in after.dropped.items() if v} == dict(drops)
    assert {k: v for k, v in after.punted.items() if v} == dict(+punts)
    for port, wanted in out.items():
        # The slow path may answer or forward by the same port: what it sends is checked elsewhere.
        got = w.received(bench, port)
        for flow, sequence in p.by_flow(wanted).items():
            same_flow = [frame for frame in got if p.by_flow([frame]).keys() == {flow}]
            assert [frame for frame in same_flow if frame in sequence] == sequence, (port, flow)
        assert len(got) >= len(wanted)


@pytest.mark.parametrize("vector", w.VECTORS)
@given(frames=bursts(any_frames))
@settings(max_examples=examples(150))
def test_fast_path_does_what_the_model_says(vector: str, frames: list[bytes]) -> None:
    check(frames, vector)


@pytest.mark.parametrize("vector", w.VECTORS)
@given(frames=bursts(broken_frames()))
@settings(max_examples=examples(150))
def test_broken_frames_are_judged_like_the_model(vector: str, frames: list[bytes]) -> None:
    check(frames, vector)
