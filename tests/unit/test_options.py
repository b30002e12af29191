# SPDX-License-Identifier: MIT
"""IP options but source routes: policies (RFC 7126), record route and timestamp (RFC 791 3.1, RFC
1812 5.3.13), and parameter problems (RFC 1812 4.3.3.5), octet by octet."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import asks, dropped, error_to_h1, only, stack, told
from tests.options_model import DEFAULTS, KINDS, PROCESS, REASONS
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))
MARK = 1 << 31
BURSTS = [1, 67]
R1, R2, R3 = map(p.address_bytes, (w.R1, w.R2, w.R3))
EMPTY = bytes(4)
EXAMPLES = {
    "loose_source_route": [b"\x83\x07\x04" + R2],
    "strict_source_route": [b"\x89\x07\x04" + R2],
    "record_route": [b"\x07\x07\x04" + EMPTY],
    "timestamp": [b"\x44\x0c\x05\x00" + bytes(8)],
    "stream_id": [b"\x88\x04\x00\x01"],
    "router_alert": [b"\x94\x04\x00\x00"],
    "quick_start": [b"\x19\x08" + bytes(6)],
    "security": [b"\x82\x0b" + bytes(9), b"\x85\x04\x01\x02", b"\x86\x0c" + bytes(10)],
    "obsolete": [bytes([kind, 4, 0, 0]) for kind, name in KINDS.items() if name == "obsolete"],
    "experimental": [bytes([kind, 4, 1, 2]) for kind in (30, 94, 158, 222)],
    "unknown": [b"\x1f\x04ab", b"\x9f\x08abcdef", b"\x02\x02", b"\xff\x04cd"],
}
CASES = [(name, option) for name, some in EXAMPLES.items() for option in some]


def transit(options: bytes, dst: str = w.A1, payload: bytes = UDP, **fields: int) -> bytes:
    """Return a packet of H1 in a frame into p1."""
    packet = p.ipv4(w.H1, dst, payload, options=options, **fields)
    return p.ether(w.M1, w.h1, packet)


def passed(options: bytes, dst: str = w.A1) -> dict[str, list[bytes]]:
    """Return what leaves by p2, and silence elsewhere, if the options are these in the end."""
    frame = transit(options, dst)
    return only(p2=[p.forwarded(frame, w.M2, w.h2 if dst == w.H2 else w.g2)])


def send(bench: Bench, frame: bytes) -> dict[str, list[bytes]]:
    """Send a frame of H1."""
    return w.exchange(bench, w.P1, [frame])


def processing(**config: object) -> Bench:
    """Return the test bed with all options processed that can be."""
    return w.bed(options=PROCESS, **config)  # type: ignore[arg-type]


# --- policies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize(("name", "option"), CASES)
def test_by_default(name: str, option: bytes, burst: int) -> None:
    """Dropped silently and counted, or carried unchanged."""
    bench = w.bed()
    twin = stack(bench, w.P1)
    frames = [transit(option, ident=i) for i in range(burst)]
    out = w.exchange(bench, w.P1, frames)
    if DEFAULTS[name] == "drop":
        assert out == only()
        assert dropped(bench) == {REASONS[name]: burst}
    else:
        assert out == only(p2=[p.forwarded(frame, w.M2, w.g2) for frame in frames])
        assert dropped(bench) == {}
    assert twin.received() == []


@pytest.mark.parametrize(("name", "option"), CASES)
def test_the_other_way_round(name: str, option: bytes) -> None:
    """Each key is about its own options and no others."""
    others = {"drop": "ignore", "ignore": "drop"}
    bench = w.bed(options={name: others[DEFAULTS[name]]})
    for other, examples in EXAMPLES.items():
        is_dropped = (DEFAULTS[other] == "drop") != (other == name)
        wanted = only() if is_dropped else passed(examples[0])
        assert send(bench, transit(examples[0])) == wanted, other
    twin = stack(bench, w.P1)
    frame = transit(option, w.R2)
    assert send(bench, frame) == only()
    ignored = DEFAULTS[name] == "drop"
    assert [one.data for one in twin.received()] == ([frame] if ignored else [])


def test_the_first_option_to_be_dropped_counts() -> None:
    bench = w.bed()
    assert send(bench, transit(b"\1\x88\x04\0\1\x07\x07\x04" + EMPTY)) == only()
    assert dropped(bench) == {"stream_id": 1}


@pytest.mark.parametrize(
    "options", [b"\0" * 4, b"\1" * 4, b"\1" * 40, b"\1\1\1\0", b"\0\x83\x07\x04", b"\1\0\xff\xff"]
)
@pytest.mark.parametrize("knobs", [{}, PROCESS, {"unknown": "drop"}])
def test_padding_is_no_option(options: bytes, knobs: dict[str, str]) -> None:
    """RFC 7126 4.1.5, 4.2.5; what is behind the end of the list is not looked at."""
    assert send(w.bed(options=knobs), transit(options)) == passed(options)


def test_the_host_stack_gets_what_alerts_the_router() -> None:
    """RFC 2113 2.1, where the option is processed."""
    bench = processing()
    twin = stack(bench, w.P1)
    alert = transit(b"\x94\x04\0\0")
    assert send(bench, alert) == only()
    assert [one.data for one in twin.received()] == [alert]
    lost = transit(b"\x94\x04\0\0", w.U)
    assert send(bench, lost) == only(p1=[error_to_h1(p.ip_of(lost), 3, 0)])
    wrong = transit(b"\x94\x03\0\0")
    assert send(bench, wrong) == only(p1=[error_to_h1(p.ip_of(wrong), 12, 0, 21 << 24)])


# --- record route ---------------------------------------------------------------------------------

RECORDED = {
    "empty": (b"\x07\x07\x04" + EMPTY, b"\x07\x07\x08" + R2),
    "three slots": (b"\x07\x0f\x04" + bytes(12), b"\x07\x0f\x08" + R2 + bytes(8)),
    "second": (b"\x07\x0b\x08" + R3 + EMPTY, b"\x07\x0b\x0c" + R3 + R2),
    "behind others": (b"\1\1\x1f\x03a\x07\x07\x04" + EMPTY, b"\1\1\x1f\x03a\x07\x07\x08" + R2),
    "full": (b"\x07\x07\x08" + R3, b"\x07\x07\x08" + R3),
    "overfull": (b"\x07\x07\xff" + R3, b"\x07\x07\xff" + R3),
    "odd but room": (b"\x07\x0a\x04" + bytes(7), b"\x07\x0a\x08" + R2 + bytes(3)),
    "all of the header": (b"\x07\x27\x24" + bytes(36), b"\x07\x27\x28" + bytes(32) + R2),
}


@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("name", RECORDED)
def test_record_route(name: str, burst: int) -> None:
    before, after = RECORDED[name]
    bench = processing()
    out = w.exchange(bench, w.P1, [transit(before, ident=i) for i in range(burst)])
    wanted = [p.forwarded(transit(after, ident=i), w.M2, w.g2) for i in range(burst)]
    assert out == only(p2=wanted)
    assert (dropped(bench), bench.only.counters().forwarded) == ({}, burst)


def test_the_address_is_that_of_the_way_out() -> None:
    """RFC 1812 5.2.1, 4.2.2.2."""
    bench = processing()
    before, after = RECORDED["three slots"]
    assert send(bench, transit(before, w.H2)) == passed(after, w.H2)
    by_p3 = p.forwarded(transit(after.replace(R2, R3), w.B1), w.M3, w.g3)
    assert send(bench, transit(before, w.B1)) == only(p3=[by_p3])


def test_what_waits_for_a_neighbour_is_recorded_once() -> None:
    bench = processing(resolved=False)
    before, after = RECORDED["three slots"]
    bench.port(w.P1).send(transit(before))
    bench.run(us=1)
    bench.port(w.P2).send(told(w.P2, w.g2, w.G2))
    bench.run_until_idle()
    assert w.received(bench, w.P2) == [asks(w.P2, w.G2), *passed(after)[w.P2]]


# --- timestamp ------------------------------------------------------------------------------------

STAMP = MARK.to_bytes(4)  # within the first millisecond of the clock
STAMPED = {
    "alone": (b"\x44\x0c\x05\x00" + bytes(8), b"\x44\x0c\x09\x00" + STAMP + EMPTY),
    "second": (b"\x44\x0c\x09\x00" + b"abcd" + EMPTY, b"\x44\x0c\x0d\x00abcd" + STAMP),
    "address": (b"\x44\x0c\x05\x01" + bytes(8), b"\x44\x0c\x0d\x01" + R2 + STAMP),
    "named": (b"\x44\x0c\x05\x03" + R3 + EMPTY, b"\x44\x0c\x0d\x03" + R3 + STAMP),
    "not named": (b"\x44\x0c\x05\x03\x0a\x09\x09\x09" + EMPTY,) * 2,
    "named later": (b"\x44\x14\x05\x03\x0a\x09\x09\x09" + EMPTY + R3 + EMPTY,) * 2,
    "full": (b"\x44\x08\x09\x30abcd", b"\x44\x08\x09\x40abcd"),
    "full of addresses": (b"\x44\x0c\x0d\x01abcdefgh", b"\x44\x0c\x0d\x11abcdefgh"),
    "full of names": (b"\x44\x0c\x0d\xf3abcdefgh",) * 2,
    "no slot": (b"\x44\x04\x05\xe0", b"\x44\x04\x05\xf0"),
    "overfull": (b"\x44\x08\xff\x00abcd", b"\x44\x08\xff\x10abcd"),
    "with room at the last count": (b"\x44\x08\x05\xf0" + EMPTY, b"\x44\x08\x09\xf0" + STAMP),
}


@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("name", STAMPED)
def test_timestamp(name: str, burst: int) -> None:
    before, after = STAMPED[name]
    bench = processing()
    out = w.exchange(bench, w.P1, [transit(before, ident=i) for i in range(burst)])
    wanted = [p.forwarded(transit(after, ident=i), w.M2, w.g2) for i in range(burst)]
    assert out == only(p2=wanted)
    assert dropped(bench) == {}
    assert bench.now_us < 1000


def test_timestamps_count_milliseconds() -> None:
    """RFC 1122 3.2.2.8: of no standard clock, so marked."""
    bench = processing()
    stamps = []
    for _ in range(4):
        (frame,) = send(bench, transit(b"\x44\x08\x05\x00" + EMPTY))[w.P2]
        stamps.append(int.from_bytes(p.ip_of(frame)[24:28]))
        bench.run(us=1_000_000)
    assert [stamp - stamps[0] for stamp in stamps] == [0, 1000, 2000, 3000]
    assert all(stamp & MARK for stamp in stamps)


# --- for the router -------------------------------------------------------------------------------


def test_the_host_stack_gets_them_as_they_came() -> None:
    """RFC 1812 5.2.1: it records and stamps by itself."""
    bench = processing()
    twin = stack(bench, w.P1)
    before = b"\x07\x07\x04" + EMPTY + b"\x44\x0c\x05\x01" + bytes(8) + b"\x1f\x04ab"
    assert send(bench, transit(before, w.R1)) == only()
    assert [one.data for one in twin.received()] == [transit(before, w.R1)]


NINE = b"\x07\x27\x04" + bytes(36)
REPLIES = {
    "record route": (NINE, b"\x07\x27\x08" + R1 + bytes(32)),
    "full": (b"\x07\x07\x08" + R3, b"\x07\x07\x08" + R3),
    "timestamp": STAMPED["alone"],
    "timestamp with address": (b"\x44\x0c\x05\x01" + bytes(8), b"\x44\x0c\x0d\x01" + R1 + STAMP),
    "full of timestamps": STAMPED["full"],
    "both": (
        b"\1\x44\x08\x05\x00" + EMPTY + b"\1\x9f\x04ab\x07\x0b\x04" + bytes(8),
        b"\x07\x0b\x08" + R1 + EMPTY + b"\x44\x08\x09\x00" + STAMP,
    ),
    "back by another's route": (
        b"\x83\x07\x08" + p.address_bytes(w.G2) + NINE[:0] + b"\x07\x0b\x04" + bytes(8),
        b"\x83\x07\x04" + p.address_bytes(w.H1) + b"\x07\x0b\x08" + R2 + EMPTY,
    ),
    "what nobody knows": (b"\x1f\x06wxyz\x9f\x04ab", b""),
}


@pytest.mark.parametrize("dst", [w.R1, w.R3])
@pytest.mark.parametrize("name", REPLIES)
def test_replies_go_on_recording(name: str, dst: str) -> None:
    """RFC 1812 4.3.3.6: without truncation, by the address of the way out."""
    before, after = REPLIES[name]
    bench = processing()
    out = send(bench, transit(before, dst, p.echo_request(), protocol=p.ICMP))
    to, port, mac, own = (w.H1, w.P1, w.h1, w.M1)
    if after[:1] == b"\x83":
        to, port, mac, own = (w.G2, w.P2, w.g2, w.M2)
    message = p.icmp(0, 0, b"\0\1\0\1", b"ping")
    reply = p.ipv4(dst, to, message, protocol=p.ICMP, options=after)
    assert out == only(**{port: [p.pad(p.ether(mac, own, reply))]})
    assert dropped(bench) == {"echo_answered": 1}


@pytest.mark.parametrize("policy", ["ignore", "process"])
def test_an_ignored_option_is_not_in_the_reply(policy: str) -> None:
    """RFC 1812 4.2.2.1: stream identifier and others."""
    bench = w.bed(options={**dict.fromkeys(DEFAULTS, "ignore"), "record_route": policy})
    kept = RECORDED["empty"][1].replace(R2, R1) if policy == "process" else b""
    options = b"\x88\x04\0\1" + RECORDED["empty"][0] + b"\x44\x08\x05\x00" + EMPTY
    (got,) = send(bench, transit(options, w.R1, p.echo_request(), protocol=p.ICMP))[w.P1]
    assert p.ip_fields(p.ip_of(got))["options"] == kept + b"\0" * (-len(kept) % 4)


# --- parameter problems ---------------------------------------------------------------------------

FAULTS = {
    # RFC 1812 4.3.3.5: option area, octet of the header that the pointer shows
    "record route of length 3": (b"\x07\x03\x04\x00", 21),
    "record route of length 6": (b"\x07\x06\x04\x00\x00\x00", 21),
    "length 0": (b"\x44\x00\x05\x00", 21),
    "length 1": (b"\x44\x01\x05\x00", 21),
    "length past the header": (b"\x07\x0b\x04" + bytes(5), 21),
    "unknown option past the header": (b"\x1f\x05\x00\x00", 21),
    "behind no-operations": (b"\1\1\x1f\1", 23),
    "type in the last octet": (b"\1\1\1\x1f", 23),
    **{f"record route pointer {n}": (bytes([7, 7, n, 0, 0, 0, 0]), 22) for n in (0, 1, 3, 5, 7)},
    "record route with room for a part": (b"\x07\x0a\x08" + bytes(7), 22),
    "two record routes": ((b"\x07\x07\x04" + EMPTY) * 2, 27),
    "behind a record route": (b"\x07\x07\x04" + EMPTY + b"\x1f\x00", 28),
    "behind a timestamp": (b"\x44\x08\x05\x00" + EMPTY + b"\x07\x07\x03" + EMPTY, 30),
    "timestamp of length 3": (b"\x44\x03\x05\x00", 21),
    **{f"timestamp pointer {n}": (bytes([68, 8, n, 0]) + EMPTY, 22) for n in (0, 1, 4, 6, 8)},
    "timestamp with room for a part": (b"\x44\x0a\x09\x00" + bytes(6), 22),
    "timestamp with room for an address": (b"\x44\x10\x0d\x01" + bytes(12), 22),
    "timestamp between two": (b"\x44\x0c\x09\x01" + bytes(8), 22),
    "timestamp of no known kind": (b"\x44\x08\x05\x02" + EMPTY, 23),
    "overflow of the overflow": (b"\x44\x08\x09\xf0abcd", 23),
    "two timestamps": ((b"\x44\x08\x05\x00" + EMPTY) * 2, 28),
}


@pytest.mark.parametrize("dst", [w.A1, w.R1])
@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("name", FAULTS)
def test_parameter_problem(name: str, burst: int, dst: str) -> None:
    """The packet is quoted as it came, whatever was to be recorded before the fault was seen."""
    options, pointer = FAULTS[name]
    bench = processing()
    twin = stack(bench, w.P1)
    frame = transit(options, dst)
    error = error_to_h1(p.ip_of(frame), 12, 0, pointer << 24)
    assert w.exchange(bench, w.P1, [frame] * burst) == only(p1=[error] * burst)
    assert dropped(bench) == {"bad_options": burst}
    assert twin.received() == []


@pytest.mark.parametrize(
    "name",
    [
        *("record route of length 3", "record route pointer 3", "two record routes"),
        *("timestamp of length 3", "timestamp pointer 6", "overflow of the overflow"),
        *("timestamp of no known kind", "record route with room for a part"),
    ],
)
def test_what_is_ignored_need_not_be_well_formed(name: str) -> None:
    options, _ = FAULTS[name]
    assert send(w.bed(options=dict.fromkeys(DEFAULTS, "ignore")), transit(options)) == passed(
        options
    )
