# SPDX-License-Identifier: MIT
"""RFC 1812 5.2.1 and 5.2.3: in what order, and what becomes of a packet."""

from twinroute.conformance.kit import (
    A1,
    BROADCAST,
    DF,
    DROP,
    ERR,
    FWD,
    G2,
    G3,
    H2,
    OSPF,
    P1,
    P2,
    P3,
    R1,
    R2,
    R3,
    REPLY,
    RST,
    TCP,
    TWIN,
    Route,
    T,
    Testbed,
    U,
    case,
    g3,
    h2,
    ping,
    tcp,
)

LOOPBACK = "10.255.0.1"
NET = {P1: ("10.1.0.1/24",), P2: ("10.2.0.1/24",), P3: ("10.3.0.1/24", f"{LOOPBACK}/32")}
ROUTER_ALERT = bytes.fromhex("94040000")
MALFORMED = bytes.fromhex("07010400")
RECORD_ROUTE = bytes.fromhex("07070400000000")


@case("RFC1812-5.2.1-1")
def the_header_is_validated_first(t: Testbed) -> None:
    """With a wrong checksum nothing else counts: TTL, options, a missing route, the address."""
    bad = 0x1234
    for what, packet in {
        "TTL 1": T(ttl=1, header_checksum=bad),
        "malformed option": T(dst=R1, options=MALFORMED, header_checksum=bad),
        "option": T(options=ROUTER_ALERT, header_checksum=bad),
        "no route": T(dst=U, header_checksum=bad),
        "martian": T("127.0.0.1", header_checksum=bad),
        "link broadcast": T(dst="255.255.255.255", dmac=BROADCAST, header_checksum=bad),
    }.items():
        t.send(P1, packet)
        t.expect(DROP, drop="ip_checksum", punt={}, note=what)


@case("RFC1812-5.2.1-2")
def the_port_is_known_when_it_is_recorded(t: Testbed) -> None:
    """Record Route takes the address of the port that the packet leaves by."""
    t.configure(knobs={"record_route": "process"})
    for dst, port, recorded in ((A1, P2, "0a020001"), ("198.19.0.1", P3, "0a030001")):
        packet = T(dst=dst, options=RECORD_ROUTE)
        t.send(P1, packet)
        t.expect(FWD(packet, port, options=bytes.fromhex(f"070708{recorded}00")), note=dst)


@case("RFC1812-5.2.1-3")
def the_ttl_waits_for_the_route(t: Testbed) -> None:
    """What is for the router is not judged by its TTL, and reaches the twin with it."""
    for ttl in (0, 1, 2, 255):
        for address in (R1, R2):
            request = ping(address, ttl=ttl)
            t.send(P1, request)
            t.expect(REPLY(request), drop="echo_answered", note=f"{address}, TTL {ttl}")
        closed = T(dst=R1, ttl=ttl)
        t.local(closed, ERR(closed, 3, 3), note=f"UDP, TTL {ttl}")


@case("RFC1812-5.2.1-4")
def the_twin_gets_what_came(t: Testbed) -> None:
    """No octet of a packet for the router is changed."""
    packet = T(dst=R1, ttl=33, ident=0xBEEF, tos=10 << 2, fragment=DF)
    t.local(packet, ERR(packet, 3, 3))
    packet = T(dst=R1, ttl=33, ident=0xBEEF, fragment=0x8000, options=b"\x1f\4ab\1\1")
    t.local(packet, ERR(packet, 3, 3), note="with an option")


@case("RFC1812-5.2.1.2-1")
def forwarded_if_nothing_objects(t: Testbed) -> None:
    """A packet that must not be forwarded gets no Time Exceeded: it does not get that far."""
    t.configure(knobs={"filter": [{"action": "drop", "protocol": "udp", "destination_port": 7}]})
    for ttl in (1, 64):
        for reason, packet in {
            "filtered": T(ttl=ttl, dport=7),
            "martian_source": T("127.0.0.1", ttl=ttl),
            "martian_destination": T(dst="240.0.0.1", ttl=ttl),
            "link_broadcast": T(dmac=BROADCAST, ttl=ttl),
        }.items():
            t.send(P1, packet)
            t.expect(DROP, drop=reason, note=f"{reason}, TTL {ttl}")
    t.send(P1, T(ttl=1))
    t.expect(ERR(T(ttl=1), 11, 0), drop="ttl_expired", note="nothing but the TTL")
    t.send(P1, T())
    t.expect(FWD(T()))


@case("RFC1812-5.2.3-1", needs=("twin",))
def each_packet_has_its_place(t: Testbed) -> None:
    """Delivered, forwarded or dropped, as the destination says, and never two of them."""
    everybody = T(dst="255.255.255.255", dport=520, dmac=BROADCAST)
    hello = T(dst="224.0.0.5", protocol=OSPF, payload=bytes(44), dmac="01:00:5e:00:00:05", ttl=1)
    for packet in (T(dst=R1), T(dst=R2), T(dst=R3), everybody, hello):
        t.send(P1, packet)
        t.expect(TWIN(packet), note="for the router")
    for packet, way in (
        (T(), FWD(T())),
        (T(dst="198.19.0.1"), FWD(T(dst="198.19.0.1"), P3, to=g3)),
        (ping(H2), FWD(ping(H2), to=h2)),
    ):
        t.send(P1, packet)
        t.expect(way, note="for others")
    for reason, packet in {
        "directed_broadcast": T(dst="10.2.0.255"),
        "multicast": T(dst="239.1.1.1", dmac="01:00:5e:01:01:01"),
        "source_route": T(dst=R1, options=bytes.fromhex("83070401020304")),
    }.items():
        t.send(P1, packet)
        t.expect(DROP, drop=reason, note="for nobody")


@case("RFC1812-5.2.3-3")
def every_own_address_is_local(t: Testbed) -> None:
    """Packets to each address of the router reach the twin they came by, and go nowhere else.

    An address of a /32 stands for one of a loopback interface.
    """
    t.configure(addresses=NET)
    for address in (R1, R2, R3, LOOPBACK):
        packet = T(dst=address)
        t.local(packet, ERR(packet, 3, 3, source=address), note=address)
        syn = T(dst=address, protocol=TCP, payload=tcp("10.1.0.2", address, 1024, 179))
        t.local(syn, RST(syn), note=f"TCP to {address}")


@case("RFC1812-5.2.4.2-1")
def direct_or_by_the_gateway(t: Testbed) -> None:
    """Inside an attached prefix the destination itself is the next hop, outside the gateway."""
    way = T(sport=2000, dport=2000)
    for bits, inside, outside in (
        (24, "10.2.0.77", "10.2.1.1"),
        (25, "10.2.0.126", "10.2.0.128"),
        (30, "10.2.0.2", "10.2.0.4"),
        (31, "10.2.0.0", "10.2.0.2"),
    ):
        t.configure(
            addresses={**NET, P2: (f"10.2.0.1/{bits}",)},
            routes=(Route("198.18.0.0/16", G3), Route("10.2.0.0/16", G3)),
            unresolved=(H2, G2),
            neighbors={P2: {inside: h2}},
        )
        t.goods(P1, way, FWD(way, P3, to=g3))
        packet = T(dst=inside)
        t.send(P1, packet)
        t.expect(FWD(packet, to=h2), note=f"10.2.0.1/{bits}: {inside}")
        for dst in (outside, A1):
            packet = T(dst=dst)
            t.send(P1, packet)
            t.expect(FWD(packet, P3, to=g3), note=f"10.2.0.1/{bits}: {dst}")
