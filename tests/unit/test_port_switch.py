# SPDX-License-Identifier: MIT
"""Ports that are put down and up by command, and ports that have no address."""

from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SILENCE, arp, asks, dropped, error_to_h1, only, stack, told
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(32))


def packet(destination: str = w.A1, ident: int = 0) -> bytes:
    """Return a packet of H1."""
    return p.ipv4(w.H1, destination, UDP, ident=ident)


def frame(destination: str = w.A1, ident: int = 0) -> bytes:
    """Return a packet of H1 in its frame into p1."""
    return p.ether(w.M1, w.h1, packet(destination, ident))


def passed(destination: str = w.A1, ident: int = 0) -> bytes:
    """Return what leaves by p2 for it."""
    return p.forwarded(frame(destination, ident), w.M2, w.g2)


def switch(bench: Bench, port: str, up: bool) -> None:
    """Put a port up or down and let it take effect."""
    bench.only.port_set_up(port, up)
    bench.settle()


def by_h2(ident: int = 0) -> bytes:
    """Return a packet of H2 to H1 in its frame into p2."""
    return p.ether(w.M2, w.h2, p.ipv4(w.H2, w.H1, UDP, ident=ident))


# --- down and up by command -----------------------------------------------------------------------


@pytest.mark.parametrize("burst", [1, 67])
def test_nothing_goes_through_a_port_that_is_down(burst: int) -> None:
    """RFC 1812 3.3.6, 5.3.12.3: although its link is up; and all of it is back with the port."""
    bench = w.bed()
    frames = [frame(ident=ident) for ident in range(burst)]
    switch(bench, w.P2, False)
    status = bench.only.port_status(w.P2)
    assert (status.enabled, status.link_up, status.usable) == (False, True, False)
    out = w.exchange(bench, w.P1, frames)
    assert out == only(p1=[error_to_h1(packet(ident=ident), 3, 0) for ident in range(burst)])
    assert w.exchange(bench, w.P2, [by_h2(ident) for ident in range(burst)]) == SILENCE
    assert dropped(bench) == {"no_route": burst, "port_down": burst}
    switch(bench, w.P2, True)
    assert bench.only.port_status(w.P2).usable
    out = w.exchange(bench, w.P1, frames)
    assert out == only(p2=[passed(ident=ident) for ident in range(burst)])
    out = w.exchange(bench, w.P2, [by_h2()])
    assert out == only(p1=[p.forwarded(by_h2(), w.M1, w.h1)])


def test_another_route_takes_over() -> None:
    bench = w.bed()
    for metric, via in ((10, w.G2), (20, w.G3)):
        bench.only.route_add("198.18.0.0/16", via, metric=metric, preference=1)
    switch(bench, w.P2, False)
    out = w.exchange(bench, w.P1, [frame()])
    assert out == only(p3=[p.forwarded(frame(), w.M3, w.g3)])
    switch(bench, w.P2, True)
    assert w.exchange(bench, w.P1, [frame()]) == only(p2=[passed()])


def test_arp_is_dead_too() -> None:
    bench = w.bed()
    switch(bench, w.P2, False)
    assert w.exchange(bench, w.P2, [arp(1, w.h2, w.H2, w.NO_MAC, w.R2)]) == SILENCE
    assert dropped(bench) == {"port_down": 1}


def test_what_waits_to_be_sent_is_dropped() -> None:
    bench = w.bed()
    bench.port(w.P1).send(frame())
    bench.run(us=1)
    switch(bench, w.P2, False)
    bench.run_until_idle()
    assert dropped(bench) == {"port_down": 1}
    bench.check_conservation()


def test_the_stack_behind_the_twin_is_cut_off() -> None:
    bench = w.bed()
    twin = stack(bench, w.P2)
    switch(bench, w.P2, False)
    twin.send(p.ether(w.g2, w.M2, p.ipv4(w.R2, w.A1, UDP)))
    assert w.exchange(bench, w.P2, [p.ether(w.M2, w.h2, p.ipv4(w.H2, w.R2, UDP))]) == SILENCE
    assert (twin.received_count, dropped(bench)) == (0, {"port_down": 2})


def test_own_addresses_answer_by_other_ports() -> None:
    """The addresses are the router's, whatever becomes of the port that they belong to."""
    bench = w.bed()
    switch(bench, w.P2, False)
    ping = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R2, p.echo_request(), protocol=p.ICMP))
    (reply,) = w.exchange(bench, w.P1, [ping])[w.P1]
    assert p.ip_fields(p.ip_of(reply))["src"] == w.R2


def test_the_switch_and_the_link_count_both() -> None:
    bench = w.bed()
    bench.port(w.P2).link.set_up(False)
    switch(bench, w.P2, False)
    for link, enabled in ((True, False), (False, True), (True, True)):
        bench.port(w.P2).link.set_up(link)
        switch(bench, w.P2, enabled)
        status = bench.only.port_status(w.P2)
        usable = link and enabled
        assert (status.link_up, status.enabled, status.usable) == (link, enabled, usable)
        assert (bench.only.lookup([w.A1])[0].kind == "via") == usable


def test_a_port_comes_up_with_announcements() -> None:
    """RFC 5227 2.1, 2.3: as with a link that comes up."""
    bench = w.bed(slow={"arp_announce": True})
    bench.run(us=5_000_000)
    bench.port(w.P2).clear()
    switch(bench, w.P2, True)  # it is
    bench.run(us=5_000_000)
    assert w.received(bench, w.P2) == []
    switch(bench, w.P2, False)
    switch(bench, w.P2, True)
    bench.run(us=5_000_000)
    assert w.received(bench, w.P2) == [asks(w.P2, w.R2)] * 2


