# SPDX-License-Identifier: MIT
"""What came out against what must: place by place, in order, every octet, and nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from twinroute.conformance import frames as f
from twinroute.conformance import names as n
from twinroute.conformance.device import Captured
from twinroute.conformance.wanted import DELIVERED, FORWARDED, FWD, ORIGINATED, Wanted

GOOD_IDENT = 0x4000
# Who the good packets are from and for, by the port they go into.
GOOD = {
    n.P1: f.T(sport=2000, dport=2000),
    n.P2: f.T(n.H2, n.B1, port=n.P2, sport=2000, dport=2000),
    n.P3: f.T(n.H3, n.A1, port=n.P3, sport=2000, dport=2000),
}
GOOD_WAY = {n.P1: n.P2, n.P2: n.P3, n.P3: n.P2}


@dataclass(frozen=True)
class Good:
    """Good packets of a port: what they are made of, and what becomes of them."""

    frame: bytes
    way: Wanted


@lru_cache(maxsize=4096)
def good_packet(good: Good, index: int) -> tuple[bytes, Wanted]:
    """Return a good packet, told from the others by its ID, and what must come out."""
    ident = ((GOOD_IDENT + index) & 0xFFFF).to_bytes(2, "big")
    way = good.way
    out = way.data[:14] + f.with_checksum(way.data[14:18] + ident + way.data[20:])
    frame = good.frame[:14] + f.with_checksum(good.frame[14:18] + ident + good.frame[20:])
    return frame, Wanted(way.place, out, way.text, way.kind)


def default_good(port: str) -> Good:
    """Return the usual good packets of a port."""
    return Good(GOOD[port], FWD(GOOD[port], GOOD_WAY[port]))


@dataclass
class Verdict:
    """What a comparison has found. kinds: of each captured frame, in their order."""

    problems: list[str] = field(default_factory=list)
    rest: list[Captured] = field(default_factory=list)  # without the good ones
    goods: int = 0
    kinds: list[str] = field(default_factory=list)


def split_goods(got: Sequence[Captured], goods: Iterable[Wanted], verdict: Verdict) -> None:
    """Take the good packets out of what came: all of them, in order, once."""
    expected: dict[str, list[bytes]] = {}
    for good in goods:
        expected.setdefault(good.place, []).append(f.pad(good.data))
    sets = {place: set(ones) for place, ones in expected.items()}
    came: dict[str, list[bytes]] = {place: [] for place in expected}
    for one in got:
        data = f.pad(one.data)
        if data in sets.get(one.place, ()):
            came[one.place].append(data)
            verdict.kinds.append(FORWARDED)
        else:
            verdict.rest.append(one)
    for place, ones in expected.items():
        verdict.goods += len(came[place])
        if came[place] != ones:
            verdict.problems.append(
                f"{place}: {len(came[place])} good packets of {len(ones)}"
                + (", in another order" if len(ones) == len(came[place]) else "")
            )


def compare(verdict: Verdict, wanted: Sequence[Wanted], *, any_order: bool = False) -> None:
    """Compare the rest of what came with what was wanted, place by place."""
    kinds: dict[int, str] = {}
    for place in dict.fromkeys(
        [*(one.place for one in wanted), *(one.place for one in verdict.rest)]
    ):
        ones = [one for one in wanted if one.place == place]
        got = {i: one.data for i, one in enumerate(verdict.rest) if one.place == place}
        match = _match_any if any_order else _match_in_order
        verdict.problems += [f"{place}: {text}" for text in match(ones, got, kinds)]
    verdict.kinds += [kinds.get(i) or kind_of(one) for i, one in enumerate(verdict.rest)]


def _match_in_order(
    wanted: list[Wanted], got: dict[int, bytes], kinds: dict[int, str]
) -> list[str]:
    problems, at = [], 0
    for number, (index, data) in enumerate(got.items(), 1):
        wrong = wanted[at].problems(data) if at < len(wanted) else []
        while at < len(wanted) and wanted[at].optional and wrong:
            at += 1
            wrong = wanted[at].problems(data) if at < len(wanted) else []
        if at == len(wanted):
            problems.append(f"frame {number} is one too many: {describe(data)}")
            continue
        if wrong:
            problems.append(f"frame {number}, {wanted[at].text}: {'; '.join(wrong)}")
        kinds[index] = wanted[at].kind
        at += 1
    missing = [one.text for one in wanted[at:] if not one.optional]
    return problems + [f"missing: {text}" for text in missing]


def _match_any(wanted: list[Wanted], got: dict[int, bytes], kinds: dict[int, str]) -> list[str]:
    left, problems = list(wanted), []
    for number, (index, data) in enumerate(got.items(), 1):
        found = next((one for one in left if not one.problems(data)), None)
        if found is None:
            problems.append(f"frame {number} is none of those expected: {describe(data)}")
        else:
            left.remove(found)
            kinds[index] = found.kind
    return problems + [f"missing: {one.text}" for one in left if not one.optional]


def kind_of(one: Captured) -> str:
    """Tell by its looks what a frame is that nobody expected, or that the case judges."""
    if one.place in n.TWINS:
        return DELIVERED
    own = set(n.OWN.values())
    if f.is_ipv4(one.data) and f.text_of(one.data[26:30]) not in own:
        return FORWARDED
    return ORIGINATED


def describe(data: bytes) -> str:
    """Write a line about a frame."""
    if f.is_arp(data) and len(data) >= 42:
        kind = {1: "request", 2: "reply"}.get(data[21], "packet")
        return f"ARP {kind} {f.text_of(data[28:32])} to {f.text_of(data[38:42])}"
    if not f.is_ipv4(data):
        return f"{len(data)} octets, EtherType {data[12:14].hex()}"
    packet = f.ip_of(data)
    ends = f"{f.text_of(packet[12:16])} -> {f.text_of(packet[16:20])}"
    header = f.header_length(packet)
    what = f"protocol {packet[9]}"
    if packet[9] == f.ICMP and len(packet) > header + 1:
        what = f"ICMP {packet[header]}/{packet[header + 1]}"
    elif packet[9] in (f.UDP, f.TCP) and len(packet) >= header + 4 and not packet[6] & 31:
        ports = [int.from_bytes(packet[header + i : header + i + 2], "big") for i in (0, 2)]
        what = f"{'UDP' if packet[9] == f.UDP else 'TCP'} {ports[0]} -> {ports[1]}"
    return f"{ends}, {what}, TTL {packet[8]}, {len(packet)} octets"
