# SPDX-License-Identifier: MIT
"""Redirects (RFC 1812 5.2.7.2): who is told a better way, and what becomes of the packet."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SECOND_PS, arp, asks, dropped, error_to_h1, icmp_error, only, since, told
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))
BY_G1 = f'[[route]]\nto = "198.18.7.0/24"\nvia = "{w.G1}"'
D = "198.18.7.1"  # reached by G1, on the link of H1


def packet(dst: str = D, *, src: str = w.H1, **fields: object) -> bytes:
    """Return a packet of a station on p1."""
    return p.ipv4(**{"src": src, "dst": dst, "payload": UDP, **fields})  # type: ignore[arg-type]


def frame(one: bytes) -> bytes:
    """Put a packet into a frame from H1 into p1."""
    return p.ether(w.M1, w.h1, one)


def sent_on(one: bytes, mac: str = w.g1) -> bytes:
    """Return the packet as it leaves by p1 again."""
    return p.forwarded(frame(one), w.M1, mac)


def redirect(one: bytes, gateway: str = w.G1) -> bytes:
    """Return the redirect that H1 gets, code 1."""
    return error_to_h1(one, 5, 1, int.from_bytes(p.address_bytes(gateway)))


def through(bench: Bench, *packets: bytes) -> list[bytes]:
    """Send packets of H1 into p1 and return what left by it; nothing leaves by another port."""
    out = w.exchange(bench, w.P1, [frame(one) for one in packets])
    assert out == only(p1=out[w.P1])
    return out[w.P1]


@pytest.mark.parametrize("tos", [0, 0x10, 0xB8])
@pytest.mark.parametrize("ttl", [2, 64, 255])
def test_the_packet_goes_on_and_its_sender_is_told(ttl: int, tos: int) -> None:
    """The quote is as it was received. Code 1 whatever the TOS."""
    bench = w.bed(routes=BY_G1)
    one = packet(ttl=ttl, tos=tos)
    assert sorted(through(bench, one)) == sorted([sent_on(one), redirect(one)])
    assert dropped(bench) == {"redirect_copy": 1}
    counters = bench.only.counters()
    assert (counters.forwarded, counters.generated, counters.punted) == (1, 2, {"redirect": 1})


def test_an_attached_host_is_its_own_gateway() -> None:
    one = packet(w.G1)
    assert sorted(through(w.bed(), one)) == sorted([sent_on(one), redirect(one, w.G1)])


@pytest.mark.parametrize("burst", [1, 67])
@pytest.mark.parametrize("scatter", ["drop-out", "masks", "split"])
def test_in_a_burst_the_order_is_kept(scatter: str, burst: int) -> None:
    bench = w.bed(routes=BY_G1, fast={"scatter": scatter, "burst": 512})
    packets = [packet(ident=i) for i in range(burst)]
    got = through(bench, *packets)
    assert [one for one in got if one[23] == p.UDP] == [sent_on(one) for one in packets]
    assert [one for one in got if one[23] == p.ICMP] == [redirect(one) for one in packets]


def test_one_or_many_units_and_filters() -> None:
    for fast, nic in (({"units": 4}, {}), ({}, {"filters": True})):
        bench = w.bed(routes=BY_G1, fast=fast, nic=nic)
        assert len(through(bench, *(packet(ident=i) for i in range(10)))) == 20


@pytest.mark.parametrize("length", [28, 528, 529, 1480])
def test_as_much_is_quoted_as_of_other_errors(length: int) -> None:
    """RFC 1812 4.3.2.3."""
    one = packet(payload=bytes(range(256)) * 6)[: 20 + length]
    one = packet(payload=one[20:])
    assert sorted(through(w.bed(routes=BY_G1), one)) == sorted([sent_on(one), redirect(one)])


# --- what is forwarded, and nobody is told --------------------------------------------------------


def test_switched_off() -> None:
    """And then nothing is copied either."""
    config = w.bed_config(routes=BY_G1)
    ports = {**config.ports, w.P1: config.ports[w.P1].model_copy(update={"redirects": False})}
    bench = Bench.from_config(config.model_copy(update={"ports": ports}))
    bench.run_until_idle()
    packets = [packet(), packet(options=b"\1")]
    assert sorted(through(bench, *packets)) == sorted(sent_on(one) for one in packets)
    assert bench.only.counters().generated == 0


def test_by_another_port() -> None:
    one = packet(w.A1)
    out = w.exchange(w.bed(routes=BY_G1), w.P1, [frame(one)])
    assert out == only(p2=[p.forwarded(frame(one), w.M2, w.g2)])


@pytest.mark.parametrize("source", ["198.19.0.9", "198.18.7.9", "192.88.99.1"])
@pytest.mark.parametrize("options", [b"", b"\1"], ids=["fast", "slow"])
def test_a_source_that_is_not_on_the_link(source: str, options: bytes) -> None:
    one = packet(src=source, options=options)
    assert through(w.bed(routes=BY_G1), one) == [sent_on(one)]


@pytest.mark.parametrize("options", [b"", b"\1"], ids=["fast", "slow"])
def test_the_next_hop_itself(options: bytes) -> None:
    """A loop is not mended by telling a router to send to itself."""
    one = packet(src=w.G1, options=options)
    assert through(w.bed(routes=BY_G1), one) == [sent_on(one)]


SILENT = {
    "about an ICMP error": {"protocol": p.ICMP, "payload": p.icmp(3, 1, data=packet())},
    "about a redirect": {"protocol": p.ICMP, "payload": p.icmp(5, 1, data=packet())},
    "about a later fragment": {"fragment": 100},
}


@pytest.mark.parametrize("options", [b"", b"\1"], ids=["fast", "slow"])
@pytest.mark.parametrize("name", SILENT)
def test_no_error_about(name: str, options: bytes) -> None:
    """RFC 1812 4.3.2.7 holds for redirects too."""
    one = packet(**SILENT[name], options=options)  # type: ignore[arg-type]
    assert through(w.bed(routes=BY_G1), one) == [sent_on(one)]


# --- two subnets on one link ----------------------------------------------------------------------

X, GX, mx, mgx = "10.11.0.2", "10.11.0.254", "02:00:00:00:11:02", "02:00:00:00:11:fe"


def two_subnets() -> Bench:
    """Return a router with one port in two subnets, with a gateway in each."""
    bench = Bench(guard_tables=True)
    router = bench.router(
        port={"p1": {"address": ["10.1.0.1/24", "10.11.0.1/24"], "mac": w.M1}},
        route=[{"to": "198.18.7.0/24", "via": w.G1}, {"to": "198.18.8.0/24", "via": GX}],
        neighbor=[
            {"port": "p1", "address": address, "mac": mac}
            for address, mac in ((w.H1, w.h1), (w.G1, w.g1), (X, mx), (GX, mgx))
        ],
        icmp={"redirect": {"per_s": 0}},
    )
    bench.link(bench.station("link"), router.port("p1"))
    bench.settle()
    return bench


@pytest.mark.parametrize("options", [b"", b"\1"], ids=["fast", "slow"])
@pytest.mark.parametrize(
    ("source", "mac", "destination", "gateway", "gateway_mac", "own"),
    [
        (w.H1, w.h1, "198.18.7.1", w.G1, w.g1, w.R1),
        (w.H1, w.h1, "198.18.8.1", GX, mgx, ""),
        (X, mx, "198.18.7.1", w.G1, w.g1, ""),
        (X, mx, "198.18.8.1", GX, mgx, "10.11.0.1"),
        (X, mx, w.H1, w.H1, w.h1, ""),
    ],
)
def test_only_within_a_logical_subnet(
    source: str,
    mac: str,
    destination: str,
    gateway: str,
    gateway_mac: str,
    own: str,
    options: bytes,
) -> None:
    """And from the router's address in that one."""
    bench = two_subnets()
    one = packet(destination, src=source, options=options)
    bench.port("p1").send(p.ether(w.M1, mac, one))
    bench.run_until_idle()
    expected = [p.forwarded(frame(one), w.M1, gateway_mac)]
    if own:
        rest = int.from_bytes(p.address_bytes(gateway))
        expected.append(p.ether(mac, w.M1, icmp_error(one, 5, 1, rest, sender=own)))
    assert sorted(w.received(bench, "p1")) == sorted(expected)
    bench.check_conservation()


