# SPDX-License-Identifier: MIT
"""RFC 2474 4.2.2.2 and RFC 1812 5.3.3, 5.3.6: whose packets are lost where a port has too many."""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from twinroute.conformance.kit import (
    ALONE,
    FWD,
    H1,
    H2,
    H3,
    MAC,
    OSPF,
    OWN,
    P1,
    P2,
    P3,
    PORTS,
    STATIONS,
    T,
    Testbed,
    case,
    ether,
    ipv4,
    ping,
    tcp,
    twin,
)

MBIT = 1_000_000
SIZE = 1000  # octets of a frame
WIRE_BITS = (SIZE + 24) * 8  # with check sum, preamble and gap
STEP_MS = 4
DESCRIPTORS = 64
Step = tuple[list[bytes], list[bytes]]  # what was sent, and what left


def _numbered(number: int, tos: int) -> bytes:
    """Return T with a number in it."""
    return T(tos=tos, data=struct.pack("!I", number) + bytes(SIZE - 14 - 28 - 4))


def _number(frame: bytes) -> int:
    return int(struct.unpack_from("!I", frame, 42)[0])


def _slow(t: Testbed, rate: int, **knobs: object) -> None:
    slow = {"sim.port.p2.rate": rate, "sim.port.p2.tx_descriptors": DESCRIPTORS}
    t.configure(knobs={**slow, **knobs})


def _offered(loads: dict[int, int], steps: int) -> list[list[int]]:
    """Return the TOS octets of the packets of each step, evenly mixed: bit/s of each class."""
    due = dict.fromkeys(loads, 0.0)
    found = []
    for _ in range(steps):
        slots = []
        for tos, rate in loads.items():
            count = rate * STEP_MS / 1000 / WIRE_BITS
            now = int(due[tos] + count) - int(due[tos])
            due[tos] += count
            slots += [((k + 0.5) / now, tos) for k in range(now)]
        found.append([tos for _, tos in sorted(slots)])
    return found


def _offer(t: Testbed, loads: dict[int, int], note: str = "") -> Iterator[Step]:
    """Offer loads (bit/s of each TOS octet) to P2's link; yield what came and left in each step."""
    sent = 0
    for classes in [*_offered(loads, 60), *[[]] * 5]:
        packets = [_numbered(sent + i, tos) for i, tos in enumerate(classes)]
        sent += len(packets)
        if packets:
            t.send(P1, *packets)
        yield packets, t.collect(within_ms=STEP_MS, note=note)[P2]


def _by_class(frames: Iterable[bytes]) -> Counter[int]:
    return Counter(frame[15] for frame in frames)


@case(
    *("RFC1812-5.3.3.1-1", "RFC1812-5.3.6-3", "RFC2474-4.2.2.2-1", "RFC2474-4.2.2.2-3"),
    bursts=ALONE,
    needs=("virtual-time",),
)
def network_control_is_preferred(t: Testbed) -> None:
    """100 Mb/s of DSCP 0 and 10 of DSCP 48 into 50 Mb/s: of the latter nothing is lost or late."""
    for preferred in (0xC0, 0xE0):
        _slow(t, 50 * MBIT)
        left: dict[int, int] = {}  # the step in which a number left
        lost = sent = 0
        urgent: dict[int, int] = {}
        loads = {0: 100 * MBIT, preferred: 10 * MBIT}
        for step, (packets, got) in enumerate(_offer(t, loads, f"DSCP {preferred >> 2}")):
            urgent |= {_number(one): step for one in packets if one[15] == preferred}
            sent += len(packets)
            lost += t.dropped()["tx_full"]
            left |= {_number(frame): step for frame in got}
            wanted = [FWD(_numbered(_number(frame), frame[15])).data for frame in got]
            t.check(got == wanted, "not what was sent")
        t.check(not set(urgent) - set(left), f"{len(set(urgent) - set(left))} are lost")
        t.check(lost == sent - len(left) > sent / 3, f"{lost} of {sent} are lost")
        late = [left[number] - step for number, step in urgent.items()]
        third = len(late) // 3
        # What is in the transmit queue already goes before it; the backlog does not.
        queue_steps = (DESCRIPTORS + 64) * WIRE_BITS / (50 * MBIT) * 1000 / STEP_MS
        t.check(max(late) <= queue_steps + 1, f"up to {max(late)} steps late")
        t.check(max(late[-third:]) <= max(late[:third]) + 1, "ever later")


