# SPDX-License-Identifier: MIT
"""RFC 2991 and RFC 2992: flows over several gateways; RFC 1812 5.2.1.2: their fragments."""

from collections.abc import Sequence

from twinroute.conformance.kit import (
    ALONE,
    B1,
    FRAGMENTS,
    FWD,
    G2,
    G3,
    ICMP,
    MF,
    P1,
    P2,
    P3,
    R2,
    ROUTES,
    TCP,
    TELLS,
    UDP,
    Route,
    T,
    Testbed,
    case,
    echo_request,
    g2,
    g3,
    h2,
    h3,
    ip_of,
    tcp,
    udp,
    who_has,
)

BOTH = Route("198.18.0.0/16", (G2, G3))
FLOWS = 256
PACKETS = 100
HALF = 550  # of 1000 flows, about
LONG = 1392  # octets of UDP data in a packet of 1420
FOUR = ((P2, "10.2.0.11", g2), (P2, "10.2.0.12", h2), (P3, "10.3.0.11", g3), (P3, "10.3.0.12", h3))


def _flow(number: int, ident: int = 0x1234) -> bytes:
    """Return a packet of a flow: 16 sources and destinations, ports, and two protocols."""
    src, dst = f"10.1.0.{2 + number % 16}", f"198.18.{number // 16 % 16}.{1 + number % 7}"
    sport, dport = 1024 + number, 80 + number % 5
    if number % 2:
        segment = tcp(src, dst, sport, dport)
        return T(src, dst, protocol=TCP, payload=segment, ident=ident)
    return T(src, dst, sport=sport, dport=dport, ident=ident)


def _ways(
    t: Testbed, flows: int = FLOWS, packets: int = 1, note: str = ""
) -> dict[tuple[bytes, ...], str]:
    """Send packets of many flows, interleaved, and return the next hop's MAC of each flow."""
    for ident in range(packets):
        t.send(P1, *(_flow(number, ident) for number in range(flows)))
        t.run(us=500)
    got = t.collect(count=flows * packets, note=note)
    t.check(not got[P1], "something is sent back")
    found: dict[tuple[bytes, ...], set[str]] = {}
    count = 0
    for port in (P2, P3):
        for frame in got[port]:
            flow = (frame[26:30], frame[30:34], frame[23:24], frame[34:38])
            found.setdefault(flow, set()).add(frame[:6].hex(":"))
            count += 1
    t.check(count == flows * packets, f"{count} packets instead of {flows * packets}")
    t.check(len(found) == flows, f"{len(found)} flows instead of {flows}")
    t.check(all(len(ways) == 1 for ways in found.values()), "a flow goes several ways")
    return {flow: ways.pop() for flow, ways in found.items()}


@case("RFC2991-3-2", "RFC2992-2.2-1", bursts=ALONE, needs=("change", "virtual-time"))
def flows_keep_their_gateway(t: Testbed) -> None:
    """256 flows of 100 packets over two gateways; a minute, ARP, other routes change nothing."""
    t.configure(routes=(BOTH, ROUTES[1]))
    ways = _ways(t, packets=PACKETS, note="256 flows")
    for mac in (g2, g3):
        part = list(ways.values()).count(mac)
        t.check(0.3 * FLOWS <= part <= 0.7 * FLOWS, f"{part} of {FLOWS} flows to {mac}")
    t.run(s=60)
    t.check(_ways(t, note="60 s later") == ways, "flows have moved")
    for port, gateway, mac, own in ((P2, G2, g2, R2), (P3, G3, g3, "10.3.0.1")):
        t.send(port, who_has(own, gateway, mac))
        t.expect(TELLS(port, mac, gateway), drop="arp_done")
    t.check(_ways(t, note="ARP refreshed") == ways, "flows have moved")
    more = (Route("198.51.0.0/16", G2), Route("44.0.0.0/8", G3), Route("45.0.0.0/8", (G3, G2)))
    t.reconfigure(routes=(BOTH, ROUTES[1], *more))
    t.check(_ways(t, note="other routes") == ways, "flows have moved")
    t.reconfigure(routes=(BOTH,))
    t.check(_ways(t, note="fewer routes") == ways, "flows have moved")


