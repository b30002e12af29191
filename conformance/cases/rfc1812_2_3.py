# SPDX-License-Identifier: MIT
"""RFC 1812 2 and 3: prefixes without classes, and the link layer."""

from twinroute.conformance.kit import (
    ALONE,
    ANY,
    ASKS,
    BROADCAST,
    DROP,
    ERR,
    FRAGMENTS,
    FWD,
    G2,
    G3,
    H1,
    H2,
    M1,
    M2,
    NO_MAC,
    P1,
    P2,
    P3,
    R1,
    R2,
    ROUTES,
    TELLS,
    Route,
    T,
    Testbed,
    arp,
    case,
    ether,
    h1,
    h2,
    ip_of,
    is_at,
    who_has,
)

NET = {P1: ("10.1.0.1/24", "10.11.0.1/24"), P2: ("10.2.0.1/24",), P3: ("10.3.0.1/24",)}
OTHER = "02:00:00:00:01:0b"  # of 10.11.0.2


@case("RFC1812-2.2.5.1-2")
def two_subnets_on_a_port(t: Testbed) -> None:
    """Packets go from one subnet to the other by the same port, as between two ports."""
    t.configure(addresses=NET, neighbors={P1: {"10.11.0.2": OTHER}})
    there = T("10.11.0.2", H1, smac=OTHER)
    back = T(H1, "10.11.0.2")
    t.send(P1, there)
    t.expect(FWD(there, P1, to=h1), drop=ANY, note="to 10.1.0.2")
    t.send(P1, back)
    t.expect(FWD(back, P1, to=OTHER), drop=ANY, note="to 10.11.0.2")


@case("RFC1812-2.2.5.2-1")
def classes_play_no_part(t: Testbed) -> None:
    """Routes of lengths that cut across class A, B and C, at both of their ends."""
    routes = {
        Route("10.96.0.0/13", G2): ("10.103.255.1", "10.96.0.0", "10.103.255.255"),
        Route("192.168.76.0/22", G3): ("192.168.79.9", "192.168.76.0", "192.168.79.255"),
        Route("172.0.0.0/7", G2): ("172.1.2.3", "173.255.255.254"),
        Route("10.200.77.128/25", G3): ("10.200.77.255",),
    }
    t.configure(routes=(*ROUTES, *routes))
    for route, inside in routes.items():
        for dst in inside:
            packet = T(dst=dst)
            t.send(P1, packet)
            t.expect(FWD(packet, P2 if route.via == G2 else P3), note=f"{dst} in {route.to}")
    for dst in ("10.95.255.255", "10.104.0.0", "192.168.75.255", "192.168.80.0", "10.200.77.127"):
        t.send(P1, T(dst=dst))
        t.expect(ERR(T(dst=dst), 3, 0), drop="no_route", note=f"{dst} in none")


@case("RFC1812-2.2.5.2-3")
def the_longer_prefix_wins(t: Testbed) -> None:
    """198.18.1.0/24 by G3 is left out of 198.18.0.0/16 by G2."""
    t.configure(routes=(*ROUTES, Route("198.18.1.0/24", G3)))
    for dst, port in {
        "198.18.1.1": P3,
        "198.18.1.0": P3,
        "198.18.1.255": P3,
        "198.18.2.1": P2,
        "198.18.0.255": P2,
        "198.18.2.0": P2,
    }.items():
        packet = T(dst=dst)
        t.send(P1, packet)
        t.expect(FWD(packet, port), note=dst)


@case("RFC1812-3.3.1-4")
def trailers_are_not_agreed_to(t: Testbed) -> None:
    """ARP for the trailer protocols, 0x1000 to 0x100f, is not answered; for IP it is."""
    for protocol in (0x1000, 0x1001, 0x100F):
        t.send(P1, arp(1, h1, H1, NO_MAC, R1, protocol=protocol))
        t.expect(DROP, drop="arp_malformed", note=f"request, {protocol:#06x}")
        t.send(P1, arp(2, h1, H1, M1, R1, protocol=protocol))
        t.expect(DROP, drop="arp_malformed", note=f"reply, {protocol:#06x}")
    t.send(P1, who_has(R1, H1, h1))
    t.expect(TELLS(P1, h1, H1), drop="arp_done")


