# SPDX-License-Identifier: MIT
"""A link that goes down and comes up again: what is lost, what is answered, what is woken."""

from pathlib import Path
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


def switch(bench: Bench, up: bool, port: str = w.P2) -> None:
    """Take a link up or down and let it take effect."""
    bench.port(port).link.set_up(up)
    bench.settle()


def test_packets_are_lost_while_the_link_is_down() -> None:
    """RFC 1812 5.3.12.3: and their sources are told, but for what was on its way out."""
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
    assert w.received(bench, w.P2) == [passed(ident=i) for i in (*range(9), *range(21, 30))]
    refused = [error_to_h1(packet(ident=ident), 3, 0) for ident in range(11, 21)]
    assert w.received(bench, w.P1) == refused
    assert dropped(bench) == {"port_down": 2, "no_route": 10}
    assert len(w.received(bench, w.P3)) == 30
    bench.check_conservation()


@pytest.mark.parametrize("destination", [w.A1, w.H2, "10.2.0.77"])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_behind_a_dead_link_is_unreachable(destination: str, known: bool) -> None:
    """RFC 1812 5.3.12.3: no route goes there, and nobody is asked."""
    bench = w.bed() if known else half_known()
    neighbors = len(bench.only.neighbors())
    switch(bench, False)
    for burst in (1, 67):
        frames = [frame(destination, ident) for ident in range(burst)]
        out = w.exchange(bench, w.P1, frames)
        told = [error_to_h1(packet(destination, ident), 3, 0) for ident in range(burst)]
        assert out == {w.P1: told, w.P2: [], w.P3: []}
    assert dropped(bench) == {"no_route": 68}
    assert len(bench.only.neighbors()) == neighbors


def test_an_error_that_leads_to_a_dead_link_is_lost() -> None:
    bench = w.bed()
    switch(bench, False, w.P3)
    lost = p.ipv4(w.H3, w.U, UDP)
    out = w.exchange(bench, w.P1, [p.ether(w.M1, w.h1, lost)])
    assert out == {w.P1: [], w.P2: [], w.P3: []}
    assert dropped(bench) == {"no_route": 1}


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
    switch(bench, False)
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
    switch(bench, False)
    assert w.exchange(bench, w.P1, [frame(ident=1)])[w.P2] == []
    switch(bench, True)
    out = w.exchange(bench, w.P1, [frame(ident=2)])
    assert out[w.P2] == [passed(ident=2)]
    assert dropped(bench) == {"arp_done": 1, "no_route": 1}


def test_the_stacks_frames_are_lost_as_well() -> None:
    bench = w.bed()
    twin = stack(bench, w.P2)
    switch(bench, False)
    twin.send(p.ether(w.g2, w.M2, p.ipv4(w.R2, w.A1, UDP)))
    bench.run_until_idle()
    assert dropped(bench) == {"port_down": 1}
    bench.check_conservation()


# --- alternatives ---------------------------------------------------------------------------------


def by_p3(destination: str = w.A1, ident: int = 0) -> bytes:
    """Return what leaves by p3 to the neighbour router there."""
    return p.forwarded(frame(destination, ident), w.M3, w.g3)


def test_the_next_best_route_takes_over_and_gives_way() -> None:
    """RFC 1812 5.2.4.3 (4), 5.3.12.3, 5.3.12.4: of two metrics, without anybody's doing."""
    bench = w.bed()
    for metric, via in ((10, w.G2), (20, w.G3), (30, w.G2)):
        bench.only.route_add("198.18.0.0/16", via, metric=metric, preference=1)
    bench.settle()
    for _ in range(3):
        out = w.exchange(bench, w.P1, [frame()])
        assert out == {w.P1: [], w.P2: [passed()], w.P3: []}
        switch(bench, False)
        out = w.exchange(bench, w.P1, [frame(ident=ident) for ident in range(67)])
        assert out == {w.P1: [], w.P2: [], w.P3: [by_p3(ident=ident) for ident in range(67)]}
        switch(bench, True)
    assert dropped(bench) == {}


