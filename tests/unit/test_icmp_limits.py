# SPDX-License-Identifier: MIT
"""When no ICMP error may be sent (RFC 1812 4.3.2.7), and how many may (4.3.2.8)."""

from collections.abc import Callable

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SECOND_PS, SILENCE, dropped, error_to_h1, since
from twinroute.reload import reload
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))
MTU = 620
# Whatever is wrong with a packet, each of these would get an error if it were not.
OCCASIONS: dict[str, dict[str, object]] = {
    "no route": {"dst": w.U},
    "TTL 1": {"dst": w.A1, "ttl": 1},
    "unreachable": {"dst": "203.0.113.1"},
    "prohibit": {"dst": "203.0.113.65"},
    "too long": {"dst": w.A1, "fragment": p.DF, "payload": UDP + bytes(1000)},
    "bad options": {"dst": w.A1, "options": b"\x1f\1"},
}
ROUTES = "\n".join(
    f'[[route]]\nto = "203.0.113.{i * 64}/26"\nkind = "{kind}"'
    for i, kind in enumerate(("unreachable", "prohibit", "blackhole"))
)
PLACES = [(1, 0), (67, 0), (67, 33), (67, 66)]


def frame(occasion: str, *, mac: str = w.M1, **fields: object) -> bytes:
    """Return a packet of H1 that gives cause for an error, changed as named, in its frame."""
    payload = fields.pop("payload", None)
    fields = {"src": w.H1, "payload": UDP, **OCCASIONS[occasion], **fields}
    if payload is not None:
        # What makes a packet too long is not lost.
        fields["payload"] = payload + bytes(1000 * (occasion == "too long"))  # type: ignore[operator]
    offset = OCCASIONS[occasion].get("fragment", 0)
    fields["fragment"] = int(fields.get("fragment", 0)) | int(offset)  # type: ignore[call-overload]
    return p.ether(mac, w.h1, p.ipv4(**fields))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bench() -> Bench:
    """One bed for all tests that leave it as it was."""
    return w.bed(routes=ROUTES, mtu2=MTU)


def assert_silence(bench: Bench, frames: list[bytes], *reasons: str) -> None:
    """Each frame is dropped, under these reasons if they are given, and nothing is sent."""
    before = bench.only.counters()
    assert w.exchange(bench, w.P1, frames) == SILENCE
    after = bench.only.counters()
    assert (after.generated, after.sent_twin) == (before.generated, before.sent_twin)
    assert after.dropped.total() == before.dropped.total() + len(frames)
    assert not reasons or set(after.dropped - before.dropped) <= set(reasons)


@pytest.mark.parametrize("occasion", OCCASIONS)
def test_each_occasion_gives_an_error(bench: Bench, occasion: str) -> None:
    """What the other tests say is worth something only then."""
    out = w.exchange(bench, w.P1, [frame(occasion)])
    assert [len(out[port]) for port in (w.P1, w.P2, w.P3)] == [1, 0, 0]
    assert out[w.P1][0][23] == p.ICMP


# --- 4.3.2.7 --------------------------------------------------------------------------------------

ABOUT = p.ipv4(w.A1, w.H1, UDP)
SUPPRESSED: dict[str, Callable[[str], bytes]] = {
    **{
        f"about ICMP {kind}": lambda occasion, kind=kind: frame(  # type: ignore[misc]
            occasion, protocol=p.ICMP, payload=p.icmp(kind, 1, data=ABOUT)
        )
        for kind in (3, 4, 5, 11, 12, 1, 2, 6, 7, 19, 40, 41, 100, 253, 255)
    },
    "about a later fragment": lambda occasion: frame(occasion, fragment=1),
    "about the last fragment": lambda occasion: frame(occasion, fragment=0x1F00),
    "about a fragment in the middle": lambda occasion: frame(occasion, fragment=p.MF | 185),
    "from a link broadcast": lambda occasion: frame(occasion, mac=p.BROADCAST),
    "from a link multicast": lambda occasion: frame(occasion, mac="01:00:5e:01:01:01"),
    "from another link multicast": lambda occasion: frame(occasion, mac="33:33:00:00:00:01"),
    **{
        f"to source {source}": lambda occasion, source=source: frame(occasion, src=source)  # type: ignore[misc]
        for source in (
            *("0.0.0.0", "0.0.0.9", "127.0.0.1", "224.0.0.9", "239.1.1.1", "240.0.0.9"),
            *("255.255.255.255", "10.1.0.255", "10.1.0.0", "10.3.0.255"),
            *(w.R1, w.R2, "203.0.113.2", "203.0.113.66", "203.0.113.130", "192.0.2.1"),
        )
    },
}


