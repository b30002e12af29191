# SPDX-License-Identifier: MIT
"""Forwarding switched off, of a port or of the whole router (RFC 1812 5.3.11, 5.3.12.1)."""

from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SILENCE, dropped, only, stack
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))
OFF = {"forwarding": False}


def frame(src: str = w.H1, dst: str = w.A1, payload: bytes = UDP, **fields: Any) -> bytes:
    return p.ether(w.M1, w.h1, p.ipv4(src, dst, payload, **fields))


def ping(dst: str) -> bytes:
    return frame(dst=dst, payload=p.echo_request(), protocol=p.ICMP)


# Of whatever a forwarding router would send on, or answer with an error.
OTHERS = [
    frame(),
    frame(ttl=1),
    frame(dst=w.U),
    frame(dst=w.H2),
    frame(dst=w.H1),
    frame(dst="10.2.0.99"),
    frame(options=b"\1"),
    frame(dst=w.U, options=b"\1"),
    frame(payload=bytes(1481), fragment=p.DF),
]


@pytest.mark.parametrize("off", ["port", "router"])
def test_a_port_that_does_not_forward_takes_its_own(off: str) -> None:
    """Whatever is for others ends silently; who asks the router gets an answer."""
    bench = (
        w.bed(port={w.P1: OFF}) if off == "port" else w.bed(routes="[router]\nforwarding = false")
    )
    assert w.exchange(bench, w.P1, OTHERS) == SILENCE
    assert dropped(bench) == {"forwarding_off": len(OTHERS)}
    for own in (w.R1, w.R2):
        (reply,) = w.exchange(bench, w.P1, [ping(own)])[w.P1]
        assert reply[34] == 0
    twin = stack(bench, w.P1)
    mine = [
        frame(dst=w.R1),
        frame(dst=w.R2, ttl=1),
        p.ether(p.BROADCAST, w.h1, p.ipv4(w.H1, "255.255.255.255", UDP)),
        p.ether("01:00:5e:00:00:05", w.h1, p.ipv4(w.H1, "224.0.0.5", UDP)),
    ]
    assert w.exchange(bench, w.P1, mine) == SILENCE
    assert sorted(one.data for one in twin.received()) == sorted(mine)


def test_other_ports_forward() -> None:
    bench = w.bed(port={w.P1: OFF})
    one = p.ether(w.M2, w.h2, p.ipv4(w.H2, w.B1, UDP))
    assert w.exchange(bench, w.P2, [one]) == only(p3=[p.forwarded(one, w.M3, w.g3)])


@pytest.mark.parametrize("resolved", [True, False])
def test_nothing_of_others_leaves_by_such_a_port(resolved: bool) -> None:
    bench = w.bed(port={w.P2: OFF}, resolved=resolved)
    lost = [
        frame(),
        frame(dst=w.H2),
        frame(dst="10.2.0.99"),
        frame(options=b"\1"),
        frame(ttl=1),
        frame(payload=bytes(1481)),
    ]
    assert w.exchange(bench, w.P1, lost) == SILENCE
    assert dropped(bench) == {"forwarding_off": len(lost)}


@pytest.mark.parametrize("off", ["port", "router"])
def test_the_routers_own_packets_leave(off: str) -> None:
    """What the host stack sends, replies, and errors about what came by another port."""
    bench = (
        w.bed(port={w.P2: OFF}) if off == "port" else w.bed(routes="[router]\nforwarding = false")
    )
    twin = stack(bench, w.P2)
    own = p.ether(w.h2, w.M2, p.ipv4(w.R2, w.H2, p.echo_request(), protocol=p.ICMP))
    twin.send(own)
    bench.run_until_idle()
    assert w.received(bench, w.P2) == [p.pad(own)]
    request = p.ether(w.M2, w.h2, p.ipv4(w.H2, w.R2, p.echo_request(), protocol=p.ICMP))
    (reply,) = w.exchange(bench, w.P2, [request])[w.P2]
    assert reply[34] == 0


def test_an_error_may_leave_where_nothing_of_others_does() -> None:
    bench = w.bed(port={w.P2: OFF})
    lost = frame("198.18.0.9", w.U)
    (error,) = w.exchange(bench, w.P1, [lost])[w.P2]
    assert error[34:36] == b"\x03\x00"