def test_a_shorter_prefix_takes_over() -> None:
    """A subnet's hosts may be reached another way, its own addresses stay the router's."""
    bench = w.bed()
    bench.only.route_add("10.0.0.0/8", w.G3)
    bench.settle()
    switch(bench, False)
    ping = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R2, p.echo_request(), protocol=p.ICMP))
    out = w.exchange(bench, w.P1, [frame(w.H2), frame("10.2.0.99"), ping])
    assert out[w.P3] == [by_p3(w.H2), by_p3("10.2.0.99")]
    (reply,) = out[w.P1]
    assert p.ip_fields(p.ip_of(reply))["src"] == w.R2
    hops = bench.only.lookup([w.R2, "10.2.0.255", "10.2.0.0", w.H2])
    assert [hop.kind for hop in hops] == ["local", "broadcast", "broadcast", "via"]
    switch(bench, True)
    out = w.exchange(bench, w.P1, [frame(w.H2)])
    assert out == {w.P1: [], w.P2: [passed(w.H2, mac=w.h2)], w.P3: []}


def test_an_alternative_that_is_down_too_is_none() -> None:
    bench = w.bed()
    for metric, via in ((10, w.G2), (20, w.G3)):
        bench.only.route_add("198.18.0.0/16", via, metric=metric, preference=1)
    bench.settle()
    switch(bench, False)
    switch(bench, False, w.P3)
    out = w.exchange(bench, w.P1, [frame()])
    assert out == {w.P1: [error_to_h1(packet(), 3, 0)], w.P2: [], w.P3: []}
    switch(bench, True, w.P3)
    assert w.exchange(bench, w.P1, [frame()])[w.P3] == [by_p3()]
    bench.only.route_delete("198.18.0.0/16", metric=20)
    bench.settle()
    assert w.exchange(bench, w.P1, [frame()])[w.P1] == [error_to_h1(packet(), 3, 0)]


def test_routes_that_change_while_the_link_is_down_count_afterwards() -> None:
    bench = w.bed()
    switch(bench, False)
    bench.only.route_delete("198.18.0.0/16")  # is of another source: stays
    bench.only.route_add("198.18.0.0/16", w.H2, preference=1)
    bench.only.route_add("100.0.113.0/24", w.G2)
    bench.settle()
    routes = {str(one.to): one.usable for one in bench.only.routes()}
    assert (routes["100.0.113.0/24"], routes["198.19.0.0/16"]) == (False, True)
    switch(bench, True)
    out = w.exchange(bench, w.P1, [frame(), frame("100.0.113.9")])
    assert out[w.P2] == [passed(mac=w.h2), passed("100.0.113.9")]
    assert all(one.usable for one in bench.only.routes(all=True))


def test_a_host_that_was_learned_is_known_again_with_its_link() -> None:
    bench = half_known()
    w.exchange(bench, w.P2, [told(w.P2, w.h2, w.H2)])
    bench.port(w.P1).send(frame(w.H2))
    bench.run(us=1)
    bench.port(w.P2).send(told(w.P2, w.h2, w.H2))
    bench.run_until_idle()
    for up in (False, True):
        switch(bench, up)
        learned = [str(one.to) for one in bench.only.routes() if one.source == "learned"]
        assert learned == ([f"{w.H1}/32", f"{w.H2}/32"] if up else [f"{w.H1}/32"])
    punted = bench.only.counters().punted
    assert w.exchange(bench, w.P1, [frame(w.H2)])[w.P2] == [passed(w.H2, mac=w.h2)]
    assert bench.only.counters().punted == punted


def test_a_host_is_learned_although_its_subnet_is_a_worse_route_too() -> None:
    """A fresh router believes its links down for a moment, and that route the best."""
    bench = w.bed(routes='[[route]]\nto = "10.2.0.0/24"\nkind = "blackhole"')
    assert [str(hop.via) for hop in bench.only.lookup([w.H2])] == [w.H2]
    assert w.exchange(bench, w.P1, [frame(w.H2)])[w.P2] == [passed(w.H2, mac=w.h2)]
    assert not any(bench.only.counters().punted.values())


def test_a_host_is_forgotten_with_its_subnet_although_it_spoke_in_between() -> None:
    """What is decided while the subnet is on its way is decided again when it has arrived."""
    bench = w.bed(routes='[[route]]\nto = "10.2.0.0/24"\nkind = "blackhole"')
    switch(bench, False)
    bench.only.neighbor_delete(w.P2, w.H2)
    bench.settle()
    bench.port(w.P2).link.set_up(True)
    bench.only.neighbor_set(w.P2, w.H2, w.h2)
    bench.port(w.P2).link.set_up(False)
    bench.settle()
    assert [hop.kind for hop in bench.only.lookup([w.H2])] == ["blackhole"]
    switch(bench, True)
    assert [str(hop.via) for hop in bench.only.lookup([w.H2])] == [w.H2]


