# SPDX-License-Identifier: MIT
"""Daemons on the twins: routing, SNMP, DHCP relay. All they say and hear passes unmodified.

What they make of it is their own business (FRR, BIRD, snmpd, dhcrelay): the tester stands in for
them, where there is a twin to capture on.
"""

import struct

from twinroute.conformance.kit import (
    BROADCAST,
    DF,
    DROP,
    FWD,
    G1,
    H1,
    H2,
    M1,
    M2,
    OSPF,
    OUT,
    P1,
    P2,
    R1,
    R2,
    R3,
    TCP,
    TWIN,
    T,
    Testbed,
    case,
    ether,
    g1,
    g2,
    h1,
    h2,
    icmp,
    ip_of,
    tcp,
    twin,
    udp,
)
from twinroute.conformance.wanted import STACK

IGMP = 2
RIP, BGP, SNMP, SNMP_TRAP, BOOTPS, BOOTPC = 520, 179, 161, 162, 67, 68
RIP_GROUP, RIP_MAC = "224.0.0.9", "01:00:5e:00:00:09"
OSPF_GROUP, OSPF_MAC = "224.0.0.5", "01:00:5e:00:00:05"
CS6 = 0xC0
HELLO = bytes([2, 1, 0, 44]) + bytes(40)
GROUP, GROUP_MAC = "239.1.1.1", "01:00:5e:01:01:01"
REPORT = bytes([0x16, 0, 0xFA, 0xFC, 239, 1, 1, 1])
QUERY = bytes([0x11, 100, 0xEE, 0x9B, 0, 0, 0, 0])
TWINS_ONLY = ("twin",)


def says(t: Testbed, port: str, frame: bytes, note: str = "") -> None:
    """Let the stack say something at a port: it leaves as it is."""
    t.send(twin(port), frame)
    t.expect(OUT(port, frame, "what the daemon says", kind=STACK), note=note)


def hears(t: Testbed, port: str, frame: bytes, note: str = "") -> None:
    """Send the stack something by a port: it arrives as it was sent, and nobody answers."""
    t.send(port, frame)
    t.expect(TWIN(frame, port), note=note)


def of_stack(
    src: str,
    dst: str,
    payload: bytes,
    *,
    to: str,
    mac: str = M1,
    protocol: int = 17,
    ttl: int = 64,
    tos: int = 0,
    fragment: int = 0,
) -> bytes:
    """Return a frame of the host stack's."""
    packet = T(src, dst, payload=payload, protocol=protocol, ttl=ttl, tos=tos, fragment=fragment)
    return ether(to, mac, ip_of(packet))


# --- routing --------------------------------------------------------------------------------------


@case("RFC1812-7.1.2-1", "RFC1812-7.1.3-5", needs=TWINS_ONLY)
def routing_messages_pass(t: Testbed) -> None:
    """OSPF and BGP keep their DSCP; a Hello from another link's network gets no answer."""
    hello = of_stack(R1, OSPF_GROUP, HELLO, to=OSPF_MAC, protocol=OSPF, ttl=1, tos=CS6)
    says(t, P1, hello, "OSPF Hello")
    segment = tcp(R1, G1, BGP, 1024, 0x10, bytes(19))
    says(t, P1, of_stack(R1, G1, segment, to=g1, protocol=TCP, tos=CS6), "BGP")
    for port, source in ((P1, H1), (P2, H1)):
        heard = T(source, OSPF_GROUP, port=port, payload=HELLO, protocol=OSPF, ttl=1, dmac=OSPF_MAC)
        hears(t, port, heard, f"Hello from {source} by {port}")


def rip(src: str, dst: str = RIP_GROUP, *, sport: int = RIP, value: int | None = None) -> bytes:
    """Return a RIP response with a route to 10.77.0.0/16, in its UDP datagram."""
    entry = struct.pack("!HH", 2, 0) + bytes([10, 77, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0])
    data = bytes([2, 2, 0, 0]) + entry + struct.pack("!I", 1)
    return udp(src, dst, sport, RIP, data, value)


@case(
    *("RFC1812-F.2.2-5", "RFC1812-F.2.2-14", "RFC1812-F.2.2-15"),
    needs=TWINS_ONLY,
)
def rip_updates_leave(t: Testbed) -> None:
    """By P1 and P2, each as the daemon made it: TTL 1, to the group, with their UDP checksum."""
    for port, own, mac in ((P1, R1, M1), (P2, R2, M2)):
        says(t, port, of_stack(own, RIP_GROUP, rip(own), to=RIP_MAC, mac=mac, ttl=1), port)
    hears(
        t, P2, T("10.2.0.254", RIP_GROUP, port=P2, payload=rip("10.2.0.254"), dmac=RIP_MAC, ttl=1)
    )


