# SPDX-License-Identifier: MIT
"""Addresses that come and go while the router runs: probed, announced, or found in conflict (RFC
5227), and what follows for routes and neighbours. Also the MTU of a port."""

from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SECOND_PS, SILENCE, arp, asks, dropped, error_to_h1, only
from twinroute.config import Config
from twinroute.reload import reload
from twinroute.sim import Bench

NEW, s1 = "10.1.0.9", "02:00:00:00:01:77"
FAR = "10.7.0.1"
UDP = p.udp(1024, 9, bytes(32))
PROBE = arp(1, w.M1, "0.0.0.0", w.NO_MAC, NEW)
ANNOUNCEMENT = asks(w.P1, NEW, sender=NEW)


class Bed:
    """The test bed, and reloads of its configuration with other ports."""

    def __init__(self, **config: Any) -> None:
        self.config = w.bed_config(**config)
        self.bench = Bench.from_config(self.config, guard_tables=True)
        self.bench.run_until_idle()

    def port(self, name: str, **keys: Any) -> None:
        """Change keys of a port."""
        old = self.config.ports[name]
        port = type(old).model_validate(old.model_dump(by_alias=True) | keys)
        ports = self.config.ports | {name: port}
        new = Config.model_validate(dict(self.config) | {"ports": ports})
        reload(self.bench.only, "sim", self.config, new)
        self.config = new
        self.bench.run(us=0)

    def add(self, *addresses: str, name: str = w.P1) -> None:
        """Add addresses with their prefix lengths to a port."""
        self.port(name, address=[*map(str, self.config.ports[name].addresses), *addresses])

    def times(self, name: str, frame: bytes, start_ps: int) -> list[float]:
        """Return when a frame left by a port, in seconds."""
        frames = self.bench.port(name).received()
        return [(one.time_ps - start_ps) / SECOND_PS for one in frames if one.data == frame]

    def states(self, name: str = w.P1) -> dict[str, str]:
        """Return the states of a port's addresses."""
        status = self.bench.only.port_status(name)
        return {str(address.ip): state for address, state in status.addresses.items()}


def frame_to(destination: str, payload: bytes = UDP, **fields: Any) -> bytes:
    """Return a packet of H1 in its frame into p1."""
    return p.ether(w.M1, w.h1, p.ipv4(w.H1, destination, payload, **fields))


def ping(destination: str) -> bytes:
    return frame_to(destination, p.echo_request(), protocol=p.ICMP)


def request(target: str = NEW, sender: str = w.H1, mac: str = w.h1) -> bytes:
    """Return an ARP request of a station on p1."""
    return arp(1, mac, sender, w.NO_MAC, target)


# --- probing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [f"{NEW}/24", f"{NEW}/32", f"{NEW}/30"])
def test_an_address_is_probed_then_used_and_announced(address: str) -> None:
    """RFC 5227 2.1.1, 2.3: three probes, 1 to 2 s apart; two announcements, 2 s apart."""
    bed = Bed()
    bench, start = bed.bench, bed.bench.now_ps
    bed.add(address)
    assert bed.states() == {w.R1: "in use", NEW: "probing"}
    bench.run(us=20_000_000)
    probes, announcements = bed.times(w.P1, PROBE, start), bed.times(w.P1, ANNOUNCEMENT, start)
    assert len(bench.port(w.P1).received()) == 5
    first, second, third = probes
    assert 0 <= first <= 1
    assert 1 <= second - first <= 2
    assert 1 <= third - second <= 2
    assert announcements == pytest.approx([third + 2, third + 4])
    assert bed.states() == {w.R1: "in use", NEW: "in use"}
    bench.port(w.P1).clear()
    bench.run(us=600_000_000)
    assert w.received(bench, w.P1) == []  # nothing is probed as a matter of course
    (reply,) = w.exchange(bench, w.P1, [ping(NEW)])[w.P1]
    assert p.ip_fields(p.ip_of(reply))["src"] == NEW
    assert w.exchange(bench, w.P1, [request()]) == only(p1=[arp(2, w.M1, NEW, w.h1, w.H1)])


def test_an_address_is_not_used_while_it_is_probed() -> None:
    """RFC 5227 2.1: it neither answers for it nor sends from it."""
    bed = Bed()
    bed.add(f"{NEW}/24", f"{FAR}/24")
    bench = bed.bench
    hops = bench.only.lookup([NEW, FAR, "10.7.0.9"])
    assert [hop.kind for hop in hops] == ["connected", "none", "none"]
    assert w.exchange(bench, w.P1, [request(NEW)]) == SILENCE
    assert w.exchange(bench, w.P1, [request(FAR)]) == SILENCE
    bench.run(us=20_000_000)
    hops = bench.only.lookup([NEW, FAR, "10.7.0.9"])
    assert [hop.kind for hop in hops] == ["local", "local", "connected"]


