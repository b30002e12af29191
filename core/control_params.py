# SPDX-License-Identifier: MIT
"""The parameters of the control protocol's methods, checked by the rules of the configuration."""

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from twinroute import config_rules
from twinroute.config import Metric, Preference, RouteGateways, RouteKind
from twinroute.config_rules import Expected, choice, integer

Names = Annotated[list[str], Expected("a list of ports")]
Text = Annotated[str, Expected("a text")]


class Params(BaseModel):
    """Parameters of a method: no others are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ShowRoutes(Params):
    """Of show.routes: every candidate or the best ones, of one source, inside a prefix."""

    all: Annotated[bool, config_rules.FLAG] = False
    source: Annotated[str | None, Expected("a source of routes")] = None
    within: Annotated[IPv4Network | None, config_rules.NETWORK] = None


class ShowUnit(Params):
    """Of what can be shown for one unit."""

    unit: Annotated[int | None, Expected("the number of a unit")] = None


class Lookup(Params):
    """Of route.lookup."""

    address: Annotated[IPv4Address, config_rules.ADDRESS]


class RouteAdd(Params):
    """Of route.add: as a [[route]]."""

    to: Annotated[IPv4Network, config_rules.NETWORK]
    via: RouteGateways = []
    port: Annotated[str | None, Expected("a port's name")] = None
    kind: Annotated[RouteKind, choice("via", "blackhole", "unreachable", "prohibit")] = "via"
    preference: Preference = 20
    metric: Metric = 0
    mtu: Annotated[int, config_rules.ROUTE_MTU] = 0


class RouteDelete(Params):
    """Of route.delete; without a metric: the only one of the destination."""

    to: Annotated[IPv4Network, config_rules.NETWORK]
    metric: Annotated[int | None, integer(0, 65535)] = None


class RouteLoad(Params):
    """Of route.load: text of a route file; `more`: the rest of it comes in further requests."""

    text: Text
    more: Annotated[bool, config_rules.FLAG] = False
    name: Text = "routes"
    via: Annotated[
        list[Annotated[IPv4Address, config_rules.ADDRESS]], Expected("a list of IPv4 addresses")
    ] = []
    preference: Preference = 20


class NeighborDelete(Params):
    """Of neighbor.delete."""

    port: Annotated[str, Expected("a port's name")]
    address: Annotated[IPv4Address, config_rules.ADDRESS]


class NeighborAdd(NeighborDelete):
    """Of neighbor.add."""

    mac: Annotated[str, config_rules.MAC]


class PortName(Params):
    """Of what is done to a port."""

    port: Annotated[str, Expected("a port's name")]


class Capture(Params):
    """Of capture: which frames, how many (0: until the client ends it), how much of each."""

    ports: Names = []
    direction: Annotated[Literal["in", "out", "both"], choice("in", "out", "both")] = "both"
    filter: Text = ""
    count: Annotated[int, integer(0, 2**63)] = 0
    snap_bytes: Annotated[int, integer(1, 65535, "bytes")] = 65535
    buffers: Annotated[int, integer(1, 65536, "frames")] = 4096


class Trace(Params):
    """Of trace: the next packets that match."""

    filter: Text = ""
    count: Annotated[int, integer(1, 65535, "packets")] = 10