@case(
    *("RFC1812-F.2.2-16", "RFC1812-F.2.2-17", "RFC1812-F.2.2-22", "RFC1812-F.2.2-23"),
    needs=TWINS_ONLY,
)
def rip_responses_arrive(t: Testbed) -> None:
    """Whatever the checksum, the port and the source: the daemon sees it, and judges."""
    good = int.from_bytes(rip(G1)[6:8], "big")
    for note, src, sport, value in (
        ("right", G1, RIP, None),
        ("wrong UDP checksum", G1, RIP, good ^ 1),
        ("no UDP checksum", G1, RIP, 0),
        ("source port 521", G1, 521, None),
        ("not of the network", "10.9.9.9", RIP, None),
    ):
        payload = rip(src, sport=sport, value=value)
        hears(t, P1, T(src, RIP_GROUP, payload=payload, dmac=RIP_MAC, ttl=1), note)


@case("RFC1812-6.2-4", "RFC1812-4.2.3.3-1", "RFC1812-6.1-3", needs=TWINS_ONLY)
def sessions_of_the_stack(t: Testbed) -> None:
    """ICMP about its segments reaches the stack, and what it sends then leaves as it is."""
    peer = "198.18.0.1"
    long = of_stack(
        R2,
        peer,
        tcp(R2, peer, BGP, 1024, 0x10, bytes(1460)),
        to=g2,
        mac=M2,
        protocol=TCP,
        fragment=DF,
    )
    says(t, P2, long, "1500 octets, DF")
    for kind, code, rest in ((3, 11, 0), (3, 12, 0), (3, 4, 576)):
        payload = icmp(kind, code, struct.pack("!I", rest), ip_of(long)[:28])
        error = T("10.2.0.254", R2, port=P2, protocol=1, payload=payload)
        hears(t, P2, error, f"ICMP {kind}/{code}")
        error = T(H1, R1, protocol=1, payload=payload)
        hears(t, P1, error, f"ICMP {kind}/{code} by P1")
        size = 536 if rest else 1460
        segment = tcp(R2, peer, BGP, 1024, 0x10, bytes(size), sequence=7)
        again = of_stack(R2, peer, segment, to=g2, mac=M2, protocol=TCP, fragment=DF)
        says(t, P2, again, "the session goes on")
    for dport in (SNMP_TRAP, BOOTPS, RIP, 3784, 123):
        says(t, P1, of_stack(R1, H1, udp(R1, H1, dport, dport, b"data"), to=h1), f"UDP {dport}")


# --- groups ---------------------------------------------------------------------------------------


@case("RFC1812-4.2.3.2-2", "RFC1812-4.2.3.2-3", needs=TWINS_ONLY)
def groups_of_the_stack(t: Testbed) -> None:
    """A port that has joined hands the group's packets to its twin, and not once it has left."""
    packet = T(dst=GROUP, dmac=GROUP_MAC)
    t.configure(knobs={"groups.p1": [GROUP]})
    hears(t, P1, packet, "joined")
    t.reconfigure(knobs={"groups.p1": []})
    t.send(P1, packet)
    t.expect(drop="multicast", note="left")
    sent = of_stack(
        R1, "239.129.2.3", udp(R1, "239.129.2.3", 9, 9, b"data"), to="01:00:5e:01:02:03"
    )
    says(t, P1, sent, "the low 23 bits")


@case("RFC1812-4.4-1", "RFC1812-5.2.8-1", needs=TWINS_ONLY)
def igmp_passes(t: Testbed) -> None:
    """Queries and reports of the stack leave, those of others reach it; routes are set for it."""
    t.configure(
        knobs={
            "groups.p1": [GROUP, "224.0.0.22"],
            "multicast_routes": [{"group": GROUP, "from": P2, "to": [P1]}],
        }
    )
    report = of_stack(R1, GROUP, REPORT, to=GROUP_MAC, protocol=IGMP, ttl=1)
    says(t, P1, report, "joins")
    query = T(dst="224.0.0.1", payload=QUERY, protocol=IGMP, ttl=1, dmac="01:00:5e:00:00:01")
    hears(t, P1, query, "general query")
    says(t, P1, report, "report")
    asked = of_stack(R1, "224.0.0.1", QUERY, to="01:00:5e:00:00:01", protocol=IGMP, ttl=1)
    says(t, P1, asked, "our query")
    hears(t, P1, T(dst=GROUP, payload=REPORT, protocol=IGMP, ttl=1, dmac=GROUP_MAC), "a report")
    packet = T(H2, GROUP, port=P2, dmac=GROUP_MAC)
    t.send(P2, packet)
    copy = FWD(packet, P1, to=GROUP_MAC)
    t.expect(copy, drop="multicast_copied", note="from its source to P1")


# --- services -------------------------------------------------------------------------------------


@case(
    *("RFC1812-8.1.1-2", "RFC1812-8.1.1-5", "RFC1812-8.2-10", "RFC1812-8.2-11"),
    needs=TWINS_ONLY,
)
def snmp_reaches_the_agent(t: Testbed) -> None:
    """Asked at any address, with the manager's address as it is; its answers leave."""
    for source in (H1, "10.1.0.3"):
        for own in (R1, R2, R3):
            request = T(source, own, sport=40000, dport=SNMP, data=b"get sysDescr")
            hears(t, P1, request, f"{source} asks {own}")
            if source == H1:
                answer = udp(own, H1, SNMP, 40000, b"sysDescr")
                says(t, P1, of_stack(own, H1, answer, to=h1), f"{own} answers")


