# SPDX-License-Identifier: MIT
"""Every truncation of valid frames of every kind: each cut frame ends under a reason, and the
sanitizers see every read outside of it."""

import pytest

from tests import packets as p
from tests import worlds as w

UDP = p.udp(1024, 9, bytes(range(32)))
FRAMES = {
    "transit": p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, UDP)),
    "ttl 1": p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, UDP, ttl=1)),
    "no route": p.ether(w.M1, w.h1, p.ipv4(w.H1, w.U, UDP)),
    "options": p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, UDP, options=b"\x07\x0b\x04" + bytes(9))),
    "echo": p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R1, p.echo_request(), protocol=p.ICMP)),
    "icmp error": p.ether(
        w.M1,
        w.h1,
        p.ipv4(w.H1, w.R1, p.icmp(3, 1, data=p.ipv4(w.R1, w.H1, UDP)[:28]), protocol=p.ICMP),
    ),
    "broadcast": p.ether(p.BROADCAST, w.h1, p.ipv4(w.H1, "255.255.255.255", UDP)),
    "multicast": p.ether("01:00:5e:00:00:05", w.h1, p.ipv4(w.H1, "224.0.0.5", UDP, ttl=1)),
    "arp request": p.ether(p.BROADCAST, w.h1, p.arp(1, w.h1, w.H1, w.NO_MAC, w.R1), 0x0806),
    "arp reply": p.ether(w.M1, w.h1, p.arp(2, w.h1, w.H1, w.M1, w.R1), 0x0806),
    "too long": p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, bytes(1400))),
    "df too long": p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, bytes(1400), fragment=p.DF)),
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_truncation(name: str) -> None:
    bench = w.bed(mtu2=1000)
    whole = FRAMES[name]
    step = 1 if len(whole) < 200 else 13
    cuts = [*range(1, 80), *range(80, len(whole), step), len(whole)]
    w.exchange(bench, w.P1, [whole[:cut] for cut in cuts if cut <= len(whole)])
    counters = bench.only.counters()
    assert sum(counters.received.values()) == len([cut for cut in cuts if cut <= len(whole)])


@pytest.mark.parametrize("name", [name for name in FRAMES if not name.startswith("arp")])
def test_every_total_length(name: str) -> None:
    """The IP total length says anything but what is there."""
    whole = FRAMES[name]
    bench = w.bed(mtu2=1000)
    packet = whole[14:]
    header = (packet[0] & 15) * 4
    frames = []
    for total in [*range(0, 100), len(packet) - 1, len(packet) + 1, 0xFFFF]:
        head = packet[:2] + total.to_bytes(2, "big") + packet[4:10] + b"\0\0" + packet[12:header]
        head = head[:10] + p.checksum(head).to_bytes(2, "big") + head[12:]
        frames.append(whole[:14] + head + packet[header:])
    w.exchange(bench, w.P1, frames)
    dropped = bench.only.counters().dropped
    assert dropped["ip_total_length"] >= header + 2
