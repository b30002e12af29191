# SPDX-License-Identifier: MIT
"""Frames in and out of a bench in bulk, as NumPy arrays."""

from typing import Any

import numpy as np
import pytest

from tests.two_stations import WIRE_PS, World
from twinroute.sim import BenchError


def test_bulk_of_equal_frames():
    world = World()
    frames = np.stack([np.frombuffer(world.frame(ident=i), np.uint8) for i in range(100)])
    world.router.port("p0").send_bulk(frames, at_ps=np.arange(100) * 1_000_000)
    world.bench.run_until_idle()
    data, offsets, lengths, times_ps, latencies_ps = world.router.port("p1").received_bulk()
    assert data.dtype == np.uint8
    assert len(data) == 6000
    assert (offsets == np.arange(100) * 60).all()
    assert (lengths == 60).all()
    assert (times_ps == np.arange(100) * 1_000_000 + 2 * WIRE_PS).all()
    assert (latencies_ps == 0).all()
    assert world.idents() == list(range(100))


def test_bulk_of_any_frames():
    world = World()
    frames = [world.frame(size=60 + i, ident=i) for i in range(50)]
    data = np.frombuffer(b"".join(reversed(frames)), np.uint8)
    lengths = np.array([len(frame) for frame in frames])
    offsets = len(data) - lengths.cumsum()  # backwards
    world.a.send_bulk((data, offsets, lengths), at_ps=world.bench.now_ps)
    world.bench.run_until_idle()
    received = world.b.received_bulk()
    assert received.frame_count == 50
    assert world.idents() == list(range(50))
    assert [received.frame(i) for i in range(50)] == world.b.received() == list(received.each())


def test_nothing_in_bulk():
    world = World()
    world.a.send_bulk(np.empty((0, 60), np.uint8))
    world.a.send_all([])
    world.bench.run_until_idle()
    assert world.b.received_bulk().frame_count == 0
    assert world.b.received() == []


@pytest.mark.parametrize(
    ("frames", "options", "words"),
    [
        (np.zeros(60, np.uint8), {}, "expected two dimensions"),
        (np.zeros((2, 60), np.int64), {}, "expected two dimensions"),
        ((np.zeros(60, np.int8), [0], [60]), {}, "one dimension of uint8"),
        ((np.zeros(60, np.uint8), [0], [61]), {}, "frame 0 reaches beyond"),
        (
            (np.zeros(60, np.uint8), np.array([0, 2**63], np.uint64), [60, 60]),
            {},
            "frame 1 reaches beyond",
        ),
        ((np.zeros(60, np.uint8), [0, 0], [60]), {}, "2 offsets for 1 lengths"),
        ((np.zeros(60, np.uint8), [0.5], [60]), {}, "expected one dimension of integers"),
        ((np.zeros(60, np.uint8), [-1], [60]), {}, "expected integers from 0"),
        (np.zeros((2, 60), np.uint8), {"at_ps": [1, 2, 3]}, "3 values for 2 frames"),
        (np.zeros((2, 60), np.uint8), {"at_ps": -1}, "expected integers from 0"),
        (np.zeros((2, 60), np.uint8), {"trace": [True]}, "1 values for 2 frames"),
    ],
)
def test_wrong_arrays(frames: Any, options: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        World().a.send_bulk(frames, **options)


@pytest.mark.parametrize("frame", [b"", bytes(70_000)], ids=["empty", "long"])
def test_frames_that_no_buffer_holds(frame: bytes):
    world = World()
    with pytest.raises(BenchError, match=f"frame 1 of {len(frame)} bytes"):
        world.a.send_all([bytes(60), frame])
    assert world.bench.in_flight == 0


def test_clear():
    world = World()
    world.a.send(world.frame())
    world.bench.run_until_idle()
    world.router.port("p1").clear()
    assert world.b.received() == []
    world.a.send(world.frame(ident=7))
    world.bench.run_until_idle()
    assert world.idents() == [7]
