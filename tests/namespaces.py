# SPDX-License-Identifier: MIT
"""Network namespaces with Linux hosts for tests, and an end that leaves nothing of them behind."""

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
AF_XDP = 44  # Python has no name for it
COMMAND_S = 200.0

_numbers = count()  # a name is not used twice: the kernel takes its time to remove interfaces


def needs(*programs: str) -> "pytest.MarkDecorator":
    """Skip where one of these programs is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def sh(command: str, *, check: bool = True) -> str:
    """Run a command to its end; return what it printed, errors behind the rest."""
    done = subprocess.run(command.split(), capture_output=True, text=True, timeout=COMMAND_S)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def has_xdp() -> bool:
    """Tell whether the kernel has sockets for AF_XDP."""
    try:
        socket.socket(AF_XDP, socket.SOCK_RAW).close()
    except OSError:
        return False
    return True


def why_no_tap() -> str | None:
    """Say what this machine lacks for net_tap with a host behind it, if anything."""
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun"
    with closing(Namespaces()) as spaces:
        name = spaces.add("b")
        said = sh(f"ip -n {name} link add bridge type bridge", check=False)
    return f"no bridges: {said.strip()}" if said else None


@contextmanager
def inside(netns: str) -> Iterator[None]:
    """Have this thread, and what it starts, in a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(file: int) -> None:
        assert libc.setns(file, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    with (
        open("/proc/thread-self/ns/net", "rb") as before,
        open(f"/run/netns/{netns}", "rb") as there,
    ):
        enter(there.fileno())
        try:
            yield
        finally:
            enter(before.fileno())


def end(process: "subprocess.Popen[str]") -> None:
    """End a process if it has not: politely, that it may clean up, and else by force."""
    if process.poll() is None:
        process.terminate()
    try:
        process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


class Namespaces:
    """Some network namespaces and the processes started in them."""

    def __init__(self) -> None:
        self.prefix = f"tr{os.getpid()}x{next(_numbers)}"
        self._names: list[str] = []
        self._processes: list[subprocess.Popen[str]] = []

    def add(self, label: str) -> str:
        """Make a namespace without IPv6, so that nothing in it speaks unasked; return its name."""
        name = f"{self.prefix}{label}"
        sh(f"ip netns add {name}")
        self._names.append(name)
        with inside(name):
            sh("ip link set lo up")
            for key in ("all", "default"):
                path = Path(f"/proc/sys/net/ipv6/conf/{key}/disable_ipv6")
                if path.exists():
                    path.write_text("1")
        return name

    def host(self, label: str, near: str, port: str, address: str, gateway: str) -> str:
        """Make a host, by a veth on interface `port` of namespace `near`; return its name.

        Its frames have checksums and are no longer than its MTU, as on a wire.
        """
        name = self.add(label)
        sh(f"ip -n {near} link add {port} type veth peer name eth0 netns {name}")
        sh(f"ip netns exec {name} ethtool -K eth0 tx off")
        sh(f"ip -n {near} link set {port} up")
        sh(f"ip -n {name} link set eth0 up")
        sh(f"ip -n {name} address add {address} dev eth0")
        sh(f"ip -n {name} route add default via {gateway}")
        return name

    @staticmethod
    def bridge(near: str, tap: str, port: str) -> None:
        """Join a TAP of net_tap in `near` with a host's veth there.

        The TAP comes with the MAC address of the router's port, and may not keep it: the bridge
        would take frames for that address as its own.
        """
        sh(f"ip -n {near} link set {tap} address 02:88:00:{os.urandom(3).hex(':')}")
        sh(f"ip -n {near} link add br{port} type bridge mcast_snooping 0")
        for member in (tap, port):
            sh(f"ip -n {near} link set {member} master br{port}")
        sh(f"ip -n {near} link set br{port} up")

    def run(self, name: str, command: str) -> str:
        """Run a command in a namespace; return what it printed, whatever its status."""
        return sh(f"ip netns exec {name} {command}", check=False)

    def start(self, name: str, command: str) -> "subprocess.Popen[str]":
        """Start a command in a namespace; it ends with the namespaces at the latest."""
        words = ["ip", "netns", "exec", name, *command.split()]
        pipe = subprocess.PIPE
        process = subprocess.Popen(words, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        self._processes.append(process)
        return process

    def close(self) -> None:
        """End what was started, remove the namespaces and with them their interfaces."""
        for process in self._processes:
            end(process)
        for name in self._names:
            sh(f"ip netns delete {name}", check=False)
