# SPDX-License-Identifier: MIT
"""Echo requests to the router that come in fragments (RFC 1812 4.2.2.8, RFC 1122 3.3.2)."""

from itertools import permutations

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import MAC, SECOND_PS, SILENCE, asks, dropped, error_to_h1, only, since, stack
from tests.answers import told as told_mac

MINUTE_PS = 60 * SECOND_PS


def body(length: int) -> bytes:
    """Return that many octets, none like its neighbours."""
    return bytes((i * 11 + (i >> 8) * 3 + 5) & 255 for i in range(length))


def request(data: int, *, src: str = w.H1, dst: str = w.R1, **fields: int) -> bytes:
    """Return an echo request with so many octets of data, as if no link had an MTU."""
    echo = p.echo_request(0xBEEF, 7, body(data))
    return p.ipv4(src, dst, echo, protocol=p.ICMP, **fields)  # type: ignore[arg-type]


def reply(packet: bytes, mtu: int = 1500) -> list[bytes]:
    """Return the frames of the answer to an echo request, of H1, as they leave by p1."""
    asked = p.ip_fields(packet)
    message = packet[20:]
    whole = p.ipv4(
        str(asked["dst"]),
        str(asked["src"]),
        p.icmp(0, 0, message[4:8], message[8:]),
        protocol=p.ICMP,
        ident=int(asked["ident"]),
        tos=int(asked["tos"]) & 0xFC,
    )
    parts = [whole] if len(whole) <= mtu else p.fragments(whole, mtu - 20)
    return [p.pad(p.ether(w.h1, w.M1, part)) for part in parts]


def frames(packet: bytes, data: int) -> list[bytes]:
    """Return frames of H1 with the packet's fragments."""
    return [p.ether(w.M1, w.h1, part) for part in p.fragments(packet, data)]


