# SPDX-License-Identifier: MIT
"""RFC 5227: announcements of the router's addresses, and conflicts about them."""

from itertools import pairwise

from twinroute.conformance.kit import (
    ALONE,
    DROP,
    FWD,
    H1,
    H2,
    M1,
    NO_MAC,
    OUT,
    P1,
    P2,
    P3,
    R1,
    REPLY,
    TELLS,
    T,
    Testbed,
    Wanted,
    arp,
    case,
    h1,
    ping,
)

ADDED = "10.1.0.9"
NET = {P1: (f"{R1}/24",), P2: ("10.2.0.1/24",), P3: ("10.3.0.1/24",)}
LIAR = "02:00:00:00:01:66"


def announcement(address: str) -> Wanted:
    """Expect the router's announcement of an address at P1."""
    return OUT(P1, arp(1, M1, address, NO_MAC, address), f"announcement of {address}")


def times(t: Testbed, *frames: Wanted, seconds: int) -> list[list[int]]:
    """Return when each of these frames leaves P1, in tenths of a second; nothing else may."""
    when: list[list[int]] = [[] for _ in frames]
    for tenth in range(seconds * 10):
        got = t.collect(within_ms=100)
        for frame in got.pop(P1):
            places = [i for i, one in enumerate(frames) if not one.problems(frame)]
            t.check(places, f"neither probe nor announcement: {frame.hex()}")
            when[places[0]].append(tenth)
        t.check(not any(got.values()), "nothing at other places")
    return when


@case(
    "RFC5227-2.3-1",
    bursts=ALONE,
    needs=("change", "link", "virtual-time"),
    arp=True,
    wait_ms=30_000,
)
def addresses_are_announced(t: Testbed) -> None:
    """After three probes without an answer, and when the link comes up: twice, 2 s apart."""
    t.configure(knobs={"arp_announce": True})
    t.run(s=10)
    t.collect(within_ms=0, note="what is announced at the start")
    t.reconfigure(addresses={**NET, P1: (f"{R1}/24", f"{ADDED}/24")})
    probe = OUT(P1, arp(1, M1, "0.0.0.0", NO_MAC, ADDED), "probe")
    probes, announced = times(t, probe, announcement(ADDED), seconds=12)
    t.check(len(probes) == 3, f"{len(probes)} probes")
    t.check(all(10 <= b - a <= 21 for a, b in pairwise(probes)), str(probes))
    t.check(len(announced) == 2 and 19 <= announced[1] - announced[0] <= 21, str(announced))
    t.check(announced[0] > probes[-1], "the announcement comes after the probes")
    request = ping(ADDED)
    t.send(P1, request)
    t.expect(REPLY(request), drop="echo_answered", within_ms=1, note="it is in use")
    t.link(P1, up=False)
    t.run(s=1)
    t.collect(within_ms=0, note="down")
    t.link(P1, up=True)
    both = times(t, announcement(R1), announcement(ADDED), seconds=6)
    for when in both:
        t.check(len(when) == 2 and 19 <= when[1] - when[0] <= 21, f"link up: {when}")


@case("RFC5227-2.4-1", "RFC5227-2.4-2", bursts=ALONE, arp=True, wait_ms=15_000)
def own_addresses_are_defended(t: Testbed) -> None:
    """Another station with the router's address: counted, answered once in 10 s, no more."""
    for first, second in ((2, 1), (1, 2)):
        t.configure()
        t.send(P1, _claim(first))
        t.expect(announcement(R1), drop="arp_conflict", within_ms=100, note=f"opcode {first}")
        t.send(P1, _claim(second))
        t.expect(DROP, drop="arp_conflict", within_ms=9800, note=f"then {second}")
        t.send(P1, ping())
        t.expect(REPLY(ping()), drop="echo_answered", within_ms=100, note="in use")
        t.send(P1, arp(1, h1, H1, NO_MAC, R1))
        t.expect(TELLS(P1, h1, H1), drop="arp_done", within_ms=100, note="and told of")
        t.send(P1, _claim(first))
        t.expect(announcement(R1), drop="arp_conflict", within_ms=100, note="10 s later")


def _claim(operation: int) -> bytes:
    """Return an ARP packet by which H1's station claims the router's address."""
    return arp(operation, h1, R1, h1 if operation == 2 else NO_MAC, R1, to=M1)


@case("RFC5227-2.4-3", bursts=ALONE, arp=True, wait_ms=6_000)
def a_flood_of_claims(t: Testbed) -> None:
    """A hundred conflicting packets in 5 s: one announcement."""
    t.configure()
    for i in range(100):
        t.send(P1, _claim(1 + i % 2))
        t.run(ms=50)
    t.expect(announcement(R1), drop="arp_conflict", within_ms=100)


@case("RFC5227-2.5-1", arp=True)
def probes_are_answered(t: Testbed) -> None:
    """Who probes for the router's address is told whose it is; nobody is learned from a probe."""
    nobody = "0.0.0.0"
    t.send(P1, arp(1, h1, nobody, NO_MAC, R1))
    t.expect(TELLS(P1, h1, nobody), drop="arp_done")
    t.send(P1, arp(1, LIAR, nobody, NO_MAC, "10.1.0.99"))
    t.expect(DROP, drop="arp_done", note="for another address")
    packet = T(H2, H1, port=P2)
    t.send(P2, packet)
    t.expect(FWD(packet, P1, to=h1))
    known = {str(one.address) for one in t.router.neighbors()}
    t.check(nobody not in known, "no entry for 0.0.0.0")
