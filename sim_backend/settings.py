# SPDX-License-Identifier: MIT
"""A router's configuration as the C structs that the simulator makes it from."""

from typing import Any

from twinroute.config import Config
from twinroute.settings import fill_config
from twinroute.sim._sim import ffi
from twinroute.sim.native import NATIVE
from twinroute.sim.profile import Profile


def sim_router(config: Config, profile: Profile) -> Any:
    """Make a struct tr_sim_router from a checked configuration, without its faults."""
    out = ffi.new("struct tr_sim_router *")
    profile.fill(out.profile)
    out.buffers = config.sim.buffers
    fill_config(NATIVE, config, profile.hz, out.config)
    for index, name in enumerate(config.ports):
        nic, settings = out.nic[index], config.sim.port[name]
        nic.rx_descriptors = settings.rx_descriptors
        nic.tx_descriptors = settings.tx_descriptors
        nic.checksum_verdict = settings.checksum_verdict
        nic.rss_symmetric = settings.rss_symmetric
        nic.filters = settings.filters
    return out