@pytest.mark.parametrize("burst", [1, 67])
def test_in_bursts(burst: int) -> None:
    bench = w.bed(port={w.P2: OFF}, fast={"units": 2})
    frames = [frame(dst=(w.A1, w.B1)[i % 2], ident=i, payload=p.udp(i, 9)) for i in range(burst)]
    out = w.exchange(bench, w.P1, frames)
    assert out == {**SILENCE, w.P3: out[w.P3]}
    good = [p.forwarded(one, w.M3, w.g3) for one in frames[1::2]]
    assert sorted(out[w.P3]) == sorted(good)
    assert dropped(bench) == {"forwarding_off": (burst + 1) // 2}


def test_a_packet_that_waited_is_checked_as_well() -> None:
    bench: Bench = w.bed(port={w.P3: OFF}, resolved=False)
    bench.port(w.P1).send(frame())
    bench.run(us=5)
    bench.only.route_add("198.18.0.0/16", via=w.G3)
    bench.run(us=50)
    bench.port(w.P2).send(p.ether(w.M2, w.g2, p.arp(2, w.g2, w.G2, w.M2, w.R2), 0x0806))
    bench.run_until_idle()
    assert w.received(bench, w.P3) == []


@pytest.mark.parametrize("closed", [w.P2, w.P3])
def test_several_gateways_without_the_one_that_is_closed(closed: str) -> None:
    """Flows go by what forwards."""
    bench = w.bed(port={closed: OFF}, routes=w.GROUP)
    frames = [frame(dst=w.C1, payload=p.udp(i, 9)) for i in range(40)]
    out = w.exchange(bench, w.P1, frames)
    open_port, mac, gateway = (w.P3, w.M3, w.g3) if closed == w.P2 else (w.P2, w.M2, w.g2)
    assert out == {**SILENCE, open_port: [p.forwarded(one, mac, gateway) for one in frames]}


# Copies of group packets would go to p2 and p3, and directed broadcasts are forwarded.
GROUPS: dict[str, Any] = {"ports": w.GROUPS, "routes": w.MULTICAST_ROUTE}
MULTICAST = p.ether("01:00:5e:01:01:01", w.h1, p.ipv4(w.H1, "239.1.1.1", UDP))


def test_no_copies_for_groups_leave_by_such_a_port() -> None:
    bench = w.bed(port={w.P2: OFF}, **GROUPS)
    out = w.exchange(bench, w.P1, [MULTICAST, frame(dst="10.2.0.255"), frame(dst="10.3.0.255")])
    assert (out[w.P1], out[w.P2], len(out[w.P3])) == ([], [], 2)
    assert dropped(bench)["forwarding_off"] == 2


def test_no_copies_for_groups_of_what_came_by_such_a_port() -> None:
    """The router itself takes its part of them."""
    bench = w.bed(port={w.P1: OFF}, **GROUPS)
    twin = stack(bench, w.P1)
    frames = [MULTICAST, frame(dst="10.1.0.255"), frame(dst="10.2.0.255")]
    assert w.exchange(bench, w.P1, frames) == SILENCE
    assert len(twin.received()) == 3


def test_no_redirects_without_forwarding() -> None:
    """RFC 1812 5.3.12.1."""
    back = '[[route]]\nto = "198.21.0.0/16"\nvia = "10.1.0.254"\n'
    one = frame(dst="198.21.0.1")
    assert len(w.exchange(w.bed(routes=back), w.P1, [one])[w.P1]) == 2
    for off in (
        {"port": {w.P1: OFF}, "routes": back},
        {"routes": back + "[router]\nforwarding = false"},
    ):
        assert w.exchange(w.bed(**off), w.P1, [one]) == SILENCE


def test_nothing_is_said_about_options_of_others() -> None:
    bench = w.bed(port={w.P1: OFF}, options={"record_route": "process"})
    assert (
        w.exchange(
            bench, w.P1, [frame(options=b"\x07\x01"), frame(options=b"\x07\x07\x01\0\0\0\0")]
        )
        == SILENCE
    )
    assert dropped(bench) == {"forwarding_off": 2}
    assert w.exchange(bench, w.P1, [frame()[:-1]]) == SILENCE
