# SPDX-License-Identifier: MIT
"""A link that goes down and comes up again: what is lost, what is answered, what is woken."""

from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SECOND_PS, asks, dropped, error_to_h1, since, stack, told
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(32))
MS_PS = SECOND_PS // 1000


def packet(destination: str = w.A1, ident: int = 0) -> bytes:
    """Return a packet of H1."""
    return p.ipv4(w.H1, destination, UDP, ident=ident)


def frame(destination: str = w.A1, ident: int = 0) -> bytes:
    """Return a packet of H1 in its frame into p1."""
    return p.ether(w.M1, w.h1, packet(destination, ident))


def passed(destination: str = w.A1, ident: int = 0, *, mac: str = w.g2) -> bytes:
    """Return what leaves by p2 for it."""
    return p.forwarded(frame(destination, ident), w.M2, mac)


def half_known(**slow: Any) -> Bench:
    """Return the test bed where nobody is known but H1."""
    bench = w.bed(resolved=False, slow=slow)
    bench.only.neighbor_set(w.P1, w.H1, w.h1)
    bench.run(us=0)
    return bench


def test_packets_are_lost_while_the_link_is_down() -> None:
    bench = w.bed()
    start = round(bench.now_us)
    link = bench.port(w.P2).link
    bench.at(start + 105, lambda: link.set_up(False))
    bench.at(start + 205, lambda: link.set_up(True))
    for ident in range(30):
        bench.port(w.P1).send(frame(ident=ident), at_us=start + 10 * ident)
        bench.port(w.P1).send(frame(w.B1, ident), at_us=start + 10 * ident)
    bench.run_until_idle()
    # A packet leaves up to 20 us after it came.
    got = [int.from_bytes(data[18:20]) for data in w.received(bench, w.P2)]
    assert [ident for ident in got if ident < 9 or ident > 20] == [*range(9), *range(21, 30)]
    lost = 30 - len(got)
    assert 8 <= lost <= 12
    assert dropped(bench) == {"port_down": lost}
    assert len(w.received(bench, w.P3)) == 30
    bench.check_conservation()


@pytest.mark.parametrize(("destination", "code"), [(w.A1, 0), (w.H2, 1), ("10.2.0.77", 1)])
def test_whoever_must_be_looked_up_behind_a_dead_link_is_unreachable(
    destination: str, code: int
) -> None:
    """RFC 1812 5.3.12.3: a network behind a gateway, a host on the link; and nobody is asked."""
    bench = half_known()
    bench.port(w.P2).link.set_up(False)
    out = w.exchange(bench, w.P1, [frame(destination)])
    assert out == {w.P1: [error_to_h1(packet(destination), 3, code)], w.P2: [], w.P3: []}
    assert dropped(bench) == {"port_down": 1}
    assert len(bench.only.neighbors()) == 1


def test_the_ttl_runs_out_before_the_link_matters() -> None:
    bench = half_known()
    bench.port(w.P2).link.set_up(False)
    old = p.ipv4(w.H1, w.A1, UDP, ttl=1)
    out = w.exchange(bench, w.P1, [p.ether(w.M1, w.h1, old)])
    assert out[w.P1] == [error_to_h1(old, 11, 0)]


def test_an_error_that_leads_to_a_dead_link_is_lost() -> None:
    bench = w.bed()
    bench.port(w.P3).link.set_up(False)
    lost = p.ipv4(w.H3, w.U, UDP)
    out = w.exchange(bench, w.P1, [p.ether(w.M1, w.h1, lost)])
    assert out == {w.P1: [], w.P2: [], w.P3: []}
    assert dropped(bench) == {"no_route": 1, "port_down": 1}


def test_what_waits_for_a_neighbor_outlives_a_short_break() -> None:
    """The request at 1 s is lost with the link, the one at 3 s is heard."""
    bench = half_known()
    start = bench.now_ps
    link = bench.port(w.P2).link
    bench.port(w.P1).send(frame())
    bench.run(us=500_000)
    link.set_up(False)
    bench.run(us=2_000_000)
    assert (bench.only.held(), dropped(bench)) == (1, {"port_down": 1})
    link.set_up(True)
    bench.run(us=600_000)
    asked = [(0, asks(w.P2, w.G2)), (3 * SECOND_PS, asks(w.P2, w.G2))]
    assert since(bench, w.P2, start) == asked
    bench.port(w.P2).send(told(w.P2, w.g2, w.G2))
    bench.run_until_idle()
    assert since(bench, w.P2, start)[2:] == [(3100 * MS_PS, passed())]
    bench.check_conservation()


