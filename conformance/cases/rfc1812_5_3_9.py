# SPDX-License-Identifier: MIT
"""RFC 1812 5.3.9, 5.2.7.1: the packet filter; RFC 1858, 3128: fragments that get around it."""

from collections.abc import Iterable
from typing import Any

from twinroute.conformance.kit import (
    A1,
    DROP,
    ERR,
    FWD,
    G2,
    GRE,
    H1,
    H2,
    MF,
    P1,
    P2,
    R1,
    REPLY,
    ROUTES,
    TCP,
    UDP,
    Route,
    T,
    Testbed,
    case,
    ping,
    tcp,
    udp,
)

Rule = dict[str, Any]
UDP_9: Rule = {"protocol": "udp", "destination_port": 9}
EVERYWHERE = (*ROUTES, Route("0.0.0.0/1", G2), Route("128.0.0.0/1", G2))


def _filter(
    t: Testbed, *rules: Rule, routes: tuple[Route, ...] = ROUTES, default: str = "permit"
) -> None:
    """Set rules up on P1, and what becomes of what fits none."""
    named = [{"port": P1, **rule} for rule in rules]
    t.configure(routes=routes, knobs={"filter": named, "filter_default.p1": default})
    t.goods(P1, None)


def _judge(t: Testbed, passed: Iterable[bytes], filtered: Iterable[bytes], note: str = "") -> None:
    """Demand that packets pass, and others are dropped in silence; also when mixed."""
    good, bad = list(passed), list(filtered)
    if good:
        t.send(P1, *good)
        t.expect([FWD(packet) for packet in good], note=f"{note} passes".strip())
    if bad:
        t.send(P1, *bad)
        t.expect(DROP, drop="filtered", note=f"{note} filtered".strip())
    if good and bad:
        mixed = [packet for pair in zip(good * 40, bad * 40, strict=False) for packet in pair]
        t.send(P1, *mixed)
        wanted = [FWD(packet) for packet in mixed if packet in good]
        t.expect(wanted, drop={"filtered": len(mixed) - len(wanted)}, note=f"{note} mixed".strip())


def _tcp(dst: str = A1, dport: int = 80, flags: int = 2) -> bytes:
    return T(dst=dst, protocol=TCP, payload=tcp(H1, dst, 1024, dport, flags=flags))


@case("RFC1812-5.3.9-1", "RFC1812-5.3.9-3", "RFC1812-5.3.9-9")
def a_protocol_is_filtered(t: Testbed) -> None:
    """UDP, in silence, while TCP passes; and GRE alone."""
    _filter(t, {"action": "drop", "protocol": "udp"})
    _judge(t, [_tcp()], [T()], "UDP")
    _filter(t, {"action": "drop", "protocol": 47})
    gre = T(protocol=GRE, payload=bytes(40))
    _judge(t, [T(), _tcp(), T(protocol=46), T(protocol=48)], [gre], "GRE")


@case("RFC1812-5.3.9-2", needs=("change",))
def addresses_are_filtered(t: Testbed) -> None:
    """One source and one prefix of destinations are let through; or, without rules, everything."""
    permit = {"action": "permit", "source": "10.1.0.2/32", "destination": "198.18.0.0/24"}
    _filter(t, permit, default="drop")
    others = [T("10.1.0.3"), T(dst="198.18.1.1"), T("10.1.0.3", "198.18.1.1")]
    _judge(t, [T(), T(dst="198.18.0.255")], others)
    t.reconfigure(knobs={"filter": []})
    _judge(t, [T(), *others], [], "no rules")


