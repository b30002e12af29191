# SPDX-License-Identifier: MIT
"""What a case wants of its device: ports, addresses, routes, neighbours, knobs.

Knobs have the names of knobs.py, which says what they are on our own backends; another device
knows as many of them as its router has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twinroute.conformance import names as n


@dataclass(frozen=True)
class Route:
    """A route: by a gateway, by a port, or of a kind that ends packets. The lower metric wins.

    via: several gateways share the flows.
    """

    to: str
    via: str | tuple[str, ...] = ""
    port: str = ""
    kind: str = "via"
    metric: int | None = None


ROUTES = (Route("198.18.0.0/16", n.G2), Route("198.19.0.0/16", n.G3))
EVERYBODY = tuple(address for stations in n.STATIONS.values() for address in stations)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The test bed; the defaults are those of the matrix.

    addresses: of a port, each with its prefix length; the first is the port's main one. A port that
    is not named does not exist, one with () has no address. loopback:
    an address on no port, or "". routes: besides what addresses imply. unresolved: stations that
    the router does not know and that do not answer for themselves: the case plays them. neighbors:
    further ones that it knows, by port and address. twins: the host stack's side of the ports is
    the tester's. knobs: see knobs.py.
    """

    addresses: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {port: (f"{own}/24",) for port, own in n.OWN.items()}
    )
    mtu: Mapping[str, int] = field(default_factory=dict)
    loopback: str = ""
    routes: tuple[Route, ...] = ROUTES
    unresolved: tuple[str, ...] = ()
    neighbors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    twins: bool = True
    knobs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ports(self) -> tuple[str, ...]:
        """Return the ports that there are."""
        return tuple(port for port in n.PORTS if port in self.addresses)

    def mtu_of(self, port: str) -> int:
        """Return the MTU of a port."""
        return self.mtu.get(port, 1500)

    def known(self, port: str) -> dict[str, str]:
        """Return the neighbours at a port that the router knows, with their MAC addresses."""
        known = {
            address: mac
            for address, mac in n.STATIONS[port].items()
            if address not in self.unresolved
        }
        return known | dict(self.neighbors.get(port, {}))
