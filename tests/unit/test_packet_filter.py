# SPDX-License-Identifier: MIT
"""The packet filter (RFC 1812 5.3.9): rules, what they match, and what becomes of a packet."""

import struct
from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SILENCE, dropped, error_to_h1, only, stack
from twinroute.sim import Bench

UDP = p.udp(1024, 9, bytes(range(32)))
PERMIT_ONLY = {w.P1: {"filter_default": "drop"}}


def rules(*tables: str) -> str:
    """Return tables [[filter]]; an "action" alone stands for the rest as well."""
    return "".join(f"[[filter]]\n{table}\n" for table in tables)


def frame(src: str = w.H1, dst: str = w.A1, payload: bytes = UDP, **fields: Any) -> bytes:
    return p.ether(w.M1, w.h1, p.ipv4(src, dst, payload, **fields))


def tcp(dport: int = 80, flags: int = 0x10, data: bytes = b"", sport: int = 1024) -> bytes:
    return struct.pack("!HHIIBBHHH", sport, dport, 1, 2, 0x50, flags, 0, 0, 0) + data


def segment(payload: bytes, **fields: Any) -> bytes:
    return frame(payload=payload, protocol=p.TCP, **fields)


def passes(bench: Bench, one: bytes, *, reason: str = "filtered") -> bool:
    """Tell whether a frame is forwarded; else it must have gone silently, under its reason."""
    before = dropped(bench).get(reason, 0)
    out = w.exchange(bench, w.P1, [one])
    if out == only(p2=[p.forwarded(one, w.M2, w.g2)]):
        return True
    assert out == SILENCE
    assert dropped(bench)[reason] == before + 1
    return False


def test_without_rules_everything_passes() -> None:
    bench = w.bed()
    assert bench.only.filters() == []
    assert passes(bench, segment(bytes(8), fragment=p.MF))
    assert passes(bench, segment(bytes(8), fragment=1))


def test_a_protocol_is_dropped() -> None:
    bench = w.bed(routes=rules('action = "drop"\nprotocol = "udp"'))
    assert not passes(bench, frame())
    assert passes(bench, segment(tcp()))
    bench = w.bed(routes=rules('action = "drop"\nprotocol = 47'))
    assert not passes(bench, frame(protocol=47))
    assert passes(bench, frame())


def test_a_list_of_what_may_pass() -> None:
    table = 'action = "permit"\nsource = "10.1.0.2/32"\ndestination = "198.18.0.0/24"'
    bench = w.bed(port=PERMIT_ONLY, routes=rules(table))
    assert passes(bench, frame())
    assert not passes(bench, frame("10.1.0.3"))
    assert not passes(bench, frame(dst="198.18.1.1"))
    # It is that port's default: others let pass.
    other = p.ether(w.M2, w.h2, p.ipv4(w.H2, w.H1, UDP))
    assert w.exchange(bench, w.P2, [other]) == only(p1=[p.forwarded(other, w.M1, w.h1)])
    assert [(rule.action, rule.ports, rule.match) for rule in bench.only.filters()] == [
        ("permit", ["p1", "p2", "p3"], "from 10.1.0.2/32 to 198.18.0.0/24"),
        ("drop", ["p1"], "from any to any"),
    ]


@pytest.mark.parametrize("rule", ["", 'source = "any"', 'source = "any"\nprotocol = "any"'])
def test_any(rule: str) -> None:
    bench = w.bed(routes=rules(f'action = "drop"\ndestination = "198.18.0.1"\n{rule}'))
    assert not passes(bench, frame())
    assert not passes(bench, segment(tcp(), src="8.8.8.8"))
    assert passes(bench, frame(dst="198.18.0.2"))
    bench = w.bed(routes=rules('action = "drop"\nsource = "10.1.0.2"\ndestination = "any"'))
    assert not passes(bench, frame())
    assert passes(bench, frame("10.1.0.3"))


@pytest.mark.parametrize(
    ("prefix", "inside", "outside"),
    [
        ("0.0.0.0/0", ["1.0.0.1", "126.9.9.9", "223.9.9.9"], []),
        ("0.0.0.0/1", ["1.0.0.1", "126.255.255.255"], ["128.0.0.0", "223.9.9.9"]),
        ("128.0.0.0/1", ["128.0.0.0", "223.9.9.9"], ["126.255.255.255"]),
        ("11.8.0.0/13", ["11.8.0.0", "11.15.255.255"], ["11.7.255.255", "11.16.0.0"]),
        ("11.8.0.6/31", ["11.8.0.6", "11.8.0.7"], ["11.8.0.5", "11.8.0.8"]),
        ("11.8.0.6/32", ["11.8.0.6"], ["11.8.0.5", "11.8.0.7"]),
        ("11.8.0.6", ["11.8.0.6"], ["11.8.0.5", "11.8.0.7"]),
    ],
)
def test_prefixes_of_any_length(prefix: str, inside: list[str], outside: list[str]) -> None:
    default = f'[[route]]\nto = "0.0.0.0/0"\nvia = "{w.G2}"\n'
    for key in ("source", "destination"):
        bench = w.bed(routes=default + rules(f'action = "drop"\n{key} = "{prefix}"'))
        for address in inside + outside:
            one = frame(address) if key == "source" else frame(dst=address)
            assert passes(bench, one) == (address in outside), (key, address)


