# SPDX-License-Identifier: MIT
"""Every drop reason, provoked by a packet, with nothing else dropped; and a check that none is
without a test."""

from collections.abc import Callable, Mapping
from functools import partial

import pytest

from tests import packets as p
from tests import worlds as w
from tests.drop_options import (
    quick_start,
    router_alert,
    security_option,
    source_route_failed,
    strict_route_left,
    two_source_routes,
    unknown_option,
)
from twinroute.sim import Bench
from twinroute.sim._sim import ffi, lib

UDP = p.udp(1024, 9, bytes(range(32)))


def transit(**fields: object) -> bytes:
    """Return the standard transit packet H1 -> A1 in a frame, changed as named."""
    fields = {"src": w.H1, "dst": w.A1, "payload": UDP, **fields}
    return p.ether(w.M1, w.h1, p.ipv4(**fields))  # type: ignore[arg-type]


def arp(**fields: object) -> bytes:
    """Return an ARP request of H1 for the router in a frame, changed as named."""
    fields = {
        "operation": 1,
        "sender_mac": w.h1,
        "sender": w.H1,
        "target_mac": w.NO_MAC,
        "target": w.R1,
        **fields,
    }
    return p.ether(p.BROADCAST, w.h1, p.arp(**fields), 0x0806)  # type: ignore[arg-type]


# An option that is refused by default, and why.
REFUSED = {
    **{7: "record_route", 68: "timestamp_option", 136: "stream_id"},
    **{82: "obsolete_option", 222: "experimental_option"},
}

# A frame into p1 of the test bed, or more of them.
FRAMES: dict[str, bytes | list[bytes]] = {
    "frame_short": transit()[:13],
    "not_for_us": p.ether(w.M2, w.h1, p.ipv4(w.H1, w.A1, UDP)),
    "ether_type": p.ether(w.M1, w.h1, bytes(46), 0x86DD),
    "llc": p.ether(w.M1, w.h1, b"\x42\x42\x03" + bytes(35), 38),
    "ip_short": transit()[:33],
    "ip_checksum": transit(header_checksum=0x1234),
    "ip_version": transit(version=6),
    "ip_header_length": transit(ihl=4),
    "ip_total_length": transit(total=100),
    "martian_source": transit(src="127.0.0.1"),
    "martian_destination": transit(dst="240.0.0.1"),
    "link_broadcast": p.ether(p.BROADCAST, w.h1, p.ipv4(w.H1, w.A1, UDP)),
    "multicast": p.ether("01:00:5e:01:01:01", w.h1, p.ipv4(w.H1, "239.1.1.1", UDP)),
    "directed_broadcast": transit(dst="10.2.0.255"),
    "no_route": transit(dst=w.U),
    "ttl_expired": transit(ttl=1),
    "bad_options": transit(options=b"\x1f\x01\x00\x00"),
    "source_route": transit(options=b"\x83\x07\x04\x0a\x03\x00\x02\x00"),
    **{reason: transit(options=bytes([kind, 4, 0, 0])) for kind, reason in REFUSED.items()},
    "no_twin": transit(dst=w.R1),
    "arp_malformed": arp(hardware=6),
    "arp_conflict": arp(sender=w.R1, target=w.H1),
    "icmp_malformed": transit(dst=w.R1, payload=b"\x08\x00\x12\x34aaaa", protocol=p.ICMP),
    "arp_done": arp(),
    "fragment_length": transit(dst=w.R1, payload=bytes(12), protocol=p.ICMP, fragment=p.MF),
    "redirect_copy": transit(dst=w.G1),
    "echo_answered": transit(dst=w.R1, payload=p.echo_request(), protocol=p.ICMP),
}

ROUTES = {
    kind: f'[[route]]\nto = "203.0.113.0/24"\nkind = "{kind}"'
    for kind in ("blackhole", "unreachable", "prohibit")
}


def blackhole() -> Bench:
    return _by_route("blackhole")


def unreachable() -> Bench:
    return _by_route("unreachable")


def prohibit() -> Bench:
    return _by_route("prohibit")


def _by_route(kind: str) -> Bench:
    bench = w.bed(routes=ROUTES[kind])
    w.exchange(bench, w.P1, [transit(dst="203.0.113.9")])
    return bench


def fragmentation_needed() -> Bench:
    bench = w.bed(mtu2=1000)
    w.exchange(bench, w.P1, [transit(payload=bytes(1200), fragment=p.DF)])
    return bench


def fragmented() -> Bench:
    bench = w.bed(mtu2=1000)
    w.exchange(bench, w.P1, [transit(payload=bytes(1200))])
    return bench


def fragment_beyond() -> Bench:
    bench = w.bed(mtu2=1000)
    w.exchange(bench, w.P1, [transit(payload=bytes(1400), fragment=0x1FFF)])
    return bench


