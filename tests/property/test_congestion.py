# SPDX-License-Identifier: MIT
"""Packets of any class for a port that cannot take them all: none vanishes, each class stays in
order, and those with a precedence are not lost while there is room for them."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import worlds as w
from tests.answers import dropped
from tests.congestion import by_class, numbers, offer, slow_bed
from tests.packets import forwarded
from tests.strategies import examples

tos_values = st.sampled_from([0, 0, 0, 0x20, 0x28, 0xB8, 0xC0, 0xE0, 0xE1])
fast_paths = st.fixed_dictionaries(
    {
        "tx_buffer": st.sampled_from([1, 2, 32, 64, 512]),
        "tx_flush_us": st.sampled_from([0.0, 3.0, 500.0]),
        "burst": st.sampled_from([1, 64, 67, 512]),
        "scatter": st.sampled_from(["drop-out", "masks", "split"]),
    }
)


@given(
    load=st.lists(st.tuples(st.sampled_from([0, 0, 0, 5, 200, 3000]), tos_values), max_size=400),
    fast=fast_paths,
    profile=st.sampled_from(["functional", "default"]),
    rate=st.sampled_from([1_000_000, 50_000_000, 10**9]),
    descriptors=st.sampled_from([1, 4, 32]),
)
@settings(max_examples=examples(80))
def test_nothing_vanishes_and_classes_stay_in_order(
    load: list[tuple[int, int]], fast: dict[str, Any], profile: str, rate: int, descriptors: int
) -> None:
    bench = slow_bed(rate, descriptors=descriptors, fast=fast, sim={"profile": profile})
    at_us, times = bench.now_us, []
    for gap_us, tos in load:
        at_us += gap_us
        times.append((at_us, tos))
    sent = offer(bench, times)
    out = w.received(bench, w.P2)
    wanted = {forwarded(frame, w.M2, w.g2) for frame in sent}
    assert len(set(out)) == len(out)
    assert set(out) <= wanted
    for tos in by_class(out):
        assert numbers(out, tos) == sorted(numbers(out, tos))
    assert dropped(bench) == ({"tx_full": len(sent) - len(out)} if len(out) < len(sent) else {})
    kept = {tos: count for tos, count in by_class(sent).items() if tos >> 5}
    if sum(kept.values()) <= 256:  # there is room for all that have a precedence
        assert {tos: count for tos, count in by_class(out).items() if tos >> 5} == kept
