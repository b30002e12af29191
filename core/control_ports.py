# SPDX-License-Identifier: MIT
"""The methods of the control protocol that show and switch ports (control_methods.py)."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from twinroute import control_params as p
from twinroute.errors import InputError

if TYPE_CHECKING:
    from twinroute.control_methods import Session

Object = dict[str, Any]

PORT_COUNTERS = (
    *("received", "received_bytes", "received_twin"),
    *("sent", "sent_bytes", "sent_twin"),
)


def show_ports(session: "Session", params: p.Params) -> Object:
    """Return the ports, their addresses, devices and counters."""
    target = session.controller.target
    counters = target.router.counters()
    ports = []
    for state in target.port_states():
        status = target.router.port_status(state.name)
        by_port = {name: getattr(counters, name)[state.name] for name in PORT_COUNTERS}
        ports.append(
            asdict(state)
            | {"enabled": status.enabled, "usable": status.usable, "mtu": status.mtu}
            | {"addresses": [str(address) for address in status.addresses]}
            | {"address_states": {str(key): text for key, text in status.addresses.items()}}
            | {"counters": by_port}
        )
    return {"ports": ports}


def port_up(session: "Session", params: p.PortName) -> Object:
    """Enable a port."""
    return _set_up(session, params, True)


def port_down(session: "Session", params: p.PortName) -> Object:
    """Disable a port, whatever its link."""
    return _set_up(session, params, False)


def _set_up(session: "Session", params: p.PortName, up: bool) -> Object:
    target = session.controller.target
    names = target.router.info.ports
    if params.port not in names:
        raise InputError(f"port = {params.port}: expected one of {', '.join(names)}")
    target.router.port_set_up(params.port, up)
    target.settle()
    return {}
