# SPDX-License-Identifier: MIT
"""A reload leaves a router as a fresh one with the new configuration is, or as it was."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinroute.changes import NeighborChange
from twinroute.config import Config, build_config
from twinroute.errors import ConfigError, InputError
from twinroute.reload import difference, reload
from twinroute.sim import Bench, BenchError

PORTS = {"p0": {"address": "10.0.0.1/24"}, "p1": {"address": ["10.0.1.1/24", "10.0.2.1/24"]}}
GATEWAYS = ["10.0.0.2", "10.0.0.3", "10.0.1.2", "10.0.2.2"]
# Few prefixes, some inside others and some of the same as connected subnets, so that much collides.
PREFIXES = ["0.0.0.0/0", "10.0.0.0/8", "10.0.1.0/24", "100.0.0.0/8", "100.1.0.0/16", "100.1.1.1/32"]

targets = st.one_of(
    st.fixed_dictionaries({"via": st.sampled_from(GATEWAYS)}),
    st.fixed_dictionaries({"kind": st.sampled_from(["blackhole", "unreachable", "prohibit"])}),
)
routes = st.dictionaries(
    st.tuples(st.sampled_from(PREFIXES), st.sampled_from([0, 1, 65535])),
    st.tuples(targets, st.sampled_from([1, 20, 255])),
    max_size=6,
).map(
    lambda found: [
        {"to": to, "metric": metric, **one, "preference": n}
        for (to, metric), (one, n) in found.items()
    ]
)
neighbors = st.dictionaries(st.sampled_from(GATEWAYS), st.integers(1, 3), max_size=4).map(
    lambda found: [
        {
            "port": "p0" if address.startswith("10.0.0.") else "p1",
            "address": address,
            "mac": f"02:00:00:00:00:{n:02x}",
        }
        for address, n in found.items()
    ]
)
slow_paths = st.fixed_dictionaries(
    {},
    optional={
        "arp_retries": st.integers(1, 4),
        "arp_retry_ms": st.integers(1, 3),
        "icmp_errors_per_s": st.sampled_from([0, 1, 1000]),
        "reassembly_s": st.sampled_from([60, 90.5]),
        "arp_announce": st.booleans(),
    },
).map(lambda keys: {"arp_probe": False, **keys})
options = st.fixed_dictionaries(
    {},
    optional={
        "record_route": st.sampled_from(["drop", "ignore", "process"]),
        "unknown": st.sampled_from(["drop", "ignore"]),
    },
)
# The gateways stay on connected subnets.
ports = st.tuples(
    st.sampled_from([["10.0.0.1/24"], ["10.0.0.9/24"], ["10.0.5.1/30", "10.0.0.1/25"]]),
    st.sampled_from([["10.0.1.1/24", "10.0.2.1/24"], ["10.0.2.1/24", "10.0.1.1/25"]]),
    st.sampled_from([68, 1500, 9000]),
    st.booleans(),
).map(
    lambda made: {
        "p0": {"address": made[0], "up": made[3]},
        "p1": {"address": made[1], "mtu": made[2]},
        "p2": {},
    }
)
fixed = st.sampled_from(
    [
        {"fast_path": {"units": 2}},
        {"slow_path": {"punt_ring": 64}},
        {"router": {"name": "other"}},
        {"router": {"forwarding": False}},
        {"martians": {"allow": ["192.0.2.0/24"]}},
        {"port": {**PORTS, "p0": {"address": "10.0.0.1/24", "urpf": "strict"}}},
        {"port": {**PORTS, "p0": {"address": "10.0.0.1/24", "mac": "02:00:00:00:00:99"}}},
        {"port": {**PORTS, "p2": {}, "p3": {"address": "10.0.9.1/24"}}},
        {"port": {"p1": PORTS["p1"], "p0": PORTS["p0"], "p2": {}}},
        {"port": PORTS},
        {"sim": {"buffers": 100}},
        {"qos": {"precedence": False}},
        {"metrics": {"listen": 9600}},
        {"control": {"socket": "/run/x.sock"}},
    ]
)
tables = st.builds(
    lambda a, b, c, d, e: {
        "port": a,
        "route": b,
        "neighbor": c,
        "slow_path": d,
        "options": e,
    },
    ports,
    routes,
    neighbors,
    slow_paths,
    options,
)


def router_of(config: Config) -> tuple[Bench, Any]:
    bench = Bench()
    router = bench.router(config)
    for port in router.ports.values():
        bench.link(bench.station(), port)
    bench.settle()
    return bench, router


def state(router: Any) -> tuple[Any, ...]:
    """Return all that a configuration says of a router and that may change."""
    static = [one for one in router.neighbors() if one.static]
    hops = router.lookup([*GATEWAYS, "100.1.1.1", "100.1.1.2", "100.2.0.0", "10.0.1.77", "9.9.9.9"])
    return (
        router.routes(all=True),
        sorted(static, key=lambda one: (one.port, one.address)),
        hops,
        router.table_info().routes,
        [router.port_status(name) for name in router.info.ports],
    )


@given(tables, tables)
def test_after_a_reload_it_is_as_a_fresh_one(old_tables, new_tables):
    old, new = build_config(old_tables), build_config(new_tables)
    bench, router = router_of(old)
    done = reload(router, "sim", old, new)
    bench.settle()
    assert state(router) == state(router_of(new)[1])
    assert set(done.settings) == {
        name
        for name in (
            *("arp_retries", "arp_retry_ms", "icmp_errors_per_s"),
            *("reassembly_s", "arp_announce"),
        )
        if getattr(old.slow_path, name) != getattr(new.slow_path, name)
    } | {
        f"options.{name}"
        for name in ("record_route", "unknown")
        if getattr(old.options, name) != getattr(new.options, name)
    }
    again = difference(router, new, new)
    assert (len(again.routes), again.neighbors_set, again.neighbors_deleted) == (0, [], [])
    assert set(done.ports) == {name for name in old.ports if old.ports[name] != new.ports[name]}


@given(tables, tables, fixed)
def test_a_refused_reload_changes_nothing(old_tables, new_tables, beyond):
    old, new = build_config(old_tables), build_config({**new_tables, **beyond})
    bench, router = router_of(old)
    before = state(router), router.table_info()
    with pytest.raises(ConfigError) as refusal:
        reload(router, "sim", old, new)
    bench.settle()
    assert (state(router), router.table_info()) == before
    assert all("while the router runs" in line for line in refusal.value.problems)
    key = next(iter(beyond))
    assert any(f": {key}" in line for line in refusal.value.problems)


@given(tables, st.lists(st.sampled_from(PREFIXES), unique=True, max_size=4))
def test_what_was_added_by_hand_stays(old_tables, prefixes):
    old, new = build_config(old_tables), build_config({"port": {**PORTS, "p2": {}}})
    bench, router = router_of(old)
    for prefix in prefixes:
        router.route_add(prefix, kind="prohibit", preference=0)
    bench.settle()
    reload(router, "sim", old, new)
    bench.settle()
    assert {route.to for route in router.routes(all=True) if route.source == "api"} == {
        IPv4Network(prefix) for prefix in prefixes
    }
    assert [route for route in router.routes(all=True) if route.source == "config"] == []


@settings(max_examples=20)
@given(tables)
def test_the_other_backends_table_does_not_count(old_tables):
    old = build_config(old_tables)
    new = build_config({**old_tables, "dpdk": {"memory_mb": 77}})
    _, router = router_of(old)
    assert reload(router, "sim", old, new).summary()["routes_set"] == 0
    with pytest.raises(ConfigError, match=r"dpdk\.memory_mb = 77"):
        reload(router, "dpdk", old, new)


def with_file(path: Path, text: str, **tables: Any) -> Config:
    path.write_text(text)
    file = {"path": str(path), "via": ["10.0.0.2", "10.0.1.2"]}
    return build_config({"port": PORTS, "route_file": [file], **tables})


def test_route_files_are_compared_too(tmp_path: Path):
    path = tmp_path / "routes.txt"
    lines = [f"100.{n // 256}.{n % 256}.0/24\n" for n in range(3000)]
    config = with_file(path, "".join(lines))
    bench, router = router_of(config)
    del lines[2000:]
    lines[-1] = "blackhole 100.7.207.0/24\n"  # others take their gateways in turn as before
    config = with_file(path, "".join([*lines, "100.0.9.0/24 via 10.0.2.2\n"]))  # the last counts
    assert reload(router, "sim", config, config).summary() == {
        "routes_set": 2,
        "routes_deleted": 1000,
        "neighbors_set": 0,
        "neighbors_deleted": 0,
        "ports": [],
        "filters": False,
        "settings": {},
    }
    bench.settle()
    assert state(router) == state(router_of(config)[1])


def test_a_wrong_line_of_a_route_file_changes_nothing(tmp_path: Path):
    old = build_config({"port": PORTS, "route": [{"to": "100.0.0.0/8", "via": "10.0.0.2"}]})
    bench, router = router_of(old)
    before = state(router)
    new = with_file(tmp_path / "r.txt", "101.0.0.0/8\nnonsense\n")
    with pytest.raises(InputError, match=r"r\.txt:2: 'nonsense'"):
        reload(router, "sim", old, new)
    bench.settle()
    assert state(router) == before


def test_settings_take_effect(tmp_path: Path):
    old = build_config({"port": PORTS, "slow_path": {"arp_retries": 1, "arp_retry_ms": 1}})
    bench = Bench()
    router = bench.router(old)
    a, b = bench.host("a", "10.0.0.2/24"), bench.station("b")
    bench.link(a, router.port("p0"))
    bench.link(b, router.port("p1"))
    bench.settle()
    new = build_config({"port": PORTS, "slow_path": {"arp_retries": 5, "arp_retry_ms": 1}})
    reload(router, "sim", old, new)
    bench.settle()

    from tests import packets as p

    a.send(p.ether(router.port("p0").mac, a.mac, p.ipv4("10.0.0.2", "10.0.1.9", bytes(20))))
    bench.run(us=1_000_000)
    assert len([one for one in b.received() if one.data[12:14] == b"\x08\x06"]) == 5


def test_policies_of_options_take_effect():
    known = [
        {"port": "p0", "address": "10.0.0.2", "mac": "02:00:00:00:00:01"},
        {"port": "p1", "address": "10.0.1.9", "mac": "02:00:00:00:00:02"},
    ]
    tables = {"port": PORTS, "neighbor": known}
    bench = Bench()
    old = build_config(tables)
    router = bench.router(old)
    a, b = bench.station("a"), bench.station("b")
    bench.link(a, router.port("p0"))
    bench.link(b, router.port("p1"))

    from tests import packets as p

    option = b"\x07\x07\x04\0\0\0\0\0"
    packet = p.ipv4("10.0.0.2", "10.0.1.9", bytes(20), options=option)
    seen = []
    for policy in ("drop", "ignore", "process", "drop"):
        new = build_config({**tables, "options": {"record_route": policy}})
        reload(router, "sim", old, new)
        bench.settle()
        b.clear()
        a.send(p.ether(router.port("p0").mac, "02:00:00:00:00:01", packet))
        bench.run_until_idle()
        seen.append([p.ip_fields(p.ip_of(one.data))["options"] for one in b.received()])
        old = new
    assert seen == [[], [option], [b"\x07\x07\x08\x0a\0\1\1\0"], []]
    assert dict(router.counters().dropped) == {"record_route": 2}


def test_a_route_that_the_router_refuses_changes_nothing():
    old = build_config({"port": PORTS})
    _, router = router_of(old)
    new = build_config({"port": PORTS, "neighbor": []})
    gateway = {"to": "1.0.0.0/8", "via": "10.0.0.9"}
    other = build_config({"port": {"p0": {"address": "10.0.0.1/24"}}, "route": [gateway]})
    wrong = new.model_copy(
        update={"routes": [other.routes[0].model_copy(update={"via": ["9.9.9.9"]})]}
    )
    with pytest.raises(BenchError, match="gateway on a connected subnet expected"):
        reload(router, "sim", old, wrong)
    assert router.table_info().pending == 0


@pytest.mark.parametrize("count", [1, 100, 40_000])
def test_no_table_has_a_part_of_a_reload(tmp_path: Path, count: int):
    """Neighbours, settings, and also more routes than are handled in a turn: one swap for all."""

    def config(gateway: str, number: int) -> Config:
        lines = [f"{100 + n // 65536}.{n // 256 % 256}.{n % 256}.0/24" for n in range(count)]
        path = tmp_path / f"{number}.txt"
        path.write_text("".join(f"{line} via {gateway}\n" for line in lines))
        mac = f"02:00:00:00:00:0{number}"
        tables = {
            "port": PORTS,
            "route": [{"to": "0.0.0.0/0", "via": gateway}],
            "route_file": [{"path": str(path)}],
            "neighbor": [{"port": "p0", "address": "10.0.0.2", "mac": mac}],
            "slow_path": {"arp_retries": number},
        }
        return build_config(tables)

    old, new = config("10.0.0.2", 1), config("10.0.0.3", 2)
    bench, router = router_of(old)
    for first, second in ((old, new), (new, old)):
        before = router.table_info().generation
        done = reload(router, "sim", first, second).summary()
        assert (done["routes_set"], done["neighbors_set"]) == (count + 1, 1)
        bench.settle()
        assert router.table_info().generation == before + 1
        assert state(router) == state(router_of(second)[1])


def test_changes_that_the_router_refuses_change_nothing():
    """One that is wrong holds back all that belong to it, of other kinds too."""
    bench, router = router_of(build_config({"port": PORTS}))
    before = state(router), router.table_info()
    sound = build_config({"port": PORTS, "route": [{"to": "1.0.0.0/8", "via": "10.0.0.9"}]})
    (changes,) = router.routes_configured(sound)
    neighbor = NeighborChange("p0", IPv4Address("10.0.0.2"), "02:00:00:00:00:01")
    wrong = changes.copy()
    wrong["route"]["gateway"] = 0
    with pytest.raises(BenchError, match="gateway"):
        router.apply(wrong, neighbors=[neighbor])
    with pytest.raises(ValueError, match='port "p9": expected one of p0, p1'):
        router.apply(changes, neighbors=[neighbor, replace(neighbor, port="p9")])
    with pytest.raises(ValueError, match="mac='02'"):
        router.apply(changes, neighbors=[neighbor, replace(neighbor, mac="02")])
    bench.settle()
    assert (state(router), router.table_info()) == before


def test_a_steady_stream_of_changes_is_published():
    """However many follow each other, each is made whole, and some are seen before the last."""
    bench, router = router_of(build_config({"port": PORTS}))
    before = router.table_info().generation
    prefixes = np.arange(1 << 17, dtype=np.uint32) << 8 | 100 << 24
    for number in range(24):
        gateway = int(IPv4Address(GATEWAYS[number % 2]))
        router.routes_post(prefixes + (number // 2 << 25), 24, gateway)
    bench.settle()
    assert router.table_info().generation > before + 1
    assert router.table_info().routes >= 12 << 17
