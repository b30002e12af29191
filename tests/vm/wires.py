# SPDX-License-Identifier: MIT
"""The host's ends of the wires to the guest's NICs: frames in and out.

A NIC hangs on a pair of UNIX sockets, a datagram a frame, or, if it is to have several queues, on a
TAP of this machine. Nothing is lost on a wire: who is full makes the sender wait.
"""

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

TUN = Path("/dev/net/tun")
TAP_MTU = 9000
Match = Callable[[bytes], bool]
ETH_P_ALL = 3
SO_RCVBUFFORCE = 33  # beyond the limit for everybody; Python has no name for it
BUFFER_BYTES = 4 << 20


def missing_for_taps() -> str:
    """Say what this machine lacks for TAPs, or nothing."""
    return "" if os.geteuid() == 0 and TUN.exists() else f"needs root and {TUN}"


def any_frame(frame: bytes) -> bool:
    """Match every frame."""
    return True


def is_ipv4(frame: bytes) -> bool:
    """Match frames with an IPv4 packet."""
    return frame[12:14] == b"\x08\x00"


def is_arp(frame: bytes) -> bool:
    """Match frames with ARP."""
    return frame[12:14] == b"\x08\x06"


class Wire:
    """Frames to a NIC of the guest and from it; a thread takes those from it at once."""

    def __init__(self, name: str, end: socket.socket) -> None:
        self.name = name
        self._end = end
        self._frames: list[bytes] = []
        self._changed = threading.Condition()
        self._is_open = True
        self._reader = threading.Thread(target=self._read, name=f"wire {name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while self._is_open:
            try:
                frame = self._end.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                return
            with self._changed:
                self._frames.append(frame)
                self._changed.notify_all()

    def send(self, *frames: bytes) -> None:
        """Send frames to the NIC."""
        for frame in frames:
            self._end.send(frame)

    def clear(self) -> None:
        """Forget what came so far."""
        with self._changed:
            self._frames.clear()

    def take(self, n: int, match: Match = any_frame, *, seconds: float = 60.0) -> list[bytes]:
        """Wait for n frames that match and forget all that came; fewer if they do not come."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                found = [frame for frame in self._frames if match(frame)]
                left = end - time.monotonic()
                if len(found) >= n or left <= 0:
                    self._frames.clear()
                    return found
                self._changed.wait(left)

    def close(self) -> None:
        """Take the wire away."""
        self._is_open = False
        self._reader.join()
        self._end.close()


class SocketWire(Wire):
    """A wire of two UNIX sockets; ours is there before QEMU starts."""

    def __init__(self, name: str, folder: Path) -> None:
        self._ours, self._theirs = folder / f"{name}-host", folder / f"{name}-guest"
        end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        end.settimeout(0.5)
        end.bind(str(self._ours))
        super().__init__(name, end)

    def netdev(self) -> str:
        """QEMU's words for its end."""
        return (
            f"dgram,id={self.name},local.type=unix,local.path={self._theirs},"
            f"remote.type=unix,remote.path={self._ours}"
        )

    def connect(self) -> None:
        """Once QEMU runs."""
        self._end.connect(str(self._theirs))


class TapWire(Wire):
    """A wire to a TAP with several queues, which needs root. QEMU makes it and takes it along."""

    def __init__(self, name: str, queues: int) -> None:
        self.queues = queues
        self.tap = f"trvm{os.getpid()}{name}"[:15]
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # receives nothing until bound
        end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        end.settimeout(0.5)
        super().__init__(name, end)

    def netdev(self) -> str:
        """QEMU's words for its end."""
        return (
            f"tap,id={self.name},ifname={self.tap},queues={self.queues},"
            "script=no,downscript=no,vhost=off"
        )

    def connect(self) -> None:
        """Once QEMU runs."""
        with contextlib.suppress(OSError):  # the kernel's own words would count as drops
            Path(f"/proc/sys/net/ipv6/conf/{self.tap}/disable_ipv6").write_text("1")
        words = ["ip", "link", "set", self.tap, "mtu", str(TAP_MTU), "up"]
        subprocess.run(words, check=True, capture_output=True, timeout=30)
        self._end.bind((self.tap, ETH_P_ALL))
