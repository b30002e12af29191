# SPDX-License-Identifier: MIT
"""Captures through a router: what `twinroute sim` does between its arguments and its report."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from twinroute.config import Config
from twinroute.errors import InputError
from twinroute.sim import capture
from twinroute.sim.bench import Bench
from twinroute.sim.capture import Capture
from twinroute.sim.frames import Bytes, Lengths, Offsets, Times
from twinroute.sim.router import Port
from twinroute.sim.world import PS_PER_S, BenchError

IDLE_LIMIT_US = 60_000_000  # for what is still on its way after the last frame went in
SPAN_MAX_NS = 100 * 86400 * 10**9
SLICES = 200  # of a run whose progress is shown
SLICE_BYTES = 1 << 20  # of frames in a slice, about
ETHERNET_BYTES, VLAN_BYTES = 14, 4

Progress = Callable[[float], None]  # share of the run that is done, 0 to 1


@dataclass(frozen=True)
class Input:
    """A capture to be sent into a port, as far as it fits."""

    port: str
    capture: Capture
    offsets: Offsets
    lengths: Lengths
    times_ns: Times
    skipped: int  # frames left out because they are too long


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What to replay, and how."""

    config: Config
    inputs: list[Input]
    seed: int
    profile: str
    speed: float | None = 1.0  # times the captures' own; None: line rate
    rewrite_mac: bool = False
    trace: str | int | None = None  # a number of frames, or a libpcap filter
    limit_ps: int | None = None  # virtual time after which the run ends


@dataclass(frozen=True)
class Result:
    """The world after a replay."""

    bench: Bench
    start_ps: int  # when the first frame went in
    wall_s: float  # real time of the run


def parse_inputs(texts: Iterable[str], config: Config, *, skip_long: bool) -> list[Input]:
    """Read the captures named as PORT=FILE; InputError with one line for what is wrong.

    skip_long: leave frames out that are longer than the port's MTU, instead of refusing them.
    """
    files: dict[str, str] = {}
    for text in texts:
        port, equals, path = text.partition("=")
        if not equals or not path:
            raise InputError(f"--in {text}: expected PORT=FILE")
        if port not in config.ports:
            raise InputError(f"--in {text}: expected a port of {', '.join(config.ports)}")
        if port in files:
            raise InputError(f"--in {text}: expected one capture a port, {port} has {files[port]}")
        files[port] = path
    read = ((port, capture.read(path)) for port, path in files.items())
    return [_input(port, found, config.ports[port].mtu, skip_long) for port, found in read]


def _input(port: str, found: Capture, mtu: int, skip_long: bool) -> Input:
    """Check the lengths of a capture's frames against the port."""
    most = mtu + ETHERNET_BYTES
    long = found.lengths > most
    for index in np.flatnonzero(long):
        type_at = int(found.offsets[index]) + ETHERNET_BYTES - 2
        tagged = found.data[type_at : type_at + 2].tobytes() == b"\x81\x00"
        long[index] = not tagged or found.lengths[index] > most + VLAN_BYTES
    first = int(np.argmax(long)) if long.any() else None
    if first is not None and not skip_long:
        raise InputError(
            f"{found.path}: frame {first + 1} of {found.lengths[first]} bytes: expected at most"
            f" {most}, {port} has an MTU of {mtu}; raise `mtu`, leave such frames out by"
            " --skip-long, or capture with segmentation offload off"
        )
    fits = ~long
    if not fits.any():
        raise InputError(f"{found.path}: expected a frame of at most {most} bytes for {port}")
    arrays = (found.offsets[fits], found.lengths[fits], found.times_ns[fits])
    return Input(port, found, *arrays, int(long.sum()))


def replay(job: Replay, progress: Progress | None = None) -> Result:
    """Send the captures into the router and run until nothing is on its way any more."""
    bench = Bench.from_config(job.config, seed=job.seed, profile=job.profile)
    if isinstance(job.trace, int):
        bench.trace(most=job.trace)
    elif job.trace is not None:
        try:
            bench.trace(job.trace)
        except BenchError as error:
            raise InputError(f"--{error}") from None
    start_ps = bench.now_ps
    feeds = _feeds(bench, job, start_ps)
    began = time.perf_counter()
    _run(bench, job, feeds, progress)
    bench.check_conservation()
    return Result(bench, start_ps, time.perf_counter() - began)


