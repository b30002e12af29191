# SPDX-License-Identifier: MIT
"""Twins: the host's stack behind a port's TAP, in a namespace, pings and is spoken to."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from tests.dpdk_bed import RingBed, needs_dpdk, on_dpdk, settled, wait_for

pytestmark = [
    needs_dpdk,
    pytest.mark.root,
    pytest.mark.no_sanitizer,
    pytest.mark.skipif(shutil.which("ip") is None, reason="iproute2 is not here"),
    pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="no /dev/net/tun"),
]

NETNS = f"twin{os.getpid()}"


def ip(*argv: str) -> Any:
    done = subprocess.run(["ip", "-j", *argv], check=True, capture_output=True, text=True)
    return json.loads(done.stdout or "null")


@pytest.fixture(scope="module")
def bed() -> Iterator[RingBed]:
    ring_bed = RingBed(1, prefix="t")
    ip("netns", "add", NETNS)
    yield ring_bed
    ip("netns", "delete", NETNS)
    ring_bed.close()


@pytest.fixture
def engine(bed: RingBed) -> Iterator[Any]:
    from twinroute.dpdk import Engine

    bed.collect()
    devices = {
        **bed.devices,
        w.P1: {"device": bed.devices[w.P1], "twin": True, "twin_netns": NETNS},
    }
    with Engine(on_dpdk(w.bed_config(mtu1=1400), devices)) as made:
        made.start()
        yield settled(made)


def in_namespace(*argv: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["ip", "netns", "exec", NETNS, *argv], stdout=subprocess.PIPE, text=True
    )


def test_interface_is_the_port_again(bed: RingBed, engine):
    (link,) = ip("-n", NETNS, "address", "show", "dev", "p1")
    assert (link["address"], link["mtu"]) == (w.M1, 1400)
    assert {"UP", "LOWER_UP"} <= set(link["flags"])
    assert [(one["local"], one["prefixlen"]) for one in link["addr_info"]] == [(w.R1, 24)]
    assert [one.twin for one in engine.port_infos()] == [True, False, False]


def test_interface_goes_with_the_engine(bed: RingBed, engine):
    engine.close()
    assert [one["ifname"] for one in ip("-n", NETNS, "link")] == ["lo"]


def test_host_stack_pings_by_the_port(bed: RingBed, engine):
    port = bed.rings[w.P1]
    ping = in_namespace("ping", "-n", "-c", "1", "-W", "10", "10.1.0.9")
    (request,) = wait_for(port.collect, "an ARP request out of the twin")
    assert request[:14] == p.ether(p.BROADCAST, w.M1, b"", 0x0806)
    mac = "02:00:00:00:01:09"
    port.inject(p.ether(w.M1, mac, p.arp(2, mac, "10.1.0.9", w.M1, w.R1), 0x0806))
    (echo,) = wait_for(port.collect, "an echo request")
    assert echo[:14] == p.ether(mac, w.M1, b"")
    packet = p.ip_of(echo)
    answer = p.ipv4("10.1.0.9", w.R1, p.icmp(0, 0, packet[24:28], packet[28:]), protocol=p.ICMP)
    port.inject(p.ether(w.M1, mac, answer))
    out, _ = ping.communicate(timeout=20)
    assert " 0% packet loss" in out
    # The answer is counted after it has been given.
    wait_for(lambda: engine.counters().sent_twin[w.P1] == 2, "the answer in the counters")
    counters = engine.counters()
    assert counters.received_twin[w.P1] == 2
    assert counters.came == counters.left


def test_packets_for_the_router_reach_the_host_stack(bed: RingBed, engine):
    port = bed.rings[w.P1]
    mac = w.h1
    # Nobody listens there: the host stack says so, to the neighbour that it asks for by ARP.
    port.inject(p.ether(w.M1, mac, p.ipv4(w.H1, w.R1, p.udp(999, 9, b"hello"))))
    (request,) = wait_for(port.collect, "the host's ARP request")
    assert request[12:14] == b"\x08\x06"
    port.inject(p.ether(w.M1, mac, p.arp(2, mac, w.H1, w.M1, w.R1), 0x0806))
    (error,) = wait_for(port.collect, "port unreachable")
    assert p.ip_of(error)[20:22] == bytes([3, 3])


def test_interface_down_drops_with_its_reason(bed: RingBed, engine):
    ip("-n", NETNS, "link", "set", "p1", "down")
    frame = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R1, p.udp(999, 9, b"hello")))
    bed.exchange(engine, w.P1, [frame])
    assert engine.counters().dropped == {"twin_full": 1}


def test_link_follows_the_port(bed: RingBed, engine):
    def carrier() -> bool:
        return "LOWER_UP" in ip("-n", NETNS, "link", "show", "dev", "p1")[0]["flags"]

    bed.rings[w.P1].set_link(up=False)
    try:
        wait_for(lambda: not carrier(), "no carrier")
    finally:
        bed.rings[w.P1].set_link(up=True)
    wait_for(carrier, "carrier")


def test_no_such_namespace(bed: RingBed):
    from twinroute.dpdk import Engine, EngineError

    table = {"device": bed.devices[w.P1], "twin": True, "twin_netns": "nonesuch"}
    devices = {**bed.devices, w.P1: table}
    with pytest.raises(EngineError, match="twin p1 of port p1: /run/netns/nonesuch: No such file"):
        Engine(on_dpdk(w.bed_config(), devices))


def test_name_taken(bed: RingBed, engine):
    from twinroute.dpdk import Engine, EngineError

    ip("-n", NETNS, "link", "add", "taken", "type", "veth", "peer", "name", "peer")
    engine.close()
    options = {"twin": True, "twin_netns": NETNS, "twin_name": "taken"}
    devices = {**bed.devices, w.P2: {"device": bed.devices[w.P2], **options}}
    with pytest.raises(EngineError, match="twin taken of port p2: no TAP of this name"):
        Engine(on_dpdk(w.bed_config(), devices))
    ip("-n", NETNS, "link", "delete", "taken")
