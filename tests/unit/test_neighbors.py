# SPDX-License-Identifier: MIT
"""The neighbour table: packets that wait, requests and their times, ageing, bounds."""

from typing import Any

import pytest

from tests import answers
from tests import packets as p
from tests import worlds as w
from tests.answers import SECOND_PS, arp, asks, dropped, only, since, told
from twinroute.sim import Bench

MS_PS = SECOND_PS // 1000
NEW = "02:00:00:00:02:99"  # H2 with another network card


def packet(destination: str = w.H2, ident: int = 0) -> bytes:
    """Return a packet of H1."""
    return p.ipv4(w.H1, destination, p.udp(1024, 9, bytes(32)), ident=ident)


def frame(destination: str = w.H2, ident: int = 0) -> bytes:
    """Return a packet of H1 in its frame into p1."""
    return p.ether(w.M1, w.h1, packet(destination, ident))


def passed(destination: str = w.H2, ident: int = 0, *, mac: str = w.h2) -> bytes:
    """Return what leaves by p2 for it."""
    return p.forwarded(frame(destination, ident), w.M2, mac)


def bed(**slow: Any) -> Bench:
    """Return the test bed where only H1 is known, and that for good."""
    bench = w.bed(resolved=False, slow=slow)
    bench.only.neighbor_set(w.P1, w.H1, w.h1)
    bench.run(us=0)
    return bench


def states(bench: Bench) -> dict[str, str]:
    """Return the states of the neighbours of p2 by address."""
    return {str(one.address): one.state for one in bench.only.neighbors() if one.port == w.P2}


def learned(bench: Bench) -> list[str]:
    """Return the host routes that were learned behind p2."""
    return [
        str(one.to) for one in bench.only.routes() if (one.source, one.port) == ("learned", "p2")
    ]


# --- resolution -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "neighbor", "mac"), [(w.H2, w.H2, w.h2), (w.A1, w.G2, w.g2)]
)
def test_the_first_packet_waits_and_further_ones_are_fast(
    destination: str, neighbor: str, mac: str
) -> None:
    """RFC 1812 3.3.2: no error because an entry is missing; RFC 826: who is asked is the hop."""
    bench = bed()
    start = bench.now_ps
    bench.port(w.P1).send(frame(destination))
    bench.run(us=200_000)
    assert since(bench, w.P2, start) == [(0, asks(w.P2, neighbor))]
    assert states(bench) == {neighbor: "incomplete"}
    assert bench.only.held() == 1
    bench.port(w.P2).send(told(w.P2, mac, neighbor))
    bench.run_until_idle()
    assert since(bench, w.P2, start)[1:] == [(200 * MS_PS, passed(destination, mac=mac))]
    assert learned(bench) == [f"{neighbor}/32"]
    punted = bench.only.counters().punted
    assert punted == {"neighbor": 1, "arp": 1}
    out = w.exchange(bench, w.P1, [frame(destination, ident) for ident in range(67)])
    assert out == only(p2=[passed(destination, ident, mac=mac) for ident in range(67)])
    assert bench.only.counters().punted == punted
    assert dropped(bench) == {"arp_done": 1}


def test_all_that_waits_leaves_in_order() -> None:
    bench = bed()
    for ident in range(16):
        bench.port(w.P1).send(frame([w.H2, w.A1][ident % 2], ident))
    bench.run(us=1)
    assert w.received(bench, w.P2) == [asks(w.P2, w.H2), asks(w.P2, w.G2)]
    bench.port(w.P2).send(told(w.P2, w.g2, w.G2), told(w.P2, w.h2, w.H2))
    bench.run_until_idle()
    by_g2 = [passed(w.A1, ident, mac=w.g2) for ident in range(1, 16, 2)]
    by_h2 = [passed(w.H2, ident) for ident in range(0, 16, 2)]
    assert w.received(bench, w.P2)[2:] == by_g2 + by_h2
    assert w.received(bench, w.P1) == []
    bench.check_conservation()


def test_the_newest_packets_wait() -> None:
    """RFC 1122 2.3.2.2: at least the latest one is kept."""
    bench = bed(neighbor_pending=4)
    for ident in range(7):
        bench.port(w.P1).send(frame(ident=ident))
    bench.run(us=1)
    assert [one.pending for one in bench.only.neighbors() if one.port == w.P2] == [4]
    bench.port(w.P2).send(told(w.P2, w.h2, w.H2))
    bench.run_until_idle()
    expected = [asks(w.P2, w.H2), *(passed(ident=ident) for ident in range(3, 7))]
    assert w.received(bench, w.P2) == expected
    assert dropped(bench) == {"neighbor_queue_full": 3, "arp_done": 1}
    bench.check_conservation()


