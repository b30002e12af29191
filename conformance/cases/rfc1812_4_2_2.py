# SPDX-License-Identifier: MIT
"""RFC 1812 4.2.1 and 4.2.2: counters, reserved bits, checksums, special addresses."""

from twinroute.conformance.kit import (
    ALONE,
    BROADCAST,
    DROP,
    FWD,
    H1,
    H2,
    ICMP,
    M2,
    OSPF,
    OUT,
    P1,
    P2,
    R1,
    R2,
    REPLY,
    TCP,
    TWIN,
    T,
    Testbed,
    case,
    checksum,
    echo_request,
    ether,
    h2,
    ip_of,
    ipv4,
    ping,
    tcp,
    twin,
    udp,
)
from twinroute.conformance.wanted import STACK

ALL_OSPF_ROUTERS = "224.0.0.5"
OSPF_HELLO = bytes.fromhex("0201002c0a010002000000000000000000000000000000000000ffffff00")


@case("RFC1812-4.2.1-6", needs=("counters",))
def silent_drops_are_counted(t: Testbed) -> None:
    """Ten packets with a wrong checksum: one counter rises, by ten."""
    t.send(P1, *[T(header_checksum=0x1234, ident=ident) for ident in range(10)])
    t.expect(DROP, drop={"ip_checksum": 10}, punt={})


@case("RFC1812-4.2.2.3-3", "RFC1812-5.2.5-1")
def reserved_bits_drop_nothing(t: Testbed) -> None:
    """Low TOS bits and the reserved flag: forwarded as they came, and answered."""
    for tos, flags in ((1, 0), (2, 0), (3, 0), (0, 0x8000), (3, 0x8000)):
        packet = T(tos=tos, fragment=flags)
        t.send(P1, packet)
        t.expect(FWD(packet), note=f"TOS {tos}, flags {flags:#06x}")
        request = T(
            dst=R1, tos=tos, fragment=flags, protocol=ICMP, payload=echo_request(data=b"1812")
        )
        t.send(P1, request)
        t.expect(REPLY(request), drop="echo_answered", note=f"TOS {tos}, flags {flags:#06x}")


@case("RFC1812-4.2.2.5-4", bursts=ALONE)
def checksum_is_updated_rightly(t: Testbed) -> None:
    """Every identification, and so every checksum: it is as if computed from scratch."""
    frame = T()
    wanted = FWD(frame).data
    for start in range(0, 1 << 16, 2048):
        idents = range(start, start + 2048)
        t.send(P1, *(_with_ident(frame, ident) for ident in idents))
        got = t.collect(count=len(idents), note=f"ID from {start:#06x}")
        t.check(
            got[P2] == [_with_ident(wanted, ident) for ident in idents],
            "every packet as it came, with TTL 63 and the checksum of its new header",
        )
        t.check(not any(ones for place, ones in got.items() if place != P2), "nothing elsewhere")


def _with_ident(frame: bytes, ident: int) -> bytes:
    """Return a frame with another identification, and the checksum of that header."""
    header = frame[14:18] + ident.to_bytes(2, "big") + frame[20:24] + b"\0\0" + frame[26:34]
    return frame[:14] + header[:10] + checksum(header).to_bytes(2, "big") + frame[26:]


@case("RFC1812-4.2.2.11-3", needs=("twin",))
def hosts_without_address_reach_dhcp(t: Testbed) -> None:
    """A DHCPDISCOVER of 0.0.0.0 reaches the relay on the twin, and what that sends the server."""
    asks = bytes.fromhex("01010600 12345678 00008000") + bytes(224)
    payload = udp("0.0.0.0", "255.255.255.255", 68, 67, asks)
    discover = T("0.0.0.0", "255.255.255.255", payload=payload, dmac=BROADCAST)
    t.send(P1, discover)
    t.expect(TWIN(discover))
    relayed = ether(h2, M2, ipv4(R2, H2, udp(R2, H2, 67, 67, asks)))
    t.send(twin(P2), relayed)
    t.expect(OUT(P2, relayed, "the relay's packet", kind=STACK))


@case("RFC1812-4.2.2.11-4")
def nobody_else_has_no_address(t: Testbed) -> None:
    """Echo request, TCP SYN and UDP of 0.0.0.0 to the router are dropped."""
    nobody = "0.0.0.0"
    syn = tcp(nobody, R1, 1024, 179)
    for address in (R1, R2):
        for what, packet in {
            "echo request": ping(address, nobody),
            "TCP SYN": T(nobody, address, protocol=TCP, payload=syn),
            "UDP": T(nobody, address),
            "UDP from the DHCP client's port": T(nobody, address, sport=68),
        }.items():
            t.send(P1, packet)
            t.expect(DROP, drop="martian_source", note=f"{what} to {address}")


@case("RFC2644-3-1", "RFC1812-5.3.5.2-6")
def directed_broadcasts_are_not_received(t: Testbed) -> None:
    """By default those of attached networks are neither received nor forwarded nor answered."""
    for dst in ("10.1.0.255", "10.2.0.255"):
        for packet in (T(dst=dst, dport=67), ping(dst), T(dst=dst, dport=67, dmac=BROADCAST)):
            t.send(P1, packet)
            t.expect(DROP, drop="directed_broadcast", note=dst)


@case("RFC1812-4.2.2.11-10", needs=("twin",))
def directed_broadcasts_may_be_received(t: Testbed) -> None:
    """Where a port's knob says so, the broadcasts of its networks reach the twin."""
    for dst in ("10.1.0.255", "10.2.0.255"):
        t.send(P1, T(dst=dst, dport=67))
        t.expect(DROP, drop="directed_broadcast", note=f"{dst}, by default")
    t.configure(knobs={"receive_directed_broadcast.p1": True})
    for mac in ("", BROADCAST):
        packet = T(dst="10.1.0.255", dport=67, dmac=mac)
        t.send(P1, packet)
        t.expect(TWIN(packet), note=f"received, to {mac or 'the port'}")
    t.send(P1, T(dst="10.2.0.255", dport=67))
    t.expect(DROP, drop="directed_broadcast", note="not those of another port")


@case("RFC1812-4.2.2.11-17", needs=("twin",))
def joined_groups_are_received(t: Testbed) -> None:
    """An OSPF Hello to 224.0.0.5 reaches the twin, unmodified, and nobody else."""
    payload = OSPF_HELLO + bytes(14)
    mac = "01:00:5e:00:00:05"
    hello = T(H1, ALL_OSPF_ROUTERS, protocol=OSPF, payload=payload, ttl=1, dmac=mac, tos=0xC0)
    assert ip_of(hello)[8] == 1
    t.send(P1, hello)
    t.expect(TWIN(hello))
