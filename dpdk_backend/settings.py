# SPDX-License-Identifier: MIT
"""A router's configuration as the C structs that an engine is made from."""

from pathlib import Path
from typing import Any

from twinroute.config import Config
from twinroute.config import Port as PortConfig
from twinroute.dpdk._dpdk import ffi, lib
from twinroute.dpdk.eal import buffers_of
from twinroute.errors import ConfigError

SCATTER = {
    "drop-out": lib.TR_SCATTER_DROP_OUT,
    "masks": lib.TR_SCATTER_MASKS,
    "split": lib.TR_SCATTER_SPLIT,
}


def check_devices(config: Config) -> None:
    """Raise ConfigError unless every port has a device."""
    source = config.path or "<code>"
    missing = [name for name in config.ports if name not in config.dpdk.port]
    if missing:
        expected = "expected a table with its device"
        raise ConfigError(f"{source}: dpdk.port.{name}: {expected}" for name in missing)


def engine_config(config: Config) -> Any:
    """Make a struct tr_dpdk_config from a checked configuration."""
    out = ffi.new("struct tr_dpdk_config *")
    out.buffers = buffers_of(config)
    _fill_core(config, out.config)
    for index, (name, port) in enumerate(config.ports.items()):
        _fill_port(name, port, out.config.port[index])
        device, settings = out.port[index], config.dpdk.port[name]
        device.device = settings.device.encode()
        device.rx_descriptors = settings.rx_descriptors
        device.tx_descriptors = settings.tx_descriptors
        device.keep_mac = bool(settings.keep_mac)
        device.twin = settings.twin
        device.twin_name = settings.twin_name.encode()
        device.twin_netns = netns_path(settings.twin_netns).encode()
    return out


def netns_path(name: str) -> str:
    """Return the path of a network namespace; a bare name is one of `ip netns`."""
    return name if not name or "/" in name else str(Path("/run/netns") / name)


def _fill_core(config: Config, out: Any) -> None:
    """Fill a struct tr_config but for its ports."""
    fast, slow, hz = config.fast_path, config.slow_path, lib.tr_dpdk_hz()
    out.ports = len(config.ports)
    out.fast_units = fast.units
    out.burst = fast.burst
    out.scatter = SCATTER[fast.scatter]
    out.rebatch = fast.rebatch
    out.rebatch_cycles = round(fast.rebatch_us * hz / 1e6)
    out.tx_buffer = fast.tx_buffer
    out.tx_flush_cycles = round(fast.tx_flush_us * hz / 1e6)
    out.punt_ring = slow.punt_ring
    out.neighbors_max = slow.neighbors
    out.neighbor_pending = slow.neighbor_pending
    out.arp_retries = slow.arp_retries
    out.arp_retry_ms = slow.arp_retry_ms
    out.arp_lifetime_ms = round(slow.arp_lifetime_s * 1000)
    out.arp_failed_ms = round(slow.arp_failed_s * 1000)
    out.icmp_errors_per_s = slow.icmp_errors_per_s
    out.icmp_errors_burst = slow.icmp_errors_burst


def _fill_port(name: str, port: PortConfig, out: Any) -> None:
    """Fill a struct tr_port_config."""
    out.name = name.encode()
    out.mac = list(bytes.fromhex(port.mac.replace(":", "")))
    out.mtu = port.mtu
    out.addresses = len(port.addresses)
    for index, interface in enumerate(port.addresses):
        out.address[index].address = int(interface.ip)
        out.address[index].bits = interface.network.prefixlen
