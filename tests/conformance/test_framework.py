# SPDX-License-Identifier: MIT
"""The suite's own judgement, with a device that does as it is told: what it must find wrong."""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from twinroute.conformance import kit as k
from twinroute.conformance.case import Case, CaseError, Variation
from twinroute.conformance.device import CAPABILITIES, Captured, Counts, Device, Missing, Sent
from twinroute.conformance.evidence import Failed
from twinroute.conformance.exercise import unexercised
from twinroute.conformance.requirements import is_below, requirements, section_of
from twinroute.conformance.runner import FAIL, MISSING, NOT_APPLICABLE, PASS, run_case
from twinroute.conformance.setup import Setup
from twinroute.conformance.testbed import Testbed

Answer = Callable[[Sent], list[tuple[str, bytes]]]


def forwards(sent: Sent) -> list[tuple[str, bytes]]:
    """Forward everything out of p2."""
    return [(k.P2, k.FWD(sent.data).data)]


class Puppet(Device):
    """A router that answers each frame by a function."""

    name = "puppet"
    ours = True
    capabilities = frozenset(CAPABILITIES) - {"link"}

    def __init__(self, answer: Answer = forwards, drops: Counter[str] | None = None) -> None:
        self.answer, self.drops = answer, drops or Counter()
        self.out: list[Captured] = []
        self.counted: Counter[str] = Counter()
        self.sent: list[Sent] = []

    def open(self, setup: Setup) -> None:
        if "impossible" in setup.knobs:
            raise Missing("no knob impossible")

    def close(self) -> None:
        pass

    def send(self, frames: Sequence[Sent], *, trace: bool = False) -> None:
        self.sent += frames
        for one in frames:
            answers = forwards(one) if one.good else self.answer(one)
            self.out += [Captured(place, k.pad(data), 0) for place, data in answers]
        self.counted += self.drops

    def run(self, us: float | None, *, count: int = 0, wait_ms: float = 0) -> None:
        pass

    def captured(self) -> list[Captured]:
        out, self.out = self.out, []
        return out

    def counts(self) -> Counts:
        return Counts(self.counted.copy())


def a_case(function: Callable[[Testbed], None], **fields: object) -> Case:
    return Case("a_case", ("RFC1812-5.3.1-4",), "text", "module", function, **fields)  # type: ignore[arg-type]


def judge(
    device: Device, *wanted: k.Wanted, frame: bytes | None = None, burst: int = 1, **how: object
) -> str:
    """Send a frame into p1, expect what is wanted; return what is wrong."""
    packet = k.T() if frame is None else frame

    def function(t: Testbed) -> None:
        t.send(k.P1, packet)
        t.expect(*wanted, **how)  # type: ignore[arg-type]

    outcome = run_case(device, a_case(function), Variation(burst, "middle"))
    return "" if outcome.status == PASS else outcome.reason


@pytest.mark.parametrize("burst", [1, 2, 67])
def test_what_is_right_passes(burst: int) -> None:
    device = Puppet()
    assert judge(device, k.FWD(k.T()), burst=burst) == ""
    assert len(device.sent) == burst
    assert [one.good for one in device.sent].index(False) == (burst - 1) // 2


def test_silence_where_a_frame_is_due() -> None:
    assert judge(Puppet(lambda sent: []), k.FWD(k.T())) == "p2: missing: FWD(P2)"


def test_a_frame_where_silence_is_due() -> None:
    assert judge(Puppet()).startswith("p2: frame 1 is one too many: 10.1.0.2 -> 198.18.0.1, UDP")


@pytest.mark.parametrize("place", [k.P1, k.P3, *k.TWINS])
def test_a_copy_elsewhere(place: str) -> None:
    device = Puppet(lambda sent: [*forwards(sent), (place, sent.data)])
    assert judge(device, k.FWD(k.T())).startswith(f"{place}: frame 1 is one too many")


def test_a_frame_twice() -> None:
    assert "one too many" in judge(Puppet(lambda sent: forwards(sent) * 2), k.FWD(k.T()))


