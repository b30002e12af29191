# SPDX-License-Identifier: MIT
"""The log of a running router: what is written of the management and of dropped packets, what is
not, and where to."""

import errno
import json
import os
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests import packets as p
from tests.control_bed import HOST, HOST_MAC, TABLES, Bed, bed, toml
from tests.refusals import refusal
from twinroute import event_log
from twinroute.cli import main
from twinroute.config import Config, build_config, load_config, parse_config
from twinroute.control_client import Refused
from twinroute.errors import ConfigError, TwinrouteError
from twinroute.event_log import EventLog, own_process

PORT = '[port.p0]\naddress = "10.0.0.1/24"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events"


def config(file: Path, **keys: Any) -> Config:
    return build_config({**TABLES, "log": {"to": str(file), **keys}})


def lines(file: Path) -> list[dict[str, Any]]:
    """Return what was written, without what every line has."""
    found = [json.loads(line) for line in file.read_text().splitlines()]
    for one in found:
        datetime.fromisoformat(one.pop("time"))
        assert one.pop("router") == "r1"
    return found


def of_this_process(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return lines without who it was, which is this process."""
    for one in found:
        assert (one.pop("pid"), one.pop("uid")) == (os.getpid(), os.getuid())
        one.pop("login_uid")
    return found


# --- the configuration ----------------------------------------------------------------------------


def test_the_audit_is_on_by_default_and_no_packets_are_logged():
    log = parse_config(PORT).log
    assert (log.to, log.drops, log.drops_per_s) == ("stderr", [], 10)
    assert log.audit == ["change", "failure"]


BAD = {
    'audit = "off"': 'log.audit = "off": expected a list of events of the audit',
    'audit = ["all"]': 'log.audit[1] = "all": expected "access", "change", "watch" or "failure"',
    'drops = ["a b"]': 'log.drops[1] = "a b": expected a drop reason of 1 to 63 letters',
    "drops_per_s = 0": "log.drops_per_s = 0: expected an integer from 1 to 64",
    "drops_per_s = 65": "log.drops_per_s = 65: expected an integer from 1 to 64",
    'to = ""': 'log.to = "": expected a text without control characters',
    "file = 1": "log.file = 1: unknown key, expected to, audit, drops or drops_per_s",
}


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_value_gets_a_line(text: str):
    assert refusal(f"{PORT}[log]\n{text}\n").startswith(BAD[text])


def test_a_file_is_beside_the_configuration(tmp_path: Path):
    (tmp_path / "r1.toml").write_text(PORT + '[log]\nto = "events"\n')
    assert load_config(tmp_path / "r1.toml").log.to == str(tmp_path / "events")


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"<code>: log.to = .*: expected a file that can be "):
        EventLog(config(tmp_path / "nowhere" / "events"))


def test_a_reason_that_there_is_not_is_refused(tmp_path: Path, file: Path):
    with pytest.raises(ConfigError, match=r'<code>: log.drops\[1\] = "martian": expected one of '):
        Bed(tmp_path, config(file, drops=["martian"]), logs=True)


def test_check_knows_the_reasons(tmp_path: Path, capsys):
    source = tmp_path / "r1.toml"
    for drops, code in ((["urpf", "no_route"], 0), (["urpf", "echo_answered"], 2)):
        source.write_text(f"{PORT}[log]\ndrops = {json.dumps(drops)}\n")
        assert main(["check", str(source)]) == code
    (line,) = capsys.readouterr().err.splitlines()
    start = f'twinroute: error: {source}: log.drops[2] = "echo_answered": expected one of the drop'
    assert line.startswith(start)


# --- the audit ------------------------------------------------------------------------------------


def test_changes_and_who_made_them(tmp_path: Path, file: Path):
    route = {"to": "10.9.0.0/16", "via": "10.0.1.2"}
    neighbor = {"port": "p0", "address": "10.0.0.7"}
    with bed(tmp_path, config(file), logs=True) as router, router.client() as client:
        client.call("route.add", **route)
        client.call("route.delete", to="10.9.0.0/16")
        client.call("route.load", text="10.8.0.0/16 via 10.0.1.2\n", more=True)
        client.call("route.load", text="10.7.0.0/16 via 10.0.1.2\n", name="some")
        client.call("neighbor.add", **neighbor, mac=HOST_MAC)
        client.call("neighbor.delete", **neighbor)
        client.call("port.down", port="p0")
        client.call("port.up", port="p0")
        client.call("show.routes")
    found = of_this_process(lines(file))
    assert {one["event"] for one in found} == {"change"}
    asked = [(one["method"], one["params"], one["result"]) for one in found]
    assert asked[0] == ("route.add", route, {})
    assert asked[3][1:] == ({"text": "10.7.0.0/16 via 10.0.1.2\n", "name": "some"}, {"routes": 2})
    assert [one[0] for one in asked] == [
        *("route.add", "route.delete", "route.load", "route.load"),
        *("neighbor.add", "neighbor.delete", "port.down", "port.up"),
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_who_is_let_in_and_what_is_refused(tmp_path: Path, file: Path):
    with bed(tmp_path, config(file, audit=["access", "failure"]), logs=True) as router:
        with router.client() as client:
            for method in ("route.add", "no.such"):
                with pytest.raises(Refused):
                    client.call(method, to="10.9.0.0/33")
        with router.raw() as connection:
            connection.sendall(b"what\n")
            assert connection.recv(100)
    found = of_this_process(lines(file))
    assert [one["event"] for one in found] == ["access", "failure", "failure", "access", "failure"]
    assert found[1]["params"] == {"to": "10.9.0.0/33"}
    assert "prefix length" in found[1]["error"]
    assert (found[2]["method"], found[2]["params"]) == ("no.such", {"to": "10.9.0.0/33"})
    assert found[4]["error"].startswith("request: expected JSON")


def test_captures_and_traces(tmp_path: Path, file: Path):
    with bed(tmp_path, config(file, audit=["watch"]), logs=True) as router:
        for method in ("capture", "trace"):
            with router.client() as client:
                stream = client.stream(method, filter="udp")
                next(iter(stream))
    found = of_this_process(lines(file))
    assert found == [
        {"event": "watch", "method": method, "params": {"filter": "udp"}}
        for method in ("capture", "trace")
    ]


def test_long_and_many_lined_values_stay_on_a_short_line(tmp_path: Path, file: Path):
    text = "\n".join(f"10.9.{index}.0/24 via 10.0.1.2" for index in range(200))
    with bed(tmp_path, config(file, audit=["change"]), logs=True) as router:
        router.call("route.load", text=text)
    (line,) = file.read_text().splitlines()
    assert len(line) < 1500
    assert json.loads(line)["params"].endswith("...")


@pytest.mark.parametrize("wanted", [[], ["change"], ["failure"], ["access"]])
def test_the_audit_can_be_limited_and_switched_off(tmp_path: Path, file: Path, wanted: list[str]):
    with bed(tmp_path, config(file, audit=wanted), logs=True) as router, router.client() as client:
        client.call("port.up", port="p0")
        with pytest.raises(Refused):
            client.call("port.up", port="p9")
    assert [one["event"] for one in lines(file)] == wanted


def test_a_reload_says_what_it_changed_and_takes_another_log(tmp_path: Path, file: Path):
    source, other = tmp_path / "r1.toml", tmp_path / "other"
    source.write_text(toml({**TABLES, "log": {"to": str(file), "audit": ["access"]}}))
    with bed(tmp_path, load_config(source), logs=True) as router:
        log = {"to": str(other), "audit": ["change"], "drops": ["no_route"]}
        source.write_text(toml({**TABLES, "log": log}))
        assert router.call("config.reload")["settings"] == {f"log.{key}": log[key] for key in log}
        for wrong in ({"drops": ["nothing"]}, {"to": str(tmp_path)}):
            source.write_text(toml({**TABLES, "route": [], "log": wrong}))
            with pytest.raises(TwinrouteError, match=r"r1\.toml: log\."):
                router.call("config.reload")
        assert router.call("show.routes")["count"]
        router.exchange(router.frame("10.99.0.1"))
        router.do(router.controller.log_drops)
    assert [one["event"] for one in lines(file)] == ["access"]
    found = lines(other)
    assert [one["event"] for one in found] == ["change", "drop"]
    assert found[0]["result"]["settings"]["log.to"] == str(other)


# --- where to -------------------------------------------------------------------------------------


def test_stderr_gets_the_same_lines(capsys):
    log = EventLog(build_config(TABLES))
    log.audit("change", own_process("start"), file="r1.toml")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["by"], line["file"]) == ("change", "start", "r1.toml")


def test_a_file_that_was_rotated_is_made_again(file: Path):
    log = EventLog(config(file))
    for _ in range(2):
        log.audit("change", own_process("start"))
        assert len(lines(file)) == 1
        file.rename(file.with_suffix(".1"))


def test_a_pipe_that_nobody_reads_is_refused(file: Path):
    os.mkfifo(file)
    with pytest.raises(ConfigError, match="a file that can be written, or stderr: No such device"):
        EventLog(config(file))


def test_a_full_disk_is_told_once_and_stops_nothing(file: Path, monkeypatch, capsys):
    log = EventLog(config(file))

    def full(to: str, line: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(event_log, "_append", full)
    log.audit("change", own_process("start"))
    log.audit("change", own_process("start"))
    told = f"twinroute: the log is not written: {file}: No space left on device\n"
    assert capsys.readouterr().err == told


# --- dropped packets ------------------------------------------------------------------------------


def martian(router: Bed, ident: int = 0) -> bytes:
    packet = p.ipv4("127.0.0.1", HOST, p.udp(1024, 9, bytes(40)), ident=ident)
    return p.ether(router.router.port("p0").mac, HOST_MAC, packet)


def test_a_martian_with_its_addresses_and_who_sent_it(tmp_path: Path, file: Path):
    with bed(tmp_path, config(file, drops=["martian_source"]), logs=True) as router:
        router.exchange(martian(router), router.frame("10.99.0.1"))
        router.do(router.controller.log_drops)
        mac = router.router.port("p0").mac
    assert lines(file) == [
        {
            **{"event": "drop", "reason": "martian_source", "port": "p0", "size": 82},
            **{"source_mac": HOST_MAC, "destination_mac": mac},
            **{"source": "127.0.0.1", "destination": HOST, "protocol": 17},
            "packet": f"127.0.0.1:1024 > {HOST}:9 UDP ttl 64 length 68",
        }
    ]


def test_a_flood_is_logged_in_part_and_counted_whole(tmp_path: Path, file: Path, monkeypatch):
    keys = {"drops": ["martian_source"], "drops_per_s": 3}
    with bed(tmp_path, config(file, **keys), logs=True) as router:
        for count in (200, 2, 7):
            router.exchange(*(martian(router, ident) for ident in range(count)))
            for pause_s in (0.0, 1e9):  # the second one comes too soon
                monkeypatch.setattr(event_log, "SAMPLE_S", pause_s)
                router.do(router.controller.log_drops)
        assert router.call("show.counters")["dropped"] == {"martian_source": 209}
    found = [one for one in lines(file) if one["event"] != "access"]
    assert [one["event"] for one in found] == [
        *(*["drop"] * 3, "drops_left_out"),
        *["drop"] * 2,
        *(*["drop"] * 3, "drops_left_out"),
    ]
    assert [one["packets"] for one in found if one["event"] == "drops_left_out"] == [197, 4]


def test_frames_that_are_no_ip(tmp_path: Path, file: Path):
    with bed(tmp_path, config(file, drops=["frame_short", "ether_type"]), logs=True) as router:
        mac = router.router.port("p0").mac
        router.exchange(bytes(13), p.ether(mac, HOST_MAC, bytes(46), 0x86DD))
        router.do(router.controller.log_drops)
    short, other = lines(file)
    assert (short["size"], short["packet"]) == (13, "13 bytes of a frame")
    assert (other["source_mac"], "source" in other) == (HOST_MAC, False)
