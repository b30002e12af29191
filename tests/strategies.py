# SPDX-License-Identifier: MIT
"""Hypothesis strategies for frames, and how many examples a run of the suite takes."""

import os
from typing import Any

from hypothesis import strategies as st

from tests import packets as p
from tests import worlds as w

# Under a sanitizer everything is several times slower, and what counts is memory, not variety.
SANITIZED = "TWINROUTE_SANITIZER" in os.environ


def examples(count: int) -> int:
    """Scale a number of examples to the run."""
    return max(count // 5, 10) if SANITIZED else count


SOURCES = ["10.1.0.2", "10.1.0.7", "192.0.0.7", "192.0.3.1", "198.18.9.9", "8.8.8.8"]
ODD_SOURCES = ["0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255", "240.1.2.3", "0.1.2.3"]
ODD_SOURCES += ["192.0.2.1", "192.0.0.8", "169.254.9.9", "10.1.0.255", "10.3.0.0"]
DESTINATIONS = [w.A1, w.B1, w.C1, w.H2, w.H3, w.G2, w.G1, "198.18.77.1", "198.20.255.255"]
ODD_DESTINATIONS = [
    *(w.R1, w.R2, w.U, "10.2.0.99", "10.2.0.255", "10.2.0.0", "10.1.0.255"),
    *("255.255.255.255", "224.0.0.5", "239.1.1.1", "127.0.0.1", "0.0.0.0", "245.0.0.1"),
    *("192.0.0.7", "192.0.0.8", "192.0.2.1", "198.51.100.255", "203.0.114.0"),
]

# Source routes and a record route that the router may process.
ROUTES = [
    b"\x83\x0b\x04" + p.address_bytes(w.R2) + p.address_bytes(w.A1),
    b"\x89\x07\x08" + p.address_bytes(w.G1),
    b"\x07\x0f\x04" + bytes(12),
]


@st.composite
def transit_frames(draw: st.DrawFn) -> bytes:
    """Frames that the fast path forwards from p1."""
    sport = draw(st.integers(1024, 1027))
    data = draw(st.binary(max_size=40))
    return p.ether(
        w.M1,
        w.h1,
        p.ipv4(
            draw(st.sampled_from(SOURCES)),
            draw(st.sampled_from(DESTINATIONS)),
            p.udp(sport, 9, data),
            ttl=draw(st.integers(2, 255)),
            ident=draw(st.integers(0, 0xFFFF)),
            tos=draw(st.integers(0, 255)),
        ),
    )


DATA = st.one_of(st.binary(max_size=60), st.just(bytes(1490)), st.just(p.echo_request()))
OPTIONS = [b"\x01\x01\x01\x00", b"\x83\x03\x04", *ROUTES, b"\x1f\1"]
# Of each thing that a frame is made of: what is usual, and what else there is.
PARTS: dict[str, tuple[st.SearchStrategy[Any], st.SearchStrategy[Any]]] = {
    "source": (st.sampled_from(SOURCES), st.sampled_from(ODD_SOURCES)),
    "destination": (st.sampled_from(DESTINATIONS), st.sampled_from(ODD_DESTINATIONS)),
    "data": (st.binary(max_size=60), DATA),
    "ttl": (st.just(64), st.sampled_from([0, 1, 2])),
    "protocol": (st.just(p.UDP), st.sampled_from([p.ICMP, p.TCP, 89])),
    "fragment": (st.just(0), st.sampled_from([p.DF, p.MF, 5, p.MF | 7])),
    "options": (st.just(b""), st.sampled_from(OPTIONS)),
    "version": (st.just(4), st.just(6)),
    "header_checksum": (st.none(), st.sampled_from([0, 0xFFFF])),
    "padding": (st.just(b""), st.just(b"padding")),
    "ether_type": (st.just(0x0800), st.sampled_from([0x86DD, 0x0806, 0x0026])),
    "snap": (st.none(), st.sampled_from([0, 0, 1, -1])),  # how much the length is wrong
    "mac": (st.just(w.M1), st.sampled_from([w.M2, p.BROADCAST, "01:00:5e:00:00:05"])),
}


@st.composite
def odd_frames(draw: st.DrawFn) -> bytes:
    """Frames with one or several things out of the ordinary: every way off the fast path."""
    odd = draw(st.lists(st.sampled_from(sorted(PARTS)), min_size=1, max_size=3))
    part = {name: draw(pair[name in odd]) for name, pair in PARTS.items()}
    names = ("ttl", "protocol", "fragment", "options", "version", "header_checksum")
    packet = p.ipv4(
        part["source"], part["destination"], part["data"], **{name: part[name] for name in names}
    )
    packet += part["padding"]
    ether_type = part["ether_type"]
    if part["snap"] is not None:
        packet = p.snap(packet)
        ether_type = len(packet) + part["snap"]
    return p.ether(part["mac"], w.h1, packet, ether_type)


@st.composite
def broken_frames(draw: st.DrawFn) -> bytes:
    """Any frame, cut anywhere or with bytes turned; or just bytes."""
    if draw(st.booleans()):
        return draw(st.binary(min_size=1, max_size=120))
    frame = bytearray(draw(st.one_of(transit_frames(), odd_frames())))
    for _ in range(draw(st.integers(0, 3))):
        frame[draw(st.integers(0, min(len(frame), 60) - 1))] = draw(st.integers(0, 255))
    return bytes(frame[: draw(st.integers(1, len(frame)))])


any_frames = st.one_of(transit_frames(), odd_frames(), odd_frames(), broken_frames())


@st.composite
def bursts(draw: st.DrawFn, frames: st.SearchStrategy[bytes]) -> list[bytes]:
    """Some frames, or many of few kinds: a list alone is short, and most lanes would be idle."""
    n = draw(st.integers(1, 20))
    kinds = draw(st.lists(frames, min_size=n, max_size=n))
    if draw(st.booleans()):
        return kinds
    dice = draw(st.randoms(use_true_random=False))
    return [dice.choice(kinds) for _ in range(draw(st.integers(8, 80)))]
