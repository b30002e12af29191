# SPDX-License-Identifier: MIT
"""The packet trace: every place that took a packet, in order, with verdict and reason."""

from typing import Any

import pytest

from tests import packets as p
from twinroute.sim import Bench, BenchError, TraceEvent, format_trace

SENDER, GATEWAY_MAC = "02:00:00:00:00:99", "02:00:00:00:00:02"
FAST = ["validate", "filter", "lookup", "next_hop"]


def make_bench(**options: Any) -> Bench:
    """Make a world of one router between two stations."""
    bench = Bench(**options)
    router = bench.router(
        port={"p0": "10.0.0.1/24", "p1": "10.0.1.1/24"},
        neighbor=[
            {"port": "p0", "address": "10.0.0.2", "mac": SENDER},
            {"port": "p1", "address": "10.0.1.2", "mac": GATEWAY_MAC},
        ],
        route=[{"to": "198.18.0.0/16", "via": "10.0.1.2"}],
        fast_path={"tx_buffer": 1},
    )
    for name, port in (("a", "p0"), ("b", "p1")):
        bench.link(bench.station(name), router.port(port))
    bench.settle()
    return bench


def frame(bench: Bench, dst: str = "198.18.0.1", **fields: Any) -> bytes:
    """Return a frame for p0."""
    return p.ether(bench.port("p0").mac, SENDER, p.ipv4("10.0.0.2", dst, bytes(26), **fields))


def traced(bench: Bench, *frames: bytes, **options: Any) -> list[TraceEvent]:
    """Send frames, traced, and return the events."""
    for one in frames:
        bench.port("p0").send(one, trace=True, **options)
    bench.run_until_idle()
    return bench.trace_events()


def verdicts(events: list[TraceEvent]) -> list[tuple[str, str, str]]:
    """Return place, verdict and reason of the events inside of the router."""
    return [(e.place, e.verdict, e.reason) for e in events if e.unit is not None]


def test_a_forwarded_packet():
    bench = make_bench()
    events = traced(bench, frame(bench), at_us=2)
    places = [event.place for event in events]
    assert [place for place in places if place in FAST] == FAST
    assert places[:3] == ["sent", "wire", "arrived"]
    assert places[-2:] == ["wire", "received"]
    assert {event.packet for event in events} == {1}
    assert not {event.verdict for event in events} & {"drop", "punt"}
    first, last = events[0], events[-1]
    assert (first.time_us, first.router, first.unit, first.where) == (2, None, None, "a")
    assert (last.where, last.size) == ("b", 60)
    arrived = next(event for event in events if event.place == "arrived")
    assert (arrived.router, arrived.where, arrived.time_ps) == ("r1", "p0", 2_067_200)
    validate = next(event for event in events if event.place == "validate")
    assert (validate.unit, validate.cycles, validate.router) == (0, 2067, "r1")


def test_a_punted_packet():
    bench = make_bench()
    events = traced(bench, frame(bench, ttl=1))
    inside = verdicts(events)
    assert ("next_hop", "punt", "ttl_expired") in inside
    at = [place for place, _, _ in inside]
    assert at.index("next_hop") < at.index("slow_dispatch") < at.index("slow_icmp_error")
    assert ("drop", "ttl_expired") in [reasons[1:] for reasons in inside]
    # The ICMP error was made because of the packet: it shares its number.
    assert events[-1].where == "a"
    assert {event.packet for event in events} == {1}


def test_a_dropped_packet():
    bench = make_bench()
    events = traced(bench, frame(bench, header_checksum=1))
    assert verdicts(events)[-1] == ("validate", "drop", "ip_checksum")
    assert events[-1].place == "validate"


def test_a_packet_that_was_used_up_is_not_dropped():
    bench = make_bench()
    request = p.arp(1, SENDER, "10.0.0.2", "00:00:00:00:00:00", "10.0.0.1")
    events = traced(bench, p.ether(p.BROADCAST, SENDER, request, 0x0806))
    assert ("done", "arp_done") in [(event.verdict, event.reason) for event in events]
    assert "drop" not in {event.verdict for event in events}


def test_only_what_is_chosen():
    bench = make_bench()
    bench.trace("ip proto 6", most=2)
    for index in range(4):
        bench.port("p0").send(frame(bench, protocol=p.TCP, ident=index))
        bench.port("p0").send(frame(bench, protocol=p.UDP))
    bench.run_until_idle()
    events = bench.trace_events()
    assert {event.packet for event in events} == {1, 2}
    assert bench.trace_events(5) == events[5:] != []
    assert bench.trace_events(len(events)) == []
    marked = make_bench()
    frames = [frame(marked, ident=index) for index in range(3)]
    marked.port("p0").station.send_all(frames, trace=[False, True, False])
    marked.run_until_idle()
    sent = [event for event in marked.trace_events() if event.place == "sent"]
    assert len(sent) == 1
    assert make_bench().trace_events() == []


def test_a_wrong_filter():
    with pytest.raises(BenchError, match='trace filter "tcp and": '):
        Bench().trace("tcp and")
    with pytest.raises(ValueError, match="most=-1"):
        Bench().trace(most=-1)


def test_losses_outside():
    bench = make_bench()
    bench.port("p0").link.set_up(False)
    events = traced(bench, frame(bench))
    assert (events[-1].place, events[-1].verdict, events[-1].router) == ("lost", "-", None)
    assert events[-1].where == "a-r1.p0"


def test_the_text_is_aligned():
    bench = make_bench(profile="default")
    events = traced(bench, frame(bench), frame(bench, header_checksum=1))
    lines = format_trace(events).split("\n")
    assert len(lines) == len(events) + 1
    assert lines[0].split() == [
        *("packet", "us", "cycles", "router", "unit", "where", "place", "bytes", "verdict")
    ]
    column = lines[0].index("verdict")
    assert all(line[column - 1] == " " and line[column] != " " for line in lines)
    assert len([line for line in lines if line.endswith("drop ip_checksum")]) == 1
    assert format_trace([]).split() == lines[0].split()


def test_the_same_trace_on_every_run():
    texts = []
    for _ in range(2):
        bench = make_bench(profile="default", seed=9)
        texts.append(format_trace(traced(bench, frame(bench), frame(bench, ttl=1))))
    assert texts[0] == texts[1]
