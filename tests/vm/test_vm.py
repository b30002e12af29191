# SPDX-License-Identifier: MIT
"""twinroute on DPDK's real drivers: e1000 and virtio-net, by UIO and by VFIO, in a virtual PC."""

import json
import struct
import time
from collections.abc import Iterator
from itertools import permutations

import pytest

from tests import packets as p
from tests.vm import kernel, wires
from tests.vm.guest import Guest, Nic
from tests.vm.router import FOLDER, SOCKET, Router, install, missing
from tests.vm.wires import is_ipv4

VIRTIO = "virtio-net-pci,iommu_platform=on,disable-legacy=on"
QUEUES = 4
NICS = [
    Nic("e1", "e1000", "02:00:00:00:aa:01"),
    Nic("e2", "e1000", "02:00:00:00:aa:02"),
    Nic("x1", "e1000e", "02:00:00:00:aa:03"),
    Nic("v1", VIRTIO, "02:00:00:00:aa:04"),
]
SPREAD = [
    Nic("m1", f"{VIRTIO},host_mtu=9000", "02:00:00:00:aa:05", QUEUES),
    Nic("m2", f"{VIRTIO},host_mtu=9000", "02:00:00:00:aa:06", QUEUES),
]
DRIVERS = {"e1": "net_e1000_em", "e2": "net_e1000_em", "x1": "net_e1000_em", "v1": "net_virtio"}

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.no_sanitizer,
    pytest.mark.skipif(bool(kernel.missing()), reason=kernel.missing()),
]


@pytest.fixture(scope="module")
def python() -> str:
    if reason := missing():
        pytest.skip(reason)
    return install()


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    with Guest(NICS + ([] if wires.missing_for_taps() else SPREAD)) as guest:
        yield guest


def payload_of(frame: bytes, protocol: int = p.UDP) -> bytes:
    fields = p.ip_fields(p.ip_of(frame))
    assert fields["protocol"] == protocol
    payload = fields["payload"]
    assert isinstance(payload, bytes)
    return payload


def icmp_of(frame: bytes) -> bytes:
    message = payload_of(frame, p.ICMP)
    assert p.checksum(message) == 0
    return message


@pytest.fixture(scope="class", params=["uio_pci_generic", "vfio-pci"])
def router(python: str, guest: Guest, request: pytest.FixtureRequest) -> Iterator[Router]:
    guest.bind(request.param, *DRIVERS)
    router = Router(guest, python, {"e1": 9000, "e2": 9000, "x1": 1500, "v1": 1500})
    try:
        router.start()
        yield router
    finally:
        router.stop()


@pytest.fixture
def cut(router: Router) -> Iterator[set[str]]:
    """Take two ports' links away; give them back in the end, for those who come after."""
    names = {"e2", "v1"}
    for name in names:
        router.guest.set_link(name, False)
    yield names
    for name in names:
        router.guest.set_link(name, True)


