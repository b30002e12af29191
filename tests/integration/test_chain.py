# SPDX-License-Identifier: MIT
"""Ten routers in a row, each a whole twinroute with its own tables and ARP, and a traceroute."""

import struct
from itertools import pairwise

from tests import packets as p
from twinroute.sim import Bench, Router, Station

HOPS = 10
PROBE_PORT = 33434


def chain(bench: Bench) -> tuple[list[Router], Station, Station]:
    """Build source - r1 - ... - r10 - target; each router is .1 to its left, .2 to its right."""
    routers = []
    for i in range(HOPS):
        routes = [{"to": "10.0.0.0/24", "via": f"10.0.{i}.2"}] if i else []
        if i < HOPS - 1:
            routes.append({"to": f"10.0.{HOPS}.0/24", "via": f"10.0.{i + 1}.1"})
        mac = f"02:00:00:00:{i + 1:02x}"
        router = bench.router(
            name=f"r{i + 1}",
            port={
                "left": {"address": f"10.0.{i}.1/24", "mac": f"{mac}:01"},
                "right": {"address": f"10.0.{i + 1}.2/24", "mac": f"{mac}:02"},
            },
            route=routes,
        )
        routers.append(router)
    source = bench.host("source", address="10.0.0.2/24", mac="02:00:00:00:00:aa")
    target = bench.host("target", address=f"10.0.{HOPS}.1/24", mac="02:00:00:00:00:bb")
    bench.link(source, routers[0].port("left"), rate="1G", delay_us=5)
    for left, right in pairwise(routers):
        bench.link(left.port("right"), right.port("left"), rate="10G", delay_us=100)
    bench.link(routers[-1].port("right"), target, rate="1G", delay_us=5)
    return routers, source, target


def test_traceroute_across_ten_routers() -> None:
    bench = Bench(profile="default")
    routers, source, target = chain(bench)
    for ttl in range(1, HOPS + 2):
        probe = p.ipv4("10.0.0.2", f"10.0.{HOPS}.1", p.udp(5000, PROBE_PORT + ttl), ttl=ttl)
        source.send(p.ether("02:00:00:00:01:01", "02:00:00:00:00:aa", probe))
        bench.run_until_idle()
    answers = [
        p.ip_fields(p.ip_of(f.data)) for f in source.received() if f.data[12:14] == b"\x08\x00"
    ]
    assert [a["src"] for a in answers] == [f"10.0.{i}.1" for i in range(HOPS)]
    for ttl, answer in enumerate(answers, 1):
        body = answer["payload"]
        assert isinstance(body, bytes)
        assert body[:2] == b"\x0b\x00"
        assert struct.unpack("!H", body[8 + 22 : 8 + 24])[0] == PROBE_PORT + ttl
        assert answer["ttl"] == 64 - (ttl - 1)
    arrived = [f.data for f in target.received() if f.data[12:14] == b"\x08\x00"]
    assert [struct.unpack("!H", f[36:38])[0] for f in arrived] == [PROBE_PORT + HOPS + 1]
    assert p.ip_fields(p.ip_of(arrived[0]))["ttl"] == 1
    bench.check_conservation()
    for router in routers:
        assert router.held() == 0
        assert {k for k, v in router.counters().dropped.items() if v} <= {"arp_done", "ttl_expired"}


def test_ping_across_ten_routers_takes_the_links_time() -> None:
    bench = Bench()
    _, source, _ = chain(bench)
    request = p.ipv4("10.0.0.2", f"10.0.{HOPS}.1", p.echo_request(), protocol=p.ICMP)
    frame = p.ether("02:00:00:00:01:01", "02:00:00:00:00:aa", request)
    source.send(frame)
    bench.run_until_idle()  # ARP everywhere
    source.clear()
    start = bench.now_ps
    source.send(frame)
    bench.run_until_idle()
    replies = [f for f in source.received() if f.data[12:14] == b"\x08\x00"]
    assert len(replies) == 1
    assert p.ip_fields(p.ip_of(replies[0].data))["ttl"] == 64 - HOPS
    # The request goes as sent (46 bytes, padded by each router's NIC to 60), the reply as it came.
    wires = 2 * (HOPS - 1) * 100 + 4 * 5
    assert replies[0].time_ps - start >= wires * 1_000_000
