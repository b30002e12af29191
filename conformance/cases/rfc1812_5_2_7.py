# SPDX-License-Identifier: MIT
"""RFC 1812 5.2.7: Destination Unreachable and Redirect."""

from ipaddress import IPv4Address

from twinroute.conformance.kit import (
    A1,
    ALONE,
    ASKS,
    DF,
    DROP,
    ERR,
    FWD,
    G1,
    G2,
    H1,
    H2,
    ICMP,
    OWN,
    P1,
    P2,
    R1,
    R2,
    ROUTES,
    TWIN,
    Route,
    T,
    Testbed,
    U,
    Wanted,
    address_bytes,
    case,
    g1,
    g2,
    icmp,
    ip_of,
)

BY_G1 = "198.18.7.1"
BACK = (*ROUTES, Route("198.18.7.0/24", G1))
MORE, MORE_GATEWAY, MORE_OWN = "10.11.0.2", "10.11.0.254", "10.11.0.1"
more, more_gateway = "02:00:00:00:01:03", "02:00:00:00:01:fd"
TWO = {**{port: (f"{own}/24",) for port, own in OWN.items()}, P1: (f"{R1}/24", f"{MORE_OWN}/24")}
ON = {"redirects.p1": True}


def filtered(action: str) -> dict[str, object]:
    """Return the knob for a rule of the packet filter about UDP port 9 in P1."""
    rule = {"action": action, "port": P1, "protocol": "udp", "destination_port": 9}
    return {"filter": [rule]}


def loose(*addresses: str) -> bytes:
    """Return an LSRR option that has not gone anywhere yet."""
    octets = b"".join(map(address_bytes, addresses))
    return bytes([131, 3 + len(octets), 4]) + octets


def redirect(packet: bytes, gateway: str, *, source: str = R1, to: str = "") -> Wanted:
    """Expect a redirect for a host to a gateway."""
    return ERR(packet, 5, 1, int(IPv4Address(gateway)), source=source, to=to)


@case("RFC1812-5.2.7.1-2", bursts=ALONE, wait_ms=8000, arp=True)
def the_closest_code(t: Testbed) -> None:
    """Each reason has its code: 0, 1, 4, 5, 13; and for the router itself 2 and 3."""
    t.configure(mtu={P2: 620}, unresolved=(H2,), twins=False)
    for packet, code, rest, reason in (
        (T(dst=U, dport=7), 0, 0, "no_route"),
        (T(dport=7, fragment=DF, data=bytes(1000)), 4, 620, "fragmentation_needed"),
        (T(dst=R1, protocol=253), 2, 0, "no_twin"),
        (T(dst=R1, dport=7), 3, 0, "no_twin"),
    ):
        t.send(P1, packet)
        t.expect(ERR(packet, 3, code, rest), drop=reason, note=f"code {code}")
    packet = T(dst=H2, dport=7)
    t.send(P1, packet)
    t.expect([ASKS(P2, H2)] * 3, ERR(packet, 3, 1), drop="neighbor_failed", note="code 1")
    t.configure(knobs={"source_route": "process"})
    packet = T(dst=R1, options=loose(U))
    t.send(P1, packet)
    t.expect(ERR(packet, 3, 5), drop="no_route", note="code 5")
    t.configure(knobs=filtered("reject"))
    t.send(P1, T())
    t.expect(ERR(T(), 3, 13), drop="filtered", note="code 13")


@case("RFC1812-5.2.7.1-7", "RFC1812-5.2.7.1-8")
def rejects_may_be_silent(t: Testbed) -> None:
    """With code 13 switched off nobody is told of what a rule rejects."""
    t.configure(knobs=filtered("reject") | {"icmp.prohibited": False})
    t.send(P1, T())
    t.expect(DROP, drop="filtered")


@case("RFC1812-5.2.7.1-7", "RFC1812-5.2.7.1-8")
def prohibited_routes_tell_or_do_not(t: Testbed) -> None:
    """A route that prohibits: code 13; nothing, if that or all unreachables are switched off."""
    routes = (*ROUTES, Route("10.98.0.0/16", kind="prohibit"))
    packet = T(dst="10.98.0.1")
    for knobs in ({}, {"icmp.prohibited": False}, {"icmp.unreachables": False}):
        t.configure(routes=routes, knobs=knobs)
        t.send(P1, packet)
        t.expect(DROP if knobs else ERR(packet, 3, 13), drop="prohibit", note=str(knobs))
        t.send(P1, T(dst=U))
        off = "icmp.unreachables" in knobs
        t.expect(DROP if off else ERR(T(dst=U), 3, 0), drop="no_route", note=str(knobs))


