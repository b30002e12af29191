# SPDX-License-Identifier: MIT
"""Frames on the wire: IEEE 802.3 encapsulation (RFC 1042), padding (RFC 894), long frames."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SILENCE, dropped, error_to_h1, only, stack

UDP = p.udp(1024, 9, bytes(range(32)))


def frame(src: str = w.H1, dst: str = w.A1, payload: bytes = UDP, **fields: object) -> bytes:
    return p.ether(w.M1, w.h1, p.ipv4(src, dst, payload, **fields))  # type: ignore[arg-type]


def snap(packet: bytes, ether_type: int = 0x0800, *, to: str = w.M1, longer: int = 0) -> bytes:
    """Return an 802.3 frame whose length is wrong by `longer`."""
    body = p.snap(packet, ether_type)
    return p.ether(to, w.h1, body, len(body) + longer)


# --- LLC and SNAP ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [b"", bytes(20), b"\xff" * 3])
@pytest.mark.parametrize("options", [b"", b"\1" * 4])
def test_snap_is_taken_and_sent_on_as_rfc_894(options: bytes, tail: bytes) -> None:
    """RFC 1812 3.3.3, RFC 1122 2.3.3."""
    bench = w.bed()
    packet = p.ipv4(w.H1, w.A1, UDP, options=options)
    out = w.exchange(bench, w.P1, [snap(packet) + tail])
    plain = p.ether(w.M1, w.h1, packet)
    assert out == only(p2=[p.forwarded(plain, w.M2, w.g2)])


@pytest.mark.parametrize("burst", [1, 67, 512])
def test_in_a_burst(burst: int) -> None:
    bench = w.bed(fast={"burst": 512})
    packets = [p.ipv4(w.H1, w.A1, UDP, ident=i) for i in range(burst)]
    frames = [
        snap(one) if i % 3 == 0 else p.ether(w.M1, w.h1, one) for i, one in enumerate(packets)
    ]
    passed = [p.forwarded(p.ether(w.M1, w.h1, one), w.M2, w.g2) for one in packets]
    assert w.exchange(bench, w.P1, frames) == only(p2=passed)


def test_the_router_is_spoken_to_in_snap_as_well() -> None:
    """Its answers are RFC 894's, the twin gets frames of that kind too."""
    bench = w.bed()
    twin = stack(bench, w.P1)
    ping = p.ipv4(w.H1, w.R1, p.echo_request(), protocol=p.ICMP)
    ask = p.arp(1, w.h1, w.H1, w.NO_MAC, w.R1)
    hello = p.ipv4(w.H1, "224.0.0.5", UDP, ttl=1)
    group = "01:00:5e:00:00:05"
    frames = [snap(ping), snap(ask, 0x0806, to=p.BROADCAST), snap(hello, to=group)]
    told, reply = w.exchange(bench, w.P1, frames)[w.P1]
    assert (reply[12:14], reply[34]) == (b"\x08\x00", 0)
    assert told == p.pad(p.ether(w.h1, w.M1, p.arp(2, w.M1, w.R1, w.h1, w.H1), 0x0806))
    assert [one.data for one in twin.received()] == [p.ether(group, w.h1, hello)]


def test_errors_quote_the_packet() -> None:
    bench = w.bed()
    packet = p.ipv4(w.H1, w.A1, UDP, ttl=1)
    (error,) = w.exchange(bench, w.P1, [snap(packet)])[w.P1]
    assert p.ip_of(error)[28:] == packet


def test_a_length_that_ends_in_the_packet_has_cut_it() -> None:
    bench = w.bed()
    packet = p.ipv4(w.H1, w.A1, UDP)
    out = w.exchange(bench, w.P1, [snap(packet, longer=-1)])
    assert out == only(p1=[error_to_h1(packet[:-1], 12, 0, 2 << 24)])


