# SPDX-License-Identifier: MIT
"""RFC 1812 4.2.2.1, 4.3.2.6, 4.3.3.6: options of what is for the router, and of its answers."""

from dataclasses import replace

from twinroute.conformance.kit import (
    DROP,
    ERR,
    G1,
    H1,
    M1,
    P1,
    R1,
    REPLY,
    Free,
    T,
    Testbed,
    U,
    Wanted,
    case,
    ether,
    fragments_of,
    g1,
    h1,
    ip_of,
    ping,
)
from twinroute.conformance.options import (
    STREAM_ID,
    is_sound,
    loose,
    now_ms,
    padded,
    record,
    stamp_in,
)

FIRST_STAMP = 24  # octet of a header whose only option is a timestamp


@case("RFC1812-4.2.2.1-1")
def unknown_options_reach_the_stack(t: Testbed) -> None:
    """Options that the router does not know go up as they came, and pings are answered."""
    options = b"\1\x1f\6\xaa\xbb\xcc\xdd\0"
    packet = T(dst=R1, options=options)
    t.local(packet, ERR(packet, 3, 3))
    packet = ping(options=options)
    t.send(P1, packet)
    t.expect(REPLY(packet), drop="echo_answered")


@case("RFC1812-4.2.2.1-4")
def stream_id_is_ignored_on_request(t: Testbed) -> None:
    """With "ignore" an echo request with a Stream Identifier gets a plain reply; else it goes."""
    packet = ping(options=STREAM_ID)
    t.send(P1, packet)
    t.expect(DROP, drop="stream_id", note="by default")
    t.configure(knobs={"stream_id": "ignore"})
    t.send(P1, packet)
    t.expect(REPLY(packet), drop="echo_answered", note="ignore")


@case(
    *("RFC1812-4.2.2.1-5", "RFC1812-4.2.2.1-8", "RFC1812-4.2.2.1-12"),
    *("RFC1812-4.3.3.6-11",),
)
def replies_go_back_by_the_source_route(t: Testbed) -> None:
    """A source route that has ended here is reversed for the reply, its sender listed once."""
    packet = ping(options=loose(G1, pointer=8))
    t.send(P1, packet)
    t.expect(DROP, drop="source_route", note="by default")
    t.configure(knobs={"source_route": "process"})
    for route, note in (
        (loose(G1, pointer=8), "through G1"),
        (loose(H1, G1, pointer=12), "H1 lists itself"),
    ):
        packet = ping(options=route)
        t.send(P1, packet)
        wanted = REPLY(packet, to=g1, options=padded(loose(H1)), dst=G1)
        t.expect(wanted, drop="echo_answered", note=note)


@case("RFC1812-4.2.2.1-6")
def the_stack_gets_the_source_route(t: Testbed) -> None:
    """A source route that has ended here goes up unchanged, for the stack to reverse."""
    t.configure(knobs={"source_route": "process"})
    packet = T(dst=R1, options=loose(G1, pointer=8))
    t.local(packet, ERR(packet, 3, 3, to=g1, options=loose(H1), dst=G1))


@case("RFC1812-4.3.2.6-1")
def errors_go_back_by_the_source_route(t: Testbed) -> None:
    """An error about a source-routed packet goes by the reversed route; none by default."""
    packet = T(dst=R1, smac=g1, options=loose(G1, U, pointer=8))
    t.send(P1, packet)
    t.expect(DROP, drop="source_route", note="by default")
    t.configure(knobs={"source_route": "process"})
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 5, to=g1, options=loose(H1), dst=G1), drop="no_route")


@case("RFC1812-4.3.3.6-10")
def replies_go_on_recording(t: Testbed) -> None:
    """The reply has the request's Record Route, as long as it was, with the router's address."""
    t.configure(knobs={"record_route": "process", "timestamp": "process"})
    packet = ping(options=record(slots=9))
    t.send(P1, packet)
    t.expect(REPLY(packet, options=padded(record(R1, slots=9))), drop="echo_answered")
    packet = ping(options=record(H1, G1, slots=2))
    t.send(P1, packet)
    wanted = REPLY(packet, options=padded(record(H1, G1, slots=2)))
    t.expect(wanted, drop="echo_answered", note="full")