CLAIMS = {
    "reply": arp(2, s1, NEW, w.M1, w.R1),
    "gratuitous reply": arp(2, s1, NEW, s1, NEW, to=p.BROADCAST),
    "request": request(w.R1, NEW, s1),
    "gratuitous request": request(NEW, NEW, s1),
    "probe": request(NEW, "0.0.0.0", s1),
}


@pytest.mark.parametrize("after_us", [0, 500_000, 3_000_000, 5_000_000])
@pytest.mark.parametrize("name", CLAIMS)
def test_an_address_that_somebody_has_is_not_used(name: str, after_us: int) -> None:
    """RFC 5227 2.1.1: at any time from the beginning until 2 s after the last probe."""
    bed = Bed()
    bench = bed.bench
    bed.add(f"{NEW}/24")
    bench.run(us=after_us)
    assert bed.states()[NEW] == "probing"
    bench.port(w.P1).send(CLAIMS[name])
    bench.run(us=1000)
    assert bed.states()[NEW] == "conflict"
    assert dropped(bench) == {"arp_conflict": 1}
    bench.port(w.P1).clear()
    bench.run(us=60_000_000)
    assert (w.received(bench, w.P1), bed.states()[NEW]) == ([], "conflict")
    assert w.exchange(bench, w.P1, [request(NEW, w.H1)]) == SILENCE
    assert bench.only.lookup([NEW])[0].kind == "connected"


@pytest.mark.parametrize(
    "frame",
    [
        PROBE,
        request(NEW, "0.0.0.0", w.M2),
        request(NEW, w.H1),
        arp(2, w.h1, w.H1, w.M1, w.R1),
        arp(2, s1, "0.0.0.0", w.M1, NEW),
    ],
    ids=["own frame", "another own port", "asks for it", "of others", "reply of nobody"],
)
def test_what_is_no_conflict(frame: bytes) -> None:
    bed = Bed()
    bed.add(f"{NEW}/24")
    bed.bench.port(w.P1).send(frame)
    bed.bench.run(us=20_000_000)
    assert bed.states()[NEW] == "in use"


def test_probing_begins_with_the_link_and_begins_anew() -> None:
    """Nobody can answer before; what was in conflict gets another chance."""
    bed = Bed()
    bench, link = bed.bench, bed.bench.port(w.P1).link
    link.set_up(False)
    bed.add(f"{NEW}/24")
    bench.run(us=30_000_000)
    assert bed.states()[NEW] == "probing"
    link.set_up(True)
    bench.run(us=3_500_000)  # two or three probes
    link.set_up(False)
    bench.run(us=10_000_000)
    assert bed.states()[NEW] == "probing"
    link.set_up(True)
    bench.port(w.P1).clear()
    bench.run(us=2_000_000)
    bench.port(w.P1).send(CLAIMS["reply"])
    bench.run(us=1000)
    assert bed.states()[NEW] == "conflict"
    for up in (False, True):
        bench.only.port_set_up(w.P1, up)
        bench.run(us=0)
    bench.port(w.P1).clear()
    start = bench.now_ps
    bench.run(us=20_000_000)
    assert len(bed.times(w.P1, PROBE, start)) == 3
    assert bed.states()[NEW] == "in use"


def test_without_probing_an_address_is_used_at_once() -> None:
    bed = Bed(slow={"arp_probe": False})
    bench, start = bed.bench, bed.bench.now_ps
    bed.add(f"{NEW}/24")
    assert bed.states()[NEW] == "in use"
    assert bench.only.lookup([NEW])[0].kind == "local"
    bench.run(us=20_000_000)
    assert bed.times(w.P1, ANNOUNCEMENT, start) == pytest.approx([0, 2])
    assert len(bench.port(w.P1).received()) == 2


def test_a_port_gets_its_first_address() -> None:
    """RFC 1812 10.2.1: no packet gets in before, but the answer to a probe does."""
    old = w.bed_config()
    bare = type(old.ports[w.P3]).model_validate({"mac": w.M3})
    before = Config.model_validate(
        dict(old)
        | {"ports": old.ports | {w.P3: bare}}
        | {"routes": old.routes[:1], "neighbors": old.neighbors[:4]}
    )
    bench = Bench.from_config(before, guard_tables=True)
    transit = p.ether(w.M3, w.h3, p.ipv4(w.H3, w.A1, UDP))
    reload(bench.only, "sim", before, old)
    bench.run(us=1_500_000)
    assert w.exchange(bench, w.P3, [transit] * 3) == SILENCE
    bench.port(w.P3).send(arp(1, w.h3, w.H3, w.NO_MAC, w.R3))
    bench.run(us=10)
    assert dropped(bench) == {"port_unconfigured": 3, "arp_done": 1}
    assert w.received(bench, w.P3) == []
    bench.run(us=10_000_000)
    assert bench.only.port_status(w.P3).usable
    out = w.exchange(bench, w.P3, [transit])
    assert out == only(p2=[p.forwarded(transit, w.M2, w.g2)])
    assert [str(hop.via) for hop in bench.only.lookup([w.B1])] == [w.G3]
    reload(bench.only, "sim", old, before)
    bench.settle()
    assert w.exchange(bench, w.P3, [transit]) == SILENCE
    assert bench.only.lookup([w.B1, w.H3])[1].kind == "none"


