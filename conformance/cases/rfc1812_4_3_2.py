# SPDX-License-Identifier: MIT
"""RFC 1812 4.3.2: what all ICMP messages of the router have in common."""

from collections.abc import Iterable

from twinroute.conformance.kit import (
    ALONE,
    ANY,
    BROADCAST,
    DF,
    DROP,
    ERR,
    FWD,
    ICMP,
    P1,
    P2,
    R1,
    REPLY,
    ROUTES,
    TWIN,
    Route,
    T,
    Testbed,
    U,
    Wanted,
    case,
    ether,
    icmp,
    ip_of,
    ping,
)
from twinroute.conformance.options import now_ms

ALL_HOSTS, ALL_HOSTS_MAC = "224.0.0.1", "01:00:5e:00:00:01"
GROUP, GROUP_MAC = "239.1.1.1", "01:00:5e:01:01:01"
DIRECTED = "10.1.0.255"
LIMITED = "255.255.255.255"
BAD_OPTION = bytes([0x1F, 1])


def at_twin(t: Testbed, *frames: bytes) -> Iterable[Wanted]:
    """Expect frames at the twin of P1, if the tester is there."""
    return [TWIN(frame) for frame in frames] if t.has("twin") else DROP


@case("RFC1812-4.3.2.2-1", "RFC1812-4.3.2.2-2")
def ttl_is_the_routers_own(t: Testbed) -> None:
    """Errors about packets of any TTL, and echo replies, leave with one and the same: 64 or 255."""
    ttls = set()
    for ttl in (1, 17, 200, 255):
        packet = T(dst=U, ttl=ttl)
        t.send(P1, packet)
        t.expect(ERR(packet, 3, 0), drop="no_route", note=f"TTL {ttl}")
        ttls |= {one.data[22] for one in t.rounds[-1].got}
        request = ping(ttl=ttl)
        t.send(P1, request)
        t.expect(REPLY(request), drop="echo_answered", note=f"echo request, TTL {ttl}")
        ttls |= {one.data[22] for one in t.rounds[-1].got}
    packet = T(ttl=1)
    t.send(P1, packet)
    t.expect(ERR(packet, 11, 0), drop="ttl_expired")
    ttls |= {one.data[22] for one in t.rounds[-1].got}
    t.check(ttls in ({64}, {255}), f"TTLs {sorted(ttls)}")


@case("RFC1812-4.3.2.5-2", "RFC1812-4.3.2.5-5")
def errors_are_class_selector_6(t: Testbed) -> None:
    """Whatever the packet's TOS octet: precedence 6, all other bits 0 (DSCP CS6, Not-ECT)."""
    for tos in (0x00, 0x10, 0x03, 0xB8, *range(0x20, 0x100, 0x20), 0xFF):
        packet = T(tos=tos, ttl=1)
        t.send(P1, packet)
        t.expect(ERR(packet, 11, 0), drop="ttl_expired", note=f"TOS {tos:02x}")
        t.check(t.rounds[-1].got[0].data[15] == 0xC0, f"TOS {tos:02x}: not CS6")
    packet = T(tos=0x10, dst=U)
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 0), drop="no_route")


@case("RFC1812-4.3.2.5-3", "RFC1812-4.3.2.5-7")
def replies_have_the_requests_dscp(t: Testbed) -> None:
    """Every DSCP comes back, class selectors too; ECN does not."""
    for dscp in range(64):
        request = ping(tos=dscp << 2)
        t.send(P1, request)
        t.expect(REPLY(request), drop="echo_answered", note=f"DSCP {dscp}")
    request = ping(tos=46 << 2 | 2)
    t.send(P1, request)
    t.expect(REPLY(request), drop="echo_answered", note="DSCP 46, ECT(0)")


@case("RFC1812-4.3.2.7-1")
def no_error_about_an_error_that_is_too_long(t: Testbed) -> None:
    """ICMP errors, and messages of types that nobody knows, get no Fragmentation Needed either."""
    t.configure(mtu={P2: 620})
    quoted = ip_of(T(R1, "10.1.0.9")).ljust(700, b"\0")
    for kind in (3, 4, 5, 11, 12, 6, 44):
        packet = T(protocol=ICMP, payload=icmp(kind, data=quoted), fragment=DF)
        t.send(P1, packet)
        t.expect(DROP, drop="fragmentation_needed", note=f"type {kind}")
    packet = T(protocol=ICMP, payload=icmp(8, data=quoted), fragment=DF)
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 4, 620), drop="fragmentation_needed", note="type 8")


