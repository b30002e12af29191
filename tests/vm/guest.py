# SPDX-License-Identifier: MIT
"""A virtual PC, emulated, with NICs for DPDK's real drivers, and the host's files to run there."""

import base64
import json
import shlex
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.vm import kernel
from tests.vm.wires import SocketWire, TapWire

BOOT_SECONDS = 240.0
COMMAND_SECONDS = 120.0
MEMORY_MB = 640
HUGE_PAGES = 120  # of 2 MiB
FIRST_SLOT = 0x10


@dataclass(frozen=True)
class Nic:
    """A NIC of the guest: its name, QEMU's device, its MAC address, how many queues it has."""

    name: str
    model: str
    mac: str
    queues: int = 1


class GuestError(Exception):
    """The guest does not do what it is told."""


class Guest:
    """A running guest. Use it as a context manager: QEMU ends with it."""

    def __init__(self, nics: list[Nic], *, cpus: int = 1) -> None:
        self.nics = nics
        self.cpus = cpus
        self.wires: dict[str, SocketWire | TapWire] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="twinroute-vm-")
        self.folder = Path(self._folder.name)
        self._qemu: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._unread = b""

    def __enter__(self) -> "Guest":
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End QEMU, whatever it does, and take the wires away."""
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.wait()
        if self._channel is not None:
            self._channel.close()
        for wire in self.wires.values():
            wire.close()
        self._folder.cleanup()

    # --- boot -------------------------------------------------------------------------------------
    def _start(self) -> None:
        image, initramfs = kernel.build(kernel.PACKAGE.parent)
        for nic in self.nics:
            self.wires[nic.name] = (
                TapWire(nic.name, nic.queues)
                if nic.queues > 1
                else SocketWire(nic.name, self.folder)
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.bind(str(self.folder / "channel"))
            door.listen(1)
            door.settimeout(60)
            # The kernel ends QEMU if these tests end without a word.
            self._qemu = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._command(image, initramfs)],
                stdin=subprocess.DEVNULL,
                stdout=(self.folder / "qemu").open("wb"),
                stderr=subprocess.STDOUT,
            )
            self._channel = self._accept(door)
        self._answer(BOOT_SECONDS)
        for wire in self.wires.values():
            wire.connect()

    def _accept(self, door: socket.socket) -> socket.socket:
        door.settimeout(1)
        for _ in range(60):
            try:
                return door.accept()[0]
            except TimeoutError:
                if self._qemu is None or self._qemu.poll() is not None:
                    break
        raise GuestError(f"QEMU does not start: {self.console()}")

    def _command(self, image: Path, initramfs: Path) -> list[str]:
        words = "qemu-system-x86_64 -accel tcg,tb-size=128 -cpu Nehalem -M q35 -nic none"
        words += " -nodefaults -no-user-config -display none -no-reboot"
        options = "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on"
        options += f" hugepages={HUGE_PAGES} intel_iommu=on iommu=pt"
        out = [*words.split(), "-m", str(MEMORY_MB), "-smp", str(self.cpus)]
        out += ["-kernel", str(image), "-initrd", str(initramfs), "-append", options]
        out += ["-serial", f"file:{self.folder / 'console'}"]
        out += ["-device", "intel-iommu,intremap=on,caching-mode=on"]
        out += ["-device", "virtio-rng-pci"]
        out += ["-fsdev", "local,id=root,path=/,readonly=on,security_model=none,multidevs=remap"]
        out += ["-device", "virtio-9p-pci,fsdev=root,mount_tag=root"]
        out += ["-chardev", f"socket,id=channel,path={self.folder / 'channel'}"]
        out += ["-device", "virtio-serial-pci"]
        out += ["-device", "virtserialport,chardev=channel,name=twinroute"]
        out += ["-qmp", f"unix:{self.folder / 'monitor'},server=on,wait=off"]
        for index, nic in enumerate(self.nics):
            device = f"{nic.model},netdev={nic.name},mac={nic.mac},romfile="
            device += f",addr={FIRST_SLOT + index:#x}"
            if nic.queues > 1:
                device += f",mq=on,vectors={2 * nic.queues + 2},rss=on"
            out += ["-netdev", self.wires[nic.name].netdev(), "-device", device]
        return out

    def address(self, name: str) -> str:
        """Return the PCI address of a NIC."""
        slot = FIRST_SLOT + [nic.name for nic in self.nics].index(name)
        return f"0000:00:{slot:02x}.0"

    def console(self) -> str:
        """Return the end of what the guest's kernel and QEMU said."""
        said = [self.folder / "console", self.folder / "qemu"]
        text = "\n".join(path.read_text(errors="replace") for path in said if path.exists())
        return text[-2000:]

    def set_link(self, name: str, up: bool) -> None:
        """Plug a NIC's cable in or out."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(60)
            monitor.connect(str(self.folder / "monitor"))
            lines = monitor.makefile("r")
            for command in (
                {"execute": "qmp_capabilities"},
                {"execute": "set_link", "arguments": {"name": name, "up": up}},
            ):
                monitor.sendall(json.dumps(command).encode())
                while "return" not in (answer := json.loads(lines.readline())):
                    if "error" in answer:
                        raise GuestError(f"{command}: {answer}")

    # --- commands ---------------------------------------------------------------------------------
    def run(self, script: str, *, seconds: float = COMMAND_SECONDS, check: bool = True) -> str:
        """Run a shell script in the guest and return what it wrote, of both kinds."""
        assert self._channel is not None
        self._channel.settimeout(60)
        self._channel.sendall(base64.b64encode(script.encode()) + b"\n")
        status, text = self._answer(seconds)
        if check and status:
            raise GuestError(f"{script}: exit status {status}: {text}")
        return text

    def write(self, path: str, text: str) -> None:
        """Write a file in the guest."""
        self.run(f"printf %s {shlex.quote(text)} >{path}")

    def bind(self, driver: str, *names: str) -> None:
        """Bind NICs to a driver of the kernel's for DPDK to use."""
        for name in names:
            device = f"/sys/bus/pci/devices/{self.address(name)}"
            self.run(
                f"echo {driver} >{device}/driver_override\n"
                f"if [ -e {device}/driver ]; then\n"
                f"  echo {self.address(name)} >{device}/driver/unbind\n"
                "fi\n"
                f"echo {self.address(name)} >/sys/bus/pci/drivers_probe\n"
                f'test "$(basename "$(readlink {device}/driver)")" = {driver}\n'
            )

    def _answer(self, seconds: float) -> tuple[int, str]:
        end = time.monotonic() + seconds
        while b"\n" not in self._unread:
            self._receive(end)
        head, _, self._unread = self._unread.partition(b"\n")
        status, size = (int(word) for word in head.split())
        while len(self._unread) < size:
            self._receive(end)
        text, self._unread = self._unread[:size], self._unread[size:]
        return status, text.decode(errors="replace")

    def _receive(self, end: float) -> None:
        assert self._channel is not None
        self._channel.settimeout(max(0.01, end - time.monotonic()))
        try:
            data = self._channel.recv(1 << 16)
        except TimeoutError:
            raise GuestError(f"the guest does not answer: {self.console()}") from None
        if not data:
            raise GuestError(f"the guest ended: {self.console()}")
        self._unread += data