# --- removal --------------------------------------------------------------------------------------


def two_subnets() -> Bed:
    """Return the bed with another subnet on p2, and a neighbour in it that was learned."""
    bed = Bed(slow={"arp_probe": False})
    bed.add(f"{FAR}/24", name=w.P2)
    bench = bed.bench
    bench.run(us=5_000_000)
    bench.port(w.P2).send(arp(1, w.h2, "10.7.0.2", w.NO_MAC, FAR))
    bench.run(us=10)
    bench.only.route_add("203.0.113.0/24", "10.7.0.2", metric=1)
    bench.only.route_add("203.0.113.0/24", w.G3, metric=2)
    bench.settle()
    return bed


def test_an_address_takes_its_routes_away() -> None:
    """Its subnet, what was learned there, and what goes through a gateway there."""
    bed = two_subnets()
    bench = bed.bench
    out = w.exchange(bench, w.P1, [frame_to("10.7.0.2"), frame_to("203.0.113.9")])
    sent = [p.forwarded(frame_to(to), w.M2, w.h2) for to in ("10.7.0.2", "203.0.113.9")]
    assert out == only(p2=sent)
    bed.port(w.P2, address=f"{w.R2}/24")
    bench.settle()
    assert all(not str(one.to).startswith("10.7.") for one in bench.only.routes(all=True))
    assert all(str(one.address) != "10.7.0.2" for one in bench.only.neighbors())
    lost = p.ip_of(frame_to("10.7.0.2"))
    out = w.exchange(bench, w.P1, [frame_to("10.7.0.2"), frame_to("203.0.113.9")])
    other = p.forwarded(frame_to("203.0.113.9"), w.M3, w.g3)
    assert out == only(p1=[error_to_h1(lost, 3, 0)], p3=[other])
    assert [one.usable for one in bench.only.routes(all=True) if one.source == "api"] == [
        *(True, False)
    ]
    assert w.exchange(bench, w.P2, [arp(1, w.h2, "10.2.0.7", w.NO_MAC, FAR)]) == SILENCE


def test_what_waits_for_a_neighbor_of_a_subnet_that_goes_is_answered() -> None:
    bed = two_subnets()
    bench = bed.bench
    bench.port(w.P1).send(frame_to("10.7.0.77"))
    bench.run(us=10)
    assert bench.only.held() == 1
    bed.port(w.P2, address=f"{w.R2}/24")
    bench.run_until_idle()
    assert w.received(bench, w.P1) == [error_to_h1(p.ip_of(frame_to("10.7.0.77")), 3, 1)]
    assert dropped(bench)["neighbor_failed"] == 1
    bench.check_conservation()


def test_a_subnet_stays_with_its_last_address() -> None:
    bed = Bed(slow={"arp_probe": False})
    bench = bed.bench
    bed.add("10.2.0.5/24", name=w.P2)
    bed.port(w.P2, address="10.2.0.5/24")
    bench.settle()
    hops = bench.only.lookup(["10.2.0.99", w.R2, "10.2.0.5", "10.2.0.255", w.A1])
    assert [hop.kind for hop in hops] == ["connected", "connected", "local", "broadcast", "via"]
    bench.run(us=5_000_000)
    out = w.exchange(bench, w.P1, [frame_to(w.A1)])
    assert out == only(p2=[p.forwarded(frame_to(w.A1), w.M2, w.g2)])
    bench.port(w.P1).send(frame_to("10.2.0.99"))
    bench.run(us=10)
    assert w.received(bench, w.P2)[1:] == [asks(w.P2, "10.2.0.99", sender="10.2.0.5")]


def test_another_prefix_length_is_no_other_address() -> None:
    """Nothing is probed: the address is the router's already."""
    bed = Bed()
    bench = bed.bench
    bed.port(w.P2, address=f"{w.R2}/16")
    bench.settle()
    assert bed.states(w.P2) == {w.R2: "in use"}
    hops = bench.only.lookup(["10.2.9.9", "10.2.0.255", "10.2.255.255", w.H2, w.A1])
    assert [hop.kind for hop in hops] == ["connected", "connected", "broadcast", "via", "via"]
    bench.run(us=20_000_000)
    assert w.received(bench, w.P2) == []


