# SPDX-License-Identifier: MIT
"""Which route of many is used while ports go down and come up, against a model that knows nothing
but the rule: of the longest prefix with a usable route the lowest preference, source, metric."""

from ipaddress import IPv4Address, IPv4Network

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests import worlds as w
from tests.strategies import examples
from twinroute.config import build_config
from twinroute.sim import Bench

PREFIXES = [
    IPv4Network(text)
    for text in ("0.0.0.0/0", "100.0.0.0/8", "100.64.0.0/10", "100.64.1.0/24", "100.64.1.200/32")
] + [IPv4Network("10.2.0.0/24"), IPv4Network("10.2.0.64/26"), IPv4Network(f"{w.H3}/32")]
TARGETS = [
    *("99.1.1.1", "100.1.1.1", "100.65.0.1", "100.64.1.1", "100.64.1.200"),
    *("10.2.0.9", "10.2.0.65", w.H3, "10.3.0.9", w.R2, w.R3),
]
PORTS = {w.P1: "10.1.0.1/24", w.P2: "10.2.0.1/24", w.P3: "10.3.0.1/24"}
GATEWAYS = {w.G2: w.P2, w.G3: w.P3, w.G1: w.P1, "10.2.0.7": w.P2}
SUBNETS = {name: IPv4Network(address, strict=False) for name, address in PORTS.items()}
CONFIGURED = [
    {"to": "100.64.0.0/10", "via": w.G2, "metric": 1},
    {"to": "100.64.0.0/10", "via": w.G3, "metric": 2},
    {"to": "10.2.0.0/24", "via": w.G3, "preference": 0},
]

Key = tuple[IPv4Network, str, int]
Value = tuple[int, str | None]  # preference; gateway, None: blackhole


class UsableMachine(RuleBasedStateMachine):
    """Routes come and go, links and switches go up and down, in any order and at any time."""

    def __init__(self) -> None:
        super().__init__()
        sim = {"neighbors": "silent", "profile": "default"}
        ports = {name: {"address": address} for name, address in PORTS.items()}
        tables = {"port": ports, "sim": sim, "fast_path": {"units": 2}, "route": CONFIGURED}
        self.bench = Bench.from_config(build_config(tables), guard_tables=True)
        self.router = self.bench.only
        self.routes: dict[Key, Value] = {
            (IPv4Network(str(one["to"])), "config", int(str(one.get("metric", 0)))): (
                int(str(one.get("preference", 20))),
                str(one["via"]),
            )
            for one in CONFIGURED
        }
        self.link = dict.fromkeys(PORTS, True)
        self.switch = dict.fromkeys(PORTS, True)

    @initialize(count=st.sampled_from([0, 0, 0, 0, 0, 0, 0, 20_000]))
    def fill(self, count: int) -> None:
        """More routes than one turn looks at."""
        if count:
            prefixes = (0xC8000000 + (np.arange(count) << 8)).astype(np.uint32)
            self.router.routes_post(prefixes, 24, int(IPv4Address(w.G2)))

    @rule(
        prefix=st.sampled_from(PREFIXES),
        metric=st.integers(0, 3),
        preference=st.sampled_from([0, 19, 20, 21, 255]),
        via=st.sampled_from([*GATEWAYS, None]),
    )
    def add(self, prefix: IPv4Network, metric: int, preference: int, via: str | None) -> None:
        kind = "via" if via else "blackhole"
        self.router.route_add(prefix, via, kind=kind, metric=metric, preference=preference)
        self.routes[prefix, "api", metric] = (preference, via)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        added = sorted(key for key in self.routes if key[1] == "api")
        if added:
            key = data.draw(st.sampled_from(added))
            self.router.route_delete(key[0], metric=key[2])
            del self.routes[key]

    @rule(port=st.sampled_from([*PORTS]), up=st.booleans())
    def set_link(self, port: str, up: bool) -> None:
        self.bench.port(port).link.set_up(up)
        self.link[port] = up

    @rule(port=st.sampled_from([*PORTS]), up=st.booleans())
    def set_switch(self, port: str, up: bool) -> None:
        self.router.port_set_up(port, up)
        self.switch[port] = up

    @rule(us=st.sampled_from([0.0, 0.1, 0.3, 1.0, 10.0]))
    def run_a_while(self, us: float) -> None:
        self.bench.run(us=us)

    @rule()
    def settle(self) -> None:
        self.bench.run(us=1)  # the slow path looks at the links
        self.bench.settle()
        found = [str(hop.via) if hop.via else hop.kind for hop in self.router.lookup(TARGETS)]
        assert found == [self.expected(IPv4Address(target)) for target in TARGETS]
        shown = {
            (one.to, one.source, one.metric): one.usable
            for one in self.router.routes(all=True)
            if one.source in ("api", "config") and one.to in PREFIXES
        }
        assert shown == {
            key: via is None or self.up(GATEWAYS[via]) for key, (_, via) in self.routes.items()
        }

    def up(self, port: str) -> bool:
        return self.link[port] and self.switch[port]

    def expected(self, target: IPv4Address) -> str:
        """Return the gateway that a packet goes to, or the kind of the route."""
        if str(target) in (w.R1, w.R2, w.R3):
            return "local"
        best = (-1, 0, 0, 0, "none")
        for (to, source, metric), (preference, via) in self.routes.items():
            if target in to and (via is None or self.up(GATEWAYS[via])):
                rank = (to.prefixlen, -preference, -"config api".index(source), -metric)
                best = max(best, (*rank, via or "blackhole"))
        for port, subnet in SUBNETS.items():
            if target in subnet and self.up(port):
                best = max(best, (subnet.prefixlen, 0, 1, 0, "connected"))
        return best[-1]

    def teardown(self) -> None:
        self.settle()
        for port in PORTS:
            self.set_link(port, True)
            self.set_switch(port, True)
        self.settle()
        self.bench.run_until_idle()
        self.bench.check_conservation()


UsableMachine.TestCase.settings = settings(max_examples=examples(20), stateful_step_count=25)
TestUsable = UsableMachine.TestCase