@case("RFC2991-3-1")
def fragments_go_with_their_flow(t: Testbed) -> None:
    """The first fragment, which has ports, and the others, which have none; and ICMP."""
    t.configure(routes=(BOTH, ROUTES[1]))
    t.goods(P1, T(dst=B1), FWD(T(dst=B1), P3))
    used = set()
    for sport in range(1024, 1056):
        src, dst = f"10.1.0.{sport % 32 + 2}", f"198.18.1.{sport % 29}"
        datagram = udp(src, dst, sport, 9, bytes(i % 251 for i in range(1192)))
        packets = [
            T(src, dst, payload=datagram[:400], fragment=MF, protocol=UDP),
            T(src, dst, payload=datagram[400:800], fragment=MF | 50, protocol=UDP),
            T(src, dst, payload=datagram[800:], fragment=100, protocol=UDP),
        ]
        used.add(_one_way(t, packets, f"UDP from port {sport}"))
        for ident in (0, sport):
            asked = [echo_request(ident, n, bytes(32)) for n in range(4)]
            packets = [T(src, dst, payload=one, protocol=ICMP) for one in asked]
            used.add(_one_way(t, packets, f"echo requests of ID {ident}"))
    t.check(used == {P2, P3}, "not all gateways are used")


def _one_way(t: Testbed, packets: Sequence[bytes], note: str) -> str:
    """Demand that packets leave by one port, in order; return it."""
    t.send(P1, *packets)
    got = t.collect(count=len(packets), note=note)
    port = P2 if got[P2] else P3
    wanted = [FWD(packet, port).data for packet in packets]
    t.check(got[port] == wanted, "not all by one port, in order")
    t.check(sum(map(len, got.values())) == len(packets), "by another port, too")
    return port


@case("RFC1812-5.2.1.2-2", bursts=ALONE)
def all_fragments_leave_by_one_port(t: Testbed) -> None:
    """A datagram of 1420 octets over two gateways, either with an MTU of 620; 100 flows."""
    t.configure(routes=(BOTH, ROUTES[1]), mtu={P2: 620, P3: 620})
    used = set()
    for number in range(100):
        src, dst = f"10.1.0.{number % 10 + 2}", f"198.18.2.{number}"
        packet = T(src, dst, sport=3000 + number, data=bytes(LONG))
        assert len(ip_of(packet)) == 1420
        t.send(P1, packet)
        got = t.collect(count=3, note=f"flow {number}")
        port = P2 if got[P2] else P3
        wanted = [one.data for one in FRAGMENTS(packet, 620, port)]
        t.check(len(wanted) == 3 and got[port] == wanted, "not three fragments by one port")
        t.check(sum(map(len, got.values())) == 3, "fragments by another port, too")
        used.add(port)
    t.check(used == {P2, P3}, "not all gateways are used")


@case("RFC2991-3-3", bursts=ALONE, needs=("change",))
def few_flows_move(t: Testbed) -> None:
    """Of four gateways one goes: its flows move, and few others; and back again."""
    for gone in range(4):
        gateways = tuple(address for _, address, _ in FOUR)
        left = gateways[:gone] + gateways[gone + 1 :]
        neighbors = {port: {a: mac for at, a, mac in FOUR if at == port} for port in (P2, P3)}
        t.configure(routes=(Route("198.18.0.0/16", gateways), ROUTES[1]), neighbors=neighbors)
        before = _ways(t, 1000, note="four gateways")
        t.reconfigure(routes=(Route("198.18.0.0/16", left), ROUTES[1]))
        after = _ways(t, 1000, note=f"without {gateways[gone]}")
        mac = FOUR[gone][2]
        t.check(mac not in after.values(), "flows are sent to the gateway that is gone")
        t.check(set(before.values()) == {one for _, _, one in FOUR}, "not all gateways are used")
        moved = sum(before[flow] != after[flow] for flow in before)
        t.check(moved <= HALF, f"{moved} of 1000 flows have moved")
        t.reconfigure(routes=(Route("198.18.0.0/16", gateways), ROUTES[1]))
        again = _ways(t, 1000, note="four again")
        moved = sum(after[flow] != again[flow] for flow in after)
        t.check(moved <= HALF, f"{moved} of 1000 flows have moved back")


@case("RFC2991-7-1", bursts=ALONE)
def seeds_decide(t: Testbed) -> None:
    """Routers of different seeds spread the same flows differently; of one seed, alike."""
    found = []
    for seed in (1, 2, 1, 2**64 - 1):
        t.configure(routes=(BOTH, ROUTES[1]), knobs={"hash_seed": seed})
        found.append(_ways(t, note=f"seed {seed}"))
    t.check(found[0] == found[2], "one seed, and two distributions")
    for one, other in ((0, 1), (0, 3), (1, 3)):
        same = sum(found[one][flow] == found[other][flow] for flow in found[one])
        t.check(same < 0.8 * FLOWS, f"{same} of {FLOWS} flows go the same way")
