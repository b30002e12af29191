# SPDX-License-Identifier: MIT
"""Addresses that no packet may come from or go to (RFC 1812 5.3.7, RFC 6890), and what an operator
can make of them by routes, addresses and configuration."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SILENCE, dropped, only, stack
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))
DEFAULT = f'[[route]]\nto = "0.0.0.0/0"\nvia = "{w.G3}"\n'

# Ends of each block; 0.0.0.0 is another matter, as it is the source of hosts without an address.
MARTIANS = [
    *("0.0.0.1", "0.1.2.3", "0.255.255.255", "127.0.0.0", "127.0.0.1", "127.255.255.255"),
    *("169.254.0.0", "169.254.1.1", "169.254.255.255"),
    *("192.0.0.8", "192.0.0.100", "192.0.0.255", "192.0.2.0", "192.0.2.9", "192.0.2.255"),
    *("198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255"),
    *("240.0.0.0", "240.0.0.1", "255.255.255.254"),
]
SOURCES = [
    *(*MARTIANS, "255.255.255.255", "224.0.0.0", "224.0.0.1", "239.255.255.255"),
    *("10.1.0.255", "10.1.0.0", "10.2.0.255", "10.3.0.255", "10.3.0.0"),
]
# Next to them, and the space that looks private but may be forwarded (RFC 6890 2.2.2).
INNOCENT = [
    *("1.0.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0"),
    *("192.0.0.0", "192.0.0.2", "192.0.0.7", "192.0.1.0", "192.0.1.255", "192.0.3.0"),
    *("198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255"),
    *("10.200.0.1", "172.31.0.1", "192.168.9.9", "100.127.0.1", "192.88.99.1"),
]


def frame(src: str = w.H1, dst: str = w.A1, *, to: str = w.M1, **fields: object) -> bytes:
    """Return a packet from H1's MAC address into p1."""
    return p.ether(to, w.h1, p.ipv4(src, dst, **{"payload": UDP, **fields}))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return w.bed(routes=DEFAULT)


def martians(bench: Bench, which: str = "source") -> int:
    return dropped(bench).get(f"martian_{which}", 0)


@pytest.mark.parametrize("source", SOURCES)
def test_no_packet_comes_from_there(bench: Bench, source: str) -> None:
    """Not transit, not to the router; no answer, no error; whatever else is odd about it."""
    frames = [
        frame(source),
        frame(source, ttl=1),
        frame(source, w.U, options=b"\1"),
        frame(source, w.R1, protocol=p.ICMP, payload=p.echo_request()),
        frame(source, "255.255.255.255", to=p.BROADCAST),
        frame(source, "224.0.0.5", to="01:00:5e:00:00:05"),
    ]
    before, counters = martians(bench), bench.only.counters()
    assert w.exchange(bench, w.P1, frames) == SILENCE
    assert martians(bench) == before + len(frames)
    after = bench.only.counters()
    assert (after.generated, after.sent_twin) == (counters.generated, counters.sent_twin)
    # The fast path sees to it: nothing of it burdens the slow path.
    assert after.punted == counters.punted


@pytest.mark.parametrize("destination", MARTIANS)
def test_no_packet_goes_there(bench: Bench, destination: str) -> None:
    """Though there is a default route; an option makes no difference, nor does the TTL."""
    frames = [
        frame(dst=destination),
        frame(dst=destination, ttl=1),
        frame(dst=destination, options=b"\1"),
    ]
    before = martians(bench, "destination")
    assert w.exchange(bench, w.P1, frames) == SILENCE
    assert martians(bench, "destination") == before + len(frames)


@pytest.mark.parametrize("address", INNOCENT)
def test_their_neighbours_are_free(bench: Bench, address: str) -> None:
    there, back = frame(dst=address), frame(address)
    out = w.exchange(bench, w.P1, [there, back])
    assert out == only(
        p2=[p.forwarded(back, w.M2, w.g2)],
        p3=[p.forwarded(there, w.M3, w.g3)],
    )


@pytest.mark.parametrize("burst", [1, 63, 64, 67, 512])
def test_in_a_burst_only_the_martians_are_lost(burst: int) -> None:
    bench = w.bed(routes=DEFAULT, fast={"burst": 512})
    sources = [(SOURCES + INNOCENT + [w.H1] * 40)[i * 7 % 87] for i in range(burst)]
    frames = [frame(source, ident=i) for i, source in enumerate(sources)]
    out = w.exchange(bench, w.P1, frames)
    good = [one for one, source in zip(frames, sources, strict=True) if source not in SOURCES]
    assert out == only(p2=[p.forwarded(one, w.M2, w.g2) for one in good])
    assert martians(bench) == burst - len(good)


