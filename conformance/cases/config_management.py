# SPDX-License-Identifier: MIT
"""How a router is managed: its file, its commands, who may give them, what they say of mistakes."""

import contextlib
import json
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from twinroute.config import load_config
from twinroute.conformance.frames import ip_of
from twinroute.conformance.kit import PORT, ConfigBed, T, config_case
from twinroute.control import Controller
from twinroute.control_server import ControlServer
from twinroute.event_log import EventLog
from twinroute.socket_file import SocketFile

ROUTER = (
    '[options]\nunknown = "drop"\n'
    + PORT
    + '[port.p2]\naddress = "10.2.0.1/24"\n[[route]]\nto = "198.18.0.0/16"\nvia = "10.2.0.2"\n'
)
QUIET = "[log]\naudit = []\n"


class Managed:
    """A router of the simulator with its file and its control socket."""

    def __init__(self, folder: Path, text: str) -> None:
        """Start it with the text of its file, in which LOG stands for the path of its log."""
        from twinroute.sim import Bench
        from twinroute.sim.target import BenchTarget

        self.file = folder / "router.toml"
        self.log = folder / "log"
        self.file.write_text(text.replace("LOG", str(self.log)), encoding="utf-8")
        config = load_config(self.file)
        self.bench = Bench.from_config(config)
        self.controller = Controller(BenchTarget(self.bench), config, EventLog(config))
        self.socket = folder / "router.sock"
        self.listener = SocketFile(self.socket)
        self.server = ControlServer(self.controller, self.listener)
        self.server.start()

    def close(self) -> None:
        """Stop it."""
        self.server.stop()
        self.controller.close()
        self.listener.close()


@contextlib.contextmanager
def managed(text: str = ROUTER + QUIET) -> Iterator[Managed]:
    """Run a router for a while; by default it logs nothing."""
    with tempfile.TemporaryDirectory() as folder:
        router = Managed(Path(folder), text)
        try:
            yield router
        finally:
            router.close()


@config_case(
    *("RFC1812-10.2.2-1", "RFC1812-10.3.2.3-2", "RFC1812-10.3.2.3-5", "RFC1812-10.3.2.3-6"),
)
def configuration_is_a_file(c: ConfigBed) -> None:
    """Text that people edit, that a restart finds again, and that a running router reads again."""
    with managed() as router:
        before = c.command("show", "config", "--json", "--socket", str(router.socket))
        c.check("10.2.0.1/24" in json.dumps(json.loads(before.out)), "other addresses")
        text = ROUTER.replace("198.18.", "198.19.")
        router.file.write_text(text + QUIET, encoding="utf-8")
        ran = c.command("config", "reload", "--socket", str(router.socket))
        c.check(ran.code == 0, "no reload")
        routes = c.command("show", "routes", "--json", "--socket", str(router.socket))
        c.check("198.19.0.0" in routes.out and "198.18.0.0" not in routes.out, "the old routes")
        router.file.write_text(f"[fast_path]\nunits = 2\n{text}{QUIET}", encoding="utf-8")
        ran = c.command("config", "reload", "--socket", str(router.socket))
        c.check(ran.code == 2 and "restart it for that" in ran.err, "no word of a restart")
        restarted = c.command("check", str(router.file))
        c.check(restarted.code == 0 and "10.2.0.1/24" in restarted.out, "not as it was written")


@config_case("RFC1812-10.3.2.5-1", "RFC1812-10.3.2.5-2", "RFC1812-10.3.2.5-3")
def mistakes_are_told(c: ConfigBed) -> None:
    """A wrong file or command is refused with what was expected, and changes nothing."""
    with managed() as router:
        socket = ("--socket", str(router.socket))
        routes = c.command("show", "routes", "--json", *socket).out
        for words, expected in (
            (("route", "add", "10.9.0.0/33", "via", "10.2.0.2"), "prefix length"),
            (("route", "add", "10.9.0.0/16", "via", "10.77.0.1"), "expected"),
            (("route", "add", "10.9.0.0/16"), "via"),
            (("route", "delete", "10.9.0.0/16"), ""),
            (("neighbor", "add", "p2", "10.2.0.2", "ff:ff:ff:ff:ff:ff"), ""),
            (("rout", "add"), "invalid choice"),
        ):
            ran = c.command(*words, *(socket if words[0] != "rout" else ()))
            c.check(ran.code == 2 and ran.err and expected in ran.err, f"{words}: not refused")
        router.file.write_text(ROUTER + "[port.p1]\n", encoding="utf-8")
        for command in (("check", str(router.file)), ("config", "reload", *socket)):
            ran = c.command(*command)
            c.check(ran.code == 2 and "router.toml" in ran.err, "not refused with its place")
        c.check(c.command("show", "routes", "--json", *socket).out == routes, "routes changed")


@config_case("RFC1812-10.3.2.7-2", "RFC1812-10.4.2-2")
def nothing_listens_on_the_network(c: ConfigBed) -> None:
    """A UNIX socket that its owner alone may open; no port, unless the counters get one."""
    config = c.accepts(PORT)
    c.check(config.metrics.listen is None, "something listens on the network")
    c.check(config.control.socket == Path("/run/twinroute/router.sock"), "another socket")
    for text in ('socket = "tcp:10.1.0.1:99"', 'socket = "10.1.0.1:99"', 'listen = "10.1.0.1:99"'):
        c.refuses(f"{PORT}[control]\n{text}\n")
    with managed() as router:
        mode = stat.S_IMODE(router.socket.stat().st_mode)
        c.check(mode == 0o600, f"mode {mode:o} of the control socket")


@config_case("RFC1812-4.2.1-5", "RFC7126-4.23.1-1")
def dropped_packets_can_be_logged(c: ConfigBed) -> None:
    """A trace says which packets were dropped, and why; a capture has them; both take a filter."""
    with managed() as router:
        port = router.bench.port("p1")
        to_us = bytes.fromhex(port.mac.replace(":", ""))
        target = router.controller.target

        def watch(frame: bytes) -> tuple[list[bytes], list[str]]:
            only = "src host 10.1.0.2"
            capture = target.capture([], "in", only, 65535, 64)
            trace = target.trace(only, 1)
            port.send(frame)
            router.bench.run(us=1000)
            data = [one.data for one in capture.read()]
            reasons = [one.reason for one in trace.read() if one.verdict == "drop"]
            capture.stop()
            trace.stop()
            return data, reasons

        for packet, reason in (
            (T(data=b"what was in it", header_checksum=0x1234), "ip_checksum"),
            (T(data=b"what was in it", options=b"\x1f\4\0\0"), "unknown_option"),
            (T(data=b"what was in it", options=b"\x52\4\0\0"), "obsolete_option"),
        ):
            frame = to_us + packet[6:]
            data, reasons = router.controller.call(watch, frame)
            c.check([ip_of(one) for one in data] == [ip_of(frame)], "its contents are not there")
            c.check(reasons == [reason], f"reasons: {reasons}")
