# SPDX-License-Identifier: MIT
"""Invariant 2 between the backends: the same frames through the simulator and through DPDK ring
ports come out with the same bytes, each flow in order, on one unit and on several."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import model
from tests import packets as p
from tests import worlds as w
from tests.dpdk_bed import RingBed, needs_dpdk, settled
from tests.strategies import any_frames, examples
from twinroute.config import Config
from twinroute.sim import Bench

pytestmark = [needs_dpdk, pytest.mark.no_sanitizer]

Out = dict[str, list[bytes]]


@pytest.fixture(scope="module", params=[1, 2, 3])
def bed(request: pytest.FixtureRequest) -> Iterator[RingBed]:
    ring_bed = RingBed(request.param)
    yield ring_bed
    ring_bed.close()


def everybody_known(**options: Any) -> Config:
    """Return the test bed with every station of its subnets resolved: no answer takes time."""
    known = [
        f'[[neighbor]]\nport = "{port}"\naddress = "{subnet}.{host}"\n'
        f'mac = "02:00:00:0{index}:00:{host:02x}"'
        for index, (port, subnet) in enumerate(
            ((w.P1, "10.1.0"), (w.P2, "10.2.0"), (w.P3, "10.3.0"))
        )
        for host in range(2, 255)
        if f"{subnet}.{host}" not in w.RESOLVED[port]
    ]
    return w.bed_config(routes="\n".join([w.GROUP, *known]), **options)


def by_simulator(config: Config, frames: list[bytes]) -> tuple[Out, Any]:
    bench = Bench.from_config(config)
    bench.run_until_idle()
    before = bench.only.counters()
    out = w.exchange(bench, w.P1, frames)
    return out, (before, bench.only.counters())


def by_dpdk(bed: RingBed, config: Config, frames: list[bytes]) -> tuple[Out, Any]:
    bed.collect()
    with bed.engine(config) as engine:
        engine.start()
        settled(engine)
        before = engine.counters()
        out = bed.exchange(engine, w.P1, frames)
        after = engine.counters()
        assert engine.stop() == 0
    return out, (before, after)


def in_order(out: Out, frames: list[bytes]) -> dict[Any, list[bytes]]:
    """Pick what the fast path forwarded, by flow. The slow path may overtake, or be overtaken."""
    forwarded = {fate[2] for frame in frames if len(fate := model.fate(frame, w.P1)) == 3}
    return {
        (port, flow): sequence
        for port, sent in out.items()
        for flow, sequence in p.by_flow([one for one in sent if one in forwarded]).items()
    }


@given(
    frames=st.lists(any_frames, min_size=1, max_size=100),
    burst=st.sampled_from([1, 32, 64, 67]),
)
@settings(max_examples=examples(40))
def test_same_bytes_as_the_simulator(bed: RingBed, frames: list[bytes], burst: int):
    fast = {"burst": burst, "units": bed.units, "hash_seed": w.HASH_SEED}
    config = everybody_known(fast=fast)
    expected, (sim_before, sim_after) = by_simulator(config, frames)
    out, (before, after) = by_dpdk(bed, config, frames)
    for port in expected:
        assert Counter(out[port]) == Counter(expected[port]), port
    assert in_order(out, frames) == in_order(expected, frames)
    assert after.dropped - before.dropped == sim_after.dropped - sim_before.dropped
    assert after.punted - before.punted == sim_after.punted - sim_before.punted
    assert after.forwarded == sim_after.forwarded


@pytest.mark.parametrize("scatter", ["drop-out", "masks", "split"])
def test_many_flows_in_order(bed: RingBed, scatter: str):
    frames = [
        p.ether(
            w.M1,
            w.h1,
            p.ipv4(
                f"10.1.0.{2 + n % 50}",
                (w.A1, w.B1, w.C1)[n % 3],
                p.udp(1000, 9, n.to_bytes(4, "big")),
            ),
        )
        for n in range(900)
    ]
    config = everybody_known(
        fast={"units": bed.units, "scatter": scatter, "hash_seed": w.HASH_SEED}
    )
    expected, _ = by_simulator(config, frames)
    out, (_, after) = by_dpdk(bed, config, frames)
    assert in_order(out, frames) == in_order(expected, frames)
    assert sum(len(sent) for sent in out.values()) == len(frames) == after.forwarded
