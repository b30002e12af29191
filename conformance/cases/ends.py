# SPDX-License-Identifier: MIT
"""Ends of packets that no other case comes to: refused options, contradictions, shortages."""

from twinroute.conformance.kit import (
    A1,
    ALONE,
    ANY,
    DF,
    DROP,
    ERR,
    FRAGMENTS,
    FWD,
    H1,
    ICMP,
    MF,
    OUT,
    P1,
    P2,
    R1,
    REPLY,
    TWIN,
    T,
    Testbed,
    case,
    echo_request,
    ping,
    twin,
)
from twinroute.conformance.options import padded
from twinroute.conformance.wanted import STACK

REFUSED = {
    "router_alert": bytes.fromhex("94040000"),
    "quick_start": bytes.fromhex("1908000000000000"),
    "security": padded(bytes([130, 11]) + bytes(9)),
}
REASONS = {"security": "security_option"}


@case("RFC7126-4.8.5-2")
def carried_options_can_be_refused(t: Testbed) -> None:
    """Router Alert, Quick-Start and Security, each by its own knob, to others and to the router."""
    for key, options in REFUSED.items():
        t.configure(knobs={f"options.{key}": "drop"})
        for dst in (A1, R1):
            t.send(P1, T(dst=dst, options=options))
            t.expect(DROP, drop=REASONS.get(key, key), note=f"{key} to {dst}")
        other = next(one for name, one in REFUSED.items() if name != key)
        packet = T(options=other)
        t.send(P1, packet)
        t.expect(FWD(packet), note=f"another than {key}")


@case("RFC1812-4.3.3.6-4")
def echo_can_be_ignored(t: Testbed) -> None:
    """No request is answered, whole or in fragments, and packets of others are forwarded."""
    t.configure(knobs={"echo": False})
    t.send(P1, ping())
    t.expect(DROP, drop="echo_ignored", note="whole")
    data = echo_request(data=bytes(40))
    pieces = [_piece(data[:24], MF), _piece(data[24:], 3)]
    t.send(P1, *pieces)
    t.expect(DROP, drop="echo_ignored", note="in fragments")
    request = ping(A1)
    t.send(P1, request)
    t.expect(FWD(request), note="a request to another")


@case("RFC1812-4.3.2.8-3", bursts=ALONE)
def echo_replies_have_a_limit(t: Testbed) -> None:
    """A burst, and then so many in a second; errors have limits of their own."""
    t.configure(knobs={"icmp.echo_reply.per_s": 1, "icmp.echo_reply.burst": 2})
    t.send(P1, ping(), ping(), ping())
    t.expect(
        *(REPLY(ping()), REPLY(ping())),
        drop={"echo_answered": 2, "echo_limited": 1},
        note="three at once",
    )
    expired = T(ttl=1)
    t.send(P1, expired)
    t.expect(ERR(expired, 11, 0), drop="ttl_expired", note="an error")
    t.run(ms=1100)
    t.send(P1, ping())
    t.expect(REPLY(ping()), drop="echo_answered", note="a second later")


def _piece(data: bytes, fragment: int, ident: int = 0x1234) -> bytes:
    """Return a fragment of an ICMP message to the router."""
    return T(dst=R1, protocol=ICMP, payload=data, fragment=fragment, ident=ident)


@case("RFC1812-4.2.2.8-1", "RFC1122-3.3.2-1")
def fragments_that_contradict_each_other(t: Testbed) -> None:
    """What no sender makes is dropped, and the next request is answered all the same."""
    data = echo_request(data=bytes(40))
    for note, drop, frames in (
        ("12 octets and more to come", "fragment_length", [_piece(data[:12], MF)]),
        ("no octets", "fragment_length", [_piece(b"", 2)]),
        ("beyond 65,535", "fragment_beyond", [_piece(bytes(1400), 0x1FFF)]),
        ("overlap", "fragment_overlap", [_piece(data[:16], MF), _piece(data[8:], 1)]),
        ("two ends", "fragment_overlap", [_piece(data[16:24], 2), _piece(data[24:], 3)]),
    ):
        t.send(P1, *frames)
        t.expect(DROP, drop=drop, note=note)
    t.send(P1, _piece(data[:24], MF), _piece(data[24:], 3))
    wanted = REPLY(T(dst=R1, protocol=ICMP, payload=data))
    t.expect(wanted, drop={"echo_answered": 1, "reassembled": 1}, note="sound ones")


