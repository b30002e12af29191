# SPDX-License-Identifier: MIT
"""The log of a running router (`[log]`): who changed or watched it, what was refused, and samples
of the packets that it dropped (RFC 1812 5.3.7, 5.3.9, 10.4.1). A line is a JSON object; README.md
tells its fields. The fast path writes nothing: it leaves samples, and this takes them.
"""

import json
import os
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from twinroute.config import Config
from twinroute.config_errors import as_toml, on_one_line
from twinroute.config_log import STDERR, AuditEvent, Log
from twinroute.drop_samples import DropSample, check_reasons, drop_samples, sample_drops
from twinroute.errors import ConfigError
from twinroute.frame_text import frame_text
from twinroute.native import Native
from twinroute.router_api import RouterApi

SAMPLE_S = 1.0  # between two looks at the samples
CHARACTERS_MAX = 1000  # of what a client has sent
NO_LOGIN = 2**32 - 1
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
CREDENTIALS = struct.Struct("iII")

Who = dict[str, int | str | None]


class EventLog:
    """Writes what the `[log]` of a configuration asks for. Any thread may write."""

    def __init__(self, config: Config) -> None:
        """Make a log. Raises ConfigError if its file cannot be written."""
        self._name = config.name
        self._log = Log(audit=[])
        self._lock = threading.Lock()
        self._sampled = 0.0
        self._missed = 0
        self._broken = False
        self.check(config)
        self._log = config.log

    def check(self, config: Config, native: Native | None = None) -> None:
        """Raise ConfigError if a configuration's `[log]` cannot be followed."""
        source = str(config.path or "<code>")
        if native is not None:
            check_reasons(native, config.log.drops, source)
        try:
            _append(config.log.to, b"")
        except OSError as error:
            expected = f"a file that can be written, or stderr: {error.strerror}"
            line = f"{source}: log.to = {as_toml(config.log.to)}: expected {expected}"
            raise ConfigError([on_one_line(line)]) from None

    def follow(self, config: Config, router: RouterApi) -> None:
        """Write from now on what this configuration asks for; it was checked."""
        self._log = config.log
        sample_drops(router, config.log.drops)

    def audit(self, event: AuditEvent, who: Who, **fields: Any) -> None:
        """Write an event of the management down, if it is wanted.

        who: from peer(). fields: what was done; long values are cut.
        """
        if event in self._log.audit:
            self._write(event, **who, **{name: _short(value) for name, value in fields.items()})

    def drops(self, router: RouterApi) -> None:
        """Write samples of dropped packets, once a second; tell how many more there were."""
        now = time.monotonic()
        if not self._log.drops or now - self._sampled < SAMPLE_S:
            return
        self._sampled = now
        samples, missed = drop_samples(router)
        most = self._log.drops_per_s
        for sample in samples[:most]:
            self._write("drop", **_fields(sample))
        left_out = len(samples[most:]) + missed - self._missed
        self._missed = missed
        if left_out:
            self._write("drops_left_out", packets=left_out)

    def _write(self, event: str, **fields: Any) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": at, "router": self._name, "event": event, **fields}
        with self._lock:
            try:
                _append(self._log.to, json.dumps(line).encode() + b"\n")
                self._broken = False
            except OSError as error:
                if not self._broken:
                    self._broken = True
                    text = on_one_line(f"{self._log.to}: {error.strerror}")
                    with suppress(OSError):
                        print(f"twinroute: the log is not written: {text}", file=sys.stderr)


def _append(to: str, line: bytes) -> None:
    """Write a line at once. The file is opened each time, so that it may be rotated.

    Nothing waits for a pipe that nobody reads.
    """
    if to == STDERR:
        print(line.decode(), end="", file=sys.stderr, flush=True)
        return
    file = os.open(to, FLAGS, 0o600)
    try:
        os.write(file, line)
    finally:
        os.close(file)


def _short(value: Any) -> Any:
    text = json.dumps(value, default=str)
    return json.loads(text) if len(text) <= CHARACTERS_MAX else text[:CHARACTERS_MAX] + "..."


def _fields(sample: DropSample) -> dict[str, Any]:
    """Return what RFC 1812 5.3.7 asks for of a packet that was dropped, and what it was."""
    fields: dict[str, Any] = {"reason": sample.reason, "port": sample.port, "size": sample.size}
    data = sample.data
    if len(data) >= 14:
        fields |= {"source_mac": data[6:12].hex(":"), "destination_mac": data[:6].hex(":")}
    if len(data) >= 34 and data[12:14] == b"\x08\0":
        source, destination = IPv4Address(data[26:30]), IPv4Address(data[30:34])
        fields |= {"source": str(source), "destination": str(destination), "protocol": data[23]}
    return fields | {"packet": frame_text(data)}


def peer(connection: socket.socket) -> Who:
    """Tell who is at the other end of a UNIX socket.

    login_uid: who had logged in, whatever user that became by sudo since; None: unknown.
    """
    size = CREDENTIALS.size
    pid, uid, _ = CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    login_uid = None
    with suppress(OSError, ValueError):
        login_uid = int(Path(f"/proc/{pid}/loginuid").read_text(encoding="ascii"))
    return {"pid": pid, "uid": uid, "login_uid": None if login_uid == NO_LOGIN else login_uid}


def own_process(by: str) -> Who:
    """Tell of what the router does by itself: at its start, or by a signal."""
    return {"pid": os.getpid(), "uid": os.getuid(), "by": by}
