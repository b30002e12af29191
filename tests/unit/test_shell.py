# SPDX-License-Identifier: MIT
"""The shell: what it does with what is typed, and how it completes it."""

from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from tests.control_bed import GATEWAY, HOST, Bed, bed
from twinroute.control_client import ControlError
from twinroute.shell import RouterCompleter, Shell, command_words


@pytest.fixture
def r1(tmp_path: Path):
    with bed(tmp_path) as made:
        yield made


@pytest.fixture
def keyboard():
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@pytest.fixture
def shell(r1: Bed, keyboard) -> Shell:
    return Shell(r1.path, history=InMemoryHistory())


def completions(shell: Shell, text: str) -> list[str]:
    completer = shell._session.completer
    assert completer is not None
    return [one.text for one in completer.get_completions(Document(text), CompleteEvent())]


def test_a_session(shell: Shell, keyboard, capsys):
    keyboard.send_text("route add blackhole 100.64.7.0/24\nroute get 100.64.7.1\n\nexit\n")
    assert shell.run() == 0
    out = capsys.readouterr().out
    assert out == "added blackhole 100.64.7.0/24\n100.64.7.1 blackhole\n"


def test_end_of_input_ends_it(shell: Shell, keyboard):
    keyboard.send_text("\x04")
    assert shell.run() == 0


def test_ctrl_c_forgets_a_line(shell: Shell, keyboard, capsys):
    keyboard.send_text("route get 1.1\x03route get 10.0.0.1\nquit\n")
    assert shell.run() == 0
    assert capsys.readouterr().out == "10.0.0.1 local dev p0\n"


def test_tab_completes(shell: Shell, keyboard, capsys):
    rest = ["\nexit\n"]

    def completed(buffer) -> None:
        if buffer.text == "show neighbors" and rest:
            keyboard.send_text(rest.pop())

    shell._session.default_buffer.on_text_changed += completed
    keyboard.send_text("show nei\t")
    assert shell.run() == 0
    assert capsys.readouterr().out.count(f"{HOST} ") == 1


def test_mistakes_are_told_and_forgiven(shell: Shell, capsys):
    for line, words in [
        ("fly", "invalid choice: 'fly'"),
        ("route", "required"),
        ('route "', "No closing quotation"),
        ("route add 1.0.0.0/8 via 9.9.9.9", "gateway on a connected subnet expected"),
        ("show counters --unit x", "invalid int value"),
        ("capture ip and", "syntax error"),
        ("route load /nowhere", "expected a route file"),
    ]:
        shell.do(line)
        captured = capsys.readouterr()
        assert words in captured.out + captured.err, line
    shell.do("help")
    assert "route add" in capsys.readouterr().out
    shell.do("show ports --help")
    assert "usage: " in capsys.readouterr().out


def test_a_router_that_goes_away_is_told(tmp_path: Path, keyboard, capsys):
    with bed(tmp_path) as r1:
        shell = Shell(r1.path, history=InMemoryHistory())
    shell.do("show ports")
    assert "no router answers: no such socket" in capsys.readouterr().out
    assert completions(shell, "neighbor add ") == []
    with pytest.raises(ControlError):
        Shell(r1.path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sh", ["show"]),
        ("show po", ["ports"]),
        ("ro", ["route"]),
        ("route ", ["add", "delete", "get", "load"]),
        ("show routes --w", ["--within"]),
        ("show routes --within 198", ["198.18.0.0/16", "198.51.100.0/24"]),
        ("show routes --source k", ["kernel"]),
        ("route add ", ["blackhole", "prohibit", "unreachable"]),
        ("route add 1.0.0.0/8 ", ["dev", "metric", "mtu", "via"]),
        ("route add 1.0.0.0/8 via x ", ["dev", "metric", "mtu", "via"]),
        ("route add 1.0.0.0/8 via x dev p0 ", ["metric", "mtu"]),
        ("route add 1.0.0.0/8 via x mtu ", []),
        ("route add 1.0.0.0/8 via x metric ", []),
        ("route add 1.0.0.0/8 via 10.0.1", [GATEWAY]),
        ("route add 1.0.0.0/8 via x dev ", ["p0", "p1"]),
        ("route delete ", ["100.64.7.0/24"]),
        ("neighbor add ", ["p0", "p1"]),
        ("neighbor delete p0 ", [GATEWAY, HOST]),
        ("port ", ["down", "up"]),
        ("port down ", ["p0", "p1"]),
        ("port up p0 ", []),
        ("capture --port p", ["p0", "p1"]),
        ("capture --direction o", ["out"]),
        ("trace --c", ["--count"]),
        ("q", ["quit"]),
        ("fly ", []),
        ("show ports ", []),
    ],
)
def test_completion(shell: Shell, r1: Bed, text: str, expected: list[str]):
    r1.call("route.add", to="100.64.7.0/24", kind="prohibit")
    assert completions(shell, text) == sorted(expected)


def test_every_command_is_there(shell: Shell):
    words = command_words(shell._parser)
    assert ("show", "config") in words
    assert ("capture",) in words
    assert len(words) == 20
    assert isinstance(shell._session.completer, RouterCompleter)


def test_history_is_kept_in_the_users_folder(r1: Bed, keyboard, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shell = Shell(r1.path)
    keyboard.send_text("show units\nexit\n")
    assert shell.run() == 0
    path = tmp_path / "state" / "twinroute" / "shell-history"
    assert "+show units" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert "show units" in list(FileHistory(path).load_history_strings())
