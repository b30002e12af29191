# SPDX-License-Identifier: MIT
"""Routes and neighbours of a router of a bench."""

from typing import Any

import numpy as np
import pytest

from tests.two_stations import GATEWAY, GATEWAY_MAC, OTHER, World
from twinroute.errors import InputError
from twinroute.sim import BenchError, Router


def hops(router: Router, *addresses: str) -> list[tuple[str, str | None]]:
    """Return kind and gateway of addresses."""
    return [(hop.kind, str(hop.via) if hop.via else None) for hop in router.lookup(addresses)]


def test_routes_and_lookup():
    world = World()
    router = world.router
    router.route_add("198.18.5.0/24", OTHER, "p1", preference=7)
    router.route_add("198.18.6.0/24", kind="prohibit")
    assert hops(router, "198.18.5.1") == [("via", GATEWAY)]  # not before the world runs
    world.bench.run(us=0)
    assert hops(router, "198.18.5.1", "198.18.6.1", "198.18.7.1", "9.9.9.9", "10.0.0.1") == [
        ("via", OTHER),
        ("prohibit", None),
        ("via", GATEWAY),
        ("none", None),
        ("local", None),
    ]
    (route,) = [one for one in router.routes() if str(one.to) == "198.18.5.0/24"]
    assert (str(route.via), route.port, route.source, route.preference) == (OTHER, "p1", "api", 7)
    router.route_delete("198.18.5.0/24")
    world.bench.run(us=0)
    assert hops(router, "198.18.5.1") == [("via", GATEWAY)]


def test_sources_of_one_prefix():
    world = World()
    world.router.route_add("198.18.0.0/16", OTHER, preference=30)
    world.bench.run(us=0)
    assert hops(world.router, "198.18.0.1") == [("via", GATEWAY)]
    both = [one for one in world.router.routes(all=True) if str(one.to) == "198.18.0.0/16"]
    assert sorted((one.source, one.preference) for one in both) == [("api", 30), ("config", 20)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"to": "1.0.0.0/8", "via": "10.7.0.1"}, "gateway on a connected subnet expected"),
        ({"to": "1.0.0.0/8", "via": "10.0.1.1"}, "other than an own address expected"),
        ({"to": "1.0.0.0/8", "via": GATEWAY, "port": "p0"}, "on a subnet of that port expected"),
        ({"to": "1.0.0.1/8", "via": GATEWAY}, "host bits"),
        ({"to": "1.0.0.0/8"}, "has a gateway"),
        ({"to": "1.0.0.0/8", "via": GATEWAY, "kind": "prohibit"}, "has a gateway"),
        ({"to": "1.0.0.0/8", "kind": "best"}, "expected one of via"),
        ({"to": "1.0.0.0/8", "via": GATEWAY, "preference": 256}, "expected 0 to 255"),
        ({"to": "1.0.0.0/8", "via": GATEWAY, "port": "p7"}, "expected one of p0, p1"),
    ],
)
def test_wrong_routes(arguments: dict[str, Any], words: str):
    with pytest.raises((ValueError, BenchError), match=words):
        World().router.route_add(**arguments)


def test_routes_in_bulk():
    world = World()
    prefixes = (0x64000000 + (np.arange(5000) << 8)).astype(np.uint32)
    gateways = np.where(np.arange(5000) % 2, 0x0A000103, 0x0A000102)
    world.router.routes_post(prefixes, 24, gateways)
    world.bench.settle()
    rows = world.router.lookup_array(prefixes | np.uint32(9))
    assert (rows["gateway"] == gateways).all()
    world.router.routes_post(prefixes, 24, 0, add=False)
    world.bench.settle()
    assert (world.router.lookup_array(prefixes)["kind"] == 0).all()
    with pytest.raises(BenchError, match=r"route 100\.0\.0\.0/24 via 9\.9\.9\.9: gateway"):
        world.router.routes_post(prefixes, 24, 0x09090909)


def test_a_route_file(tmp_path: Any):
    world = World()
    path = tmp_path / "routes.txt"
    path.write_text(f"# two\n100.0.0.0/24\n100.0.1.0/24 # next\n100.0.2.0/24 via {OTHER}\n")
    assert world.router.routes_load(path, via=[GATEWAY, OTHER]) == 3
    world.bench.run(us=0)
    found = hops(world.router, "100.0.0.1", "100.0.1.1", "100.0.2.1")
    assert found == [("via", GATEWAY), ("via", OTHER), ("via", OTHER)]
    before = world.router.routes()
    path.write_text(f"101.0.0.0/24 via {OTHER}\n\n101.0.300.0/24\n102.0.0.0/24\n")
    with pytest.raises(InputError, match=rf"^{path}:3: '101.0.300.0/24': prefix .* expected$"):
        world.router.routes_load(path, via=[GATEWAY])
    world.bench.run(us=0)
    assert world.router.routes() == before
    with pytest.raises(InputError, match="expected a route file: No such file"):
        world.router.routes_load(tmp_path / "none.txt")
    path.write_text("")
    assert world.router.routes_load(path) == 0


def test_neighbors():
    world = World(neighbor=[])
    world.router.neighbor_set("p1", GATEWAY, GATEWAY_MAC)
    world.a.send(world.frame())
    world.bench.run_until_idle()
    (neighbor,) = world.router.neighbors()
    assert (str(neighbor.address), neighbor.port, neighbor.mac, neighbor.static) == (
        GATEWAY,
        "p1",
        GATEWAY_MAC,
        True,
    )
    assert len(world.b.received()) == 1
    world.router.neighbor_delete("p1", GATEWAY)
    world.bench.run(us=0)
    assert world.router.neighbors() == []
