# SPDX-License-Identifier: MIT
"""What a device of `[dpdk.port.NAME]` takes for itself, so that no two ports take the same.

A device has a name, and many drivers lead to something that others can name in another way: an
interface of the kernel, a socket.
"""

import os
import re

PCI_ADDRESS = re.compile(r"(?:pci:)?(?:([0-9a-f]{1,8}):)?([0-9a-f]{1,2}:[0-9a-f]{1,2}\.[0-7])")

# Options by which a driver gets hold of an interface of the kernel, or makes one.
INTERFACE = {
    "af_packet": ("iface",),
    "af_xdp": ("iface",),
    "pcap": ("iface", "rx_iface", "rx_iface_in", "tx_iface"),
    "tap": ("iface", "remote"),
    "tun": ("iface",),
}
VHOST_NET = "/dev/vhost-net"  # anyone may open it, again and again


def same_name(device: str) -> str:
    """Return a device's name, the same one however it is written."""
    name = device.partition(",")[0].strip().lower().removeprefix("vdev:")
    found = PCI_ADDRESS.fullmatch(name)
    if not found:
        return name
    numbers = [int(part, 16) for part in re.split("[:.]", found[2])]
    return "{:04x}:{:02x}:{:02x}.{:x}".format(int(found[1] or "0", 16), *numbers)


def claims(device: str) -> list[str]:
    """Name what a device leads to beside itself, as people would: "interface veth0"."""
    name, *rest = device.split(",")
    options: dict[str, list[str]] = {}
    for option in rest:
        key, _, value = option.partition("=")
        options.setdefault(key.strip(), []).append(value.strip())
    name = same_name(name)
    driver = name.removeprefix("eth_").removeprefix("net_")
    if driver.startswith("memif"):
        return [_memif(options)]
    if driver.startswith("virtio_user") or name.startswith("virtio_user"):
        return _virtio_user(options)
    if driver.startswith("vhost"):
        return [f"vhost socket {os.path.normpath(path)}" for path in options.get("iface", ())]
    keys = next((keys for start, keys in INTERFACE.items() if driver.startswith(start)), ())
    return sorted({f"interface {value}" for key in keys for value in options.get(key, ())})


def _last(options: dict[str, list[str]], key: str, default: str) -> str:
    return options.get(key, [default])[-1]


def _memif(options: dict[str, list[str]]) -> str:
    """Name an end of a memif: each id of a socket has one of each role."""
    role = _last(options, "role", "client")
    role = "server" if role in ("server", "master") else "client"
    path = _last(options, "socket", "/run/memif.sock")
    if _last(options, "socket-abstract", "yes") == "no":
        path = os.path.normpath(path)
    number = _last(options, "id", "0")
    number = number.lstrip("0") or "0"
    return f"memif {number} of {path} as {role}"


def _virtio_user(options: dict[str, list[str]]) -> list[str]:
    path = _last(options, "path", "")
    if path == VHOST_NET:
        return [f"interface {name}" for name in options.get("iface", ())]
    return [f"virtio_user socket {os.path.normpath(path)}"] if path else []