@case("RFC1812-5.2.7.1-10", bursts=ALONE, wait_ms=8000, arp=True)
def hosts_are_unreachable_where_others_are(t: Testbed) -> None:
    """A silent host, a host route that leads nowhere: never a code that blames the network."""
    silent = T(dst="10.2.0.77")
    routes = (
        Route("198.18.0.77/32", kind="unreachable"),
        Route("198.18.0.78/32", kind="prohibit"),
        Route("198.18.0.79/32", kind="blackhole"),
    )
    t.configure(routes=(*ROUTES, *routes), unresolved=("10.2.0.77",))
    t.send(P1, silent)
    wanted = ERR(silent, 3, 1)
    t.expect([ASKS(P2, "10.2.0.77")] * 3, wanted, drop="neighbor_failed", note="attached, silent")
    for last, code in ((77, 1), (78, 13)):
        packet = T(dst=f"198.18.0.{last}")
        t.send(P1, packet)
        t.expect(ERR(packet, 3, code), drop=routes[last - 77].kind, note=routes[last - 77].kind)
    t.send(P1, T(dst="198.18.0.79"))
    t.expect(DROP, drop="blackhole", note="blackhole")
    t.send(P1, T(dst="198.18.0.80"))
    t.expect(FWD(T(dst="198.18.0.80")), note="the host beside it")


@case("RFC1812-5.2.7.2-2", "RFC1812-5.2.7.2-6", "RFC792-Redirect-1", "RFC792-Redirect-2")
def hosts_are_redirected(t: Testbed) -> None:
    """Back by the port it came in by: the packet is forwarded, its source told the next hop."""
    t.configure(routes=BACK, knobs=ON, neighbors={P1: {"10.1.0.77": more}})
    for tos in (0, 0x10, 0xB8):
        packet = T(dst=BY_G1, tos=tos)
        t.send(P1, packet)
        t.expect(
            FWD(packet, P1, to=g1),
            redirect(packet, G1),
            any_order=True,
            drop="redirect_copy",
            note=f"TOS {tos:02x}",
        )
    packet = T(dst="10.1.0.77", data=b"odd")
    t.send(P1, packet)
    wanted = (FWD(packet, P1, to=more), redirect(packet, "10.1.0.77"))
    t.expect(*wanted, any_order=True, drop="redirect_copy", note="an attached host")


@case("RFC1812-5.2.7.2-7", "RFC1812-5.2.7.2-8")
def who_is_not_redirected(t: Testbed) -> None:
    """Off by another port, of another subnet, from afar, from the gateway, switched off."""
    neighbors = {P1: {MORE: more}}
    t.configure(addresses=TWO, routes=BACK, knobs=ON, neighbors=neighbors)
    t.send(P1, T())
    t.expect(FWD(T()), note="by another port")
    for source in (MORE, G1, "198.19.0.9", "198.18.7.9"):
        packet = T(source, BY_G1)
        looked_at = "redirect_copy" if source in (MORE, G1) else None
        t.send(P1, packet)
        t.expect(FWD(packet, P1, to=g1), drop=looked_at, note=source)
    for fragment in (0, 185):
        packet = T(dst=BY_G1, fragment=fragment)
        wanted = [] if fragment else [redirect(packet, G1)]
        t.send(P1, packet)
        t.expect(FWD(packet, P1, to=g1), wanted, any_order=True, drop="redirect_copy")
    t.configure(routes=BACK, knobs={"redirects.p1": False})
    t.send(P1, T(dst=BY_G1))
    t.expect(FWD(T(dst=BY_G1), P1, to=g1), note="switched off")


@case("RFC1812-5.2.7.2-9")
def source_routed_packets_are_not_redirected(t: Testbed) -> None:
    """What follows a source route is forwarded where that says, and nobody is told otherwise."""
    t.configure(routes=BACK, knobs=ON | {"source_route": "process"})
    packet = T(dst=R1, options=loose(BY_G1))
    t.send(P1, packet)
    gone = bytes([131, 7, 8]) + address_bytes(R1) + b"\0"
    t.expect(FWD(packet, P1, to=g1, dst=BY_G1, options=gone))
    t.configure(routes=BACK, knobs=ON)
    t.send(P1, packet)
    t.expect(DROP, drop="source_route", note="by default")


@case("RFC1812-5.2.7.2-10")
def redirects_have_an_address_of_the_subnet(t: Testbed) -> None:
    """The source of a redirect is the port's address in the subnet of whom it is for."""
    routes = (*BACK, Route("198.18.8.0/24", MORE_GATEWAY))
    neighbors = {P1: {MORE: more, MORE_GATEWAY: more_gateway}}
    t.configure(addresses=TWO, routes=routes, knobs=ON, neighbors=neighbors)
    packet = T(MORE, "198.18.8.1", smac=more)
    t.send(P1, packet)
    wanted = redirect(packet, MORE_GATEWAY, source=MORE_OWN, to=more)
    forwarded = FWD(packet, P1, to=more_gateway)
    t.expect(forwarded, wanted, any_order=True, drop="redirect_copy", note=MORE)
    packet = T(dst=BY_G1)
    t.send(P1, packet)
    wanted = redirect(packet, G1)
    t.expect(FWD(packet, P1, to=g1), wanted, any_order=True, drop="redirect_copy", note=H1)


@case("RFC1812-5.2.7.2-11")
def redirects_are_not_believed(t: Testbed) -> None:
    """A redirect to the router changes nothing about where packets go."""
    quoted = ip_of(T(R2, A1))
    for code in (0, 1):
        message = icmp(5, code, address_bytes(H2), quoted)
        packet = T(G2, R2, port=P2, protocol=ICMP, payload=message)
        t.send(P2, packet)
        t.expect(*([TWIN(packet, P2)] if t.has("twin") else ()), note=f"code {code}")
        t.send(P1, T())
        t.expect(FWD(T(), to=g2), note="still to g2")
