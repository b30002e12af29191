# SPDX-License-Identifier: MIT
"""The methods of the control protocol, over a real socket, on a simulated router."""

import os
from ipaddress import IPv4Network
from pathlib import Path

import pytest

import twinroute
from tests.control_bed import GATEWAY, HOST, HOST_MAC, OTHER, OTHER_MAC, TABLES, Bed, bed, toml
from twinroute.config import build_config, load_config
from twinroute.control_client import Refused
from twinroute.control_methods import METHODS


@pytest.fixture
def r1(tmp_path: Path):
    with bed(tmp_path) as made:
        yield made


def routes(r1: Bed, **params) -> list[dict]:
    with r1.client() as client:
        stream = client.stream("show.routes", **params)
        rows = [row for event in stream for row in event["routes"]]
        assert stream.result["count"] == len(rows)
        return rows


# --- show -----------------------------------------------------------------------------------------


def test_ping(r1: Bed):
    assert r1.call("ping") == {
        "version": twinroute.__version__,
        "name": "r1",
        "backend": "sim",
        "pid": os.getpid(),
    }


def test_show_ports(r1: Bed):
    r1.exchange(r1.frame(), r1.frame())
    first, second = r1.call("show.ports")["ports"]
    assert (first["name"], first["addresses"], first["mtu"]) == ("p0", ["10.0.0.1/24"], 1500)
    assert first["mac"] == r1.config.ports["p0"].mac
    assert (first["link_up"], first["driver"]) == (True, "sim")
    assert (first["counters"]["received"], first["nic"]["received"]) == (2, 2)
    assert (second["counters"]["sent"], second["counters"]["sent_bytes"]) == (2, 120)


def test_show_routes(r1: Bed):
    rows = routes(r1)
    prefixes = [IPv4Network(row["to"]) for row in rows]
    assert prefixes == sorted(prefixes)
    (configured,) = routes(r1, source="config")
    assert configured == {
        "to": "198.18.0.0/16",
        "kind": "via",
        "via": GATEWAY,
        "port": "p1",
        "source": "config",
        "preference": 20,
        "mtu": 0,
        "paths": [{"via": GATEWAY, "port": "p1"}],
        "metric": 0,
        "usable": True,
    }
    assert {row["to"] for row in routes(r1, within="10.0.0.0/15", source="port")} >= {"10.0.0.0/24"}
    assert routes(r1, within="198.18.0.0/17") == []


def test_show_many_routes_in_events(r1: Bed):
    text = "".join(f"100.{n // 256}.{n % 256}.0/24 via {GATEWAY}\n" for n in range(1234))
    with r1.client() as client:
        assert client.load(text.encode(), name="x") == {"routes": 1234}
        stream = client.stream("show.routes", within="100.0.0.0/8")
        sizes = [len(event["routes"]) for event in stream]
    assert sizes == [500, 500, 234]
    assert stream.result["table"]["pending"] == 0


def test_show_neighbors(r1: Bed):
    entries = {one["address"]: one for one in r1.call("show.neighbors")["neighbors"]}
    assert entries[HOST] == {
        "address": HOST,
        "port": "p0",
        "mac": HOST_MAC,
        "state": "reachable",
        "static": True,
        "pending": 0,
    }


def test_show_counters_and_drops(r1: Bed):
    r1.exchange(r1.frame(), r1.frame("100.64.7.1"), r1.frame(ttl=1))
    counters = r1.call("show.counters")
    assert (counters["forwarded"], counters["received"]) == (1, {"p0": 3, "p1": 0})
    assert counters["dropped"] == {"no_route": 1, "ttl_expired": 1}
    assert counters["held"] == 0
    drops = r1.call("show.drops")
    (no_route,) = [one for one in drops["dropped"] if one["name"] == "no_route"]
    assert (no_route["packets"], no_route["rfc"]) == (1, "RFC1812 5.2.7.1")
    assert {one["name"] for one in drops["punted"] if one["packets"]} == {"no_route", "ttl_expired"}
    assert drops["nic"]["p0"] == {"missed": 0, "no_buffer": 0}
    fast, slow = (r1.call("show.counters", unit=unit) for unit in (0, 1))
    assert (fast["forwarded"], fast["dropped"]) == (1, {})
    assert (slow["generated"], slow["dropped"]) == (2, {"no_route": 1, "ttl_expired": 1})


def test_show_filters(tmp_path: Path):
    rule = {"action": "drop", "protocol": "udp", "destination": "198.18.0.0/15"}
    with bed(tmp_path, build_config({**TABLES, "filter": [rule]})) as r1:
        r1.exchange(r1.frame())
        assert r1.call("show.filters") == {
            "filters": [
                {
                    "action": "drop",
                    "ports": ["p0", "p1"],
                    "match": "udp from any to 198.18.0.0/15",
                    "packets": 1,
                }
            ]
        }