def test_what_waits_behind_a_dead_link_is_given_up_in_time() -> None:
    bench = half_known(arp_retry_ms=10)
    start = bench.now_ps
    bench.port(w.P1).send(frame(ident=1), frame(ident=2))
    bench.run(us=5000)
    bench.port(w.P2).link.set_up(False)
    bench.run_until_idle()
    assert since(bench, w.P1, start) == [(70 * MS_PS, error_to_h1(packet(ident=1), 3, 1))]
    assert dropped(bench) == {"port_down": 2, "neighbor_failed": 2}
    bench.check_conservation()


def test_an_answer_is_enough_although_the_link_then_fails() -> None:
    bench = half_known()
    bench.port(w.P1).send(frame())
    bench.run(us=1)
    bench.port(w.P2).send(told(w.P2, w.g2, w.G2))
    bench.run(us=1)
    bench.port(w.P2).link.set_up(False)
    assert w.exchange(bench, w.P1, [frame(ident=1)])[w.P2] == []
    bench.port(w.P2).link.set_up(True)
    out = w.exchange(bench, w.P1, [frame(ident=2)])
    assert out[w.P2] == [passed(ident=2)]
    assert dropped(bench) == {"arp_done": 1, "port_down": 1}


def test_the_stacks_frames_are_lost_as_well() -> None:
    bench = w.bed()
    twin = stack(bench, w.P2)
    bench.port(w.P2).link.set_up(False)
    twin.send(p.ether(w.g2, w.M2, p.ipv4(w.R2, w.A1, UDP)))
    bench.run_until_idle()
    assert dropped(bench) == {"port_down": 1}
    bench.check_conservation()


def test_a_packet_takes_another_way_when_its_route_is_changed() -> None:
    bench = w.bed()
    bench.port(w.P2).link.set_up(False)
    bench.only.route_add("198.18.0.0/16", w.G3, preference=1)
    bench.run(us=0)
    out = w.exchange(bench, w.P1, [frame()])
    assert out == {w.P1: [], w.P2: [], w.P3: [p.forwarded(frame(), w.M3, w.g3)]}


# --- announcements --------------------------------------------------------------------------------


@pytest.fixture
def announcing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let routers announce their addresses."""
    from twinroute.sim import router, settings

    def sim_router(*arguments: Any) -> Any:
        out = settings.sim_router(*arguments)
        out.config.arp_announce = True
        return out

    monkeypatch.setattr(router, "sim_router", sim_router)


@pytest.mark.usefixtures("announcing")
def test_a_link_that_comes_up_wakes_the_announcement() -> None:
    """RFC 5227 3: each address once, when its link is there for the first time."""
    bench = Bench(guard_tables=True)
    port = {"address": ["10.1.0.1/24", "10.9.0.1/24"], "mac": w.M1}
    router = bench.router(port={"p1": port, "p2": {"address": "10.2.0.1/24", "mac": w.M2}})
    one, two = bench.station("one"), bench.station("two")
    link = bench.link(one, router.port("p1"), rate="unlimited")
    link.set_up(False)
    bench.link(two, router.port("p2"), rate="unlimited")
    bench.run_until_idle()
    assert w.received(bench, "p2") == [asks("p2", w.R2)]
    bench.run(us=1000)
    assert one.received_count == 0
    link.set_up(True)
    start = bench.now_ps
    bench.run(us=1)
    sent = [(0, asks("p1", own, sender=own)) for own in (w.R1, "10.9.0.1")]
    assert since(bench, "p1", start) == sent
    for up in (False, True):
        link.set_up(up)
        bench.run(us=1_000_000)
    assert (one.received_count, two.received_count) == (2, 1)


def test_nothing_is_announced_unasked() -> None:
    """Nor probed (RFC 5227 2.1)."""
    bench = w.bed()
    bench.port(w.P1).link.set_up(False)
    bench.run(us=1_000_000)
    bench.port(w.P1).link.set_up(True)
    bench.run(us=600_000_000)
    assert [w.received(bench, port) for port in (w.P1, w.P2, w.P3)] == [[], [], []]
