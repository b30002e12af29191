# SPDX-License-Identifier: MIT
"""RFC 1812 4.3: ICMP."""

from twinroute.conformance.kit import (
    ALONE,
    ASKS,
    BROADCAST,
    DROP,
    EITHER,
    ERR,
    FWD,
    G2,
    H2,
    ICMP,
    MF,
    P1,
    P2,
    P3,
    R1,
    R2,
    R3,
    REPLY,
    ROUTES,
    Route,
    T,
    Testbed,
    U,
    case,
    g3,
    icmp,
    ip_of,
    ping,
)


@case(
    *("RFC1812-4.3.3.1-1", "RFC1812-5.2.7.1-1", "RFC1812-5.2.7.1-4", "RFC1812-5.2.7.1-6"),
)
def no_route_is_net_unreachable(t: Testbed) -> None:
    """Without a route: Destination Unreachable, code 0; with a default route the packet goes on."""
    packet = T(dst=U)
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 0), drop="no_route", punt="no_route")
    t.configure(routes=(*ROUTES, Route("0.0.0.0/0", G2)))
    t.send(P1, packet)
    t.expect(FWD(packet))


@case("RFC1812-4.3.2.3-1", "RFC1812-4.3.2.3-2", "RFC792-Unreachable-2")
def as_much_is_quoted_as_makes_576(t: Testbed) -> None:
    """The packet is quoted as it came, up to 576 octets in all, options and odd lengths too."""
    for length in (0, 1, 8, 72, 519, 520, 521, 1472):
        packet = T(dst=U, data=bytes(i * 7 & 255 for i in range(length)))
        wanted = ERR(packet, 3, 0)
        assert len(ip_of(wanted.data)) == min(28 + len(ip_of(packet)), 576)
        t.send(P1, packet)
        t.expect(wanted, drop="no_route", note=f"{length} octets of data")
    packet = T(dst=U, options=b"\1" * 40)
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 0), drop="no_route", note="40 octets of options")


@case("RFC1812-4.3.2.4-1")
def source_is_of_the_port_it_leaves_by(t: Testbed) -> None:
    """An error takes the way to the source, and has the address of the port it leaves by."""
    packet = T("198.19.0.9", U)
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 0, port=P3, to=g3), drop="no_route")
    t.send(P1, T(dst=U))
    t.expect(ERR(T(dst=U), 3, 0), drop="no_route")


@case(
    *("RFC1812-4.3.3.1-3", "RFC1812-5.2.7.1-1", "RFC1812-5.2.7.1-6", "RFC1812-3.3.2-5"),
    bursts=ALONE,
    wait_ms=8000,
    arp=True,
)
def silent_host_is_unreachable(t: Testbed) -> None:
    """A host that does not answer ARP: code 1, once for three packets; then for each, at once."""
    t.configure(unresolved=(H2,))
    packets = [T(dst=H2, ident=ident) for ident in (1, 2, 3)]
    t.send(P1, *packets)
    error = EITHER(*(ERR(packet, 3, 1) for packet in packets))
    t.expect([ASKS(P2, H2)] * 3, error, drop={"neighbor_failed": 3}, note="after three requests")
    t.send(P1, T(dst=H2))
    t.expect(ERR(T(dst=H2), 3, 1), drop="neighbor_failed", note="while that is remembered")


@case("RFC1812-4.3.2.7-1")
def no_error_about_an_error(t: Testbed) -> None:
    """ICMP errors that find no route or no TTL get no error; queries do."""
    quoted = ip_of(T(R1, "10.1.0.9"))
    for kind in (3, 4, 5, 11, 12):
        error = icmp(kind, data=quoted)
        t.send(P1, T(dst=U, protocol=ICMP, payload=error))
        t.expect(DROP, drop="no_route", note=f"type {kind}, no route")
        t.send(P1, T(protocol=ICMP, payload=error, ttl=1))
        t.expect(DROP, drop="ttl_expired", note=f"type {kind}, TTL 1")
    for kind in (0, 8):
        packet = T(dst=U, protocol=ICMP, payload=icmp(kind))
        t.send(P1, packet)
        t.expect(ERR(packet, 3, 0), drop="no_route", note=f"type {kind}")


@case("RFC1812-4.3.2.7-6")
def no_error_about_a_later_fragment(t: Testbed) -> None:
    """Fragments but the first get no error."""
    t.send(P1, T(dst=U, fragment=1))
    t.expect(DROP, drop="no_route")
    t.send(P1, T(fragment=1, ttl=1))
    t.expect(DROP, drop="ttl_expired")
    first = T(dst=U, fragment=MF)
    t.send(P1, first)
    t.expect(ERR(first, 3, 0), drop="no_route")


@case("RFC1812-4.3.2.7-4", "RFC1812-5.3.4-1", "RFC1812-5.3.4-2")
def no_error_about_a_link_broadcast(t: Testbed) -> None:
    """Unicast in link broadcasts and multicasts: not forwarded, not answered, no error."""
    for mac in (BROADCAST, "01:00:5e:01:01:01", "01:00:5e:00:00:05", "33:33:00:00:00:01"):
        t.send(P1, T(dst=U, dmac=mac), T(ttl=1, dmac=mac), T(dst=R1, dmac=mac), T(dmac=mac))
        t.expect(DROP, drop="link_broadcast", note=mac)


@case("RFC1812-4.3.3.6-1", "RFC1812-4.3.3.6-8", "RFC1812-4.3.3.6-9", "RFC792-Echo-1")
def echo_requests_are_answered(t: Testbed) -> None:
    """The address that is pinged answers, with all the data; not if the checksum is wrong."""
    for address in (R1, R2, R3):
        request = ping(address)
        t.send(P1, request)
        t.expect(REPLY(request), drop="echo_answered", note=address)
    for length in (0, 1, 7, 56, 1472):
        request = ping(data=bytes(i & 255 for i in range(length)), ident=0xBEEF, sequence=length)
        t.send(P1, request)
        t.expect(REPLY(request), drop="echo_answered", note=f"{length} octets")
    wrong = bytearray(ip_of(ping())[20:])
    wrong[2] ^= 1
    t.send(P1, T(dst=R1, protocol=ICMP, payload=bytes(wrong)))
    t.expect(DROP, drop="icmp_malformed", note="wrong ICMP checksum")