@case("RFC1812-4.2.2.7-1")
def fragments_do_not_go_beyond_the_end(t: Testbed) -> None:
    """A fragment whose pieces would lie beyond 65,535 octets is not cut; the last that fit are."""
    t.configure(mtu={P2: 620})
    t.send(P1, T(payload=bytes(1400), fragment=0x1FFF))
    t.expect(DROP, drop="fragment_beyond", note="beyond")
    packet = T(payload=bytes(1400), fragment=(65_515 - 1400) // 8)
    t.send(P1, packet)
    t.expect(FRAGMENTS(packet, 620), drop="fragmented", note="up to the end")
    t.send(P1, T(payload=bytes(1400), fragment=DF | 0x1FFF))
    t.expect(DROP, drop=ANY, note="beyond, DF")


@case("RFC1812-5.2.2-1", needs=("virtual-time",))
def a_frame_has_a_header(t: Testbed) -> None:
    """What the link brings without a whole header of its own is no packet."""
    for octets in (1, 13):
        t.send(P1, T()[:octets])
        t.expect(DROP, drop="frame_short", note=f"{octets} octets")


# --- shortages ------------------------------------------------------------------------------------


@case("RFC1812-4.3.2.8-2", bursts=ALONE, needs=("virtual-time",))
def the_slow_path_has_a_bound(t: Testbed) -> None:
    """More for the slow path than it can hold: that is lost, and what is forwarded is not."""
    t.configure(knobs={"slow_path.punt_ring": 2})
    expired = [T(ttl=1, ident=i) for i in range(40)]
    t.send(P1, *[one for packet in expired for one in (packet, T())])
    got = t.collect()
    lost = t.dropped()["punt_ring_full"]
    t.check(len(got[P2]) == 40, f"{len(got[P2])} packets of 40 forwarded")
    t.check(lost and len(got[P1]) == 40 - lost, f"{len(got[P1])} errors, {lost} lost")
    t.check(t.dropped()["ttl_expired"] == 40 - lost, "all are counted")


@case("RFC1812-5.2.6-1", bursts=ALONE, needs=("virtual-time",))
def fragments_need_buffers(t: Testbed) -> None:
    """Without room for all fragments there is none, and afterwards there is room again."""
    t.configure(mtu={P1: 9000, P2: 68}, knobs={"sim.buffers": 128})
    t.send(P1, T(data=bytes(8000)))
    t.expect(DROP, drop="no_buffer", note="more than 128")
    packet = T(data=bytes(800))
    t.send(P1, packet)
    t.expect(FRAGMENTS(packet, 68), drop="fragmented", note="fewer")


@case("RFC1812-3.3.4-3", needs=("virtual-time", "twin"), bursts=ALONE)
def the_stack_keeps_to_the_mtu(t: Testbed) -> None:
    """Of the stack's frames those leave that are frames, and not beyond the port's MTU."""
    t.configure(mtu={P1: 1000})
    whole = T(R1, H1, payload=bytes(980))
    t.send(twin(P1), whole[:13], whole + b"x")
    t.expect(DROP, drop="twin_frame", note="too short, too long")
    t.send(twin(P1), whole)
    t.expect(OUT(P1, whole, "the stack's frame", kind=STACK), note="just the MTU")
    packet = T(data=bytes(1400))
    t.send(P1, packet)
    t.expect(FWD(packet), note="more than the MTU is received")


@case("RFC1812-4.3.3.6-1", needs=("virtual-time", "twin"), bursts=ALONE)
def a_stack_that_is_behind(t: Testbed) -> None:
    """What the twin has no room for is lost; echo is answered by the router itself."""
    t.configure(knobs={"sim.port.p1.tx_descriptors": 1})
    frames = [T(dst=R1, ident=i) for i in range(20)]
    t.send(P1, *frames, ping())
    got = t.collect()
    lost = t.dropped()["twin_full"]
    heard = got[twin(P1)]
    t.check(lost and len(heard) == 20 - lost, f"{len(heard)} frames of 20 heard, {lost} lost")
    t.check([one for one in frames if one in heard] == heard, "they are in order")
    t.check(len(got[P1]) == 1 and not REPLY(ping()).problems(got[P1][0]), "no echo reply")
    t.send(P1, frames[0])
    t.expect(TWIN(frames[0]), note="there is room again")
