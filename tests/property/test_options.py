# SPDX-License-Identifier: MIT
"""Any IP options, under any policies, have the fate that tests/options_model.py says: bytes out,
what the host stack gets, drop reasons, and silence elsewhere."""

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import options_model as model
from tests import packets as p
from tests import worlds as w
from tests.answers import dropped, stack
from tests.strategies import examples

UDP = p.udp(1024, 9, bytes(range(32)))
MARK = 1 << 31
ADDRESSES = [w.R1, w.R1, w.R2, w.R3, w.H1, w.G1, w.H2, w.G2, w.A1, w.B1, w.U]
ODD_ADDRESSES = ["10.2.0.255", "255.255.255.255", "224.0.0.5", "239.1.1.1", "127.0.0.1", "0.0.0.0"]


def packet_of(options: bytes, destination: str, payload: bytes = UDP, ident: int = 0) -> bytes:
    """Return a packet of H1 in a frame into p1."""
    protocol = p.UDP if payload == UDP else p.ICMP
    fields = {"protocol": protocol, "ident": ident, "options": options}
    return p.ether(w.M1, w.h1, p.ipv4(w.H1, destination, payload, **fields))  # type: ignore[arg-type]


def check(frames: list[bytes], knobs: Mapping[str, str]) -> None:
    """Send the frames into p1; all that comes out is what the model says."""
    bench = w.bed(options=knobs, ports="redirects = false")
    twin = stack(bench, w.P1)
    stamp = MARK | int(bench.now_us // 1000)
    out = w.exchange(bench, w.P1, frames)
    assert MARK | int(bench.now_us // 1000) == stamp
    wanted: dict[str, Counter[bytes]] = {port: Counter() for port in out}
    delivered: Counter[bytes] = Counter()
    reasons: Counter[str] = Counter()
    for frame in frames:
        fate = model.fate(frame, knobs, stamp)
        for port, sent in fate.out.items():
            wanted[port].update(sent)
        delivered.update(fate.twin)
        reasons.update(fate.reasons)
    assert {port: Counter(sent) for port, sent in out.items()} == wanted
    assert Counter(one.data for one in twin.received()) == delivered
    assert dropped(bench) == dict(reasons)


# --- robustness (RFC 1122 3.2.1.8) ----------------------------------------------------------------


def absurd() -> list[bytes]:
    """Return option areas: each type with each odd length, first or last in the header."""
    areas = []
    for kind in range(256):
        for length in (0, 1, 2, 3, 40, 41, 255):
            areas.append(bytes([kind, length, 4, 5]) + bytes(36))
            areas.append(b"\1" * 38 + bytes([kind, length]))
        areas.append(b"\1" * 39 + bytes([kind]))
    return areas


@pytest.mark.parametrize("destination", [w.A1, w.R1])
@pytest.mark.parametrize("knobs", [model.DEFAULTS, model.PROCESS], ids=["defaults", "process"])
def test_absurd_lengths(knobs: dict[str, str], destination: str) -> None:
    frames = [packet_of(area, destination, ident=i) for i, area in enumerate(absurd())]
    good = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, UDP))
    check(frames, knobs)
    bench = w.bed(options=knobs, ports="redirects = false")
    out = w.exchange(bench, w.P1, [*frames, good])
    assert p.forwarded(good, w.M2, w.g2) in out[w.P2]


# --- any options ----------------------------------------------------------------------------------


@st.composite
def routes(draw: st.DrawFn) -> bytes:
    """Source routes and record routes, mostly well formed."""
    kind = draw(st.sampled_from([131, 131, 137, 7]))
    some = st.one_of(st.sampled_from(ADDRESSES), st.sampled_from(ADDRESSES + ODD_ADDRESSES))
    data = b"".join(map(p.address_bytes, draw(st.lists(some, min_size=1, max_size=5))))
    data += draw(st.sampled_from([b"", b"", b"", b"\0", b"\0\0\0"]))
    places = st.integers(0, len(data) // 4).map(lambda place: 4 + 4 * place)
    pointer = draw(st.one_of(places, places, places, st.integers(0, 255)))
    return bytes([kind, 3 + len(data), pointer]) + data


@st.composite
def timestamps(draw: st.DrawFn) -> bytes:
    """Timestamp options, mostly well formed."""
    flag = draw(st.sampled_from([0, 1, 3, 0, 1, 3, 2, 15]))
    entry = b"" if flag == 0 else p.address_bytes(draw(st.sampled_from(ADDRESSES)))
    data = (entry + bytes(4)) * draw(st.integers(0, 3))
    data += draw(st.sampled_from([b"", b"", b"", b"\0\0"]))
    places = st.integers(0, len(data) // 4).map(lambda place: 5 + 4 * place)
    pointer = draw(st.one_of(places, places, st.integers(0, 255)))
    overflow = draw(st.sampled_from([0, 3, 14, 15]))
    return bytes([68, 4 + len(data), pointer, overflow << 4 | flag]) + data


others = st.builds(
    lambda kind, data: bytes([kind, 2 + len(data)]) + data,
    st.one_of(st.integers(2, 255), st.sampled_from([148, *model.KINDS])),
    st.binary(max_size=6),
)
areas = st.lists(
    st.one_of(
        *(routes(), routes(), timestamps(), timestamps(), others, st.binary(max_size=12)),
        *(st.just(b"\1"), st.just(b"\x94\4\0\0")),
    ),
    min_size=1,
    max_size=4,
).map(lambda some: b"".join(some)[:40])
frames = st.builds(
    packet_of,
    areas,
    st.one_of(
        *(st.just(w.R1), st.sampled_from(ADDRESSES)),
        st.sampled_from(["224.0.0.5", "239.1.1.1", "255.255.255.255", "10.2.0.255"]),
    ),
    st.sampled_from([UDP, p.echo_request()]),
    st.integers(0, 0xFFFF),
)
settings_of_options = st.one_of(
    st.just(model.PROCESS),
    st.fixed_dictionaries(
        {
            name: st.sampled_from(
                ["drop", "ignore", "process"]
                if model.PROCESS[name] == "process"
                else ["drop", "ignore"]
            )
            for name in model.DEFAULTS
        }
    ),
)


@settings(max_examples=examples(200))
@given(st.lists(frames, min_size=1, max_size=60), settings_of_options)
def test_options_have_the_fate_of_the_model(some: list[bytes], knobs: dict[str, str]) -> None:
    check(some, knobs)
