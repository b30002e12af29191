# SPDX-License-Identifier: MIT
"""Invariant 3: whatever route changes, bursts and acknowledgements interleave, every packet follows
one table whole, old or new, and none is lost. The tables' pages are protected meanwhile: a write to
a published table or a read of the shadow would be a crash."""

import struct
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests import packets as p
from tests import worlds as w
from tests.flows import chosen
from tests.strategies import examples

# Nested prefixes from /0 to /32, two of them beyond /24, all in one corner of the address space.
PREFIXES = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/0", "100.0.0.0/8", "100.64.0.0/10", "100.64.0.0/16", "100.64.1.0/24",
        "100.64.1.0/25", "100.64.1.128/26", "100.64.1.200/32", "100.65.0.0/16", "100.64.1.201/32",
    )
]  # fmt: skip
TARGETS = [
    IPv4Address(text)
    for text in (
        "100.64.1.1", "100.64.1.129", "100.64.1.200", "100.64.1.201", "100.64.2.1", "100.65.0.9",
        "100.1.1.1", "99.1.1.1",
    )
]  # fmt: skip
MACS = {w.G2: w.g2, w.G3: w.g3, w.H2: w.h2}

Table = dict[IPv4Network, tuple[str, ...]]  # gateways; none: blackhole
DROP, UNROUTED = "blackhole", "no route"


@cache
def packet_to(target: IPv4Address, ident: int) -> bytes:
    """Return a packet of a flow of its own."""
    return p.ipv4(w.H1, str(target), p.udp(ident, 9), ident=ident)


def gateways_of(table: Table, target: IPv4Address) -> tuple[str, ...] | None:
    """Return the gateways that a table has for an address."""
    covering = [prefix for prefix in table if target in prefix]
    return table[max(covering, key=lambda prefix: prefix.prefixlen)] if covering else None


def follow(table: Table, target: IPv4Address, ident: int) -> str:
    """Return where a table sends a packet: the MAC of the gateway, or why not."""
    gateways = gateways_of(table, target)
    if gateways is None:
        return UNROUTED
    if not gateways:
        return DROP
    return MACS[chosen(w.HASH_SEED, packet_to(target, ident), gateways)]


class SwapMachine(RuleBasedStateMachine):
    """Routes change while packets pass; `tables` holds the versions that a packet may see."""

    lpm = "dir24_8"

    def __init__(self) -> None:
        super().__init__()
        fast: dict[str, Any] = {"units": 2, "burst": 4, "tx_flush_us": 1.0, "lpm": self.lpm}
        fast["hash_seed"] = w.HASH_SEED
        self.bench = w.bed(profile="default", fast=fast)
        self.router = self.bench.only
        self.tables: list[Table] = [{}]  # the oldest that may be in use first
        self.sent: dict[int, tuple[IPv4Address, int]] = {}  # ident: target, version when sent
        self.oldest = 0  # version number of tables[0]

    def post(self, change: Table, delete: set[IPv4Network]) -> None:
        table = {k: v for k, v in self.tables[-1].items() if k not in delete} | change
        for prefix in delete:
            self.router.route_delete(str(prefix))
        for prefix, gateways in change.items():
            kind = "via" if gateways else "blackhole"
            self.router.route_add(str(prefix), via=gateways, kind=kind)
        self.tables.append(table)

    @rule(
        prefix=st.sampled_from(PREFIXES),
        gateways=st.lists(st.sampled_from(sorted(MACS)), unique=True).map(tuple),
    )
    def add_or_replace(self, prefix: IPv4Network, gateways: tuple[str, ...]) -> None:
        self.post({prefix: gateways}, set())

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        present = sorted(self.tables[-1])
        if present:
            self.post({}, {data.draw(st.sampled_from(present))})

    @rule(addresses=st.lists(st.sampled_from(TARGETS), min_size=1, max_size=12))
    def send_burst(self, addresses: list[IPv4Address]) -> None:
        for target in addresses:
            ident = len(self.sent)
            self.sent[ident] = (target, self.oldest)
            self.bench.port(w.P1).send(p.ether(w.M1, w.h1, packet_to(target, ident)))

    @rule(us=st.sampled_from([0.05, 0.2, 0.6, 3.0]))
    def run_a_while(self, us: float) -> None:
        self.bench.run(us=us)

    @rule()
    def run_until_idle(self) -> None:
        self.bench.run_until_idle()
        self.settle()

    def settle(self) -> None:
        """Check everything that has passed; from here on only the newest table is in use."""
        info = self.router.table_info()
        assert not info.swap_outstanding
        assert info.pending == 0
        newest = self.oldest + len(self.tables) - 1
        fates = self.fates()
        for ident, (target, version) in self.sent.items():
            tables = self.tables[version - self.oldest :]
            allowed = {follow(table, target, ident) for table in tables}
            assert fates[ident] in allowed, (target, fates[ident], allowed)
        self.tables, self.oldest, self.sent = self.tables[-1:], newest, {}
        for target, route in zip(
            TARGETS, self.router.lookup([str(t) for t in TARGETS]), strict=True
        ):
            vias = {str(path.via) for path in route.paths}
            assert vias == set(gateways_of(self.tables[0], target) or ())

    def fates(self) -> dict[int, str]:
        """Say what became of every packet: sent to which MAC, blackholed, answered by an error."""
        fates: dict[int, str] = dict.fromkeys(self.sent, DROP)
        dropped = self.router.counters().dropped
        for port in (w.P2, w.P3):
            for frame in w.received(self.bench, port):
                ident = struct.unpack("!H", frame[18:20])[0]
                assert fates[ident] == DROP, "twice"
                fates[ident] = ":".join(f"{byte:02x}" for byte in frame[:6])
        for frame in w.received(self.bench, w.P1):
            quoted = p.ip_fields(p.ip_of(frame))["payload"]
            assert isinstance(quoted, bytes)
            assert quoted[:2] == b"\x03\x00", "net unreachable"
            fates[struct.unpack("!H", quoted[12:14])[0]] = UNROUTED
        # What neither left nor was answered must be counted as blackholed: nothing is lost.
        assert sum(fate == DROP for fate in fates.values()) == dropped["blackhole"] - self.black
        self.black = dropped["blackhole"]
        assert {k for k, v in dropped.items() if v} <= {"blackhole", "no_route"}
        for port in (w.P1, w.P2, w.P3):
            self.bench.port(port).clear()
        return fates

    black = 0

    @invariant()
    def balance(self) -> None:
        self.bench.check_conservation()

    def teardown(self) -> None:
        self.run_until_idle()


class CompactSwapMachine(SwapMachine):
    """The same with the other lookup structure."""

    lpm = "compact"


for machine in (SwapMachine, CompactSwapMachine):
    machine.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=40)
TestSwap = SwapMachine.TestCase
TestCompactSwap = CompactSwapMachine.TestCase