@pytest.mark.parametrize("octet", range(len(k.T())))
def test_any_octet_that_is_wrong(octet: int) -> None:
    def answer(sent: Sent) -> list[tuple[str, bytes]]:
        data = bytearray(forwards(sent)[0][1])
        data[octet] ^= 1
        return [(k.P2, bytes(data))]

    assert f"octet {octet}: " in judge(Puppet(answer), k.FWD(k.T()))


def test_a_lost_good_packet() -> None:
    class Loses(Puppet):
        def captured(self) -> list[Captured]:
            return super().captured()[1:]

    assert "p2: 65 good packets of 66" in judge(Loses(), k.FWD(k.T()), burst=67)


def test_good_packets_out_of_order() -> None:
    class Swaps(Puppet):
        def captured(self) -> list[Captured]:
            return super().captured()[::-1]

    assert "in another order" in judge(Swaps(), k.FWD(k.T()), burst=67)


@pytest.mark.parametrize(
    ("drops", "drop", "wrong"),
    [
        ({}, None, ""),
        ({"no_route": 1}, "no_route", ""),
        ({"no_route": 1}, {"no_route": 1}, ""),
        ({"no_route": 1}, k.ANY, ""),
        ({"no_route": 1}, None, "drop counters: no_route 1 instead of none"),
        ({}, "no_route", "drop counters: none instead of no_route 1"),
        ({"no_route": 2}, "no_route", "drop counters: no_route 2 instead of no_route 1"),
        (
            {"no_route": 1, "port_down": 1},
            "no_route",
            "drop counters: no_route 1, port_down 1 instead of no_route 1",
        ),
    ],
)
def test_drop_counters(drops: dict[str, int], drop: object, wrong: str) -> None:
    assert judge(Puppet(lambda sent: [], Counter(drops)), drop=drop) == wrong


def test_what_an_rfc_leaves_open_is_open() -> None:
    packet = k.T(dst=k.U)
    error = k.ERR(packet, 3, 0)
    other = bytearray(error.data)
    other[18:22] = b"\x12\x34\0\0"  # an ID of its own, and no DF
    other[22] = 255
    other[24:34] = k.with_checksum(bytes(other[14:]))[10:20]
    assert error.problems(bytes(other)) == []
    other[22] = 63
    other[24:34] = k.with_checksum(bytes(other[14:]))[10:20]
    assert error.problems(bytes(other)) == ["TTL of 64 or more: 3f"]
    other[25] ^= 1
    assert "right header checksum" in error.problems(bytes(other))[1]


def test_the_quoted_ttl_may_be_one_less_with_its_checksum() -> None:
    packet = k.T(dst=k.U)
    error = k.ERR(packet, 3, 0)
    lowered = k.FWD(packet).data[14:]
    message = k.icmp(3, 0, data=lowered)
    assert error.problems(error.data[:34] + message) == []
    wrong = k.icmp(3, 0, data=lowered[:10] + k.ip_of(packet)[10:12] + lowered[12:])
    assert "quoted checksum" in error.problems(error.data[:34] + wrong)[0]


def test_either_and_maybe() -> None:
    packet = k.T()
    either = k.EITHER(k.FWD(packet), k.FWD(packet, to=k.h2))
    assert judge(Puppet(), either) == ""
    assert judge(Puppet(), k.MAYBE(k.FWD(packet))) == ""
    assert judge(Puppet(lambda sent: []), k.MAYBE(k.FWD(packet))) == ""
    assert judge(Puppet(), k.MAYBE(k.FWD(packet, to=k.h2)), k.FWD(packet)) == ""
    neither = k.EITHER(k.FWD(packet, to=k.h2), k.FWD(packet, to=k.h1))
    assert "octet 5: fe instead of 02 (destination MAC)" in judge(Puppet(), neither)


def test_order_counts_unless_it_does_not() -> None:
    packets = [k.T(ident=i) for i in range(3)]
    wanted = [k.FWD(packet) for packet in packets]

    def answer(sent: Sent) -> list[tuple[str, bytes]]:
        return [(one.place, one.data) for one in reversed(wanted)]

    assert "frame 1, FWD(P2): octet 19" in judge(Puppet(answer), *wanted)
    assert judge(Puppet(answer), *wanted, any_order=True) == ""
    assert "missing" in judge(Puppet(answer), *wanted, k.FWD(k.T()), any_order=True)


