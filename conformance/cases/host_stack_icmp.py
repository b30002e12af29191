# SPDX-License-Identifier: MIT
"""What the host stack behind the twins does about ICMP: it gets all, and its answers leave as is.

The stack itself (Linux) has its own tests; where it is under test, its answers are judged.
"""

import struct
import time

from twinroute.conformance.kit import (
    ALONE,
    ANY,
    BROADCAST,
    ERR,
    FWD,
    G1,
    H1,
    ICMP,
    M1,
    OUT,
    P1,
    R1,
    R2,
    TWIN,
    T,
    Testbed,
    U,
    case,
    ether,
    g1,
    h1,
    icmp,
    ip_of,
    twin,
)
from twinroute.conformance.wanted import STACK

REVERSED = bytes([131, 7, 4, 10, 1, 0, 2])  # {H1}, nothing of it used yet
ALL_HOSTS, ALL_ROUTERS = "224.0.0.1", "224.0.0.2"
DAY_MS = 86_400_000


def message(kind: int, data: bytes = b"", *, dst: str = R1, ttl: int = 64, dmac: str = "") -> bytes:
    """Return an ICMP message of H1's in its frame."""
    return T(dst=dst, protocol=ICMP, payload=icmp(kind, data=data), ttl=ttl, dmac=dmac)


@case("RFC1812-4.3.2.1-1", "RFC1812-4.3.3.7-1", "RFC6918-3-1")
def icmp_of_other_types_gets_no_reply(t: Testbed) -> None:
    """Unknown and deprecated types reach the host stack; nobody answers."""
    for kind in (1, 2, 7, 41, 100, 255, 6, *range(15, 19), *range(30, 40)):
        t.local(message(kind, bytes(8)), note=f"type {kind}")


@case("RFC1812-4.3.3.3-3", "RFC6633-4-1")
def source_quench_is_not_heeded(t: Testbed) -> None:
    """To the router: the stack's business, and no reply. In transit: a packet like others."""
    segment = ip_of(T(R1, H1, protocol=6, payload=bytes(20)))
    t.local(message(4, segment[:28]))
    quench = message(4, segment[:28], dst="198.18.0.1")
    t.send(P1, quench)
    t.expect(FWD(quench))
    t.send(P1, T())
    t.expect(FWD(T()), note="afterwards")


@case("RFC1812-4.3.3.9-1", "RFC1812-4.3.3.9-8", "RFC1812-10.3.2.3-7")
def address_masks_are_not_exchanged(t: Testbed) -> None:
    """Requests are not answered, and replies change nothing."""
    t.local(message(17, bytes(4)), note="request")
    t.local(message(17, bytes(4), dst="255.255.255.255", dmac=BROADCAST), note="broadcast request")
    t.local(message(18, bytes([255, 0, 0, 0])), note="reply: 255.0.0.0")
    packet = T(dst=U)
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 0), drop="no_route", note="still a /24")


def from_stack(frame: bytes, mac: str = h1) -> bytes:
    """Return a frame as the host stack sends it out of P1."""
    return ether(mac, M1, ip_of(frame))


def timestamp_reply(request: bytes, now_ms: int = 1000) -> bytes:
    """Return the host stack's answer to a timestamp request, in its frame."""
    packet = ip_of(request)
    header = (packet[0] & 15) * 4
    body = packet[header + 4 : header + 12] + struct.pack("!II", now_ms, now_ms)
    source, target = packet[16:20], packet[12:16]
    text = [".".join(map(str, address)) for address in (source, target)]
    answer = T(*text, protocol=ICMP, payload=icmp(14, 0, body[:4], body[4:]), ident=0)
    return ether(request[6:12].hex(":"), request[:6].hex(":"), ip_of(answer))


def timestamp(dst: str = R1, *, sequence: int = 1, options: bytes = b"", dmac: str = "") -> bytes:
    """Return a timestamp request of H1's in its frame."""
    rest = struct.pack("!HH", 7, sequence)
    payload = icmp(13, 0, rest, struct.pack("!III", 500, 0, 0))
    return T(dst=dst, protocol=ICMP, payload=payload, options=options, dmac=dmac)


@case(
    *("RFC1812-4.3.3.8-1", "RFC1812-4.3.3.8-2", "RFC1812-4.3.3.8-4", "RFC1812-4.3.3.8-5"),
)
def timestamp_requests_reach_the_stack(t: Testbed) -> None:
    """Each of ten is answered, from the address asked; broadcasts and multicasts are not."""
    requests = [timestamp(sequence=sequence) for sequence in range(10)]
    for request in (*requests, timestamp(R2)):
        answer_timestamp(t, request)
    t.local(timestamp("255.255.255.255", dmac=BROADCAST), note="broadcast")
    t.local(timestamp(ALL_HOSTS, dmac="01:00:5e:00:00:01"), note="all hosts")


