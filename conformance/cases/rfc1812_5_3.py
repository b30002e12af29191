# SPDX-License-Identifier: MIT
"""RFC 1812 5.2.5, 5.2.6 and 5.3.1 to 5.3.5: bits that stay, fragments, broadcasts."""

from twinroute.conformance.kit import (
    A1,
    B1,
    BROADCAST,
    DF,
    DROP,
    ERR,
    FRAGMENTS,
    FWD,
    G2,
    G3,
    H2,
    ICMP,
    MF,
    P1,
    P2,
    P3,
    R1,
    REPLY,
    ROUTES,
    TCP,
    UDP,
    Route,
    T,
    Testbed,
    U,
    case,
    echo_request,
    g2,
    h2,
    ip_of,
    ping,
    tcp,
)

RESERVED = 0x8000  # flags, bit 0
LONG = bytes(i & 255 for i in range(1392))  # a packet of 1420 octets with the UDP header


@case("RFC1812-5.2.5-2")
def reserved_bits_change_nothing(t: Testbed) -> None:
    """Neither where a packet goes, nor whether it is delivered, answered or cut."""
    for tos in (0, 1, 2, 3):
        for dst, mac in ((A1, g2), (H2, h2)):
            packet = T(dst=dst, tos=tos, fragment=RESERVED)
            t.send(P1, packet)
            t.expect(FWD(packet, to=mac), note=f"TOS {tos}")
    packet = T(dst=R1, fragment=RESERVED)
    t.local(packet, ERR(packet, 3, 3), note="for the router")
    request = T(dst=R1, fragment=RESERVED, protocol=ICMP, payload=echo_request())
    t.send(P1, request)
    t.expect(REPLY(request), drop="echo_answered")
    for dst, ttl, code, reason in ((U, 64, (3, 0), "no_route"), (H2, 1, (11, 0), "ttl_expired")):
        packet = T(dst=dst, ttl=ttl, fragment=RESERVED)
        t.send(P1, packet)
        t.expect(ERR(packet, *code), drop=reason, note=reason)
    t.configure(mtu={P2: 620})
    packet = T(data=LONG, fragment=RESERVED)
    t.send(P1, packet)
    t.expect(FRAGMENTS(packet, 620), drop="fragmented")
    packet = T(data=LONG, fragment=RESERVED | DF)
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 4, 620), drop="fragmentation_needed")
    t.configure(routes=(Route("198.18.0.0/16", (G2, G3)), ROUTES[1]))
    t.goods(P1, T(dst=B1), FWD(T(dst=B1), P3))
    for sport in range(1024, 1040):
        packets = [T(sport=sport), T(sport=sport, fragment=RESERVED, tos=3)]
        t.send(P1, *packets)
        got = t.collect(count=2, note=f"one gateway of two, port {sport}")
        port = P2 if got[P2] else P3
        t.check(got[port] == [FWD(packet, port).data for packet in packets], "both by one port")


@case("RFC1812-5.2.5-3")
def flags_are_passed_on(t: Testbed) -> None:
    """The reserved flag, alone, with DF and with MF, leaves as it came."""
    for flags in (RESERVED, RESERVED | DF, RESERVED | MF, RESERVED | DF | MF):
        packet = T(fragment=flags)
        t.send(P1, packet)
        t.expect(FWD(packet), note=f"flags {flags:#06x}")


@case("RFC1812-5.2.5-4")
def reserved_bits_are_in_each_fragment(t: Testbed) -> None:
    """The reserved flag and the TOS octet are copied into every fragment."""
    t.configure(mtu={P2: 620})
    packet = T(data=LONG, fragment=RESERVED, tos=3)
    wanted = FRAGMENTS(packet, 620)
    assert len(ip_of(packet)) == 1420
    assert [(one.data[15], one.data[20] >> 7) for one in wanted] == [(3, 1)] * 3
    t.send(P1, packet)
    t.expect(wanted, drop="fragmented")


@case("RFC1812-5.2.6-2")
def nothing_is_reassembled_in_transit(t: Testbed) -> None:
    """Fragments are forwarded as they are, in any order, and one whose others never come."""
    first = T(payload=bytes(1000), fragment=MF)
    last = T(payload=bytes(400), fragment=1000 // 8)
    t.configure(mtu={P2: 1500})
    for packets in ((first, last), (last, first), (last,), (first,), (last, last)):
        t.send(P1, *packets)
        t.expect([FWD(packet) for packet in packets], note=f"{len(packets)} fragments")


@case("RFC1812-5.3.1-5")
def time_exceeded_is_for_unicast(t: Testbed) -> None:
    """A TTL that has run out: Time Exceeded, but not about a multicast."""
    t.send(P1, T(ttl=1))
    t.expect(ERR(T(ttl=1), 11, 0), drop="ttl_expired")
    for ttl in (0, 1):
        t.send(P1, T(dst="239.1.1.1", ttl=ttl, dmac="01:00:5e:01:01:01"))
        t.expect(DROP, drop="multicast", note=f"TTL {ttl}")


@case("RFC1812-5.3.4-3")
def unicast_in_link_broadcasts(t: Testbed) -> None:
    """It is dropped: an echo request, a SYN, UDP to the router; and nothing reaches the twin."""
    syn = tcp("10.1.0.2", R1, 1024, 179)
    for what, packet in {
        "echo request": ping(dmac=BROADCAST),
        "SYN": T(dst=R1, protocol=TCP, payload=syn, dmac=BROADCAST),
        "UDP": T(dst=R1, protocol=UDP, dmac=BROADCAST),
        "UDP for another": T(dst=H2, dmac=BROADCAST),
    }.items():
        t.send(P1, packet)
        t.expect(DROP, drop="link_broadcast", note=what)


@case("RFC1812-5.3.5.2-1")
def remote_broadcasts_are_unicast(t: Testbed) -> None:
    """All ones and all zeros of a remote prefix are addresses like any other."""
    for dst in ("198.18.255.255", "198.18.0.0", "198.18.7.255"):
        packet = T(dst=dst)
        t.send(P1, packet)
        t.expect(FWD(packet), note=dst)


@case("RFC1812-5.3.5.2-5", needs=("change",))
def directed_broadcasts_may_be_forwarded(t: Testbed) -> None:
    """Where the port's knob says so, as a link broadcast; and no longer when it is off again."""
    packet = T(dst="10.2.0.255")
    t.configure(knobs={"forward_directed_broadcast.p2": True})
    t.send(P1, packet)
    t.expect(FWD(packet, to=BROADCAST), note="on")
    t.send(P1, T(dst="10.2.0.255", ttl=1), T(dst="10.3.0.255"), T(dst="10.2.0.0"))
    t.expect(DROP, drop={"ttl_expired": 1, "directed_broadcast": 2}, note="these are not")
    t.reconfigure(knobs={"forward_directed_broadcast.p2": False})
    t.send(P1, packet)
    t.expect(DROP, drop="directed_broadcast", note="off")
