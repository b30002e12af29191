# SPDX-License-Identifier: MIT
"""Echo requests in fragments and with options: the reply is that of the same request in one piece
(RFC 1812 4.3.3.6, RFC 1122 3.2.2.6), in fragments with the options that a cut would leave each."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import dropped, only, stack
from tests.options_model import PROCESS
from twinroute.conformance.frames import fragments_of

NINE = b"\x07\x27\x04" + bytes(36)
FULL = b"\x44\x08\x09\x00abcd"
OPTIONS = {
    "record route": NINE,
    "full of timestamps": FULL,
    "loose": b"\x83\x07\x08" + p.address_bytes(w.G1),
    "loose, by two": b"\x83\x0b\x0c" + p.address_bytes(w.G3) + p.address_bytes(w.G2),
    "loose, and more": b"\1\x83\x07\x08" + p.address_bytes(w.G2) + b"\x07\x0b\x04" + bytes(8),
    "what records comes first": FULL + b"\x83\x07\x08" + p.address_bytes(w.G2),
    "strict": b"\x89\x07\x08" + p.address_bytes(w.G1),
    "that ends here": b"\x83\x0b\x08" + p.address_bytes(w.G2) + p.address_bytes(w.R2),
    "to be left out": b"\x1f\x06wxyz\x9f\x04ab",
}


def request(data: int, options: bytes, dst: str = w.R1) -> bytes:
    """Return an echo request of H1, as if no link had an MTU."""
    body = bytes((i * 11 + (i >> 8) * 3 + 5) & 255 for i in range(data))
    return p.ipv4(w.H1, dst, p.echo_request(7, 9, body), protocol=p.ICMP, options=options)


def frames(packet: bytes, mtu: int) -> list[bytes]:
    """Return frames of H1 with a packet's fragments, whose options are those of RFC 791."""
    return [p.ether(w.M1, w.h1, part) for part in fragments_of(packet, mtu)]


@pytest.mark.parametrize(("data", "mtu"), [(100, 84), (1600, 1500), (4000, 700)])
@pytest.mark.parametrize("name", OPTIONS)
def test_the_reply_is_that_of_a_request_in_one_piece(name: str, data: int, mtu: int) -> None:
    packet = request(data, OPTIONS[name])
    parts = frames(packet, mtu)
    whole, bench = (w.bed(options=PROCESS, port={w.P3: {"mtu": 9000}}) for _ in range(2))
    wanted = w.exchange(whole, w.P1, frames(packet, 9000))
    out = w.exchange(bench, w.P1, parts)
    # A whole request with DF clear is answered with DF clear; nothing else may differ.
    assert out == wanted
    assert dropped(bench) == {"echo_answered": 1, "reassembled": len(parts) - 1}


def test_a_small_way_back() -> None:
    """The longest options of all leave 8 octets of a fragment for data."""
    options = b"\x83\x27\x28" + p.address_bytes(w.G2) * 9
    packet = request(800, options)
    whole, bench = (w.bed(options=PROCESS, mtu2=68) for _ in range(2))
    wanted = w.exchange(whole, w.P1, frames(packet, 9000))
    assert w.exchange(bench, w.P1, frames(packet, 500)) == wanted
    assert len(wanted[w.P2]) == 808 / 8


def test_the_largest_of_all() -> None:
    """65,535 octets with the header that it came with; one of data more is beyond the end."""
    for data, reason in ((65535 - 68, "echo_answered"), (65535 - 67, "fragment_beyond")):
        bench = w.bed(options=PROCESS)
        body = p.echo_request(7, 9, bytes(data))
        parts = []
        for at in range(0, len(body), 1400):
            last = at + 1400 >= len(body)
            parts.append(
                p.ipv4(
                    *(w.H1, w.R1, body[at : at + 1400]),
                    protocol=p.ICMP,
                    options=NINE if at == 0 else b"",
                    fragment=at // 8 | (0 if last else p.MF),
                )
            )
        out = w.exchange(bench, w.P1, [p.ether(w.M1, w.h1, part) for part in parts])
        assert dropped(bench)[reason] == (1 if reason == "echo_answered" else len(parts))
        assert bool(out[w.P1]) == (reason == "echo_answered")


def test_a_way_back_to_nobody_is_the_host_stacks() -> None:
    """A source route from a group: the fragments go to the stack as they came."""
    packet = request(200, b"\x83\x07\x08" + p.address_bytes("224.0.0.9"))
    parts = frames(packet, 140)
    bench = w.bed(options=PROCESS)
    twin = stack(bench, w.P1)
    assert w.exchange(bench, w.P1, parts) == only()
    assert [one.data for one in twin.received()] == parts
    assert dropped(bench) == {}
