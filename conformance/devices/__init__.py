# SPDX-License-Identifier: MIT
"""The devices under test: our own backends, Linux, and any router between interfaces."""

from collections.abc import Callable
from typing import Any

from twinroute.conformance.device import Device
from twinroute.errors import InputError


def _sim(options: dict[str, Any]) -> Device:
    from twinroute.conformance.devices.sim import SimDevice

    return SimDevice(seed=options.get("seed", 1))


DEVICES: dict[str, Callable[[dict[str, Any]], Device]] = {"sim": _sim}


def make_device(name: str, **options: Any) -> Device:
    """Make a device by its name; the options are those of the command line."""
    if name not in DEVICES:
        raise InputError(f'device "{name}": expected {", ".join(DEVICES)}')
    return DEVICES[name](options)