def test_each_address_is_defended_by_itself() -> None:
    """RFC 5227 2.4: one announcement in 10 s, whatever became of others in between."""
    bed = Bed(slow={"arp_probe": False})
    bench = bed.bench
    bed.add(f"{NEW}/24")
    bench.run(us=5_000_000)

    def claim(address: str) -> list[bytes]:
        return w.exchange(bench, w.P1, [arp(2, s1, address, w.h1, w.H1, to=p.BROADCAST)])[w.P1]

    assert claim(NEW) == [ANNOUNCEMENT]
    bed.port(w.P1, address=f"{NEW}/24")
    assert (claim(NEW), claim(w.R1)) == ([], [])
    assert bed.states() == {NEW: "in use"}


def test_an_address_that_a_neighbor_had() -> None:
    """Once it is the router's, the neighbour is forgotten."""
    bed = Bed(slow={"arp_probe": False}, resolved=False)
    bench = bed.bench
    w.exchange(bench, w.P1, [request(w.R1, NEW, s1)])
    assert [str(one.address) for one in bench.only.neighbors()] == [NEW]
    bed.add(f"{NEW}/24")
    bench.settle()
    assert bench.only.neighbors() == []
    assert bench.only.lookup([NEW])[0].kind == "local"


# --- MTU ------------------------------------------------------------------------------------------


def test_the_mtu_of_a_port_changes() -> None:
    """RFC 1812 10.3.2.3, 4.2.2.7: for the fast path, for fragments and errors, and for the twin."""
    bed = Bed()
    bench = bed.bench
    long, small = frame_to(w.A1, bytes(1400)), frame_to(w.A1, bytes(400))
    bed.port(w.P2, mtu=1000)
    assert bench.port(w.P2).mtu == 1000
    out = w.exchange(bench, w.P1, [frame_to(w.A1, bytes(1400), fragment=p.DF), small])
    packet = p.ip_of(frame_to(w.A1, bytes(1400), fragment=p.DF))
    told_mtu = error_to_h1(packet, 3, 4, 1000)
    assert out == only(p1=[told_mtu], p2=[p.forwarded(small, w.M2, w.g2)])
    assert [len(one) for one in w.exchange(bench, w.P1, [long])[w.P2]] == [1010, 458]
    bed.port(w.P2, mtu=1500)
    assert w.exchange(bench, w.P1, [long]) == only(p2=[p.forwarded(long, w.M2, w.g2)])


def test_the_mtu_grows_beyond_what_it_was() -> None:
    bed = Bed()
    bench = bed.bench
    bed.port(w.P1, mtu=9000)
    bed.port(w.P2, mtu=9000)
    long = frame_to(w.A1, bytes(8900))
    assert w.exchange(bench, w.P1, [long]) == only(p2=[p.forwarded(long, w.M2, w.g2)])


def test_no_packet_is_lost_while_a_port_changes() -> None:
    """RFC 1812 10.3.2.6: between two other ports, whatever is changed of a third."""
    bed = Bed(fast={"units": 2})
    bench, start = bed.bench, round(bed.bench.now_us)
    for ident in range(3000):
        bench.port(w.P1).send(frame_to(w.A1, ident=ident), at_us=start + ident)
    for keys in (
        {"mtu": 1400},
        {"address": [f"{w.R3}/24", FAR + "/24"]},
        {"mtu": 1500},
        {"up": False},
    ):
        bench.run(us=500)
        bed.port(w.P3, **keys)
    bench.run_until_idle()
    expected = [p.forwarded(frame_to(w.A1, ident=i), w.M2, w.g2) for i in range(3000)]
    assert sorted(w.received(bench, w.P2)) == sorted(expected)
    assert dropped(bench) == {}


def test_a_neighbor_of_a_removed_subnet_may_be_static() -> None:
    """What was set by hand stays, and counts again with the subnet."""
    bed = two_subnets()
    bench = bed.bench
    bench.only.neighbor_set(w.P2, "10.7.0.8", w.h2)
    bench.run(us=0)
    bed.port(w.P2, address=f"{w.R2}/24")
    bench.settle()
    assert bench.only.lookup(["10.7.0.8"])[0].kind == "none"
    bed.add(f"{FAR}/24", name=w.P2)
    bench.settle()
    out = w.exchange(bench, w.P1, [frame_to("10.7.0.8")])
    assert out[w.P2] == [p.forwarded(frame_to("10.7.0.8"), w.M2, w.h2)]
