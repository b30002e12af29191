# SPDX-License-Identifier: MIT
"""Fragments of packets that are too long for their next hop (RFC 791 3.2, RFC 1812 5.2.6), taken
together again by a reassembler that shares nothing with the router."""

from dataclasses import dataclass

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests import packets as p
from tests import worlds as w
from tests.answers import dropped, error_to_h1
from tests.strategies import examples
from twinroute.sim import Bench

RESERVED = 0x8000
# Options that nobody knows, which are carried (RFC 7126 4.23): in each fragment or in the first.
COPIED = [b"\x9f\x02", b"\x9f\x07abcde", b"\xdc\x03\x00", b"\x80\x0bsomething"]
NOT_COPIED = [b"\x1f\x02", b"\x5d\x06wxyz", b"\x01", b"\x01\x01\x01"]


@dataclass(frozen=True)
class Fragment:
    """A fragment taken apart."""

    packet: bytes

    @property
    def fields(self) -> dict[str, int | str | bytes]:
        """The header's fields; the checksum is right."""
        return p.ip_fields(self.packet)

    @property
    def first(self) -> int:
        """First octet of the datagram's data that is here."""
        return (int.from_bytes(self.packet[6:8]) & 0x1FFF) * 8

    @property
    def more(self) -> bool:
        """Are there fragments behind this one?"""
        return bool(self.packet[6] & 0x20)

    @property
    def header(self) -> int:
        """Length of the header."""
        return (self.packet[0] & 15) * 4

    @property
    def data(self) -> bytes:
        """The data that is here."""
        return self.packet[self.header :]


def bed(mtu: int) -> Bench:
    """Return a bed whose p1 takes jumbo frames, and whose p2 that MTU."""
    return w.bed(mtu1=9000, mtu2=mtu, sim={"buffers": 4096})


def send(bench: Bench, *packets: bytes) -> list[bytes]:
    """Send packets into p1 and return what left by p2, as IP packets; nothing else leaves."""
    out = w.exchange(bench, w.P1, [p.ether(w.M1, w.h1, packet) for packet in packets])
    assert out[w.P1] == out[w.P3] == []
    frames = out[w.P2]
    for frame in frames:
        assert frame[:14] == p.ether(w.g2, w.M2, b"")
        assert frame == p.pad(frame[:14] + p.ip_of(frame))
    return [p.ip_of(frame) for frame in frames]


def datagram(
    data: int,
    *,
    options: bytes = b"",
    ident: int = 1,
    fragment: int = 0,
    ttl: int = 64,
    tos: int = 0,
) -> bytes:
    """Return a packet of H1 for A1 with so many octets of data."""
    body = bytes((i * 31 + (i >> 8)) & 255 for i in range(data))
    fields = {"options": options, "ident": ident, "fragment": fragment, "ttl": ttl, "tos": tos}
    return p.ipv4(w.H1, w.A1, body, **fields)  # type: ignore[arg-type]


def reassemble(packets: list[bytes]) -> tuple[bytes, int, bool]:
    """Return the data of one datagram, where it begins, and whether more is behind.

    Fragments have to be in order, without gap or overlap.
    """
    parts = [Fragment(packet) for packet in packets]
    at = parts[0].first
    data = b""
    for part in parts:
        assert part.first == at + len(data)
        data += part.data
    assert all(part.more for part in parts[:-1])
    return data, at, parts[-1].more


def later_options(options: bytes) -> bytes:
    """Return the options of fragments behind the first (RFC 791 3.1)."""
    kept = b""
    while options and options[0]:
        length = 1 if options[0] == 1 else options[1]
        if options[0] & 0x80:
            kept += options[:length]
        options = options[length:]
    return kept + b"\0" * (-len(kept) % 4)


def check(packet: bytes, fragments: list[bytes], mtu: int) -> None:
    """Each fragment is a valid one of the packet, and as large as can be."""
    whole = Fragment(packet)
    if len(packet) <= mtu:
        assert fragments == [p.ip_of(p.forwarded(p.ether(w.M1, w.h1, packet), w.M2, w.g2))]
        return
    assert len(fragments) > 1
    sent = whole.fields
    for place, fragment in enumerate(fragments):
        part, last = Fragment(fragment), place == len(fragments) - 1
        options = sent["options"] if place == 0 else later_options(whole.packet[20 : whole.header])
        same = ("tos", "ident", "protocol", "src", "dst")
        assert {name: part.fields[name] for name in same} == {name: sent[name] for name in same}
        assert part.fields["ttl"] == whole.packet[8] - 1
        assert part.fields["options"] == options
        assert part.packet[6] & 0xC0 == whole.packet[6] & 0xC0
        assert len(fragment) <= mtu
        # RFC 791 3.2: data in eights, and one more would be too much.
        assert last or (len(part.data) % 8 == 0 and len(fragment) + 8 > mtu)
    assert reassemble(fragments) == (whole.data, whole.first, whole.more)


