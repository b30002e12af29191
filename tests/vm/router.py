# SPDX-License-Identifier: MIT
"""`twinroute run` inside the guest; its ports' neighbours are the host's ends of the wires.

Port number N has 10.N.0.1/24 and the MAC address 02:00:00:00:0N:01, its neighbour .2 and :02.
"""

import compileall
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from itertools import cycle
from pathlib import Path
from typing import Any

from tests import packets as p
from tests.vm import kernel
from tests.vm.guest import Guest, GuestError
from tests.vm.wires import is_arp, is_ipv4

BUILD = kernel.ROOT / "build" / "editable"
START_SECONDS = 240
BURSTS = [1, 63, 64, 67]
FOLDER = "/run/router"
SOCKET = f"{FOLDER}/control.sock"
ASK = """
import socket, sys
ask = socket.socket(socket.AF_UNIX)
ask.connect(sys.argv[1])
ask.sendall(sys.argv[2].encode() + b"\\n")
print(ask.makefile().readline())
"""


def missing() -> str:
    """Say what is not built here, or nothing."""
    built = any(BUILD.glob("dpdk_backend/_dpdk*.so"))
    return "" if built else "needs the DPDK backend: install libdpdk-dev and `make build`"


def install() -> str:
    """Install twinroute for the guest; return its Python with all that it imports from.

    The guest runs what this host would, from the same places. Only the build that compiles at
    every import is nothing for it: it gets a copy of the package, and no .pth files.
    """
    site = kernel.PACKAGE.parent / "site"
    shutil.rmtree(site, ignore_errors=True)
    tools = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    for words in (
        ["ninja", "--quiet", "-C", str(BUILD)],
        ["meson", "install", "--quiet", "--no-rebuild", "-C", str(BUILD), "--destdir", str(site)],
    ):
        words[0] = str(tools / words[0])
        subprocess.run(words, check=True, env=environment, timeout=600)
    compileall.compile_dir(site, quiet=1)
    package = next(site.rglob("twinroute/__init__.py")).parent.parent
    imports = f"{package}:{sysconfig.get_path('purelib')}"
    return f"env PYTHONPATH={imports} PYTHONDONTWRITEBYTECODE=1 {sys.executable} -S"