@pytest.mark.parametrize("occasion", OCCASIONS)
@pytest.mark.parametrize("name", SUPPRESSED)
def test_no_error(bench: Bench, name: str, occasion: str) -> None:
    assert_silence(bench, [SUPPRESSED[name](occasion)])


@pytest.mark.parametrize(("burst", "place"), PLACES)
@pytest.mark.parametrize("name", SUPPRESSED)
def test_no_error_in_a_burst(bench: Bench, name: str, burst: int, place: int) -> None:
    """The others of the burst have theirs."""
    frames = [frame("no route", ident=i) for i in range(burst)]
    frames[place] = SUPPRESSED[name]("no route")
    out = w.exchange(bench, w.P1, frames)
    errors = [error_to_h1(one[14:], 3, 0) for i, one in enumerate(frames) if i != place]
    assert out == {**SILENCE, w.P1: errors}


@pytest.mark.parametrize("ttl", [0, 1, 64])
@pytest.mark.parametrize("options", [b"", b"\x1f\1"], ids=["plain", "bad options"])
@pytest.mark.parametrize(
    "destination",
    [
        *("255.255.255.255", "10.1.0.255", "10.1.0.0", "10.2.0.255", "10.2.0.0"),
        *("224.0.0.1", "224.0.0.77", "239.1.1.1", "232.1.2.3"),
    ],
)
@pytest.mark.parametrize("mac", [w.M1, p.BROADCAST, "01:00:5e:01:01:01"])
def test_no_error_about_a_group(
    bench: Bench, mac: str, destination: str, options: bytes, ttl: int
) -> None:
    packet = p.ipv4(w.H1, destination, UDP, ttl=ttl, options=options)
    assert_silence(bench, [p.ether(mac, w.h1, packet)])


INVALID: dict[str, dict[str, object]] = {
    "ip_version": {"version": 6},
    "ip_checksum": {"header_checksum": 0x1234},
    "ip_header_length": {"ihl": 4},
    "ip_total_length": {"total": 19},
}


@pytest.mark.parametrize("occasion", ["no route", "TTL 1"])
@pytest.mark.parametrize("reason", INVALID)
def test_no_error_about_an_invalid_header(bench: Bench, reason: str, occasion: str) -> None:
    assert_silence(bench, [frame(occasion, **INVALID[reason])], reason)  # type: ignore[arg-type]


@pytest.mark.parametrize("fragment", [0, p.MF], ids=["whole", "first fragment"])
def test_no_error_about_icmp_without_a_type(bench: Bench, fragment: int) -> None:
    """It may have been an error."""
    empty = p.ipv4(w.H1, w.U, protocol=p.ICMP, fragment=fragment)
    for padding in (0, 8):  # which would be queries
        one = p.ether(w.M1, w.h1, empty) + bytes([padding]) * 26
        assert_silence(bench, [one], "no_route")


def test_no_error_about_an_error_in_fragments(bench: Bench) -> None:
    error = p.icmp(3, 1, data=ABOUT)[:32]
    assert_silence(bench, [frame("no route", protocol=p.ICMP, payload=error, fragment=p.MF)])


# --- 4.3.2.8 --------------------------------------------------------------------------------------


def limited(per_second: int, burst: int) -> Bench:
    """Return a bed whose ICMP errors are limited."""
    slow = {"icmp_errors_per_s": per_second, "icmp_errors_burst": burst}
    return w.bed(slow=slow, routes=ROUTES)


