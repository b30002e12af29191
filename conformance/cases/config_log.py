# SPDX-License-Identifier: MIT
"""What a router writes down: changes, refusals, packets that it drops; and that one of its threads
hangs."""

import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twinroute.conformance.cases.config_management import ROUTER, Managed, managed
from twinroute.conformance.kit import PORT, ConfigBed, T, config_case
from twinroute.systemd import Watch

LOG = ROUTER + '[log]\nto = "LOG"\n'
EVENTS = ["access", "change", "watch", "failure"]
EVERYTHING = f"audit = {json.dumps(EVENTS)}\n"
VARYING = {"time", "pid", "uid", "login_uid", "file"}  # from run to run, as a report does not
FILTER = '[[filter]]\naction = "drop"\nprotocol = "udp"\ndestination_port = 7\n'


def written(c: ConfigBed, router: Managed, event: str) -> list[dict[str, Any]]:
    """Return the lines about an event in a router's log."""
    text = router.log.read_text(encoding="utf-8") if router.log.exists() else ""
    events = [json.loads(line) for line in text.splitlines()]
    for one in events:
        c.note(json.dumps({key: value for key, value in one.items() if key not in VARYING}))
    return [one for one in events if one["event"] == event]


def send(router: Managed, *packets: bytes) -> None:
    """Let packets come by p1, and the log take what was dropped of them."""
    port = router.bench.port("p1")
    to_us = bytes.fromhex(port.mac.replace(":", ""))

    def run() -> None:
        port.send(*(to_us + packet[6:] for packet in packets))
        router.bench.run(us=1000)
        router.controller.log_drops()

    router.controller.call(run)


@config_case("RFC1812-10.4.1-1")
def changes_are_logged(c: ConfigBed) -> None:
    """Who has changed what, and when: by the control socket, also by a reload of the file."""
    with managed(LOG) as router:
        socket_ = ("--socket", str(router.socket))
        c.command("route", "add", "10.9.0.0/16", "via", "10.2.0.2", *socket_)
        router.file.write_text(
            router.file.read_text(encoding="utf-8").replace("198.18.", "198.19."), encoding="utf-8"
        )
        c.command("config", "reload", *socket_)
        lines = written(c, router, "change")
        c.check([one["method"] for one in lines] == ["route.add", "config.reload"], "other changes")
        added, reloaded = lines
        c.check(added["params"]["to"] == "10.9.0.0/16", "not what was changed")
        c.check(reloaded["result"]["routes_set"] == 1, "not what the reload changed")
        for one in lines:
            c.check((one["uid"], one["pid"]) == (os.getuid(), os.getpid()), "not who it was")
            c.check(one["time"].endswith("+00:00"), "not when it was")


@config_case("RFC1812-10.4.1-2", "RFC1812-5.3.9-14")
def failures_and_violations_are_logged(c: ConfigBed) -> None:
    """Clients let in, requests refused, and of what a policy drops what one likes to be told of."""
    chosen = f'{LOG}{EVERYTHING}drops = ["filtered", "source_route"]\n{FILTER}'
    with managed(chosen) as router:
        c.command("route", "add", "10.9.0.0/16", "via", "10.77.0.1", "--socket", str(router.socket))
        c.check(len(written(c, router, "access")) == 1, "no word of the client")
        (failed,) = written(c, router, "failure")
        c.check(failed["method"] == "route.add" and failed["error"], "not what was refused")
        routed = T(options=b"\x83\7\4\x0a\2\0\2\0")
        send(router, T(dport=7), T(dport=9), routed, T(ttl=1), T(src="127.0.0.1"))
        found = [(one["reason"], one["source"]) for one in written(c, router, "drop")]
        wanted = [("filtered", "10.1.0.2"), ("source_route", "10.1.0.2")]
        c.check(sorted(found) == wanted, f"dropped packets: {found}")
    c.refuses(f'{PORT}[log]\ndrops = "filtered"\n', "a list of drop reasons")


@config_case("RFC1812-10.4.1-3", "RFC1812-10.4.1-4", "RFC1812-10.4.1-5")
def the_audit_is_on_and_can_be_limited(c: ConfigBed) -> None:
    """Changes and failures by default, on stderr; or to a file, or all of it, some or nothing."""
    log: Any = getattr(c.accepts(PORT), "log", None)
    c.check(
        log is not None and (log.to, log.audit) == ("stderr", ["change", "failure"]),
        "another default",
    )
    for wanted in ([], ["change"], ["access", "change", "failure"]):
        with managed(f"{LOG}audit = {json.dumps(wanted)}\n") as router:
            for port in ("p1", "p9"):
                c.command("port", "up", port, "--socket", str(router.socket))
            found = [event for event in EVENTS if written(c, router, event)]
            c.check(found == wanted, f"events: {found}")
    c.refuses(f'{PORT}[log]\naudit = ["logins"]\n', '"access", "change", "watch" or "failure"')


@config_case("RFC1812-5.3.7-9")
def martians_are_logged(c: ConfigBed) -> None:
    """Source, destination, port and sender's MAC address; a few of many, and all are counted."""
    reasons = 'drops = ["martian_source", "martian_destination"]\ndrops_per_s = 2\n'
    with managed(LOG + reasons) as router:
        send(router, T(src="127.0.0.1"), T(dst="240.0.0.1"), *[T(src="224.0.0.1")] * 30)
        lines = written(c, router, "drop")
        shown = [
            tuple(one[key] for key in ("reason", "source", "destination", "port", "source_mac"))
            for one in lines
        ]
        mac = T()[6:12].hex(":")
        c.check(("martian_source", "127.0.0.1", "198.18.0.1", "p1", mac) in shown, f"{shown}")
        c.check(len(lines) == 2, f"{len(lines)} lines")
        (more,) = written(c, router, "drops_left_out")
        counted = router.controller.call(router.bench.only.counters).dropped
        counts = (counted["martian_source"], counted["martian_destination"], more["packets"])
        c.check(counts == (31, 1, 30), f"counted, and left out: {counts}")


@config_case("RFC1812-10.3.2.2-2")
def a_hang_is_noticed(c: ConfigBed) -> None:
    """While a thread of the router makes no turns, systemd's watchdog, which restarts it, starves;
    and the thread is named."""
    turns, now, said = {"fast-0": 1, "slow": 1}, [0.0], []  # type: dict[str, int], list[float], list[str]
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as systemd,
    ):
        path = str(Path(folder) / "notify")
        systemd.bind(path)
        environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"}
        with mock.patch.dict(os.environ, environment):
            watch = Watch(lambda: dict(turns), said.append, lambda: now[0])
            turns |= {"fast-0": 2, "slow": 2}
            watch.look()
            c.check(systemd.recv(100) == b"WATCHDOG=1", "not fed although all go round")
            for _ in range(30):
                turns["slow"] += 1
                now[0] += 1
                watch.look()
        try:
            c.check(not systemd.recv(100), "fed although a unit stands still")
        except BlockingIOError:
            c.note("the watchdog starves")
    c.check(said == ["unit fast-0 has stood still for 15.0 s"], f"{said}")
