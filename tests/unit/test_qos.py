# SPDX-License-Identifier: MIT
"""`[qos]`: which DSCPs a congested port prefers, and that it need not prefer any."""

from typing import Any

import pytest

from tests import worlds as w
from tests.answers import dropped
from tests.congestion import by_class, frame_of, numbers, offer, schedule, slow_bed
from tests.packets import forwarded
from tests.refusals import refusal
from twinroute.config import parse_config
from twinroute.reload import refusals
from twinroute.sim import Bench

PORTS = '[port.p0]\naddress = "10.0.0.1/24"\n'
MBIT = 1_000_000
CS1, EF, CS6, CS7 = 0x20, 46 << 2, 0xC0, 0xE0


def test_by_default_the_class_selector_decides() -> None:
    assert parse_config(PORTS).qos.priorities() == [dscp // 8 for dscp in range(64)]


def test_single_codepoints_have_other_priorities() -> None:
    config = parse_config(PORTS + '[qos.priority]\n46 = 7\n"08" = 0\n0 = 3\n')
    changed = {46: 7, 8: 0, 0: 3}
    assert config.qos.priorities() == [changed.get(dscp, dscp // 8) for dscp in range(64)]


def test_switched_off_nothing_is_preferred() -> None:
    config = parse_config(PORTS + "[qos]\nprecedence = false\n[qos.priority]\n46 = 7\n")
    assert config.qos.priorities() == [0] * 64


BAD = {
    "[qos]\nprecedence = 1": "qos.precedence = 1: expected true or false",
    "[qos.priority]\n64 = 1": "qos.priority.64: expected a DSCP from 0 to 63",
    "[qos.priority]\nef = 1": "qos.priority.ef: expected a DSCP from 0 to 63",
    '[qos.priority]\n"-1" = 1': "qos.priority.-1: expected a DSCP from 0 to 63",
    "[qos.priority]\n46 = 8": "qos.priority.46 = 8: expected an integer from 0 to 7",
    "[qos.priority]\n46 = -1": "qos.priority.46 = -1: expected an integer from 0 to 7",
    "[qos]\npriority = 7": "qos.priority = 7: expected",
    "[qos]\nweight = 7": "qos.weight = 7: unknown key, expected precedence or priority",
}


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_value_gets_a_line(text: str) -> None:
    assert refusal(PORTS + text).startswith(BAD[text])


def test_it_stays_while_the_router_runs() -> None:
    old = parse_config(PORTS)
    new = parse_config(PORTS + "[qos]\nprecedence = false\n[qos.priority]\n46 = 7\n")
    first, second = refusals("sim", old, new)
    assert first.startswith("<code>: qos.precedence = false: cannot change while the router runs")
    assert second.startswith("<code>: qos.priority.46: cannot be added while the router runs")


def _congested(loads: dict[int, int], qos: str, **options: Any) -> tuple[Bench, list[bytes]]:
    """Offer loads to a link of 50 Mbit/s for a tenth of a second; return all that was offered."""
    bench = slow_bed(50 * MBIT, routes=qos, **options)
    sent = offer(bench, schedule(loads, 100_000, bench.now_us))
    out = w.received(bench, w.P2)
    assert dropped(bench) == {"tx_full": len(sent) - len(out)}
    assert set(out) <= {forwarded(frame, w.M2, w.g2) for frame in sent}
    return bench, sent


@pytest.mark.parametrize("fast", [{}, {"tx_buffer": 1}, {"burst": 67, "units": 2}], ids=str)
def test_switched_off_every_class_loses_alike(fast: dict[str, int]) -> None:
    """RFC 1812 5.3.3.1: in the order in which they came, and the tail is lost."""
    loads = {0: 50 * MBIT, CS7: 50 * MBIT}
    bench, sent = _congested(loads, "[qos]\nprecedence = false", fast=fast)
    out = w.received(bench, w.P2)
    order = [int.from_bytes(frame[42:46]) for frame in out]
    assert order == sorted(order)
    offered, got = by_class(sent), by_class(out)
    assert got[CS7] < 0.8 * offered[CS7]
    assert got[0] > 0.2 * offered[0]


def test_another_codepoint_is_preferred() -> None:
    """DSCP 46 above class selector 6, which is as good as default traffic."""
    loads = {0: 60 * MBIT, CS6: 30 * MBIT, EF: 10 * MBIT}
    bench, sent = _congested(loads, "[qos.priority]\n46 = 7\n48 = 0")
    out = w.received(bench, w.P2)
    assert numbers(out, EF) == numbers(sent, EF)
    assert by_class(out)[CS6] < 0.8 * by_class(sent)[CS6]


def test_the_codepoint_counts_whatever_ecn_says() -> None:
    """DSCP 8 is dropped first, and its neighbours 7 and 9 are what they were."""
    bench = slow_bed(descriptors=1, routes="[qos.priority]\n8 = 0")
    for n in range(80):
        for tos in (CS1, CS1 | 3, 9 << 2 | 3):
            bench.port(w.P1).send(frame_of(tos, n))
    bench.run_until_idle()
    got = by_class(w.received(bench, w.P2))
    assert got[9 << 2 | 3] == 80
    assert got[CS1] + got[CS1 | 3] < 80