@pytest.mark.parametrize(("per_second", "burst"), [(100, 5), (1000, 1), (1, 3), (7, 2)])
def test_the_limit_is_exact(per_second: int, burst: int) -> None:
    """A burst at once, then one whenever its time has come and not a nanosecond earlier."""
    bench = limited(per_second, burst)
    start = bench.now_ps
    period_ps = 10**9 // per_second * 1000
    bench.port(w.P1).send(*(frame("no route", ident=i) for i in range(burst + 3)))
    times = []
    for turn in range(1, 4):
        times += [turn * period_ps - 1000, turn * period_ps, turn * period_ps + 1000]
    for number, time in enumerate(times):
        bench.port(w.P1).send(frame("TTL 1", ident=number), at_ps=start + time)
    bench.run_until_idle()
    first = [(0, error_to_h1(frame("no route", ident=i)[14:], 3, 0)) for i in range(burst)]
    later = [(times[i], error_to_h1(frame("TTL 1", ident=i)[14:], 11, 0)) for i in (1, 4, 7)]
    assert since(bench, w.P1, start) == first + later
    assert dropped(bench) == {"no_route": burst + 3, "ttl_expired": 9}
    bench.check_conservation()


def test_a_rest_fills_the_bucket_and_no_more() -> None:
    bench = limited(100, 5)
    start = bench.now_ps
    for second in (0, 10):
        for i in range(8):
            bench.port(w.P1).send(frame("no route", ident=i), at_ps=start + second * SECOND_PS)
    bench.run_until_idle(20_000_000)
    assert [time for time, _ in since(bench, w.P1, start)] == [0] * 5 + [10 * SECOND_PS] * 5


def test_a_flood_gets_its_share_and_hurts_no_other_traffic() -> None:
    bench = limited(100, 10)
    start = bench.now_ps
    good = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, UDP))
    for i in range(2000):
        bench.port(w.P1).send(frame("TTL 1", ident=i), good, at_ps=start + i * SECOND_PS // 1000)
    bench.run_until_idle()
    errors = [time for time, _ in since(bench, w.P1, start)]
    assert errors == [ms * SECOND_PS // 1000 for ms in (*range(10), *range(10, 2000, 10))]
    assert w.received(bench, w.P2) == [p.forwarded(good, w.M2, w.g2)] * 2000
    assert dropped(bench) == {"ttl_expired": 2000}


def test_without_a_limit_each_packet_gets_its_error() -> None:
    bench = limited(0, 1)
    out = w.exchange(bench, w.P1, [frame("no route", ident=i) for i in range(500)])
    assert len(out[w.P1]) == 500


def dispatched(bench: Bench) -> int:
    """Return how many packets have come to the slow path."""
    return int(bench.only.counters().steps["slow_dispatch"].calls)


@pytest.mark.parametrize(
    ("occasion", "reason"),
    [
        ("no route", "no_route"),
        ("TTL 1", "ttl_expired"),
        ("unreachable", "unreachable"),
        ("prohibit", "prohibit"),
    ],
)
def test_what_the_limit_forbids_ends_in_the_fast_path(occasion: str, reason: str) -> None:
    bench = limited(1, 2)
    frames = [frame(occasion, ident=i) for i in range(100)]
    assert len(w.exchange(bench, w.P1, frames)[w.P1]) == 2
    before = bench.only.counters(), dispatched(bench)
    bench.trace(most=1)
    assert_silence(bench, frames, reason)
    after = bench.only.counters(), dispatched(bench)
    assert after[1] == before[1]
    assert (after[0].punted - before[0].punted).total() == len(frames)
    end = bench.trace_events()[-1]
    assert (end.place, end.verdict, end.reason) == ("hand_over", "drop", reason)


def test_a_new_limit_holds_at_once() -> None:
    slow = {"icmp_errors_per_s": 1, "icmp_errors_burst": 1}
    old, new = w.bed_config(slow=slow), w.bed_config(slow={"icmp_errors_per_s": 0})
    bench = w.bed(slow=slow)
    frames = [frame("TTL 1", ident=i) for i in range(10)]
    assert len(w.exchange(bench, w.P1, frames)[w.P1]) == 1
    reload(bench.only, "sim", old, new)
    assert len(w.exchange(bench, w.P1, frames)[w.P1]) == len(frames)


def test_what_is_suppressed_takes_nothing_from_the_limit() -> None:
    bench = limited(1, 2)
    start = bench.now_ps
    for suppress in SUPPRESSED.values():
        bench.port(w.P1).send(suppress("no route"))
    bench.port(w.P1).send(*(frame("no route", ident=i) for i in range(3)))
    bench.run_until_idle()
    expected = [(0, error_to_h1(frame("no route", ident=i)[14:], 3, 0)) for i in range(2)]
    assert since(bench, w.P1, start) == expected


def test_echo_replies_are_not_limited() -> None:
    bench = limited(1, 1)
    echo = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R1, p.echo_request(), protocol=p.ICMP))
    assert len(w.exchange(bench, w.P1, [echo] * 100)[w.P1]) == 100


