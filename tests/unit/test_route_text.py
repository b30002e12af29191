# SPDX-License-Identifier: MIT
"""Route files, line by line: what is a route, and what is refused by its line, all or nothing."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from twinroute.errors import InputError
from twinroute.sim import Bench, Router

PORTS: dict[str, Any] = {
    "p1": "10.1.0.1/24",
    "p2": ["10.2.0.1/24", "10.7.0.1/24"],
    "point": "10.3.0.0/31",
    "a-fifteen.chars": "10.4.0.1/24",
    "p1x": "10.5.0.1/24",
}
G1, G2, G7, PEER, G4 = "10.1.0.254", "10.2.0.254", "10.7.0.9", "10.3.0.1", "10.4.0.9"
GOOD = f"100.0.0.0/24 via {G1}\n"
Load = Callable[..., list[tuple[str, str, str | None, str | None]]]


@pytest.fixture(scope="module")
def bench() -> Bench:
    """One router for all tests, each of which deletes its routes."""
    bench = Bench()
    router = bench.router(port=PORTS)
    for port in router.ports.values():
        bench.link(bench.station(), port)
    bench.settle()
    return bench


def added(bench: Bench, before: set[Any]) -> list[tuple[str, str, str | None, str | None]]:
    """Return prefix, kind, gateway and port of the routes that are there now and were not."""
    routes = [route for route in bench.only.routes(all=True) if route not in before]
    vias = [str(route.via) if route.via else None for route in routes]
    return [
        (str(route.to), route.kind, via, route.port)
        for route, via in zip(routes, vias, strict=True)
    ]


@pytest.fixture
def load(bench: Bench, tmp_path: Path) -> Any:
    """Return a function that loads a text and returns the routes that it added."""
    router = bench.only
    before = set(router.routes(all=True))

    def load(text: str | bytes, via: Sequence[str] = ()) -> Any:
        path = tmp_path / "routes.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        count = router.routes_load(path, via=via)
        bench.settle()
        found = added(bench, before)
        assert count >= len(found)
        return found

    yield load
    clean(router, before)
    bench.settle()
    assert set(router.routes(all=True)) == before


def clean(router: Router, before: set[Any]) -> None:
    """Delete what was added."""
    for route in router.routes(all=True):
        if route not in before:
            router.route_delete(route.to, metric=route.metric)


# --- accepted -------------------------------------------------------------------------------------

ONE = [("100.0.0.0/24", "via", G1, "p1")]
NOTHING = {
    "empty": "",
    "a line break": "\n",
    "line breaks": "\n\r\n\n",
    "blanks": " \t \n\t",
    "comments": "# 1.0.0.0/8\n  # via\n#\n\t#x",
    "comment without an end": "#",
    "CR in a comment": "# one\rtwo\n",
    "other bytes in a comment": b"# gr\xfc\xdf \xff\xfe\n",
}


@pytest.mark.parametrize("name", NOTHING)
def test_no_route(load: Load, name: str) -> None:
    assert load(NOTHING[name]) == []


SAME = {
    "plain": f"100.0.0.0/24 via {G1}\n",
    "no final line break": f"100.0.0.0/24 via {G1}",
    "CRLF": f"100.0.0.0/24 via {G1}\r\n",
    "CR at the very end": f"100.0.0.0/24 via {G1}\r",
    "tabs": f"\t100.0.0.0/24\tvia\t\t{G1}\t\n",
    "blanks around": f"   100.0.0.0/24   via   {G1}   \n",
    "comment": f"100.0.0.0/24 via {G1} # the way out\n",
    "comment right behind": f"100.0.0.0/24 via {G1}#the way out\n",
    "with its port": f"100.0.0.0/24 via {G1} dev p1\n",
    "comment right behind the port": f"100.0.0.0/24 via {G1} dev p1#x\n",
    "between empty lines": f"\n\n# x\n100.0.0.0/24 via {G1}\n\n#",
    "twice": f"100.0.0.0/24 via {G1}\n" * 2,
    "the last one counts": f"100.0.0.0/24 via {G2}\nblackhole 100.0.0.0/24\n{GOOD}",
}


@pytest.mark.parametrize("name", SAME)
def test_one_route(load: Load, name: str) -> None:
    assert load(SAME[name]) == ONE


ROUTES: dict[str, tuple[str, str, str | None, str | None]] = {
    f"100.0.0.0/24 via {G7}": ("100.0.0.0/24", "via", G7, "p2"),
    f"100.0.0.0/24 via {PEER}": ("100.0.0.0/24", "via", PEER, "point"),
    f"100.0.0.0/24 via {G4} dev a-fifteen.chars": ("100.0.0.0/24", "via", G4, "a-fifteen.chars"),
    "100.0.0.0/24 via 10.5.0.9 dev p1x": ("100.0.0.0/24", "via", "10.5.0.9", "p1x"),
    "100.0.0.0/24 dev p2": ("100.0.0.0/24", "connected", None, "p2"),
    f"0.0.0.0/0 via {G2}": ("0.0.0.0/0", "via", G2, "p2"),
    f"0.0.0.0/1 via {G2}": ("0.0.0.0/1", "via", G2, "p2"),
    f"128.0.0.0/1 via {G2}": ("128.0.0.0/1", "via", G2, "p2"),
    f"1.2.3.4/32 via {G2}": ("1.2.3.4/32", "via", G2, "p2"),
    f"223.255.255.255/32 via {G2}": ("223.255.255.255/32", "via", G2, "p2"),
    f"100.0.0.0/9 via {G2}": ("100.0.0.0/9", "via", G2, "p2"),
    "blackhole 100.0.0.0/24": ("100.0.0.0/24", "blackhole", None, None),
    "unreachable 100.0.0.0/24 # x": ("100.0.0.0/24", "unreachable", None, None),
    "\tprohibit\t100.0.0.0/24#x": ("100.0.0.0/24", "prohibit", None, None),
    "blackhole 0.0.0.0/0": ("0.0.0.0/0", "blackhole", None, None),
}


@pytest.mark.parametrize("line", ROUTES)
def test_route(load: Load, line: str) -> None:
    assert load(line) == [ROUTES[line]]


def test_lines_without_a_target_take_the_gateways_in_turn(load: Load) -> None:
    text = (
        f"100.0.0.0/24\n100.0.1.0/24 # comment\n\n# comment\n100.0.2.0/24 via {G7}\n"
        "blackhole 100.0.3.0/24\n100.0.4.0/24\r\n100.0.5.0/24"
    )
    found = load(text, via=[G1, G2, PEER])
    assert [(to, via) for to, _, via, _ in found] == [
        ("100.0.0.0/24", G1),
        ("100.0.1.0/24", G2),
        ("100.0.2.0/24", G7),
        ("100.0.3.0/24", None),
        ("100.0.4.0/24", PEER),
        ("100.0.5.0/24", G1),
    ]


def test_metrics(load: Load, bench: Bench) -> None:
    to = "100.0.0.0/24"
    load(f"{to} via {G1} metric 7#x\n{to} metric 65535\nprohibit {to} metric 8", via=[G2])
    found = [
        (one.metric, one.kind, one.via and str(one.via))
        for one in bench.only.routes(all=True)
        if str(one.to) == "100.0.0.0/24"
    ]
    assert found == [(7, "via", G1), (8, "prohibit", None), (65535, "via", G2)]


def test_many_gateways_and_many_routes(load: Load, bench: Bench) -> None:
    """More of both than the parser keeps in mind."""
    gateways = [f"10.{net}.0.{host}" for net in (1, 2, 7, 4) for host in range(2, 200)]
    lines = [f"100.{i >> 8}.{i & 255}.0/24" for i in range(5000)]
    found = load("\n".join(lines), via=gateways)
    assert [(to, via) for to, _, via, _ in found] == [
        (line, gateways[i % len(gateways)]) for i, line in enumerate(lines)
    ]
    ports = {"10.1": "p1", "10.2": "p2", "10.7": "p2", "10.4": "a-fifteen.chars"}
    assert all(port == ports[str(via)[:4]] for _, _, via, port in found)


# --- refused --------------------------------------------------------------------------------------

PREFIX = "prefix as a.b.c.d/length, octets 0 to 255, expected"
LENGTH = "prefix length 0 to 32 expected"
SLASH = "'/' and a prefix length expected"
WORD = "prefix, 'blackhole', 'unreachable' or 'prohibit' expected"
HOST_BITS = "prefix without bits below its length expected"
UNICAST = "prefix of unicast addresses expected"
AFTER_VIA = "address of a gateway expected after 'via'"
AFTER_MTU = "68 to 65535 bytes expected after 'mtu'"
AFTER_DEV = "name of a port expected after 'dev'"
TARGET = "'via GATEWAY', 'dev PORT' or end of line expected"
METRIC = "metric 0 to 65535 expected"
END = "end of line expected"
OWN = "gateway other than an own address expected"
BROADCAST = "gateway other than a broadcast address expected"
OFF = "gateway on a connected subnet expected"
OTHER_PORT = "gateway on a subnet of that port expected"
NUL = "text without NUL bytes expected"

REFUSED: dict[str, str] = {
    f"100.0.0.0 via {G1}": SLASH,
    f"100.0.0.0/ via {G1}": LENGTH,
    f"100.0.0.0/33 via {G1}": LENGTH,
    f"100.0.0.0/08 via {G1}": LENGTH,
    f"100.0.0.0/00 via {G1}": LENGTH,
    f"100.0.0.0/4294967304 via {G1}": LENGTH,
    f"100.0.0.0/-8 via {G1}": LENGTH,
    f"100.0.0.0/+8 via {G1}": LENGTH,
    f"100.0.0.0/8.0 via {G1}": LENGTH,
    f"100.0.0.0/255.0.0.0 via {G1}": LENGTH,
    f"100.0.0.0/8x via {G1}": LENGTH,
    f"100.0.0.0/8/8 via {G1}": LENGTH,
    f"100.0.0.0/ 8 via {G1}": LENGTH,
    f"100.0.0.0 /8 via {G1}": SLASH,
    f"100.0.0.0 / 8 via {G1}": SLASH,
    f"01.0.0.0/8 via {G1}": PREFIX,
    f"1.0.0.00/8 via {G1}": PREFIX,
    f"100.0.0.256/32 via {G1}": PREFIX,
    f"100.0.0.4294967296/32 via {G1}": PREFIX,
    f"100.0.0/24 via {G1}": PREFIX,
    f"100.0.0./24 via {G1}": PREFIX,
    f"100..0.0/24 via {G1}": PREFIX,
    f".100.0.0.0/24 via {G1}": PREFIX,
    f"100.0.0.0.0/24 via {G1}": SLASH,
    f"0x64.0.0.0/8 via {G1}": PREFIX,
    f"-1.0.0.0/8 via {G1}": PREFIX,
    f"100 .0.0.0/8 via {G1}": PREFIX,
    f"/8 via {G1}": PREFIX,
    f"100.0.0.1/24 via {G1}": HOST_BITS,
    f"100.0.0.0/5 via {G1}": HOST_BITS,
    f"1.0.0.0/0 via {G1}": HOST_BITS,
    f"127.0.0.0/8 via {G1}": UNICAST,
    f"224.0.0.0/4 via {G1}": UNICAST,
    f"240.0.0.0/8 via {G1}": UNICAST,
    f"0.0.0.0/8 via {G1}": UNICAST,
    f"2001:db8::/32 via {G1}": PREFIX,
    f"fe80::/10 via {G1}": WORD,
    f"default via {G1}": WORD,
    f"via {G1}": WORD,
    "Blackhole 100.0.0.0/24": WORD,
    "BLACKHOLE 100.0.0.0/24": WORD,
    "blackholes 100.0.0.0/24": WORD,
    "blackhole100.0.0.0/24": WORD,
    "black 100.0.0.0/24": WORD,
    "blackhole": PREFIX,
    "blackhole # x": PREFIX,
    "blackhole prohibit 100.0.0.0/24": PREFIX,
    f"blackhole 100.0.0.0/24 via {G1}": END,
    "unreachable 100.0.0.0/24 dev p1": END,
    "prohibit 100.0.0.0/24 100.0.1.0/24": END,
    "100.0.0.0/24": "'via GATEWAY' or 'dev PORT' expected",
    "100.0.0.0/24 # via": "'via GATEWAY' or 'dev PORT' expected",
    "100.0.0.0/24 via": AFTER_VIA,
    "100.0.0.0/24 via ": AFTER_VIA,
    "100.0.0.0/24 via # x": AFTER_VIA,
    "100.0.0.0/24 via dev p1": AFTER_VIA,
    "100.0.0.0/24 via 10.1.0": AFTER_VIA,
    "100.0.0.0/24 via 10.1.0.254.1": AFTER_VIA,
    "100.0.0.0/24 via 10.1.0.254/24": AFTER_VIA,
    "100.0.0.0/24 via 10.1.0.0254": AFTER_VIA,
    "100.0.0.0/24 via fe80::1": AFTER_VIA,
    f"100.0.0.0/24 VIA {G1}": TARGET,
    f"100.0.0.0/24 via{G1}": TARGET,
    f"100.0.0.0/24 {G1}": TARGET,
    f"100.0.0.0/24 gw {G1}": TARGET,
    "100.0.0.0/24 Dev p1": TARGET,
    "100.0.0.0/24 dev": AFTER_DEV,
    "100.0.0.0/24 dev # x": AFTER_DEV,
    f"100.0.0.0/24 via {G1} dev": AFTER_DEV,
    "100.0.0.0/24 dev p9": AFTER_DEV,
    "100.0.0.0/24 dev p": AFTER_DEV,
    "100.0.0.0/24 dev p1xx": AFTER_DEV,
    "100.0.0.0/24 dev P1": AFTER_DEV,
    "100.0.0.0/24 dev a-fifteen.char": AFTER_DEV,
    "100.0.0.0/24 dev a-fifteen.charss": AFTER_DEV,
    "100.0.0.0/24 dev a-fifteen.chars-and-more": AFTER_DEV,
    f"100.0.0.0/24 via {G1} p1": END,
    f"100.0.0.0/24 via {G1} via": AFTER_VIA,
    f"100.0.0.0/24 via {G1} via {G1}": "each gateway once expected",
    f"100.0.0.0/24 via {G1} via 10.9.0.1": OFF,
    f"100.0.0.0/24 via {G1} via {G2} dev p1": OTHER_PORT,
    f"100.0.0.0/24 via {G1} dev p1 via {G2}": END,
    "100.0.0.0/24"
    + "".join(f" via 10.2.0.{i}" for i in range(2, 19)): "at most 16 gateways expected",
    f"100.0.0.0/24 via {G1} mtu": AFTER_MTU,
    f"100.0.0.0/24 via {G1} mtu 67": AFTER_MTU,
    f"100.0.0.0/24 via {G1} mtu 65536": AFTER_MTU,
    f"100.0.0.0/24 via {G1} mtu 1280x": AFTER_MTU,
    f"100.0.0.0/24 via {G1} mtu 1280 dev p1": END,
    "100.0.0.0/24 dev p1 mtu 1280": END,
    f"100.0.0.0/24 via {G1} dev p1 x": END,
    f"100.0.0.0/24 dev p1 via {G1}": END,
    f"100.0.0.0/24 via {G1} metric": METRIC,
    f"100.0.0.0/24 via {G1} metric -1": METRIC,
    f"100.0.0.0/24 via {G1} metric 65536": METRIC,
    f"100.0.0.0/24 via {G1} metric 05": METRIC,
    f"100.0.0.0/24 via {G1} metric 5x": METRIC,
    f"100.0.0.0/24 via {G1} metric 5 6": END,
    f"100.0.0.0/24 via {G1} metric 5 dev p1": END,
    f"100.0.0.0/24 metric 5 via {G1}": "'via GATEWAY' or 'dev PORT' expected",
    "100.0.0.0/24 via 10.1.0.1": OWN,
    "100.0.0.0/24 via 10.3.0.0": OWN,
    "100.0.0.0/24 via 10.2.0.1 dev p1": OWN,
    "100.0.0.0/24 via 10.1.0.255": BROADCAST,
    "100.0.0.0/24 via 10.1.0.0": BROADCAST,
    "100.0.0.0/24 via 10.9.0.1": OFF,
    "100.0.0.0/24 via 0.0.0.0": OFF,
    "100.0.0.0/24 via 255.255.255.255": OFF,
    f"100.0.0.0/24 via {G2} dev p1": OTHER_PORT,
    f"100.0.0.0/24 via {G1} dev p1x": OTHER_PORT,
    f"100.0.0.0/24\r via {G1}": LENGTH,
    f"100.0.0.0/24 \rvia {G1}": TARGET,
    f"100.0.0.0/24 via {G1}\r\r": AFTER_VIA,
    f"100.0.0.0/24 via {G1} \r\r": END,
    "\r\r": PREFIX,
    f"100.0.0.0/24\0 via {G1}": NUL,
    f"100.0.0.0/24 via {G1}\0": NUL,
    f"100.0.0.0/24 via {G1} # \0": NUL,
    "\0": NUL,
    f"100.0.0.0/24\x0bvia {G1}": LENGTH,
    f"100.0.0.0/24\xa0via {G1}": LENGTH,
    f"\ufeff100.0.0.0/24 via {G1}": PREFIX,
}


def refused(load: Load, bench: Bench, text: str, line: int, what: str, via: Sequence[str]) -> None:
    """The text is refused, naming the line and what was expected, and no route is changed."""
    before = bench.only.routes(all=True)
    with pytest.raises(InputError, match=rf"routes\.txt:{line}: .*: {re.escape(what)}$"):
        load(text, via)
    bench.settle()
    assert bench.only.routes(all=True) == before


@pytest.mark.parametrize("line", REFUSED)
def test_refused(load: Load, bench: Bench, line: str) -> None:
    refused(load, bench, line, 1, REFUSED[line], [])


@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["no break", "LF", "CRLF"])
@pytest.mark.parametrize("place", [1, 2, 500, 1000])
def test_one_bad_line_among_good_ones(load: Load, bench: Bench, place: int, end: str) -> None:
    """All of the file or nothing: what came before the line is not done either."""
    lines = [f"100.{i >> 8}.{i & 255}.0/24" for i in range(1000)]
    lines[place - 1] = "100.0.300.0/24"
    text = (end or "\n").join(lines) + end
    refused(load, bench, text, place, PREFIX, [G1, G2])


def test_the_first_bad_line_is_named(load: Load, bench: Bench) -> None:
    refused(load, bench, f"{GOOD}\n# x\n100.0.0.0/33\n1.2.3\n", 4, LENGTH, [G1])


def test_a_bad_gateway_of_the_list(load: Load, bench: Bench) -> None:
    """It counts at the line that takes it."""
    text = "100.0.0.0/24\n100.0.1.0/24\n"
    refused(load, bench, text, 2, OFF, [G1, "10.9.0.1"])
    assert load(text.splitlines()[0], [G1, "10.9.0.1"]) == ONE


def test_a_gateway_found_good_is_checked_with_its_port(load: Load, bench: Bench) -> None:
    """What the parser keeps in mind of a gateway holds for the port that the line named."""
    for host in range(2, 255):
        good, bad = f"100.0.0.0/24 via 10.2.0.{host}", f"100.0.1.0/24 via 10.2.0.{host} dev p1"
        with pytest.raises(InputError, match=f"txt:2: .*{re.escape(OTHER_PORT)}"):
            load(f"{good}\n{bad}\n")


def test_a_long_line_is_quoted_in_part(load: Load, bench: Bench) -> None:
    with pytest.raises(InputError) as caught:
        load("x" * 100_000)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)
