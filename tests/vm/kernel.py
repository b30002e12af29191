# SPDX-License-Identifier: MIT
"""The guest's kernel and its initramfs, made of Debian's kernel package that `.ci/install vm` put
into build/vm."""

import lzma
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "build" / "vm" / "package"
BUSYBOX = Path("/bin/busybox")
INIT = Path(__file__).with_name("init.sh")
XZ = b"\xfd7zXZ\0"
# Loaded in this order, each after what it depends on.
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console", "virtio-rng"]
MODULES += ["uio_pci_generic", "vfio_iommu_type1", "vfio-pci", "tun"]


def missing() -> str:
    """Say what this machine lacks for a guest, or nothing."""
    lacks = [] if shutil.which("qemu-system-x86_64") else ["qemu-system-x86_64"]
    lacks += [] if BUSYBOX.exists() else [str(BUSYBOX)]
    lacks += [] if list(PACKAGE.glob("boot/vmlinuz-*")) else ["Debian's kernel in build/vm"]
    return f"needs {', '.join(lacks)}: `make test-vm` installs them" if lacks else ""


def build(folder: Path) -> tuple[Path, Path]:
    """Write the kernel, unpacked, and the initramfs into a folder, unless they are there.

    Unpacking in the guest, which is emulated, would take seconds of every boot.
    """
    packed = next(PACKAGE.glob("boot/vmlinuz-*"))
    kernel, initramfs = folder / packed.name.replace("vmlinuz", "vmlinux"), folder / "initramfs"
    folder.mkdir(parents=True, exist_ok=True)
    if not kernel.exists():
        image = packed.read_bytes()
        start = image.find(XZ)
        put(kernel, lzma.LZMADecompressor().decompress(image[start:]) if start >= 0 else image)
    put(initramfs, cpio(members()))
    return kernel, initramfs


def put(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)


# --- modules --------------------------------------------------------------------------------------
def module_files() -> dict[str, Path]:
    """All modules of the package by name, which has - and _ for the same."""
    found = PACKAGE.glob("lib/modules/*/kernel/**/*.ko*")
    return {path.name.partition(".")[0].replace("-", "_"): path for path in found}


def module_bytes(path: Path) -> bytes:
    """Read a module, which newer kernels compress."""
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def modules() -> dict[str, bytes]:
    """MODULES and what they depend on, in the order of loading. What a kernel has built in is not
    among its files."""
    files = module_files()
    out: dict[str, bytes] = {}

    def add(name: str) -> None:
        name = name.replace("-", "_")
        if name in out or name not in files:
            return
        module = module_bytes(files[name])
        start = module.index(b"\0depends=") + len(b"\0depends=")
        for other in module[start : module.index(b"\0", start)].decode().split(","):
            add(other)
        out[name] = module

    for name in MODULES:
        add(name)
    return out


# --- initramfs ------------------------------------------------------------------------------------
def members() -> Iterator[tuple[str, int, bytes]]:
    """What the initramfs holds: names, modes, contents."""
    for name in ("bin", "dev", "proc", "sys", "memory", "modules", "host", "root"):
        yield name, stat.S_IFDIR | 0o755, b""
    yield "bin/busybox", stat.S_IFREG | 0o755, BUSYBOX.read_bytes()
    yield "init", stat.S_IFREG | 0o755, INIT.read_bytes()
    found = modules()
    yield "modules/list", stat.S_IFREG | 0o644, "".join(f"{name}\n" for name in found).encode()
    for name, module in found.items():
        yield f"modules/{name}", stat.S_IFREG | 0o644, module


def cpio(files: Iterator[tuple[str, int, bytes]]) -> bytes:
    """Pack an archive in the one format that the kernel takes ("newc")."""
    out = bytearray()
    for number, (name, mode, data) in enumerate([*files, ("TRAILER!!!", 0, b"")], 1):
        # inode, mode, owner, group, links, time, bytes, device and its own device, name, checksum
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08x" % field for field in fields)
        for part in (name.encode() + b"\0", data):
            out += part
            out += b"\0" * (-len(out) % 4)
    return bytes(out)
