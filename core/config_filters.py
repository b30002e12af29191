# SPDX-License-Identifier: MIT
"""The configuration's tables `[martians]` and `[[filter]]`: what packets are let through at all."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, collapse_addresses
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from twinroute import config_rules
from twinroute.config_rules import Expected, Refused, Rule, choice, integer, require

Action = Literal["permit", "drop", "reject"]

PROTOCOLS = {
    **{"icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "dccp": 33, "ipv6": 41, "rsvp": 46},
    **{"gre": 47, "esp": 50, "ah": 51, "eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112},
    **{"l2tp": 115, "sctp": 132, "udplite": 136},
}
ICMP, TCP = PROTOCOLS["icmp"], PROTOCOLS["tcp"]
WITH_PORTS = tuple(PROTOCOLS[name] for name in ("tcp", "udp", "dccp", "sctp", "udplite"))
TCP_FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")  # from the lowest bit on
PORT_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)

# Prefixes whose addresses are not to be seen outside (RFC 6890 2.2.2): this link's, those of
# protocol assignments but 192.0.0.0/29, which RFC 7335 made forwardable, and of documentation.
MARTIANS = tuple(
    IPv4Network(text)
    for text in (
        *("169.254.0.0/16", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
        *("192.0.0.8/29", "192.0.0.16/28", "192.0.0.32/27", "192.0.0.64/26", "192.0.0.128/25"),
    )
)


# --- single values --------------------------------------------------------------------------------


def _any_or_prefix(value: Any) -> IPv4Network | None:
    if value is None or value == "any":
        return None
    require(isinstance(value, str | IPv4Network))
    network = IPv4Network(value, strict=False)
    address = str(value).partition("/")[0]
    require(
        address == str(network.network_address), f'no bits set behind the prefix, as "{network}"'
    )
    return network


def _protocol(value: Any) -> int | None:
    if value is None or value == "any":
        return None
    if isinstance(value, str):
        require(value in PROTOCOLS)
        return PROTOCOLS[value]
    require(type(value) is int and 0 <= value <= 255)
    return int(value)


def _port_range(value: Any) -> tuple[int, int] | None:
    if value is None or value == "any":
        return None
    if isinstance(value, tuple | list):
        value = "-".join(map(str, value))
    found = PORT_RANGE.fullmatch(str(value)) if type(value) in (int, str) else None
    require(found)
    assert found is not None
    low, high = int(found[1]), int(found[2] or found[1])
    require(high <= 65535)
    require(low <= high, "a range from its lower to its higher port")
    return low, high


def _tcp_flags(value: Any) -> dict[str, bool] | None:
    if value is None:
        return None
    if isinstance(value, dict):
        value = [name if wanted else f"!{name}" for name, wanted in value.items()]
    require(isinstance(value, list) and value)
    flags: dict[str, bool] = {}
    for one in value:
        require(isinstance(one, str) and one.removeprefix("!") in TCP_FLAGS)
        name = one.removeprefix("!")
        if name in flags:
            raise Refused(f'each flag once, "{name}" is there twice')
        flags[name] = not one.startswith("!")
    return flags


def _martian(value: Any) -> IPv4Network:
    network = config_rules.NETWORK.parse(value)
    require(network.prefixlen, "a prefix length from 1 to 32 behind the slash")
    assert isinstance(network, IPv4Network)
    return network


PREFIX = Rule('"any", an IPv4 prefix or an address, as "10.2.0.0/16"', _any_or_prefix)
PROTOCOL = Rule('"any", a number from 0 to 255, or one of ' + ", ".join(PROTOCOLS), _protocol)
PORT_NUMBERS = Rule('"any", a port from 0 to 65535, or a range, as "1024-65535"', _port_range)
FLAGS = Rule(
    'a list of flags that are set or, with "!", are not, as ["syn", "!ack"], of '
    + ", ".join(TCP_FLAGS),
    _tcp_flags,
)
ACTION = choice("permit", "drop", "reject")


# --- tables ---------------------------------------------------------------------------------------


class Martians(BaseModel):
    """`[martians]`: prefixes beside the built-in ones that no packet may come from or go to.

    A route of the same prefix or a longer one wins over them. add: more. allow: these are none,
    the built-in ones too; RFC 1812's own (0/8, 127/8, 224/4, 240/4) stay.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    add: Annotated[
        list[Annotated[IPv4Network, Rule(config_rules.NETWORK.expected, _martian)]],
        Expected("a list of IPv4 prefixes"),
    ] = []
    allow: Annotated[
        list[Annotated[IPv4Network, config_rules.NETWORK]], Expected("a list of IPv4 prefixes")
    ] = []

    def prefixes(self) -> list[IPv4Network]:
        """Return all of them, with holes where some are allowed."""
        left = [*MARTIANS, *self.add]
        for hole in self.allow:
            left = [part for network in left for part in _without(network, hole)]
        return sorted(set(left))


def _without(network: IPv4Network, hole: IPv4Network) -> Iterator[IPv4Network]:
    if not network.overlaps(hole):
        yield network
    elif hole.prefixlen > network.prefixlen:
        yield from collapse_addresses(network.address_exclude(hole))


class Filter(BaseModel):
    """`[[filter]]`: a rule of the packet filter; of those of a port the first that fits decides.

    ports: of ingress, all of them where none is named; the key is `port`. reject: drop, and tell
    the source so (ICMP 3/13). A range of ports is a pair.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Annotated[Action, ACTION]
    ports: Annotated[
        list[Annotated[str, config_rules.name(15, "a port's name")]],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        Expected("a port's name, or a list of them"),
    ] = Field(default=[], alias="port")
    source: Annotated[IPv4Network | None, PREFIX] = None
    destination: Annotated[IPv4Network | None, PREFIX] = None
    protocol: Annotated[int | None, PROTOCOL] = None
    source_port: Annotated[tuple[int, int] | None, PORT_NUMBERS] = None
    destination_port: Annotated[tuple[int, int] | None, PORT_NUMBERS] = None
    tcp_flags: Annotated[dict[str, bool] | None, FLAGS] = None
    icmp_type: Annotated[int | None, integer(0, 255)] = None
