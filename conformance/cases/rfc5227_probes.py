# SPDX-License-Identifier: MIT
"""RFC 5227 2.1: an address is probed before it is used, and then no more."""

from itertools import pairwise

from twinroute.conformance.kit import (
    ALONE,
    DROP,
    M1,
    NO_MAC,
    P1,
    REPLY,
    Testbed,
    arp,
    case,
    ping,
)

NEW = "10.1.0.9"
THIEF = "02:00:00:00:01:66"
MORE = {P1: ("10.1.0.1/24", f"{NEW}/24"), "p2": ("10.2.0.1/24",), "p3": ("10.3.0.1/24",)}
PROBE = arp(1, M1, "0.0.0.0", NO_MAC, NEW)
ANNOUNCEMENT = arp(1, M1, NEW, NO_MAC, NEW)
STEP_MS = 100


def _heard(t: Testbed, s: float, note: str) -> dict[bytes, list[float]]:
    """Return when each ARP packet left P1, in seconds, to a tenth."""
    found: dict[bytes, list[float]] = {}
    for step in range(round(s * 1000 / STEP_MS)):
        for frame in t.collect(within_ms=STEP_MS, note=note)[P1]:
            found.setdefault(frame[:42], []).append(step * STEP_MS / 1000)
    return found


@case("RFC5227-2.1-1", bursts=ALONE, needs=("change", "virtual-time"), arp=True)
def an_address_is_probed_before_use(t: Testbed) -> None:
    """Three probes, a second or two apart; who claims it meanwhile keeps it; else it is ours."""
    t.configure()
    t.reconfigure(addresses=MORE)
    heard = _heard(t, 4.5, "probing")
    times = heard.get(PROBE[:42], [])
    t.check(len(times) == 3, f"{len(times)} probes")
    gaps = [later - one for one, later in pairwise(times)]
    t.check(all(0.8 <= gap <= 2.2 for gap in gaps), f"probes {gaps} s apart")
    t.run(s=10)
    t.collect(within_ms=0)
    t.send(P1, ping(dst=NEW))
    t.expect(REPLY(ping(dst=NEW)), drop="echo_answered", note="in use")
    t.configure()
    t.reconfigure(addresses=MORE)
    t.run(ms=1500)
    t.collect(within_ms=0, note="probing")
    t.send(P1, arp(2, THIEF, NEW, M1, "0.0.0.0"))
    heard = _heard(t, 20, "claimed by another")
    t.check(ANNOUNCEMENT[:42] not in heard, "it is announced all the same")
    states = {str(one.ip): state for one, state in t.router.port_status(P1).addresses.items()}
    t.check(states[NEW] == "conflict", f"reported as {states[NEW]}")


@case("RFC5227-2.1-2", bursts=ALONE, needs=("virtual-time",), arp=True)
def probing_is_not_repeated(t: Testbed) -> None:
    """Ten minutes without events: no probe."""
    t.configure()
    t.run(s=600)
    t.expect(DROP, note="ten minutes")
