# SPDX-License-Identifier: MIT
"""The life of a running router: ready, signals, failures, and nothing left behind."""

import itertools
import json
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import packets as p
from tests.control_bed import GATEWAY, HOST, HOST_MAC, TABLES, toml
from tests.dpdk_bed import wait_for
from twinroute import event_log, service
from twinroute.cli import main
from twinroute.config import Config, load_config
from twinroute.control_client import ControlClient
from twinroute.control_server import ControlServer
from twinroute.errors import Failure, TwinrouteError
from twinroute.sim import Bench
from twinroute.sim.target import BenchTarget
from twinroute.socket_file import SocketFile


class Engine(BenchTarget):
    """An engine that is a bench, and keeps what is done to it."""

    def __init__(self, config: Config) -> None:
        super().__init__(Bench.from_config(config))
        self.life: list[str] = []
        self.wrong: str | None = None

    def start(self) -> None:
        self.life.append("start")

    def stop(self) -> int:
        self.life.append("stop")
        return 3

    def problem(self) -> str | None:
        return self.wrong


class Bed:
    """Runs serve() in this thread and a visitor in another, once it is ready."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = folder / "r1.toml"
        self.socket = folder / "run" / "r1.sock"
        self.write({})
        self.engines: list[Engine] = []
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(folder / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))

    def write(self, tables: dict) -> None:
        control = {"control": {"socket": str(self.socket)}, "log": {"audit": []}}
        self.file.write_text(toml({**TABLES, **control, **tables}))

    def heard(self) -> str:
        return self.notified.recv(100).decode()

    def make(self, config: Config) -> Engine:
        self.engines.append(Engine(config))
        return self.engines[-1]

    def serve(self, visit: Callable[[], object]) -> int:
        raised: list[BaseException] = []

        def visitor() -> None:
            try:
                assert self.heard() == "READY=1"
                visit()
            except BaseException as error:
                raised.append(error)
                os.kill(os.getpid(), signal.SIGTERM)

        thread = threading.Thread(target=visitor)
        thread.start()
        try:
            return service.serve(load_config(self.file), self.make)
        finally:
            thread.join()
            assert not self.socket.parent.exists()
            if raised:
                raise raised[0]


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = Bed(tmp_path, monkeypatch)
    yield made
    made.notified.close()


def test_ready_means_that_routes_are_in_force(life: Bed, monkeypatch):
    def make(config: Config) -> Engine:
        engine = Engine(config)
        engine.router.route_add("100.0.0.0/8", GATEWAY)  # as one of the configuration, too late
        return engine

    def visit() -> None:
        with ControlClient(life.socket) as client:
            hop = client.call("route.lookup", address="100.7.0.1")
            assert (hop["via"], hop["port"]) == (GATEWAY, "p1")
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(life, "make", make)
    assert life.serve(visit) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_start_serve_and_stop(life: Bed, capsys, number: int):
    handlers = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]

    def visit() -> None:
        with ControlClient(life.socket) as client:
            assert client.call("ping")["name"] == "r1"
            os.kill(os.getpid(), number)
            assert life.heard() == "STOPPING=1"

    assert life.serve(visit) == 0
    assert life.engines[0].life == ["start", "stop"]
    assert capsys.readouterr().err.splitlines() == [
        f"twinroute: r1 ready: 2 ports, control {life.socket}",
        "twinroute: stopped with 3 packets still held",
    ]
    after = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    assert after == handlers


def test_sighup_reloads(life: Bed, capsys):
    def visit() -> None:
        changes: list[dict] = [{"route": []}, {"fast_path": {"units": 2}}]
        for tables in changes:
            life.write(tables)
            os.kill(os.getpid(), signal.SIGHUP)
            assert (life.heard(), life.heard()) == ("RELOADING=1", "READY=1")
        with ControlClient(life.socket) as client:
            assert client.call("show.config")["config"]["routes"] == []
        os.kill(os.getpid(), signal.SIGTERM)

    assert life.serve(visit) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "twinroute: reloaded: 1 route deleted"
    assert lines[2].startswith(f"twinroute: reload refused: {life.file}: fast_path.units = 2: ")


def test_metrics_when_asked_for(life: Bed, capsys):
    life.write({"metrics": {"listen": 0}})
    assert life.serve(lambda: os.kill(os.getpid(), signal.SIGTERM)) == 0
    assert ", metrics http://127.0.0.1:" in capsys.readouterr().err


def test_a_second_instance_is_refused_before_it_does_anything(life: Bed):
    def visit() -> None:
        with pytest.raises(TwinrouteError, match="another twinroute runs with this control socket"):
            SocketFile(life.socket)
        os.kill(os.getpid(), signal.SIGTERM)

    assert life.serve(visit) == 0


def test_an_engine_that_cannot_start_leaves_nothing(life: Bed, monkeypatch):
    def refuse(engine: Engine) -> None:
        raise TwinrouteError("no such device")

    monkeypatch.setattr(Engine, "start", refuse)
    with pytest.raises(TwinrouteError, match="no such device"):
        service.serve(load_config(life.file), life.make)
    assert life.engines[0].life == ["stop"]
    assert not life.socket.parent.exists()


def test_an_engine_that_cannot_be_made_leaves_nothing(life: Bed):
    def refuse(config: Config) -> Engine:
        raise TwinrouteError("no memory")

    with pytest.raises(TwinrouteError, match="no memory"):
        service.serve(load_config(life.file), refuse)
    assert not life.socket.parent.exists()


def test_a_crash_of_the_management_stops_everything(life: Bed, monkeypatch, capsys):
    async def crash(server: ControlServer) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(ControlServer, "_serve", crash)
    with pytest.raises(Failure, match="the management has failed: RuntimeError: boom"):
        life.serve(lambda: None)
    assert life.engines[0].life == ["start", "stop"]
    assert "RuntimeError: boom" in capsys.readouterr().err


def test_an_engine_that_fails_ends_the_process(life: Bed, monkeypatch):
    monkeypatch.setattr(service, "WATCH_S", 0.01)

    def visit() -> None:
        life.engines[0].wrong = "unit 0 is gone"

    with pytest.raises(Failure, match="the router has failed: unit 0 is gone"):
        life.serve(visit)
    assert life.engines[0].life == ["start", "stop"]


def test_a_failure_is_one_line_and_status_1(life: Bed, monkeypatch, capsys):
    def fail(args: object) -> int:
        raise Failure("the router has failed: oops")

    monkeypatch.setattr("twinroute.dpdk.run.run", fail)
    assert main(["run", str(life.file)]) == 1
    assert capsys.readouterr().err == "twinroute: error: the router has failed: oops\n"


def test_progress_is_told_to_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(service, "PROGRESS_S", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    service.Progress("r1")(1234567)
    assert capsys.readouterr().err == "twinroute: r1: 1,234,567 changes of the tables are to come\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    service.Progress("r1")(1)
    assert capsys.readouterr().err == ""


# --- the log, and the watch over the units --------------------------------------------------------


def test_the_start_reloads_and_drops_are_logged(life: Bed, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(service, "WATCH_S", 0.01)
    monkeypatch.setattr(event_log, "SAMPLE_S", 0.0)
    file = tmp_path / "events"
    log = {"to": str(file), "drops": ["no_route"]}
    life.write({"log": log})

    def visit() -> None:
        changes: list[dict] = [{"route": []}, {"fast_path": {"units": 2}}]
        for tables in changes:
            life.write({"log": log, **tables})
            os.kill(os.getpid(), signal.SIGHUP)
            assert (life.heard(), life.heard()) == ("RELOADING=1", "READY=1")
        engine = life.engines[0]
        packet = p.ipv4(HOST, "10.99.0.1", bytes(26))
        engine.bench.port("p0").send(p.ether(engine.router.port("p0").mac, HOST_MAC, packet))
        engine.bench.run(us=1000)
        wait_for(lambda: "no_route" in file.read_text().splitlines()[-1], "the drop")
        os.kill(os.getpid(), signal.SIGTERM)

    assert life.serve(visit) == 0
    start, reload, refused, drop = map(json.loads, file.read_text().splitlines())
    assert (start["event"], start["by"], start["file"]) == ("change", "start", str(life.file))
    assert (reload["event"], reload["by"], reload["result"]["routes_deleted"]) == (
        *("change", "SIGHUP", 1),
    )
    assert (refused["event"], refused["by"]) == ("failure", "SIGHUP")
    assert "fast_path.units = 2" in refused["error"]
    assert (drop["event"], drop["source"], drop["destination"]) == ("drop", HOST, "10.99.0.1")


def test_a_log_that_cannot_be_written_is_refused_before_anything_starts(life: Bed):
    life.write({"log": {"to": "/nowhere/at/all"}})
    with pytest.raises(TwinrouteError, match=r"log\.to = .*: expected a file that can be written"):
        service.serve(load_config(life.file), life.make)
    assert life.engines == []


def test_a_unit_that_stands_still_is_named_and_the_watchdog_starves(life: Bed, monkeypatch):
    monkeypatch.setattr(service, "WATCH_S", 0.01)
    monkeypatch.setenv("WATCHDOG_USEC", "500000")
    said: list[str] = []
    monkeypatch.setattr(service, "_say", said.append)
    turns = itertools.count(1)
    stuck = threading.Event()

    def count(engine: Engine) -> dict[str, int]:
        return {"fast-0": 0 if stuck.is_set() else next(turns), "slow": next(turns)}

    monkeypatch.setattr(Engine, "turns", count)

    def visit() -> None:
        assert life.heard() == "WATCHDOG=1"
        stuck.set()
        wait_for(lambda: any("stood still" in line for line in said), "word of the unit")
        while select.select([life.notified], [], [], 0)[0]:
            assert life.heard() == "WATCHDOG=1"  # from before
        os.kill(os.getpid(), signal.SIGTERM)
        assert life.heard() == "STOPPING=1"

    assert life.serve(visit) == 0
    assert said[1].startswith("unit fast-0 has stood still for 0.")
