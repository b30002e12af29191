# SPDX-License-Identifier: MIT
"""Packets of which the link has lost the end (RFC 1812 5.2.2): a parameter problem that points at
the total length, which quotes what is there and no more."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import dropped, error_to_h1, icmp_error, only, stack

DATA = p.udp(1024, 9, bytes(range(60)))


def truncated(lost: int, **fields: object) -> bytes:
    """Return an IP packet whose header tells of more octets than there are."""
    fields = {"src": w.H1, "dst": w.A1, "payload": DATA, **fields}
    whole = p.ipv4(**fields)  # type: ignore[arg-type]
    return p.ipv4(**fields, total=len(whole) + lost)  # type: ignore[arg-type]


def frame(packet: bytes, mac: str = w.M1) -> bytes:
    """Put a packet into a frame of H1 into p1."""
    return p.ether(mac, w.h1, packet)


def transit(ident: int) -> bytes:
    """Return a packet that has nothing wrong."""
    return frame(p.ipv4(w.H1, w.A1, DATA, ident=ident))


CASES = {
    "one octet": truncated(1),
    "all that can be": truncated(65535 - 88),
    "a header and no more": truncated(8, payload=b""),
    "several gateways, no ports": truncated(8, payload=b"", dst=w.C1),
    "for the router": truncated(1, dst=w.R1),
    "an echo request": truncated(1, dst=w.R1, payload=p.echo_request(), protocol=p.ICMP),
    "TTL 1": truncated(1, ttl=1),
    "no route": truncated(1, dst=w.U),
    "a fragment, the first": truncated(1, fragment=p.MF),
    "longer than an error": truncated(1, payload=bytes(1400)),
    "options to be dropped": truncated(1, options=b"\x07\x07\x04\0\0\0\0"),
    "wrong options": truncated(1, options=b"\x1f\0"),
}


@pytest.mark.parametrize(("burst", "place"), [(1, 0), (67, 0), (67, 64), (67, 66)])
@pytest.mark.parametrize("checksum_verdict", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_its_sender_is_told(name: str, burst: int, place: int, checksum_verdict: bool) -> None:
    bench = w.bed(nic={"checksum_verdict": checksum_verdict}, routes=w.GROUP)
    twin = stack(bench, w.P1)
    frames = [transit(ident) for ident in range(burst)]
    frames[place] = frame(CASES[name])
    out = w.exchange(bench, w.P1, frames)
    passed = [p.forwarded(one, w.M2, w.g2) for i, one in enumerate(frames) if i != place]
    assert out == only(p1=[error_to_h1(CASES[name], 12, 0, 2 << 24)], p2=passed)
    assert dropped(bench) == {"ip_total_length": 1}
    assert bench.only.counters().punted == {"truncated": 1}
    assert twin.received() == []


SILENT = {
    "header checksum wrong": (truncated(1, header_checksum=0x1234), w.M1, "ip_checksum"),
    "less than its header": (p.ipv4(w.H1, w.A1, DATA, total=19), w.M1, "ip_total_length"),
    "version 6": (truncated(1, version=6), w.M1, "ip_version"),
    "a later fragment": (truncated(1, fragment=9), w.M1, "ip_total_length"),
    "an ICMP error": (truncated(1, payload=p.icmp(3), protocol=p.ICMP), w.M1, "ip_total_length"),
    "in a broadcast frame": (truncated(1), p.BROADCAST, "ip_total_length"),
    "for a group": (truncated(1, dst="224.0.0.5"), "01:00:5e:00:00:05", "ip_total_length"),
    "for everybody": (truncated(1, dst="255.255.255.255"), p.BROADCAST, "ip_total_length"),
    "from nobody": (truncated(1, src="0.0.0.0"), w.M1, "ip_total_length"),
    "from a group": (truncated(1, src="224.0.0.5"), w.M1, "ip_total_length"),
    "from a broadcast address": (truncated(1, src="10.1.0.255"), w.M1, "ip_total_length"),
    "from itself": (truncated(1, src=w.R1), w.M1, "ip_total_length"),
}


@pytest.mark.parametrize("name", SILENT)
def test_nobody_is_told(name: str) -> None:
    """RFC 1812 4.3.2.7."""
    packet, mac, reason = SILENT[name]
    bench = w.bed()
    assert w.exchange(bench, w.P1, [frame(packet, mac)]) == only()
    assert dropped(bench) == {reason: 1}


def test_a_source_routed_packet_is_answered_by_the_way_it_came() -> None:
    """RFC 1812 4.3.2.6."""
    bench = w.bed(options={"loose_source_route": "process"})
    packet = truncated(1, dst=w.R1, options=b"\x83\x07\x08" + p.address_bytes(w.G1))
    route = b"\x83\x07\x04" + p.address_bytes(w.H1)
    error = icmp_error(packet, 12, 0, 2 << 24, sender=w.R1, to=w.G1, options=route)
    assert w.exchange(bench, w.P1, [frame(packet)]) == only(p1=[p.ether(w.g1, w.M1, error)])
