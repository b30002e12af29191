# SPDX-License-Identifier: MIT
"""RFC 1812 5: forwarding."""

from twinroute.conformance.kit import (
    DF,
    DROP,
    ERR,
    FWD,
    G2,
    G3,
    H2,
    OWN,
    P1,
    P2,
    P3,
    ROUTES,
    Route,
    T,
    Testbed,
    U,
    case,
    h2,
    ip_of,
)

MARTIANS = (
    *("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "240.0.0.1", "255.255.255.254"),
)


@case("RFC1812-5.2.3-9", "RFC1812-5.2.4.2-2", "RFC1812-5.2.4.2-3", "RFC1812-3.3.3-1")
def transit_is_forwarded(t: Testbed) -> None:
    """To an attached host directly, elsewhere by the gateway."""
    t.send(P1, T())
    t.expect(FWD(T()))
    packet = T(dst=H2)
    t.send(P1, packet)
    t.expect(FWD(packet, to=h2))
    packet = T(dst="198.19.255.254")
    t.send(P1, packet)
    t.expect(FWD(packet, P3))
    narrow = {**{port: (f"{own}/24",) for port, own in OWN.items()}, P2: ("10.2.0.1/30",)}
    t.configure(addresses=narrow, routes=(Route("198.18.0.0/16", H2),), unresolved=(G2,))
    packet = T(dst=H2)
    t.goods(P1, T(dst=H2, sport=2000))
    t.send(P1, packet)
    t.expect(FWD(packet, to=h2), note="10.2.0.1/30: inside")
    packet = T(dst="10.2.0.5")
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 0), drop="no_route", note="outside")


@case(
    *("RFC1812-5.3.1-1", "RFC1812-5.3.1-2", "RFC1812-5.3.1-4", "RFC1812-5.3.1-6"),
    *("RFC1812-5.2.7.3-1",),
)
def ttl_runs_out(t: Testbed) -> None:
    """TTL 1 and 0: Time Exceeded, and nothing is forwarded; more than that is one less."""
    for ttl in (1, 0):
        packet = T(ttl=ttl)
        t.send(P1, packet)
        t.expect(ERR(packet, 11, 0), drop="ttl_expired", punt="ttl_expired", note=f"TTL {ttl}")
    for ttl in (2, 64, 255):
        packet = T(ttl=ttl)
        t.send(P1, packet)
        t.expect(FWD(packet), note=f"TTL {ttl}")


@case("RFC1812-5.3.3.3-1", "RFC1812-5.3.3.3-9", "RFC1812-4.2.2.3-2", "RFC2474-3-1")
def tos_is_passed_on(t: Testbed) -> None:
    """Every value of the TOS octet, and the reserved flag, leave as they came."""
    packets = [T(tos=tos) for tos in range(256)]
    t.send(P1, *packets)
    t.expect([FWD(packet) for packet in packets])
    packet = T(fragment=0x8000)
    t.send(P1, packet)
    t.expect(FWD(packet), note="reserved flag")


@case("RFC1812-5.2.2-1", "RFC1812-4.3.2.7-2")
def header_is_validated(t: Testbed) -> None:
    """Each of the five checks alone, and with TTL 1: silence."""
    bad = {
        "ip_short": T()[:33],
        "ip_version": T(version=6),
        "ip_header_length": T(ihl=4),
        "ip_total_length": T(total=19),
        "ip_checksum": T(header_checksum=0x1234),
    }
    for reason, packet in bad.items():
        t.send(P1, packet)
        t.expect(DROP, drop=reason, note=reason)
    t.send(P1, T(header_checksum=0x1234, ttl=1), T(header_checksum=0x1234, dst=U))
    t.expect(DROP, drop="ip_checksum")
    packet = T(payload=b"", protocol=253)
    assert len(ip_of(packet)) == 20
    t.send(P1, packet)
    t.expect(FWD(packet))


@case("RFC1812-5.2.7.1-11", "RFC791-2.3-1", "RFC1191-4-2", "RFC1191-4-3")
def too_long_with_df(t: Testbed) -> None:
    """Destination Unreachable, code 4, with the next hop's MTU; exactly that much passes."""
    for mtu in (620, 1400):
        t.configure(mtu={P2: mtu})
        for total in (mtu + 1, mtu + 100, 1500):
            packet = T(fragment=DF, data=bytes(total - 28))
            t.send(P1, packet)
            t.expect(ERR(packet, 3, 4, mtu), drop="fragmentation_needed", note=f"{total} octets")
        packet = T(fragment=DF, data=bytes(mtu - 28))
        t.send(P1, packet)
        t.expect(FWD(packet), note=f"{mtu} octets")


@case("RFC1812-5.3.7-5", "RFC1812-5.3.7-6")
def martian_destinations(t: Testbed) -> None:
    """Destinations that are never forwarded, though there is a default route."""
    t.configure(routes=(*ROUTES, Route("0.0.0.0/0", G3)))
    for dst in (
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.255",
        "240.0.0.1",
        "255.255.255.254",
    ):
        t.send(P1, T(dst=dst))
        t.expect(DROP, drop="martian_destination", note=dst)


@case("RFC1812-5.3.5.2-2", "RFC2644-3-2", "RFC1812-5.2.3-6", bursts=(1, 67))
def directed_broadcasts_are_blocked(t: Testbed) -> None:
    """By default: for the network it came from and for another; remote ones are unicast to us."""
    for dst in ("10.1.0.255", "10.2.0.255", "10.3.0.0"):
        t.send(P1, T(dst=dst))
        t.expect(DROP, drop="directed_broadcast", note=dst)
    for dst in ("198.18.255.255", "198.18.0.0"):
        packet = T(dst=dst)
        t.send(P1, packet)
        t.expect(FWD(packet), note=dst)
    t.send(P2, T(H2, "10.1.0.255", port=P2))
    t.expect(DROP, drop="directed_broadcast")