def test_the_first_rule_that_fits_decides() -> None:
    tables = (
        'action = "permit"\nsource = "10.1.0.2"\nprotocol = "udp"\ndestination_port = 9',
        'action = "drop"\nsource = "10.1.0.0/24"',
        'action = "permit"\nsource = "10.1.0.7"',
    )
    bench = w.bed(port=PERMIT_ONLY, routes=rules(*tables))
    assert passes(bench, frame())
    assert not passes(bench, frame(payload=p.udp(1024, 10)))
    assert not passes(bench, frame("10.1.0.7"))
    assert not passes(bench, frame("8.8.8.8"))
    assert [rule.packets for rule in bench.only.filters()] == [1, 2, 0, 1]


def test_rules_of_one_port_and_of_several() -> None:
    one, two = 'action = "drop"\nport = "p2"', 'action = "drop"\nport = ["p1", "p3"]'
    bench = w.bed(routes=rules(one))
    assert passes(bench, frame())
    bench = w.bed(routes=rules(two))
    assert not passes(bench, frame())
    assert [rule.ports for rule in bench.only.filters()] == [["p1", "p3"]]


@pytest.mark.parametrize(
    ("key", "value", "port", "fits"),
    [
        ("destination_port", "9", 9, True),
        ("destination_port", "9", 10, False),
        ("destination_port", "0", 0, True),
        ("destination_port", "65535", 65535, True),
        ("destination_port", '"9-12"', 8, False),
        ("destination_port", '"9-12"', 9, True),
        ("destination_port", '"9-12"', 12, True),
        ("destination_port", '"9-12"', 13, False),
        ("destination_port", '"256-511"', 255, False),
        ("destination_port", '"256-511"', 511, True),
        ("source_port", "9", 9, True),
        ("source_port", '"1024-65535"', 1023, False),
        ("source_port", '"1024-65535"', 65535, True),
    ],
)
@pytest.mark.parametrize("options", [b"", b"\1\1\1\1" * 5])
def test_ports(key: str, value: str, port: int, fits: bool, options: bytes) -> None:
    bench = w.bed(routes=rules(f'action = "drop"\nprotocol = "udp"\n{key} = {value}'))
    ports = (port, 5000) if key == "source_port" else (5000, port)
    assert passes(bench, frame(payload=p.udp(*ports), options=options)) != fits
    # Another protocol has other ports.
    assert passes(bench, segment(tcp(sport=ports[0], dport=ports[1])))


def test_tcp_flags() -> None:
    bench = w.bed(routes=rules('action = "drop"\nprotocol = "tcp"\ntcp_flags = ["syn", "!ack"]'))
    assert not passes(bench, segment(tcp(flags=0x02)))
    assert not passes(bench, segment(tcp(flags=0xC2)))
    assert passes(bench, segment(tcp(flags=0x12)))
    assert passes(bench, segment(tcp(flags=0x10)))
    assert passes(bench, segment(tcp(flags=0)))
    assert bench.only.filters()[0].match == "tcp from any to any flags syn,!ack"


def test_icmp_types() -> None:
    bench = w.bed(routes=rules('action = "drop"\nprotocol = "icmp"\nicmp_type = 8'))
    assert not passes(bench, frame(payload=p.echo_request(), protocol=p.ICMP))
    assert passes(bench, frame(payload=p.icmp(0), protocol=p.ICMP))
    assert passes(bench, frame())


# --- fragments (RFC 1858, RFC 3128) ---------------------------------------------------------------


@pytest.fixture(scope="module")
def by_flags() -> Bench:
    return w.bed(routes=rules('action = "drop"\nprotocol = "tcp"\ntcp_flags = ["syn"]'))


@pytest.mark.parametrize(
    ("payload", "fragment", "fate"),
    [
        (tcp()[:8], p.MF, "tiny_fragment"),
        (tcp()[:16], p.MF, "tiny_fragment"),
        (tcp(data=b"data"), p.MF, None),
        (tcp(flags=2, data=b"data"), p.MF, "filtered"),
        (tcp(), 0, None),
        (tcp()[:19], 0, "tiny_fragment"),
        (b"", 0, "tiny_fragment"),
        (bytes(8), 1, "tiny_fragment"),
        (bytes(8), 1 | p.MF, "tiny_fragment"),
        (b"\xff" * 64, 1, "tiny_fragment"),
        (b"\xff" * 64, 2, None),
        (b"\xff" * 64, 0x1000 | p.MF, None),
    ],
)
def test_fragments_hide_nothing(
    by_flags: Bench, payload: bytes, fragment: int, fate: str | None
) -> None:
    assert passes(by_flags, segment(payload, fragment=fragment), reason=str(fate)) == (fate is None)


