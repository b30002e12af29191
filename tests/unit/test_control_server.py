# SPDX-License-Identifier: MIT
"""The control server among bad, dead and many clients, and its socket file."""

import json
import os
import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.control_bed import Bed, bed
from twinroute.control_client import ControlClient, ControlError, Refused, find_socket
from twinroute.control_server import CLIENTS_MAX, LINE_BYTES_MAX
from twinroute.errors import InputError, TwinrouteError
from twinroute.socket_file import SocketFile, SocketTaken


@pytest.fixture
def r1(tmp_path: Path):
    with bed(tmp_path) as made:
        yield made


def answers(connection: socket.socket, data: bytes) -> list[dict]:
    """Send all of it, hang up, and return every line that comes back."""

    def send() -> None:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was cut off in the middle

    sender = threading.Thread(target=send)
    sender.start()
    found: list[dict] = []
    with connection, connection.makefile("rb") as lines:
        with suppress(ConnectionResetError):  # what was sent is not all read
            found += (json.loads(line) for line in lines)
        sender.join()
    return found


# --- what comes in --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"hello", "expected JSON on a line"),
        (b"\xff\xfe\x00", "expected JSON on a line"),
        (b"[1, 2]", "expected an object"),
        (b"{}", "method = None: expected one of ping"),
        (b'{"method": 5}', "method = 5"),
        (b'{"method": ["ping"]}', "method = ['ping']"),
        (b'{"method": "ping", "params": [1]}', "params = [1]: expected an object"),
        (b'{"method": "ping", "jsonrpc": "2.0"}', "not 'jsonrpc'"),
        (b"[" * 100_000, "expected JSON on a line"),
        (b'{"method": "ping", "params": {"a": ' + b"[" * 90 + b"]" * 90 + b"}}", "unknown key"),
        (b'{"method": "ping"' + b" " * 1000, "expected JSON on a line"),
    ],
)
def test_garbage_is_answered_and_forgiven(r1: Bed, line: bytes, words: str):
    first, second = answers(r1.raw(), line + b'\n\n{"id": "x", "method": "ping"}\n')
    assert words in first["error"]["message"]
    assert first["error"]["kind"] == "input"
    assert (second["id"], second["result"]["name"]) == ("x", "r1")


def test_requests_one_after_the_other_are_answered_in_order(r1: Bed):
    data = b"".join(b'{"id": %d, "method": "ping"}\n' % n for n in range(100))
    assert [one["id"] for one in answers(r1.raw(), data)] == list(range(100))


def test_the_last_line_needs_no_newline(r1: Bed):
    (answer,) = answers(r1.raw(), b'{"id": null, "method": "ping"}')
    assert answer["result"]["name"] == "r1"


def test_a_line_may_be_long_but_not_longer(r1: Bed):
    request = b'{"id": 1, "method": "ping"}'
    (answer,) = answers(r1.raw(), request + b" " * (LINE_BYTES_MAX - 100) + b"\n")
    assert "result" in answer
    (answer,) = answers(r1.raw(), b"x" * (3 * LINE_BYTES_MAX) + b"\n" + request + b"\n")
    assert answer["error"]["message"] == f"expected lines of at most {LINE_BYTES_MAX} bytes"
    assert r1.call("ping")


def test_an_error_inside_is_told_and_the_router_goes_on(r1: Bed, monkeypatch, capsys):
    def fails() -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(r1.target, "port_states", fails)
    with pytest.raises(ControlError, match=r"^internal error: ZeroDivisionError: oops$"):
        r1.call("show.ports")
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert r1.call("ping")


# --- many, slow and dead clients ------------------------------------------------------------------


def test_many_clients_at_a_time(r1: Bed):
    clients = [r1.client() for _ in range(CLIENTS_MAX)]
    for client in clients:
        assert client.call("ping")
    with pytest.raises(Refused, match=f"at most {CLIENTS_MAX} clients"):
        r1.call("ping")
    for client in clients:
        client.close()


def test_clients_change_routes_in_parallel(r1: Bed):
    def work(number: int) -> None:
        with r1.client() as client:
            for index in range(10):
                client.call("route.add", to=f"100.{number}.{index}.0/24", kind="blackhole")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with r1.client() as client:
        rows = [
            row for event in client.stream("show.routes", source="api") for row in event["routes"]
        ]
    assert len(rows) == 80


