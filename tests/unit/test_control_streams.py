# SPDX-License-Identifier: MIT
"""Captures and traces over a real control socket, on a simulated router."""

import base64
import io
from pathlib import Path

import pytest

from tests.control_bed import Bed, bed
from twinroute.frame_text import frame_text
from twinroute.pcap_file import PcapngWriter, PcapWriter
from twinroute.sim import capture as files
from twinroute.target import CapturedFrame


@pytest.fixture
def r1(tmp_path: Path):
    with bed(tmp_path) as made:
        yield made


def captured(events) -> list[tuple[str, str, bytes]]:
    """Return port, direction and data of the frames of some events."""
    return [
        (frame["port"], frame["direction"], base64.b64decode(frame["data"]))
        for event in events
        for frame in event["frames"]
    ]


def test_capture_until_the_count(r1: Bed):
    with r1.client() as client:
        stream = client.stream("capture", count=3)
        events = iter(stream)
        assert next(events) == {"capturing": ["p0", "p1"]}
        frames = [r1.frame(ident=1), r1.frame(ident=2)]
        r1.exchange(*frames)
        first, *rest = captured(events)
    assert first == ("p0", "in", frames[0])
    assert sorted(one[:2] for one in rest) == [("p0", "in"), ("p1", "out")]
    assert stream.result == {"frames": 3, "lost": 0}


@pytest.mark.parametrize(
    ("params", "ways"),
    [
        ({"ports": ["p0"]}, [("p0", "in")]),
        ({"direction": "out"}, [("p1", "out")]),
        ({"filter": "ip[8] = 63"}, [("p1", "out")]),  # TTL
        ({"filter": "arp"}, []),
    ],
)
def test_capture_what_was_asked_for(r1: Bed, params: dict, ways: list):
    with r1.client() as client:
        stream = client.stream("capture", **params)
        events = iter(stream)
        next(events)
        r1.exchange(r1.frame())
        client.end_stream()
        assert [one[:2] for one in captured(events)] == ways
    assert stream.result["frames"] == len(ways)


def test_capture_cuts_frames(r1: Bed):
    with r1.client() as client:
        stream = client.stream("capture", snap_bytes=20, count=1)
        events = iter(stream)
        next(events)
        r1.exchange(r1.frame())
        (frame,) = next(events)["frames"]
    assert (frame["size"], len(base64.b64decode(frame["data"]))) == (60, 20)


def test_captures_at_the_same_time(r1: Bed):
    with r1.client() as one, r1.client() as other:
        streams = [iter(client.stream("capture", count=2)) for client in (one, other)]
        for stream in streams:
            next(stream)
        r1.exchange(r1.frame())
        assert captured(streams[0]) == captured(streams[1])


def test_other_requests_while_one_captures(r1: Bed):
    with r1.client() as client:
        events = iter(client.stream("capture"))
        next(events)
        r1.exchange(r1.frame())
        assert r1.call("show.counters")["forwarded"] == 1
        client.end_stream()
        assert len(captured(events)) == 2


def test_trace_tells_every_step(r1: Bed):
    with r1.client() as client:
        stream = client.stream("trace", count=2, filter="ip")
        events = iter(stream)
        assert next(events) == {"tracing": 2}
        r1.exchange(r1.frame(ident=1), r1.frame("100.64.7.1"), r1.frame(ident=3))
        records = [record for event in events for record in event["records"]]
    assert stream.result == {"packets": 2, "lost": 0}
    steps = [(one["step"], one["verdict"]) for one in records if one["packet"] == 1]
    names = ("validate", "filter", "lookup", "next_hop", "transmit")
    assert steps == [(name, "forward") for name in names]
    second = [one for one in records if one["packet"] == 2]
    assert ("lookup", "forward", "") in {(o["step"], o["verdict"], o["reason"]) for o in second}
    assert ("punt", "no_route") in {(one["verdict"], one["reason"]) for one in second}
    assert (second[-1]["verdict"], second[-1]["reason"]) == ("drop", "no_route")
    assert records[0]["time_us"] == 0
    assert records[0]["port"] == "p0"


def test_trace_again_counts_from_one(r1: Bed):
    for _ in range(2):
        with r1.client() as client:
            stream = client.stream("trace", count=1)
            events = iter(stream)
            next(events)
            r1.exchange(r1.frame())
            records = [record for event in events for record in event["records"]]
        assert {record["packet"] for record in records} == {1}
        assert len(records) == 5


def test_trace_ends_when_told(r1: Bed):
    with r1.client() as client:
        stream = client.stream("trace")
        events = iter(stream)
        next(events)
        client.end_stream()
        assert list(events) == []
    assert stream.result == {"packets": 0, "lost": 0}


# --- files and lines ------------------------------------------------------------------------------

FRAMES = [
    CapturedFrame(1_700_000_000_000_000_001, "p0", "in", 60, bytes(range(60))),
    CapturedFrame(1_700_000_000_000_000_999, "p1", "out", 61, bytes(61)),
]


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_files_are_read_by_libpcap(tmp_path: Path, kind: str):
    path = tmp_path / f"x.{kind}"
    with path.open("wb") as file:
        writer = PcapWriter(file) if kind == "pcap" else PcapngWriter(file, ["p0", "p1"])
        for frame in FRAMES:
            writer.write(frame)
    read = files.read(path)
    assert [read.frame(index) for index in range(len(read))] == [one.data for one in FRAMES]
    assert list(read.times_ns) == [one.time_ns for one in FRAMES]


def test_pcapng_names_ports_and_directions():
    file = io.BytesIO()
    writer = PcapngWriter(file, ["lan", "wan"])
    writer.write(CapturedFrame(0, "wan", "out", 3, b"abc"))
    data = file.getvalue()
    assert data.index(b"lan") < data.index(b"wan")
    assert data.endswith(bytes.fromhex("02000400020000000000000030000000"))


def test_frames_as_text(r1: Bed):
    assert frame_text(r1.frame()) == "10.0.0.2:0 > 198.18.0.1:0 UDP ttl 64 length 46"
    assert frame_text(b"abc") == "3 bytes of a frame"
    for length in range(60):
        assert frame_text(r1.frame()[:length])
    arp = bytes.fromhex("ffffffffffff020000000001080600010800060400010200000000010a000002")
    assert (
        frame_text(arp + bytes(6) + bytes([10, 0, 0, 1])) == "ARP who has 10.0.0.1? tell 10.0.0.2"
    )
    echo = r1.frame()[:23] + b"\x01" + r1.frame()[24:34] + bytes.fromhex("0800000000010007")
    assert " ICMP echo request 7 ttl 64 " in frame_text(echo)
    assert frame_text(bytes(12) + b"\x86\xdd" + bytes(40)).endswith("type 0x86dd")