def test_a_port_may_start_down() -> None:
    bench = Bench(guard_tables=True)
    port: dict[str, Any] = {"address": "10.1.0.1/24", "mac": w.M1, "up": False}
    router = bench.router(port={"p1": port}, slow_path={"arp_announce": True})
    station = bench.station()
    bench.link(station, router.port("p1"), rate="unlimited")
    bench.port("p1").send(arp(1, w.h1, w.H1, w.NO_MAC, w.R1))
    bench.run(us=5_000_000)
    assert (station.received_count, dropped(bench)) == (0, {"port_down": 1})
    assert [hop.kind for hop in router.lookup([w.H1, w.R1])] == ["none", "local"]
    switch(bench, "p1", True)
    assert [hop.kind for hop in router.lookup([w.H1, w.R1])] == ["connected", "local"]


def test_commands_faster_than_turns() -> None:
    """What was said last counts, whatever was under way."""
    bench = w.bed(fast={"units": 4})
    for _ in range(20):
        for up in (False, True, False):
            bench.only.port_set_up(w.P2, up)
        bench.only.port_set_up(w.P3, False)
        bench.only.port_set_up(w.P3, True)
    bench.settle()
    assert [hop.kind for hop in bench.only.lookup([w.A1, w.B1])] == ["none", "via"]
    with pytest.raises(ValueError, match="expected one of p1, p2, p3"):
        bench.only.port_set_up("p4", True)


# --- without an address ---------------------------------------------------------------------------


def bare(**slow: Any) -> Bench:
    """Return a bench with p2 without an address, p1 with H1 and p3 with G3 and a default route."""
    bench = Bench(guard_tables=True)
    ports = {
        "p1": {"address": f"{w.R1}/24", "mac": w.M1},
        "p2": {"mac": w.M2},
        "p3": {"address": f"{w.R3}/24", "mac": w.M3},
    }
    neighbor = [
        {"port": "p1", "address": w.H1, "mac": w.h1},
        {"port": "p3", "address": w.G3, "mac": w.g3},
    ]
    router = bench.router(
        port=ports,
        route=[{"to": "0.0.0.0/0", "via": w.G3}],
        neighbor=neighbor,
        slow_path={"icmp_errors_per_s": 0, **slow},
    )
    for name in ports:
        bench.link(bench.station(f"at-{name}"), router.port(name), rate="unlimited")
    bench.run_until_idle()
    return bench


def test_a_port_without_an_address_is_no_way_out() -> None:
    """RFC 1812 10.2.1: what would have been its subnet goes by the default route."""
    bench = bare(arp_announce=True)
    out = w.exchange(bench, w.P1, [frame(w.H2, ident) for ident in range(67)])
    sent = [p.forwarded(frame(w.H2, ident), w.M3, w.g3) for ident in range(67)]
    assert (out[w.P2], out[w.P3]) == ([], sent)
    status = bench.only.port_status("p2")
    assert (status.enabled, status.link_up, status.usable) == (True, True, False)
    assert status.addresses == {}


@pytest.mark.parametrize("burst", [1, 67])
@pytest.mark.parametrize("scatter", ["drop-out", "masks", "split"])
def test_nothing_gets_in_by_a_port_without_an_address(burst: int, scatter: str) -> None:
    """RFC 1812 10.2.1: neither packets nor ARP, whatever they are; and nothing comes out."""
    bench = bare()
    frames = [
        p.ether(w.M2, w.h2, p.ipv4(w.H2, w.A1, UDP)),
        p.ether(w.M2, w.h2, p.ipv4(w.H2, w.R1, p.echo_request(), protocol=p.ICMP)),
        p.ether(p.BROADCAST, w.h2, p.ipv4("0.0.0.0", "255.255.255.255", p.udp(68, 67))),
        arp(1, w.h2, w.H2, w.NO_MAC, w.R1),
        told("p2", w.h2, w.H2),
        p.ether(w.M1, w.h2, b""),
        bytes(13),
    ]
    for one in frames:
        assert w.exchange(bench, w.P2, [one] * burst) == SILENCE
    assert dropped(bench) == {"port_unconfigured": burst * len(frames)}
    assert {str(one.address) for one in bench.only.neighbors()} == {w.H1, w.G3}


def test_the_stack_may_not_send_by_a_port_without_an_address() -> None:
    """RFC 1812 10.2.1: nothing is sent for any stimulus."""
    bench = bare()
    twin = stack(bench, w.P2)
    twin.send(p.ether(p.BROADCAST, w.M2, p.ipv4("0.0.0.0", "255.255.255.255", p.udp(68, 67))))
    bench.run_until_idle()
    assert w.received(bench, w.P2) == []
    assert dropped(bench) == {"port_unconfigured": 1}
    bench.check_conservation()


def test_a_route_by_a_port_without_an_address_is_not_used(tmp_path: Any) -> None:
    """RFC 1812 10.2.1: it is not taken for an unnumbered one."""
    bench = bare()
    routes = tmp_path / "routes"
    routes.write_text("100.0.113.0/24 dev p2\n")
    bench.only.routes_load(routes)
    bench.settle()
    out = w.exchange(bench, w.P1, [frame("100.0.113.9")])
    assert (out[w.P2], len(out[w.P3])) == ([], 1)


def test_the_fates_of_a_closed_port_are_traced() -> None:
    bench = bare()
    bench.port("p2").send(p.ether(w.M2, w.h2, p.ipv4(w.H2, w.A1, UDP)), trace=True)
    bench.run_until_idle()
    found = [(one.place, one.verdict, one.reason) for one in bench.trace_events()]
    assert ("receive", "drop", "port_unconfigured") in found
