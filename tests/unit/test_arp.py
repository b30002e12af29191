# SPDX-License-Identifier: MIT
"""ARP: whom the router answers, what it learns from whom, and how it defends its addresses."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SECOND_PS, SILENCE, arp, asks, dropped, only, since, told
from twinroute.sim import Bench

STRANGER, s1 = "10.1.0.77", "02:00:00:00:01:77"
NEW = "02:00:00:00:01:99"  # H1 with another network card
UDP = p.udp(1024, 9, bytes(32))


def request(sender: str = w.H1, mac: str = w.h1, target: str = w.R1, *, to: str = "") -> bytes:
    """Return an ARP request as a station on p1 sends it."""
    return arp(1, mac, sender, w.NO_MAC, target, to=to)


def packet_to(destination: str) -> bytes:
    """Return a packet from H2 through p2."""
    return p.ether(w.M2, w.h2, p.ipv4(w.H2, destination, UDP))


def forwarded_to(destination: str, mac: str) -> bytes:
    """Return that packet as it leaves by p1."""
    return p.forwarded(packet_to(destination), w.M1, mac)


def table(bench: Bench) -> dict[str, tuple[str, str, str]]:
    """Return port, MAC address and state of the neighbours by address."""
    return {str(one.address): (one.port, one.mac, one.state) for one in bench.only.neighbors()}


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [p.BROADCAST, w.M1], ids=["broadcast", "unicast"])
def test_the_address_of_the_port_is_answered(to: str) -> None:
    bench = w.bed()
    out = w.exchange(bench, w.P1, [request(to=to)])
    assert out == only(p1=[arp(2, w.M1, w.R1, w.h1, w.H1)])
    assert dropped(bench) == {"arp_done": 1}
    assert bench.only.counters().generated == 1


@pytest.mark.parametrize(
    "target",
    [
        *(w.R2, w.R3, w.H2, w.H1, "10.1.0.99", w.A1),
        *("10.1.0.255", "10.1.0.0", "255.255.255.255", "224.0.0.1", "0.0.0.0", "127.0.0.1"),
    ],
)
def test_no_other_address_is_answered(target: str) -> None:
    """No proxy ARP, and nothing for a broadcast address (RFC 922 7.1)."""
    bench = w.bed()
    assert w.exchange(bench, w.P1, [request(target=target)]) == SILENCE
    assert dropped(bench) == {"arp_done": 1}


@pytest.mark.parametrize("operation", [0, 2, 3, 4, 8, 0xFFFF])
def test_only_requests_are_answered(operation: int) -> None:
    bench = w.bed(resolved=False)
    frame = arp(operation, s1, STRANGER, w.NO_MAC, w.R1, to=w.M1)
    assert w.exchange(bench, w.P1, [frame]) == SILENCE
    assert dropped(bench) == {"arp_done": 1}


def test_every_address_of_a_port_is_answered_and_used() -> None:
    """The sender of a request is the own address in the subnet of the target."""
    bench = Bench(guard_tables=True)
    addresses = ["10.1.0.1/24", "10.8.0.1/24", "10.8.0.3/24", "192.0.2.1/31"]
    port = {"p1": {"address": addresses, "mac": w.M1}}
    router = bench.router(port=port, route=[{"to": "198.18.0.0/16", "via": "10.8.0.9"}])
    station = bench.station("s1")
    bench.link(station, router.port("p1"), rate="unlimited")
    for address in addresses:
        station.send(request(target=address.split("/")[0]))
    bench.run(us=1)
    own = [address.split("/")[0] for address in addresses]
    assert w.received(bench, "p1") == [arp(2, w.M1, one, w.h1, w.H1) for one in own]
    bench.port("p1").clear()
    for destination in ("10.1.0.9", w.A1, "192.0.2.0"):
        station.send(p.ether(w.M1, w.h1, p.ipv4(w.H1, destination, UDP)))
    bench.run(us=1)
    asked = [("10.1.0.1", "10.1.0.9"), ("10.8.0.1", "10.8.0.9"), ("192.0.2.1", "192.0.2.0")]
    expected = [asks("p1", target, sender=sender) for sender, target in asked]
    assert w.received(bench, "p1") == expected


def test_a_probe_is_answered_and_not_learned() -> None:
    """RFC 5227 2.5: the sender has no address yet."""
    bench = w.bed(resolved=False)
    out = w.exchange(bench, w.P1, [request(sender="0.0.0.0", mac=s1)])
    assert out == only(p1=[arp(2, w.M1, w.R1, s1, "0.0.0.0")])
    assert table(bench) == {}


# --- learning -------------------------------------------------------------------------------------


def test_who_asks_the_router_is_learned() -> None:
    bench = w.bed(resolved=False)
    w.exchange(bench, w.P1, [request(STRANGER, s1)])
    assert table(bench) == {STRANGER: ("p1", s1, "reachable")}
    assert w.exchange(bench, w.P2, [packet_to(STRANGER)]) == only(p1=[forwarded_to(STRANGER, s1)])


@pytest.mark.parametrize(
    "frame",
    [
        request(STRANGER, s1, "10.1.0.88"),
        request(STRANGER, s1, STRANGER),
        arp(2, s1, STRANGER, s1, STRANGER, to=p.BROADCAST),
        arp(2, s1, STRANGER, w.h1, w.H1, to=p.BROADCAST),
    ],
    ids=["request of another", "gratuitous request", "gratuitous reply", "reply to another"],
)
def test_who_does_not_mean_the_router_is_not_learned(frame: bytes) -> None:
    bench = w.bed(resolved=False)
    assert w.exchange(bench, w.P1, [frame]) == SILENCE
    assert table(bench) == {}
    assert dropped(bench) == {"arp_done": 1}
    bench.port(w.P2).send(packet_to(STRANGER))
    bench.run(us=1)
    assert w.received(bench, w.P1) == [asks(w.P1, STRANGER)]


@pytest.mark.parametrize(
    "frame",
    [
        request(w.H1, NEW, "10.1.0.88"),
        request(w.H1, NEW, w.H1),
        arp(2, NEW, w.H1, NEW, w.H1, to=p.BROADCAST),
        arp(2, NEW, w.H1, s1, STRANGER, to=w.M1),
        arp(2, NEW, w.H1, w.M1, w.R1),
        arp(9, NEW, w.H1, w.M1, w.R1),
    ],
    ids=[
        *("request of another", "gratuitous request", "gratuitous reply", "reply to another"),
        *("reply", "other operation"),
    ],
)
def test_a_known_neighbor_is_updated_by_any_packet(frame: bytes) -> None:
    bench = w.bed(resolved=False)
    w.exchange(bench, w.P1, [request()])
    assert w.exchange(bench, w.P2, [packet_to(w.H1)]) == only(p1=[forwarded_to(w.H1, w.h1)])
    assert w.exchange(bench, w.P1, [frame]) == SILENCE
    assert table(bench) == {w.H1: ("p1", NEW, "reachable")}
    assert w.exchange(bench, w.P2, [packet_to(w.H1)]) == only(p1=[forwarded_to(w.H1, NEW)])


@pytest.mark.parametrize(
    "sender", [w.H2, w.R2, "198.51.100.1", "10.1.0.0", "10.1.0.255", "127.0.0.1", "255.255.255.255"]
)
def test_who_cannot_be_on_the_link_is_not_learned(sender: str) -> None:
    bench = w.bed(resolved=False)
    out = w.exchange(bench, w.P1, [request(sender, s1)])
    assert out == only(p1=[arp(2, w.M1, w.R1, s1, sender)])
    assert table(bench) == {}


@pytest.mark.parametrize(("own", "peer"), [("10.9.0.0", "10.9.0.1"), ("10.9.0.1", "10.9.0.0")])
def test_both_ends_of_a_31_are_hosts(own: str, peer: str) -> None:
    """RFC 3021 2.1: there is no broadcast address."""
    bench = Bench(guard_tables=True)
    router = bench.router(port={"p1": {"address": f"{own}/31", "mac": w.M1}})
    bench.link(bench.station("peer"), router.port("p1"), rate="unlimited")
    bench.port("p1").send(request(peer, w.h1, own))
    bench.run_until_idle()
    assert w.received(bench, "p1") == [arp(2, w.M1, own, w.h1, peer)]
    assert table(bench) == {peer: ("p1", w.h1, "reachable")}


# --- what is no ARP for Ethernet and IPv4 ---------------------------------------------------------


def changed(at: int, value: bytes) -> bytes:
    """Return a stranger's request with octets of the ARP packet changed."""
    at += 14
    frame = request(STRANGER, s1)
    return frame[:at] + value + frame[at + len(value) :]


