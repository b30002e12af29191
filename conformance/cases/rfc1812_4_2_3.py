# SPDX-License-Identifier: MIT
"""RFC 1812 4.2.3: broadcasts, multicasts, path MTU discovery, subnets."""

from twinroute.conformance.kit import (
    A1,
    ALONE,
    BROADCAST,
    DF,
    DROP,
    ERR,
    FWD,
    G2,
    G3,
    ICMP,
    M1,
    M2,
    OUT,
    P1,
    P2,
    P3,
    R1,
    R2,
    ROUTES,
    TCP,
    TWIN,
    Route,
    T,
    Testbed,
    U,
    case,
    ether,
    g2,
    h3,
    icmp,
    ipv4,
    tcp,
    twin,
    udp,
)
from twinroute.conformance.wanted import STACK

EVERYBODY = "255.255.255.255"
NET = {P1: ("10.1.0.1/24",), P2: ("10.2.0.1/24",), P3: ("10.3.0.1/24",)}


@case("RFC1812-4.2.3.1-1")
def broadcasts_stay_on_their_link(t: Testbed) -> None:
    """Link broadcasts to either broadcast address: nothing leaves, no ICMP and no ARP either."""
    t.local(T(dst=EVERYBODY, dmac=BROADCAST))
    t.send(P1, T(dst="10.1.0.255", dmac=BROADCAST))
    t.expect(DROP, drop="directed_broadcast")


@case("RFC1812-4.2.3.1-2", "RFC1812-5.3.5-1")
def zero_forms_are_dropped(t: Testbed) -> None:
    """Destination 0.0.0.0, and the zero address of the network of the port and of another."""
    t.send(P1, T(dst="0.0.0.0"))
    t.expect(DROP, drop="martian_destination")
    for dst in ("10.1.0.0", "10.2.0.0"):
        t.send(P1, T(dst=dst))
        t.expect(DROP, drop="directed_broadcast", note=dst)
    t.send(P2, T("10.2.0.2", "10.2.0.0", port=P2))
    t.expect(DROP, drop="directed_broadcast", note="10.2.0.0 from within")


@case(
    *("RFC1812-4.2.3.1-7", "RFC1812-4.2.2.11-16", "RFC1812-5.2.3-4", "RFC1812-5.3.5.1-2"),
    needs=("twin",),
)
def limited_broadcasts_are_received(t: Testbed) -> None:
    """What is for 255.255.255.255 is for the router, and nothing is forwarded."""
    for port in (67, 520):
        packet = T(dst=EVERYBODY, dport=port, dmac=BROADCAST)
        t.send(P1, packet)
        t.expect(TWIN(packet), note=f"port {port}")


@case("RFC1812-5.3.5.1-1")
def limited_broadcasts_are_not_forwarded(t: Testbed) -> None:
    """Nothing leaves, whatever MAC address and port they are for, even by a default route."""
    for routes in (ROUTES, (*ROUTES, Route("0.0.0.0/0", G3))):
        t.configure(routes=routes)
        for mac in (BROADCAST, M1):
            for port in (67, 137, 9):
                packet = T(dst=EVERYBODY, dport=port, dmac=mac, ttl=64)
                t.local(packet, note=f"port {port}, to {mac}")


@case("RFC1812-4.2.3.2-2", needs=("twin", "change"))
def groups_are_joined_and_left(t: Testbed) -> None:
    """A group's packets reach the twin while it is joined; what the stack sends to it leaves."""
    group, mac = "239.1.1.1", "01:00:5e:01:01:01"
    packet = T(dst=group, dmac=mac)
    t.configure(knobs={"groups.p1": ["224.0.0.5", group]})
    t.send(P1, packet)
    t.expect(TWIN(packet), note="joined")
    other = T("10.2.0.2", group, port=P2, dmac=mac)
    t.send(P2, other)
    t.expect(DROP, drop="multicast", note="joined by another port")
    sent = ether(mac, M1, ipv4(R1, group, udp(R1, group, 9, 9), ttl=1))
    t.send(twin(P1), sent)
    t.expect(OUT(P1, sent, kind=STACK), note="sent")
    t.reconfigure(knobs={"groups.p1": ["224.0.0.5"]})
    t.send(P1, packet)
    t.expect(DROP, drop="multicast", note="left")