options = (
    st.lists(st.sampled_from(COPIED + NOT_COPIED), max_size=4)
    .map(b"".join)
    .filter(lambda some: len(some) <= 40)
)


@st.composite
def datagrams(draw: st.DrawFn) -> bytes:
    """Datagrams, and fragments of some, of any size that p1 takes."""
    more = draw(st.booleans())
    data = draw(st.one_of(st.integers(0, 200), st.integers(0, 8000)))
    return datagram(
        data & ~7 if more else data,
        options=draw(options),
        ident=draw(st.integers(0, 0xFFFF)),
        fragment=draw(st.integers(0, 7000)) * draw(st.booleans())
        | p.MF * more
        | RESERVED * draw(st.booleans()),
        ttl=draw(st.integers(2, 255)),
        tos=draw(st.integers(0, 255)),
    )


@settings(max_examples=examples(150))
@given(st.one_of(st.integers(68, 120), st.integers(68, 1500)), st.lists(datagrams(), max_size=4))
def test_fragments_make_the_datagram(mtu: int, packets: list[bytes]) -> None:
    bench = bed(mtu)
    for packet in packets:
        check(packet, send(bench, packet), mtu)


@settings(max_examples=examples(60))
@given(datagrams(), st.integers(200, 1500), st.integers(68, 1400))
def test_fragments_of_fragments_make_the_datagram(packet: bytes, first: int, second: int) -> None:
    once = send(bed(first), packet)
    assume(once[0][8] > 1)
    narrow = bed(second)
    twice = [send(narrow, fragment) for fragment in once]
    for fragment, pieces in zip(once, twice, strict=True):
        check(fragment, pieces, second)
    whole = Fragment(packet)
    pieces = [piece for some in twice for piece in some]
    assert reassemble(pieces) == (whole.data, whole.first, whole.more)


# --- by the numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mtu", "data", "sizes"),
    [
        (620, 1400, [600, 600, 200]),
        (621, 1400, [600, 600, 200]),
        (627, 1400, [600, 600, 200]),
        (628, 1400, [608, 608, 184]),
        (1400, 1480, [1376, 104]),
        (68, 48, [48]),
        (68, 49, [48, 1]),
        (71, 99, [48, 51]),  # the last one need not end on eight octets
        (71, 100, [48, 48, 4]),
        (1500, 8000, [1480] * 5 + [600]),
    ],
)
def test_as_few_and_as_large_as_can_be(mtu: int, data: int, sizes: list[int]) -> None:
    bench = bed(mtu)
    fragments = send(bench, datagram(data))
    assert [len(fragment) - 20 for fragment in fragments] == sizes
    check(datagram(data), fragments, mtu)
    if len(sizes) > 1:
        assert dropped(bench) == {"fragmented": 1}
        assert bench.only.counters().generated == len(sizes)


