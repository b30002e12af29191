# SPDX-License-Identifier: MIT
"""The configuration of martians, packet filter, reverse path and forwarding; and its reload."""

from ipaddress import IPv4Network
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import packets as p
from tests import worlds as w
from twinroute.config import build_config, parse_config
from twinroute.config_filters import MARTIANS, Martians
from twinroute.errors import ConfigError
from twinroute.reload import reload
from twinroute.sim import Bench, RouterFaults

P0 = '[port.p0]\naddress = "10.0.0.1/24"\n'
FILTER = f'{P0}[[filter]]\naction = "drop"\n'


# --- good ones ------------------------------------------------------------------------------------


def test_defaults() -> None:
    config = parse_config(P0)
    port = config.ports["p0"]
    assert (port.urpf, port.forwarding, port.filter_default) == ("off", True, "permit")
    assert (config.forwarding, config.filters) == (True, [])
    assert config.martians.prefixes() == sorted(MARTIANS)


def test_a_rule_is_read_as_written() -> None:
    rule = """port = ["p0"]
        source = "10.0.0.0/8"
        destination = "198.18.0.1"
        protocol = "tcp"
        source_port = "1024-65535"
        destination_port = 80
        tcp_flags = ["syn", "!ack"]
    """
    (found,) = parse_config(FILTER + rule).filters
    assert found.ports == ["p0"]
    assert (found.source, found.destination) == (
        IPv4Network("10.0.0.0/8"),
        IPv4Network("198.18.0.1/32"),
    )
    assert (found.protocol, found.source_port, found.destination_port) == (
        6,
        (1024, 65535),
        (80, 80),
    )
    assert found.tcp_flags == {"syn": True, "ack": False}
    (found,) = parse_config(FILTER + 'source = "any"\nprotocol = "any"\nport = "p0"').filters
    assert (found.source, found.protocol, found.ports) == (None, None, ["p0"])
    assert parse_config(FILTER + "protocol = 255").filters[0].protocol == 255


def test_a_configuration_survives_its_own_values() -> None:
    """What a rule makes of a value is a value too."""
    rule = 'protocol = "tcp"\ntcp_flags = ["!syn"]\nsource_port = "1-2"\nsource = "1.0.0.0/9"'
    (found,) = parse_config(FILTER + rule).filters
    tables = {
        "port": {"p0": {"address": "10.0.0.1/24"}},
        "filter": [found.model_dump(by_alias=True)],
    }
    assert build_config(tables).filters == [found]


ALLOWED = st.builds(
    lambda net, bits, at: IPv4Network((int(net[at % net.num_addresses]), bits), strict=False),
    st.sampled_from(MARTIANS),
    st.integers(8, 32),
    st.integers(0, 1 << 20),
)


@given(st.lists(ALLOWED, max_size=4), st.lists(ALLOWED, max_size=3))
def test_what_is_allowed_is_a_hole(allow: list[IPv4Network], add: list[IPv4Network]) -> None:
    prefixes = Martians(allow=allow, add=add).prefixes()
    whole = [*MARTIANS, *add]
    for net in [*whole, *allow]:
        first, last = int(net.network_address), int(net.broadcast_address)
        for address in (first - 1, first, first + 1, last - 1, last, last + 1):
            one = IPv4Network(address)
            inside = any(one.subnet_of(net) for net in whole)
            free = any(one.subnet_of(net) for net in allow)
            assert any(one.subnet_of(net) for net in prefixes) == (inside and not free)


# --- bad ones -------------------------------------------------------------------------------------

