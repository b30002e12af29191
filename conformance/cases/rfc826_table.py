# SPDX-License-Identifier: MIT
"""RFC 826 and RFC 1122 2.3.2: what the table of neighbours learns, and when it forgets."""

from twinroute.conformance.kit import (
    ALONE,
    ASKS,
    BROADCAST,
    DROP,
    FWD,
    H1,
    H2,
    M1,
    NO_MAC,
    P1,
    P2,
    P3,
    R1,
    R2,
    T,
    Testbed,
    arp,
    case,
    h1,
    h2,
    is_at,
    who_has,
)

NEW = "02:00:00:00:01:{:02x}".format
STRANGER, THIRD = "10.1.0.77", "10.1.0.88"
TO_H1 = T(H2, H1, port=P2)


@case("RFC826-Reception-2")
def lengths_are_checked(t: Testbed) -> None:
    """Requests with other lengths, or cut short, are not answered and teach nothing."""
    t.configure(unresolved=(H1,))
    t.learn(P1, H1, h1)
    liar = NEW(0x66)
    for lengths in ((8, 4), (6, 16), (0, 4), (6, 0), (4, 6), (255, 255)):
        t.send(P1, arp(1, liar, H1, NO_MAC, R1, lengths=lengths))
        t.expect(DROP, drop="arp_malformed", note=f"lengths {lengths}")
    whole = who_has(R1, H1, liar)
    for octets in range(28):
        t.send(P1, whole[: 14 + octets])
        t.expect(DROP, drop="arp_malformed", note=f"{octets} octets")
    t.send(P2, TO_H1)
    t.expect(FWD(TO_H1, P1, to=h1), note="H1 is still h1")


@case("RFC826-Reception-3")
def any_arp_renews_an_entry(t: Testbed) -> None:
    """Requests for others, announcements in both forms, replies: all change a known address."""
    t.configure(unresolved=(H1,))
    t.learn(P1, H1, h1)
    macs = [NEW(0x10 + i) for i in range(5)]
    for what, mac, frame in (
        ("request for a third", macs[0], who_has(THIRD, H1, macs[0])),
        ("announcement", macs[1], who_has(H1, H1, macs[1])),
        ("announcement as a reply", macs[2], arp(2, macs[2], H1, macs[2], H1, to=BROADCAST)),
        ("reply to the router", macs[3], is_at(H1, macs[3], P1)),
        ("unknown opcode", macs[4], arp(9, macs[4], H1, NO_MAC, THIRD, to=BROADCAST)),
    ):
        t.send(P1, frame)
        t.expect(DROP, drop="arp_done", note=what)
        t.send(P2, TO_H1)
        t.expect(FWD(TO_H1, P1, to=mac), note=what)


@case("RFC826-Reception-4", bursts=ALONE, arp=True)
def strangers_are_not_learned(t: Testbed) -> None:
    """ARP that is not for the router makes no entry: it must be asked for."""
    mac = NEW(0x77)
    for what, frame in {
        "request for a third": who_has(THIRD, STRANGER, mac),
        "announcement": who_has(STRANGER, STRANGER, mac),
        "announcement as a reply": arp(2, mac, STRANGER, mac, STRANGER, to=BROADCAST),
        "reply to a third": arp(2, mac, STRANGER, h1, H1, to=M1),
    }.items():
        t.configure()
        t.send(P1, frame)
        t.expect(DROP, drop="arp_done", note=what)
        packet = T(H2, STRANGER, port=P2)
        t.send(P2, packet)
        t.expect(ASKS(P1, STRANGER), within_ms=100, note=what)
        t.send(P1, is_at(STRANGER, mac, P1))
        t.expect(FWD(packet, P1, to=mac), drop="arp_done", note=what)


@case("RFC826-Reception-5", arp=True)
def who_asks_is_learned(t: Testbed) -> None:
    """A station that asks for the router is known from then on."""
    mac = NEW(0x77)
    t.learn(P1, STRANGER, mac)
    packet = T(H2, STRANGER, port=P2)
    t.send(P2, packet)
    t.expect(FWD(packet, P1, to=mac))