def fragment(offset: int, data: bytes, *, more: bool = True, **fields: object) -> bytes:
    """Return a frame of H1 with a fragment for the router; `offset` in octets."""
    fields = {"src": w.H1, "dst": w.R1, "protocol": p.ICMP, **fields}
    packet = p.ipv4(payload=data, fragment=offset // 8 | (p.MF if more else 0), **fields)  # type: ignore[arg-type]
    return p.ether(w.M1, w.h1, packet)


# --- whole in the end -----------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_any_order(order: tuple[int, ...]) -> None:
    bench = w.bed()
    packet = request(3972)
    parts = frames(packet, 1480)
    assert w.exchange(bench, w.P1, [parts[i] for i in order]) == only(p1=reply(packet))
    assert dropped(bench) == {"echo_answered": 1, "reassembled": 2}
    counters = bench.only.counters()
    assert (counters.generated, counters.forwarded, counters.punted) == (3, 0, {"local": 3})


@pytest.mark.parametrize("twice", range(3))
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_a_duplicate_is_ignored(twice: int, order: tuple[int, ...]) -> None:
    bench = w.bed()
    packet = request(3972)
    parts = frames(packet, 1480)
    sequence = [parts[i] for i in order]
    sequence.insert(2, sequence[twice] if twice < 2 else sequence[0])
    assert w.exchange(bench, w.P1, sequence) == only(p1=reply(packet))
    assert dropped(bench) == {"echo_answered": 1, "reassembled": 2, "fragment_duplicate": 1}


@pytest.mark.parametrize("mtu", [68, 69, 75, 76, 77, 576, 620, 1500, 9000])
@pytest.mark.parametrize("data", [1, 40, 56, 1465, 1472, 1473, 1480, 1481, 8000, 65507])
def test_all_data_comes_back_whatever_the_way(data: int, mtu: int) -> None:
    """As few fragments as the MTU allows, the last one up to 7 octets more (RFC 791 3.2)."""
    bench = w.bed(mtu1=mtu, nic={"tx_descriptors": 4096, "rx_descriptors": 4096})
    packet = request(data)
    parts = frames(packet, 8 if data <= 56 else 1480)
    if len(parts) == 1:
        parts = frames(packet, 8 * (len(packet) // 16))
    out = w.exchange(bench, w.P1, parts)
    assert out == only(p1=reply(packet, mtu))


def test_the_smallest_fragments() -> None:
    """RFC 1122 3.3.2: 576 octets, 8 at a time."""
    bench = w.bed()
    packet = request(548)
    parts = frames(packet, 8)
    assert len(parts) == 70
    assert w.exchange(bench, w.P1, parts) == only(p1=reply(packet))
    assert w.exchange(bench, w.P1, parts[::-1]) == only(p1=reply(packet))


@pytest.mark.parametrize("burst", [1, 67])
def test_between_other_packets(burst: int) -> None:
    bench = w.bed(fast={"burst": 512})
    transit = [p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, p.udp(1, 9), ident=i)) for i in range(burst)]
    packets = [request(2000, ident=5), request(3000, ident=6, dst=w.R3)]
    first, second = (frames(packet, 1480) for packet in packets)
    sequence = [second[2], first[0], *transit, second[0], first[1], second[1]]
    assert w.exchange(bench, w.P1, sequence) == only(
        p1=reply(packets[0]) + reply(packets[1]),
        p2=[p.forwarded(frame, w.M2, w.g2) for frame in transit],
    )


@pytest.mark.parametrize("different", [{"ident": 2}, {"src": "10.1.0.254"}, {"dst": w.R2}])
def test_fragments_of_another_datagram_do_not_fit(different: dict[str, object]) -> None:
    """RFC 791 3.2: source, destination, identification and protocol tell datagrams apart."""
    bench = w.bed()
    ours, other = (frames(request(1000, **one), 504) for one in ({}, different))  # type: ignore[arg-type]
    for port in MAC:
        bench.port(port).clear()
    bench.port(w.P1).send(ours[0], other[1])
    bench.run(us=1000)
    assert w.received(bench, w.P1) == []
    bench.check_conservation()
    assert bench.only.held() == 2
    bench.port(w.P1).send(ours[1])
    bench.run(us=1000)
    assert w.received(bench, w.P1) == reply(request(1000))
    assert bench.only.held() == 1


@pytest.mark.parametrize("tos", [0xB8, 0x29, 0x2A, 0x2B])
def test_the_dscp_is_the_first_fragments(tos: int) -> None:
    packet = request(2000, tos=tos)
    assert w.exchange(w.bed(), w.P1, frames(packet, 1480)) == only(p1=reply(packet))


@pytest.mark.parametrize("ecn", range(16))
def test_ecn_of_the_fragments(ecn: int) -> None:
    """RFC 3168 5.3: CE and not ECN-capable do not go together."""
    bench = w.bed()
    packet = request(2000)
    parts = p.fragments(packet, 1480)
    marks = (ecn & 3, ecn >> 2)
    marked = [
        p.ipv4(w.H1, w.R1, part[20:], protocol=p.ICMP, fragment=field, tos=mark)
        for part, mark, field in zip(parts, marks, (p.MF, 185), strict=True)
    ]
    out = w.exchange(bench, w.P1, [p.ether(w.M1, w.h1, one) for one in marked])
    if set(marks) == {0, 3}:
        assert out == SILENCE
        assert dropped(bench) == {"fragment_ecn": 2}
    else:
        assert out == only(p1=reply(packet))


def test_a_wrong_checksum() -> None:
    bench = w.bed()
    packet = bytearray(request(2000))
    packet[1900] ^= 1
    assert w.exchange(bench, w.P1, frames(bytes(packet), 1480)) == SILENCE
    assert dropped(bench) == {"icmp_malformed": 2}


def test_the_reply_waits_for_arp() -> None:
    bench = w.bed(resolved=False)
    packet = request(8000)
    bench.port(w.P1).send(*frames(packet, 1480))
    bench.run(us=100)
    assert w.received(bench, w.P1) == [asks(w.P1, w.H1)]
    bench.port(w.P1).send(told_mac(w.P1, w.h1, w.H1))
    bench.run_until_idle()
    assert w.received(bench, w.P1)[1:] == reply(packet)
    bench.check_conservation()


def test_without_a_buffer_there_is_no_part_of_a_reply() -> None:
    bench = w.bed(mtu1=68, sim={"buffers": 64})
    assert w.exchange(bench, w.P1, frames(request(8000), 1480)) == SILENCE
    assert dropped(bench) == {"no_buffer": 6}


def test_by_the_nics_filter() -> None:
    """What the NIC picks out for the slow path is reassembled too."""
    packet = request(8000)
    out = w.exchange(w.bed(nic={"filters": True}), w.P1, frames(packet, 1480))
    assert out == only(p1=reply(packet))


# --- never whole ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [0, 1, 255])
def test_the_sender_is_told_after_a_minute(ttl: int) -> None:
    """RFC 1122 3.3.2: the time is not taken from the TTL."""
    bench = w.bed()
    start = bench.now_ps
    first = fragment(0, p.echo_request(data=body(1472)), ttl=ttl)
    bench.port(w.P1).send(first)
    bench.port(w.P1).send(fragment(2960, body(8)), at_ps=start + MINUTE_PS - 10 * 10**6)
    bench.run(us=59_999_998)
    assert (bench.only.held(), dropped(bench)) == (2, {})
    bench.check_conservation()
    bench.run_until_idle()
    assert since(bench, w.P1, start) == [(MINUTE_PS, error_to_h1(p.ip_of(first), 11, 1))]
    assert dropped(bench) == {"reassembly_timeout": 2}
    bench.check_conservation()
    assert bench.only.held() == 0


def test_nobody_is_told_of_an_error_that_is_not_whole() -> None:
    """RFC 1812 4.3.2.7."""
    frame = fragment(0, p.icmp(3, 1, data=body(8)))
    assert w.exchange(w.bed(), w.P1, [frame]) == SILENCE


def test_without_the_first_fragment_nobody_is_told() -> None:
    bench = w.bed()
    assert w.exchange(bench, w.P1, [fragment(1480, body(8), more=False)]) == SILENCE
    assert dropped(bench) == {"reassembly_timeout": 1}


def test_the_time_is_a_setting() -> None:
    bench = w.bed(slow={"reassembly_s": 120})
    start = bench.now_ps
    first = fragment(0, p.echo_request(data=body(8)))
    bench.port(w.P1).send(first)
    bench.run_until_idle()
    assert since(bench, w.P1, start) == [(2 * MINUTE_PS, error_to_h1(p.ip_of(first), 11, 1))]


OVERLAPS = {
    "inside": [(0, 64, True), (16, 8, True)],
    "around": [(16, 8, True), (0, 64, True)],
    "the end of one": [(0, 64, True), (56, 64, True)],
    "the front of one": [(56, 64, True), (0, 64, True)],
    "longer": [(0, 64, True), (0, 72, True)],
    "shorter": [(0, 64, True), (0, 56, True)],
    "another end": [(8, 64, True), (8, 64, False)],
    "behind the end": [(64, 8, False), (72, 8, True)],
    "an end before": [(72, 8, True), (64, 8, False)],
    "a second end": [(64, 8, False), (80, 8, False)],
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_an_overlap_ends_the_datagram(name: str) -> None:
    """RFC 1858 3.2: no part of it is used."""
    bench = w.bed()
    parts = [fragment(first, body(size), more=more) for first, size, more in OVERLAPS[name]]
    bench.port(w.P1).send(*parts)
    bench.run(us=10)
    assert dropped(bench) == {"fragment_overlap": 2}
    assert (w.received(bench, w.P1), bench.only.held()) == ([], 0)
    bench.check_conservation()


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (fragment(0, b""), "fragment_length"),
        (fragment(8, b"", more=False), "fragment_length"),
        (fragment(0, body(7)), "fragment_length"),
        (fragment(64, body(1479)), "fragment_length"),
        (fragment(0x1FFF * 8, body(8), more=False), "fragment_beyond"),
        (fragment(65504, body(12), more=False), "fragment_beyond"),
        (fragment(65472, body(1480)), "fragment_beyond"),
    ],
)
def test_no_fragment_of_anything(frame: bytes, reason: str) -> None:
    bench = w.bed()
    assert w.exchange(bench, w.P1, [frame]) == SILENCE
    assert dropped(bench) == {reason: 1}


