# SPDX-License-Identifier: MIT
"""Packets to more than one station: directed broadcasts (RFC 2644), multicast groups that a port
has joined, and static multicast routes (RFC 1812 5.2.3, 5.3.10)."""

from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import MAC, SILENCE, dropped, only, stack
from twinroute.reload import reload
from twinroute.sim import Bench, Station

UDP = p.udp(1024, 520, bytes(range(32)))
G, GM = "239.1.1.1", "01:00:5e:01:01:01"
JOINED = 'groups = ["224.0.0.5", "239.1.1.1"]'
TO_BOTH = f"""
[[multicast_route]]
source = "{w.H1}"
group = "{G}"
from = "p1"
to = ["p2", "p3"]
"""


def bed(**config: Any) -> tuple[Bench, dict[str, Station]]:
    """Return the test bed with a stack behind each twin."""
    bench = w.bed(**config)
    return bench, {port: stack(bench, port) for port in MAC}


def send(
    world: tuple[Bench, dict[str, Station]], *frames: bytes, port: str = w.P1
) -> tuple[dict[str, list[bytes]], dict[str, list[bytes]]]:
    """Send frames into a port; what left by the ports, and what reached the twins."""
    bench, twins = world
    for twin in twins.values():
        twin.clear()
    out = w.exchange(bench, port, frames)
    return out, {name: [one.data for one in twin.received()] for name, twin in twins.items()}


def packet(dst: str, *, mac: str = w.M1, **fields: object) -> bytes:
    """Return a frame of H1."""
    return p.ether(mac, w.h1, p.ipv4(**{"src": w.H1, "dst": dst, "payload": UDP, **fields}))  # type: ignore[arg-type]


# --- directed broadcasts --------------------------------------------------------------------------

RECEIVE, FORWARD = "receive_directed_broadcast = true", "forward_directed_broadcast = true"
ZERO_FORMS = ["10.1.0.0", "10.2.0.0"]


@pytest.mark.parametrize("ports", ["", RECEIVE, FORWARD, f"{RECEIVE}\n{FORWARD}"])
@pytest.mark.parametrize("mac", [w.M1, p.BROADCAST, "01:00:5e:00:00:01"])
@pytest.mark.parametrize(("destination", "port"), [("10.1.0.255", w.P1), ("10.2.0.255", w.P2)])
def test_a_directed_broadcast(destination: str, port: str, mac: str, ports: str) -> None:
    """Forwarded once and by the subnet's port, unless it came as a link broadcast (5.3.4)."""
    world = bed(ports=ports)
    frame = packet(destination, mac=mac)
    out, twins = send(world, frame)
    forwards = FORWARD in ports and mac == w.M1
    sent = [p.forwarded(frame, MAC[port], p.BROADCAST)] if forwards else []
    assert out == only(**{port: sent})
    assert twins == only(p1=[frame] if RECEIVE in ports else [])
    counters = world[0].only.counters()
    assert counters.forwarded == len(sent)
    assert counters.generated == (forwards and RECEIVE in ports)
    nowhere = not forwards and RECEIVE not in ports
    assert dropped(world[0]) == ({"directed_broadcast": 1} if nowhere else {})


@pytest.mark.parametrize("destination", ZERO_FORMS)
def test_a_zero_form_is_nothing(destination: str) -> None:
    """RFC 1812 5.3.5."""
    world = bed(ports=f"{RECEIVE}\n{FORWARD}")
    assert send(world, packet(destination)) == (SILENCE, SILENCE)
    assert dropped(world[0]) == {"directed_broadcast": 1}


@pytest.mark.parametrize("ttl", [0, 1])
def test_a_directed_broadcast_with_no_hop_left(ttl: int) -> None:
    """Nobody is told (RFC 1812 4.3.2.7); it is received all the same (4.2.2.9)."""
    world = bed(ports=f"{RECEIVE}\n{FORWARD}")
    frame = packet("10.2.0.255", ttl=ttl)
    assert send(world, frame) == (SILENCE, only(p1=[frame]))
    assert dropped(world[0]) == {"ttl_expired": 1}


