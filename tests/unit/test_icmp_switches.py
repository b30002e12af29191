# SPDX-License-Identifier: MIT
"""Switches of ICMP messages: no echo replies, another TTL and DSCP, no Time Exceeded by port."""

from tests import packets as p
from tests import worlds as w
from tests.answers import dropped
from twinroute.reload import reload


def transit(**fields: object) -> bytes:
    """Return the standard transit packet H1 -> A1 in a frame, changed as named."""
    fields = {"src": w.H1, "dst": w.A1, "payload": p.udp(1024, 9, bytes(32)), **fields}
    return p.ether(w.M1, w.h1, p.ipv4(**fields))  # type: ignore[arg-type]


ECHO = transit(dst=w.R1, payload=p.echo_request(data=bytes(80)), protocol=p.ICMP)
EXPIRES = transit(ttl=1)


def test_echo_requests_are_ignored_whole_and_in_fragments() -> None:
    bench = w.bed(icmp="[icmp]\necho = false")
    packet = p.ipv4(w.H1, w.R1, p.echo_request(data=bytes(80)), protocol=p.ICMP)
    parts = [p.ether(w.M1, w.h1, part) for part in p.fragments(packet, 48)]
    for frames in ([ECHO], [ECHO] * 67, parts):
        assert not any(w.exchange(bench, w.P1, frames).values())
    assert dropped(bench) == {"echo_ignored": 68 + len(parts)}


def test_a_reload_switches_echo() -> None:
    bench = w.bed()
    assert len(w.exchange(bench, w.P1, [ECHO])[w.P1]) == 1
    reload(bench.only, "sim", w.bed_config(), w.bed_config(icmp="[icmp]\necho = false"))
    bench.settle()
    assert w.exchange(bench, w.P1, [ECHO])[w.P1] == []


def test_ttl_and_dscp() -> None:
    bench = w.bed(icmp="[icmp]\nttl = 255\ndscp = 0")
    ((error,), (reply,)) = (w.exchange(bench, w.P1, [frame])[w.P1] for frame in (EXPIRES, ECHO))
    assert (error[15], error[22]) == (0, 255)
    assert (reply[15], reply[22]) == (0, 255)
    assert p.checksum(error[14:34]) == p.checksum(reply[14:34]) == 0


def test_time_exceeded_by_port() -> None:
    bench = w.bed(ports="time_exceeded = false")
    assert not any(w.exchange(bench, w.P1, [EXPIRES]).values())
    unreachable = w.exchange(bench, w.P1, [transit(dst="10.99.0.1")])[w.P1]
    assert [frame[34] for frame in unreachable] == [3]
    assert dropped(bench) == {"ttl_expired": 1, "no_route": 1}
