# SPDX-License-Identifier: MIT
"""RFC 1812 5.2.3, 5.3.5 and 5.3.10: multicasts and directed broadcasts, switched on."""

from twinroute.conformance.kit import (
    BROADCAST,
    DROP,
    FWD,
    H1,
    OSPF,
    P1,
    P2,
    P3,
    R2,
    R3,
    TWIN,
    T,
    Testbed,
    case,
    ping,
)
from twinroute.conformance.options import padded, record

TWINS_ONLY = ("twin",)
GROUP, GROUP_MAC = "239.1.1.1", "01:00:5e:01:01:01"
SPF, SPF_MAC = "224.0.0.5", "01:00:5e:00:00:05"
TREE = {"source": H1, "group": GROUP, "from": P1, "to": [P2, P3]}
NEAR, FAR = "10.1.0.255", "10.2.0.255"


@case("RFC1812-5.2.3-5", needs=TWINS_ONLY)
def link_local_groups_stay(t: Testbed) -> None:
    """224.0.0.5: one copy for the host stack of the port, if that has joined; none elsewhere."""
    for ports in ((P1,), (P1, P2, P3), (P2, P3), ()):
        knobs = {f"groups.{port}": [SPF] * (port in ports) for port in (P1, P2, P3)}
        t.configure(knobs=knobs)
        for ttl in (1, 64):
            packet = T(dst=SPF, dmac=SPF_MAC, protocol=OSPF, payload=bytes(44), ttl=ttl)
            t.send(P1, packet)
            note = f"joined: {' '.join(ports)}; TTL {ttl}"
            if P1 in ports:
                t.expect(TWIN(packet), note=note)
            else:
                t.expect(DROP, drop="multicast", note=note)


@case("RFC1812-5.2.3-7", "RFC1812-5.3.10-1", needs=TWINS_ONLY)
def multicasts_follow_their_routes(t: Testbed) -> None:
    """A copy by each port of the route, one for a member on the way; none by a wrong way."""
    packet = T(dst=GROUP, dmac=GROUP_MAC, ttl=8)
    copies = [FWD(packet, port, to=GROUP_MAC) for port in (P2, P3)]
    for joined in ([GROUP], []):
        t.configure(knobs={"multicast_routes": [TREE], "groups.p1": joined})
        t.send(P1, packet)
        if joined:
            t.expect(TWIN(packet), copies, note="a member on the way")
        else:
            t.expect(copies, drop="multicast_copied", note="no member on the way")
        t.send(P2, T(dst=GROUP, dmac=GROUP_MAC, ttl=8, port=P2, smac="02:00:00:00:02:02"))
        t.expect(DROP, drop="multicast_path", note="in P2")
    t.send(P1, T("10.1.0.3", GROUP, dmac=GROUP_MAC, ttl=8))
    t.expect(DROP, drop="multicast", note="of another source")
    for ttl in (0, 1):
        t.send(P1, T(dst=GROUP, dmac=GROUP_MAC, ttl=ttl))
        t.expect(DROP, drop="ttl_threshold", note=f"TTL {ttl}")
    packet = T(dst=GROUP, dmac=GROUP_MAC, ttl=2)
    t.send(P1, packet)
    copies = [FWD(packet, port, to=GROUP_MAC) for port in (P2, P3)]
    t.expect(copies, drop="multicast_copied", note="TTL 2")


@case("RFC1812-5.3.10-1", "RFC1812-5.3.13.5-1", needs=TWINS_ONLY)
def copies_record_their_way(t: Testbed) -> None:
    """A multicast's copies record the address of the port that each leaves by."""
    t.configure(knobs={"multicast_routes": [TREE], "record_route": "process"})
    packet = T(dst=GROUP, dmac=GROUP_MAC, options=padded(record(slots=2)))
    t.send(P1, packet)
    copies = [
        FWD(packet, port, to=GROUP_MAC, options=padded(record(own, slots=2)))
        for port, own in ((P2, R2), (P3, R3))
    ]
    t.expect(copies, drop="multicast_copied")


@case("RFC1812-5.3.10-1", needs=TWINS_ONLY)
def thresholds_keep_multicasts_in(t: Testbed) -> None:
    """A port passes only what has a TTL above its threshold."""
    knobs = {"multicast_routes": [TREE], "port.p2.ttl_threshold": 8, "port.p3.ttl_threshold": 16}
    t.configure(knobs=knobs)
    for ttl, ports in ((8, ()), (9, (P2,)), (16, (P2,)), (17, (P2, P3))):
        packet = T(dst=GROUP, dmac=GROUP_MAC, ttl=ttl)
        t.send(P1, packet)
        copies = [FWD(packet, port, to=GROUP_MAC) for port in ports]
        drop = "multicast_copied" if ports else "ttl_threshold"
        t.expect(copies, drop=drop, note=f"TTL {ttl}")


@case("RFC1812-5.2.3-6", needs=TWINS_ONLY)
def directed_broadcasts_if_switched_on(t: Testbed) -> None:
    """Forwarded as a link broadcast, received, or both, as the port of the subnet says."""
    packets = T(dst=FAR), ping(FAR)
    for forward in (False, True):
        for receive in (False, True):
            t.configure(
                knobs={
                    "forward_directed_broadcast.p2": forward,
                    "receive_directed_broadcast.p2": receive,
                }
            )
            for packet in packets:
                t.send(P1, packet)
                note = f"forward {forward}, receive {receive}"
                wanted = [FWD(packet, P2, to=BROADCAST)] * forward + [TWIN(packet)] * receive
                t.expect(wanted, drop=None if wanted else "directed_broadcast", note=note)
                t.send(P1, b"\xff" * 6 + packet[6:])
                wanted = [TWIN(b"\xff" * 6 + packet[6:])] * receive
                note += ", as a link broadcast"
                t.expect(wanted, drop=None if wanted else "directed_broadcast", note=note)
            t.send(P1, T(dst=NEAR))
            t.expect(DROP, drop="directed_broadcast", note="of another port's subnet")


@case("RFC1812-5.2.3-8", needs=TWINS_ONLY)
def broadcasts_of_the_own_subnet(t: Testbed) -> None:
    """Dropped by default; received once if so set, and never sent back but where that is set."""
    plain, broad = T(dst=NEAR), T(dst=NEAR, dmac=BROADCAST)
    for forward in (False, True):
        for receive in (False, True):
            if forward or receive:
                t.configure(
                    knobs={
                        "forward_directed_broadcast.p1": forward,
                        "receive_directed_broadcast.p1": receive,
                    }
                )
            for packet in (plain, broad):
                back = forward and packet is plain
                wanted = [FWD(packet, P1, to=BROADCAST)] * back + [TWIN(packet)] * receive
                note = f"forward {forward}, receive {receive}"
                t.send(P1, packet)
                t.expect(wanted, drop=None if wanted else "directed_broadcast", note=note)