class Router:
    """A router that runs in a guest on some of its NICs, which are the ports 1, 2 and so on."""

    def __init__(self, guest: Guest, python: str, mtus: dict[str, int], *, units: int = 1) -> None:
        self.guest = guest
        self.ports = {name: number for number, name in enumerate(mtus, 1)}
        self.seconds = 0.0  # from the start to the first answer
        self._python = python
        self._mtus = mtus
        self._units = units

    def mac(self, name: str) -> str:
        """Return the MAC address of a port."""
        return f"02:00:00:00:{self.ports[name]:02x}:01"

    def host_mac(self, name: str) -> str:
        """Return the MAC address of a port's neighbour."""
        return f"02:00:00:00:{self.ports[name]:02x}:02"

    def ip(self, name: str, host: int = 2) -> str:
        """Return an address on a port's subnet, by default the neighbour's."""
        return f"10.{self.ports[name]}.0.{host}"

    def config(self) -> str:
        """Return the configuration."""
        out = f"[control]\nsocket = '{SOCKET}'\n[fast_path]\nunits = {self._units}\n"
        out += "[slow_path]\nicmp_errors_per_s = 0\narp_retry_ms = 30000\n"
        for name, mtu in self._mtus.items():
            out += f"[port.{name}]\naddress = '{self.ip(name, 1)}/24'\nmtu = {mtu}\n"
            out += f"mac = '{self.mac(name)}'\n[dpdk.port.{name}]\n"
            out += f"device = '{self.guest.address(name)}'\n"
            out += "rx_descriptors = 256\ntx_descriptors = 256\n"
        return out

    # --- life -------------------------------------------------------------------------------------
    def start(self) -> None:
        """Run the router until it says that it is ready, and frames cross its ports."""
        begin = time.monotonic()
        # Nice, for its units poll: there is one processor, and commands want some of it too.
        self.guest.run(f"rm -rf {FOLDER}; mkdir -p {FOLDER}")
        self.guest.write(f"{FOLDER}/config.toml", self.config())
        self.guest.run(
            f"cd {FOLDER}\n"
            f"(nice -n 15 {self._python} -m twinroute run config.toml >log 2>&1\n"
            "echo $? >status) &\n"
            "while ! grep -q ready log && ! [ -e status ]; do sleep 0.5; done\n"
            "! [ -e status ] || { cat log; exit 1; }",
            seconds=START_SECONDS,
        )
        for name in self.ports:
            self._probe(name)
        self.seconds = time.monotonic() - begin

    def _probe(self, name: str) -> None:
        """Ask for a port's MAC address until it answers: its link may come up later."""
        wire, end = self.guest.wires[name], time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            wire.send(self.arp_request(name))
            if wire.take(1, is_arp, seconds=1):
                return
        raise GuestError(f"{name}: nothing crosses: {self.log()}")

    def arp_request(self, name: str) -> bytes:
        """The neighbour of a port asks for the port's MAC address."""
        mac = self.host_mac(name)
        request = p.arp(1, mac, self.ip(name), "00:00:00:00:00:00", self.ip(name, 1))
        return p.pad(p.ether(p.BROADCAST, mac, request, 0x0806))

    def stop(self) -> int:
        """End the router by SIGTERM, if it runs; return its exit status."""
        text = self.guest.run(
            f"cd {FOLDER}\n"
            "[ -e status ] || pkill -TERM -f 'twinroute run'\n"
            "for i in $(seq 600); do [ -e status ] && break; sleep 0.1; done\n"
            "cat status"
        )
        return int(text)

    def log(self) -> str:
        """Return what the router said."""
        return self.guest.run(f"cat {FOLDER}/log")

    # --- questions --------------------------------------------------------------------------------
    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask by the control socket, without the weight of the command line."""
        request = json.dumps({"id": 1, "method": method, "params": params})
        self.guest.write(f"{FOLDER}/ask.py", ASK)
        text = self.guest.run(f"{self._python} {FOLDER}/ask.py {SOCKET} '{request}'")
        answer = json.loads(text)
        assert "result" in answer, answer
        return answer["result"]

    def command(self, words: str) -> str:
        """Run a twinroute command in the guest."""
        return self.guest.run(f"{self._python} -m twinroute {words}")

    def dropped(self) -> dict[str, int]:
        """Return the reasons for which packets were lost, and how many."""
        return {name: n for name, n in self.ask("show.counters")["dropped"].items() if n}

    # --- frames -----------------------------------------------------------------------------------
    def frame(self, src: str, dst: str, size: int, *, port: int = 1000, **ip: Any) -> bytes:
        """Return a UDP frame of a size from one port's neighbour to another's."""
        data = bytes(i & 0xFF for i in range(size - 42))
        packet = p.ipv4(self.ip(src), self.ip(dst), p.udp(port, 2000, data), **ip)
        return p.pad(p.ether(self.mac(src), self.host_mac(src), packet))

    def exchange(self, src: str, dst: str, frames: list[bytes]) -> list[bytes]:
        """Send frames from one port's neighbour, a few at a time, and return what another's gets.

        More at once than a queue holds would be lost, for one side may wait for the processor.
        """
        out: list[bytes] = []
        bursts = cycle(BURSTS)
        while frames:
            size = next(bursts)
            burst, frames = frames[:size], frames[size:]
            self.guest.wires[src].send(*burst)
            out += self.guest.wires[dst].take(len(burst), is_ipv4)
        return out

    def forwarded(self, frame: bytes, dst: str) -> bytes:
        """Return what the neighbour of a port gets of a frame."""
        return p.forwarded(frame, self.mac(dst), self.host_mac(dst))