def test_a_request_of_the_neighbor_resolves_it_too() -> None:
    bench = bed()
    bench.port(w.P1).send(frame())
    bench.run(us=1)
    bench.port(w.P2).send(arp(1, w.h2, w.H2, w.NO_MAC, "10.2.0.88"))
    bench.run_until_idle()
    assert w.received(bench, w.P2) == [asks(w.P2, w.H2), passed()]


@pytest.mark.parametrize("port", [w.P1, w.P3])
def test_an_answer_at_another_port_does_not_count(port: str) -> None:
    bench = bed(arp_retry_ms=1)
    bench.port(w.P1).send(frame())
    bench.run(us=1)
    bench.port(port).send(told(port, w.h2, w.H2))
    bench.run(us=1)
    assert states(bench) == {w.H2: "incomplete"}
    assert [one.port for one in bench.only.neighbors()] == [w.P1, w.P2]
    bench.run_until_idle()
    assert dropped(bench) == {"arp_done": 1, "neighbor_failed": 1}


def test_the_same_address_at_another_port_is_another_neighbor() -> None:
    bench = bed(neighbors=4)
    bench.only.neighbor_set(w.P3, w.H2, w.h3)
    bench.port(w.P1).send(frame())
    bench.run(us=1)
    assert w.received(bench, w.P2) == [asks(w.P2, w.H2)]
    assert w.received(bench, w.P3) == []


def test_what_waits_is_routed_by_the_routes_of_the_answer() -> None:
    bench = bed()
    bench.only.neighbor_set(w.P3, w.G3, w.g3)
    bench.port(w.P1).send(frame(w.A1))
    bench.run(us=1)
    bench.only.route_add("198.18.0.0/24", w.G3)
    bench.run(us=1)
    bench.port(w.P2).send(told(w.P2, w.g2, w.G2))
    bench.run_until_idle()
    assert w.received(bench, w.P2) == [asks(w.P2, w.G2)]
    assert w.received(bench, w.P3) == [p.forwarded(frame(w.A1), w.M3, w.g3)]


# --- nobody answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retries", "retry_ms", "requests_ms", "failed_ms"),
    [
        (3, 1000, [0, 1000, 3000], 7000),
        (1, 10, [0], 10),
        (5, 100, [0, 100, 300, 700, 1500], 3100),
    ],
)
def test_requests_grow_rarer_and_end(
    retries: int, retry_ms: int, requests_ms: list[int], failed_ms: int
) -> None:
    """RFC 1122 2.3.2.1; then one packet gets host unreachable, not each (RFC 1812 3.3.2)."""
    bench = bed(arp_retries=retries, arp_retry_ms=retry_ms)
    start = bench.now_ps
    for ident in range(3):
        bench.port(w.P1).send(frame(ident=ident))
    bench.run_until_idle(20_000_000)
    asked = [(ms * MS_PS, asks(w.P2, w.H2)) for ms in requests_ms]
    assert since(bench, w.P2, start) == asked
    error = answers.error_to_h1(packet(ident=0), 3, 1)
    assert since(bench, w.P1, start) == [(failed_ms * MS_PS, error)]
    assert dropped(bench) == {"neighbor_failed": 3}
    assert states(bench) == {w.H2: "failed"}
    bench.check_conservation()


def test_one_that_does_not_answer_is_left_alone_and_asked_again() -> None:
    bench = bed(arp_retries=1, arp_retry_ms=1000, arp_failed_s=20.0)
    start = bench.now_ps
    for second in (0, 2, 20):
        bench.port(w.P1).send(frame(ident=second), at_ps=start + second * SECOND_PS)
    bench.run_until_idle(30_000_000)
    assert since(bench, w.P2, start) == [(0, asks(w.P2, w.H2))]
    errors = [
        (at * SECOND_PS, answers.error_to_h1(packet(ident=i), 3, 1))
        for at, i in ((1, 0), (2, 2), (20, 20))
    ]
    assert since(bench, w.P1, start) == errors
    bench.run(ps=start + 21 * SECOND_PS - bench.now_ps)
    assert states(bench) == {}
    bench.port(w.P1).send(frame(ident=21))
    bench.run(us=1)
    assert since(bench, w.P2, start)[1:] == [(21 * SECOND_PS, asks(w.P2, w.H2))]


def test_an_answer_after_all_counts() -> None:
    bench = bed(arp_retries=1, arp_retry_ms=10)
    w.exchange(bench, w.P1, [frame()])
    assert states(bench) == {w.H2: "failed"}
    w.exchange(bench, w.P2, [told(w.P2, w.h2, w.H2)])
    assert states(bench) == {w.H2: "reachable"}
    assert w.exchange(bench, w.P1, [frame()]) == only(p2=[passed()])


