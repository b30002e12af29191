# SPDX-License-Identifier: MIT
"""A router's configuration as the C structs that the simulator makes it from."""

from typing import Any

from twinroute.config import Config
from twinroute.config import Port as PortConfig
from twinroute.sim._sim import ffi, lib
from twinroute.sim.profile import Profile
from twinroute.sim.station import mac_bytes

SCATTER = {
    "drop-out": lib.TR_SCATTER_DROP_OUT,
    "masks": lib.TR_SCATTER_MASKS,
    "split": lib.TR_SCATTER_SPLIT,
}


def sim_router(config: Config, profile: Profile) -> Any:
    """Make a struct tr_sim_router from a checked configuration, without its faults."""
    out = ffi.new("struct tr_sim_router *")
    profile.fill(out.profile)
    out.buffers = config.sim.buffers
    _fill_core(config, profile, out.config)
    for index, (name, port) in enumerate(config.ports.items()):
        _fill_port(name, port, out.config.port[index])
        nic, settings = out.nic[index], config.sim.port[name]
        nic.rx_descriptors = settings.rx_descriptors
        nic.tx_descriptors = settings.tx_descriptors
        nic.checksum_verdict = settings.checksum_verdict
        nic.rss_symmetric = settings.rss_symmetric
        nic.filters = settings.filters
    return out


def _fill_core(config: Config, profile: Profile, out: Any) -> None:
    """Fill a struct tr_config but for its ports."""
    fast, slow = config.fast_path, config.slow_path
    out.ports = len(config.ports)
    out.fast_units = fast.units
    out.burst = fast.burst
    out.scatter = SCATTER[fast.scatter]
    out.rebatch = fast.rebatch
    out.rebatch_cycles = profile.cycles(fast.rebatch_us)
    out.tx_buffer = fast.tx_buffer
    out.tx_flush_cycles = profile.cycles(fast.tx_flush_us)
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
    out.mac = list(mac_bytes(port.mac))
    out.mtu = port.mtu
    out.addresses = len(port.addresses)
    for index, interface in enumerate(port.addresses):
        out.address[index].address = int(interface.ip)
        out.address[index].bits = interface.network.prefixlen
