# SPDX-License-Identifier: MIT
"""The commands that watch packets of a running router: capture and trace."""

import argparse
import base64
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from twinroute import control_tables as tables
from twinroute.control_client import ControlClient
from twinroute.control_commands import command
from twinroute.frame_text import frame_text
from twinroute.pcap_file import CaptureWriter, PcapngWriter, PcapWriter
from twinroute.target import CapturedFrame

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

CAPTURE_EPILOG = """\
The filter is one of libpcap's, as tcpdump has them. Ctrl-C ends a capture; frames that the reader
was too slow for are counted, and the router does not wait for it.

examples:
  twinroute capture -c 10 icmp
  twinroute capture --port p0 --direction in -w in.pcap host 10.2.0.1
  twinroute capture -w - | tcpdump -nr -
"""
TRACE_EPILOG = """\
The filter is one of libpcap's. What a packet gives rise to (an answer, an ICMP error, fragments)
has its number.

examples:
  twinroute trace -c 1 icmp
  twinroute trace -c 5 --json dst net 10.2.0.0/16
"""


def add_capture(subparsers: "Subparsers") -> None:
    """Add `capture` to a command line."""
    text = "capture frames on a running router's ports"
    parser = command(subparsers, "capture", text, _capture, CAPTURE_EPILOG)
    parser.add_argument("filter", nargs="*", metavar="WORD", help="of the filter (all frames)")
    parser.add_argument("--port", action="append", default=[], help="only here (all ports)")
    parser.add_argument("--direction", choices=("in", "out", "both"), default="both", help="(both)")
    parser.add_argument(
        "-c", "--count", type=int, default=0, metavar="N", help="end after N frames"
    )
    parser.add_argument(
        "-w",
        "--write",
        metavar="FILE",
        help="pcap with nanoseconds; FILE.pcapng: with ports and directions; -: pcap to stdout",
    )
    parser.add_argument(
        "--snap", type=int, default=65535, metavar="BYTES", help="of a frame at most (65535)"
    )


def add_trace(subparsers: "Subparsers") -> None:
    """Add `trace` to a command line."""
    text = "trace the next packets: every step, its verdict, and why"
    parser = command(subparsers, "trace", text, _trace, TRACE_EPILOG)
    parser.add_argument("filter", nargs="*", metavar="WORD", help="of the filter (all packets)")
    parser.add_argument("-c", "--count", type=int, default=10, metavar="N", help="packets (10)")


@contextmanager
def _until_interrupted(client: ControlClient) -> Iterator[None]:
    """Bring the stream to a good end at the first Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        client.end_stream()

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _capture(args: argparse.Namespace, client: ControlClient) -> None:
    params = {"ports": args.port, "direction": args.direction, "count": args.count}
    stream = client.stream("capture", filter=" ".join(args.filter), snap_bytes=args.snap, **params)
    show: Callable[[CapturedFrame], None] = _frame_json if args.json else _frame_line
    with _until_interrupted(client), _output(args.write) as file:
        for event in stream:
            if "capturing" in event:
                ports: list[str] = event["capturing"]
                print(f"capturing on {', '.join(ports)}", file=sys.stderr, flush=True)
                if file is not None:
                    show = _writer(args, file, ports).write
                continue
            for frame in event["frames"]:
                show(CapturedFrame(**frame | {"data": base64.b64decode(frame["data"])}))
            (file or sys.stdout).flush()
    result = stream.result
    print(f"{result['frames']} frames, {result['lost']} lost", file=sys.stderr)


@contextmanager
def _output(name: str | None) -> Iterator[IO[bytes] | None]:
    """Open what is written to."""
    if name is None:
        yield None
    elif name == "-":
        yield sys.stdout.buffer
    else:
        with open(name, "wb") as file:
            yield file


def _writer(args: argparse.Namespace, file: IO[bytes], ports: list[str]) -> CaptureWriter:
    if args.write.endswith(".pcapng"):
        return PcapngWriter(file, ports, args.snap)
    return PcapWriter(file, args.snap)


def _frame_line(frame: CapturedFrame) -> None:
    seconds, ns = divmod(frame.time_ns, 1_000_000_000)
    clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ns:09}"
    way = f"{frame.port} {frame.direction}"
    print(f"{clock}  {way:<19} {frame.size:>5}  {frame_text(frame.data)}")


def _frame_json(frame: CapturedFrame) -> None:
    print(json.dumps(vars(frame) | {"data": frame.data.hex()}))


def _trace(args: argparse.Namespace, client: ControlClient) -> None:
    stream = client.stream("trace", filter=" ".join(args.filter), count=args.count)
    with _until_interrupted(client):
        for event in stream:
            if "tracing" in event:
                print(f"tracing the next {args.count} packets", file=sys.stderr, flush=True)
                if not args.json:
                    print(tables.RECORD_HEADING)
            for record in event.get("records", ()):
                print(json.dumps(record) if args.json else tables.record_line(record))
            sys.stdout.flush()
    result = stream.result
    print(f"{result['packets']} packets, {result['lost']} records lost", file=sys.stderr)
