# SPDX-License-Identifier: MIT
"""RFC 791 3.1 and RFC 1122 3.2.1.8: options in fragments, pointers, and absurd lengths."""

from twinroute.conformance.kit import (
    A1,
    ALONE,
    DROP,
    ERR,
    FRAGMENTS,
    FWD,
    H1,
    P1,
    P2,
    R1,
    R2,
    T,
    Testbed,
    U,
    case,
    ip_of,
)
from twinroute.conformance.options import LOOSE, PROCESS, RECORD, STRICT, loose, padded, record

MTU = {P2: 620}
LENGTHS = (0, 1, 2, 3, 40, 41, 255)


def _long(options: bytes, dst: str = A1, payload: bytes | None = None) -> bytes:
    """Return a datagram of 1420 octets in a frame."""
    data = bytes(i * 7 & 255 for i in range(1392 - len(padded(options))))
    return T(dst=dst, options=options, data=data, payload=payload)


@case("RFC791-3.1-1")
def security_is_in_every_fragment(t: Testbed) -> None:
    """The Security option is copied."""
    t.configure(mtu=MTU)
    security = bytes([130, 11, *range(9)])
    packet = _long(security + b"\0")
    wanted = FRAGMENTS(packet, 620)
    assert len(wanted) == 3
    assert all(ip_of(one.data)[20:32] == security + b"\0" for one in wanted)
    t.send(P1, packet)
    t.expect(wanted, drop="fragmented")


@case("RFC791-3.1-9", "RFC791-3.2-4")
def later_headers_shrink(t: Testbed) -> None:
    """Later fragments have the copied options alone, and zeros up to a 32-bit boundary."""
    t.configure(mtu=MTU)
    copied, not_copied = b"\x9f\3\xaa", b"\x1f\6\1\2\3\4"
    for options in (copied + not_copied, not_copied + copied, b"\1" + copied + b"\1" + not_copied):
        packet = _long(options)
        wanted = FRAGMENTS(packet, 620)
        assert all(ip_of(one.data)[20:24] == copied + b"\0" for one in wanted[1:])
        assert {one.data[14] for one in wanted[1:]} == {0x46}
        t.send(P1, packet)
        t.expect(wanted, drop="fragmented", note=options.hex())
    packet = _long(not_copied)
    t.send(P1, packet)
    t.expect(FRAGMENTS(packet, 620), drop="fragmented", note="nothing to be copied")


@case("RFC791-3.1-3")
def source_route_is_in_every_fragment(t: Testbed) -> None:
    """What the router has written into a source route stands in every fragment."""
    t.configure(mtu=MTU, knobs={"source_route": "process"})
    packet = _long(loose(A1), R1)
    sent_on = _long(loose(R2, pointer=8), A1, ip_of(packet)[28:])
    wanted = FRAGMENTS(sent_on, 620)
    assert all(ip_of(one.data)[20:27] == loose(R2, pointer=8) for one in wanted)
    t.send(P1, packet)
    t.expect(wanted, drop="fragmented")


@case("RFC791-3.1-6")
def record_route_is_in_the_first_fragment(t: Testbed) -> None:
    """The first fragment has the route recorded, and the others have no such option."""
    t.configure(mtu=MTU, knobs={"record_route": "process"})
    packet = _long(record(H1, slots=3))
    wanted = FRAGMENTS(_long(record(H1, R2, slots=3)), 620)
    assert [one.data[14] for one in wanted] == [0x49, 0x45, 0x45]
    t.send(P1, packet)
    t.expect(wanted, drop="fragmented")


@case("RFC791-3.1-4")
def full_record_route_is_no_obstacle(t: Testbed) -> None:
    """A full Record Route is forwarded as it is."""
    t.configure(knobs={"record_route": "process"})
    for option in (record(H1, slots=1), record(*[H1] * 9, slots=9), b"\7\7\xff" + bytes(4)):
        packet = T(options=option)
        t.send(P1, packet)
        t.expect(FWD(packet), note=option.hex())


@case("RFC791-3.1-2")
def pointers_of_routes(t: Testbed) -> None:
    """Less than 4, or not at an address: a Parameter Problem that shows the pointer."""
    for kind, reason in (
        (LOOSE, "source_route"),
        (STRICT, "source_route"),
        (RECORD, "record_route"),
    ):
        t.send(P1, T(options=bytes([kind, 7, 3]) + bytes(4)))
        t.expect(DROP, drop=reason, note=f"type {kind}, by default")
    t.configure(knobs=PROCESS)
    for kind in (LOOSE, STRICT, RECORD):
        for pointer in (0, 1, 3, 5):
            for dst in (A1, R1):
                packet = T(dst=dst, options=bytes([kind, 7, pointer]) + bytes(4))
                t.send(P1, packet)
                note = f"type {kind}, pointer {pointer}, to {dst}"
                t.expect(ERR(packet, 12, 0, 22 << 24), drop="bad_options", note=note)


@case("RFC1122-3.2.1.8-1", bursts=ALONE)
def absurd_lengths(t: Testbed) -> None:
    """Any type with any length, at the first or the last octet of a header: the router lives on."""
    payload = bytes(8)
    t.configure(knobs=PROCESS)
    for length in LENGTHS:
        frames = []
        for kind in range(256):
            first = bytes([kind, length]) + bytes(38)
            last = b"\1" * 39 + bytes([kind])
            for dst in (A1, R1):
                frames.append(T(dst=dst, options=first, payload=payload))
                frames.append(T(dst=dst, options=last, payload=bytes([length]) + payload))
        for at in range(0, len(frames), 128):
            t.send(P1, *frames[at : at + 128])
            t.run(ms=1)
        out = t.collect(note=f"length {length}")
        t.check(sum(map(len, out.values())) <= len(frames), "at most one answer to each")
        t.send(P1, T())
        t.expect(FWD(T()), note="the next packet")


@case("RFC792-Unreachable-2")
def headers_are_quoted_with_their_options(t: Testbed) -> None:
    """40 octets of options and the ports behind them; of a packet without data, the header."""
    for packet in (
        T(dst=U, options=b"\1" * 40),
        T(dst=U, options=bytes([130, 11, *range(9)])),
        T(dst=U, payload=b""),
    ):
        t.send(P1, packet)
        t.expect(ERR(packet, 3, 0), drop="no_route")