# --- packets of the slow path ---------------------------------------------------------------------


def test_a_packet_with_options() -> None:
    one = packet(options=b"\x9f\4\0\0")
    bench = w.bed(routes=BY_G1)
    assert through(bench, one) == [redirect(one), sent_on(one)]
    assert dropped(bench) == {}


def test_a_packet_that_is_fragmented() -> None:
    bench = w.bed(routes=BY_G1, mtu1=620)
    one = packet(payload=bytes(1400))
    got = through(bench, one)
    assert got[0] == redirect(one)
    assert [part[23] for part in got] == [p.ICMP] + 3 * [p.UDP]


def test_a_packet_that_waits_for_arp_is_told_of_once() -> None:
    bench = w.bed(routes=BY_G1, resolved=False)
    one = packet()
    bench.port(w.P1).send(arp(1, w.h1, w.H1, w.NO_MAC, w.R1))
    bench.run(us=1)
    bench.port(w.P1).clear()
    bench.port(w.P1).send(frame(one))
    bench.run(us=1)
    assert w.received(bench, w.P1) == [asks(w.P1, w.G1)]
    bench.port(w.P1).send(told(w.P1, w.g1, w.G1))
    bench.run_until_idle()
    assert w.received(bench, w.P1)[1:] == [redirect(one), sent_on(one)]


# --- how many -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [b"", b"\1"], ids=["fast", "slow"])
def test_a_flood_loses_nothing_and_is_told_now_and_then(options: bytes) -> None:
    config = w.bed_config(routes=BY_G1)
    limit = config.icmp.redirect.model_copy(update={"per_s": 100, "burst": 5})
    icmp = config.icmp.model_copy(update={"redirect": limit})
    bench = Bench.from_config(config.model_copy(update={"icmp": icmp}))
    bench.run_until_idle()
    start = bench.now_ps
    packets = [packet(ident=i, options=options) for i in range(1000)]
    for i, one in enumerate(packets):
        bench.port(w.P1).send(frame(one), at_ps=start + i * SECOND_PS // 10000)
    bench.run_until_idle()
    got = since(bench, w.P1, start)
    assert [one for _, one in got if one[23] == p.UDP] == [sent_on(one) for one in packets]
    told_of = [i for i, one in enumerate(packets) if redirect(one) in {one for _, one in got}]
    assert told_of == [0, 1, 2, 3, 4, *range(100, 1000, 100)]
    counters = bench.only.counters()
    assert counters.punted["redirect"] == (0 if options else len(told_of))
    bench.check_conservation()


def test_a_copy_that_finds_no_room_is_lost_alone() -> None:
    bench = w.bed(routes=BY_G1, slow={"punt_ring": 2})
    packets = [packet(ident=i) for i in range(5)]
    got = through(bench, *packets)
    assert [one for one in got if one[23] == p.UDP] == [sent_on(one) for one in packets]
    assert dropped(bench) == {"redirect_copy": 2, "punt_ring_full": 3}
