# SPDX-License-Identifier: MIT
"""Invariant 2: the bytes out of each flow do not depend on burst size, scattering, number of units,
NIC filters for the slow path, or how the input is split in time."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import packets as p
from tests import worlds as w
from tests.strategies import any_frames, bursts, examples

PORTS = (w.P1, w.P2, w.P3)
REFERENCE = {"burst": 1, "vector": "scalar", "tx_flush_us": 0.0}
OPTIONS = ("loose_source_route", "strict_source_route", "record_route")  # no timestamp is the same


@st.composite
def fast_paths(draw: st.DrawFn) -> dict[str, Any]:
    """Draw settings of the fast path."""
    scatter = draw(st.sampled_from(["drop-out", "masks", "split"]))
    return {
        "units": draw(st.integers(1, 4)),
        "burst": draw(st.one_of(st.integers(1, 512), st.sampled_from([1, 63, 64, 67, 512]))),
        "scatter": scatter,
        "vector": draw(st.sampled_from(w.VECTORS)),
        "lpm": draw(st.sampled_from(["dir24_8", "compact"])),
        "rebatch": scatter == "split" and draw(st.booleans()),
        "rebatch_us": draw(st.sampled_from([0.0, 1.5, 50.0])),
        "tx_buffer": draw(st.sampled_from([1, 2, 64, 512])),
        "tx_flush_us": draw(st.sampled_from([0.0, 3.0, 40.0])),
    }


def run(
    frames: list[bytes],
    at_us: list[float],
    fast: dict[str, Any],
    profile: str,
    filters: bool = False,
    checksum_verdict: bool = True,
) -> dict[str, dict[Any, list[bytes]]]:
    """Frames out by port and flow."""
    options = dict.fromkeys(OPTIONS, "process")
    bench = w.bed(
        fast=fast,
        options=options,
        profile=profile,
        nic={"filters": filters, "checksum_verdict": checksum_verdict, "rate": "unlimited"},
        ports=w.GROUPS,
        routes=w.MULTICAST_ROUTE + w.GROUP,
    )
    for port in PORTS:
        bench.port(port).clear()
    start = bench.now_us
    for frame, at in zip(frames, at_us, strict=True):
        bench.port(w.P1).send(frame, at_us=start + at)
    bench.run_until_idle()
    bench.check_conservation()
    return {port: p.by_flow(w.received(bench, port)) for port in PORTS}


@given(
    frames=bursts(any_frames),
    gaps=st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.1, 7.0, 60.0]), min_size=100, max_size=100),
    fast=fast_paths(),
    profile=st.sampled_from(["functional", "default"]),
    filters=st.booleans(),
    checksum_verdict=st.booleans(),
)
@settings(max_examples=examples(150))
def test_same_bytes_whatever_the_fast_path(
    frames: list[bytes],
    gaps: list[float],
    fast: dict[str, Any],
    profile: str,
    filters: bool,
    checksum_verdict: bool,
) -> None:
    reference = run(frames, [0.0] * len(frames), REFERENCE, "functional")
    times = [sum(gaps[: i + 1]) for i in range(len(frames))]
    assert run(frames, times, fast, profile, filters, checksum_verdict) == reference
