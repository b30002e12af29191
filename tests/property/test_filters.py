# SPDX-License-Identifier: MIT
"""The packet filter against a model of it; sources against the routes that say what they are."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import packets as p
from tests import worlds as w
from tests.strategies import any_frames, examples

# Few values, so that rules meet packets.
ADDRESSES = ["10.1.0.2", "10.1.0.3", "10.1.0.130", "11.0.0.1", "198.19.0.1", "198.19.128.1"]
PREFIXES = [
    "any",
    "10.1.0.0/24",
    "10.1.0.2/31",
    "10.0.0.0/7",
    "198.18.0.0/15",
    "198.18.0.1/32",
    "198.19.0.0/17",
]
PORTS = [0, 9, 10, 255, 256, 65535]
FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")


@dataclass(frozen=True)
class Rule:
    """A rule as the file has it."""

    fields: tuple[tuple[str, Any], ...]

    def toml(self) -> str:
        """Return its table."""

        def value(one: Any) -> str:
            return repr(list(one)) if isinstance(one, tuple) else repr(one)

        return "[[filter]]\n" + "".join(f"{key} = {value(one)}\n" for key, one in self.fields)

    def judge(self, packet: bytes) -> str | None:
        """Return what the rule makes of a packet into p1, None if it does not fit."""
        fields = dict(self.fields)
        if "p1" not in fields.get("port", ("p1",)):
            return None
        for key, at in (("source", 12), ("destination", 16)):
            prefix = fields.get(key, "any").replace("any", "0.0.0.0/0")
            if IPv4Address(packet[at : at + 4]) not in IPv4Network(prefix):
                return None
        numbers = {"tcp": p.TCP, "udp": p.UDP, "icmp": p.ICMP}
        protocol = numbers.get(fields.get("protocol", ""))
        if protocol not in (None, packet[9]):
            return None
        further = {"source_port", "destination_port", "tcp_flags", "icmp_type"} & fields.keys()
        return self._judge_further(packet, fields) if further else str(fields["action"])

    def _judge_further(self, packet: bytes, fields: dict[str, Any]) -> str | None:
        transport = packet[(packet[0] & 15) * 4 :]
        offset = int.from_bytes(packet[6:8]) & 0x1FFF
        tcp, action = packet[9] == p.TCP, str(fields["action"])
        if offset:
            if tcp and offset == 1:
                return "tiny"
            return action if action == "permit" else None
        if len(transport) < (20 if tcp else 8):
            return "tiny"
        for key, at in (("source_port", 0), ("destination_port", 2)):
            if (text := fields.get(key)) is not None:
                low, _, high = str(text).partition("-")
                if not int(low) <= int.from_bytes(transport[at : at + 2]) <= int(high or low):
                    return None
        for flag in fields.get("tcp_flags", ()):
            is_set = bool(transport[13] >> FLAGS.index(flag.strip("!")) & 1)
            if is_set == flag.startswith("!"):
                return None
        return action if fields.get("icmp_type", transport[0]) == transport[0] else None


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    fields: dict[str, Any] = {"action": draw(st.sampled_from(["permit", "drop", "reject"]))}
    optional = st.sampled_from([False, False, True])
    if draw(optional):
        fields["port"] = draw(st.sampled_from([("p1",), ("p2",), ("p1", "p3")]))
    for key in ("source", "destination"):
        if draw(optional):
            fields[key] = draw(st.sampled_from(PREFIXES))
    fields["protocol"] = draw(st.sampled_from(["any", "tcp", "udp", "icmp"]))
    if fields["protocol"] in ("tcp", "udp"):
        for key in ("source_port", "destination_port"):
            if draw(optional):
                low, high = sorted((draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS))))
                fields[key] = draw(st.sampled_from([low, f"{low}-{high}"]))
    if fields["protocol"] == "tcp" and draw(optional):
        names = draw(st.lists(st.sampled_from(FLAGS), min_size=1, max_size=3, unique=True))
        fields["tcp_flags"] = tuple(draw(st.sampled_from(["", "!"])) + name for name in names)
    if fields["protocol"] == "icmp" and draw(optional):
        fields["icmp_type"] = draw(st.sampled_from([0, 8]))
    return Rule(tuple(fields.items()))


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    ports = b"".join(draw(st.sampled_from(PORTS)).to_bytes(2) for _ in range(2))
    flags = draw(st.sampled_from([0, 2, 0x12, 0x10, 0xFF]))
    start = draw(st.sampled_from([ports, b"\x08\0\0\0", b"\0\0\0\0"]))
    payload = start + bytes(9) + bytes([flags]) + bytes(10)
    return p.ipv4(
        draw(st.sampled_from(ADDRESSES)),
        draw(st.sampled_from([w.A1, "198.18.128.1"])),
        payload[: draw(st.sampled_from([0, 3, 4, 7, 8, 16, 19, 20, 24]))],
        protocol=draw(st.sampled_from([p.TCP, p.TCP, p.UDP, p.ICMP, 89])),
        fragment=draw(st.sampled_from([0, 0, 0, p.DF, p.MF, 1, 2, 1 | p.MF, 0x1FFF])),
        options=draw(st.sampled_from([b"", b"", b"\1" * 4])),
        ident=draw(st.integers(0, 0xFFFF)),
    )


@given(
    st.lists(rules(), max_size=6),
    st.sampled_from(["permit", "drop", "reject"]),
    st.lists(packets(), min_size=1, max_size=70),
    st.sampled_from([1, 64]),
)
@settings(max_examples=examples(150))
def test_rules_do_what_the_model_says(
    tables: list[Rule], default: str, sent: list[bytes], burst: int
) -> None:
    bench = w.bed(
        routes="".join(rule.toml() for rule in tables),
        port={w.P1: {"filter_default": default}},
        fast={"burst": burst},
    )
    counts = [0] * (len(tables) + (default != "permit"))
    passed, tiny = [], 0
    for packet in sent:
        decided = ((i, rule.judge(packet)) for i, rule in enumerate(tables))
        place, fate = next(((i, fate) for i, fate in decided if fate), (len(tables), default))
        tiny += fate == "tiny"
        if fate != "tiny" and place < len(counts):
            counts[place] += 1
        if fate == "permit":
            passed.append(p.forwarded(p.ether(w.M1, w.h1, packet), w.M2, w.g2))
    out = w.exchange(bench, w.P1, [p.ether(w.M1, w.h1, packet) for packet in sent])
    assert sorted(out[w.P2]) == sorted(passed)
    assert [rule.packets for rule in bench.only.filters()] == counts
    dropped = bench.only.counters().dropped
    assert dropped["tiny_fragment"] == tiny
    assert dropped["filtered"] == len(sent) - len(passed) - tiny


prefixes = st.builds(
    lambda address, bits: IPv4Network((address & (0xFFFFFFFF << 32 - bits), bits)),
    st.integers(1 << 24, 223 << 24).filter(lambda address: address >> 24 != 127),
    st.integers(9, 32),
)


@given(
    st.lists(prefixes, max_size=8),
    st.lists(prefixes, max_size=4),
    st.lists(prefixes, max_size=4),
    st.data(),
)
@settings(max_examples=examples(60))
def test_a_source_is_what_its_route_is(
    more: list[IPv4Network],
    routed: list[IPv4Network],
    allowed: list[IPv4Network],
    data: st.DataObject,
) -> None:
    """Whatever marks there are, the fast path lets in what is no martian by the routes."""
    table = (
        f"[martians]\nadd = {[str(one) for one in more]}\nallow = {[str(one) for one in allowed]}"
    )
    bench = w.bed(routes=table)
    for prefix in set(routed):
        bench.only.route_add(prefix, via=w.G3)
    bench.settle()
    near = []
    for net in more + routed + allowed:
        for end in (int(net.network_address), int(net.broadcast_address)):
            near += [end - 1, end, end + 1]
    near += data.draw(st.lists(st.integers(1, 0xFFFFFFFF), max_size=20))
    kinds = {hop.kind for hop in bench.only.lookup(near)}
    assert kinds <= {"none", "via", "connected", "martian", "broadcast", "multicast", "local"}
    frames = [p.ether(w.M1, w.h1, p.ipv4(one, w.A1, ident=i)) for i, one in enumerate(near)]
    good = [
        one
        for one, hop in zip(frames, bench.only.lookup(near), strict=True)
        if hop.kind not in ("martian", "broadcast", "multicast")
    ]
    passed = [p.forwarded(one, w.M2, w.g2) for one in good]
    assert w.exchange(bench, w.P1, frames)[w.P2] == passed


@given(
    st.lists(any_frames, min_size=1, max_size=80), st.sampled_from(["strict", "feasible", "loose"])
)
@settings(max_examples=examples(60))
def test_nothing_breaks_with_everything_on(frames: list[bytes], urpf: str) -> None:
    """Any frame at all, through all the checks that a port can have; the balance holds."""
    table = 'action = "{}"\nprotocol = "{}"\n{}\n'
    text = "[[filter]]\n" + table.format("reject", "tcp", 'tcp_flags = ["syn"]')
    text += "[[filter]]\n" + table.format("drop", "udp", "destination_port = 9")
    text += "[[filter]]\n" + table.format("permit", "icmp", "icmp_type = 8")
    bench = w.bed(routes=text, port={w.P1: {"urpf": urpf, "filter_default": "reject"}})
    w.exchange(bench, w.P1, frames)
    assert bench.only.held() == 0
