# SPDX-License-Identifier: MIT
"""RFC 4884: what stands behind the packet that an ICMP error quotes."""

from twinroute.conformance.kit import (
    ERR,
    FWD,
    G1,
    P1,
    REPLY,
    T,
    Testbed,
    address_bytes,
    case,
    checksum,
    header_length,
    ip_of,
    ping,
)

ON = {"icmp_extensions": True}


def _message(t: Testbed, packet: bytes, note: str) -> bytes:
    """Send a packet that gets one ICMP error; return the error's ICMP message."""
    t.send(P1, packet)
    got = t.collect(count=1, note=note)
    t.check([place for place, frames in got.items() if frames] == [P1], "an error, out of p1")
    t.check(len(got[P1]) == 1, "one error")
    error = ip_of(got[P1][0])
    t.check(len(error) <= 576, f"576 octets at most, not {len(error)}")
    return error[header_length(error) :]


def _quoted(t: Testbed, message: bytes, packet: bytes) -> int:
    """Demand an extension structure behind the quote, and that alone; return the quote's length."""
    t.check(checksum(message) == 0, "the message's checksum")
    length = message[5] * 4
    t.check(length > 0, "octet 5 is the quote's length")
    quote, extension = message[8 : 8 + length], message[8 + length :]
    original = ip_of(packet)
    cut = min(len(original), length)
    # The quoted TTL and header checksum may be the router's (RFC 1812 4.3.2.3).
    t.check(quote[:8] + quote[12:cut] == original[:8] + original[12:cut], "the quote")
    t.check(not any(quote[cut:]), "zeros behind the packet")
    t.check(len(extension) >= 4, "an extension structure behind the quote")
    t.check(extension[0] >> 4 == 2, "version 2")
    t.check(checksum(extension) == 0, "the extension's checksum")
    at = 4
    while at < len(extension):
        size = int.from_bytes(extension[at : at + 2], "big")
        t.check(size >= 4, "an object has a header")
        at += size
    t.check(at == len(extension), "objects fill the extension structure")
    return length


@case("RFC4884-4-1")
def the_length_attribute_is_set(t: Testbed) -> None:
    """300 octets: octet 5 is 75 words, then comes the extension; pointer and MTU stay."""
    t.configure(knobs=ON, mtu={"p2": 620})
    packet = T(data=bytes(range(256)) + bytes(16), ttl=1)
    message = _message(t, packet, "TTL 1")
    t.check(message[:2] == b"\x0b\0", "time exceeded")
    t.check(_quoted(t, message, packet) == 300, "300 octets are quoted")
    long = T(data=bytes(800), fragment=0x4000)
    message = _message(t, long, "too long, DF")
    t.check((message[:2], message[6:8]) == (b"\3\4", b"\x02\x6c"), "3/4 with the MTU 620")
    t.check(_quoted(t, message, long) >= 128, "128 octets or more are quoted")


@case("RFC4884-4-2")
def quotes_are_whole_words(t: Testbed) -> None:
    """301 to 303 octets are padded with zeros to 304, and 304 are not."""
    t.configure(knobs=ON)
    for size in (301, 302, 303, 304):
        packet = T(data=b"\xff" * (size - 28), ttl=1)
        message = _message(t, packet, f"{size} octets")
        t.check(_quoted(t, message, packet) == 304, "304 octets")


@case("RFC4884-4-3")
def quotes_are_128_octets_or_more(t: Testbed) -> None:
    """48 octets get 80 zeros; 127 get one, and 128 none."""
    t.configure(knobs=ON)
    for size in (28, 48, 124, 127, 128):
        packet = T(data=b"\xff" * (size - 28), ttl=1)
        message = _message(t, packet, f"{size} octets")
        t.check(_quoted(t, message, packet) == 128, "128 octets")
        t.check(message[8 + size : 136] == bytes(128 - size), "zeros up to 128 octets")


@case("RFC4884-7-1")
def extended_errors_have_576_octets_at_most(t: Testbed) -> None:
    """Around what just fits, and 1500 octets: version and checksum are right, in 576 octets."""
    t.configure(knobs=ON)
    for size in (*range(500, 553), 1500):
        packet = T(data=bytes(i * 7 & 255 for i in range(size - 28)), ttl=1)
        message = _message(t, packet, f"{size} octets")
        t.check(_quoted(t, message, packet) >= 128, "128 octets or more are quoted")


@case("RFC4884-4.6-2")
def no_other_message_is_extended(t: Testbed) -> None:
    """Redirects and echo replies have nothing behind what they are to have."""
    t.configure(knobs={**ON, "redirects.p1": True})
    packet = T(dst=G1)
    t.send(P1, packet)
    gateway = int.from_bytes(address_bytes(G1), "big")
    t.expect(FWD(packet, P1), ERR(packet, 5, 1, gateway), drop="redirect_copy", any_order=True)
    for size in (0, 1, 128, 200):
        request = ping(data=bytes(size))
        t.send(P1, request)
        t.expect(REPLY(request), drop="echo_answered", note=f"{size} octets of data")
