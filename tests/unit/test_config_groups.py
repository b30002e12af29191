# SPDX-License-Identifier: MIT
"""The keys of the configuration for groups and multicast routes: what is read, what is refused."""

from ipaddress import IPv4Address

import pytest

from tests.refusals import refusal
from twinroute.config import parse_config

PORT = '[port.p0]\naddress = "10.0.0.1/24"\n'
PORTS = PORT + '[port.p1]\naddress = "10.0.1.1/24"\n'


def route(text: str, *, start: str = 'from = "p0"\nto = ["p1"]\n') -> str:
    """Return a configuration with one multicast route."""
    return f"{PORTS}[[multicast_route]]\n{start}{text}"


def test_defaults() -> None:
    port = parse_config(PORTS).ports["p0"]
    assert not port.receive_directed_broadcast
    assert not port.forward_directed_broadcast
    assert IPv4Address("224.0.0.5") in port.groups
    assert port.ttl_threshold == 1
    assert port.redirects


def test_a_multicast_route() -> None:
    config = parse_config(route('group = "239.1.1.1"'))
    (one,) = config.multicast_routes
    assert (one.source, one.group, one.port, one.to) == (
        None,
        IPv4Address("239.1.1.1"),
        "p0",
        ["p1"],
    )


GROUP = 'group = "239.1.1.1"'
BAD = {
    "group": (PORT + 'groups = ["10.0.0.1"]', 'port.p0.groups[1] = "10.0.0.1": expected a multi'),
    "groups": (PORT + 'groups = "224.0.0.5"', "port.p0.groups"),
    "switch": (
        PORT + "receive_directed_broadcast = 1",
        "port.p0.receive_directed_broadcast = 1: expected true or false",
    ),
    "threshold": (
        PORT + "ttl_threshold = 0",
        "port.p0.ttl_threshold = 0: expected an integer from 1 to 255",
    ),
    "link": (
        route('group = "224.0.0.5"'),
        'multicast_route[1].group = "224.0.0.5": expected a multicast group outside 224.0.0.0/24',
    ),
    "unicast": (route('group = "10.1.1.1"'), 'multicast_route[1].group = "10.1.1.1": expected a'),
    "no group": (route(""), "multicast_route[1].group: required key is missing: expected a multi"),
    "source": (
        route(GROUP + '\nsource = "224.1.1.1"'),
        'multicast_route[1].source = "224.1.1.1": expected a unicast address',
    ),
    "from": (
        route(GROUP, start='from = "p9"\nto = ["p1"]\n'),
        'multicast_route[1].from = "p9": expected a port of this configuration: p0, p1',
    ),
    "to": (
        route(GROUP, start='from = "p0"\nto = ["p1", "p9"]\n'),
        'multicast_route[1].to[2] = "p9": expected a port of this configuration: p0, p1',
    ),
    "back": (
        route(GROUP, start='from = "p0"\nto = ["p1", "p0"]\n'),
        'multicast_route[1].to = ["p1", "p0"]: expected ports other than "p0"',
    ),
    "nowhere": (
        route(GROUP, start='from = "p0"\nto = []\n'),
        "multicast_route[1].to = []: expected a list of ports' names",
    ),
    "twice": (
        route(GROUP) + '\n[[multicast_route]]\nfrom = "p1"\nto = ["p0"]\n' + GROUP,
        'multicast_route[2].group = "239.1.1.1": expected one route for a source and group, multi',
    ),
    "too many routes": (
        PORTS
        + "".join(
            f'[[multicast_route]]\nfrom = "p0"\nto = ["p1"]\ngroup = "239.1.{i >> 8}.{i & 255}"\n'
            for i in range(257)
        ),
        "multicast_route = ",
    ),
    "too many groups": (
        PORT + "groups = [" + ", ".join(f'"239.1.{i >> 8}.{i & 255}"' for i in range(257)) + "]",
        "port.p0.groups = ",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_value_gets_a_line(case: str) -> None:
    text, expected = BAD[case]
    assert refusal(text).startswith(expected)
