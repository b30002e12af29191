# SPDX-License-Identifier: MIT
"""RFC 3168: the ECN field in transit; RFC 6918: ICMP types that are no longer used."""

from twinroute.conformance.kit import (
    A1,
    ALONE,
    DROP,
    ERR,
    FWD,
    ICMP,
    P1,
    P2,
    T,
    Testbed,
    case,
    icmp,
)

ECT1, ECT0, CE = 1, 2, 3
DEPRECATED = (6, *range(15, 19), *range(30, 40))


@case("RFC3168-5-1", "RFC3168-5-3")
def ecn_is_passed_on(t: Testbed) -> None:
    """ECT(0), ECT(1) and CE leave as they came, with every DSCP, by both paths."""
    for ecn in (ECT1, ECT0, CE):
        for dscp in (0, 10, 46, 63):
            packets = [T(tos=dscp << 2 | ecn, options=options) for options in (b"", b"\1" * 4)]
            for packet in packets:
                t.send(P1, packet)
                t.expect(FWD(packet), note=f"DSCP {dscp}, ECN {ecn}")


@case("RFC3168-5-2", bursts=ALONE)
def nothing_is_marked_without_congestion(t: Testbed) -> None:
    """Of 100,000 packets with ECN 01 and 10 at no load none leaves with CE."""
    packets = [T(tos=ECT1 + i % 2) for i in range(2000)]
    wanted = [FWD(packet).data for packet in packets]
    for _ in range(50):
        t.send(P1, *packets)
        got = t.collect(count=len(packets))
        t.check(got[P2] == wanted, "every packet leaves, and as it came")


@case("RFC3168-5-4")
def dropped_is_not_marked(t: Testbed) -> None:
    """What a filter, a martian address or its TTL keeps from being forwarded is not."""
    t.configure(knobs={"filter": [{"action": "drop", "protocol": "udp", "destination_port": 7}]})
    for reason, packet in {
        "filtered": T(tos=ECT0, dport=7),
        "martian_source": T("127.0.0.1", tos=ECT0),
        "martian_destination": T(dst="240.0.0.1", tos=ECT0),
    }.items():
        t.send(P1, packet)
        t.expect(DROP, drop=reason, note=reason)
    packet = T(tos=ECT0, ttl=1)
    t.send(P1, packet)
    t.expect(ERR(packet, 11, 0), drop="ttl_expired")


@case("RFC6918-3-2")
def deprecated_icmp_is_forwarded(t: Testbed) -> None:
    """ICMP types that are no longer used pass like any other packet."""
    for kind in DEPRECATED:
        packet = T(dst=A1, protocol=ICMP, payload=icmp(kind, data=bytes(8)))
        t.send(P1, packet)
        t.expect(FWD(packet), note=f"type {kind}")
