# SPDX-License-Identifier: MIT
"""Units that share a processor: what they take of it while they have nothing to do."""

import os
import time

import pytest

from tests import packets as p
from tests import worlds as w
from tests.dpdk_bed import RingBed, needs_dpdk, on_dpdk, settled, wait_for

pytestmark = [needs_dpdk, pytest.mark.no_sanitizer]

LOOKS = 100
REST_S = 300e-6  # a little less than the longest
PING = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R1, p.echo_request(), protocol=p.ICMP))


def test_a_unit_that_shares_rests_longer_the_longer_it_finds_nothing():
    from twinroute.dpdk import Engine

    cpu = min(os.sched_getaffinity(0))
    bed = RingBed(1, prefix="i")
    try:
        config = on_dpdk(w.bed_config(), bed.devices, cores=[cpu], slow_core=cpu)
        with Engine(config) as engine:
            engine.start()
            settled(engine)

            def looks() -> int:
                return engine.unit_infos()[-1].turns

            def looks_are_rare() -> bool:
                begun, before = time.monotonic(), looks()
                wait_for(lambda: looks() >= before + LOOKS, "looks")
                return time.monotonic() - begun > LOOKS * REST_S

            wait_for(looks_are_rare, "rests that are long")
            assert len(bed.exchange(engine, w.P1, [PING])[w.P1]) == 1
    finally:
        bed.close()