PREFIX = 'expected "any", an IPv4 prefix or an address, as "10.2.0.0/16"'
PORTS = 'expected "any", a port from 0 to 65535, or a range, as "1024-65535"'
FLAGS = 'expected a list of flags that are set or, with "!", are not, as ["syn", "!ack"], of fin,'
BAD = {
    "no action": (f"{P0}[[filter]]\n", "filter[1].action: required key is missing: expected"),
    "action": (
        f'{P0}[[filter]]\naction = "deny"',
        'filter[1].action = "deny": expected "permit", "drop" or "reject"',
    ),
    "key": (FILTER + "sorce = 1", "filter[1].sorce = 1: unknown key, expected action, port, sou"),
    "port": (FILTER + 'port = "p9"', 'filter[1].port = "p9": expected a port of this configurat'),
    "ports": (FILTER + 'port = ["p0", "p9"]', 'filter[1].port[2] = "p9": expected a port of this'),
    "port number": (
        FILTER + "port = 7",
        "filter[1].port = 7: expected a port's name, or a list of",
    ),
    "source": (FILTER + 'source = "all"', f'filter[1].source = "all": {PREFIX}'),
    "source bits": (
        FILTER + 'source = "10.0.0.1/24"',
        'filter[1].source = "10.0.0.1/24": expected no bits set behind the prefix, as "10',
    ),
    "destination": (FILTER + "destination = 1", f"filter[1].destination = 1: {PREFIX}"),
    "length": (FILTER + 'source = "10.0.0.0/33"', f'filter[1].source = "10.0.0.0/33": {PREFIX}'),
    "protocol": (
        FILTER + 'protocol = "http"',
        'filter[1].protocol = "http": expected "any", a number from 0 to 255, or one of icmp,',
    ),
    "protocol number": (FILTER + "protocol = 256", "filter[1].protocol = 256: expected"),
    "ports of what has none": (
        FILTER + 'protocol = "gre"\nsource_port = 1',
        'filter[1].source_port = 1: expected protocol = "tcp", "udp" or another that has ports',
    ),
    "ports of anything": (
        FILTER + "destination_port = 1",
        'filter[1].destination_port = 1: expected protocol = "tcp", "udp" or another that has',
    ),
    "port too high": (
        FILTER + 'protocol = "udp"\nsource_port = 65536',
        f"filter[1].source_port = 65536: {PORTS}",
    ),
    "negative port": (
        FILTER + 'protocol = "udp"\nsource_port = -1',
        f"filter[1].source_port = -1: {PORTS}",
    ),
    "port's name": (
        FILTER + 'protocol = "udp"\nsource_port = "dns"',
        f'filter[1].source_port = "dns": {PORTS}',
    ),
    "range": (
        FILTER + 'protocol = "udp"\nsource_port = "9-8"',
        'filter[1].source_port = "9-8": expected a range from its lower to its higher port',
    ),
    "flags": (
        FILTER + 'protocol = "tcp"\ntcp_flags = ["sin"]',
        f'filter[1].tcp_flags = ["sin"]: {FLAGS}',
    ),
    "no flags": (
        FILTER + 'protocol = "tcp"\ntcp_flags = []',
        f"filter[1].tcp_flags = []: {FLAGS}",
    ),
    "flag twice": (
        FILTER + 'protocol = "tcp"\ntcp_flags = ["syn", "!syn"]',
        'filter[1].tcp_flags = ["syn", "!syn"]: expected each flag once, "syn" is there twice',
    ),
    "flags of UDP": (
        FILTER + 'protocol = "udp"\ntcp_flags = ["syn"]',
        'filter[1].tcp_flags = ["syn"]: expected protocol = "tcp" with it',
    ),
    "type of UDP": (
        FILTER + 'protocol = "udp"\nicmp_type = 8',
        'filter[1].icmp_type = 8: expected protocol = "icmp" with it',
    ),
    "too many": (
        P0 + '[[filter]]\naction = "drop"\n' * 255,
        'filter = [{action = "drop"}, {action = "drop"}, {action = "drop"}',
    ),
    "urpf": (
        P0 + 'urpf = "on"',
        'port.p0.urpf = "on": expected "off", "strict", "feasible", "loose" or "loose-no-default"',
    ),
    "filter_default": (
        P0 + 'filter_default = "deny"',
        'port.p0.filter_default = "deny": expected "permit", "drop" or "reject"',
    ),
    "forwarding": (P0 + "forwarding = 0", "port.p0.forwarding = 0: expected true or false"),
    "router": (
        P0 + "[router]\nforwarding = 1",
        "router.forwarding = 1: expected true or false",
    ),
    "martian": (
        P0 + '[martians]\nadd = ["10.0.0.1/8"]',
        'martians.add[1] = "10.0.0.1/8": expected no bits set behind the prefix',
    ),
    "all": (
        P0 + '[martians]\nadd = ["0.0.0.0/0"]',
        'martians.add[1] = "0.0.0.0/0": expected a prefix length from 1 to 32 behind the slash',
    ),
    "RFC 1812's own": (
        P0 + '[martians]\nallow = ["127.0.0.0/8"]',
        'martians.allow[1] = "127.0.0.0/8": expected a destination outside 0.0.0.0/8,',
    ),
    "no list": (
        P0 + '[martians]\nallow = "192.0.2.0/24"',
        'martians.allow = "192.0.2.0/24": expected a list of IPv4 prefixes',
    ),
    "too many martians": (
        P0 + "[martians]\nadd = [" + ",".join(f'"9.9.{i}.0/24"' for i in range(250)) + "]",
        'martians = {add = ["9.9.0.0/24"',
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_problem_is_one_line(case: str) -> None:
    text, expected = BAD[case]
    with pytest.raises(ConfigError) as caught:
        parse_config(text, source="r.toml")
    (line,) = caught.value.problems
    assert line.startswith(f"r.toml: {expected}")


# --- reload ---------------------------------------------------------------------------------------


def bed(*rules: str, default: str = "permit", **config: Any) -> Any:
    """Return the configuration of the test bed with rules by destination ports."""
    table = '[[filter]]\naction = "{}"\nprotocol = "udp"\ndestination_port = {}\n'
    text = "".join(table.format(*rule.split()) for rule in rules)
    return w.bed_config(routes=text, port={w.P1: {"filter_default": default}}, **config)


def world(config: Any, *, ring_full: float = 0.0, **options: Any) -> Bench:
    bench = Bench(guard_tables=True, **options)
    router = bench.router(config, faults=RouterFaults(ring_full=ring_full))
    for port in router.ports:
        bench.link(bench.station(f"at {port}"), router.port(port), rate="unlimited")
    bench.settle()
    return bench


def send(bench: Bench, *ports: int) -> list[int]:
    """Send a datagram to each port; return the ports of those that were forwarded."""
    frames = [p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, p.udp(1, port))) for port in ports]
    out = w.exchange(bench, w.P1, frames)[w.P2]
    return sorted(int.from_bytes(frame[36:38]) for frame in out)


