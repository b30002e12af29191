# SPDX-License-Identifier: MIT
"""Any fragments of any ICMP messages, held to a reassembler that is as plain as can be."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import packets as p
from tests import worlds as w
from tests.strategies import examples
from twinroute.sim import Bench

DATA = bytes((i * 37 + (i >> 3)) & 255 for i in range(4096))


@dataclass(frozen=True)
class Piece:
    """A fragment of a datagram of H1."""

    ident: int
    first: int
    size: int
    last: bool
    ecn: int

    @property
    def end(self) -> int:
        """First octet behind it."""
        return self.first + self.size

    def frame(self, message: bytes) -> bytes:
        """Return the fragment of that message."""
        flags = 0 if self.last else p.MF
        packet = p.ipv4(
            w.H1,
            w.R1,
            message[self.first : self.end],
            protocol=p.ICMP,
            ident=self.ident,
            tos=self.ecn,
            fragment=flags | self.first // 8,
        )
        return p.ether(w.M1, w.h1, packet)


@dataclass
class Model:
    """What becomes of the pieces: datagrams answered in order, and the counters."""

    held: dict[int, list[Piece]] = field(default_factory=dict)
    answered: list[int] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    def take(self, piece: Piece, message: bytes) -> None:
        """RFC 791 3.2 with whole datagrams ended by an overlap, RFC 3168 5.3."""
        if piece.size == 0 or (not piece.last and piece.size % 8):
            self.dropped["fragment_length"] += 1
            return
        others = self.held.setdefault(piece.ident, [])
        if any((o.first, o.end, o.last) == (piece.first, piece.end, piece.last) for o in others):
            self.dropped["fragment_duplicate"] += 1
            return
        together = [*others, piece]
        ends = [one.end for one in together if one.last]
        covered = [octet for one in together for octet in range(one.first, one.end)]
        beyond = ends and max(one.end for one in together) > ends[0]
        if len(ends) > 1 or beyond or len(set(covered)) < len(covered):
            self._end(piece.ident, "fragment_overlap", len(together))
        elif ends and len(covered) == ends[0]:
            self._whole(piece.ident, together, message)
        else:
            others.append(piece)

    def _whole(self, ident: int, pieces: list[Piece], message: bytes) -> None:
        size = max(piece.end for piece in pieces)
        if {0, 3} <= {piece.ecn for piece in pieces}:
            self._end(ident, "fragment_ecn", len(pieces))
        elif p.checksum(message[:size]) != 0:
            self._end(ident, "icmp_malformed", len(pieces))
        else:
            self.answered.append(ident)
            self._end(ident, "reassembled", len(pieces) - 1)
            self.dropped["echo_answered"] += 1

    def _end(self, ident: int, reason: str, count: int) -> None:
        del self.held[ident]
        self.dropped[reason] += count


def message_of(size: int) -> bytes:
    """Return an echo request of that many octets."""
    return p.icmp(8, 0, b"\1\2\3\4", DATA[: size - 8])


SIZES = [16, 30, 64, 77]


@st.composite
def pieces_of_datagrams(draw: st.DrawFn) -> list[Piece]:
    """Cut a few datagrams, mix the pieces, and spoil some."""
    pieces: list[Piece] = []
    for ident, size in enumerate(SIZES):
        cuts = draw(st.sets(st.integers(1, (size - 1) // 8), min_size=1, max_size=4))
        starts = [0, *(cut * 8 for cut in sorted(cuts))]
        ecn = draw(st.sampled_from([0, 0, 1, 2]))
        for first, end in zip(starts, [*starts[1:], size], strict=True):
            pieces.append(Piece(ident, first, end - first, end == size, ecn))
    for _ in range(draw(st.integers(0, 4))):
        odd = draw(st.sampled_from(pieces))
        first = draw(st.sampled_from([odd.first, odd.first, 8, 16]))
        last = draw(st.booleans())
        if last and not first:  # a whole packet
            continue
        size = draw(st.sampled_from([odd.size, 0, 8, 13, 16]))
        pieces.append(Piece(odd.ident, first, size, last, draw(st.sampled_from([odd.ecn, 0, 3]))))
    return draw(st.permutations(pieces))


def send(bench: Bench, pieces: list[Piece]) -> Model:
    """Send the pieces and return what the model says of them."""
    model = Model()
    for piece in pieces:
        # There is something to be cut beyond its end, which spoils its checksum.
        message = message_of(SIZES[piece.ident]) + bytes(range(1, 101))
        model.take(piece, message)
        bench.port(w.P1).send(piece.frame(message))
    return model


@given(pieces=pieces_of_datagrams(), burst=st.sampled_from([1, 3, 64]))
@settings(max_examples=examples(300))
def test_any_pieces(pieces: list[Piece], burst: int) -> None:
    bench = w.bed(fast={"burst": burst})
    model = send(bench, pieces)
    bench.run(us=100)
    bench.check_conservation()
    got = [p.ip_fields(p.ip_of(frame)) for frame in w.received(bench, w.P1)]
    assert [one["ident"] for one in got] == model.answered
    for one in got:
        asked = message_of(SIZES[int(one["ident"])])
        message = one["payload"]
        assert isinstance(message, bytes)
        assert message == p.icmp(0, 0, asked[4:8], asked[8 : len(message)])
    assert dict(bench.only.counters().dropped) == {k: v for k, v in model.dropped.items() if v}
    held = sum(len(others) for others in model.held.values())
    assert bench.only.held() == held
    bench.run_until_idle()
    bench.check_conservation()
    assert bench.only.counters().dropped["reassembly_timeout"] == held