def test_a_long_directed_broadcast() -> None:
    world = bed(ports=FORWARD, mtu2=620)
    out, _ = send(world, packet("10.2.0.255", payload=bytes(1400)))
    assert [(frame[:6], frame[22]) for frame in out[w.P2]] == [(b"\xff" * 6, 63)] * 3
    assert send(world, packet("10.2.0.255", payload=bytes(1400), fragment=p.DF))[0] == SILENCE
    assert dropped(world[0]) == {"fragmented": 1, "fragmentation_needed": 1}


def test_a_directed_broadcast_to_a_link_that_is_down() -> None:
    world = bed(ports=FORWARD)
    world[0].port(w.P2).link.set_up(False)
    assert send(world, packet("10.2.0.255"))[0] == SILENCE
    assert dropped(world[0]) == {"port_down": 1}


def test_an_echo_to_a_directed_broadcast_is_not_ours_to_answer() -> None:
    """RFC 1812 4.3.3.6."""
    world = bed(ports=RECEIVE)
    frame = packet("10.1.0.255", payload=p.echo_request(), protocol=p.ICMP)
    assert send(world, frame) == (SILENCE, only(p1=[frame]))


# --- groups joined --------------------------------------------------------------------------------


@pytest.mark.parametrize("mac", [GM, w.M1, p.BROADCAST])
@pytest.mark.parametrize("ttl", [0, 1, 64])
def test_a_joined_group_reaches_the_twin(mac: str, ttl: int) -> None:
    """RFC 1812 4.2.3.2: whatever the TTL; the frame as it came."""
    frame = packet(G, mac=mac, ttl=ttl)
    assert send(bed(ports=JOINED), frame) == (SILENCE, only(p1=[frame]))


@pytest.mark.parametrize("group", ["224.0.0.5", "224.0.0.1"])
@pytest.mark.parametrize("ports", ["", JOINED, 'groups = ["224.0.0.1"]', "groups = []"])
@pytest.mark.parametrize("port", MAC)
def test_a_group_of_the_link(port: str, ports: str, group: str) -> None:
    """224.0.0.1 is joined always; by default what routing daemons need."""
    world = bed(ports=ports)
    frame = packet(group, mac="01:00:5e:00:00:05", protocol=89, ttl=64, src="192.88.99.1")
    joined = group == "224.0.0.1" or ports in ("", JOINED)
    assert send(world, frame, port=port) == (SILENCE, only(**{port: [frame] if joined else []}))
    assert dropped(world[0]) == ({} if joined else {"multicast": 1})


@pytest.mark.parametrize("group", ["224.0.0.3", "224.0.0.251", "239.1.1.2", "232.0.0.1"])
def test_a_group_that_nobody_joined(group: str) -> None:
    world = bed(ports=JOINED)
    assert send(world, packet(group, mac=GM)) == (SILENCE, SILENCE)
    assert dropped(world[0]) == {"multicast": 1}


@pytest.mark.parametrize("group", ["224.0.0.22", "239.9.9.9", "224.0.0.2"])
def test_igmp_is_heard_whatever_the_group(group: str) -> None:
    """RFC 2236 3: reports are sent to the group that they are about."""
    frame = packet(group, mac="01:00:5e:09:09:09", protocol=2, ttl=1, options=b"\x94\4\0\0")
    assert send(bed(ports="groups = []"), frame) == (SILENCE, only(p1=[frame]))


# --- multicast routes -----------------------------------------------------------------------------