def test_show_steps_and_units(r1: Bed):
    r1.exchange(r1.frame(), r1.frame())
    steps = {one["name"]: one for one in r1.call("show.steps", unit=0)["steps"]}
    assert steps["validate"]["lanes"] == 2
    fast, slow = r1.call("show.units")["units"]
    assert (fast["kind"], fast["forwarded"], slow["kind"], slow["index"]) == ("fast", 2, "slow", 1)


def test_show_config(r1: Bed):
    shown = r1.call("show.config")
    assert shown["path"] == ""
    assert shown["config"]["fast_path"]["burst"] == 64
    assert shown["config"]["routes"][0]["via"] == [GATEWAY]


# --- change ---------------------------------------------------------------------------------------


def test_route_add_get_delete(r1: Bed):
    r1.call("route.add", to="100.64.7.0/24", via=OTHER, preference=5)
    assert r1.call("route.lookup", address="100.64.7.9") == {
        "kind": "via",
        "via": OTHER,
        "port": "p1",
        "paths": [{"via": OTHER, "port": "p1"}],
    }
    (row,) = routes(r1, source="api")
    assert (row["to"], row["port"], row["preference"]) == ("100.64.7.0/24", "p1", 5)
    assert r1.call("route.delete", to="100.64.7.0/24") == {}
    assert r1.call("route.lookup", address="100.64.7.9")["kind"] == "none"
    r1.call("route.add", to="100.64.7.0/24", kind="prohibit")
    assert r1.call("route.lookup", address="100.64.7.9")["kind"] == "prohibit"


def test_routes_with_metrics(r1: Bed):
    to = "100.64.7.0/24"
    for metric, via in ((10, GATEWAY), (20, OTHER)):
        r1.call("route.add", to=to, via=via, metric=metric)
    shown = [(row["metric"], row["via"]) for row in routes(r1, source="api", all=True)]
    assert shown == [(10, GATEWAY), (20, OTHER)]
    for wrong in ({}, {"metric": 0}):
        with pytest.raises(Refused, match=r"expected the metric of one: 10, 20$"):
            r1.call("route.delete", to=to, **wrong)
    assert r1.call("route.delete", to=to, metric=10) == {}
    assert r1.call("route.lookup", address="100.64.7.9")["via"] == OTHER
    assert r1.call("route.delete", to=to) == {}  # the only one left
    assert routes(r1, source="api") == []


def test_route_load_is_all_or_nothing(r1: Bed):
    with r1.client() as client:
        text = b"100.0.0.0/8\n101.0.0.0/8 via 10.0.1.3\nblackhole 102.0.0.0/8\n"
        assert client.load(text, name="t", via=[GATEWAY], preference=9) == {"routes": 3}
        with pytest.raises(Refused, match=r"^bad.txt:2: '104.0.0.0/8 vai"):
            client.load(b"103.0.0.0/8 via 10.0.1.3\n104.0.0.0/8 vai x\n", name="bad.txt")
        with pytest.raises(Refused, match=r"^b:1: '\ufffd"):
            client.load(b"\xff\xfe\n", name="b")
    assert [row["to"] for row in routes(r1, source="api")] == [
        f"{n}.0.0.0/8" for n in (100, 101, 102)
    ]


