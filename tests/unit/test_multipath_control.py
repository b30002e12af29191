# SPDX-License-Identifier: MIT
"""How routes with several gateways are said and shown: configuration, route files, reload, and the
commands for a running router."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.control_bed import GATEWAY, HOST, OTHER, bed, toml
from tests.refusals import refusal
from tests.strategies import examples
from twinroute.cli import main
from twinroute.config import build_config, load_config
from twinroute.errors import InputError
from twinroute.reload import difference, reload
from twinroute.sim import Bench, BenchError

PORTS = '[port.p0]\naddress = "10.0.0.1/24"\n[port.p1]\naddress = "10.0.1.1/24"\n'
NEIGHBOR = "expected a neighbour on a connected subnet (10.0.0.0/24, 10.0.1.0/24), else"
MANY = [f"10.0.0.{n}" for n in range(2, 19)]

WRONG = {
    'via = ["10.0.0.2", "192.0.2.1"]': f'.via[2] = "192.0.2.1": {NEIGHBOR} the next hop is',
    'via = ["10.0.0.2", "p1"]': '.via[2] = "p1": expected an IPv4 address, as "10.0.0.2"',
    'via = ["10.0.0.2", "10.0.1.2", "10.0.0.2"]': '.via[3] = "10.0.0.2": expected each gateway',
    'via = ["10.0.0.2", "10.0.1.2"]\nport = "p0"': '.via[2] = "10.0.1.2": expected a neighbour',
    "via = 5": '.via = 5: expected an IPv4 address, as "10.0.0.2", or a list of at most 16',
    "via = []": ".via = []: expected the neighbour to send to, or a kind other than",
    f"via = {json.dumps(MANY)}": '.via = ["10.0.0.2", ',
    'via = "10.0.0.2"\nmtu = 67': ".mtu = 67: expected an integer from 68 to 65535, or 0 for",
    'via = "10.0.0.2"\nmtu = "1500"': '.mtu = "1500": expected an integer from 68 to 65535, or 0',
    'kind = "blackhole"\nmtu = 1280': ".mtu = 1280: expected no such key, as kind is",
    'kind = "blackhole"\nvia = ["10.0.0.2"]': '.via = ["10.0.0.2"]: expected no such key',
}


@pytest.mark.no_sanitizer
@pytest.mark.parametrize("lines", WRONG)
def test_a_problem_is_one_line(lines: str) -> None:
    text = f'{PORTS}[[route]]\nto = "10.2.0.0/16"\n{lines}\n'
    assert refusal(text).startswith(f"route[1]{WRONG[lines]}")


@pytest.mark.no_sanitizer
def test_what_the_check_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    file = tmp_path / "r.toml"
    file.write_text(
        f'{PORTS}[fast_path]\nhash_seed = {2**64 - 1}\n[[route]]\nto = "10.2.0.0/16"\n'
        'via = ["10.0.1.2", "10.0.0.2"]\nmtu = 1280\n'
    )
    assert load_config(file).fast_path.hash_seed == 2**64 - 1
    assert main(["check", str(file)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "10.2.0.0/16" in line)
    shown = " ".join(line.split())
    assert shown == "10.2.0.0/16 via 10.0.1.2 on p1, via 10.0.0.2 on p0, MTU 1280 20 0"


# --- the API --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bench() -> Bench:
    bench = Bench()
    router = bench.router(port={"p0": "10.0.0.1/24", "p1": ["10.0.1.1/24", "10.0.2.1/24"]})
    for port in router.ports.values():
        bench.link(bench.station(), port)
    bench.settle()
    return bench


@pytest.mark.parametrize(
    ("via", "port", "what"),
    [
        (["10.0.0.2", "10.0.0.2"], None, "each gateway once expected"),
        (["10.0.0.2", "10.9.0.1"], None, "via 10.9.0.1: gateway on a connected subnet expected"),
        (["10.0.1.2", "10.0.0.2"], "p1", "gateway on a subnet of that port expected"),
        (["10.0.1.2", "10.0.1.1"], None, "gateway other than an own address expected"),
        (MANY, None, "at most 16 gateways expected"),
    ],
)
def test_gateways_that_are_refused(bench: Bench, via: list[str], port: str, what: str) -> None:
    before = bench.only.routes()
    with pytest.raises(BenchError, match=what):
        bench.only.route_add("100.0.0.0/8", via, port)
    with pytest.raises(ValueError, match="has a gateway"):
        bench.only.route_add("100.0.0.0/8", [])
    with pytest.raises(BenchError, match=r"\.0/8 mtu 67: MTU of 68 to 65535 bytes expected"):
        bench.only.route_add("100.0.0.0/8", "10.0.0.2", mtu=67)
    bench.settle()
    assert bench.only.routes() == before


def test_sixteen_gateways(bench: Bench) -> None:
    bench.only.route_add("100.0.0.0/8", MANY[:16])
    bench.settle()
    (hop,) = bench.only.lookup("100.0.0.1")
    assert [str(path.via) for path in hop.paths] == MANY[:16]
    bench.only.route_delete("100.0.0.0/8")
    bench.settle()


# --- route files ----------------------------------------------------------------------------------

LINES = {
    "100.0.0.0/24 via 10.0.0.2 via 10.0.1.2": ("10.0.0.2 p0", "10.0.1.2 p1", 0),
    "100.0.0.0/24\tvia 10.0.2.2  via 10.0.0.2 # x": ("10.0.0.2 p0", "10.0.2.2 p1", 0),
    "100.0.0.0/24 via 10.0.2.2 via 10.0.1.2 dev p1": ("10.0.1.2 p1", "10.0.2.2 p1", 0),
    "100.0.0.0/24 via 10.0.1.2 via 10.0.2.2 dev p1 mtu 1280": ("10.0.1.2 p1", "10.0.2.2 p1", 1280),
    "100.0.0.0/24 via 10.0.0.2 mtu 65535": ("10.0.0.2 p0", 65535),
    "100.0.0.0/24 via 10.0.0.2 dev p0 mtu 68#x": ("10.0.0.2 p0", 68),
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_a_route_file(bench: Bench, tmp_path: Path, line: str) -> None:
    """Between two others, so that what one says is not left to the next."""
    path = tmp_path / "routes.txt"
    path.write_text(f"99.0.0.0/8 via 10.0.0.9\n{line}\n101.0.0.0/8\n")
    assert bench.only.routes_load(path, via=["10.0.0.7"]) == 3
    bench.settle()
    routes = {str(one.to): one for one in bench.only.routes() if one.source == "api"}
    one = routes["100.0.0.0/24"]
    assert (*(f"{path.via} {path.port}" for path in one.paths), one.mtu) == LINES[line]
    for to, via in (("99.0.0.0/8", "10.0.0.9"), ("101.0.0.0/8", "10.0.0.7")):
        assert ([str(path.via) for path in routes[to].paths], routes[to].mtu) == ([via], 0)
    for to in routes:
        bench.only.route_delete(to)
    bench.settle()


def test_a_wrong_gateway_among_others_is_named_by_its_line(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "routes.txt"
    path.write_text("100.0.0.0/24 via 10.0.0.2 via 10.0.1.2\n101.0.0.0/8 via 10.0.0.2 via 10.9.0.1")
    with pytest.raises(InputError, match=r"routes.txt:2: .*: gateway on a connected subnet expect"):
        bench.only.routes_load(path)


# --- reload ---------------------------------------------------------------------------------------

GATEWAYS = ["10.0.0.2", "10.0.0.3", "10.0.1.2", "10.0.1.3"]
route_tables = st.dictionaries(
    st.sampled_from(["0.0.0.0/0", "100.0.0.0/8", "100.1.0.0/16", "100.1.1.1/32"]),
    st.fixed_dictionaries(
        {"via": st.lists(st.sampled_from(GATEWAYS), min_size=1, unique=True)},
        optional={"mtu": st.sampled_from([576, 1280]), "preference": st.just(7)},
    ),
).map(lambda found: [{"to": to, **one} for to, one in found.items()])


def document(routes: list[dict[str, Any]]) -> dict[str, Any]:
    ports = {"p0": {"address": "10.0.0.1/24"}, "p1": {"address": "10.0.1.1/24"}}
    return {"port": ports, "route": routes}


@given(old=route_tables, new=route_tables)
@settings(max_examples=examples(25))
def test_a_reload_makes_the_routes_what_a_fresh_router_has(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    before, after = build_config(document(old)), build_config(document(new))
    bench, fresh = Bench(), Bench()
    router, wanted = bench.router(before), fresh.router(after)
    bench.settle()
    fresh.settle()
    change = difference(router, before, after)
    done = reload(router, "sim", before, after).summary()
    bench.settle()
    assert router.routes() == wanted.routes()
    assert router.lookup(["100.0.0.1", "100.1.0.1", "100.1.1.1", "9.9.9.9"]) == wanted.lookup(
        ["100.0.0.1", "100.1.0.1", "100.1.1.1", "9.9.9.9"]
    )
    assert router.table_info().next_hops == wanted.table_info().next_hops
    keys = {one["to"]: (sorted(one["via"]), one.get("mtu"), one.get("preference")) for one in old}
    differ = [
        one
        for one in new
        if keys.get(one["to"]) != (sorted(one["via"]), one.get("mtu"), one.get("preference"))
    ]
    assert done["routes_set"] == change.routes_set == len(differ)
    assert done["routes_deleted"] == len(keys.keys() - {one["to"] for one in new})
    assert len(difference(router, after, after).routes) == 0


# --- the commands ---------------------------------------------------------------------------------


def test_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    file = tmp_path / "r1.toml"
    file.write_text(toml())

    def run(*words: str, status: int = 0) -> str:
        assert main(list(words)) == status
        captured = capsys.readouterr()
        return captured.out if status == 0 else captured.err

    with bed(tmp_path, load_config(file)) as r1:
        monkeypatch.setenv("TWINROUTE_SOCKET", str(r1.path))
        route = ["203.0.113.0/24", "via", OTHER, "via", GATEWAY, "mtu", "1280"]
        assert run("route", "add", *route) == f"added {' '.join(route)}\n"
        ways = f"via {GATEWAY} dev p1 via {OTHER} dev p1"
        assert run("route", "get", "203.0.113.7") == f"203.0.113.7 {ways}\n"
        shown = run("show", "routes", "--source", "api")
        target = ["via", f"{GATEWAY},", "via", f"{OTHER},", "MTU", "1280"]
        row = ["203.0.113.0/24", *target, "p1,", "p1", "api", "20", "0"]
        assert row in [line.split() for line in shown.splitlines()]
        assert shown.splitlines()[-1].startswith("1 route; tables: ")
        (one,) = json.loads(run("show", "routes", "--source", "api", "--json"))["routes"]
        paths = [{"via": via, "port": "p1"} for via in (GATEWAY, OTHER)]
        assert (one["paths"], one["mtu"]) == (paths, 1280)
        assert run("route", "delete", route[0]) == f"deleted {route[0]}\n"
        load = tmp_path / "table.txt"
        load.write_text(f"100.0.0.0/8 via {GATEWAY} via {HOST}\n101.0.0.0/8 via {GATEWAY}\n")
        assert run("route", "load", str(load)) == f"loaded 2 routes from {load}\n"
        r1.call("route.add", to="203.0.113.0/24", via=[GATEWAY, HOST], mtu=1000)
        hop = r1.call("route.lookup", address="203.0.113.1")
        assert [path["via"] for path in hop["paths"]] == [HOST, GATEWAY]
        for wrong, what in (
            (["via", GATEWAY, "via", GATEWAY], "each gateway once expected"),
            (["via", GATEWAY, "mtu", "67"], "expected an integer from 68 to 65535"),
            (["via", GATEWAY, "mtu", "x"], "expected an integer from 68 to 65535"),
            (["via", GATEWAY, "mtu", "1000", "mtu", "1000"], "[mtu BYTES]"),
        ):
            assert what in run("route", "add", "1.0.0.0/8", *wrong, status=2)
