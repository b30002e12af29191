# SPDX-License-Identifier: MIT
"""A router of the simulator under management, with a real control socket, for tests."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import packets as p
from twinroute.config import Config, build_config
from twinroute.control import Controller
from twinroute.control_client import ControlClient
from twinroute.control_server import ControlServer
from twinroute.event_log import EventLog
from twinroute.sim import Bench
from twinroute.sim.target import BenchTarget
from twinroute.socket_file import SocketFile

HOST, GATEWAY, OTHER = "10.0.0.2", "10.0.1.2", "10.0.1.3"
HOST_MAC, GATEWAY_MAC, OTHER_MAC = (f"02:00:00:00:00:0{n}" for n in (1, 2, 3))
TABLES: dict[str, Any] = {
    "router": {"name": "r1"},
    "port": {"p0": {"address": "10.0.0.1/24"}, "p1": {"address": "10.0.1.1/24"}},
    "route": [{"to": "198.18.0.0/16", "via": GATEWAY}],
    "neighbor": [
        {"port": "p0", "address": HOST, "mac": HOST_MAC},
        {"port": "p1", "address": GATEWAY, "mac": GATEWAY_MAC},
    ],
    "sim": {"neighbors": "silent"},
}


def toml(tables: dict[str, Any] = TABLES) -> str:
    """Write tables as a configuration file."""
    lines = []
    for name, value in tables.items():
        if isinstance(value, list):
            for one in value:
                lines += [f"[[{name}]]", *_keys(one)]
        elif name == "port":
            for port, keys in value.items():
                lines += [f"[port.{port}]", *_keys(keys)]
        else:
            lines += [f"[{name}]", *_keys(value)]
    return "\n".join(lines) + "\n"


def _keys(values: dict[str, Any]) -> list[str]:
    return [f"{key} = {value!r}".replace("'", '"') for key, value in values.items()]


class Bed:
    """A router of a bench, its controller, and a control server in a folder."""

    def __init__(
        self, folder: Path, config: Config | None = None, *, logs: bool = False, **options: Any
    ) -> None:
        self.config = config or build_config(TABLES)
        self.bench = Bench.from_config(self.config)
        self.router = self.bench.only
        self.target = BenchTarget(self.bench)
        log = EventLog(self.config) if logs else None
        self.controller = Controller(self.target, self.config, log)
        self.path = folder / "r1.sock"
        self.listener = SocketFile(self.path)
        self.failures: list[BaseException] = []
        self.server = ControlServer(
            self.controller, self.listener, on_failure=self.failures.append, **options
        )
        self.server.start()

    def close(self) -> None:
        self.server.stop()
        self.controller.close()
        self.listener.close()
        assert self.failures == []

    def client(self) -> ControlClient:
        return ControlClient(self.path)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask over a connection of its own."""
        with self.client() as client:
            return client.call(method, **params)

    def raw(self) -> socket.socket:
        """Return a connection that speaks whatever it likes."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(self.path))
        return connection

    def do(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Do something with the bench, in the only thread that may."""
        return self.controller.call(function, *args, **kwargs)

    def frame(self, dst: str = "198.18.0.1", ident: int = 0, ttl: int = 64) -> bytes:
        """Return a frame of 60 bytes for p0."""
        packet = p.ipv4(HOST, dst, bytes(26), ident=ident, ttl=ttl)
        return p.ether(self.router.port("p0").mac, HOST_MAC, packet)

    def exchange(self, *frames: bytes, us: float = 1000) -> None:
        """Send frames into p0 and let some virtual time pass."""

        def run() -> None:
            for frame in frames:
                self.bench.port("p0").send(frame)
            self.bench.run(us=us)

        self.do(run)


@contextmanager
def bed(folder: Path, config: Config | None = None, **options: Any) -> Iterator[Bed]:
    """Run a Bed for a while."""
    made = Bed(folder, config, **options)
    try:
        yield made
    finally:
        made.close()
