# SPDX-License-Identifier: MIT
"""The devices under test: our own backends, Linux, and any router between interfaces."""

from collections.abc import Callable
from typing import Any

from twinroute.conformance.device import Device
from twinroute.errors import InputError


def _sim(options: dict[str, Any]) -> Device:
    from twinroute.conformance.devices.sim import SimDevice

    return SimDevice(seed=options.get("seed", 1))


def _dpdk(options: dict[str, Any]) -> Device:
    from twinroute.conformance.devices.dpdk import DpdkDevice

    return DpdkDevice()


def _linux(options: dict[str, Any]) -> Device:
    from twinroute.conformance.devices.linux import LinuxDevice

    return LinuxDevice(**_quiet(options))


def _external(options: dict[str, Any]) -> Device:
    from twinroute.conformance.devices.external import ExternalDevice

    interfaces, script = options["interfaces"], options["script"]
    return ExternalDevice(interfaces=interfaces, script=script, **_quiet(options))


def _quiet(options: dict[str, Any]) -> dict[str, Any]:
    return {"quiet_ms": options["quiet_ms"]} if "quiet_ms" in options else {}


DEVICES: dict[str, Callable[[dict[str, Any]], Device]] = {
    "sim": _sim,
    "dpdk": _dpdk,
    "linux": _linux,
    "external": _external,
}


def make_device(name: str, **options: Any) -> Device:
    """Make a device by its name. Raises DeviceError.

    options: seed of the simulator; quiet_ms of real interfaces; interfaces, script: of "external".
    """
    if name not in DEVICES:
        raise InputError(f'device "{name}": expected {", ".join(DEVICES)}')
    return DEVICES[name](options)
