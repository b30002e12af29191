# SPDX-License-Identifier: MIT
"""Routes with any gateways, of any source, and links that come and go: each flow leaves by the
gateway that the rule of RFC 2991's highest random weight names, and next hops are not lost."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests import packets as p
from tests import worlds as w
from tests.flows import chosen
from tests.multipath import FOUR, NET, PORT_OF, flows, framed, group_bed, mapping
from tests.strategies import examples

PACKETS = flows(40)
gateway_lists = st.lists(st.sampled_from(FOUR), min_size=1, unique=True)


class GroupMachine(RuleBasedStateMachine):
    """Routes to one prefix by several sources' gateways, with MTUs, while links go down and up."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = group_bed([w.H3])
        self.router = self.bench.only
        self.least = self.router.table_info().next_hops
        self.now: list[str] = [w.H3]
        self.down: set[str] = set()
        self.other: dict[str, tuple[frozenset[str], int]] = {}

    @rule(gateways=gateway_lists)
    def route(self, gateways: list[str]) -> None:
        self.router.route_add(NET, gateways, preference=1)
        self.bench.settle()
        self.now = gateways

    @rule(
        number=st.integers(0, 3),
        gateways=gateway_lists,
        mtu=st.sampled_from([0, 576, 1280]),
    )
    def other_route(self, number: int, gateways: list[str], mtu: int) -> None:
        to = f"100.{number}.0.0/16"
        self.router.route_add(to, gateways, mtu=mtu)
        self.bench.settle()
        self.other[to] = (frozenset(gateways), mtu)

    @rule(number=st.integers(0, 3))
    def no_other_route(self, number: int) -> None:
        to = f"100.{number}.0.0/16"
        self.router.route_delete(to)
        self.bench.settle()
        self.other.pop(to, None)

    @rule(port=st.sampled_from([w.P2, w.P3]), up=st.booleans())
    def link(self, port: str, up: bool) -> None:
        self.bench.port(port).link.set_up(up)
        self.bench.settle()
        (self.down.discard if up else self.down.add)(port)

    @rule()
    def send(self) -> None:
        usable = [one for one in self.now if PORT_OF.get(one) not in self.down]
        if self.now == [w.H3] or not usable:
            return
        wanted = [chosen(w.HASH_SEED, packet, usable) for packet in PACKETS]
        assert mapping(self.bench, PACKETS) == wanted

    @invariant()
    def next_hops(self) -> None:
        """The next hops in use are those of the groups, their lists, and members with an MTU.

        Without its link a subnet has none, nor has a route without a gateway left.
        """
        routes = {(frozenset(self.now), 0), *self.other.values()}
        up = {gateway for gateway in (*FOUR, w.H3) if PORT_OF.get(gateway, w.P3) not in self.down}
        sets = {(gateways, mtu) for gateways, mtu in routes if gateways & up}
        groups = [(gateways, mtu) for gateways, mtu in sets if len(gateways) > 1]
        single = {(gateway, mtu) for gateways, mtu in sets for gateway in gateways if mtu}
        expected = self.least + 2 * len(groups) + len(single) - len(self.down)
        assert self.router.table_info().next_hops == expected


GroupMachine.TestCase.settings = settings(max_examples=examples(40), stateful_step_count=30)
TestGroups = GroupMachine.TestCase


@given(
    seed=st.integers(0, 2**64 - 1),
    hosts=st.lists(st.integers(2, 250), min_size=2, max_size=16, unique=True),
    payloads=st.lists(st.binary(max_size=12), min_size=1, max_size=30),
    protocol=st.integers(0, 255),
    fragment=st.sampled_from([0, p.DF, 0x8000, p.MF, 1, p.MF | 3]),
    options=st.sampled_from([b"", b"", b"\x9f\x04ab", b"\x1f\x07abcde"]),
)
@settings(max_examples=examples(60))
def test_any_packet_goes_as_the_rule_says(
    seed: int,
    hosts: Sequence[int],
    payloads: list[bytes],
    protocol: int,
    fragment: int,
    options: bytes,
) -> None:
    """By the fast path, and with options by the slow path."""
    gateways = [f"10.2.0.{host}" for host in hosts]
    macs = {
        gateway: f"02:00:00:01:00:{host:02x}" for gateway, host in zip(gateways, hosts, strict=True)
    }
    bench = w.bed(fast={"hash_seed": seed})
    for gateway, mac in macs.items():
        bench.only.neighbor_set(w.P2, gateway, mac)
    bench.only.route_add(NET, gateways)
    bench.settle()
    packets = [
        p.ipv4(w.H1, w.C1, data, protocol=protocol, fragment=fragment, options=options, ident=n)
        for n, data in enumerate(payloads)
    ]
    out = w.exchange(bench, w.P1, [framed(packet) for packet in packets])
    expected = [
        p.forwarded(framed(packet), w.M2, macs[chosen(seed, packet, gateways)])
        for packet in packets
    ]
    assert out == {w.P1: [], w.P2: expected, w.P3: []}