def test_a_client_that_reads_nothing_blocks_nobody_and_is_cut_off(tmp_path: Path):
    with bed(tmp_path, stall_s=0.05) as r1:
        text = "".join(f"100.{n // 256}.{n % 256}.0/24 via 10.0.1.2\n" for n in range(20_000))
        with r1.client() as client:
            client.load(text.encode(), name="x")
        slow = r1.raw()
        slow.sendall(b'{"id": 1, "method": "show.routes"}\n')
        assert r1.call("ping")
        with slow, slow.makefile("rb") as lines:
            slow.settimeout(None)
            # It is cut off in the middle: what the kernel holds comes, and then the end.
            while True:
                try:
                    line = lines.readline()
                except ConnectionResetError:
                    break
                if not line or b'"result"' in line:
                    break
        assert r1.call("ping")


def test_a_client_that_hangs_up_in_a_capture_ends_it(r1: Bed):
    client = r1.client()
    events = iter(client.stream("capture"))
    next(events)
    client.close()
    for _ in range(3):
        r1.exchange(r1.frame())
        assert r1.call("ping")


def test_stopping_cuts_clients_off(tmp_path: Path):
    with bed(tmp_path) as r1:
        client = r1.client()
        events = iter(client.stream("capture"))
        next(events)
        r1.server.stop()
        with pytest.raises(ControlError, match="the router has hung up"):
            list(events)
        r1.server.stop()
    with pytest.raises(ControlError, match="no such socket"):
        r1.client()


# --- the socket file ------------------------------------------------------------------------------


def test_mode_and_removal(tmp_path: Path):
    path = tmp_path / "folder" / "x.sock"
    with SocketFile(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_ISSOCK(path.stat().st_mode)
    assert not path.parent.exists()


def test_mode_whatever_the_umask(tmp_path: Path):
    before = os.umask(0)
    try:
        with SocketFile(tmp_path / "x.sock"):
            assert stat.S_IMODE((tmp_path / "x.sock").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_live_socket_is_refused(r1: Bed):
    with pytest.raises(SocketTaken, match="another twinroute runs with this control socket"):
        SocketFile(r1.path)
    assert r1.call("ping")


def test_a_live_socket_whose_queue_is_full_is_refused(tmp_path: Path):
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(str(path))
        with pytest.raises(SocketTaken):
            SocketFile(path)
        for one in waiting:
            one.close()


def test_a_stale_socket_is_replaced(tmp_path: Path):
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    with SocketFile(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert not path.exists()


def test_another_kind_of_file_is_left_alone(tmp_path: Path):
    path = tmp_path / "x.sock"
    path.write_text("mine")
    with pytest.raises(TwinrouteError, match="this is something else"):
        SocketFile(path)
    assert path.read_text() == "mine"


def test_a_replaced_socket_is_left_alone(tmp_path: Path):
    path = tmp_path / "x.sock"
    first = SocketFile(path)
    path.unlink()
    with SocketFile(path):
        first.close()
        assert path.exists()
    assert not path.exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    with pytest.raises(TwinrouteError, match="no socket can be made: No such file or directory"):
        SocketFile(tmp_path / "a" / "b" / "x.sock")


# --- finding it -----------------------------------------------------------------------------------


def test_find_socket(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("TWINROUTE_SOCKET", raising=False)
    monkeypatch.setattr("twinroute.control_client.SOCKETS", tmp_path)
    with pytest.raises(ControlError, match="no router runs here"):
        find_socket(None)
    (tmp_path / "a.sock").touch()
    assert find_socket(None) == tmp_path / "a.sock"
    (tmp_path / "b.sock").touch()
    with pytest.raises(InputError, match=r"choose one by --socket: .*a\.sock, .*b\.sock"):
        find_socket(None)
    monkeypatch.setenv("TWINROUTE_SOCKET", "/x/y")
    assert find_socket(None) == Path("/x/y")
    assert find_socket("/z") == Path("/z")


def test_nobody_answers(tmp_path: Path):
    with pytest.raises(ControlError, match="no such socket"):
        ControlClient(tmp_path / "none.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(ControlError, match="nobody is there"):
        ControlClient(tmp_path / "dead.sock")