@case("RFC1812-4.3.2.7-6")
def no_error_about_a_later_fragment_that_is_too_long(t: Testbed) -> None:
    """Offset 1480, DF, longer than the MTU: dropped silently; with offset 0 there is an error."""
    t.configure(mtu={P2: 620})
    later = T(fragment=DF | 185, data=bytes(1000))
    t.send(P1, later)
    t.expect(DROP, drop="fragmentation_needed")
    first = T(fragment=DF, data=bytes(1000))
    t.send(P1, first)
    t.expect(ERR(first, 3, 4, 620), drop="fragmentation_needed")


@case("RFC1812-4.3.2.7-3")
def no_error_about_what_is_for_many(t: Testbed) -> None:
    """Broadcasts and multicasts get no error: for no TTL, closed port or bad option."""
    joined = ((LIMITED, BROADCAST), (ALL_HOSTS, ALL_HOSTS_MAC))
    others = (
        (DIRECTED, BROADCAST, "directed_broadcast"),
        (DIRECTED, "", "directed_broadcast"),
        (GROUP, GROUP_MAC, "multicast"),
    )
    for twins in (True, False):
        t.configure(twins=twins)
        for ttl in (0, 1, 64):
            note = f"TTL {ttl}{'' if twins else ', no host stack'}"
            for dst, mac in joined:
                for packet in (
                    T(dst=dst, dmac=mac, ttl=ttl),
                    T(dst=dst, dmac=mac, ttl=ttl, protocol=253),
                ):
                    t.send(P1, packet)
                    if twins:
                        t.expect(at_twin(t, packet), note=f"{dst}, {note}")
                    else:
                        t.expect(DROP, drop="no_twin", note=f"{dst}, {note}")
            for dst, mac, reason in others:
                t.send(P1, T(dst=dst, dmac=mac, ttl=ttl))
                t.expect(DROP, drop=reason, note=f"{dst}, {note}")
    for dst, mac in (*joined, (DIRECTED, BROADCAST), (DIRECTED, ""), (GROUP, GROUP_MAC)):
        t.send(P1, T(dst=dst, dmac=mac, options=BAD_OPTION))
        t.expect(DROP, drop="bad_options", note=f"{dst}, bad option")


@case("RFC1812-4.3.2.7-5")
def no_error_to_an_invalid_source(t: Testbed) -> None:
    """Sources that are no single host get no error, by whichever port."""
    t.configure(routes=(*ROUTES, Route("10.99.0.0/16", kind="unreachable")))
    for source in (
        *("0.0.0.0", "0.0.0.9", "127.0.0.1", "224.0.0.9", "240.0.0.9", "255.255.255.255"),
    ):
        t.send(P1, T(source, U), T(source, ttl=1), T(source, "10.98.0.1"))
        t.expect(DROP, drop="martian_source", note=source)
    t.send(P1, T(DIRECTED, U), T(DIRECTED, ttl=1), T(DIRECTED, "10.98.0.1"))
    t.expect(DROP, drop=ANY, note=DIRECTED)
    t.send(P1, T(dst=U))
    t.expect(ERR(T(dst=U), 3, 1), drop="unreachable", note="a single host")


@case("RFC1812-4.3.2.7-7")
def silent_discards_are_silent(t: Testbed) -> None:
    """No ICMP message about anything that is to be discarded silently."""
    bare = ip_of(T())
    t.configure(routes=(*ROUTES, Route("10.98.0.0/16", kind="blackhole")))
    for reason, packet in {
        "not_for_us": T(dmac="02:00:00:00:01:77"),
        "ip_checksum": T(header_checksum=0x1234),
        "ip_version": T(version=6),
        "ip_header_length": T(ihl=4),
        "ip_total_length": T(total=19),
        "ether_type": ether("02:00:00:00:01:01", "02:00:00:00:01:02", bare, 0x86DD),
        "martian_source": T("127.0.0.1", U),
        "martian_destination": T(dst="240.0.0.1"),
        "link_broadcast": T(dst=U, dmac=BROADCAST),
        "multicast": T(dst=GROUP, dmac=GROUP_MAC),
        "directed_broadcast": T(dst="10.2.0.255"),
        "blackhole": T(dst="10.98.0.1"),
        "source_route": T(options=bytes.fromhex("830704c6120001")),
        "record_route": T(options=bytes.fromhex("07070400000000")),
        "timestamp_option": T(options=bytes.fromhex("440c050000000000")),
        "stream_id": T(options=bytes.fromhex("88040001")),
        "icmp_malformed": T(dst=R1, protocol=ICMP, payload=b"\x08\0\0\0"),
    }.items():
        t.send(P1, packet)
        t.expect(DROP, drop=reason, note=reason)