def test_a_host_without_an_address_may_ask_for_one(bench: Bench) -> None:
    """RFC 1812 4.2.2.11, 9.1.2: the twin gets what DHCP and BOOTP say, and nothing else."""
    bench = w.bed(routes=DEFAULT)
    twin = stack(bench, w.P1)
    discover = frame("0.0.0.0", "255.255.255.255", to=p.BROADCAST, payload=p.udp(68, 67, bytes(50)))
    lost = [
        frame("0.0.0.0"),
        frame("0.0.0.0", w.R1),
        frame("0.0.0.0", w.R1, protocol=p.ICMP, payload=p.echo_request()),
        frame("0.0.0.0", w.R1, protocol=p.TCP, payload=bytes(20)),
    ]
    assert w.exchange(bench, w.P1, [discover, *lost]) == SILENCE
    assert [one.data for one in twin.received()] == [discover]
    assert dropped(bench) == {"martian_source": len(lost)}


# --- what an operator can make of them ------------------------------------------------------------


def passes(bench: Bench, address: str) -> tuple[bool, bool]:
    """Tell whether packets from an address, and to it, are forwarded."""
    out = w.exchange(bench, w.P1, [frame(address), frame(dst=address)])
    return bool(out[w.P2]), bool(out[w.P3])


def test_a_route_of_the_prefix_makes_it_valid() -> None:
    """And the end of the route makes it invalid again; a shorter one does neither."""
    bench = w.bed(routes=DEFAULT)
    router = bench.only
    assert passes(bench, "203.0.113.9") == (False, False)
    for prefix in ("203.0.113.0/24", "203.0.113.0/28", "203.0.113.9/32"):
        router.route_add(prefix, via=w.G3)
        bench.settle()
        assert passes(bench, "203.0.113.9") == (True, True)
        assert passes(bench, "203.0.113.200") == (
            (True, True) if "24" in prefix else (False, False)
        )
        router.route_delete(prefix)
        bench.settle()
        assert passes(bench, "203.0.113.9") == (False, False)
    for prefix in ("203.0.112.0/23", "203.0.0.0/16", "128.0.0.0/1"):
        router.route_add(prefix, via=w.G3)
        bench.settle()
        assert passes(bench, "203.0.113.9") == (False, False)
        assert passes(bench, "203.0.112.9") == (True, True)


def test_a_blackhole_of_the_prefix_is_one() -> None:
    bench = w.bed(routes=DEFAULT + '[[route]]\nto = "192.0.2.0/24"\nkind = "blackhole"')
    assert passes(bench, "192.0.2.9") == (True, False)
    assert dropped(bench) == {"blackhole": 1}


def test_a_port_may_have_one() -> None:
    """The hosts of its subnet are hosts like others; its broadcast address is one."""
    bench = Bench(guard_tables=True)
    router = bench.router(
        port={
            "p1": {"address": ["198.51.100.1/25", "10.0.0.1/31", "10.0.1.1/32"], "mac": w.M1},
            "p2": {"address": "10.2.0.1/24", "mac": w.M2},
        },
        neighbor=[{"port": "p2", "address": w.H2, "mac": w.h2}],
    )
    for port in ("p1", "p2"):
        bench.link(bench.station(port), router.port(port))
    bench.settle()

    def out(source: str) -> list[bytes]:
        bench.port("p2").clear()
        bench.port("p1").send(frame(source, w.H2))
        bench.run_until_idle()
        return w.received(bench, "p2")

    # On 31 and 32 bits no address is a broadcast address (RFC 3021).
    for source in ("198.51.100.2", "198.51.100.126", "10.0.0.0", "10.0.0.1", "10.0.1.1"):
        assert len(out(source)) == 1, source
    for source in ("198.51.100.0", "198.51.100.127", "198.51.100.128", "198.51.100.200"):
        assert out(source) == [], source
    assert dropped(bench) == {"martian_source": 4}


@pytest.mark.parametrize(
    ("table", "valid", "invalid"),
    [
        ('allow = ["192.0.2.0/24"]', ["192.0.2.9"], ["198.51.100.9", "192.0.0.9"]),
        ('allow = ["192.0.2.16/28"]', ["192.0.2.16", "192.0.2.31"], ["192.0.2.15", "192.0.2.32"]),
        (
            'allow = ["0.0.0.0/0"]',
            ["192.0.2.9", "198.51.100.9", "169.254.1.1", "192.0.0.9"],
            ["127.0.0.1", "0.1.2.3", "240.0.0.1"],
        ),
        (
            'add = ["100.64.0.0/10"]',
            ["100.128.0.0"],
            ["100.64.0.0", "100.127.255.255", "192.0.2.9"],
        ),
        ('add = ["8.8.8.8/32"]', ["8.8.8.7", "8.8.8.9"], ["8.8.8.8"]),
        (
            'add = ["100.64.0.0/10"]\nallow = ["100.100.0.0/16", "203.0.0.0/8"]',
            ["100.100.9.9", "203.0.113.9"],
            ["100.99.255.255", "100.101.0.0", "192.0.2.9"],
        ),
    ],
)
def test_the_list_can_be_changed(table: str, valid: list[str], invalid: list[str]) -> None:
    bench = w.bed(routes=f"{DEFAULT}[martians]\n{table}")
    for address in valid:
        assert passes(bench, address) == (True, True), address
    for address in invalid:
        assert passes(bench, address) == (False, False), address
