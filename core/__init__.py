# SPDX-License-Identifier: MIT
"""Twinroute, a software router that you can prove: one C core on DPDK and on a simulator."""

from importlib.metadata import PackageNotFoundError, version

from twinroute.config import Config, load_config
from twinroute.errors import ConfigError, InputError, TwinrouteError

try:
    __version__ = version("twinroute")
except PackageNotFoundError:  # the source tree, not installed
    __version__ = "unknown"

__all__ = ["Config", "ConfigError", "InputError", "TwinrouteError", "__version__", "load_config"]