@case("RFC1812-4.3.2.8-2", bursts=ALONE, wait_ms=1000)
def errors_are_limited(t: Testbed) -> None:
    """At most 100 errors a second, of a burst of 100 besides; what is forwarded is not touched."""
    expired = T(ttl=1)
    wanted, passed = ERR(expired, 11, 0), FWD(T())
    for knob in ("icmp_errors_per_s", "icmp.time_exceeded.per_s"):
        if "." in knob and not t.has("counters"):
            continue  # a knob of ours
        t.configure(knobs={knob: 100})
        since, sent = now_ms(t), 0
        for second in range(5):
            for _ in range(100):
                t.send(P1, *[expired] * 10, T())
                t.run(ms=10)
            got = t.collect(within_ms=0)
            due = 100 + (now_ms(t) - since) / 10 + 1
            sent += len(got[P1])
            note = f"{knob} = 100, second {second}"
            t.check(got[P1] and sent <= due, f"{note}: {sent} errors so far")
            t.check(not any(map(wanted.problems, got[P1])), f"{note}: something else")
            t.check(len(got[P2]) == 100, f"{note}: {len(got[P2])} packets of 100 forwarded")
            t.check(not any(map(passed.problems, got[P2])), f"{note}: changed packets")


@case("RFC1812-4.3.3.6-3")
def pings_to_many_get_no_reply(t: Testbed) -> None:
    """Echo requests to broadcasts and multicasts: the router itself answers none."""
    for dst, mac in ((LIMITED, BROADCAST), (ALL_HOSTS, ALL_HOSTS_MAC)):
        request = ping(dst, dmac=mac)
        t.send(P1, request)
        t.expect(at_twin(t, request), note=dst)
    for mac in (BROADCAST, ""):
        t.send(P1, ping(DIRECTED, dmac=mac))
        t.expect(DROP, drop="directed_broadcast", note=DIRECTED)


@case("RFC792-Formats-1")
def unused_octets(t: Testbed) -> None:
    """Sent as zero, and of no meaning where they are received."""
    t.configure(routes=(*ROUTES, Route("10.98.0.0/16", kind="unreachable")))
    for packet, kind, code, reason in (
        (T(dst=U), 3, 0, "no_route"),
        (T(dst="10.98.0.1"), 3, 1, "unreachable"),
        (T(ttl=1), 11, 0, "ttl_expired"),
    ):
        t.send(P1, packet)
        t.expect(ERR(packet, kind, code), drop=reason, note=f"ERR({kind}/{code})")
    for rest in (bytes(4), b"\xde\xad\xbe\xef"):
        solicitation = T(
            dst="224.0.0.2",
            dmac="01:00:5e:00:00:02",
            protocol=ICMP,
            payload=icmp(10, 0, rest),
            ttl=1,
        )
        t.send(P1, solicitation)
        t.expect(at_twin(t, solicitation), note=f"router solicitation, {rest.hex()}")


def _route_mtu(mtu: int) -> dict[str, object]:
    return {"route_mtu": {"198.18.0.0/16": mtu}}


@case("RFC1191-4-1", "RFC1191-4-4")
def the_mtu_that_is_told(t: Testbed) -> None:
    """That of the next hop, or of the route; down to 68, which is the least that there is."""
    for mtu, knobs, port_mtu in (
        (1400, {}, 1400),
        (1280, _route_mtu(1280), 1500),
        (1280, _route_mtu(1280), 1400),
        (68, {}, 68),
    ):
        t.configure(mtu={P2: port_mtu}, knobs=knobs)
        t.goods(P1, T(sport=2000, data=b"")) if mtu == 68 else None
        for total in (mtu + 1, 100 if mtu == 68 else 1500):
            packet = T(fragment=DF, data=bytes(total - 28))
            t.send(P1, packet)
            wanted = ERR(packet, 3, 4, mtu)
            t.expect(wanted, drop="fragmentation_needed", note=f"MTU {mtu}, {total} octets")
        packet = T(fragment=DF, data=bytes(mtu - 28))
        t.send(P1, packet)
        t.expect(FWD(packet), note=f"{mtu} octets")