def test_other_protocols_fragments_are_not_concerned(by_flags: Bench) -> None:
    for fragment in (p.MF, 1, 1 | p.MF, 2):
        assert passes(by_flags, frame(payload=bytes(8), fragment=fragment))


def test_the_attack_of_rfc_3128(by_flags: Bench) -> None:
    """The second fragment would give the first one other ports and flags."""
    first = segment(tcp(flags=0x10, data=bytes(4)), fragment=p.MF)
    second = segment(tcp(flags=0x02)[:8], fragment=p.MF)
    third = segment(tcp(flags=0x02)[16:] + bytes(20), fragment=2)
    out = w.exchange(by_flags, w.P1, [first, second, third])
    assert out == only(p2=[p.forwarded(one, w.M2, w.g2) for one in (first, third)])


def test_only_rules_that_look_further_mind_fragments() -> None:
    tables = 'action = "permit"\nsource = "10.1.0.2"', 'action = "drop"\nprotocol = "tcp"'
    bench = w.bed(routes=rules(*tables))
    assert passes(bench, segment(bytes(8), fragment=p.MF))
    assert not passes(bench, segment(bytes(8), fragment=p.MF, src="10.1.0.3"))
    # Nor does one that addresses or protocol exclude already.
    table = 'action = "drop"\nprotocol = "tcp"\ndestination = "198.18.9.9"\ndestination_port = 1'
    bench = w.bed(routes=rules(table))
    assert passes(bench, segment(bytes(8), fragment=p.MF))
    assert not passes(
        bench, segment(bytes(8), fragment=p.MF, dst="198.18.9.9"), reason="tiny_fragment"
    )


def test_later_fragments_of_what_may_pass() -> None:
    """Without the first one, which is judged, they are of no use to anybody (RFC 1858 2)."""
    table = 'action = "permit"\nprotocol = "udp"\ndestination_port = 53'
    bench = w.bed(port=PERMIT_ONLY, routes=rules(table))
    assert passes(bench, frame(payload=p.udp(1, 53, bytes(24)), fragment=p.MF))
    assert not passes(bench, frame(payload=p.udp(1, 54, bytes(24)), fragment=p.MF))
    assert passes(bench, frame(payload=bytes(64), fragment=4))
    assert not passes(bench, segment(bytes(64), fragment=4))


# --- what becomes of a packet ---------------------------------------------------------------------


@pytest.mark.parametrize(("burst", "place"), [(1, 0), (67, 0), (67, 33), (67, 64), (67, 66)])
@pytest.mark.parametrize("action", ["drop", "reject"])
def test_drop_is_silent_and_reject_is_not(action: str, burst: int, place: int) -> None:
    table = 'action = "{}"\nprotocol = "udp"\ndestination_port = 7'
    bench = w.bed(routes=rules(table.format(action)))
    frames = [frame(ident=i) for i in range(burst)]
    frames[place] = frame(payload=p.udp(1024, 7, b"data"), ttl=1, tos=0x28)
    out = w.exchange(bench, w.P1, frames)
    told = [error_to_h1(p.ip_of(frames[place]), 3, 13)] if action == "reject" else []
    passed = [p.forwarded(one, w.M2, w.g2) for i, one in enumerate(frames) if i != place]
    # A filtered packet has no other fate: no Time Exceeded (RFC 1812 5.2.1.2).
    assert out == only(p1=told, p2=passed)
    assert dropped(bench) == {"filtered": 1}
    assert [rule.packets for rule in bench.only.filters()] == [1]


def test_each_rule_has_its_own_action() -> None:
    table = 'action = "{}"\nprotocol = "udp"\ndestination_port = {}'
    bench = w.bed(routes=rules(table.format("drop", 7), table.format("reject", 8)))
    seven, eight = (frame(payload=p.udp(1024, port)) for port in (7, 8))
    out = w.exchange(bench, w.P1, [seven, eight, seven])
    assert out == only(p1=[error_to_h1(p.ip_of(eight), 3, 13)])
    assert [rule.packets for rule in bench.only.filters()] == [2, 1]


def test_a_default_may_reject() -> None:
    bench = w.bed(port={w.P1: {"filter_default": "reject"}})
    assert w.exchange(bench, w.P1, [frame()]) == only(p1=[error_to_h1(p.ip_of(frame()), 3, 13)])
    assert w.exchange(bench, w.P2, [p.ether(w.M2, w.h2, p.ipv4(w.H2, w.H1))])[w.P1]