def answer_timestamp(t: Testbed, request: bytes, now_ms: int = 1000) -> int:
    """Demand the answer to a timestamp request; return the time of reception in it."""
    t.send(P1, request)
    if t.has("twin"):
        t.expect(TWIN(request))
        t.send(twin(P1), timestamp_reply(request, now_ms))
    got = t.collect(count=1)[P1]
    t.check(len(got) == 1, f"{len(got)} answers")
    answer, wanted = ip_of(got[0]), ip_of(timestamp_reply(request))
    t.check(answer[12:20] == wanted[12:20], "source or destination of the answer")
    at = (answer[0] & 15) * 4
    t.check(answer[at] == 14, "type of the answer")
    t.check(answer[at + 4 : at + 12] == wanted[24:32], "identifier, number, originate timestamp")
    received, transmitted = struct.unpack("!II", answer[at + 12 : at + 20])
    t.check(received and transmitted, "a time is not filled in")
    return int(received)


@case("RFC1812-4.3.3.8-9", "RFC1812-4.3.3.8-10", bursts=ALONE, wait_ms=2000)
def timestamps_are_the_time(t: Testbed) -> None:
    """Twenty in a second show at least 16 times of the day, not minutes off."""
    times = []
    for sequence in range(20):
        now = time.time_ns() // 1_000_000 + (50 * sequence if t.has("twin") else 0)
        times.append(answer_timestamp(t, timestamp(sequence=sequence), now % DAY_MS))
        t.run(ms=50)
        off = abs((times[-1] - now) % DAY_MS)
        near = times[-1] >> 31 or min(off, DAY_MS - off) < 300_000
        t.check(near, f"{off} ms off")
    t.check(times[0] >> 31 or len(set(times)) >= 16, f"{len(set(times))} different times")


@case("RFC1812-4.3.3.10-1", needs=("twin",))
def router_discovery_passes(t: Testbed) -> None:
    """Solicitations reach the daemon on the twin; its advertisements leave, solicited or not."""
    solicitation = message(10, dst=ALL_ROUTERS, ttl=1, dmac="01:00:5e:00:00:02")
    entry = bytes([1, 2]) + struct.pack("!H", 1800)
    listed = bytes([10, 1, 0, 1]) + bytes(4)
    packet = T(R1, ALL_HOSTS, protocol=ICMP, payload=icmp(9, 0, entry, listed), ttl=1)
    advertised = ether("01:00:5e:00:00:01", M1, ip_of(packet))
    t.local(solicitation, OUT(P1, advertised), note="solicited")
    t.send(twin(P1), advertised)
    t.expect(OUT(P1, advertised), note="by itself")


@case("RFC1122-3.2.2.1-1", "RFC1122-3.2.2.1-2")
def nobody_takes_it(t: Testbed) -> None:
    """A protocol and ports that nobody has: what the host stack answers."""
    packet = T(dst=R1, protocol=253, payload=bytes(32))
    t.local(packet, ERR(packet, 3, 2), note="protocol 253")
    for dst, port, ttl in ((R1, 9, 64), (R2, 33434, 1)):
        packet = T(dst=dst, dport=port, ttl=ttl)
        t.local(packet, ERR(packet, 3, 3, source=dst), note=f"{dst}:{port}")


@case("RFC1812-4.3.3.8-6", "RFC1812-4.3.3.8-7", needs=("twin",))
def timestamp_requests_with_options(t: Testbed) -> None:
    """By default they are dropped; else the stack gets them to reverse, and recorded in."""
    routed = timestamp(options=bytes([131, 7, 8, 10, 1, 0, 254]))
    recording = timestamp(options=bytes([7, 39, 4]) + bytes(36))
    stamping = timestamp(options=bytes([68, 12, 5, 0]) + bytes(8))
    for packet in (routed, recording, stamping):
        t.send(P1, packet)
        t.expect(drop=ANY, note="default")
    t.configure(
        knobs={
            f"options.{kind}": "process"
            for kind in ("loose_source_route", "record_route", "timestamp")
        }
    )
    t.send(P1, routed)
    t.expect(TWIN(routed))
    reply = from_stack(T(R1, G1, protocol=ICMP, payload=icmp(14), options=REVERSED), g1)
    t.send(twin(P1), reply)
    t.expect(OUT(P1, reply, "the stack's answer", kind=STACK))
    for asked, area in (
        (recording, bytes([7, 39, 8, 10, 1, 0, 1]) + bytes(33)),
        (stamping, bytes([68, 12, 9, 0]) + bytes([0x80, 0, 0, 1]) + bytes(4)),
    ):
        t.send(P1, asked)
        t.expect(TWIN(asked))
        back = from_stack(T(R1, H1, protocol=ICMP, payload=icmp(14), options=area))
        t.send(twin(P1), back)
        t.expect(OUT(P1, back, "the stack's answer", kind=STACK))
