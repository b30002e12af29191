# SPDX-License-Identifier: MIT
"""RFC 1812 4.2: the Internet Protocol."""

from twinroute.conformance.kit import (
    A1,
    DATA,
    DROP,
    ERR,
    FRAGMENTS,
    FWD,
    H1,
    P1,
    P2,
    R1,
    R2,
    REPLY,
    RST,
    TCP,
    T,
    Testbed,
    case,
    ip_of,
    ping,
    tcp,
)

MARTIANS = (
    *("0.0.0.0", "0.1.2.3", "255.255.255.255", "127.0.0.1", "127.255.255.254"),
    *("224.0.0.1", "224.0.0.5", "239.255.255.255", "240.0.0.1"),
)
BROADCASTS = ("10.1.0.255", "10.2.0.255", "10.3.0.255")


@case("RFC1812-4.2.2.5-1", "RFC1812-4.2.2.5-2")
def header_checksum_is_verified(t: Testbed) -> None:
    """Every single bit of the checksum counts; nothing answers a packet with a wrong one."""
    good = int.from_bytes(ip_of(T())[10:12], "big")
    for bit in range(16):
        t.send(P1, T(header_checksum=good ^ 1 << bit))
        t.expect(DROP, drop="ip_checksum", note=f"bit {bit} flipped")
    t.send(P1, T(header_checksum=good + 1))
    t.expect(DROP, drop="ip_checksum", note="one more")
    t.send(P1, T(dst=R1, header_checksum=0x1234))
    t.expect(DROP, drop="ip_checksum", note="for the router")
    t.send(P1, T())
    t.expect(FWD(T()))


@case("RFC1812-4.2.2.9-1", "RFC1812-4.2.2.9-3", "RFC1812-4.2.2.9-4")
def ttl_of_what_is_for_the_router(t: Testbed) -> None:
    """TTL 0 and 1 are as good as any in what is for the router itself, whichever its address."""
    for ttl in (0, 1):
        for address in (R1, R2):
            request = ping(address, ttl=ttl)
            t.send(P1, request)
            t.expect(REPLY(request), drop="echo_answered", note=f"{address}, TTL {ttl}")
        syn = T(dst=R1, protocol=TCP, payload=tcp(H1, R1, 1024, 179), ttl=ttl)
        t.local(syn, RST(syn), note=f"TCP, TTL {ttl}")
        closed = T(dst=R1, ttl=ttl)
        t.local(closed, ERR(closed, 3, 3), note=f"UDP to a closed port, TTL {ttl}")


@case("RFC1812-5.3.7-2")
def martian_sources(t: Testbed) -> None:
    """Sources that no packet may have are dropped and counted, for others and for the router."""
    for source in MARTIANS:
        t.send(P1, T(source), ping(R1, source))
        t.expect(DROP, drop="martian_source", note=source)


@case(
    *("RFC1812-4.2.2.11-8", "RFC1812-4.2.2.11-18", "RFC1812-4.2.2.11-19", "RFC1812-5.3.7-1"),
)
def broadcast_sources(t: Testbed) -> None:
    """Nor has any packet the directed broadcast of an attached network as its source."""
    for source in (*MARTIANS, *BROADCASTS):
        t.send(P1, T(source), ping(R1, source))
        t.expect(DROP, drop="martian_source", note=source)


@case(
    *("RFC1812-4.2.2.7-1", "RFC1812-4.2.2.7-2", "RFC1812-4.2.2.7-3", "RFC1812-5.2.6-1"),
    *("RFC791-3.2-2", "RFC791-3.2-3"),
)
def too_long_is_fragmented(t: Testbed) -> None:
    """1400 octets of data and an MTU of 620: three fragments, in order, as long as they can be."""
    t.configure(mtu={P2: 620})
    packet = T(data=DATA * 43 + bytes(16))
    assert len(ip_of(packet)) == 1420
    wanted = FRAGMENTS(packet, 620)
    assert [len(ip_of(one.data)) - 20 for one in wanted] == [600, 600, 200]
    t.send(P1, packet)
    t.expect(wanted, drop="fragmented")


@case("RFC1812-4.2.2.9-2")
def nothing_leaves_with_ttl_0(t: Testbed) -> None:
    """TTL 0 and 1 are not forwarded; what TTL 2 is left with is 1."""
    for ttl in (0, 1):
        t.send(P1, T(ttl=ttl))
        t.expect(ERR(T(ttl=ttl), 11, 0), drop="ttl_expired", note=f"TTL {ttl}")
    packets = [T(ttl=ttl, dst=dst) for ttl in (2, 3, 255) for dst in (A1, "10.2.0.2")]
    t.send(P1, *packets)
    t.expect([FWD(packet) for packet in packets])