def _pieces(*pieces: Mapping[str, object]) -> Bench:
    """Send fragments of an echo request to the router."""
    bench = w.bed()
    echo = {"dst": w.R1, "payload": p.echo_request(data=bytes(8)), "protocol": p.ICMP}
    w.exchange(bench, w.P1, [transit(**{**echo, **piece}) for piece in pieces])
    return bench


def fragment_overlap() -> Bench:
    return _pieces({"fragment": p.MF}, {"fragment": 1})


def fragment_ecn() -> Bench:
    return _pieces({"fragment": p.MF, "tos": 3}, {"fragment": 2})


def fragment_duplicate() -> Bench:
    return _pieces({"fragment": 2}, {"fragment": 2})


def reassembly_timeout() -> Bench:
    return _pieces({"fragment": 2})


def reassembly_full() -> Bench:
    return _pieces(*({"fragment": 2, "ident": ident} for ident in range(1000)))


def echo_limited() -> Bench:
    bench = w.bed(icmp="[icmp.echo_reply]\nper_s = 1\nburst = 1")
    echo = transit(dst=w.R1, payload=p.echo_request(), protocol=p.ICMP)
    w.exchange(bench, w.P1, [echo, echo])
    return bench


def echo_ignored() -> Bench:
    bench = w.bed(icmp="[icmp]\necho = false")
    w.exchange(bench, w.P1, [transit(dst=w.R1, payload=p.echo_request(), protocol=p.ICMP)])
    return bench


def reassembled() -> Bench:
    echo = p.ipv4(w.H1, w.R1, p.echo_request(data=bytes(80)), protocol=p.ICMP)
    bench = w.bed()
    w.exchange(bench, w.P1, [p.ether(w.M1, w.h1, part) for part in p.fragments(echo, 8)])
    return bench


TO_P2 = """
[[multicast_route]]
group = "239.1.1.1"
from = "{}"
to = ["p2"]
"""


def _multicast(port: str, ttl: int) -> Bench:
    bench = w.bed(routes=TO_P2.format(port))
    packet = p.ipv4(w.H1, "239.1.1.1", UDP, ttl=ttl)
    w.exchange(bench, w.P1, [p.ether("01:00:5e:01:01:01", w.h1, packet)])
    return bench


def multicast_path() -> Bench:
    return _multicast(w.P3, 64)


def ttl_threshold() -> Bench:
    return _multicast(w.P1, 1)


def multicast_copied() -> Bench:
    return _multicast(w.P1, 64)


def twin_full() -> Bench:
    bench = w.bed(nic={"tx_descriptors": 1})
    bench.link(bench.station("slow"), bench.only.twin(w.P1), rate="10M")
    w.exchange(bench, w.P1, [transit(dst=w.R1)] * 5)
    return bench


def _port(**keys: object) -> Bench:
    w.exchange(bench := w.bed(port={w.P1: keys}), w.P1, [transit(src="198.19.0.9")])
    return bench


def tiny_fragment() -> Bench:
    rule = '[[filter]]\naction = "drop"\nprotocol = "tcp"\ndestination_port = 23'
    bench = w.bed(routes=rule)
    w.exchange(bench, w.P1, [transit(protocol=p.TCP, payload=bytes(8), fragment=p.MF)])
    return bench


def twin_frame() -> Bench:
    bench = w.bed()
    stack = bench.station("stack")
    bench.link(stack, bench.only.twin(w.P1))
    stack.send(bytes(13), bytes(1515))
    bench.run_until_idle()
    return bench


def neighbor_failed() -> Bench:
    bench = w.bed(resolved=False, slow={"arp_retry_ms": 10})
    w.exchange(bench, w.P1, [transit()])
    return bench


def neighbor_queue_full() -> Bench:
    bench = w.bed(resolved=False, slow={"neighbor_pending": 2})
    bench.host("late", address=f"{w.G2}/24", mac=w.g2)
    for i in range(3):
        bench.port(w.P1).send(transit(ident=i))
    bench.run(us=10)
    bench.port(w.P2).send(p.ether(w.M2, w.g2, p.arp(2, w.g2, w.G2, w.M2, w.R2), 0x0806))
    bench.run_until_idle()
    return bench


def neighbor_table_full() -> Bench:
    bench = w.bed(resolved=False, slow={"neighbors": 1})
    bench.port(w.P1).send(transit(dst="10.2.0.50"))
    bench.port(w.P1).send(transit(dst="10.2.0.51"))
    bench.run(us=10)
    bench.port(w.P2).send(p.ether(w.M2, w.g2, p.arp(2, w.g2, "10.2.0.50", w.M2, w.R2), 0x0806))
    bench.run_until_idle()
    return bench