@pytest.mark.parametrize("burst", [1, 67])
@pytest.mark.parametrize("ports", ["groups = []", JOINED])
def test_copies_by_every_port_of_the_route(ports: str, burst: int) -> None:
    """And one to the twin of the port that joined, with the TTL as received (5.2.3)."""
    world = bed(ports=ports, routes=TO_BOTH, fast={"burst": 512})
    frames = [packet(G, mac=GM, ttl=8, ident=i) for i in range(burst)]
    out, twins = send(world, *frames)
    assert out == only(
        p2=[p.forwarded(frame, w.M2, GM) for frame in frames],
        p3=[p.forwarded(frame, w.M3, GM) for frame in frames],
    )
    assert twins == only(p1=frames if ports == JOINED else [])
    counters = world[0].only.counters()
    assert (counters.generated, counters.forwarded) == (2 * burst, 2 * burst)
    assert dropped(world[0]) == ({} if ports == JOINED else {"multicast_copied": burst})


@pytest.mark.parametrize(
    ("group", "mac"),
    [
        ("239.129.2.3", "01:00:5e:01:02:03"),
        ("224.1.255.255", "01:00:5e:01:ff:ff"),
        ("239.255.255.254", "01:00:5e:7f:ff:fe"),
        ("232.128.0.1", "01:00:5e:00:00:01"),
    ],
)
def test_the_low_23_bits_make_the_link_address(group: str, mac: str) -> None:
    """RFC 1112 6.4."""
    world = bed(routes=TO_BOTH.replace(G, group))
    frame = packet(group, mac=mac)
    out, _ = send(world, frame)
    assert out[w.P2] == [p.forwarded(frame, w.M2, mac)]


@pytest.mark.parametrize("ports", ["groups = []", JOINED])
@pytest.mark.parametrize("port", [w.P2, w.P3])
def test_the_reverse_path(port: str, ports: str) -> None:
    """By another port than the route's it goes nowhere but to the port's own members."""
    world = bed(ports=ports, routes=TO_BOTH)
    frame = packet(G, mac=GM)
    assert send(world, frame, port=port) == (
        SILENCE,
        only(**{port: [frame] if ports == JOINED else []}),
    )
    assert dropped(world[0]) == ({} if ports == JOINED else {"multicast_path": 1})


@pytest.mark.parametrize("source", ["10.1.0.9", "0.0.0.0"])
def test_another_source_has_no_route(source: str) -> None:
    world = bed(routes=TO_BOTH)
    assert send(world, packet(G, mac=GM, src=source)) == (SILENCE, SILENCE)


def test_any_source_but_one_that_has_its_own_route() -> None:
    anybody = f'[[multicast_route]]\ngroup = "{G}"\nfrom = "p1"\nto = ["p3"]\n'
    own = TO_BOTH.replace('["p2", "p3"]', '["p2"]')
    for routes in (anybody + own, own + anybody):
        world = bed(routes=routes)
        one, other = packet(G, mac=GM), packet(G, mac=GM, src="10.1.0.9")
        assert send(world, one, other)[0] == only(
            p2=[p.forwarded(one, w.M2, GM)], p3=[p.forwarded(other, w.M3, GM)]
        )


@pytest.mark.parametrize("ttl", [0, 1, 2, 15, 16, 17, 255])
@pytest.mark.parametrize("threshold", [1, 16])
def test_the_ttl_is_above_the_threshold(threshold: int, ttl: int) -> None:
    """And nobody is told (RFC 1812 5.3.1, 4.3.2.7)."""
    world = bed(ports=f"ttl_threshold = {threshold}", routes=TO_BOTH)
    frame = packet(G, mac=GM, ttl=ttl)
    out, _ = send(world, frame)
    passes = ttl > threshold
    sent = {port: [p.forwarded(frame, MAC[port], GM)] if passes else [] for port in (w.P2, w.P3)}
    assert out == only(**sent)
    assert dropped(world[0]) == {"multicast_copied" if passes else "ttl_threshold": 1}


def test_a_copy_is_fragmented_where_it_must_be() -> None:
    world = bed(routes=TO_BOTH, mtu2=620)
    frame = packet(G, mac=GM, payload=bytes(1400))
    out, _ = send(world, frame)
    assert [one[:6].hex(":") for one in out[w.P2]] == [GM] * 3
    assert out[w.P3] == [p.forwarded(frame, w.M3, GM)]
    out, _ = send(world, packet(G, mac=GM, payload=bytes(1400), fragment=p.DF))
    assert [len(out[port]) for port in (w.P1, w.P2, w.P3)] == [0, 0, 1]


