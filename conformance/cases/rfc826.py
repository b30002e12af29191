# SPDX-License-Identifier: MIT
"""RFC 826: address resolution."""

from twinroute.conformance.kit import (
    ASKS,
    BROADCAST,
    DROP,
    FWD,
    G2,
    H1,
    H2,
    M1,
    NO_MAC,
    P1,
    P2,
    R1,
    R2,
    TELLS,
    T,
    Testbed,
    arp,
    case,
    g2,
    h1,
    h2,
    is_at,
    who_has,
)


@case("RFC826-Reception-6", "RFC5227-2.6-1")
def own_address_is_told(t: Testbed) -> None:
    """A request for the port's own address gets one reply, by unicast; other addresses get none."""
    t.send(P1, who_has(R1, H1, h1))
    t.expect(TELLS(P1, h1, H1), drop="arp_done")
    for other in (R2, "10.1.0.99"):
        t.send(P1, who_has(other, H1, h1))
        t.expect(DROP, drop="arp_done", note=f"request for {other}")
    for operation in (2, 3):
        t.send(P1, arp(operation, h1, H1, NO_MAC, R1, to=M1))
        t.expect(DROP, drop="arp_done", note=f"opcode {operation}")


@case("RFC826-Reception-1")
def other_hardware_and_protocols(t: Testbed) -> None:
    """ARP for another hardware type or protocol is discarded, and nothing is learned from it."""
    for name, request in {
        "hardware type 6": arp(1, h2, H1, NO_MAC, R1, hardware=6),
        "hardware type 0": arp(1, h2, H1, NO_MAC, R1, hardware=0),
        "protocol 0x0806": arp(1, h2, H1, NO_MAC, R1, protocol=0x0806),
    }.items():
        t.send(P1, request)
        t.expect(DROP, drop="arp_malformed", note=name)
    packet = T(H2, H1, port=P2)
    t.send(P2, packet)
    t.expect(FWD(packet, P1), note="H1 is still h1")


@case("RFC826-Generation-1", "RFC1812-3.3.2-3", bursts=(1,), arp=True)
def next_hop_is_asked_for(t: Testbed) -> None:
    """A packet for an unknown neighbour waits for one ARP request's answer; no ICMP meanwhile."""
    t.configure(unresolved=(H2,))
    packet = T(dst=H2)
    t.send(P1, packet)
    t.expect(ASKS(P2, H2), within_ms=200)
    t.send(P2, is_at(H2, h2, P2))
    t.expect(FWD(packet), drop="arp_done")
    t.configure(unresolved=(G2,))
    t.send(P1, T())
    t.expect(ASKS(P2, G2), within_ms=200, note="of the gateway, not of the destination")
    t.send(P2, is_at(G2, g2, P2))
    t.expect(FWD(T()), drop="arp_done")


@case("RFC922-7.1-1")
def no_answer_for_broadcast_addresses(t: Testbed) -> None:
    """ARP requests for broadcast and multicast addresses are never answered."""
    for address in ("10.1.0.255", "255.255.255.255", "10.1.0.0", "224.0.0.1"):
        t.send(P1, who_has(address, H1, h1, to=BROADCAST))
        t.expect(DROP, drop="arp_done", note=address)