# What is no such frame: the frame, and the reason of its drop.
BAD = {
    "spanning tree": (p.ether(w.M1, w.h1, b"\x42\x42\x03" + bytes(43), 38), "llc"),
    "IPX": (p.ether(w.M1, w.h1, b"\xff\xff" + bytes(44), 46), "llc"),
    "other organization": (
        p.ether(w.M1, w.h1, b"\xaa\xaa\x03\0\0\x0c\x08\0" + p.ipv4(w.H1, w.A1, UDP), 68),
        "llc",
    ),
    "length beyond the frame": (snap(p.ipv4(w.H1, w.A1, UDP), longer=1), "llc"),
    "length 7": (p.ether(w.M1, w.h1, p.snap(bytes(60)), 7), "llc"),
    "length 0": (p.ether(w.M1, w.h1, p.snap(bytes(60)), 0), "llc"),
    "length 8": (p.ether(w.M1, w.h1, p.snap(bytes(60)), 8), "ip_short"),
    "cut behind the length": (p.ether(w.M1, w.h1, b"", 40), "llc"),
    "cut in SNAP": (p.ether(w.M1, w.h1, p.snap(b"")[:7], 7), "llc"),
    "IPv6": (snap(bytes(40), 0x86DD), "ether_type"),
    "SNAP in SNAP": (snap(p.snap(p.ipv4(w.H1, w.A1, UDP)), 60), "ether_type"),
    "between length and type": (p.ether(w.M1, w.h1, p.snap(bytes(60)), 1501), "ether_type"),
    "another station's": (snap(p.ipv4(w.H1, w.A1, UDP), to=w.M2), "not_for_us"),
    "checksum": (snap(p.ipv4(w.H1, w.A1, UDP, header_checksum=1)), "ip_checksum"),
}


@pytest.mark.parametrize("name", BAD)
def test_other_frames_are_not_misread(name: str) -> None:
    bench = w.bed()
    one, reason = BAD[name]
    assert w.exchange(bench, w.P1, [one]) == SILENCE
    assert dropped(bench) == {reason: 1}


# --- padding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bytes_of_data", [0, 1, 25, 26, 27])
@pytest.mark.parametrize("options", [b"", b"\1" * 4])
def test_padding_is_zeros(bytes_of_data: int, options: bytes) -> None:
    """RFC 894: nothing of the padding that came in, nor of what the buffer held before."""
    bench = w.bed(sim={"buffers": 64})
    for _ in range(3):  # every buffer has held other bytes
        filler = [frame(payload=b"\xa5" * 1400, ident=i) for i in range(60)]
        assert len(w.exchange(bench, w.P1, filler)[w.P2]) == 60
    packet = p.ipv4(w.H1, w.A1, b"\xee" * bytes_of_data, options=options)
    dirty = p.ether(w.M1, w.h1, packet) + b"\xff" * 46
    (out,) = w.exchange(bench, w.P1, [dirty])[w.P2]
    assert out == p.forwarded(dirty, w.M2, w.g2)
    assert len(out) >= 60
    assert not any(out[14 + len(packet) :])


def test_what_the_router_makes_is_padded_with_zeros() -> None:
    bench = w.bed(sim={"buffers": 64})
    filler = [frame(payload=b"\xa5" * 1400, ident=i) for i in range(60)]
    w.exchange(bench, w.P1, filler)
    ping = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R1, p.icmp(8), protocol=p.ICMP)) + b"\xff" * 18
    ask = p.ether(p.BROADCAST, w.h1, p.arp(1, w.h1, w.H1, w.NO_MAC, w.R1), 0x0806) + b"\xff" * 18
    reply, told = w.exchange(bench, w.P1, [ping, ask])[w.P1]
    assert (len(reply), len(told)) == (60, 60)
    assert not any(reply[42:])
    assert not any(told[42:])


# --- long frames ----------------------------------------------------------------------------------


def test_a_port_takes_longer_frames_than_it_sends() -> None:
    """RFC 1812 3.3.4."""
    bench = w.bed(mtu1=1000)
    for size in (1000, 1001, 1400, 1500):
        one = frame(payload=bytes(size - 20))
        assert w.exchange(bench, w.P1, [one]) == only(p2=[p.forwarded(one, w.M2, w.g2)])