def test_errors_about_the_filtered_follow_the_rules_of_errors() -> None:
    """RFC 1812 4.3.2.7 and 4.3.2.8: none about errors, fragments, broadcasts; and not too many."""
    bench = w.bed(
        routes=rules('action = "reject"'), slow={"icmp_errors_per_s": 1, "icmp_errors_burst": 2}
    )
    quiet = [
        frame(payload=p.icmp(3, 1, data=bytes(28)), protocol=p.ICMP),
        frame(payload=bytes(64), fragment=5),
        frame(dst="255.255.255.255"),
        frame(dst="10.2.0.255"),
        frame(dst="224.0.0.5"),
        p.ether(p.BROADCAST, w.h1, p.ipv4(w.H1, w.A1, UDP)),
        frame(w.U),
    ]
    assert w.exchange(bench, w.P1, quiet) == SILENCE
    assert dropped(bench) == {"filtered": len(quiet)}
    assert len(w.exchange(bench, w.P1, [frame(ident=i) for i in range(9)])[w.P1]) == 2


def test_what_is_for_the_router_is_filtered_too() -> None:
    bench = w.bed(routes=rules('action = "drop"\nsource = "10.1.0.2"'))
    twin = stack(bench, w.P1)
    frames = [
        frame(dst=w.R1),
        frame(dst=w.R1, payload=p.echo_request(), protocol=p.ICMP),
        frame(dst=w.R1, options=b"\1"),
        frame(dst="255.255.255.255"),
        p.ether(p.BROADCAST, w.h1, p.ipv4(w.H1, "255.255.255.255", UDP)),
        p.ether("01:00:5e:00:00:05", w.h1, p.ipv4(w.H1, "224.0.0.5", UDP)),
    ]
    assert w.exchange(bench, w.P1, frames) == SILENCE
    assert twin.received() == []
    assert dropped(bench) == {"filtered": len(frames)}


def test_so_is_a_host_without_an_address() -> None:
    table = 'action = "drop"\nprotocol = "udp"\ndestination_port = 67'
    bench = w.bed(routes=rules(table))
    twin = stack(bench, w.P1)
    request = p.ipv4("0.0.0.0", "255.255.255.255", p.udp(68, 67, bytes(50)))
    assert w.exchange(bench, w.P1, [p.ether(p.BROADCAST, w.h1, request)]) == SILENCE
    assert twin.received() == []
    assert dropped(bench) == {"filtered": 1}


@pytest.mark.parametrize("fragment", [0, p.MF])
@pytest.mark.parametrize("cut", [1, 20, 40])
def test_a_truncated_packet_is_not_read_beyond_its_end(cut: int, fragment: int) -> None:
    bench = w.bed(routes=rules('action = "reject"\nprotocol = "udp"\ndestination_port = 9'))
    assert w.exchange(bench, w.P1, [frame(fragment=fragment)[:-cut]]) == SILENCE
    assert dropped(bench) == {"ip_total_length": 1}


def test_arp_is_not() -> None:
    bench = w.bed(port={w.P1: {"filter_default": "drop"}})
    ask = p.ether(p.BROADCAST, w.h1, p.arp(1, w.h1, w.H1, w.NO_MAC, w.R1), 0x0806)
    (reply,) = w.exchange(bench, w.P1, [ask])[w.P1]
    assert reply[12:14] == b"\x08\x06"


def test_a_martian_source_goes_before_any_rule() -> None:
    bench = w.bed(routes=rules('action = "reject"'))
    assert w.exchange(bench, w.P1, [frame("192.0.2.1"), frame("127.0.0.1")]) == SILENCE
    assert dropped(bench) == {"martian_source": 2}


def test_many_rules() -> None:
    tables = [f'action = "drop"\nsource = "100.64.{i}.0/24"' for i in range(254)]
    bench = w.bed(routes=rules(*tables), port=PERMIT_ONLY)
    assert len(bench.only.filters()) == 255
    assert not passes(bench, frame("100.64.253.9"))
    assert not passes(bench, frame())
    assert [i for i, rule in enumerate(bench.only.filters()) if rule.packets] == [253, 254]


@pytest.mark.parametrize("scatter", ["drop-out", "masks", "split"])
def test_with_several_units_the_counters_add_up(scatter: str) -> None:
    table = 'action = "drop"\nprotocol = "udp"\ndestination_port = "0-99"'
    bench = w.bed(routes=rules(table), fast={"units": 3, "scatter": scatter})
    frames = [frame(payload=p.udp(i, i), ident=i) for i in range(200)]
    assert len(w.exchange(bench, w.P1, frames)[w.P2]) == 100
    assert [rule.packets for rule in bench.only.filters()] == [100]