# --- not for the slow path ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [0, 3, 13, 255])
def test_other_messages_reach_the_stack_as_they_came(kind: int) -> None:
    """A reply to a ping of the host stack, for one. In order of offset."""
    bench = w.bed()
    twin = stack(bench, w.P1)
    packet = p.ipv4(w.H1, w.R1, p.icmp(kind, data=body(4000)), protocol=p.ICMP, tos=2)
    parts = frames(packet, 1480)
    assert w.exchange(bench, w.P1, parts[::-1]) == SILENCE
    assert [frame.data for frame in twin.received()] == parts
    assert dropped(bench) == {}


@pytest.mark.parametrize("protocol", [6, 17, 89])
def test_other_protocols_are_not_held(protocol: int) -> None:
    bench = w.bed()
    twin = stack(bench, w.P1)
    parts = [
        fragment(8, body(64), protocol=protocol),
        fragment(0, body(64), protocol=protocol),
        fragment(0, b"", protocol=protocol),
    ]
    assert w.exchange(bench, w.P1, parts) == SILENCE
    assert [frame.data for frame in twin.received()] == parts


def test_transit_is_not_reassembled() -> None:
    """RFC 1812 5.2.6."""
    parts = frames(request(2000, dst=w.A1), 1480)
    assert w.exchange(w.bed(), w.P1, parts[1:]) == only(p2=[p.forwarded(parts[1], w.M2, w.g2)])


