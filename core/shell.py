# SPDX-License-Identifier: MIT
"""`twinroute shell`: the commands for a running router at a prompt, with completion and history."""

import argparse
import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from twinroute import control_commands, control_watch
from twinroute.control_client import ControlClient
from twinroute.errors import Failure, TwinrouteError

LEAVING = ("exit", "quit")
PREFIXES_MAX = 1000
# What completes the word after these; PORT and so on are asked of the router.
AFTER = {"dev": "ports", "--port": "ports", "via": "gateways", "--via": "gateways"}
AFTER |= {"--within": "prefixes", "--source": "sources", "--direction": "directions"}
PLACES: dict[tuple[str, ...], str] = {
    ("route", "delete"): "added",
    ("neighbor", "add"): "ports",
    ("neighbor", "delete"): "ports",
    ("port", "up"): "ports",
    ("port", "down"): "ports",
}
FIXED = {
    "sources": ("api", "config", "kernel", "learned", "port", "builtin"),
    "directions": ("in", "out", "both"),
}


class Shell:
    """A prompt for the router at a control socket."""

    def __init__(self, socket: Path, *, history: History | None = None) -> None:
        """Connect to see who it is. history: of earlier sessions; by default the user's file."""
        self.socket = socket
        with ControlClient(socket) as client:
            self.name: str = client.call("ping")["name"]
        self._parser = argparse.ArgumentParser(prog="", add_help=False)
        self._parser.exit_on_error = False
        subparsers = self._parser.add_subparsers(dest="command", metavar="COMMAND")
        control_commands.add_parsers(subparsers)
        control_watch.add_capture(subparsers)
        control_watch.add_trace(subparsers)
        _drop_program(self._parser)
        words = command_words(self._parser)
        self._session: PromptSession[str] = PromptSession(
            f"{self.name}> ",
            completer=RouterCompleter(words, self.ask),
            complete_while_typing=False,
            history=_user_history() if history is None else history,
        )

    def run(self) -> int:
        """Do what is typed until the end of it; return the exit status."""
        while True:
            try:
                line = self._session.prompt()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return 0
            if line.strip() in LEAVING:
                return 0
            self.do(line)

    def do(self, line: str) -> None:
        """Do one line, and print what comes of it."""
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            print(f"error: {error}")
            return
        if not words:
            return
        if words == ["help"] or words == ["?"]:
            words = ["--help"]
        if words == ["--help"]:
            print("\n".join(sorted(" ".join(path) for path in command_words(self._parser))))
            return
        try:
            args = self._parser.parse_args([*words])
            args.socket = str(self.socket)
            args.handler(args)
        except SystemExit:  # argparse has said what is wrong, or printed help
            pass
        except argparse.ArgumentError as error:
            print(f"error: {error}")
        except KeyboardInterrupt:
            print()
        except (TwinrouteError, Failure, OSError) as error:
            for text in str(error).splitlines():
                print(f"error: {text}")

    def ask(self, method: str, **params: Any) -> list[dict[str, Any]]:
        """Ask the router for a list, to complete a word; nothing if it does not answer."""
        found: list[dict[str, Any]] = []
        with suppress(TwinrouteError, Failure), ControlClient(self.socket) as client:
            stream = client.stream(method, **params)
            for event in stream:
                found += event["routes"]
                if len(found) >= PREFIXES_MAX:
                    return found
            found += stream.result.get(method.partition(".")[2], [])
        return found


def _drop_program(parser: argparse.ArgumentParser) -> None:
    """Let usage begin with the command: no program is typed before it."""
    parser.prog = parser.prog.strip()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _drop_program(inner)


def command_words(parser: argparse.ArgumentParser) -> dict[tuple[str, ...], list[str]]:
    """Return every command of a parser as its words, with its options."""
    found: dict[tuple[str, ...], list[str]] = {}
    groups = [
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    ]
    for group in groups:
        for name, inner in group.choices.items():
            for path, options in command_words(inner).items():
                found[(name, *path)] = options
    if not groups:
        hidden = ("-h", "--help", "--socket")
        options = [
            option
            for action in parser._actions
            for option in action.option_strings
            if option not in hidden
        ]
        found[()] = sorted(option for option in options if option.startswith("--"))
    return found


class RouterCompleter(Completer):
    """Completes commands and options, and names and addresses that the router knows."""

    def __init__(
        self,
        commands: dict[tuple[str, ...], list[str]],
        ask: Callable[..., list[dict[str, Any]]],
    ) -> None:
        """Complete these commands; ask: calls a method of the router that lists something."""
        self._commands = commands
        self._ask = ask

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Yield what the word at the cursor may become."""
        text = document.text_before_cursor
        words = text.split()
        start = "" if not text or text[-1].isspace() else words.pop()
        for word in sorted(set(self._words(words, start))):
            if word.startswith(start):
                yield Completion(word, start_position=-len(start))

    def _words(self, before: list[str], start: str) -> Iterator[str]:
        path = next((key for key in self._commands if tuple(before[: len(key)]) == key), None)
        if path is None:
            yield from (
                key[len(before)]
                for key in self._commands
                if len(key) > len(before) and key[: len(before)] == tuple(before)
            )
            if not before:
                yield from ("help", *LEAVING)
            return
        if start.startswith("-"):
            yield from self._commands[path]
            return
        kind = AFTER.get(before[-1])
        if kind is None and before[len(path) :] == []:
            kind = PLACES.get(path)
        if kind is None and path[0] == "neighbor" and len(before) == len(path) + 1:
            kind = "neighbors"
        if kind:
            yield from self._known(kind)
        elif path == ("route", "add") and len(before) == len(path):
            yield from control_commands.KINDS
        elif path == ("route", "add"):
            yield from _route_words(before)

    def _known(self, kind: str) -> Iterator[str]:
        """Yield what the router has of a kind."""
        if kind in FIXED:
            yield from FIXED[kind]
        elif kind == "ports":
            yield from (port["name"] for port in self._ask("show.ports"))
        elif kind in ("gateways", "neighbors"):
            yield from (one["address"] for one in self._ask("show.neighbors"))
        else:
            params = {"all": True, "source": "api"} if kind == "added" else {}
            yield from (route["to"] for route in self._ask("show.routes", **params))


def _route_words(before: list[str]) -> Iterator[str]:
    """Yield what may follow in a route: gateways come first."""
    options = ("dev", "mtu", "metric")
    given = [word for word in options if word in before]
    if before[-1] not in ("mtu", "metric"):
        yield from (word for word in options if word not in given)
        if not given:
            yield "via"


def _user_history() -> History:
    """Return the history in the user's state folder; in memory where that cannot be written."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(home) / "twinroute" / "shell-history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)