def test_many_packets_do_not_mean_many_requests() -> None:
    bench = bed()
    start = bench.now_ps
    for ms in range(5000):
        bench.port(w.P1).send(frame(ident=ms), at_ps=start + ms * MS_PS)
    bench.run_until_idle(20_000_000)
    asked = [(at * SECOND_PS, asks(w.P2, w.H2)) for at in (0, 1, 3)]
    assert since(bench, w.P2, start) == asked
    assert len(w.received(bench, w.P1)) == 1


@pytest.mark.parametrize("destination", ["10.2.0.0", "10.2.0.255", "10.2.0.1"])
def test_no_request_for_what_is_no_neighbor(destination: str) -> None:
    """RFC 1812 4.2.3.1."""
    out = w.exchange(bed(), w.P1, [frame(destination)])
    assert [one for frames in out.values() for one in frames if one[12:14] == b"\x08\x06"] == []


# --- ageing ---------------------------------------------------------------------------------------


def test_an_old_entry_is_refreshed_by_unicast() -> None:
    """RFC 1122 2.3.2.1 (2): asked at its own MAC address, and used meanwhile."""
    bench = bed(arp_lifetime_s=5.0)
    start = bench.now_ps
    w.exchange(bench, w.P2, [told(w.P2, w.h2, w.H2)])
    bench.port(w.P2).send(told(w.P2, w.h2, w.H2), at_ps=start + 6500 * MS_PS)
    bench.port(w.P1).send(frame(), at_ps=start + 6000 * MS_PS)
    bench.run(us=11_400_000)
    sent = since(bench, w.P2, start)
    assert [one for one in sent if one[1] != passed()] == [
        (5 * SECOND_PS, asks(w.P2, w.H2, to=w.h2)),
        (6 * SECOND_PS, asks(w.P2, w.H2, to=w.h2)),
    ]
    assert len(sent) == 3
    assert states(bench) == {w.H2: "reachable"}
    bench.run(us=100_000)
    assert since(bench, w.P2, start)[3:] == [(11500 * MS_PS, asks(w.P2, w.H2, to=w.h2))]
    assert states(bench) == {w.H2: "refreshing"}
    assert bench.only.counters().punted == {"arp": 2}


def test_a_silent_neighbor_is_forgotten() -> None:
    bench = bed(arp_lifetime_s=5.0)
    start = bench.now_ps
    w.exchange(bench, w.P2, [told(w.P2, w.h2, w.H2)])
    bench.run(ps=start + 12 * SECOND_PS - 1000 - bench.now_ps)
    assert (states(bench), learned(bench)) == ({w.H2: "refreshing"}, [f"{w.H2}/32"])
    bench.run(ps=1000)
    assert (states(bench), learned(bench)) == ({}, [])
    unicast = asks(w.P2, w.H2, to=w.h2)
    assert since(bench, w.P2, start) == [(at * SECOND_PS, unicast) for at in (5, 6, 8)]
    bench.port(w.P1).send(frame())
    bench.run(us=1)
    assert since(bench, w.P2, start)[3:] == [(12 * SECOND_PS, asks(w.P2, w.H2))]


def test_a_new_network_card_is_found_in_time() -> None:
    """RFC 1122 2.3.2.1: who has the address now answers the broadcast."""
    bench = w.bed(
        resolved=False, slow={"arp_lifetime_s": 5.0, "arp_retries": 2, "arp_retry_ms": 500}
    )
    start = bench.now_ps
    bench.only.neighbor_set(w.P1, w.H1, w.h1)
    w.exchange(bench, w.P2, [told(w.P2, w.h2, w.H2)])
    for tenth in range(80):
        bench.port(w.P1).send(frame(ident=tenth), at_ps=start + (100 * tenth + 50) * MS_PS)
    bench.run(ps=start + 6600 * MS_PS - bench.now_ps)
    assert since(bench, w.P2, start)[-1] == (6550 * MS_PS, asks(w.P2, w.H2))
    bench.port(w.P2).send(told(w.P2, NEW, w.H2))
    bench.run_until_idle()
    out = w.received(bench, w.P2)
    assert [out.count(passed(ident=i)) for i in range(80)] == [1] * 65 + [0] * 15
    assert [out.count(passed(ident=i, mac=NEW)) for i in range(80)] == [0] * 65 + [1] * 15


# --- static neighbours ----------------------------------------------------------------------------