# --- bounds ---------------------------------------------------------------------------------------


def test_a_source_that_takes_too_much_loses_its_oldest() -> None:
    bench = w.bed(slow={"reassembly_fragments": 64})
    bench.port(w.P1).send(fragment(8, body(8), src="10.1.0.9"))
    bench.port(w.P1).send(*(fragment(8, body(8), ident=i) for i in range(20)))
    bench.run(us=100)
    assert dropped(bench) == {"reassembly_full": 4}
    assert bench.only.held() == 17
    bench.run_until_idle()
    assert dropped(bench) == {"reassembly_full": 4, "reassembly_timeout": 17}
    bench.check_conservation()


def test_a_full_table_gives_up_the_oldest() -> None:
    """Many sources, one fragment each; whoever sends all of his at once is answered."""
    bench = w.bed(slow={"reassembly_fragments": 64})
    bench.port(w.P1).send(*(fragment(8, body(8), src=f"10.1.0.{i}") for i in range(10, 200)))
    packet = request(1000)
    bench.port(w.P1).send(*frames(packet, 504))
    bench.run(us=1000)
    assert w.received(bench, w.P1) == reply(packet)
    assert dropped(bench)["reassembly_full"] == 190 - 64 + 2
    assert bench.only.held() == 62
    bench.run_until_idle()
    assert dropped(bench)["reassembly_timeout"] == 62
    bench.check_conservation()


def test_a_flood_of_fragments_is_bounded() -> None:
    bench = w.bed(fast={"burst": 64})
    sources = (f"10.1.{i >> 8}.{i & 255}" for i in range(900))
    bench.port(w.P1).send(*(fragment(8, body(8), src=source) for source in sources))
    bench.run(us=1000)
    assert bench.only.held() <= 256
    bench.check_conservation()


def test_a_router_is_freed_with_fragments_in_it() -> None:
    bench = w.bed()
    bench.port(w.P1).send(fragment(8, body(8)))
    bench.run(us=10)
    assert bench.only.held() == 1
