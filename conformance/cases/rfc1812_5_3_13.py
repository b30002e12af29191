# SPDX-License-Identifier: MIT
"""RFC 1812 5.3.13, 4.2.2.2, 4.2.2.6, 4.3.3.5: options of transit packets other than source routes,
and what is wrong with them."""

from twinroute.conformance.kit import (
    A1,
    DROP,
    ERR,
    FRAGMENTS,
    FWD,
    H1,
    MAYBE,
    P1,
    P2,
    R1,
    R2,
    R3,
    T,
    Testbed,
    address_bytes,
    case,
    ip_of,
)
from twinroute.conformance.options import (
    PROCESS,
    STREAM_ID,
    is_sound,
    now_ms,
    padded,
    record,
    stamp_in,
    stamped,
)

UNKNOWN = b"\x1f\4ab"
UNKNOWN_COPIED = b"\x9f\x08abcdef"
STRANGER = address_bytes("10.9.9.9")


def _long(options: bytes, dst: str = A1) -> bytes:
    """Return a datagram of 1420 octets in a frame."""
    return T(dst=dst, options=options, data=bytes(i * 7 & 255 for i in range(1392 - len(options))))


@case("RFC1812-4.2.2.6-1", "RFC1812-5.3.13.1-1")
def unknown_options_are_carried(t: Testbed) -> None:
    """Options of unassigned types are forwarded; in fragments by their copied flag."""
    both = UNKNOWN + UNKNOWN_COPIED
    for options in (UNKNOWN + bytes(4), UNKNOWN_COPIED + bytes(4), both, UNKNOWN_COPIED + UNKNOWN):
        packet = T(options=options)
        t.send(P1, packet)
        t.expect(FWD(packet), note=options.hex())
    t.configure(mtu={P2: 620})
    for options, later in ((UNKNOWN, b""), (UNKNOWN_COPIED, UNKNOWN_COPIED), (both, both[4:])):
        packet = _long(options)
        wanted = FRAGMENTS(packet, 620)
        assert ip_of(wanted[0].data)[20 : 20 + len(options)] == options
        assert ip_of(wanted[1].data)[20 : 20 + len(later)] == later
        assert {one.data[14] for one in wanted[1:]} == {0x45 + len(later) // 4}
        t.send(P1, packet)
        t.expect(wanted, drop="fragmented", note=f"{options.hex()} in fragments")


@case("RFC1812-4.2.2.6-2")
def no_operation_and_end_of_list(t: Testbed) -> None:
    """They have no length octet, and nothing behind the end of the list is an option."""
    for options in (
        b"\1\1\1\0",
        b"\1" * 8,
        b"\0\7\7\3",
        b"\0\x83\1\xff",
        b"\1\0\x83\x07\4abcdefgh",
    ):
        packet = T(options=options)
        t.send(P1, packet)
        t.expect(FWD(packet), note=options.hex())
    t.configure(knobs={"record_route": "ignore"})
    packet = T(options=b"\1" + record(slots=1))
    t.send(P1, packet)
    t.expect(FWD(packet), note="NOP before Record Route, ignored")


@case("RFC1812-5.3.13.3-1")
def stream_id_in_transit(t: Testbed) -> None:
    """Dropped by default; carried with "ignore"."""
    packet = T(options=STREAM_ID)
    t.send(P1, packet)
    t.expect(DROP, drop="stream_id", note="by default")
    t.configure(knobs={"stream_id": "ignore"})
    t.send(P1, packet)
    t.expect(FWD(packet), note="ignore")


# --- record route ---------------------------------------------------------------------------------


@case("RFC1812-4.2.2.2-1")
def record_route_of_one_slot(t: Testbed) -> None:
    """The router's address on the way out is recorded, and the pointer is past it."""
    t.configure(knobs={"record_route": "process"})
    packet = T(options=bytes.fromhex("07070400000000"))
    t.send(P1, packet)
    t.expect(FWD(packet, options=bytes.fromhex("0707080a02000100")))


@case("RFC1812-5.3.13.5-1", "RFC791-3.1-5", "RFC7126-4.5.5-1")
def record_route_has_three_settings(t: Testbed) -> None:
    """Dropped, ignored, or recorded: no room is no error, room for a part of an address is."""
    packet = T(options=record(slots=3))
    for knobs in ({}, {"record_route": "drop"}):
        t.configure(knobs=knobs)
        t.send(P1, packet)
        t.expect(DROP, drop="record_route")
    t.configure(knobs={"record_route": "ignore"})
    t.send(P1, packet)
    t.expect(FWD(packet), note="ignore")
    t.configure(knobs={"record_route": "process"})
    for before in ((), (R3,), (R3, H1)):
        packet = T(options=record(*before, slots=3))
        t.send(P1, packet)
        wanted = padded(record(*before, R2, slots=3))
        t.expect(FWD(packet, options=wanted), note=f"{len(before)} recorded before")
    packet = T(options=record(R3, H1, R1, slots=3))
    t.send(P1, packet)
    t.expect(FWD(packet), note="full")
    packet = T(options=b"\7\x0a\x08" + address_bytes(R3) + b"\xaa\xbb\xcc")
    t.send(P1, packet)
    t.expect(MAYBE(ERR(packet, 12, 0, 22 << 24)), drop="bad_options", note="room for three octets")


@case("RFC1812-5.3.13.5-2", "RFC1812-5.3.13.6-4")
def recording_options_can_be_ignored(t: Testbed) -> None:
    """With "ignore" they are carried, faults and all."""
    t.configure(knobs={"record_route": "ignore", "timestamp": "ignore"})
    for options in (
        record(slots=3),
        record(H1, slots=1),
        b"\7\7\3" + bytes(4),
        bytes.fromhex("440c0500") + bytes(8),
        bytes.fromhex("440809f0") + bytes(4),
    ):
        packet = T(options=options)
        t.send(P1, packet)
        t.expect(FWD(packet), note=options.hex())


@case("RFC1812-5.3.13.5-3", "RFC7126-4.5.5-2", "RFC1812-5.3.13.6-5", "RFC7126-4.7.5-1")
def recording_options_are_dropped_by_default(t: Testbed) -> None:
    """Record Route and Timestamp, for others or for the router: dropped silently, and counted."""
    for dst in (A1, R1):
        for reason, options in (
            ("record_route", record(slots=3)),
            ("record_route", record(H1, slots=1)),
            ("timestamp_option", bytes.fromhex("440c0500") + bytes(8)),
            ("timestamp_option", bytes.fromhex("440c0501") + bytes(8)),
            ("timestamp_option", bytes.fromhex("44080930") + bytes(4)),
        ):
            t.send(P1, T(dst=dst, options=options))
            t.expect(DROP, drop=reason, note=f"{dst}: {options.hex()}")


# --- timestamp ------------------------------------------------------------------------------------


@case("RFC1812-5.3.13.6-1", "RFC791-3.1-7", "RFC791-3.1-8")
def transit_packets_are_stamped(t: Testbed) -> None:
    """A stamp, an address and a stamp, or one more that found no room; a 16th is an error."""
    t.configure(knobs={"timestamp": "process"})
    r2 = address_bytes(R2)
    for before, after, free in (
        ("440c0500" + 16 * "0", "440c0900" + 16 * "0", stamped(24)),
        ("440c0900" + "00abcdef" + 8 * "0", "440c0d00" + "00abcdef" + 8 * "0", stamped(28)),
        ("440c0501" + 16 * "0", "440c0d01" + r2.hex() + 8 * "0", stamped(28)),
        ("44080930" + "00abcdef", "44080940" + "00abcdef", ()),
        ("440809e0" + "00abcdef", "440809f0" + "00abcdef", ()),
        ("440c0d01" + "0a0101010badcafe", "440c0d11" + "0a0101010badcafe", ()),
    ):
        packet = T(options=bytes.fromhex(before))
        t.send(P1, packet)
        t.expect(FWD(packet, options=bytes.fromhex(after), free=free), note=before)
    for options, pointer in (("440809f000abcdef", 23), ("440a090000abcdef0000", 22)):
        packet = T(options=bytes.fromhex(options))
        t.send(P1, packet)
        t.expect(MAYBE(ERR(packet, 12, 0, pointer << 24)), drop="bad_options", note=options)


@case("RFC1812-5.3.13.6-2", wait_ms=2000)
def timestamps_in_transit_count_milliseconds(t: Testbed) -> None:
    """Timestamps of packets a second apart differ by 1000; they are of UT, or marked."""
    t.configure(knobs={"timestamp": "process"})
    sent = []
    for number in (1, 2):
        sent.append(now_ms(t))
        t.send(P1, T(ident=number, options=bytes.fromhex("44080500") + bytes(4)))
        if number == 1:
            t.run(s=1)
    out = t.collect(count=2)[P2]
    t.check(len(out) == 2, "two packets")
    first, second = (stamp_in(frame, 14 + 24) for frame in out)
    apart = sent[1] - sent[0]
    t.check(abs(second - first - apart) <= 100, f"{apart:.0f} ms apart: {first}, {second}")
    t.check(is_sound(first) and is_sound(second), "in ms of UT, or bit 31 set")


@case("RFC1812-5.3.13.6-3")
def stamps_are_asked_of_named_stations(t: Testbed) -> None:
    """Flag 3: whoever is named stamps, by whatever interface the packet comes and goes."""
    t.configure(knobs={"timestamp": "process"})
    for own in (R1, R2, R3):
        entry = address_bytes(own) + bytes(4)
        packet = T(options=bytes.fromhex("440c0503") + entry)
        t.send(P1, packet)
        wanted = FWD(packet, options=bytes.fromhex("440c0d03") + entry, free=stamped(28))
        t.expect(wanted, note=own)
    for options in (
        bytes.fromhex("440c0503") + STRANGER + bytes(4),
        bytes.fromhex("44140503") + STRANGER + bytes(4) + address_bytes(R3) + bytes(4),
    ):
        packet = T(options=options)
        t.send(P1, packet)
        t.expect(FWD(packet), note="10.9.9.9 is next")


# --- what is wrong with options -------------------------------------------------------------------

FAULTS = (
    # what, option, octet of the option in error
    ("length 3, but data follows", bytes.fromhex("07030400"), 1),
    ("length 0", bytes.fromhex("44000500"), 1),
    ("length 1", bytes.fromhex("44010500"), 1),
    ("past the header", bytes.fromhex("070b0400 00000000"), 1),
    ("unknown type past the header", bytes.fromhex("1f050000"), 1),
    ("pointer 3", bytes.fromhex("07070300 00000000"), 2),
)


@case(
    *("RFC1812-4.3.3.5-1", "RFC1812-4.3.3.5-2"),
    *("RFC792-ParameterProblem-1", "RFC792-ParameterProblem-2"),
)
def parameter_problems_point_at_the_octet(t: Testbed) -> None:
    """The packet goes no further and is quoted as it came; the pointer shows the octet at fault."""
    t.configure(knobs=PROCESS)
    ones = (
        ("first", b""),
        ("behind two NOPs", b"\1\1"),
        ("behind a Record Route", record(H1, slots=2)),
        ("behind a Timestamp", bytes.fromhex("440c0500") + bytes(8)),
    )
    for what, fault, octet in FAULTS:
        for where, before in ones:
            if fault[0] in before:
                continue  # two of a kind are a fault by themselves
            for dst in (A1, R1):
                options = before + fault
                if what.endswith("past the header"):
                    options = before + b"\1" * (-len(before) % 4) + fault
                packet = T(dst=dst, options=options)
                at = 20 + len(options) - len(fault) + octet
                t.send(P1, packet)
                wanted = ERR(packet, 12, 0, at << 24)
                t.expect(wanted, drop="bad_options", note=f"{what}, {where}, to {dst}")
    packet = T(options=b"\1\1" + bytes.fromhex("1f00"))
    t.send(P1, packet)
    t.expect(ERR(packet, 12, 0, 23 << 24), drop="bad_options", note="octet 23")
