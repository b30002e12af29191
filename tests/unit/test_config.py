# SPDX-License-Identifier: MIT
"""A configuration is read as it is written, or refused; nothing else ever happens."""

import contextlib
import copy
import pickle
import socket
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twinroute.config import Config, build_config, load_config, parse_config
from twinroute.errors import ConfigError, TwinrouteError

pytestmark = pytest.mark.no_sanitizer

P0 = '[port.p0]\naddress = "10.0.0.1/24"\n'
P1 = '[port.p1]\naddress = "10.0.1.1/24"\n'
PORTS = P0 + P1


# --- the file -------------------------------------------------------------------------------------


def line_of(path: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 1
    return str(caught.value)


def test_what_is_no_file_is_told(tmp_path: Path):
    here = str(tmp_path)
    assert line_of(f"{here}/no") == f"{here}/no: expected a TOML file, there is no such file"
    assert line_of(here) == f"{here}: expected a TOML file, this is a directory"
    assert line_of(f"{here}/{'x' * 300}").endswith(": expected a TOML file: File name too long")
    assert line_of("a\0b") == r"a\x00b: expected a TOML file: embedded null byte"
    assert line_of("a\nb") == r"a\nb: expected a TOML file, there is no such file"
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{here}/socket")
    assert line_of(f"{here}/socket").startswith(f"{here}/socket: expected a TOML file: ")
    server.close()


def test_what_is_no_text_is_told(tmp_path: Path):
    path = tmp_path / "router.toml"
    path.write_bytes(PORTS.encode() + b"# caf\xe9\n")
    found = line_of(path)
    assert found == f"{path}:5: expected UTF-8 text, found byte 0xe9 at offset {len(PORTS) + 5}"
    path.write_bytes(b"")
    assert line_of(path).endswith("the file is empty")
    assert line_of("/dev/zero") == "/dev/zero: expected a TOML file of at most 64 MiB"


def test_paths_are_relative_to_the_file(tmp_path: Path):
    (tmp_path / "routes.txt").write_text("10.2.0.0/16 via 10.0.0.2\n")
    (tmp_path / "cpu.toml").touch()
    path = tmp_path / "router.toml"
    text = PORTS + '[[route_file]]\npath = "routes.txt"\n[sim]\nprofile = "cpu.toml"\n'
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    config = load_config(str(path))
    assert config.path == path
    assert config.route_files[0].path == tmp_path / "routes.txt"
    assert config.sim.profile == str(tmp_path / "cpu.toml")


# --- good ones ------------------------------------------------------------------------------------

FULL = """
[router]
name = "edge-1"
[fast_path]
units = 4
scatter = "split"
lpm = "compact"
rebatch = true
rebatch_us = 5
[slow_path]
punt_ring = 2
icmp_errors_per_s = 0
[options]
timestamp = "process"
unknown = "drop"
[port.b]
address = ["192.0.2.1/30", "198.51.100.1/32", "172.16.0.0/31"]
mac = "0A-00-00-00-00-0B"
mtu = 68
[port.a]
address = "10.0.0.1/8"
[[route]]
to = "0.0.0.0/0"
via = "192.0.2.2"
port = "b"
[[route]]
to = "203.0.113.7/32"
kind = "prohibit"
preference = 0
[[neighbor]]
port = "a"
address = "10.0.0.2"
mac = "02:00:00:00:00:02"
[sim]
seed = 18446744073709551615
neighbors = "silent"
[sim.port.a]
rate = "2.5G"
delay_us = 1
[sim.port.b]
rate = "unlimited"
"""


def test_a_full_configuration_is_read_as_written():
    config = parse_config(FULL)
    assert config.name == "edge-1"
    assert config.path is None
    assert (config.fast_path.units, config.fast_path.scatter) == (4, "split")
    assert config.fast_path.lpm == "compact"
    assert config.fast_path.rebatch_us == 5.0
    assert (config.slow_path.punt_ring, config.slow_path.icmp_errors_per_s) == (2, 0)
    assert (config.options.timestamp, config.options.unknown) == ("process", "drop")
    assert list(config.ports) == ["b", "a"]
    b = config.ports["b"]
    addresses = ["192.0.2.1/30", "198.51.100.1/32", "172.16.0.0/31"]
    assert b.addresses == [IPv4Interface(text) for text in addresses]
    assert (b.mac, b.mtu) == ("0a:00:00:00:00:0b", 68)
    assert config.routes[0].to == IPv4Network("0.0.0.0/0")
    assert (config.routes[0].via, config.routes[0].port) == ([IPv4Address("192.0.2.2")], "b")
    assert (config.routes[1].kind, config.routes[1].preference) == ("prohibit", 0)
    assert config.neighbors[0].mac == "02:00:00:00:00:02"
    assert config.sim.seed == 2**64 - 1
    assert config.sim.port["a"].rate == 2_500_000_000
    assert config.sim.port["b"].rate == 0


def test_a_port_may_have_no_address():
    config = parse_config('[port.a]\nup = false\n[port.b]\naddress = "10.0.0.1/24"\n')
    assert [(port.addresses, port.up) for port in config.ports.values()] == [
        ([], False),
        ([IPv4Interface("10.0.0.1/24")], True),
    ]


def test_metrics_of_routes():
    """One route for a destination and metric; 0 if none is given."""
    two = 'to = "1.0.0.0/8"\nkind = "prohibit"\n'
    text = f"{PORTS}[[route]]\n{two}[[route]]\n{two}metric = 65535\n"
    assert [route.metric for route in parse_config(text).routes] == [0, 65535]


def test_defaults():
    config = parse_config(PORTS)
    assert config.name == "router"
    assert [port.mac for port in config.ports.values()] == [
        "02:54:52:00:00:00",
        "02:54:52:00:00:01",
    ]
    assert [port.mtu for port in config.ports.values()] == [1500, 1500]
    assert config.fast_path.burst == 64
    assert [name for name, policy in config.options if policy == "drop"] == [
        *("loose_source_route", "strict_source_route", "record_route", "timestamp", "stream_id"),
        *("obsolete", "experimental"),
    ]
    assert {policy for _, policy in config.options} == {"drop", "ignore"}
    assert (config.routes, config.route_files, config.neighbors) == ([], [], [])
    assert list(config.sim.port) == ["p0", "p1"]
    assert config.sim.port["p0"].rate == 10**10


def test_routers_of_other_names_have_other_macs():
    def first(name: str) -> str:
        return parse_config(f'[router]\nname = "{name}"\n{PORTS}').ports["p0"].mac

    macs = {first(name) for name in ("router", *(f"r{i}" for i in range(10)))}
    assert len(macs) == 11
    assert first("r1") == first("r1")


def test_a_configuration_does_not_change():
    config = parse_config(PORTS)
    with pytest.raises(ValueError, match="frozen"):
        config.fast_path.burst = 1
    assert copy.deepcopy(config) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert Config.model_validate_json(config.model_dump_json(by_alias=True)) == config


def test_code_is_checked_as_a_file_is():
    tables = {"port": {"p0": {"address": "10.0.0.1/24"}, "p1": {"address": "10.0.1.1/24"}}}
    assert build_config(tables) == parse_config(PORTS)
    with pytest.raises(ConfigError, match=r"^<code>: port.p0.mtu = 1: expected an integer"):
        build_config({"port": {"p0": {"address": "10.0.0.1/24", "mtu": 1}}})


def test_errors_survive_a_process_border():
    error = pickle.loads(pickle.dumps(ConfigError(["a", "b"])))
    assert error.problems == ["a", "b"]
    assert isinstance(error, TwinrouteError)


# --- anything -------------------------------------------------------------------------------------

KNOWN = st.sampled_from(
    [
        "router",
        "fast_path",
        "slow_path",
        "options",
        "timestamp",
        "port",
        "route",
        "route_file",
        "neighbor",
        "sim",
        "name",
        "units",
        "burst",
        "scatter",
        "rebatch",
        "tx_flush_us",
        "punt_ring",
        "address",
        "mac",
        "mtu",
        "to",
        "via",
        "kind",
        "preference",
        "path",
        "seed",
        "profile",
        "rate",
        "p0",
        "p1",
        "[key]",
    ]
)
TEXTS = st.sampled_from(
    ["10.0.0.1/24", "10.0.0.2", "0.0.0.0/0", "via", "blackhole", "10G", "p0", "02:00:00:00:00:01",
     ".", "\0", "\u2028", "/", "10.0.0.1/99999999999999999999", "9" * 5000]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), TEXTS, st.dates(),
    st.datetimes(), st.times(), st.integers(2, 9).map(lambda n: (-1) ** n << 10000 * n),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(KNOWN | st.text(max_size=9), inner, max_size=5)
    ),
    max_leaves=20,
)


