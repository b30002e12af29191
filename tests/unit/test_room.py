# SPDX-License-Identifier: MIT
"""Routes for which the tables have no room: refused whole, or told once it is known."""

from pathlib import Path

import numpy as np
import pytest

from tests.control_bed import TABLES, Bed, toml
from twinroute import room
from twinroute.config import build_config, load_config
from twinroute.control_client import Refused
from twinroute.errors import TwinrouteError
from twinroute.room import Shortages, Unplaced

WIDE = {**TABLES, "port": {"p0": {"address": "10.0.0.1/24"}, "p1": {"address": "10.1.0.1/16"}}}
WIDE = {**WIDE, "route": [], "neighbor": []}
HOPS = 32768  # one of them is none
BLOCKS = 32768


@pytest.fixture
def wide(tmp_path: Path):
    """A router with a port to 65,000 gateways."""
    made = Bed(tmp_path, build_config(WIDE))
    made.target.settle()
    yield made
    made.close()


def by_many(count: int, first: int = 2) -> str:
    """Write routes that each have a gateway of their own."""
    return "".join(
        f"100.{n >> 8}.{n & 255}.0/24 via 10.1.{n >> 8}.{n & 255}\n"
        for n in range(first, first + count)
    )


def load(bed: Bed, text: str) -> dict:
    with bed.client() as client:
        return client.load(text.encode(), name="routes")


def test_as_many_next_hops_as_there_are(wide: Bed) -> None:
    free = wide.router.table_info().hops_room
    assert free == HOPS - 1 - wide.router.table_info().next_hops
    assert load(wide, by_many(free)) == {"routes": free}
    info = wide.router.table_info()
    assert (info.hops_room, info.unplaced, info.lost) == (0, 0, 0)
    # Nothing new is needed for the same again, for a gateway in use, or to drop packets.
    assert load(wide, by_many(free)) == {"routes": free}
    assert load(wide, "101.0.0.0/8 via 10.1.0.2\n") == {"routes": 1}


def test_one_next_hop_too_many_is_refused_whole(wide: Bed) -> None:
    info = wide.router.table_info()
    routes = wide.router.routes()
    with pytest.raises(Refused) as refused:
        load(wide, by_many(info.hops_room + 1))
    assert str(refused.value) == (
        f"r1: routes: they need {info.hops_room + 1} more next hops: expected at most"
        f" {info.hops_room}"
    )
    wide.target.settle()
    assert wide.router.table_info() == info
    assert wide.router.routes() == routes


def test_what_takes_the_place_of_others_fits(wide: Bed) -> None:
    """A full table is replaced by another one: no index is free before the first is gone."""
    free = wide.router.table_info().hops_room
    load(wide, by_many(free))
    rows = wide.router.routes_array()
    mine = rows[rows["source"] == wide.router.native.lib.TR_SOURCE_API]
    gateways = mine["gateway"] + np.uint32(free)
    wide.router.routes_post(mine["prefix"], mine["bits"], gateways)
    wide.target.settle()
    info = wide.router.table_info()
    assert (info.hops_room, info.unplaced, info.lost) == (0, 0, 0)
    hops = wide.router.lookup_array(mine["prefix"])
    assert np.array_equal(hops["gateway"], gateways)


def test_groups_of_gateways_need_next_hops_too(wide: Bed) -> None:
    free = wide.router.table_info().hops_room
    load(wide, by_many(free - 3))
    two = "101.0.0.0/8 via 10.1.0.2 via 10.1.0.3\n"
    assert load(wide, two) == {"routes": 1}
    with pytest.raises(Refused, match="they need 2 more next hops: expected at most 1"):
        load(wide, two + "102.0.0.0/8 via 10.1.0.2 via 10.1.0.4\n")
    assert load(wide, two + "102.0.0.0/8 via 10.1.0.2 via 10.1.0.3\n") == {"routes": 2}
    assert wide.router.table_info().unplaced == 0


def test_prefixes_longer_than_24_bits(wide: Bed) -> None:
    free = wide.router.table_info().blocks_room
    assert free <= BLOCKS
    lines = [f"{20 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/25 via 10.1.0.2\n" for n in range(free)]
    with pytest.raises(Refused) as refused:
        load(wide, "".join(lines) + "200.0.0.0/25 via 10.1.0.2\n")
    assert str(refused.value) == (
        f"r1: routes: they have prefixes longer than /24 in {free + 1} more blocks of 256"
        f" addresses: expected at most {free}"
    )
    assert load(wide, "".join(lines)) == {"routes": free}
    assert load(wide, "20.0.0.128/26 via 10.1.0.2\n") == {"routes": 1}
    assert wide.router.table_info().blocks_room == 0


def test_a_reload_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "r1.toml"
    (tmp_path / "routes").write_text(by_many(10))
    file.write_text(toml({**WIDE, "route_file": [{"path": str(tmp_path / "routes")}]}))
    bed = Bed(tmp_path, load_config(file))
    bed.target.settle()
    before = bed.router.routes()
    file.write_text(file.read_text().replace('"10.0.0.1/24"', '"10.0.9.1/24"'))
    (tmp_path / "routes").write_text(by_many(HOPS))
    with pytest.raises(Refused, match=r"they need [0-9]+ more next hops: expected at most [0-9]+$"):
        bed.call("config.reload")
    assert bed.router.routes() == before
    assert bed.config.ports["p0"].addresses == bed.controller.config.ports["p0"].addresses
    (tmp_path / "routes").write_text(by_many(20))
    assert bed.call("config.reload")["routes_set"] == 10
    bed.close()


def test_what_is_found_later_is_told(wide: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check before: all that fits is in force, the rest is counted and named."""
    monkeypatch.setattr(room, "check", lambda router, changes: None)
    free = wide.router.table_info().hops_room
    with pytest.raises(Refused) as refused:
        load(wide, by_many(free + 3))
    assert str(refused.value) == (
        "no room in the table for 3 prefixes (no next hop is left): all else is in force"
    )
    assert load(wide, by_many(10)) == {"routes": 10}  # told once
    wide.call("route.delete", to="100.0.2.0/24")
    assert wide.router.table_info().unplaced == 2


def test_shortages_are_told_when_they_grow(wide: Bed) -> None:
    shortages = Shortages()
    info = wide.router.table_info()
    shortages.look(info)
    with pytest.raises(Unplaced, match=r"^no memory for 2 changes of routes: all else is in"):
        shortages.look(type(info)(**{**vars(info), "lost": 2}))
    shortages.look(type(info)(**{**vars(info), "lost": 2}))
    text = r"^no room in the table for 1 prefix \(its blocks for /25 to /32\): all else"
    with pytest.raises(TwinrouteError, match=text):
        shortages.look(type(info)(**{**vars(info), "lost": 2, "unplaced": 1}))