@dataclass
class Feed:
    """The frames of one capture in the order of their times, and how many have been handed over."""

    port: Port
    data: Bytes
    offsets: Offsets
    lengths: Lengths
    at_ps: Times
    done: int = 0

    def send_until(self, ps: int) -> None:
        """Hand over the frames up to and including a time."""
        end = int(np.searchsorted(self.at_ps, np.uint64(ps), side="right"))
        part = slice(self.done, end)
        frames = (self.data, self.offsets[part], self.lengths[part])
        self.port.send_bulk(frames, at_ps=self.at_ps[part])
        self.done = end


def _feeds(bench: Bench, job: Replay, start_ps: int) -> list[Feed]:
    """Get the captures ready to be sent."""
    base_ns = min((int(one.times_ns.min()) for one in job.inputs), default=0)
    feeds = []
    for one in job.inputs:
        port, data = bench.port(one.port), one.capture.data
        if job.rewrite_mac:
            data = data.copy()
            _rewrite_mac(data, one, bytes.fromhex(port.mac.replace(":", "")))
        at_ps = _times(one, base_ns, job.speed) + np.uint64(start_ps)
        order = np.argsort(at_ps, kind="stable")
        feeds.append(Feed(port, data, one.offsets[order], one.lengths[order], at_ps[order]))
    return feeds


def _run(bench: Bench, job: Replay, feeds: list[Feed], progress: Progress | None) -> None:
    """Run to the end, in slices: frames are handed over as late as may be, to save memory."""
    start_ps = bench.now_ps
    last_ps = max(int(feed.at_ps[-1]) for feed in feeds)
    on_wire_ps = start_ps + max(_wire_ps(job, feed) for feed in feeds)
    end_ps = max(last_ps, on_wire_ps)
    if job.limit_ps is not None:
        end_ps = min(end_ps, start_ps + job.limit_ps)
    size = sum(int(feed.lengths.sum(dtype=np.uint64)) for feed in feeds)
    slices = max(SLICES if progress else 1, size // SLICE_BYTES)
    for index in range(1, slices + 1):
        until_ps = start_ps + (end_ps - start_ps) * index // slices
        for feed in feeds:
            feed.send_until(until_ps if index < slices else last_ps)
        bench.run(ps=until_ps - bench.now_ps)
        if progress:
            progress(index / slices)
    if job.limit_ps is None:
        bench.run_until_idle(IDLE_LIMIT_US)
    else:
        bench.run(ps=start_ps + job.limit_ps - bench.now_ps, stop_idle=True)


def _wire_ps(job: Replay, feed: Feed) -> int:
    """Return how long the wire takes for all frames, one behind the other."""
    rate = job.config.sim.port[feed.port.name].rate
    bits = (int(feed.lengths.sum(dtype=np.uint64)) + 24 * len(feed.lengths)) * 8
    return bits * PS_PER_S // rate if rate else 0


def _times(one: Input, base_ns: int, speed: float | None) -> Times:
    """Turn the times of a capture into picoseconds from the start."""
    if speed is None:
        return np.zeros(len(one.times_ns), np.uint64)
    since_ns = one.times_ns - np.uint64(base_ns)
    if int(since_ns.max()) > SPAN_MAX_NS * speed:
        days = int(since_ns.max()) / 86400e9
        raise InputError(
            f"{one.capture.path}: its frames come up to {days:.0f} days after the first one:"
            f" expected {SPAN_MAX_NS // 86400 // 10**9} days of virtual time or less; --speed"
            " FACTOR shortens it, --speed line does without times"
        )
    if speed == 1:
        return since_ns * np.uint64(1000)
    scaled: Times = np.rint(since_ns * (1000 / speed)).astype(np.uint64)
    return scaled


def _rewrite_mac(data: Bytes, one: Input, mac: bytes) -> None:
    """Put the port's MAC address into the unicast frames."""
    whole = one.offsets[one.lengths >= 6]
    unicast = whole[data[whole] & 1 == 0]
    for index, octet in enumerate(mac):
        data[unicast + np.uint64(index)] = octet