@case("RFC1122-2.3.2.1-1", bursts=ALONE, arp=True, wait_ms=20_000)
def old_entries_are_flushed(t: Testbed) -> None:
    """A neighbour that falls silent, or takes another MAC address, is asked for anew."""
    packet = T(dst=H2)
    moved = "02:00:00:00:02:0f"
    for mac in (h2, moved):
        t.configure(
            unresolved=(H2,),
            knobs={"arp_lifetime_s": 5, "arp_retries": 2, "arp_retry_ms": 500},
        )
        t.learn(P2, H2, h2)
        t.send(P1, packet)
        t.expect(FWD(packet, to=h2), within_ms=4900, note="it is known")
        t.expect([ASKS(P2, H2, to=h2)] * 2, within_ms=1800, note="5 s old: it is asked itself")
        t.send(P1, packet)
        t.expect(ASKS(P2, H2), within_ms=10, note="and given up")
        t.send(P2, is_at(H2, mac, P2))
        t.expect(FWD(packet, to=mac), drop="arp_done", within_ms=10, note="within 7 s")


@case("RFC1122-2.3.2.1-3", bursts=ALONE, arp=True, wait_ms=12_000)
def requests_are_a_second_apart(t: Testbed) -> None:
    """5000 packets in 5 s to a silent neighbour: six requests at most, whatever the retries."""
    for knobs in ({}, {"arp_retries": 1, "arp_failed_s": 0.001}, {"arp_retries": 10}):
        t.configure(unresolved=(H2,), knobs=knobs)
        for _ in range(50):
            t.send(P1, *[T(dst=H2)] * 100)
            t.run(ms=100)
        got = t.collect(within_ms=0)[P2]
        t.check(
            all(not ASKS(P2, H2).problems(frame) for frame in got), "nothing but requests for H2"
        )
        t.check(0 < len(got) <= 6, f"{len(got)} requests instead of 1 to 6")


@case("RFC1122-2.3.2.2-1", bursts=ALONE, arp=True)
def the_latest_packet_is_kept(t: Testbed) -> None:
    """Of five packets that wait at least the last leaves, none twice; a thousand neighbours too."""
    t.configure(unresolved=(H2,))
    packets = [T(dst=H2, ident=ident) for ident in range(5)]
    for packet in packets:
        t.send(P1, packet)
        t.run(ms=2)
    t.expect(ASKS(P2, H2), within_ms=10)
    t.send(P2, is_at(H2, h2, P2))
    t.expect([FWD(packet) for packet in packets], drop="arp_done")
    _a_thousand(t, {})


@case("RFC1122-2.3.2.2-1", bursts=ALONE, arp=True)
def the_table_of_neighbours_is_bounded(t: Testbed) -> None:
    """A thousand unknown neighbours and room for a hundred: the rest is dropped and counted."""
    _a_thousand(t, {"slow_path.neighbors": 100})


def _a_thousand(t: Testbed, knobs: dict[str, int]) -> None:
    """Send to a thousand unknown neighbours at once, with packets for others in between."""
    wide = {P1: (f"{R1}/24",), P2: (f"{R2}/16",), P3: ("10.3.0.1/24",)}
    t.configure(addresses=wide, knobs=knobs)
    others = [T(ident=ident) for ident in range(10)]
    for part, other in enumerate(others):
        t.send(P1, *(T(dst=f"10.2.{100 + part}.{1 + i}") for i in range(100)), other)
    got = t.collect(within_ms=100, count=1010)
    asked = {frame[38:42] for frame in got[P2] if frame[12:14] == b"\x08\x06"}
    room = knobs.get("slow_path.neighbors", 1000)
    known = 6 if knobs else 0  # stations that are in the table anyway
    t.check(len(asked) == room - known, f"{len(asked)} were asked for")
    passed = [frame for frame in got[P2] if frame[12:14] == b"\x08\x00"]
    t.check(passed == [FWD(other).data for other in others], "the packets for others pass")
    t.check(not got[P1], "no ICMP")
    if knobs and t.has("counters"):
        dropped = {"neighbor_table_full": 1000 - len(asked)}
        t.check(dict(t.dropped()) == dropped, f"dropped: {dict(t.dropped())}")
    t.send(P2, is_at("10.2.100.1", h2, P2))
    t.expect(FWD(T(dst="10.2.100.1"), to=h2), drop="arp_done", within_ms=10)