MALFORMED = {
    "hardware 6": changed(0, b"\0\6"),
    "hardware 0": changed(0, b"\0\0"),
    "protocol ARP": changed(2, b"\x08\6"),
    "protocol trailer": changed(2, b"\x10\1"),
    "MAC of 8": changed(4, b"\x08"),
    "MAC of 5": changed(4, b"\5"),
    "address of 16": changed(5, b"\x10"),
    "address of 0": changed(5, b"\0"),
    "sender's MAC a group": changed(8, b"\1\0\x5e\0\0\1"),
    "sender's MAC all ones": changed(8, b"\xff" * 6),
    "sender's MAC zero": changed(8, bytes(6)),
    **{f"cut to {end}": request(STRANGER, s1)[:end] for end in (14, 15, 22, 27, 33, 41)},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name: str) -> None:
    bench = w.bed(resolved=False)
    assert w.exchange(bench, w.P1, [MALFORMED[name]]) == SILENCE
    assert dropped(bench) == {"arp_malformed": 1}
    assert table(bench) == {}


def test_the_shortest_packet_is_enough() -> None:
    bench = w.bed()
    assert w.exchange(bench, w.P1, [request()[:42]]) == only(p1=[arp(2, w.M1, w.R1, w.h1, w.H1)])


@pytest.mark.parametrize("mac", [p.BROADCAST, "01:00:5e:00:00:01", w.NO_MAC])
def test_a_group_address_is_not_believed(mac: str) -> None:
    """RFC 1812 3.3.2; a right answer is taken all the same."""
    bench = w.bed(resolved=False)
    bench.port(w.P2).send(packet_to(w.H1))
    bench.run(us=1)
    bench.port(w.P1).send(arp(2, mac, w.H1, w.M1, w.R1))
    bench.run(us=1)
    assert w.received(bench, w.P1) == [asks(w.P1, w.H1)]
    assert table(bench)[w.H1][2] == "incomplete"
    bench.port(w.P1).send(told(w.P1, w.h1, w.H1))
    bench.run_until_idle()
    assert w.received(bench, w.P1)[1:] == [forwarded_to(w.H1, w.h1)]
    assert dropped(bench) == {"arp_malformed": 1, "arp_done": 1}


