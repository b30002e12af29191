# SPDX-License-Identifier: MIT
"""The start of EAL, DPDK's environment: once a process, from the `[dpdk]` of a configuration."""

import re
from multiprocessing.util import Finalize
from pathlib import Path

from twinroute.config import Config
from twinroute.dpdk._dpdk import ffi, lib
from twinroute.errors import TwinrouteError

PCI_ADDRESS = re.compile(r"([0-9a-f]{4,}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.I)
BUFFER_BYTES = 256  # of an mbuf, around its data
MEMORY_SPARE_MB = 64  # for DPDK's own structures and the drivers'

_started_with: list[str] = []


class EngineError(TwinrouteError):
    """DPDK, a device or the kernel refuses something, in one line."""


def text_of(error: object) -> str:
    """Copy the line that C left."""
    return str(ffi.string(error).decode("utf-8", "replace"))


def buffers_of(config: Config) -> int:
    """Return how many packet buffers a NUMA node of this configuration gets."""
    if config.dpdk.buffers:
        return config.dpdk.buffers
    units, ports = config.fast_path.units + 1, len(config.ports)
    descriptors = sum(
        port.rx_descriptors + port.tx_descriptors for port in config.dpdk.port.values()
    )
    inside = config.fast_path.burst + 768 + ports * config.fast_path.tx_buffer  # 768: cached
    slow = config.slow_path
    waiting = slow.punt_ring * units + 64 * slow.neighbor_pending + slow.reassembly_fragments
    return int(descriptors * units + inside * units + waiting + 1024)


def arguments(config: Config) -> list[str]:
    """Return EAL's command line for a configuration."""
    dpdk = config.dpdk
    mtu = max(port.mtu for port in config.ports.values())
    data = max(2048, -(-(mtu + 26) // 1024) * 1024) + 128
    needed = (buffers_of(config) * (data + BUFFER_BYTES) >> 20) * 5 // 4 + MEMORY_SPARE_MB
    out = ["twinroute", "--no-telemetry", f"--file-prefix={dpdk.file_prefix}", "--lcores=0"]
    out += ["--in-memory"] if dpdk.hugepages else ["--no-huge", "--no-shconf"]
    out += ["-m", str(dpdk.memory_mb or needed)]
    pci = [port.device for port in dpdk.port.values() if PCI_ADDRESS.match(port.device)]
    out += [word for device in pci for word in ("-a", device)] or ["--no-pci"]
    return out + dpdk.eal_args


def _check_memory(wanted_mb: int) -> None:
    """Raise EngineError if the kernel has not so much; without this DPDK would crash on it."""
    try:
        words = Path("/proc/meminfo").read_text().split()
        free_mb = int(words[words.index("MemAvailable:") + 1]) >> 10
    except (OSError, ValueError):
        return
    if wanted_mb > free_mb:
        raise EngineError(f"dpdk: memory_mb: {wanted_mb} MiB wanted, {free_mb} MiB are free")


def start(config: Config) -> None:
    """Start EAL, unless this process has with the same arguments. Raises EngineError."""
    argv = arguments(config)
    if _started_with:
        return
    if not config.dpdk.hugepages:
        _check_memory(int(argv[argv.index("-m") + 1]))
    words = [ffi.new("char[]", word.encode()) for word in argv]
    array = ffi.new("char *[]", [*words, ffi.NULL])
    error = ffi.new("char[]", lib.TR_DPDK_TEXT)
    prefix = config.dpdk.file_prefix.encode()
    if lib.tr_eal_start(len(argv), array, prefix, config.dpdk.log, error):
        raise EngineError(f"dpdk: {text_of(error)}")
    _started_with.extend(argv)
    Finalize(None, lib.tr_eal_stop, exitpriority=0)  # atexit leaves out forked processes