def punt_ring_full() -> Bench:
    bench = w.bed(slow={"punt_ring": 2}, fast={"burst": 64})
    w.exchange(bench, w.P1, [arp()] * 3)
    return bench


def tx_full() -> Bench:
    bench = w.bed(nic={"tx_descriptors": 1, "rate": "10M"}, fast={"tx_buffer": 64})
    for _ in range(20):
        bench.port(w.P1).send(transit())
    # Both ways in are as slow as the way out: the burst comes from two ports.
    for _ in range(20):
        bench.port(w.P3).send(p.ether(w.M3, w.h3, p.ipv4(w.H3, w.A1, UDP)))
    bench.run_until_idle()
    return bench


def port_down() -> Bench:
    bench = w.bed()
    bench.port(w.P1).send(transit())
    bench.run(us=1)  # it waits to be sent
    bench.port(w.P2).link.set_up(False)
    bench.run_until_idle()
    return bench


def port_unconfigured() -> Bench:
    bench = Bench()
    router = bench.router(port={w.P1: {"mac": w.M1}, w.P2: {"address": f"{w.R2}/24"}})
    bench.link(bench.station(), router.port(w.P1))
    bench.port(w.P1).send(transit(), arp(), transit()[:13])
    bench.run_until_idle()
    return bench


def no_buffer() -> Bench:
    bench = w.bed(mtu1=9000, mtu2=68, sim={"buffers": 64})
    w.exchange(bench, w.P1, [transit(payload=bytes(8000))])  # makes 167 fragments
    return bench


SCRIPTS: dict[str, Callable[[], Bench]] = {
    script.__name__: script
    for script in (
        blackhole,
        unreachable,
        prohibit,
        fragmentation_needed,
        fragmented,
        fragment_beyond,
        fragment_overlap,
        fragment_ecn,
        fragment_duplicate,
        reassembly_timeout,
        reassembly_full,
        reassembled,
        echo_limited,
        echo_ignored,
        multicast_path,
        ttl_threshold,
        multicast_copied,
        tiny_fragment,
        twin_frame,
        twin_full,
        neighbor_failed,
        neighbor_queue_full,
        neighbor_table_full,
        punt_ring_full,
        tx_full,
        port_down,
        router_alert,
        quick_start,
        security_option,
        unknown_option,
        two_source_routes,
        strict_route_left,
        source_route_failed,
        port_unconfigured,
        no_buffer,
    )
}
SCRIPTS["urpf"] = partial(_port, urpf="strict")
SCRIPTS["filtered"] = partial(_port, filter_default="drop")
SCRIPTS["forwarding_off"] = partial(_port, forwarding=False)

# What is answered or sent by the way, and so counts as well.
BESIDES = {"neighbor_queue_full": {"arp_done"}, "neighbor_table_full": {"arp_done"}}
BESIDES["punt_ring_full"] = {"arp_done"}
BESIDES["fragment_duplicate"] = BESIDES["reassembly_full"] = {"reassembly_timeout"}
BESIDES["reassembled"] = BESIDES["echo_limited"] = {"echo_answered"}


def reasons() -> list[str]:
    """Return the names of core/drops.def."""
    names: list[str] = []
    while (info := lib.tr_drop_info(len(names))) != ffi.NULL:
        names.append(ffi.string(info.name).decode())
    return names


def test_no_reason_is_without_a_test() -> None:
    assert sorted(reasons()) == sorted([*FRAMES, *SCRIPTS])


@pytest.mark.parametrize("reason", FRAMES)
@pytest.mark.parametrize("burst", [1, 63, 64, 67, 512])
def test_reason_by_frame(reason: str, burst: int) -> None:
    """In every place of a burst of standard packets, which are forwarded all the same."""
    bench = w.bed(fast={"burst": 512})
    odd = FRAMES[reason]
    assert isinstance(odd, bytes)
    at = {0, burst // 2, burst - 1}
    frames = [odd if i in at else transit(ident=i) for i in range(burst)]
    out = w.exchange(bench, w.P1, frames)
    counters = bench.only.counters()
    assert {k: v for k, v in counters.dropped.items() if v} == {reason: len(at)}
    good = [p.forwarded(transit(ident=i), w.M2, w.g2) for i in range(burst) if i not in at]
    assert out[w.P2] == good
    assert out[w.P3] == []


@pytest.mark.parametrize("reason", SCRIPTS)
def test_reason_by_script(reason: str) -> None:
    bench = SCRIPTS[reason]()
    bench.check_conservation()
    dropped = {k for k, v in bench.only.counters().dropped.items() if v}
    assert dropped - BESIDES.get(reason, set()) == {reason}