# --- conflicts ------------------------------------------------------------------------------------

ANNOUNCEMENT = asks(w.P1, w.R1)
CLAIMS = {
    "request": request(w.R1, s1, w.H1),
    "reply": arp(2, s1, w.R1, w.h1, w.H1, to=p.BROADCAST),
    "gratuitous request": request(w.R1, s1, w.R1),
    "gratuitous reply": arp(2, s1, w.R1, w.M1, w.R1, to=p.BROADCAST),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_an_own_address_is_defended(name: str) -> None:
    """RFC 5227 2.4 (c): by one announcement, and the address stays in use."""
    bench = w.bed(resolved=False)
    assert w.exchange(bench, w.P1, [CLAIMS[name]]) == only(p1=[ANNOUNCEMENT])
    assert dropped(bench) == {"arp_conflict": 1}
    assert table(bench) == {}
    out = w.exchange(bench, w.P1, [request()])
    assert out == only(p1=[arp(2, w.M1, w.R1, w.h1, w.H1)])
    assert [hop.kind for hop in bench.only.lookup([w.R1])] == ["local"]


def test_one_defence_in_ten_seconds() -> None:
    bench = w.bed()
    start = bench.now_ps
    offsets = [0, *range(1, 100), 5 * 10**9, 10**10 - 1, 10**10, 10**10 + 1, 2 * 10**10]  # ns
    for ns in offsets:
        bench.port(w.P1).send(CLAIMS["reply"], at_ps=start + ns * 1000)
    bench.run_until_idle(30_000_000)
    seconds = [0, 10 * SECOND_PS, 20 * SECOND_PS]
    assert since(bench, w.P1, start) == [(at, ANNOUNCEMENT) for at in seconds]
    assert dropped(bench) == {"arp_conflict": len(offsets)}


def test_each_address_has_its_own_defence() -> None:
    bench = w.bed()
    first = w.exchange(bench, w.P1, [CLAIMS["reply"]])
    second = w.exchange(bench, w.P2, [arp(2, s1, w.R2, w.h2, w.H2, to=w.M2)])
    assert (first, second) == (only(p1=[ANNOUNCEMENT]), only(p2=[asks(w.P2, w.R2)]))


def test_an_address_of_another_port_is_no_conflict() -> None:
    bench = w.bed()
    assert w.exchange(bench, w.P1, [request(w.R2, s1, w.H1)]) == SILENCE
    assert dropped(bench) == {"arp_done": 1}


def test_an_own_frame_that_comes_back_is_no_conflict() -> None:
    bench = w.bed()
    assert w.exchange(bench, w.P1, [ANNOUNCEMENT, asks(w.P1, w.H1)]) == SILENCE
    assert dropped(bench) == {"arp_done": 2}