@case("RFC1812-5.3.9-4")
def rules_take_any_prefix_length(t: Testbed) -> None:
    """/0, /1, /13, /31 and /32, of sources and of destinations, at both edges."""
    inside_outside = {
        "0.0.0.0/0": (["1.0.0.1", "126.255.255.255", "223.255.255.254"], []),
        "128.0.0.0/1": (["128.0.0.1", "223.255.255.254"], ["127.0.0.0", "126.255.255.255"]),
        "44.8.0.0/13": (["44.8.0.0", "44.15.255.255"], ["44.7.255.255", "44.16.0.0"]),
        "44.8.0.2/31": (["44.8.0.2", "44.8.0.3"], ["44.8.0.1", "44.8.0.4"]),
        "44.8.0.2/32": (["44.8.0.2"], ["44.8.0.1", "44.8.0.3"]),
    }
    for prefix, (inside, outside) in inside_outside.items():
        outside = [one for one in outside if not one.startswith("127.")]
        for key in ("source", "destination"):
            _filter(t, {"action": "drop", key: prefix}, routes=EVERYWHERE)
            good, bad = (
                [T(src=one) if key == "source" else T(dst=one) for one in some]
                for some in (outside, inside)
            )
            _judge(t, good, bad, f"{key} {prefix}")


@case("RFC1812-5.3.9-5")
def lists_include_or_exclude(t: Testbed) -> None:
    """What is listed passes and nothing else, or the other way round."""
    listed = [{"destination": "198.18.0.0/24"}, {"destination": "198.18.7.0/24"}]
    inside = [T(dst="198.18.0.1"), T(dst="198.18.7.9")]
    outside = [T(dst="198.18.1.1"), T(dst="198.18.6.255"), T(dst="198.18.8.0")]
    _filter(t, *({"action": "permit", **rule} for rule in listed), default="drop")
    _judge(t, inside, outside, "include")
    _filter(t, *({"action": "drop", **rule} for rule in listed))
    _judge(t, outside, inside, "exclude")


@case("RFC1812-5.3.9-7")
def any_is_an_address(t: Testbed) -> None:
    """From any source to one address, and from one source to any."""
    far = [T(src=src) for src in (H1, "10.1.0.77", "198.19.0.9", "223.1.1.1")]
    _filter(t, {"action": "drop", "source": "any", "destination": "198.18.0.1/32"})
    _judge(t, [T(dst="198.18.0.2"), T(dst=H2)][:1], far, "any source")
    _filter(t, {"action": "drop", "source": "10.1.0.2/32", "destination": "any"})
    _judge(t, far[1:], [T(), T(dst="198.18.9.9"), T(dst=H2)], "any destination")


@case("RFC1812-5.3.9-8")
def ports_are_filtered(t: Testbed) -> None:
    """UDP port 9, from one prefix to another; fragments without ports, headers without options."""
    rule = {"source": "10.1.0.0/24", "destination": "198.18.0.0/16", "action": "drop", **UDP_9}
    _filter(t, rule)
    others = [T(dport=10), T(dport=8), T(sport=9, dport=10), T("10.2.0.9"), _tcp(dport=9)]
    _judge(t, others, [T(), T(sport=9)])
    payload = udp(H1, A1, 1024, 9, bytes(64))
    later = T(payload=payload[24:], fragment=3)
    _judge(t, [later], [T(payload=payload[:24], fragment=MF)], "a fragment")
    _filter(t, {"action": "drop", "protocol": "tcp", "destination_port": 80})
    _judge(t, [T(protocol=TCP, payload=bytes(16), fragment=2)], [_tcp()], "TCP")
    t.send(P1, T(protocol=TCP, payload=tcp(H1, A1, 1024, 81)[:8], fragment=MF))
    t.expect(DROP, drop="tiny_fragment", note="RFC 1858: too short to be judged")


@case(
    *("RFC1812-5.3.9-10", "RFC1812-5.3.9-11", "RFC1812-5.3.9-12"),
    *("RFC1812-5.2.7.1-7", "RFC1812-5.2.7.1-8"),
)
def what_is_filtered_may_be_reported(t: Testbed) -> None:
    """Rejected: code 13, about that and nothing else; dropped: silence. Each rule by itself."""
    other = {"protocol": "udp", "destination_port": 10}
    _filter(t, {"action": "reject", **UDP_9}, {"action": "drop", **other})
    packet = T()
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 13), drop="filtered", note="reject")
    t.send(P1, T(dport=10))
    t.expect(DROP, drop="filtered", note="drop")
    t.send(P1, T(dport=11))
    t.expect(FWD(T(dport=11)), note="neither")
    _filter(t, {"action": "drop", **UDP_9}, {"action": "reject", **other})
    t.send(P1, packet)
    t.expect(DROP, drop="filtered", note="drop")
    t.send(P1, T(dport=10))
    t.expect(ERR(T(dport=10), 3, 13), drop="filtered", note="reject")
    packet = T(dst=R1)
    t.send(P1, packet)
    t.expect(DROP, drop="filtered", note="for the router")