def test_a_route_without_a_gateway_needs_its_link(tmp_path: Path) -> None:
    """A `dev` route is as a subnet is; what answers behind it is learned and forgotten with it."""
    bench = half_known()
    routes = tmp_path / "routes"
    routes.write_text("100.0.113.0/24 dev p2\n")
    bench.only.routes_load(routes)
    bench.settle()
    bench.port(w.P1).send(frame("100.0.113.9"))
    bench.run(us=1)
    assert w.received(bench, w.P2) == [asks(w.P2, "100.0.113.9")]
    bench.port(w.P2).send(told(w.P2, w.h2, "100.0.113.9"))
    bench.run_until_idle()
    sent = passed("100.0.113.9", mac=w.h2)
    assert w.received(bench, w.P2)[1:] == [sent]
    switch(bench, False)
    out = w.exchange(bench, w.P1, [frame("100.0.113.9")])
    assert out[w.P1] == [error_to_h1(packet("100.0.113.9"), 3, 0)]
    switch(bench, True)
    assert w.exchange(bench, w.P1, [frame("100.0.113.9")])[w.P2] == [sent]
    bench.only.route_delete("100.0.113.0/24")
    bench.settle()
    assert bench.only.lookup(["100.0.113.9"])[0].kind == "none"


def test_a_packet_takes_another_way_when_its_route_is_changed() -> None:
    bench = w.bed()
    switch(bench, False)
    bench.only.route_add("198.18.0.0/16", w.G3, preference=1)
    bench.run(us=0)
    out = w.exchange(bench, w.P1, [frame()])
    assert out == {w.P1: [], w.P2: [], w.P3: [p.forwarded(frame(), w.M3, w.g3)]}


# --- announcements --------------------------------------------------------------------------------


def test_a_link_that_comes_up_wakes_the_announcements() -> None:
    """RFC 5227 2.3, 3: two for each address, 2 s apart, whenever its link comes up."""
    bench = Bench(guard_tables=True)
    port = {"address": ["10.1.0.1/24", "10.9.0.1/24"], "mac": w.M1}
    ports = {"p1": port, "p2": {"address": "10.2.0.1/24", "mac": w.M2}}
    router = bench.router(port=ports, slow_path={"arp_announce": True})
    one, two = bench.station("one"), bench.station("two")
    link = bench.link(one, router.port("p1"), rate="unlimited")
    link.set_up(False)
    bench.link(two, router.port("p2"), rate="unlimited")
    bench.run(us=10_000_000)
    assert since(bench, "p2", 0) == [(at, asks("p2", w.R2)) for at in (0, 2 * SECOND_PS)]
    assert one.received_count == 0
    for _ in range(2):
        link.set_up(True)
        start = bench.now_ps
        bench.run(us=10_000_000)
        own = [asks("p1", address, sender=address) for address in (w.R1, "10.9.0.1")]
        expected = [(at, one) for at in (0, 2 * SECOND_PS) for one in own]
        assert since(bench, "p1", start) == expected
        bench.port("p1").clear()
        link.set_up(False)
        bench.run(us=10_000_000)
    assert (one.received_count, two.received_count) == (0, 2)


def test_a_flapping_link_is_not_announced_again_and_again() -> None:
    """The second announcement is that of the last time the link came up."""
    bench = w.bed(slow={"arp_announce": True})
    bench.run(us=10_000_000)
    link = bench.port(w.P1).link
    for _ in range(5):
        link.set_up(False)
        bench.run(us=100_000)
        link.set_up(True)
        bench.run(us=100_000)
    bench.port(w.P1).clear()
    start = bench.now_ps
    bench.run(us=10_000_000)
    assert since(bench, w.P1, start) == [(1900 * MS_PS, asks(w.P1, w.R1))]


def test_nothing_is_announced_unasked() -> None:
    """Nor probed: not in ten minutes (RFC 5227 2.1)."""
    bench = w.bed()
    bench.port(w.P1).link.set_up(False)
    bench.run(us=1_000_000)
    bench.port(w.P1).link.set_up(True)
    bench.run(us=600_000_000)
    assert [w.received(bench, port) for port in (w.P1, w.P2, w.P3)] == [[], [], []]
