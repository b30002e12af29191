# SPDX-License-Identifier: MIT
"""What a port does with packets to more than one station: broadcasts of its subnets, multicast
groups that it has joined, `[[multicast_route]]`."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from twinroute.config_errors import Place, place_text
from twinroute.config_rules import ADDRESS, Expected, Refused, Rule, name

if TYPE_CHECKING:
    from twinroute.config import Config

GROUPS_MAX = 256  # TR_GROUPS_MAX and TR_MULTICAST_ROUTES_MAX of core/api.h
LINK_LOCAL = IPv4Network("224.0.0.0/24")
# What routing daemons on the twins listen to: all routers, OSPF, RIP, EIGRP, PIM, VRRP, IGMP.
DAEMONS_GROUPS = tuple(IPv4Address(f"224.0.0.{n}") for n in (2, 5, 6, 9, 10, 13, 18, 22))
LIVE_OF_PORT = (
    *("receive_directed_broadcast", "forward_directed_broadcast"),
    *("groups", "ttl_threshold"),
)


def _group(value: Any) -> IPv4Address:
    if not isinstance(value, str | IPv4Address):
        raise ValueError
    group = IPv4Address(value)
    if not group.is_multicast:
        raise ValueError
    return group


def _routed_group(value: Any) -> IPv4Address:
    group = _group(value)
    if group in LINK_LOCAL:
        raise Refused(f"a multicast group outside {LINK_LOCAL}, which never leaves its link")
    return group


GROUP = Rule('a multicast group, as "224.0.0.5"', _group)
ROUTED_GROUP = Rule('a multicast group, as "239.1.1.1"', _routed_group)
PORT_NAME = name(15, "a port's name")


class MulticastRoute(BaseModel):
    """`[[multicast_route]]`: copies of packets to a group that come by port `from` leave by `to`.

    source: of the packets; without it any that has no route of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[IPv4Address | None, ADDRESS] = None
    group: Annotated[IPv4Address, ROUTED_GROUP]
    port: Annotated[str, PORT_NAME] = Field(alias="from")
    to: Annotated[
        list[Annotated[str, PORT_NAME]], Expected("a list of ports' names"), Field(min_length=1)
    ]


def group_checks(config: "Config") -> Iterator[tuple[Place, str]]:
    """Yield what is wrong with groups and multicast routes; see config_checks."""
    first: dict[object, int] = {}
    for index, route in enumerate(config.multicast_routes):
        place = ("multicast_route", index)
        earlier = first.setdefault((route.source, route.group), index)
        if earlier != index:
            where = place_text(("multicast_route", earlier))
            yield (*place, "group"), f"one route for a source and group, {where} is another"
        if route.port in route.to:
            yield (*place, "to"), f'ports other than "{route.port}", which the packets come by'
        named = [(("from",), route.port)] + [(("to", i), to) for i, to in enumerate(route.to)]
        for key, port in named:
            if port not in config.ports:
                yield (*place, *key), f"a port of this configuration: {', '.join(config.ports)}"
    if len(config.multicast_routes) > GROUPS_MAX:
        found = len(config.multicast_routes)
        yield ("multicast_route",), f"at most {GROUPS_MAX} multicast routes, found {found}"
    groups = {group for port in config.ports.values() for group in port.groups}
    if len(groups) > GROUPS_MAX:
        port_name = next(name for name, port in config.ports.items() if port.groups)
        expected = f"at most {GROUPS_MAX} groups on all ports together, found {len(groups)}"
        yield ("port", port_name, "groups"), expected


def fill_groups(config: "Config", out: Any) -> None:
    """Fill a struct tr_group_config."""
    ports: dict[int, int] = {}
    out.receive_directed = out.forward_directed = 0
    for index, port in enumerate(config.ports.values()):
        out.receive_directed |= port.receive_directed_broadcast << index
        out.forward_directed |= port.forward_directed_broadcast << index
        out.ttl_threshold[index] = port.ttl_threshold
        for group in port.groups:
            ports[int(group)] = ports.get(int(group), 0) | 1 << index
    out.groups = len(ports)
    for place, (number, mask) in enumerate(sorted(ports.items())):
        out.group[place].group = number
        out.group[place].ports = mask
    names = list(config.ports)
    out.routes = len(config.multicast_routes)
    for place, route in enumerate(config.multicast_routes):
        one = out.route[place]
        one.source = int(route.source or 0)
        one.group = int(route.group)
        setattr(one, "from", names.index(route.port))
        one.to = sum(1 << names.index(port) for port in set(route.to))


def live_groups(config: "Config") -> Iterator[tuple[Place, object]]:
    """Yield place and value, as JSON has it, of all that may change while the router runs."""
    for port_name, port in config.ports.items():
        values = port.model_dump(mode="json")
        yield from ((("port", port_name, key), values[key]) for key in LIVE_OF_PORT)
    routes = [route.model_dump(mode="json", by_alias=True) for route in config.multicast_routes]
    yield ("multicast_route",), routes