@case("RFC1812-5.3.9-13")
def each_rule_counts(t: Testbed) -> None:
    """Ten packets against one rule: that rule's counter, and no other, is ten more."""
    _filter(t, {"action": "drop", "protocol": "tcp"}, {"action": "drop", **UDP_9})
    before = [rule.packets for rule in t.router.filters()]
    t.send(P1, *(T(ident=ident) for ident in range(10)))
    t.expect(DROP, drop="filtered")
    after = [rule.packets for rule in t.router.filters()]
    counted = [new - old for old, new in zip(before, after, strict=True)]
    t.check(counted == [0, 10], f"counted {counted}")


@case("RFC1812-5.3.9-9")
def other_ports_are_not_filtered(t: Testbed) -> None:
    """A rule is of the ports that it names: the same packet passes from another, and ARP does."""
    _filter(t, {"action": "drop"})
    t.send(P1, T(), ping())
    t.expect(DROP, drop="filtered")
    back = T(H2, H1, port=P2)
    t.send(P2, back)
    t.expect(FWD(back, P1), note="P2")
    asked = ping(src=H2, dst="10.2.0.1", port=P2)
    t.send(P2, asked)
    t.expect(REPLY(asked, P2), drop="echo_answered", note="P2")


# --- fragments ------------------------------------------------------------------------------------

SYN_RULE: Rule = {"action": "drop", "protocol": "tcp", "tcp_flags": ["syn", "!ack"]}


def _fragment(payload: bytes, offset: int, *, more: bool = True, protocol: int = TCP) -> bytes:
    return T(payload=payload, fragment=(MF if more else 0) | offset // 8, protocol=protocol)


@case("RFC1858-3.2.1-1", "RFC1858-4.2-1")
def tiny_fragments(t: Testbed) -> None:
    """Where TCP flags are looked at: too short a first fragment goes, and one at 8 octets."""
    syn, ack = (tcp(H1, A1, 1024, 80, data=bytes(64), flags=flags) for flags in (2, 0x10))
    _filter(t, SYN_RULE)
    for bad in (_fragment(syn[:8], 0), _fragment(ack[:8], 0), _fragment(ack[8:24], 8)):
        t.send(P1, bad)
        t.expect(DROP, drop="tiny_fragment", note="tiny")
    _judge(t, [_fragment(ack[:24], 0)], [_fragment(syn[:24], 0)], "24 octets")
    good = [_fragment(syn[16:32], 16), _fragment(bytes(16), 8, protocol=UDP)]
    _judge(t, [*good, _fragment(bytes(8), 0, protocol=UDP)], [], "others")
    for rules in ((), ({"action": "drop", "source": "44.0.0.0/8"},)):
        _filter(t, *rules)
        every = [_fragment(syn[:8], 0), _fragment(syn[:24], 0), _fragment(syn[8:24], 8), *good]
        _judge(t, every, [], "nothing looks at flags")


@case("RFC3128-3-1")
def the_three_fragments(t: Testbed) -> None:
    """A harmless start, 8 octets of it once more but of a connection, and the rest."""
    harmless = tcp(H1, A1, 1024, 80, data=bytes(16), flags=0x10)
    syn = tcp(H1, A1, 1024, 23, data=bytes(16), flags=2)
    _filter(t, SYN_RULE)
    for second, offset in ((syn[:8], 0), (syn[8:16], 8)):
        first, last = _fragment(harmless[:24], 0), _fragment(syn[24:], 24, more=False)
        t.send(P1, first, _fragment(second, offset), last)
        t.expect(FWD(first), FWD(last), drop={"tiny_fragment": 1}, note=f"at {offset}")