@case("RFC1812-4.3.3.6-10", "RFC1812-4.3.3.6-11")
def replies_to_fragments_have_options(t: Testbed) -> None:
    """A request in fragments is answered as the whole one: what records is in the first alone."""
    t.configure(knobs={"record_route": "process", "source_route": "process"})
    data = bytes(i * 7 & 255 for i in range(2400))
    for options, back, to, dst, note in (
        (record(slots=3), record(R1, slots=3), h1, H1, "record route"),
        (loose(G1, pointer=8), loose(H1), g1, G1, "source route"),
    ):
        request = ping(data=data, options=options)
        whole = REPLY(request, to=to, options=padded(back), dst=dst)
        pieces = fragments_of(ip_of(whole.data), 1500)
        assert len(pieces) == 2
        free = tuple(one for one in whole.free if one.what != "DF")
        wanted = [replace(whole, data=ether(to, M1, piece), free=free) for piece in pieces]
        parts = [ether(M1, h1, piece) for piece in fragments_of(ip_of(request), 1500)]
        t.send(P1, *parts)
        t.expect(wanted, drop={"echo_answered": 1, "reassembled": 1}, note=note)


def _open(wanted: Wanted, *free: Free) -> Wanted:
    """Open octets of a frame besides those that are."""
    return replace(wanted, free=(*wanted.free, *free))


def _sound_stamp(reply: bytes) -> bool:
    return is_sound(stamp_in(reply, 14 + FIRST_STAMP))


@case("RFC1812-4.2.2.1-16")
def replies_are_stamped(t: Testbed) -> None:
    """The reply has the request's Timestamp option, with a timestamp of the router in it."""
    packet = ping(options=bytes.fromhex("440c0500") + bytes(8))
    t.send(P1, packet)
    t.expect(DROP, drop="timestamp_option", note="by default")
    t.configure(knobs={"timestamp": "process"})
    t.send(P1, packet)
    once = REPLY(packet, options=bytes.fromhex("440c0900") + bytes(8))
    t.expect(
        _open(once, Free(14 + FIRST_STAMP, b"\xff" * 4, "timestamp", _sound_stamp)),
        drop="echo_answered",
    )


@case("RFC1812-4.2.2.1-17")
def full_timestamps_count_in_replies(t: Testbed) -> None:
    """Where a Timestamp option is full, the reply's says that the router found no room."""
    t.configure(knobs={"timestamp": "process"})
    packet = ping(options=bytes.fromhex("44080900 00abcdef"))
    t.send(P1, packet)
    wanted = REPLY(packet, options=bytes.fromhex("44080900 00abcdef"))
    counted = Free(14 + 23, b"\xf0", "overflow of 1 or more", lambda frame: frame[37] >= 0x10)
    t.expect(_open(wanted, counted), drop="echo_answered")


@case("RFC1812-4.2.2.1-18", wait_ms=2000)
def timestamps_of_replies_count_milliseconds(t: Testbed) -> None:
    """Timestamps of replies a second apart differ by 1000; they are of UT, or marked."""
    t.configure(knobs={"timestamp": "process"})
    sent = []
    for number in (1, 2):
        sent.append(now_ms(t))
        t.send(P1, ping(sequence=number, options=bytes.fromhex("44080500") + bytes(4)))
        if number == 1:
            t.run(s=1)
    replies = t.collect(count=2)[P1]
    t.check(len(replies) == 2, "two replies")
    t.check(t.dropped() in ({}, {"echo_answered": 2}), "both were answered")
    first, second = (stamp_in(reply, 14 + FIRST_STAMP) for reply in replies)
    apart = sent[1] - sent[0]
    t.check(abs(second - first - apart) <= 100, f"{apart:.0f} ms apart: {first}, {second}")
    t.check(is_sound(first) and is_sound(second), "in ms of UT, or bit 31 set")
    t.check(all(ip_of(reply)[20:23] == b"\x44\x08\x09" for reply in replies), "stamped once")