@case("RFC1812-4.2.3.2-3", needs=("twin",))
def groups_have_their_mac_addresses(t: Testbed) -> None:
    """The stack maps a group to its MAC address, low 23 bits; its frames leave as they are."""
    group, mac = "239.129.2.3", "01:00:5e:01:02:03"
    frame = ether(mac, M1, ipv4(R1, group, udp(R1, group, 9, 9, b"to all"), ttl=1))
    t.send(twin(P1), frame)
    t.expect(OUT(P1, frame, kind=STACK))


@case("RFC1812-4.2.3.3-1", needs=("twin",))
def path_mtu_reaches_the_stack(t: Testbed) -> None:
    """The stack's long segments leave with DF; a 3/4 about them reaches it; shorter ones leave."""
    long, short = (_segment(size) for size in (1500, 576))
    t.send(twin(P2), long)
    t.expect(OUT(P2, long, "segment of 1500 octets", kind=STACK))
    quote = long[14 : 14 + 28]
    message = icmp(3, 4, (576).to_bytes(4, "big"), quote)
    t.local(T("10.2.0.254", R2, port=P2, protocol=ICMP, payload=message), port=P2)
    t.send(twin(P2), short)
    t.expect(OUT(P2, short, "segment of 576 octets", kind=STACK))


def _segment(size: int) -> bytes:
    """Return a TCP segment of the router's, in a packet of so many octets, by G2."""
    segment = tcp(R2, A1, 179, 40000, 0x10, bytes(size - 40))
    return ether(g2, M2, ipv4(R2, A1, segment, protocol=TCP, fragment=DF, ident=size))


@case("RFC1812-4.2.3.4-1")
def a_network_may_be_in_pieces(t: Testbed) -> None:
    """Subnets of 10.50.0.0/16 are reached by different ports, and the rest of it not at all."""
    t.configure(routes=(*ROUTES, Route("10.50.1.0/24", G2), Route("10.50.2.0/24", G3)))
    for dst, port in {"10.50.1.1": P2, "10.50.2.1": P3}.items():
        packet = T(dst=dst)
        t.send(P1, packet)
        t.expect(FWD(packet, port), note=dst)
    t.send(P1, T(dst="10.50.3.1"))
    t.expect(ERR(T(dst="10.50.3.1"), 3, 0), drop="no_route")


@case("RFC1812-4.2.3.4-2", bursts=ALONE, needs=("change",))
def prefixes_of_any_length(t: Testbed) -> None:
    """Interfaces of /8, /20, /30 and /31; routes of every length, taken away one by one."""
    for own, last, outside in (
        ("44.0.0.1/8", "44.255.255.254", "45.0.0.1"),
        ("44.64.16.1/20", "44.64.31.254", "44.64.32.1"),
        ("44.64.16.1/30", "44.64.16.2", "44.64.16.5"),
        ("44.64.16.0/31", "44.64.16.1", "44.64.16.2"),
    ):
        t.configure(
            addresses={**NET, P3: (own,)},
            routes=ROUTES[:1],
            unresolved=("10.3.0.2", G3),
            neighbors={P3: {last: h3}},
        )
        packet = T(dst=last)
        t.send(P1, packet)
        t.expect(FWD(packet, P3, to=h3), note=f"{own}: inside")
        t.send(P1, T(dst=outside))
        t.expect(ERR(T(dst=outside), 3, 0), drop="no_route", note=f"{own}: outside")
    _every_length(t)


def _every_length(t: Testbed) -> None:
    """33 routes for one address, each by a neighbour of its own, from the longest down."""
    address = 0xA5A5A5A5
    macs = [f"02:00:00:00:09:{bits:02x}" for bits in range(33)]
    ports = [P2 if bits % 2 else P3 for bits in range(33)]
    vias = [f"10.{2 if bits % 2 else 3}.0.{100 + bits}" for bits in range(33)]
    routes = [
        Route(f"{_text(address >> 32 - bits << 32 - bits)}/{bits}", vias[bits])
        for bits in range(33)
    ]
    known = {
        port: {vias[bits]: macs[bits] for bits in range(33) if ports[bits] == port}
        for port in (P2, P3)
    }
    t.configure(routes=tuple(routes), neighbors=known)
    packet = T(dst=_text(address))
    for bits in range(32, -1, -1):
        t.send(P1, packet)
        t.expect(FWD(packet, ports[bits], to=macs[bits]), note=f"/{bits}")
        t.reconfigure(routes=tuple(routes[:bits]))
    t.send(P1, packet, T(dst=U))
    t.expect(ERR(packet, 3, 0), ERR(T(dst=U), 3, 0), drop="no_route", note="no route is left")


def _text(address: int) -> str:
    return ".".join(str(octet) for octet in address.to_bytes(4, "big"))
