# SPDX-License-Identifier: MIT
"""Network namespaces, and raw sockets in them: the tester's side of real interfaces."""

import ctypes
import os
import re
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from twinroute.conformance.device import DeviceError

ETH_P_ALL = 3
PACKET_OUTGOING = 4
CLONE_NEWNET = 0x40000000
RECEIVE_BYTES = 8 << 20
FRAME_BYTES_MAX = 65536
LINK_S = 30
NETNS = Path("/run/netns")


def why_not() -> str:
    """Say why there can be no namespaces here, or nothing."""
    if os.geteuid() != 0:
        return "expected root, for network namespaces and raw sockets"
    if shutil.which("ip") is None:
        return "expected the program ip (iproute2)"
    return ""


def ip(*argv: str, batch: Iterable[str] = ()) -> str:
    """Run `ip`, or the lines of a batch. Raises DeviceError."""
    words = ["ip", *argv, *(["-batch", "-"] if batch else [])]
    text = "\n".join(batch)
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    if done.returncode:
        raise DeviceError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    """A network namespace of this process's own, in which nothing speaks IPv6."""

    def __init__(self, name: str) -> None:
        """Make it."""
        if reason := why_not():
            raise DeviceError(reason)
        self.name = name
        ip("netns", "add", name)
        self.sysctl({"net.ipv6.conf.all.disable_ipv6": 1, "net.ipv6.conf.default.disable_ipv6": 1})

    def close(self) -> None:
        """Remove it, with what is in it."""
        ip("netns", "delete", self.name)

    def ip(self, *lines: str) -> None:
        """Run lines of `ip` in it."""
        ip("-n", self.name, batch=lines)

    def wait_for_link(self, interface: str, state: str) -> None:
        """Wait until an interface in it is UP, or DOWN in whatever way. Raises DeviceError."""
        limit = now() + LINK_S
        while not re.search(rf" state \w*{state} ", ip("-n", self.name, "link", "show", interface)):
            if now() > limit:
                raise DeviceError(f"interface {interface}: not {state} after {LINK_S} s")
            time.sleep(0.001)

    def sysctl(self, values: Mapping[str, object]) -> None:
        """Set kernel parameters in it; those that this kernel does not have stay away."""

        def write() -> None:
            for name, value in values.items():
                path = Path("/proc/sys") / name.replace(".", "/")
                if path.exists():
                    path.write_text(f"{value}\n")

        self.call(write)

    def tap(self, interface: str) -> "Tap":
        """Open a raw socket on an interface in it."""
        taps: list[Tap] = []
        self.call(lambda: taps.append(Tap(interface)))
        return taps[0]

    def call(self, function: Callable[[], object]) -> None:
        """Call a function inside: in a thread of its own, as a namespace is a thread's."""
        failed: list[BaseException] = []

        def inside() -> None:
            try:
                descriptor = os.open(NETNS / self.name, os.O_RDONLY)
                try:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(descriptor, CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"setns {self.name}")
                finally:
                    os.close(descriptor)
                function()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if failed:
            raise DeviceError(f"namespace {self.name}: {failed[0]}") from failed[0]


class Tap:
    """A raw socket on an interface: whole frames in and out."""

    def __init__(self, interface: str) -> None:
        """Open it, in the thread's namespace. Raises DeviceError."""
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            self._socket.bind((interface, ETH_P_ALL))
        except OSError as error:
            raise DeviceError(f"interface {interface}: {error.strerror}") from None
        self._socket.setblocking(False)
        self.receive()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def fileno(self) -> int:
        """Return what select() wants."""
        return self._socket.fileno()

    def send(self, frame: bytes) -> None:
        """Send a frame; OSError if the kernel takes none like it."""
        while True:
            try:
                self._socket.send(frame)
                return
            except BlockingIOError:
                select.select([], [self], [])

    def receive(self) -> list[bytes]:
        """Take what has come in since the last call."""
        frames: list[bytes] = []
        while True:
            try:
                data, address = self._socket.recvfrom(FRAME_BYTES_MAX)
            except BlockingIOError:
                return frames
            except OSError:  # the interface has gone down
                continue
            if address[2] != PACKET_OUTGOING:
                frames.append(data)


def wait(taps: Iterable[Tap], seconds: float) -> bool:
    """Wait until a frame is there; False if there is none in time."""
    ready, _, _ = select.select(list(taps), [], [], max(seconds, 0))
    return bool(ready)


def now() -> float:
    """Seconds of a clock that only goes forward."""
    return time.monotonic()