def test_a_static_neighbor_stays_as_it_is() -> None:
    bench = bed(arp_lifetime_s=1.0)
    bench.only.neighbor_set(w.P2, w.H2, w.h2)
    out = w.exchange(bench, w.P2, [told(w.P2, NEW, w.H2), arp(1, NEW, w.H2, w.NO_MAC, w.R2)])
    assert out == only(p2=[arp(2, w.M2, w.R2, NEW, w.H2)])
    bench.run(us=60_000_000)
    assert w.exchange(bench, w.P1, [frame()]) == only(p2=[passed()])
    (entry,) = [one for one in bench.only.neighbors() if one.port == w.P2]
    assert (entry.mac, entry.state, entry.static) == (w.h2, "reachable", True)


def test_a_static_neighbor_is_deleted() -> None:
    bench = bed()
    bench.only.neighbor_set(w.P2, w.H2, w.h2)
    bench.only.neighbor_delete(w.P2, w.H2)
    bench.run(us=0)
    assert (states(bench), learned(bench)) == ({}, [])
    bench.port(w.P1).send(frame())
    bench.run(us=1)
    assert w.received(bench, w.P2) == [asks(w.P2, w.H2)]


@pytest.mark.parametrize("late", [False, True], ids=["while a packet waits", "after it failed"])
def test_a_static_neighbor_ends_the_search(late: bool) -> None:
    bench = bed(arp_retry_ms=10)
    start = bench.now_ps
    bench.port(w.P1).send(frame(ident=1))
    bench.run(us=80_000 if late else 15_000)
    bench.only.neighbor_set(w.P2, w.H2, NEW)
    bench.port(w.P1).send(frame(ident=2))
    bench.run_until_idle()
    bench.run(us=60_000_000)
    requests = [(ms * MS_PS, asks(w.P2, w.H2)) for ms in ((0, 10, 30) if late else (0, 10))]
    sent = since(bench, w.P2, start)
    assert sent[: len(requests)] == requests
    ours = [passed(ident=ident, mac=NEW) for ident in ((2,) if late else (1, 2))]
    assert [data for _, data in sent[len(requests) :]] == ours


def test_what_is_not_static_is_not_deleted() -> None:
    bench = bed()
    w.exchange(bench, w.P2, [told(w.P2, w.h2, w.H2), arp(1, w.h2, w.H2, w.NO_MAC, w.R2)])
    bench.only.neighbor_delete(w.P2, w.H2)
    bench.only.neighbor_delete(w.P2, "10.2.0.9")
    bench.run(us=0)
    assert states(bench) == {w.H2: "reachable"}


# --- bounds ---------------------------------------------------------------------------------------


def test_the_table_is_bounded() -> None:
    bench = bed(neighbors=5, arp_retry_ms=10)
    hosts = [f"10.2.0.{host}" for host in range(10, 20)]
    bench.port(w.P1).send(*(frame(host) for host in hosts))
    bench.run(us=1)
    assert list(states(bench)) == hosts[:4]
    assert w.received(bench, w.P2) == [asks(w.P2, host) for host in hosts[:4]]
    assert dropped(bench) == {"neighbor_table_full": 6}
    bench.run_until_idle()
    assert set(states(bench).values()) == {"failed"}
    # Who failed makes room; who waits or is known does not.
    bench.port(w.P2).clear()
    bench.port(w.P1).send(*(frame(host) for host in hosts[4:]))
    bench.run(us=1)
    assert list(states(bench)) == hosts[4:8]
    assert w.received(bench, w.P2) == [asks(w.P2, host) for host in hosts[4:8]]
    assert dropped(bench)["neighbor_table_full"] == 8
    bench.check_conservation()


def test_a_full_table_learns_nobody() -> None:
    bench = bed(neighbors=1)
    out = w.exchange(bench, w.P2, [arp(1, w.h2, w.H2, w.NO_MAC, w.R2)])
    assert out == only(p2=[arp(2, w.M2, w.R2, w.h2, w.H2)])
    assert states(bench) == {}


def test_a_scan_of_the_network_hurts_nobody_else() -> None:
    bench = w.bed(slow={"neighbors": 64, "arp_retry_ms": 10})
    scan = [frame(f"10.2.0.{host}") for host in range(3, 250)]
    good = [frame(w.A1, ident) for ident in range(len(scan))]
    mixed = [one for pair in zip(scan, good, strict=True) for one in pair]
    out = w.exchange(bench, w.P1, mixed)
    assert [one for one in out[w.P2] if one[12:14] == b"\x08\0"] == [
        passed(w.A1, ident, mac=w.g2) for ident in range(len(good))
    ]
    assert dropped(bench) == {"neighbor_table_full": 247 - 58, "neighbor_failed": 58}