def test_what_a_device_lacks() -> None:
    def wants_a_knob(t: Testbed) -> None:
        t.configure(knobs={"impossible": 1})

    outcome = run_case(Puppet(), a_case(wants_a_knob), Variation())
    assert (outcome.status, outcome.reason) == (MISSING, "no knob impossible")
    outcome = run_case(Puppet(), a_case(wants_a_knob, needs=("link",)), Variation())
    assert outcome.status == NOT_APPLICABLE
    foreign = Puppet()
    foreign.ours = False
    foreign.capabilities = frozenset()
    assert run_case(foreign, a_case(wants_a_knob), Variation()).status == NOT_APPLICABLE
    outcome = run_case(foreign, a_case(wants_a_knob, wait_ms=60_000), Variation())
    assert outcome.reason == "waits 60 s of real time"


def test_a_case_has_to_judge() -> None:
    def only_sends(t: Testbed) -> None:
        t.send(k.P1, k.T())

    def nothing(t: Testbed) -> None:
        pass

    for function in (only_sends, nothing):
        with pytest.raises(CaseError):
            run_case(Puppet(), a_case(function), Variation())


def test_frames_after_the_last_judgement_fail_a_case() -> None:
    class Late(Puppet):
        def run(self, us: float | None, *, count: int = 0, wait_ms: float = 0) -> None:
            if us == 1000:
                self.out.append(Captured(k.P3, k.T(), 0))

    def function(t: Testbed) -> None:
        t.send(k.P1, k.T())
        t.expect(k.FWD(k.T()))
        t.run(ms=1)

    outcome = run_case(Late(), a_case(function), Variation())
    assert outcome.status == FAIL
    assert "p3: frame 1 is one too many" in outcome.reason


def test_collect_and_check() -> None:
    def function(t: Testbed) -> None:
        t.send(k.P1, *[k.T(ident=i) for i in range(5)])
        out = t.collect()
        t.check(len(out[k.P2]) == 5, "five frames")
        t.check(len(out[k.P2]) == 4, "four frames")

    outcome = run_case(Puppet(), a_case(function), Variation(67, "last"))
    assert (outcome.status, outcome.reason) == (FAIL, "four frames")
    assert len(outcome.rounds[0].got) == 5


def test_observables_are_looked_for() -> None:
    def exercised(*frames: bytes, **setup: object) -> list[str]:
        device = Puppet()

        def function(t: Testbed) -> None:
            t.configure(**setup)
            for frame in frames:
                t.send(k.P1, frame)
                t.expect(k.FWD(frame))

        outcome = run_case(device, a_case(function), Variation())
        return unexercised(requirements()["RFC1812-2.2.5.2-3"], outcome.rounds)

    routes = (k.Route("198.18.0.0/16", k.G2), k.Route("198.18.1.0/24", k.G3))
    assert exercised(k.T(dst="198.18.1.1"), k.T(dst="198.18.2.1"), routes=routes) == ["FWD(P3)"]
    assert "198.18.2.1" in exercised(k.T(dst="198.18.1.1"), routes=routes)
    assert "198.18.1.0/24" in exercised(k.T(dst="198.18.2.1"))


def test_sections() -> None:
    assert section_of("RFC1812-5.3.1-4") == "RFC1812 5.3.1"
    assert is_below("RFC1812 5.3.1", "5.3")
    assert is_below("RFC1812 5.3.1", "RFC1812-5")
    assert not is_below("RFC1812 5.31", "5.3")
    assert not is_below("RFC791 3.1", "RFC1812")
    assert is_below("RFC791 3.1", "RFC791")


def test_expect_raises() -> None:
    t = Testbed(Puppet(lambda sent: []), a_case(lambda t: None), Variation())
    t.send(k.P1, k.T())
    with pytest.raises(Failed, match="missing"):
        t.expect(k.FWD(k.T()))