class TestDrivers:
    def test_ports(self, router: Router):
        ports = {port["name"]: port for port in router.ask("show.ports")["ports"]}
        assert {name: port["driver"] for name, port in ports.items()} == DRIVERS
        assert {name: port["mac"] for name, port in ports.items()} == {
            name: router.mac(name) for name in DRIVERS
        }
        assert all(port["link_up"] for port in ports.values())
        assert ports["e1"]["mtu"] == 9000
        assert ports["e1"]["checksum"]
        assert not ports["v1"]["checksum"]
        assert not any(port["promiscuous"] for port in ports.values())

    @pytest.mark.parametrize(("src", "dst"), list(permutations(DRIVERS, 2)))
    def test_every_size_both_ways(self, router: Router, src: str, dst: str):
        step = 1 if "v1" in (src, dst) and "e1" in (src, dst) else 7
        sizes = sorted({*range(60, 1515, step), 61, 63, 64, 65, 1513, 1514})
        sent = [router.frame(src, dst, size, ident=size) for size in sizes]
        got = router.exchange(src, dst, sent)
        assert got == [router.forwarded(frame, dst) for frame in sent]

    def test_jumbo(self, router: Router):
        for src, dst in (("e1", "e2"), ("e2", "e1")):
            sizes = [1515, 2048, 4096, 8191, 8192, 8193, 9013, 9014] * 4
            sent = [router.frame(src, dst, size) for size in sizes]
            router.guest.wires[src].send(*sent)
            got = router.guest.wires[dst].take(len(sent), is_ipv4)
            assert got == [router.forwarded(frame, dst) for frame in sent]

    def test_jumbo_in_fragments(self, router: Router):
        frame = router.frame("e1", "v1", 9014, ident=77)
        router.guest.wires["e1"].send(frame)
        parts = [payload_of(part) for part in router.guest.wires["v1"].take(7, is_ipv4)]
        assert [len(part) for part in parts] == [1480] * 6 + [8980 - 6 * 1480]
        assert b"".join(parts) == frame[34:]

    def test_jumbo_that_may_not_be_fragmented(self, router: Router):
        frame = router.frame("e1", "v1", 9014, fragment=p.DF)
        router.guest.wires["e1"].send(frame)
        (got,) = router.guest.wires["e1"].take(1, is_ipv4)
        assert icmp_of(got)[:2] == b"\x03\x04"
        assert struct.unpack("!H", icmp_of(got)[6:8]) == (1500,)

    @pytest.mark.parametrize(("src", "dst"), [("e1", "v1"), ("v1", "e1"), ("e2", "x1")])
    def test_arp_resolution(self, router: Router, src: str, dst: str):
        mac, address = "02:00:00:00:77:77", router.ip(dst, 77)
        sent = [
            p.pad(
                p.ether(
                    router.mac(src),
                    router.host_mac(src),
                    p.ipv4(router.ip(src), address, p.udp(1, 2, bytes([i] * 30)), ident=i),
                )
            )
            for i in range(5)
        ]
        wire = router.guest.wires[dst]
        router.guest.wires[src].send(*sent)
        request = p.arp(1, router.mac(dst), router.ip(dst, 1), "00:00:00:00:00:00", address)
        asks = p.pad(p.ether(p.BROADCAST, router.mac(dst), request, 0x0806))
        # The router announces its own addresses, too, at times of its own (RFC 5227).
        assert wire.take(1, lambda frame: frame == asks), "no request"
        reply = p.arp(2, mac, address, router.mac(dst), router.ip(dst, 1))
        wire.send(p.pad(p.ether(router.mac(dst), mac, reply, 0x0806)))
        got = wire.take(5, is_ipv4)
        assert got == [p.forwarded(frame, router.mac(dst), mac) for frame in sent]

    @pytest.mark.parametrize("src", DRIVERS)
    def test_icmp(self, router: Router, src: str):
        wire, dst = router.guest.wires[src], "e2" if src != "e2" else "e1"

        def answer(frame: bytes) -> bytes:
            wire.send(frame)
            (got,) = wire.take(1, is_ipv4)
            assert p.ip_fields(p.ip_of(got))["src"] == router.ip(src, 1)
            assert got[:12] == p.mac_bytes(router.host_mac(src)) + p.mac_bytes(router.mac(src))
            return icmp_of(got)

        expired = router.frame(src, dst, 100, ttl=1)
        assert answer(expired)[:2] == b"\x0b\x00"
        lost = p.ipv4(router.ip(src), "10.99.0.1", p.udp(1, 2, b"x" * 40))
        message = answer(p.ether(router.mac(src), router.host_mac(src), lost))
        assert message[:2] == b"\x03\x00"
        assert message[8:] == lost[: len(message) - 8]
        ping = p.ipv4(router.ip(src), router.ip(src, 1), p.echo_request(5, 6), protocol=p.ICMP)
        frame = p.pad(p.ether(router.mac(src), router.host_mac(src), ping))
        assert answer(frame) == p.icmp(0, 0, struct.pack("!HH", 5, 6), b"ping")

    def test_bad_checksums(self, router: Router):
        before = router.dropped().get("ip_checksum", 0)
        for src in DRIVERS:
            dst = "e2" if src != "e2" else "e1"
            bad = [router.frame(src, dst, 100, header_checksum=0x1234, ident=i) for i in range(25)]
            good = [router.frame(src, dst, 100, ident=i) for i in range(25)]
            router.guest.wires[src].send(*(f for both in zip(bad, good, strict=True) for f in both))
            got = router.guest.wires[dst].take(len(good), is_ipv4)
            assert got == [router.forwarded(frame, dst) for frame in good]
        assert router.dropped()["ip_checksum"] == before + 25 * len(DRIVERS)

    def test_other_stations_frames(self, router: Router):
        # A NIC that is not promiscuous drops them itself; what it lets through the router drops.
        other = bytearray(router.frame("e1", "e2", 100, ident=1))
        other[:6] = p.mac_bytes("02:00:00:00:99:99")
        ours = router.frame("e1", "e2", 100, ident=2)
        router.guest.wires["e1"].send(bytes(other), ours)
        assert router.guest.wires["e2"].take(1, is_ipv4) == [router.forwarded(ours, "e2")]

    def test_link(self, router: Router, cut: set[str]):
        def wait_until_down(names: set[str]) -> None:
            end = time.monotonic() + 60
            down = {""}
            while down != names:
                assert time.monotonic() < end, f"down: {down}, expected {names}"
                ports = router.ask("show.ports")["ports"]
                down = {port["name"] for port in ports if not port["link_up"]}

        wait_until_down(cut)
        for name in cut:  # a subnet behind a port without a link is no route
            frame = router.frame("e1", name, 100)
            router.guest.wires["e1"].send(frame)
            (got,) = router.guest.wires["e1"].take(1, is_ipv4)
            assert icmp_of(got)[:2] == b"\x03\x00"
            assert icmp_of(got)[8:] == p.ip_of(frame)
        for name in cut:
            router.guest.set_link(name, True)
        wait_until_down(set())
        for name in cut:
            frame = router.frame("e1", name, 101)
            assert router.exchange("e1", name, [frame]) == [router.forwarded(frame, name)]

    def test_nothing_else_was_lost(self, router: Router):
        answer = router.ask("show.counters")
        lost = {name for name, n in answer["dropped"].items() if n}
        assert lost <= {
            *("ip_checksum", "ttl_expired", "no_route", "fragmentation_needed"),
            *("not_for_us", "port_down"),
        }
        assert answer["held"] == 0
        ins = sum(answer["received"].values()) + answer["generated"]
        outs = sum(answer["sent"].values())
        outs += sum(answer["dropped"].values()) + sum(answer["consumed"].values())
        assert ins == outs

    def test_ends_at_sigterm(self, router: Router):
        frame = router.frame("e1", "v1", 100)
        router.guest.wires["e1"].send(*[frame] * 50)
        assert router.stop() == 0, router.log()
        assert "stopped" in router.log().splitlines()[-1]
        assert router.guest.run("ls -A /dev/hugepages") == ""
        assert router.guest.run(f"ls {FOLDER}").split() == [
            "ask.py",
            "config.toml",
            "log",
            "status",
        ]


