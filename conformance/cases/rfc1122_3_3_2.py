# SPDX-License-Identifier: MIT
"""RFC 1122 3.3.2 and RFC 3168 5.3: datagrams for the router that come in fragments."""

from collections.abc import Sequence
from dataclasses import replace

from twinroute.conformance.kit import (
    ALONE,
    DROP,
    ERR,
    H1,
    ICMP,
    M1,
    MF,
    P1,
    R1,
    REPLY,
    TWIN,
    T,
    Testbed,
    Wanted,
    case,
    echo_request,
    ether,
    fragments_of,
    h1,
    ip_of,
    udp,
    with_checksum,
)

CE, ECT0, ECT1 = 3, 2, 1


def request_of(octets: int, *, ident: int = 0x1234) -> bytes:
    """Return an echo request of so many octets in all."""
    data = bytes(i * 7 & 255 for i in range(octets - 28))
    return T(dst=R1, protocol=ICMP, payload=echo_request(data=data), ident=ident)


def pieces_of(frame: bytes, mtu: int) -> list[bytes]:
    """Return the frames that a sender makes of a datagram."""
    return [ether(M1, h1, piece) for piece in fragments_of(ip_of(frame), mtu)]


def replies(request: bytes, mtu: int = 1500) -> list[Wanted]:
    """Expect the reply to an echo request in as few fragments as the way back allows."""
    whole = REPLY(request)
    made = fragments_of(ip_of(whole.data), mtu)
    if len(made) == 1:
        return [whole]
    free = tuple(one for one in whole.free if one.what != "DF")
    return [replace(whole, data=ether(h1, M1, piece), free=free) for piece in made]


def answered(t: Testbed, request: bytes, pieces: Sequence[bytes], note: str) -> None:
    """Send the fragments of an echo request; its reply has all of the data, and one ID."""
    t.send(P1, *pieces)
    used = len(set(pieces)) - 1
    drops = {"echo_answered": 1, "reassembled": used, "fragment_duplicate": len(pieces) - used - 1}
    t.expect(replies(request), drop=drops, note=note)
    idents = {one.data[18:20] for one in t.rounds[-1].got}
    t.check(len(idents) == 1, f"{note}: fragments of a reply with different IDs")


@case("RFC1812-4.2.2.8-1", "RFC1812-4.3.3.6-2")
def fragments_for_the_router(t: Testbed) -> None:
    """Fragments of an echo request are put together, in whichever order, and some of them twice."""
    whole = request_of(1500)
    t.send(P1, whole)
    t.expect(REPLY(whole), drop="echo_answered", note="1500 octets, whole")
    for octets, mtu in ((1500, 576), (4000, 1500)):
        for name, order in {
            "in order": (0, 1, 2),
            "reversed": (2, 1, 0),
            "last in the middle": (0, 2, 1),
            "one twice": (0, 1, 1, 2),
            "the first twice": (2, 0, 0, 1),
        }.items():
            request = request_of(octets)
            pieces = pieces_of(request, mtu)
            assert len(pieces) == 3
            answered(t, request, [pieces[i] for i in order], f"{octets} octets, {name}")


@case("RFC1812-4.3.3.6-9")
def all_data_is_echoed(t: Testbed) -> None:
    """However much it is, and odd lengths too, in fragments where it is more than the MTU."""
    for length in (0, 1, 7, 56, 1472, 1473, 8000, 8001, 65507):
        request = request_of(28 + length)
        for mtu in (1500, 1004) if length > 1000 else (1500,):
            answered(t, request, pieces_of(request, mtu), f"{length} octets of data, MTU {mtu}")


@case("RFC1122-3.3.2-1")
def fragments_of_8_octets(t: Testbed) -> None:
    """576 octets in 70 fragments, the smallest that there are."""
    request = request_of(576)
    pieces = pieces_of(request, 28)
    assert len(pieces) == 70
    answered(t, request, pieces, "forwards")
    request = request_of(576)
    answered(t, request, pieces_of(request, 28)[::-1], "backwards")