def test_a_copy_to_a_link_that_is_down_is_lost_alone() -> None:
    world = bed(routes=TO_BOTH)
    world[0].port(w.P3).link.set_up(False)
    frame = packet(G, mac=GM)
    assert send(world, frame)[0] == only(p2=[p.forwarded(frame, w.M2, GM)])
    assert dropped(world[0]) == {"multicast_copied": 1, "port_down": 1}


def test_without_buffers_nothing_is_copied() -> None:
    bench = w.bed(routes=TO_BOTH, sim={"buffers": 64}, fast={"burst": 64})
    w.exchange(bench, w.P1, [packet(G, mac=GM, ident=i) for i in range(64)])
    assert dropped(bench)["no_buffer"] > 0


def test_options_are_copied_too() -> None:
    world = bed(routes=TO_BOTH)
    frame = packet(G, mac=GM, options=b"\x9f\4\0\0")
    assert send(world, frame)[0] == only(
        p2=[p.forwarded(frame, w.M2, GM)], p3=[p.forwarded(frame, w.M3, GM)]
    )


def test_copies_record_the_address_of_their_way_out() -> None:
    """RFC 1812 5.3.13.5: each by that of its own port; the host stack's copy is as it came."""
    options = {"record_route": "process", "timestamp": "process"}
    bench, twins = bed(ports=JOINED, routes=TO_BOTH, options=options)
    route, stamp = b"\x07\x0b\x04" + bytes(8), b"\x44\x08\x09\x00abcd"
    frame = packet(G, mac=GM, options=route + stamp + b"\0")
    out, heard = send((bench, twins), frame)
    assert heard[w.P1] == [frame]
    for port, own, mac in ((w.P2, w.R2, w.M2), (w.P3, w.R3, w.M3)):
        after = b"\x07\x0b\x08" + p.address_bytes(own) + bytes(4) + b"\x44\x08\x09\x10abcd\0"
        wanted = p.ipv4(w.H1, G, UDP, options=after, ttl=63)
        assert out[port] == [p.pad(p.ether(GM, mac, wanted))]


def test_a_directed_broadcast_records_its_way() -> None:
    world = bed(ports=FORWARD, options={"record_route": "process"})
    out, _ = send(world, packet("10.2.0.255", options=b"\x07\x07\x04" + bytes(4) + b"\0"))
    after = b"\x07\x07\x08" + p.address_bytes(w.R2) + b"\0"
    wanted = p.ipv4(w.H1, "10.2.0.255", UDP, options=after, ttl=63)
    assert out == only(p2=[p.pad(p.ether(p.BROADCAST, w.M2, wanted))])


def test_a_reload_changes_groups_routes_and_switches() -> None:
    """Joined and left again, as RFC 1812 4.2.3.2 has it."""
    world = bed(ports="groups = []")
    router = world[0].only
    old = w.bed_config(ports="groups = []")
    new = w.bed_config(ports=f"{JOINED}\n{FORWARD}\nttl_threshold = 7", routes=TO_BOTH)
    multicast, broadcast = packet(G, mac=GM, ttl=8), packet("10.2.0.255")
    assert send(world, multicast, broadcast) == (SILENCE, SILENCE)
    done = reload(router, "sim", old, new).summary()["settings"]
    assert done["port.p1.groups"] == ["224.0.0.5", G]
    assert done["multicast_route"] == [
        {"source": w.H1, "group": G, "from": "p1", "to": ["p2", "p3"]}
    ]
    world[0].settle()
    out, twins = send(world, multicast, broadcast)
    assert [len(out[port]) for port in (w.P1, w.P2, w.P3)] == [0, 2, 1]
    assert twins == only(p1=[multicast])
    reload(router, "sim", new, old)
    world[0].settle()
    assert send(world, multicast, broadcast) == (SILENCE, SILENCE)