@pytest.fixture(scope="class", params=["vfio-pci"])
def spread(python: str, guest: Guest, request: pytest.FixtureRequest) -> Iterator[Router]:
    if reason := wires.missing_for_taps():
        pytest.skip(reason)
    guest.bind(request.param, "m1", "m2")
    router = Router(guest, python, {"m1": 9000, "m2": 9000}, units=3)
    try:
        router.start()
        yield router
    finally:
        router.stop()


class TestSeveralQueues:
    FLOWS = 96
    EACH = 20

    def test_rss_spreads_flows_and_loses_nothing(self, spread: Router):
        # Once by the command line, which this PC takes seconds for.
        ports = json.loads(spread.command(f"show ports --json --socket {SOCKET}"))["ports"]
        assert all(port["rss"] and port["rx_queues"] == 3 for port in ports), ports
        total = self.FLOWS * self.EACH
        for src, dst in (("m1", "m2"), ("m2", "m1")):
            before = [unit["forwarded"] for unit in spread.ask("show.units")["units"]]
            sent = [
                spread.frame(src, dst, 60 + 7 * flow, port=3000 + flow, ident=i)
                for i in range(self.EACH)
                for flow in range(self.FLOWS)
            ]
            got = spread.exchange(src, dst, sent)
            assert p.by_flow(got) == p.by_flow([spread.forwarded(frame, dst) for frame in sent])
            after = [unit["forwarded"] for unit in spread.ask("show.units")["units"]]
            moved = [now - then for now, then in zip(after, before, strict=True)]
            assert all(moved[:3]), moved
            assert sum(moved) == total

    def test_jumbo(self, spread: Router):
        for src, dst in (("m1", "m2"), ("m2", "m1")):
            sent = [spread.frame(src, dst, size, port=size) for size in (1515, 4096, 9013, 9014)]
            spread.guest.wires[src].send(*sent)
            got = spread.guest.wires[dst].take(len(sent), is_ipv4)
            assert p.by_flow(got) == p.by_flow([spread.forwarded(frame, dst) for frame in sent])

    def test_ends_at_sigterm(self, spread: Router):
        assert spread.dropped() == {}
        assert spread.stop() == 0, spread.log()
