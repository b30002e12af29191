# SPDX-License-Identifier: MIT
"""A router's configuration as the C structs that an engine is made from."""

import secrets
from pathlib import Path
from typing import Any

from twinroute.config import Config
from twinroute.dpdk._dpdk import ffi, lib
from twinroute.dpdk.eal import buffers_of
from twinroute.dpdk.info import NATIVE
from twinroute.errors import ConfigError
from twinroute.settings import fill_config


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
    fill_config(NATIVE, config, lib.tr_dpdk_hz(), out.config)
    if config.fast_path.hash_seed is None:
        out.config.hash_seed = secrets.randbits(64)
    for index, name in enumerate(config.ports):
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
