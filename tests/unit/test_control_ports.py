# SPDX-License-Identifier: MIT
"""Ports by way of the control socket: down and up by command, and changed by a reload."""

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from tests import packets as p
from tests.control_bed import GATEWAY, HOST, TABLES, Bed, bed, toml
from twinroute.config import load_config
from twinroute.control_client import Refused


def port_of(r1: Bed, name: str) -> dict[str, Any]:
    """Return what show.ports says of a port."""
    (port,) = [one for one in r1.call("show.ports")["ports"] if one["name"] == name]
    return dict(port)


def usable(r1: Bed) -> dict[str, bool]:
    """Return whether routes are used, by destination."""
    with r1.client() as client:
        stream = client.stream("show.routes")
        return {row["to"]: row["usable"] for event in stream for row in event["routes"]}


def written(path: Path, **ports: dict[str, Any]) -> None:
    """Write the configuration file with other keys for some ports."""
    text = toml(TABLES | {"port": {**TABLES["port"], **ports}})
    path.write_text(text.replace("True", "true").replace("False", "false"))


def test_a_port_goes_down_and_comes_up(tmp_path: Path) -> None:
    """RFC 1812 3.3.6: what goes by it is out of use when the answer comes."""
    with bed(tmp_path) as r1:
        assert r1.call("port.down", port="p1") == {}
        found = port_of(r1, "p1")
        assert (found["enabled"], found["link_up"], found["usable"]) == (False, True, False)
        assert r1.call("route.lookup", address="198.18.0.1")["kind"] == "none"
        assert (usable(r1)["198.18.0.0/16"], usable(r1)["10.0.0.0/24"]) == (False, True)
        assert r1.call("port.up", port="p1") == {}
        assert port_of(r1, "p1")["usable"] is True
        assert r1.call("route.lookup", address="198.18.0.1")["via"] == GATEWAY
        assert set(usable(r1).values()) == {True}
        for method in ("port.up", "port.down"):
            with pytest.raises(Refused, match=r"port = p9: expected one of p0, p1$"):
                r1.call(method, port="p9")


def test_a_reload_leaves_a_port_as_it_was_put_by_hand(tmp_path: Path) -> None:
    """It changes what has changed in the file."""
    file = tmp_path / "r1.toml"
    address = {"address": "10.0.1.1/24"}
    written(file, p1=address)
    with bed(tmp_path, load_config(file)) as r1:
        r1.call("port.down", port="p1")
        written(file, p1={**address, "mtu": 1400})
        assert r1.call("config.reload")["ports"] == ["p1"]
        assert (port_of(r1, "p1")["enabled"], port_of(r1, "p1")["mtu"]) == (False, 1400)
        written(file, p1={**address, "up": False})
        assert r1.call("config.reload")["ports"] == ["p1"]
        r1.call("port.up", port="p1")
        assert r1.call("config.reload")["ports"] == []
        assert port_of(r1, "p1")["enabled"] is True
        written(file, p1=address)
        r1.call("port.down", port="p1")
        assert r1.call("config.reload")["ports"] == ["p1"]
        assert port_of(r1, "p1")["enabled"] is True


def test_an_address_is_added_by_a_reload(tmp_path: Path) -> None:
    """With a route through it, in one go; it is in use once it was probed (RFC 5227 2.1)."""
    file = tmp_path / "r1.toml"
    written(file)
    with bed(tmp_path, load_config(file)) as r1:
        tables = {"port": {**TABLES["port"], "p1": {"address": ["10.0.1.1/24", "10.0.7.1/24"]}}}
        routes = [*TABLES["route"], {"to": "198.19.0.0/16", "via": "10.0.7.2"}]
        file.write_text(toml(TABLES | tables | {"route": routes}))
        # The station of the bench has every address: it keeps quiet, so that it has none.
        done = r1.call("config.reload")
        assert (done["ports"], done["routes_set"]) == (["p1"], 1)
        states = {"10.0.1.1/24": "in use", "10.0.7.1/24": "probing"}
        assert port_of(r1, "p1")["address_states"] == states
        assert usable(r1)["198.19.0.0/16"] is False
        r1.do(r1.bench.run, us=10_000_000)
        assert set(port_of(r1, "p1")["address_states"].values()) == {"in use"}
        assert usable(r1)["198.19.0.0/16"] is True
        assert r1.call("route.lookup", address="198.19.0.1")["via"] == "10.0.7.2"
        file.write_text(toml())
        assert r1.call("config.reload")["routes_deleted"] == 1
        assert r1.call("route.lookup", address="10.0.7.1")["kind"] == "none"


def test_a_refused_reload_leaves_the_ports_alone(tmp_path: Path) -> None:
    """A line of a route file is wrong: what was to be added is no subnet to check against."""
    file, routes = tmp_path / "r1.toml", tmp_path / "routes.txt"
    written(file)
    routes.write_text("100.0.0.0/8 via 10.0.7.2\nnonsense\n")
    with bed(tmp_path, load_config(file)) as r1:
        port = {"address": ["10.0.1.1/24", "10.0.7.1/24"], "mtu": 1400}
        tables = TABLES | {"port": {**TABLES["port"], "p1": port}}
        file.write_text(toml(tables | {"route_file": [{"path": str(routes)}]}))
        with pytest.raises(Refused, match=r"routes\.txt:2: 'nonsense'"):
            r1.call("config.reload")
        assert port_of(r1, "p1")["addresses"] == ["10.0.1.1/24"]
        with pytest.raises(Refused, match="gateway on a connected subnet expected"):
            r1.call("route.add", to="100.0.0.0/8", via="10.0.7.2")
        routes.write_text("100.0.0.0/8 via 10.0.7.2\n")
        assert r1.call("config.reload")["routes_set"] == 1
        assert r1.call("route.add", to="101.0.0.0/8", via="10.0.7.2") == {}


def test_nothing_is_lost_by_a_reload(tmp_path: Path) -> None:
    """RFC 1812 10.3.2.3, 10.3.2.6: MTU and addresses of ports change amid traffic of another."""
    file = tmp_path / "r1.toml"
    third = {"address": "10.0.9.1/24"}
    written(file, p2=third)
    with bed(tmp_path, load_config(file)) as r1:

        def traffic() -> None:
            for ident in range(1000):
                at = r1.bench.now_us + ident
                r1.bench.port("p0").send(r1.frame(ident=ident), at_us=at)

        r1.do(traffic)
        written(file, p2={**third, "mtu": 1000})
        r1.call("config.reload")
        written(file, p2={"address": ["10.0.9.1/24", "10.0.8.1/24"]})
        r1.call("config.reload")
        r1.do(r1.bench.run_until_idle)
        frames = r1.do(r1.bench.port("p1").received)
        idents = [p.ip_fields(p.ip_of(one.data))["ident"] for one in frames]
        assert idents == list(range(1000))
        assert IPv4Address(HOST) in {one.address for one in r1.router.neighbors()}
