# SPDX-License-Identifier: MIT
"""The core as the simulator has it compiled."""

from twinroute.native import Native
from twinroute.routes import check_layout
from twinroute.sim._sim import ffi, lib

NATIVE = Native(ffi, lib, announces=False)
check_layout(NATIVE)