def problems(tables: dict[str, object]) -> list[str]:
    """Build a configuration; return what is wrong with it. Nothing but ConfigError may happen."""
    try:
        build_config(tables)
    except ConfigError as error:
        return error.problems
    return []


@given(st.dictionaries(KNOWN | st.text(max_size=9), VALUES, max_size=6))
@example({"port": {"[key]": {"[key]": 1}}})
@example({"port": {"p0": {"address": [["10.0.0.1/24"]]}}})
def test_any_tables_are_taken_or_refused_in_lines(tables: dict[str, object]):
    found = problems(tables)
    assert found or "port" in tables
    for line in found:
        assert line.startswith("<code>: ")
        assert line.isprintable()
        assert len(line) < 1000


@given(st.sampled_from(["address", "mac", "mtu"]), VALUES)
def test_any_value_of_a_port_is_taken_or_named(key: str, value: object):
    for line in problems({"port": {"p0": {"address": "10.0.0.1/24"} | {key: value}}}):
        assert line.startswith(f"<code>: port.p0.{key}")


@given(st.text())
def test_any_text_is_refused(text: str):
    with pytest.raises(ConfigError):
        parse_config(text)


@given(st.integers(0, len(FULL)), st.text(max_size=3))
def test_a_damaged_file_is_taken_or_refused(place: int, damage: str):
    with contextlib.suppress(ConfigError):
        parse_config(FULL[:place] + damage + FULL[place + len(damage) :])