def test_neighbor_add_and_delete(r1: Bed):
    r1.call("neighbor.add", port="p1", address=OTHER, mac=OTHER_MAC)
    r1.call("route.add", to="100.64.7.0/24", via=OTHER)
    r1.exchange(r1.frame("100.64.7.1"))
    (frame,) = r1.do(r1.bench.port("p1").received)
    assert frame.data[:6] == bytes.fromhex(OTHER_MAC.replace(":", ""))
    r1.call("neighbor.delete", port="p1", address=OTHER)
    known = {one["address"] for one in r1.call("show.neighbors")["neighbors"] if one["static"]}
    assert OTHER not in known


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("show.ports", {"x": 1}, "show.ports: x = 1: unknown key"),
        ("show.counters", {"unit": 2}, "unit = 2: expected 0 to 1"),
        ("show.counters", {"unit": "0"}, 'unit = "0": expected the number of a unit'),
        ("show.routes", {"source": "bgp"}, "expected one of builtin, port"),
        ("show.routes", {"within": "10.0.0.1/8"}, "no bits set behind the prefix"),
        ("route.add", {}, "route.add: to: required key is missing: expected an IPv4 prefix"),
        ("route.add", {"to": "1.0.0.0/8"}, "has a gateway"),
        ("route.add", {"to": "1.0.0.0/8", "via": "9.9.9.9"}, "gateway on a connected subnet"),
        ("route.add", {"to": "1.0.0.0/8", "via": GATEWAY, "port": "p9"}, "expected one of p0, p1"),
        ("route.add", {"to": "1.0.0.0/8", "via": GATEWAY, "preference": 256}, "from 0 to 255"),
        ("route.delete", {"to": "198.18.0.0/16"}, "that of config is not to be deleted here"),
        ("route.delete", {"to": "9.0.0.0/8"}, "to = 9.0.0.0/8: expected a route added here$"),
        ("route.load", {"text": 5}, "text = 5: expected a text"),
        ("route.lookup", {"address": "x"}, "expected an IPv4 address"),
        ("neighbor.add", {"port": "p9", "address": OTHER, "mac": OTHER_MAC}, "one of p0, p1"),
        ("neighbor.add", {"port": "p0", "address": OTHER, "mac": OTHER_MAC}, "a subnet of p0"),
        ("neighbor.add", {"port": "p1", "address": "10.0.1.1", "mac": OTHER_MAC}, "router's own"),
        ("neighbor.add", {"port": "p1", "address": OTHER, "mac": "ff:0:0:0:0:0"}, "MAC address"),
        ("neighbor.delete", {"port": "p1", "address": OTHER}, "expected one that was set"),
        ("config.reload", {}, "not started from a file"),
        ("capture", {"filter": "nonsense here"}, "syntax error"),
        ("capture", {"ports": ["p9"]}, "expected one of p0, p1"),
        ("capture", {"direction": "up"}, 'expected "in", "out" or "both"'),
        ("trace", {"filter": "ip and"}, "syntax error"),
        ("trace", {"count": 0}, "from 1 to 65535"),
        ("fly", {}, "method = 'fly': expected one of ping, show.ports"),
    ],
)
def test_what_is_refused_changes_nothing(r1: Bed, method: str, params: dict, words: str):
    before = routes(r1, all=True), r1.call("show.neighbors")
    with pytest.raises(Refused, match=words) as refusal:
        r1.call(method, **params)
    assert "\n" not in str(refusal.value)
    assert (routes(r1, all=True), r1.call("show.neighbors")) == before


def test_every_method_has_a_test(r1: Bed):
    names = ("test_control.py", "test_control_streams.py", "test_control_ports.py")
    sources = [Path(__file__).with_name(name) for name in names]
    text = "".join(path.read_text() for path in sources)
    assert [name for name in METHODS if f'"{name}"' not in text and name != "route.load"] == []


# --- reload ---------------------------------------------------------------------------------------


def test_config_reload(tmp_path: Path):
    file = tmp_path / "r1.toml"
    file.write_text(toml())
    with bed(tmp_path, load_config(file)) as r1:
        nothing = {"routes_set": 0, "routes_deleted": 0, "neighbors_set": 0, "neighbors_deleted": 0}
        assert r1.call("config.reload") == {
            **nothing,
            "ports": [],
            "filters": False,
            "settings": {},
        }
        r1.call("route.add", to="100.0.0.0/8", kind="blackhole")
        changed = TABLES | {
            "route": [{"to": "198.19.0.0/16", "via": OTHER}],
            "neighbor": [{"port": "p1", "address": OTHER, "mac": OTHER_MAC}],
            "slow_path": {"arp_retries": 7},
        }
        file.write_text(toml(changed))
        assert r1.call("config.reload") == {
            "routes_set": 1,
            "routes_deleted": 1,
            "neighbors_set": 1,
            "neighbors_deleted": 2,
            "ports": [],
            "filters": False,
            "settings": {"arp_retries": 7},
        }
        assert {row["to"] for row in routes(r1, source="config")} == {"198.19.0.0/16"}
        assert {row["to"] for row in routes(r1, source="api")} == {"100.0.0.0/8"}
        assert r1.call("show.config")["config"]["slow_path"]["arp_retries"] == 7
        before = routes(r1, all=True), r1.call("show.config")
        changed |= {"fast_path": {"units": 2, "burst": 7}, "route": []}
        file.write_text(toml(changed))
        with pytest.raises(Refused) as refusal:
            r1.call("config.reload")
        first, second = str(refusal.value).splitlines()
        assert first == (
            f"{file}: fast_path.units = 2: cannot change while the router runs, which has 1:"
            " restart it for that"
        )
        assert "fast_path.burst = 7" in second
        file.write_text("nonsense")
        with pytest.raises(Refused, match="TOML syntax"):
            r1.call("config.reload")
        assert (routes(r1, all=True), r1.call("show.config")) == before