@case("RFC1122-3.3.2-2", "RFC1122-3.3.2-4", bursts=ALONE, wait_ms=4000)
def incomplete_datagrams_end(t: Testbed) -> None:
    """What stays incomplete is dropped; the sender is told if the first fragment was there."""
    t.configure(knobs={"reassembly_s": 2})
    first, *_, last = pieces_of(request_of(4000), 1500)
    t.send(P1, first)
    t.expect(ERR(first, 11, 1), drop="reassembly_timeout", note="the first fragment alone")
    t.send(P1, last)
    t.expect(DROP, within_ms=4000, drop="reassembly_timeout", note="the last alone")
    first, middle, last = pieces_of(request_of(4000), 1500)
    t.send(P1, last, first)
    t.expect(ERR(first, 11, 1), drop="reassembly_timeout", note="the last, then the first")
    t.send(P1, middle)
    t.expect(DROP, within_ms=4000, drop="reassembly_timeout", note="the rest, too late")


@case("RFC1122-3.3.2-3", bursts=ALONE, needs=("virtual-time",))
def the_timeout_is_fixed(t: Testbed) -> None:
    """60 s, whatever the TTL and however late the latest fragment; or up to 120 s if so set."""
    for seconds in (60, 120):
        t.configure(knobs={} if seconds == 60 else {"reassembly_s": seconds})
        for ttl in (1, 64, 255):
            data = echo_request(data=bytes(16))
            first = T(dst=R1, protocol=ICMP, payload=data, fragment=MF, ttl=ttl, ident=ttl)
            second = T(dst=R1, protocol=ICMP, payload=data, fragment=MF | 3, ttl=ttl, ident=ttl)
            t.send(P1, first)
            t.run(s=seconds - 1)
            t.send(P1, second)
            t.expect(DROP, within_ms=900, note=f"TTL {ttl}, {seconds - 0.1} s")
            wanted = ERR(first, 11, 1)
            t.expect(
                wanted, within_ms=200, drop={"reassembly_timeout": 2}, note=f"{seconds + 0.1} s"
            )


@case("RFC3168-5.3-1", "RFC3168-5.3-3", needs=("twin",))
def fragments_reach_the_stack_as_they_are(t: Testbed) -> None:
    """UDP fragments, whatever their ECN fields, reach the stack unmodified: it reassembles."""
    data = udp(H1, R1, 1024, 9, bytes(56))
    for marks in ((ECT0, CE), (ECT1, ECT1), (CE, ECT1)):
        first = T(dst=R1, payload=data[:32], fragment=MF, tos=marks[0])
        last = T(dst=R1, payload=data[32:], fragment=4, tos=marks[1])
        t.send(P1, first, last)
        t.expect(TWIN(first), TWIN(last), note=f"ECN {marks[0]:02b} and {marks[1]:02b}")


@case("RFC3168-5.3-2", "RFC3168-5.3-1")
def marks_that_contradict_each_other(t: Testbed) -> None:
    """A mark on what cannot be marked ends an echo request; one on what can be does not."""
    for marks in ((0, CE), (CE, 0), (ECT0, CE), (CE, ECT1), (ECT1, ECT1)):
        request = request_of(100)
        first, last = pieces_of(request, 68)
        pair = [_marked(first, marks[0]), _marked(last, marks[1])]
        note = f"ECN {marks[0]:02b} and {marks[1]:02b}"
        if 0 in marks:
            t.send(P1, *pair)
            t.expect(DROP, drop="fragment_ecn", note=note)
        else:
            answered(t, request, pair, note)


def _marked(frame: bytes, ecn: int) -> bytes:
    """Return a fragment with another ECN field."""
    packet = ip_of(frame)
    return frame[:14] + with_checksum(packet[:1] + bytes([ecn]) + packet[2:])


@case("RFC1122-3.3.2-1", bursts=ALONE)
def whole_requests_pass_incomplete_ones(t: Testbed) -> None:
    """Hundreds of datagrams that stay incomplete do not keep one from being put together."""
    rotten = [pieces_of(request_of(100, ident=i), 68)[0] for i in range(700)]
    t.send(P1, *rotten)
    t.run(ms=1)
    request = request_of(576, ident=0x8000)
    t.send(P1, *pieces_of(request, 300))
    got = t.collect(within_ms=10)
    wanted = replies(request)
    t.check(len(got[P1]) == len(wanted), "no reply")
    t.check(not wanted[0].problems(got[P1][0]), "not the reply")