DISCOVER = bytes([1, 1, 6, 0]) + bytes(20) + bytes(4) + bytes.fromhex("020000000001") + bytes(202)


@case(
    *("RFC1812-9.1.2-2", "RFC1812-9.1.2-1", "RFC1812-4.2.2.11-3"),
    needs=TWINS_ONLY,
)
def dhcp_relay_hears_and_speaks(t: Testbed) -> None:
    """A client without an address is heard, and its server by the other port."""
    everybody = "255.255.255.255"
    asked = T(
        *("0.0.0.0", everybody), dmac=BROADCAST, payload=udp("0.0.0.0", everybody, 68, 67, DISCOVER)
    )
    hears(t, P1, asked, "DHCPDISCOVER")
    relayed = DISCOVER[:3] + b"\1" + DISCOVER[4:24] + bytes([10, 1, 0, 1]) + DISCOVER[28:]
    to_server = of_stack(R1, H2, udp(R1, H2, 67, 67, relayed), to=h2, mac=M2)
    says(t, P2, to_server, "relayed to H2")
    hears(t, P2, T(H2, R1, port=P2, payload=udp(H2, R1, 67, 67, relayed)), "DHCPOFFER")
    offer = of_stack(R1, everybody, udp(R1, everybody, 67, 68, DISCOVER), to=BROADCAST)
    says(t, P1, offer, "to the client")


@case("RFC1812-9.1.2-3", "RFC1812-9.1.2-2", needs=TWINS_ONLY)
def clients_without_an_address_are_heard(t: Testbed) -> None:
    """From 0.0.0.0 to the BOOTP server's port, of the router itself or everybody; nothing else."""
    everybody = "255.255.255.255"
    for own, mac in ((everybody, BROADCAST), (R1, ""), (R2, "")):
        asked = T("0.0.0.0", own, dmac=mac, payload=udp("0.0.0.0", own, 68, 67, DISCOVER))
        hears(t, P1, asked, own)
        other = T("0.0.0.0", own, dmac=mac, payload=udp("0.0.0.0", own, 68, 69, DISCOVER))
        t.send(P1, other)
        t.expect(DROP, drop="martian_source", note=f"{own}, another port")
    away = T("0.0.0.0", H2, payload=udp("0.0.0.0", H2, 68, 67, DISCOVER))
    t.send(P1, away)
    t.expect(DROP, drop="martian_source", note="not to the router")
    offer = of_stack(R1, everybody, udp(R1, everybody, 67, 68, DISCOVER), to=BROADCAST)
    says(t, P1, offer, "the answer")


@case("RFC1812-4.2.2.11-2", needs=TWINS_ONLY)
def stack_asks_for_an_address(t: Testbed) -> None:
    """A DHCP client on the twin sends from 0.0.0.0, and that leaves."""
    everybody = "255.255.255.255"
    asked = of_stack(
        "0.0.0.0", everybody, udp("0.0.0.0", everybody, 68, 67, DISCOVER), to=BROADCAST
    )
    says(t, P1, asked)


# --- the operator at the stack --------------------------------------------------------------------


@case(
    *("RFC1812-4.3.3.6-6", "RFC1812-10.3.2.7-5", "RFC1812-10.3.2.7-6"),
    needs=TWINS_ONLY,
)
def operator_pings(t: Testbed) -> None:
    """Echo requests of the stack's ping, of any size and pattern, leave; replies come back."""
    t.configure(knobs={"options.record_route": "ignore"})
    record_route = bytes([7, 39, 4]) + bytes(37)
    for note, data, options in (
        ("56 octets", bytes(56), b""),
        ("ff00", b"\xff\0" * 700, b""),
        ("record route", bytes(56), record_route),
    ):
        request = T(R1, H1, protocol=1, payload=icmp(8, 0, b"\0\7\0\1", data), options=options)
        says(t, P1, ether(h1, M1, ip_of(request)), note)
        reply = T(H1, R1, protocol=1, payload=icmp(0, 0, b"\0\7\0\1", data), options=options)
        hears(t, P1, reply, f"{note}: reply")


@case("RFC1812-10.3.2.7-8", needs=TWINS_ONLY)
def operator_traces(t: Testbed) -> None:
    """Probes of the stack's traceroute leave with their small TTLs; the errors come back."""
    for ttl in (1, 2, 3):
        probe = of_stack(
            R2, "198.18.0.1", udp(R2, "198.18.0.1", 40000, 33434), to=g2, mac=M2, ttl=ttl
        )
        says(t, P2, probe, f"TTL {ttl}")
        kind = (11, 0) if ttl < 3 else (3, 3)
        payload = icmp(*kind, data=ip_of(probe)[:28])
        hears(t, P2, T("10.2.0.254", R2, port=P2, protocol=1, payload=payload), f"TTL {ttl}: error")