@case("RFC1812-3.3.2-4", bursts=ALONE, arp=True)
def packets_wait_for_the_answer(t: Testbed) -> None:
    """What waits for an ARP reply leaves in order when it comes; of too many, the latest."""
    packets = [T(dst=H2, ident=ident) for ident in (1, 2, 3)]
    for depth, left in ((16, packets), (2, packets[1:]), (1, packets[2:])):
        t.configure(unresolved=(H2,), knobs={"neighbor_pending": depth})
        for packet in packets:
            t.send(P1, packet)
            t.run(ms=3)
        full = {"neighbor_queue_full": len(packets) - len(left)}
        t.expect(ASKS(P2, H2), within_ms=91, drop=full, note=f"one request, room for {depth}")
        t.send(P2, is_at(H2, h2, P2))
        t.expect([FWD(packet) for packet in left], drop="arp_done", note=f"room for {depth}")


@case("RFC1812-3.3.2-6", bursts=ALONE, arp=True)
def group_addresses_are_not_believed(t: Testbed) -> None:
    """ARP that gives a neighbour a broadcast or multicast MAC address changes nothing."""
    first, second = T(dst=H2, ident=1), T(dst=H2, ident=2)
    t.configure(unresolved=(H2,))
    t.send(P1, first)
    t.expect(ASKS(P2, H2), within_ms=50)
    for mac in (BROADCAST, "01:00:5e:00:00:01"):
        for source in (h2, mac):
            reply = arp(2, mac, H2, M2, R2, source=source)
            t.send(P2, reply, arp(1, mac, H2, NO_MAC, R2, source=source))
            t.expect(DROP, within_ms=50, drop="arp_malformed", note=f"{mac} from {source}")
    t.send(P1, second)
    t.expect(DROP, within_ms=50, note="it waits too")
    t.send(P2, is_at(H2, h2, P2))
    t.expect(FWD(first), FWD(second), drop="arp_done", note="the right answer")
    t.send(P2, arp(2, BROADCAST, H2, M2, R2, source=h2))
    t.expect(DROP, drop="arp_malformed")
    t.send(P1, first)
    t.expect(FWD(first), note="an entry that was right stays")


def snap(packet: bytes, *, length: int | None = None, header: str = "aaaa03000000") -> bytes:
    """Return an IP packet in an 802.3 frame with LLC and SNAP (RFC 1042)."""
    inside = bytes.fromhex(header) + b"\x08\x00" + packet
    return ether(M1, h1, inside, len(inside) if length is None else length)


@case("RFC1812-3.3.3-2")
def snap_is_received(t: Testbed) -> None:
    """An IP packet in LLC/SNAP is forwarded, in an RFC 894 frame; other LLC frames are dropped."""
    for data in (bytes(1464), bytes(32), b"", b"\1"):
        packet = T(data=data)
        t.send(P1, snap(ip_of(packet)))
        t.expect(FWD(packet), note=f"{len(data)} octets of data")
    packet = T(data=b"")
    t.send(P1, snap(ip_of(packet)) + b"\xff" * 20)
    t.expect(FWD(packet), note="padded")
    for what, frame in {
        "length beyond the frame": snap(ip_of(T()), length=400),
        "length 7": snap(ip_of(T()), length=7),
        "another organization": snap(ip_of(T()), header="aaaa0300000f"),
        "another SAP": snap(ip_of(T()), header="424203000000"),
        "no UI frame": snap(ip_of(T()), header="aaaa07000000"),
    }.items():
        t.send(P1, frame)
        t.expect(DROP, drop="llc", note=what)


@case("RFC1812-3.3.4-3")
def more_than_the_mtu_is_received(t: Testbed) -> None:
    """The MTU of a port is about what is sent; what the link carries is received."""
    t.configure(mtu={P1: 1000, P2: 1500})
    for total in (1000, 1001, 1400, 1500):
        packet = T(data=bytes(total - 28))
        t.send(P1, packet)
        t.expect(FWD(packet), note=f"{total} octets")
    big = T(H2, H1, port=P2, data=bytes(1172))
    t.send(P2, big)
    t.expect(FRAGMENTS(big, 1000, P1), drop="fragmented", note="out of it, 1200 octets")