@case("RFC2474-4.2.2.2-2", bursts=ALONE, needs=("virtual-time",))
def higher_classes_lose_no_more(t: Testbed) -> None:
    """CS0 to CS7 at twice the rate in all: loss does not grow with the class."""
    classes = [number << 5 for number in range(8)]
    _slow(t, 50 * MBIT)
    offered: Counter[int] = Counter()
    passed: Counter[int] = Counter()
    for packets, got in _offer(t, dict.fromkeys(classes, 100 * MBIT // 8)):
        offered += _by_class(packets)
        passed += _by_class(got)
    lost = [offered[tos] - passed[tos] for tos in classes]
    t.check(sum(lost) > sum(offered.values()) / 3, f"lost {lost}")
    # Before the first loss nobody is told apart: who came first then has a packet or two more.
    t.check(all(higher <= lower + 2 for lower, higher in pairwise(lost)), f"lost {lost}")
    t.check(lost[6] == lost[7] == 0, f"lost {lost}")


@case("RFC1812-5.3.3.1-2", "RFC1812-5.3.3.1-4", bursts=ALONE, needs=("virtual-time",))
def nobody_need_be_preferred(t: Testbed) -> None:
    """Switched off, all packets keep their order and lose alike; else DSCPs can be remapped."""
    loads = {0: 45 * MBIT, 0xC0: 45 * MBIT, 46 << 2: 10 * MBIT}
    for knobs in (
        {"qos.precedence": False},
        {"qos.priority": {"46": 7, "48": 0}},
    ):
        _slow(t, 50 * MBIT, **knobs)
        offered: Counter[int] = Counter()
        passed: Counter[int] = Counter()
        order = []
        for packets, got in _offer(t, loads, str(knobs)):
            offered += _by_class(packets)
            passed += _by_class(got)
            order += [_number(frame) for frame in got]
        lost = {tos >> 2: offered[tos] - passed[tos] for tos in loads}
        t.check(lost[48] > offered[0xC0] / 4, f"lost {lost}")
        if "qos.precedence" in knobs:
            t.check(order == sorted(order), "not in the order in which they came")
            t.check(lost[46] > offered[46 << 2] / 4, f"lost {lost}")
        else:
            t.check(lost[46] == 0, f"lost {lost}")


# --- full load ------------------------------------------------------------------------------------

AROUND = {P1: (H1, H2, P2), P2: (H2, H3, P3), P3: (H3, H1, P1)}  # port: source, destination, egress
SECONDS = 60
RATE = MBIT  # of every link


@case("RFC1812-5.3.6-6", bursts=ALONE, needs=("virtual-time", "twin"))
def management_goes_on_under_full_load(t: Testbed) -> None:
    """A minute of full links: no packet of a routing protocol, and hardly an echo, is lost."""
    t.configure(knobs={f"sim.port.{port}.rate": RATE for port in PORTS})
    a_second = RATE // WIRE_BITS - 4  # room for a Hello, a BGP message and two echo requests
    asked = answered = 0
    for second in range(SECONDS):
        for port, (src, dst, _) in AROUND.items():
            transit = T(src, dst, port=port, data=bytes(SIZE - 42))
            mac = STATIONS[port][src]
            hello = ipv4(src, "224.0.0.5", bytes(44), protocol=OSPF, ttl=1, tos=0xC0)
            bgp = T(src, OWN[port], port=port, protocol=6, payload=tcp(src, OWN[port], 3000, 179))
            requests = [
                ping(OWN[port], src, port=port, data=bytes([second, number])) for number in (0, 1)
            ]
            half = [transit] * (a_second // 2)
            t.send(port, *half, requests[0], bgp, *half)
            t.send(port, ether("01:00:5e:00:00:05", mac, hello), requests[1])
            answer = ipv4(OWN[port], src, bytes(40), protocol=OSPF, tos=0xC0)
            t.send(twin(port), ether(mac, MAC[port], answer))
            asked += 2
        got = t.collect(within_ms=1000, note=f"second {second}")
        answered += sum(frame[34:36] == b"\0\0" for port in PORTS for frame in got[port])
        kinds = Counter(frame[23] for port in PORTS for frame in got[port] if frame[15] == 0xC0)
        for port in PORTS:
            arrived = Counter(frame[23] for frame in got[twin(port)])
            t.check(arrived == {6: 1, OSPF: 1}, f"on the twin of {port}: {arrived}")
        t.check(kinds[OSPF] >= 3 or second == 0, f"the stacks' packets: {kinds}")
    got = t.collect(note="the rest")
    answered += sum(frame[34:36] == b"\0\0" for port in PORTS for frame in got[port])
    t.check(answered > 0.99 * asked, f"{asked - answered} of {asked} echo requests are lost")
