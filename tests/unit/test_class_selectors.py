# SPDX-License-Identifier: MIT
"""A port that is offered more than its link carries: whose packets are lost (RFC 2474 4.2.2.2)."""

from itertools import pairwise

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import dropped, stack
from tests.congestion import (
    FRAME_BITS,
    by_class,
    frame_of,
    numbers,
    offer,
    schedule,
    slow_bed,
)
from tests.packets import forwarded

CS6, CS7 = 0xC0, 0xE0
MBIT = 1_000_000


@pytest.mark.parametrize(
    "fast",
    [
        {},
        {"tx_buffer": 1},
        {"tx_buffer": 512, "burst": 1},
        {"tx_buffer": 7, "tx_flush_us": 0.0, "burst": 67},
        {"units": 2, "scatter": "split"},
    ],
    ids=str,
)
@pytest.mark.parametrize("profile", ["functional", "default"])
def test_network_control_is_not_lost_to_default_traffic(fast: dict[str, int], profile: str) -> None:
    """RFC 2474 4.2.2.2, RFC 1812 5.3.3.1: at twice the rate, nothing of DSCP 48."""
    bench = slow_bed(fast=fast, sim={"profile": profile})
    times = schedule({0: 100 * MBIT, CS6: 10 * MBIT}, 100_000, bench.now_us)
    sent = offer(bench, times)
    out = w.received(bench, w.P2)
    assert numbers(out, CS6) == numbers(sent, CS6)
    assert numbers(out, 0) == sorted(numbers(out, 0))
    lost = len(sent) - len(out)
    assert dropped(bench) == {"tx_full": lost}
    assert lost > len(sent) / 3  # the link is full of default traffic besides
    assert set(out) <= {forwarded(frame, w.M2, w.g2) for frame in sent}


def test_latency_does_not_grow_with_the_backlog() -> None:
    """What goes before it is in the NIC's queue already, or came with it."""
    bench = slow_bed(descriptors=16, fast={"tx_buffer": 16})
    start = bench.now_us
    times = schedule({0: 100 * MBIT, CS6: 10 * MBIT}, 200_000, start)
    offer(bench, times)
    sent_us = {n: at_us for n, (at_us, tos) in enumerate(times) if tos == CS6}
    late = []
    for frame in bench.port(w.P2).received():
        if frame.data[15] == CS6:
            late.append(frame.time_ps / 1e6 - sent_us[int.from_bytes(frame.data[42:46])])
    assert len(late) == len(sent_us)
    assert max(late) <= (16 + 2 * 16) * FRAME_BITS / 50
    third = len(late) // 3
    assert max(late[-third:]) <= 1.5 * max(late[:third])


@pytest.mark.parametrize("rate", [30, 50, 70])
def test_a_higher_class_is_never_worse_off(rate: int) -> None:
    """RFC 2474 4.2.2.2: equal load of CS0 to CS7, more than the link carries."""
    bench = slow_bed(rate * MBIT)
    classes = [n << 5 for n in range(8)]
    sent = offer(bench, schedule(dict.fromkeys(classes, 100 * MBIT // 8), 200_000, bench.now_us))
    out = w.received(bench, w.P2)
    offered, got = by_class(sent), by_class(out)
    lost = [offered[tos] - got[tos] for tos in classes]
    # Before the first loss nobody is told apart: who came first then has a packet or two more.
    assert all(higher <= lower + 2 for lower, higher in pairwise(lost))
    assert lost[7] == lost[6] == 0
    assert lost[0] > offered[0] / 2
    assert all(numbers(out, tos) == sorted(numbers(out, tos)) for tos in classes)


def test_a_burst_of_one_class_is_kept_in_part_and_in_order() -> None:
    """CS7 waits for the link, as far as there is room; default traffic is lost at once."""
    for tos, kept in ((CS7, 256), (0, 0)):
        bench = slow_bed(descriptors=8, fast={"tx_buffer": 512, "burst": 512})
        times = [(bench.now_us, tos)] * 512
        offer(bench, times)
        out = w.received(bench, w.P2)
        # The wire has begun with none when the port is offered them all.
        assert numbers(out, tos) == list(range(8 + kept))
        assert dropped(bench) == {"tx_full": 512 - 8 - kept}


@pytest.mark.parametrize("burst", [1, 64, 67])
def test_without_congestion_packets_leave_as_they_came(burst: int) -> None:
    bench = slow_bed(0, descriptors=4096, fast={"burst": burst})
    times = [(bench.now_us, (n * 37 % 8) << 5 | n % 4) for n in range(300)]
    sent = offer(bench, times)
    assert w.received(bench, w.P2) == [forwarded(frame, w.M2, w.g2) for frame in sent]


def test_when_congestion_is_over_packets_leave_as_they_come() -> None:
    bench = slow_bed(descriptors=4)
    offer(bench, [(bench.now_us, CS6 if n % 3 == 0 else 0) for n in range(100)])
    assert dropped(bench)["tx_full"] > 0
    bench.port(w.P2).clear()
    bench.run(us=100_000)
    sent = offer(bench, [(bench.now_us, tos) for tos in (0, CS6, 0, CS7)])
    assert w.received(bench, w.P2) == [forwarded(frame, w.M2, w.g2) for frame in sent]


def test_what_is_no_ip_packet_goes_first() -> None:
    """ARP of the host stack, through the slow path, which offers again what the port left."""
    bench = slow_bed(descriptors=2)
    station = stack(bench, w.P2)
    arp = p.pad(p.ether(p.BROADCAST, w.M2, p.arp(1, w.M2, w.R2, w.NO_MAC, w.G2), 0x0806))
    for n in range(200):
        station.send(p.ether(w.g2, w.M2, frame_of(0, n)[14:]))
        if n % 20 == 7:
            station.send(arp)
    bench.run_until_idle()
    bench.check_conservation()
    out = w.received(bench, w.P2)
    assert out.count(arp) == 10
    assert bench.only.held() == 0
    assert dropped(bench) == {"tx_full": 210 - len(out)}


def test_what_is_kept_is_held_and_lost_with_the_link() -> None:
    bench = slow_bed(descriptors=2)
    for n in range(40):
        bench.port(w.P1).send(frame_of(CS7, n))
    bench.run(us=300)
    bench.check_conservation()
    held = bench.only.held()
    assert held > 30
    assert dropped(bench) == {}
    bench.port(w.P2).link.set_up(False)
    bench.run_until_idle()
    bench.check_conservation()
    assert dropped(bench) == {"port_down": held}


def test_a_link_so_slow_that_it_is_asked_less_and_less() -> None:
    """1 kbit/s: a frame takes 8 s, and the router is not at work for all of them."""
    bench = slow_bed(1000, descriptors=1)
    sent = offer(bench, [(bench.now_us, CS7)] * 4)
    assert numbers(w.received(bench, w.P2), CS7) == numbers(sent, CS7)
    assert bench.only.counters().flushes_timeout < 40_000


def test_a_congested_port_does_not_hold_up_the_others() -> None:
    bench = slow_bed(1 * MBIT, descriptors=4)
    for n in range(300):
        bench.port(w.P1).send(frame_of(CS6, n))
        bench.port(w.P1).send(frame_of(0, n, w.B1))
    bench.run(us=1000)
    assert numbers(w.received(bench, w.P3), 0) == list(range(300))