def counts(bench: Bench) -> list[tuple[str, str, int]]:
    return [(one.action, one.match.rpartition(" ")[2], one.packets) for one in bench.only.filters()]


@pytest.mark.parametrize("units", [1, 3])
def test_rules_change_and_those_that_stay_keep_their_counters(units: int) -> None:
    fast = {"units": units}
    old = bed("drop 7", "reject 8", fast=fast)
    new = bed("drop 10", "drop 7", default="drop", fast=fast)
    bench = world(old)
    assert send(bench, 7, 8, 8, 9, 10) == [9, 10]
    assert counts(bench) == [("drop", "7", 1), ("reject", "8", 2)]
    done = reload(bench.only, "sim", old, new)
    assert done.summary()["filters"] is True
    bench.settle()
    assert counts(bench) == [("drop", "10", 0), ("drop", "7", 1), ("drop", "any", 0)]
    assert send(bench, 7, 8, 9, 10, 10) == []
    assert counts(bench) == [("drop", "10", 2), ("drop", "7", 2), ("drop", "any", 2)]
    assert reload(bench.only, "sim", new, new).summary()["filters"] is False
    reload(bench.only, "sim", new, bed(fast=fast))
    bench.settle()
    assert send(bench, 7, 8, 9) == [7, 8, 9]
    assert counts(bench) == []


def test_equal_rules_keep_their_counters_in_order() -> None:
    """Also where one of two is taken out, and where only the order changes."""
    old, new = bed("drop 7", "drop 8", "drop 7"), bed("drop 8", "drop 7")
    bench = world(old)
    send(bench, 7, 8, 8)
    reload(bench.only, "sim", old, new)
    bench.settle()
    assert counts(bench) == [("drop", "8", 2), ("drop", "7", 1)]


def test_a_counter_that_is_used_again_begins_anew() -> None:
    configs = [bed(f"drop {i}", "drop 7") for i in range(20, 24)]
    bench = world(configs[0])
    for i, (old, new) in enumerate(pairwise(configs)):
        assert send(bench, 20 + i, 20 + i, 7, 9) == [9]
        assert counts(bench) == [("drop", str(20 + i), 2), ("drop", "7", i + 1)]
        reload(bench.only, "sim", old, new)
        bench.settle()
        assert counts(bench)[0] == ("drop", str(21 + i), 0)


def test_of_many_changes_at_once_the_last_counts() -> None:
    """They come faster than the units can acknowledge."""
    configs = [bed(*(f"drop {port}" for port in range(i, i + 9))) for i in range(40)]
    bench = world(configs[0])
    for config in configs[1:]:
        bench.only.filters_set(config)
    bench.settle()
    assert send(bench, *range(60)) == [*range(39), *range(48, 60)]


@pytest.mark.parametrize("seed", range(5))
def test_changes_survive_rings_that_seem_full(seed: int) -> None:
    configs = [bed(f"drop {port}", fast={"units": 2}) for port in range(10)]
    bench = world(configs[0], seed=seed, ring_full=0.9)
    for config in configs[1:]:
        bench.only.filters_set(config)
        bench.run(us=30)
    bench.settle()
    assert [one.match.rpartition(" ")[2] for one in bench.only.filters()] == ["9"]
    assert send(bench, 9) == []


def test_under_traffic_each_packet_meets_one_set_of_rules() -> None:
    """Old or new, whole: what both let pass always passes, what both drop never does."""
    one, two = bed("drop 7", "drop 8"), bed("drop 8", "drop 9")
    bench = world(one, profile="default")
    router = bench.only
    for i in range(3000):
        frame = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, p.udp(1, 7 + i % 4), ident=i))
        router.port(w.P1).send(frame, at_us=bench.now_us + i * 0.1)
    for i in range(20):
        bench.run(us=10)
        router.filters_set((two, one)[i % 2])
    bench.run_until_idle()
    bench.check_conservation()
    passed = [int.from_bytes(frame[36:38]) for frame in w.received(bench, w.P2)]
    assert (passed.count(8), passed.count(10)) == (0, 750)
    assert 0 < passed.count(7) < 750
    assert 0 < passed.count(9) < 750
    assert passed.count(7) + passed.count(9) + 750 + router.counters().dropped["filtered"] == 3000


def test_other_keys_of_filters_are_refused() -> None:
    old = w.bed_config()
    bench = world(old)
    for key, value in (("urpf", "loose"), ("forwarding", False)):
        new = w.bed_config(port={w.P1: {key: value}})
        with pytest.raises(ConfigError, match=rf"port\.p1\.{key} = .* while the router runs"):
            reload(bench.only, "sim", old, new)
