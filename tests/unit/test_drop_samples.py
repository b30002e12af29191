# SPDX-License-Identifier: MIT
"""Samples of dropped packets: which, with what in them, and how few where there are many."""

from collections.abc import Iterable

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SILENCE, dropped
from twinroute.drop_samples import check_reasons, drop_samples, sample_drops
from twinroute.errors import ConfigError
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(100)))
ROOM = 64  # TR_DROP_SAMPLES
BYTES = 80  # TR_DROP_BYTES


def frame(src: str = w.H1, dst: str = w.A1, **fields: object) -> bytes:
    """Return a packet from H1's MAC address into p1."""
    return p.ether(w.M1, w.h1, p.ipv4(src, dst, **{"payload": UDP, **fields}))  # type: ignore[arg-type]


MARTIAN = frame("127.0.0.1")


def taken(bench: Bench) -> list[tuple[str, str, int, bytes]]:
    """Return the samples so far."""
    samples, _ = drop_samples(bench.only)
    return [(one.reason, one.port, one.size, one.data) for one in samples]


def wanting(reasons: Iterable[str], **bed: object) -> Bench:
    """Return the test bed, which samples drops for these reasons."""
    bench = w.bed(**bed)  # type: ignore[arg-type]
    sample_drops(bench.only, reasons)
    return bench


@pytest.mark.parametrize("scatter", ["drop-out", "masks", "split"])
@pytest.mark.parametrize("count", [1, 67])
def test_what_is_wanted_is_sampled_as_it_came(count: int, scatter: str):
    bench = wanting(["martian_source"], fast={"scatter": scatter})
    assert w.exchange(bench, w.P1, [MARTIAN, frame(ttl=1)] * count)[w.P2] == []
    assert dropped(bench)["martian_source"] == count
    expected = ("martian_source", w.P1, len(MARTIAN), MARTIAN[:BYTES])
    assert taken(bench) == [expected] * min(count, ROOM)
    assert drop_samples(bench.only) == ([], max(0, count - ROOM))


def test_nothing_is_sampled_unless_it_is_wanted():
    bench = w.bed()
    assert w.exchange(bench, w.P1, [MARTIAN] * 5) == SILENCE
    assert drop_samples(bench.only) == ([], 0)
    sample_drops(bench.only, ["martian_destination"])
    w.exchange(bench, w.P1, [MARTIAN])
    sample_drops(bench.only, [])
    w.exchange(bench, w.P1, [MARTIAN, frame(dst="127.0.0.1")])
    assert drop_samples(bench.only) == ([], 0)
    assert dropped(bench) == {"martian_source": 7, "martian_destination": 1}


def test_of_the_slow_path_and_of_every_unit():
    bench = wanting(["source_route", "no_route"], fast={"units": 3})
    routed = frame(options=b"\x83\7\4\x0a\2\0\2\0")
    lost = [frame(f"10.1.0.{host}", w.U) for host in range(2, 40)]
    w.exchange(bench, w.P1, [routed, *lost])
    found = taken(bench)
    assert sorted(data for reason, _, _, data in found if reason == "no_route") == sorted(
        one[:BYTES] for one in lost
    )
    assert [one for one in found if one[0] != "no_route"] == [
        ("source_route", w.P1, len(routed), routed[:BYTES])
    ]


def test_a_short_frame_and_what_a_port_could_not_send():
    bench = wanting(["frame_short", "port_down"])
    bench.port(w.P1).send(frame(), MARTIAN[:13])
    bench.run(us=1)  # it waits to be sent
    bench.port(w.P2).link.set_up(False)
    bench.run_until_idle()
    sent = p.forwarded(frame(), w.M2, w.g2)
    assert taken(bench) == [
        ("frame_short", w.P1, 13, MARTIAN[:13]),
        ("port_down", w.P1, len(sent), sent[:BYTES]),
    ]


def test_room_is_there_again_once_samples_are_taken():
    bench = wanting(["martian_source"])
    for number in range(3):
        frames = [frame("127.0.0.1", ident=1000 * number + one) for one in range(ROOM)]
        w.exchange(bench, w.P1, frames)
        assert [one[3] for one in taken(bench)] == [one[:BYTES] for one in frames]
    assert drop_samples(bench.only) == ([], 0)


def test_reasons_that_there_are_not():
    native = w.bed().only.native
    check_reasons(native, [one.name for one in native.drops if not one.consumed], "f")
    with pytest.raises(ConfigError) as refusal:
        check_reasons(native, ["urpf", "echo_answered", "martian"], "f.toml")
    assert [
        line.partition(": expected one of the drop reasons: frame_short, ")[0]
        for line in refusal.value.problems
    ] == ['f.toml: log.drops[2] = "echo_answered"', 'f.toml: log.drops[3] = "martian"']
