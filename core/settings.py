# SPDX-License-Identifier: MIT
"""A router's configuration as the structs of core/api.h, the same on every backend."""

from typing import Any

from twinroute.config import Config, Port
from twinroute.config_groups import fill_groups
from twinroute.config_icmp import fill_icmp
from twinroute.config_options import option_policies
from twinroute.errors import InputError
from twinroute.filters import fill_filters
from twinroute.native import Native

# What of `[slow_path]` may change while the router runs.
LIVE_SETTINGS = (
    *("arp_retries", "arp_retry_ms", "arp_lifetime_s", "arp_failed_s"),
    *("reassembly_s", "icmp_errors_per_s", "icmp_errors_burst", "arp_announce", "arp_probe"),
)


def fill_config(native: Native, config: Config, hz: int, out: Any) -> None:
    """Fill a struct tr_config from a checked configuration; hz: of the backend's clock.

    Where the configuration has no hash_seed the backend has to set one.
    """
    fast, slow = config.fast_path, config.slow_path
    out.ports = len(config.ports)
    for index, (name, port) in enumerate(config.ports.items()):
        _fill_port(name, port, out.port[index])
    out.fast_units = fast.units
    out.burst = fast.burst
    out.scatter = getattr(native.lib, f"TR_SCATTER_{fast.scatter.upper().replace('-', '_')}")
    out.vector = vector_name(native, fast.vector)
    out.lpm = getattr(native.lib, f"TR_LPM_{fast.lpm.upper()}")
    out.rebatch = fast.rebatch
    out.rebatch_cycles = round(fast.rebatch_us * hz / 1_000_000)
    out.tx_buffer = fast.tx_buffer
    out.tx_flush_cycles = round(fast.tx_flush_us * hz / 1_000_000)
    out.hash_seed = fast.hash_seed or 0
    out.priority = config.qos.priorities()
    out.punt_ring = slow.punt_ring
    out.neighbors_max = slow.neighbors
    out.neighbor_pending = slow.neighbor_pending
    out.reassembly_fragments = slow.reassembly_fragments
    fill_filters(native, config, out)
    fill_live_settings(native, config, out)


def vector_name(native: Native, vector: str) -> bytes:
    """Return what the core calls a variant. Raises InputError if this processor cannot run it."""
    name = b"" if vector == "auto" else vector.encode()
    if not native.lib.tr_vector_runs(name):
        raise InputError(
            f'fast_path.vector = "{vector}": this processor cannot run that: "auto" expected'
        )
    return name


def fill_live_settings(native: Native, config: Config, out: Any) -> None:
    """Fill a struct tr_settings, or the fields of the same names in a struct tr_config."""
    slow = config.slow_path
    out.arp_retries = slow.arp_retries
    out.arp_retry_ms = slow.arp_retry_ms
    out.arp_lifetime_ms = round(slow.arp_lifetime_s * 1000)
    out.arp_failed_ms = round(slow.arp_failed_s * 1000)
    out.reassembly_ms = round(slow.reassembly_s * 1000)
    out.icmp_errors_per_s = slow.icmp_errors_per_s
    out.icmp_errors_burst = slow.icmp_errors_burst
    out.arp_announce = native.announces if slow.arp_announce is None else slow.arp_announce
    out.arp_probe = slow.arp_probe
    out.option_policy = option_policies(config.options, native.lib)
    fill_icmp(config.icmp, out.icmp)
    out.icmp.time_exceeded_off = sum(
        1 << index for index, port in enumerate(config.ports.values()) if not port.time_exceeded
    )
    fill_groups(config, out.groups)


def _fill_port(name: str, port: Port, out: Any) -> None:
    """Fill a struct tr_port_config."""
    out.name = name.encode()
    out.mac = list(bytes.fromhex(port.mac.replace(":", "")))
    out.mtu = port.mtu
    out.redirects = port.redirects
    out.disabled = not port.up
    fill_addresses(port, out)


def fill_addresses(port: Port, out: Any) -> None:
    """Fill in the addresses of a struct tr_port_config."""
    out.addresses = len(port.addresses)
    for index, interface in enumerate(port.addresses):
        out.address[index].address = int(interface.ip)
        out.address[index].bits = interface.network.prefixlen
