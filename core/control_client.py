# SPDX-License-Identifier: MIT
"""The other end of the control protocol: asks a running router, for the command line and tests."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from twinroute.config import SOCKETS
from twinroute.errors import Failure, InputError, TwinrouteError

ENVIRONMENT = "TWINROUTE_SOCKET"
PART_CHARACTERS = 128 << 10  # of a route file in a request
REASONS = {FileNotFoundError: "no such socket", ConnectionRefusedError: "nobody is there"}

Object = dict[str, Any]


class ControlError(Failure):
    """The router is not there, or has failed at what it was asked: nobody's input is wrong."""


class Refused(TwinrouteError):
    """The router refuses what it was asked, in one or several lines."""


def find_socket(given: str | None) -> Path:
    """Return the socket to use: the one given, of the environment, or the only one there is."""
    if given or (given := os.environ.get(ENVIRONMENT)):
        return Path(given)
    found = sorted(SOCKETS.glob("*.sock"))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(map(str, found))
        raise InputError(f"several routers run here, choose one by --socket: {names}")
    raise ControlError(f"no router runs here: no socket in {SOCKETS} (elsewhere: --socket PATH)")


class ControlClient:
    """A connection to a running router."""

    def __init__(self, path: str | Path) -> None:
        """Connect. Raises ControlError with the reason why not."""
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            reason = {
                FileNotFoundError: "no such socket",
                ConnectionRefusedError: "nobody is there",
            }
            text = reason.get(type(error)) or error.strerror or str(error)
            raise ControlError(f"{path}: no router answers: {text}") from None
        self._lines = self._socket.makefile("rb")
        self._number = 0

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hang up."""
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def call(self, method: str, **params: Any) -> Object:
        """Ask for one thing and return the result. Raises Refused or ControlError."""
        stream = self.stream(method, **params)
        for _ in stream:
            pass
        return stream.result

    def stream(self, method: str, **params: Any) -> "Events":
        """Ask for something that comes in events: iterate over them, then see `result`."""
        self._number += 1
        request = {"id": self._number, "method": method, "params": params}
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have said why
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        return Events(self, self._number)

    def load(self, text: bytes, **params: Any) -> Object:
        """Load the text of a route file, in as many requests as that takes."""
        rest = text.decode("utf-8", "surrogateescape")
        while len(rest) > PART_CHARACTERS:
            self.call("route.load", text=rest[:PART_CHARACTERS], more=True)
            rest = rest[PART_CHARACTERS:]
        return self.call("route.load", text=rest, **params)

    def end_stream(self) -> None:
        """Tell the router to bring a stream to its end: nothing more will be asked."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def answer(self, number: int) -> Object:
        """Wait for the next line about a request."""
        try:
            line = self._lines.readline()
            message = json.loads(line) if line else None
        except (OSError, ValueError):
            message = None
        if not isinstance(message, dict):
            raise ControlError(f"{self._path}: the router has hung up")
        if "error" in message:
            problem = message["error"]
            failed = problem.get("kind") == "internal"
            raise (ControlError if failed else Refused)(problem["message"])
        if message["id"] != number:
            raise ControlError(f"{self._path}: an answer to another request")
        return message


class Events:
    """What comes of a request."""

    def __init__(self, client: ControlClient, number: int) -> None:
        """Take the answers to request `number`."""
        self._client, self._number = client, number
        self._result: Object | None = None

    def __iter__(self) -> Iterator[Object]:
        """Yield each event until the result is there. May be begun again after an interruption."""
        while self._result is None:
            message = self._client.answer(self._number)
            if "result" in message:
                self._result = message["result"]
            else:
                yield message["event"]

    @property
    def result(self) -> Object:
        """What it has come to, once all events are taken."""
        assert self._result is not None
        return self._result
