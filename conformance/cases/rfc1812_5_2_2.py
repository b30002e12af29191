# SPDX-License-Identifier: MIT
"""RFC 1812 5.2.2: the five checks of the IP header."""

from twinroute.conformance.cases.rfc1624 import ident_for
from twinroute.conformance.kit import (
    A1,
    BROADCAST,
    DROP,
    ERR,
    FWD,
    MAYBE,
    P1,
    T,
    Testbed,
    case,
    checksum,
    ip_of,
    pad,
    with_checksum,
)

DISCARDED = ("RFC1812-5.2.2-2", "RFC1812-5.2.2-3")
STRICT_ROUTE = bytes([137, 11, 4, 198, 18, 0, 1, 10, 9, 9, 9])  # SSRR {A1, 10.9.9.9}
EMPTY = T(payload=b"", protocol=253)  # a header, and nothing else


def discards(t: Testbed, reason: str, packet: bytes, note: str) -> None:
    """Demand that ten of a packet are dropped silently, and counted under the reason."""
    t.send(P1, *[packet] * 10)
    t.expect(DROP, drop={reason: 10}, note=note)


@case("RFC1812-5.2.2-4", *DISCARDED)
def the_link_brings_20_octets(t: Testbed) -> None:
    """A frame with less than a header is dropped; with just a header it is forwarded."""
    for octets in (0, 1, 19):
        discards(t, "ip_short", T()[: 14 + octets], f"{octets} octets")
    for total in (0, 1, 19):
        discards(t, "ip_total_length", pad(T(payload=b"", total=total)), f"{total}, padded")
    t.send(P1, EMPTY)
    t.expect(FWD(EMPTY), note="20 octets")


@case("RFC1812-5.2.2-5", "RFC1812-4.2.2.5-2", *DISCARDED)
def the_checksum_is_right(t: Testbed) -> None:
    """Every bit of the checksum counts; 0xffff for 0x0000 is right too, and is not kept."""
    good = int.from_bytes(ip_of(T())[10:12], "big")
    for bit in range(16):
        discards(t, "ip_checksum", T(header_checksum=good ^ 1 << bit), f"bit {bit} flipped")
    packet = T(ident=ident_for(0), header_checksum=0xFFFF)
    t.send(P1, packet)
    t.expect(FWD(packet), note="0xffff for 0x0000")


@case("RFC1812-5.2.2-6", *DISCARDED)
def the_version_is_4(t: Testbed) -> None:
    """Any other version is dropped, with a right checksum, too."""
    for version in (0, 3, 5, 6, 15):
        discards(t, "ip_version", T(version=version), f"version {version}")


@case("RFC1812-5.2.2-7", *DISCARDED)
def the_header_has_five_words(t: Testbed) -> None:
    """Fewer are dropped, whether the checksum is right for 20 octets or for what is stated."""
    for words in range(5):
        packet = T(ihl=words)
        discards(t, "ip_header_length", packet, f"{words} words")
    for words in (3, 4):
        blank = ip_of(T(ihl=words, header_checksum=0))[: words * 4]
        packet = T(ihl=words, header_checksum=checksum(blank))
        assert checksum(ip_of(packet)[: words * 4]) == 0
        discards(t, "ip_header_length", packet, f"{words} words, checksum of these")


@case("RFC1812-5.2.2-8", *DISCARDED)
def the_total_covers_the_header(t: Testbed) -> None:
    """A total length below that of the header is dropped, with options too."""
    for total in (0, 19):
        discards(t, "ip_total_length", T(total=total), f"5 words, {total}")
    packet = T(options=b"\1" * 40, payload=b"", protocol=253)
    discards(t, "ip_total_length", _with_total(packet, 59), "15 words, 59")
    t.send(P1, _with_total(packet, 60))
    t.expect(FWD(packet), note="15 words, 60")


def _with_total(frame: bytes, total: int) -> bytes:
    """Return a frame whose packet states another total length, the checksum right."""
    return frame[:14] + with_checksum(frame[14:16] + total.to_bytes(2, "big") + frame[18:])


@case("RFC1812-5.2.2-10", "RFC1812-5.2.2-11", "RFC1812-5.2.2-12", "RFC1812-5.2.2-2")
def wrong_lengths_may_be_answered(t: Testbed) -> None:
    """A Parameter Problem, or nothing; the packet is dropped and counted anyway."""
    for reason, packet, pointer in (
        ("ip_header_length", T(ihl=4), 0),
        ("ip_total_length", T(total=19), 2),
    ):
        t.send(P1, packet)
        t.expect(MAYBE(ERR(packet, 12, 0, pointer << 24)), drop=reason, note=reason)


@case("RFC1812-5.2.2-13", "RFC1812-5.2.2-14", "RFC1812-5.2.2-15", "RFC1812-5.2.2-16")
def truncated_packets(t: Testbed) -> None:
    """More total length than octets: dropped, counted, and answered; fewer: the rest is padding.

    RFC 1812 asks for both, a drop and a Parameter Problem; there is silence where 4.3.2.7 wants it.
    """
    whole = T(data=bytes(range(100)))
    for missing in (1, 40, 90):
        packet = whole[:-missing]
        t.send(P1, packet)
        t.expect(
            ERR(packet, 12, 0, 2 << 24), drop="ip_total_length", note=f"{missing} octets missing"
        )
    t.send(P1, T(data=bytes(100), fragment=10)[:-1])
    t.expect(DROP, drop="ip_total_length", note="a later fragment")
    for note, packet in (
        ("in a link broadcast", T(data=bytes(100), dmac=BROADCAST)[:-1]),
        ("from nobody", T("0.0.0.0", data=bytes(100))[:-1]),
    ):
        t.send(P1, packet)
        t.expect(DROP, drop="ip_total_length", note=note)
    for extra in (1, 4, 26, 1000):
        packet = T(data=bytes(range(40)))
        t.send(P1, packet + b"\xff" * extra)
        t.expect(FWD(packet), note=f"{extra} octets of padding")


@case("RFC1812-5.2.2-17", "RFC1812-5.2.2-18", "RFC1812-5.2.2-19")
def strict_routes_do_not_lead_elsewhere(t: Testbed) -> None:
    """A strict source route that does not name the router as its next hop: dropped, counted."""
    packet = T(dst=A1, options=STRICT_ROUTE)
    t.send(P1, packet)
    t.expect(DROP, drop="source_route", note="by default")
    t.configure(knobs={"source_route": "process"})
    t.send(P1, packet)
    t.expect(ERR(packet, 12, 0, 16 << 24), drop="strict_route_left")
