# SPDX-License-Identifier: MIT
"""The test bed as a case sees it: configure, send, expect.

What is sent in one go is put among good packets, if the variation says so: all of them must be
forwarded, whatever becomes of the others. expect() judges everything that came out since the last
call, at every port and twin, and on our own backends the drop counters.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from twinroute.conformance import frames as f
from twinroute.conformance import matching
from twinroute.conformance import names as n
from twinroute.conformance.case import Case, CaseError, Variation
from twinroute.conformance.device import CAPABILITIES, Captured, Device, Sent, Unable
from twinroute.conformance.evidence import Failed, Round
from twinroute.conformance.matching import Good, Verdict
from twinroute.conformance.setup import Setup
from twinroute.conformance.wanted import FWD, OUT, STACK, TELLS, TWIN, Wanted

Expectation = Wanted | Iterable[Wanted]
Counted = str | Mapping[str, int] | None
Observer = Callable[[Captured, str, Setup], None]

ANY: Mapping[str, int] = {"*": 0}  # drops that are not judged


class Testbed:
    """A device with the three ports of the test bed, for one run of a case."""

    __test__ = False  # pytest, this is no test

    def __init__(
        self,
        device: Device,
        case: Case,
        variation: Variation,
        *,
        observe: Observer | None = None,
        trace: bool = False,
    ) -> None:
        """Take a device; nothing is set up before the first frame, or configure()."""
        self.device = device
        self.case = case
        self.variation = variation
        self.rounds: list[Round] = []
        self.setup: Setup | None = None
        self._observe = observe
        self._trace = trace
        self._goods: dict[str, Good | None] = {}
        self._begin()

    def _begin(self) -> None:
        """Start another round."""
        self._round = Round(setup=self.setup)
        self._good_ways: list[Wanted] = []
        self._before = self.device.counts() if self.setup else None
        self._touched = False

    # --- setting up -------------------------------------------------------------------------------

    def configure(self, **fields: Any) -> None:
        """Set a test bed up, as Setup() describes it; a case that calls this again gets another.

        What is not named is as the matrix says: t.configure(mtu={P2: 620}).
        """
        self._conclude()
        self.setup = Setup(**fields)
        self.device.open(self.setup)
        self._goods = {}
        self._begin()

    def reconfigure(self, **fields: Any) -> None:
        """Change the running router: what is named, the rest stays."""
        self._ready()
        assert self.setup is not None
        setup = replace(self.setup, **fields)
        self.device.change(setup)
        self.setup = self._round.setup = setup

    def goods(self, port: str, frame: bytes | None, *way: Wanted) -> None:
        """Say what the good packets of a port are, from now on; None: there are none.

        frame: T() or the like. way: what becomes of it; by default FWD(frame).
        """
        self._goods[port] = None if frame is None else Good(frame, *(way or (FWD(frame),)))

    def need(self, *capabilities: str) -> None:
        """End the case here on a device that is not capable of something."""
        for one in capabilities:
            if one not in CAPABILITIES:
                raise CaseError(f"no capability {one}")
            if one not in self.device.capabilities:
                raise Unable(f"{self.device.name} lacks it: {CAPABILITIES[one]}")

    def has(self, capability: str) -> bool:
        """Tell whether the device is capable of something."""
        assert capability in CAPABILITIES
        return capability in self.device.capabilities

    def link(self, port: str, *, up: bool) -> None:
        """Take the link of a port down or up at the tester's end."""
        self._ready()
        self.device.set_link(port, up)

    @property
    def router(self) -> Any:
        """The router of our own backend; elsewhere the case ends here."""
        self._ready()
        return self.device.router

    def _ready(self) -> None:
        if self.setup is None:
            self.configure()

    # --- sending and judging ----------------------------------------------------------------------

    def send(self, place: str, *frames: bytes) -> None:
        """Send frames into a port, or out of a twin, one after another."""
        self._ready()
        assert frames
        now = self.device.now_ps
        ones = [Sent(place, frame, time_ps=now) for frame in frames]
        self._round.sent += ones
        self._touched = True
        good = self._good(place)
        if good is not None:
            before = self.variation.before(len(ones))
            count = max(self.variation.burst - len(ones), 0)
            start = len(self._good_ways)
            packets = [matching.good_packet(good, start + i) for i in range(count)]
            around = [Sent(place, packet, good=True) for packet, _ in packets]
            self._good_ways += [way for _, way in packets]
            ones = around[:before] + ones + around[before:]
        self.device.send(ones, trace=self._trace)

    def _good(self, place: str) -> Good | None:
        if self.variation.burst == 1 or place not in n.PORTS:
            return None
        if place not in self._goods:
            self._goods[place] = matching.default_good(place)
        return self._goods[place]

    def run(self, *, us: float = 0, ms: float = 0, s: float = 0) -> None:
        """Let time pass, without judging yet."""
        self._ready()
        self._touched = True
        self.device.run(us + 1e3 * ms + 1e6 * s)

    def expect(
        self,
        *wanted: Expectation,
        within_ms: float | None = None,
        drop: Counted = None,
        punt: Counted = None,
        any_order: bool = False,
        note: str = "",
    ) -> None:
        """Demand exactly these frames since the last judgement, and silence everywhere else.

        within_ms: time to let pass before; None: until nothing moves any more. drop: the reason
        under which every frame sent was counted, or numbers by reason; nothing else may have been
        counted, and nothing at all if there is no `drop`. punt: likewise, but not judged if there
        is none. any_order: the frames of a port may come in any. note: what this step shows.
        """
        ones = [one for item in wanted for one in ([item] if isinstance(item, Wanted) else item)]
        self._ready()
        verdict = self._collect(within_ms, len(ones))
        self._without_heard(verdict, ones)
        matching.compare(verdict, ones, any_order=any_order)
        self._finish(verdict, ones, note)
        now = self._round
        now.problems += self._count_problems("drop", now.counts.dropped, drop)
        if punt is not None:
            now.problems += self._count_problems("punt", now.counts.punted, punt)
        self._settle()

    def collect(
        self, *, within_ms: float | None = None, count: int = 0, note: str = ""
    ) -> dict[str, list[bytes]]:
        """Return what came out at each place since the last judgement, for the case to judge.

        count: about how many frames are to come, for devices that can only wait.
        """
        self._ready()
        verdict = self._collect(within_ms, count)
        verdict.kinds += [matching.kind_of(one) for one in verdict.rest]
        self._round.collected = True
        self._finish(verdict, [], note)
        self._settle()
        return {
            place: [one.data for one in verdict.rest if one.place == place] for place in n.PLACES
        }

    def dropped(self) -> Counter[str]:
        """Return what was counted, by reason, up to the last judgement and since the one before."""
        return self.rounds[-1].counts.dropped if self.rounds else Counter()

    def check(self, condition: object, text: str) -> None:
        """Demand something of what collect() returned; the text says what is wrong if it fails."""
        if not condition:
            if self.rounds:
                self.rounds[-1].problems.append(text)
            raise Failed(text)

    # --- what cases do again and again ------------------------------------------------------------

    def learn(self, port: str, address: str, mac: str) -> None:
        """Make the router learn a neighbour, by the neighbour's own ARP request."""
        own = self._own(port)
        self.send(port, f.who_has(own, address, mac))
        self.expect(TELLS(port, mac, address, address=own), drop="arp_done")

    def _own(self, port: str) -> str:
        self._ready()
        assert self.setup is not None
        return self.setup.addresses[port][0].split("/")[0]

    def local(
        self,
        frame: bytes,
        *answers: Wanted,
        port: str = n.P1,
        answer: bytes | None = None,
        note: str = "",
    ) -> None:
        """Demand that a packet reaches the host stack, and what the stack answers the wire.

        Where the tester is the stack: the packet comes out of the port's twin unmodified, and the
        bytes of each answer go out of the port unmodified. Elsewhere: the answers come.
        """
        self.send(port, frame)
        if not self.has("twin"):
            self.expect(*answers, note=note)
            return
        self.expect(TWIN(frame, port), note=note)
        replies = [one.data for one in answers] if answer is None else [answer]
        if replies:
            self.send(n.twin(port), *replies)
            passed = [OUT(port, one, "the stack's answer", kind=STACK) for one in replies]
            if answer is None:
                passed = [
                    replace(one, about=wanted.about)
                    for one, wanted in zip(passed, answers, strict=True)
                ]
            self.expect(passed, note=note)

    # --- rounds -----------------------------------------------------------------------------------

    def _collect(self, within_ms: float | None, count: int) -> Verdict:
        """Let time pass and take what came, the good packets apart."""
        us = None if within_ms is None else within_ms * 1000
        self.device.run(us, count=count + len(self._good_ways), wait_ms=self.case.wait_ms)
        got = self.device.captured()
        if not (self.case.arp or self.has("arp") or (self.setup and self.setup.unresolved)):
            got = [one for one in got if not f.is_arp_request(one.data)]
        verdict = Verdict()
        matching.split_goods(got, self._good_ways, verdict)
        return verdict

    def _without_heard(self, verdict: Verdict, wanted: list[Wanted]) -> None:
        """Leave out the ARP frames that a twin hears, as the host stack resolves for itself too."""
        if any(one.place in n.TWINS and f.is_arp(one.data) for one in wanted):
            return
        verdict.rest = [
            one for one in verdict.rest if not (one.place in n.TWINS and f.is_arp(one.data))
        ]

    def _finish(self, verdict: Verdict, wanted: list[Wanted], note: str) -> None:
        """Put what there is into the round."""
        now = self._round
        now.wanted, now.got, now.goods = wanted, verdict.rest, verdict.goods
        now.problems += verdict.problems
        now.note = note
        if self._before is not None:
            counts = self.device.counts()
            assert counts is not None
            now.counts = counts.since(self._before)
        now.problems += self.device.problems()
        if self._trace:
            now.trace = self.device.trace()
        if self._observe and self.setup:
            goods = [Captured(way.place, way.data, 0) for way in self._good_ways[: verdict.goods]]
            for one, kind in zip([*goods, *verdict.rest], verdict.kinds, strict=False):
                self._observe(one, kind, self.setup)

    def _settle(self) -> None:
        """End the round; raise if something in it is wrong."""
        now = self._round
        self.rounds.append(now)
        self._begin()
        if now.problems:
            raise Failed("\n".join(now.problems))

    def _count_problems(self, what: str, counted: Counter[str], wanted: Counted) -> list[str]:
        """Compare counters with those demanded."""
        if self._before is None or wanted is ANY:
            return []
        if isinstance(wanted, str):
            wanted = {wanted: len(self._round.sent)}
        expected = {name: count for name, count in (wanted or {}).items() if count}
        if dict(counted) == expected:
            return []
        return [f"{what} counters: {_counts(counted)} instead of {_counts(expected)}"]

    def _conclude(self) -> None:
        """Judge what nobody has judged: nothing may come after the last expect()."""
        if self.setup is None:
            return
        if self._round.sent:
            raise CaseError(f"{self.case.name}: sends, and expects nothing in the end")
        if self._touched:
            self.expect(drop=ANY, within_ms=0, note="nothing more")

    def close(self, *, failed: bool = False) -> None:
        """End the case."""
        try:
            if not failed:
                self._conclude()
                if not self.rounds:
                    raise CaseError(f"{self.case.name}: expects nothing")
        finally:
            self.device.close()


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