# --- each kind by itself --------------------------------------------------------------------------

KINDS = {
    "unreachable": "no route",
    "time_exceeded": "TTL 1",
    "parameter_problem": "bad options",
}


def of_kind(kind: str, per_s: int, burst: int) -> str:
    """Return the table that limits a kind."""
    return f"[icmp.{kind}]\nper_s = {per_s}\nburst = {burst}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_its_own_limit(kind: str) -> None:
    bench = w.bed(icmp=of_kind(kind, 100, 3))
    start = bench.now_ps
    frames = [frame(KINDS[one], ident=i) for i in range(10) for one in KINDS]
    bench.port(w.P1).send(*frames)
    late = [(turn * SECOND_PS // 100, frame(KINDS[kind], ident=turn)) for turn in (1, 2)]
    for time, one in late:
        bench.port(w.P1).send(one, at_ps=start + time)
        bench.port(w.P1).send(one, at_ps=start + time)
    bench.run_until_idle()
    got = [(time, p.ip_of(one)[20], p.ip_of(one)[28:]) for time, one in since(bench, w.P1, start)]
    types = {"unreachable": 3, "time_exceeded": 11, "parameter_problem": 12}
    expected = [
        (0, types[one], p.ip_of(frame(KINDS[one], ident=i)))
        for i in range(10)
        for one in KINDS
        if one != kind or i < 3
    ]
    assert sorted(got) == sorted(expected) + [
        (time, types[kind], p.ip_of(one)) for time, one in late
    ]


def test_the_limit_of_all_holds_besides() -> None:
    """And a message that one of the two limits forbids takes nothing from the other."""
    slow = {"icmp_errors_per_s": 1, "icmp_errors_burst": 4}
    bench = w.bed(slow=slow, icmp=of_kind("unreachable", 1, 2))
    start = bench.now_ps
    occasions = ["no route"] * 5 + ["TTL 1"] * 5
    bench.port(w.P1).send(*(frame(one, ident=i) for i, one in enumerate(occasions)))
    bench.run_until_idle()
    types = [p.ip_of(one)[20] for _, one in since(bench, w.P1, start)]
    assert types == [3, 3, 11, 11]


@pytest.mark.parametrize("data", [4, 3000])
def test_echo_replies_have_a_limit(data: int) -> None:
    bench = w.bed(icmp=of_kind("echo_reply", 10, 2))
    request = p.ipv4(w.H1, w.R1, p.echo_request(data=bytes(data)), protocol=p.ICMP)
    parts = p.fragments(request, 1480) if data > 1472 else [request]
    for _ in range(3):
        bench.port(w.P1).send(*(p.ether(w.M1, w.h1, part) for part in parts))
    bench.run_until_idle()
    assert len(w.received(bench, w.P1)) == 2 * len(parts)
    assert dropped(bench)["echo_limited"] == len(parts)
    assert dropped(bench)["echo_answered"] == 2
    bench.check_conservation()


# --- switches -------------------------------------------------------------------------------------


@pytest.mark.parametrize("occasion", OCCASIONS)
@pytest.mark.parametrize(
    ("switch", "silent"),
    [("prohibited", {"prohibit"}), ("unreachables", {"no route", "unreachable", "prohibit"})],
)
def test_a_switch(switch: str, silent: set[str], occasion: str) -> None:
    """RFC 1812 5.2.7.1; path MTU discovery works all the same (RFC 1191)."""
    bench = w.bed(routes=ROUTES, mtu2=MTU, icmp=f"[icmp]\n{switch} = false")
    out = w.exchange(bench, w.P1, [frame(occasion)])
    assert len(out[w.P1]) == (occasion not in silent)
    assert out[w.P2] == out[w.P3] == []