@pytest.mark.parametrize("more", [False, True])
def test_a_fragment_is_cut(more: bool) -> None:
    """RFC 791 2.3: offsets are those of the datagram, the last piece keeps its bit."""
    packet = datagram(1480, fragment=2960 // 8 | p.MF * more)
    parts = [Fragment(packet) for packet in send(bed(620), packet)]
    assert [(part.first, part.more) for part in parts] == [(2960, True), (3560, True), (4160, more)]


@pytest.mark.parametrize("mtu", [68, 69, 75, 576, 620, 1499, 1500])
def test_exactly_the_mtu_and_one_more(mtu: int) -> None:
    bench = bed(mtu)
    assert len(send(bench, datagram(mtu - 20))) == 1
    assert len(send(bench, datagram(mtu - 19))) == 2
    assert len(send(bench, datagram(mtu - 20, fragment=p.DF))) == 1
    assert dropped(bench) == {"fragmented": 1}


@pytest.mark.parametrize("mtu", [68, 69, 75, 620, 1500])
def test_exactly_the_mtu_with_options(mtu: int) -> None:
    """The slow path sends it on."""
    for over in (0, 1):
        packet = datagram(mtu - 28 + over, options=b"\x9f\x06abcd\x01")
        check(packet, send(bed(mtu), packet), mtu)


COPIES = {
    # options of the packet, of the first fragment, of later ones (RFC 791 3.1, 3.2)
    "security": (b"\x82\x0bsecurity!\0", b"\x82\x0bsecurity!\0", b"\x82\x0bsecurity!\0"),
    "of two one": (
        b"\x9f\x03a\x1f\x06wxyz\0\0\0",
        b"\x9f\x03a\x1f\x06wxyz\0\0\0",
        b"\x9f\x03a\0",
    ),
    "record route": (
        b"\x07\x07\x04\0\0\0\0\0",
        b"\x07\x07\x08\x0a\x02\0\x01\0",
        b"",
    ),
    "timestamp": (
        b"\x44\x0c\x05\x01" + bytes(8),
        b"\x44\x0c\x0d\x01\x0a\x02\0\x01\x80\0\0\0",
        b"",
    ),
    "behind no-operation": (b"\1\1\1\x9f\x04ab\1", b"\1\1\1\x9f\x04ab\1", b"\x9f\x04ab"),
    "behind the end": (b"\0\x9f\x04a", b"\0\x9f\x04a", b""),
}


@pytest.mark.parametrize("name", COPIES)
def test_options_by_their_copied_flag(name: str) -> None:
    """Header lengths follow; the rest of the header is padded with zeros."""
    before, first, later = COPIES[name]
    process = {"record_route": "process", "timestamp": "process"}
    bench = w.bed(mtu1=9000, mtu2=620, options=process)
    parts = [Fragment(packet) for packet in send(bench, datagram(1400, options=before))]
    assert [part.fields["options"] for part in parts] == [first, later, later]
    assert [part.header for part in parts] == [20 + len(first)] + [20 + len(later)] * 2
    assert reassemble([part.packet for part in parts])[0] == datagram(1400)[20:]


@pytest.mark.parametrize("mtu", [68, 620, 1500])
@pytest.mark.parametrize("fragment", [p.DF, p.DF | p.MF, p.DF | RESERVED])
def test_what_may_not_be_cut_is_not(mtu: int, fragment: int) -> None:
    """RFC 6864 4.3, RFC 1812 5.2.7.1."""
    bench = bed(mtu)
    for data in (mtu - 19, mtu + 1000):
        packet = datagram(data, fragment=fragment)
        out = w.exchange(bench, w.P1, [p.ether(w.M1, w.h1, packet)])
        assert out == {w.P1: [error_to_h1(packet, 3, 4, mtu)], w.P2: [], w.P3: []}
    assert dropped(bench) == {"fragmentation_needed": 2}


def test_a_later_fragment_that_may_not_be_cut_gets_no_error() -> None:
    bench = bed(620)
    assert send(bench, datagram(1000, fragment=p.DF | 185)) == []
    assert dropped(bench) == {"fragmentation_needed": 1}


@pytest.mark.parametrize(
    ("offset", "data", "reason"),
    [
        (8000, 1535, "fragmented"),
        (8000, 1536, "fragment_beyond"),
        (8191, 700, "fragment_beyond"),
        (8191, 7, None),
    ],
)
def test_no_fragment_ends_beyond_the_longest_datagram(
    offset: int, data: int, reason: str | None
) -> None:
    bench = bed(620)
    packet = datagram(data, fragment=offset)
    fragments = send(bench, packet)
    assert dropped(bench) == ({reason: 1} if reason else {})
    if reason == "fragment_beyond":
        assert fragments == []
    else:
        check(packet, fragments, 620)


@pytest.mark.parametrize("burst", [1, 63, 64, 67])
def test_in_a_burst(burst: int) -> None:
    """Datagrams leave one after the other, each with its fragments in order."""
    packets = [datagram(1400, ident=ident) for ident in range(burst)]
    fragments = send(bed(620), *packets)
    for place, packet in enumerate(packets):
        check(packet, fragments[3 * place : 3 * place + 3], 620)


def test_fragments_in_transit_are_not_put_together() -> None:
    """RFC 1812 5.2.6: a lone last one goes on at once."""
    bench = bed(1500)
    for packet in (datagram(1000, fragment=p.MF), datagram(400, fragment=125)):
        check(packet, send(bench, packet), 1500)
    assert dropped(bench) == {}


def test_a_datagram_goes_whole_or_not_at_all() -> None:
    bench = w.bed(mtu1=9000, mtu2=68, sim={"buffers": 64})
    assert send(bench, datagram(8000)) == []
    assert dropped(bench) == {"no_buffer": 1}
    check(datagram(400), send(bench, datagram(400)), 68)


def test_the_fragments_of_a_packet_that_waited() -> None:
    bench = w.bed(mtu2=620, resolved=False)
    bench.port(w.P1).send(p.ether(w.M1, w.h1, datagram(1400)))
    bench.run(us=1)
    bench.port(w.P2).clear()
    bench.port(w.P2).send(p.ether(w.M2, w.g2, p.arp(2, w.g2, w.G2, w.M2, w.R2), 0x0806))
    bench.run_until_idle()
    check(datagram(1400), [p.ip_of(frame) for frame in w.received(bench, w.P2)], 620)
