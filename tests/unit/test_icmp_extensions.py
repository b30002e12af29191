# SPDX-License-Identifier: MIT
"""Extensions of ICMP errors (RFC 4884): by which port the packet came (RFC 5837)."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import SILENCE, dropped, error_to_h1, icmp_error, interface, only
from twinroute.config import parse_config
from twinroute.errors import ConfigError
from twinroute.reload import reload
from twinroute.sim import Bench

ON = "[icmp]\nextensions = true"
UDP = p.udp(1024, 9, bytes(range(32)))
OF_P1 = interface(1, "p1", address=w.R1)
SHORTEST_MTU = 28 + 128 + 40  # room for any port's extension
MTU2 = 620

# Packets of H1 into p1: type, code, octets 4 to 7 without a length, drop reason.
ERRORS: dict[str, tuple[bytes, int, int, int, str]] = {
    "TTL": (p.ipv4(w.H1, w.A1, UDP, ttl=1), 11, 0, 0, "ttl_expired"),
    "no route": (p.ipv4(w.H1, w.U, UDP), 3, 0, 0, "no_route"),
    "too long": (
        p.ipv4(w.H1, w.A1, bytes(i & 255 for i in range(1400)), fragment=p.DF),
        *(3, 4, MTU2, "fragmentation_needed"),
    ),
    "options": (
        p.ipv4(w.H1, w.A1, UDP, options=b"\x83\x0b\x03"),
        *(12, 0, 21 << 24, "bad_options"),
    ),
}


def frame(packet: bytes) -> bytes:
    """Put a packet into a frame from H1 into p1."""
    return p.ether(w.M1, w.h1, packet)


@pytest.fixture(scope="module")
def bench() -> Bench:
    """One bed for all tests that leave it as it was."""
    return w.bed(icmp=ON, mtu2=MTU2, options={"loose_source_route": "process"})


@pytest.mark.parametrize(("burst", "place"), [(1, 0), (67, 0), (67, 33), (67, 66)])
@pytest.mark.parametrize("name", ERRORS)
def test_errors_tell_of_the_port(bench: Bench, name: str, burst: int, place: int) -> None:
    """The length attribute leaves the pointer and the MTU as they are."""
    packet, kind, code, rest, reason = ERRORS[name]
    before = dropped(bench).get(reason, 0)
    frames = [frame(p.ipv4(w.H1, w.A1, UDP, ident=i)) for i in range(burst)]
    frames[place] = frame(packet)
    out = w.exchange(bench, w.P1, frames)
    passed = [p.forwarded(one, w.M2, w.g2) for i, one in enumerate(frames) if i != place]
    error = error_to_h1(packet, kind, code, rest, extension=OF_P1)
    assert out == only(p1=[error], p2=passed)
    assert dropped(bench)[reason] == before + 1


@pytest.mark.parametrize("size", [20, 28, 127, 128, 129, 131, 132, 300, 301, 512, 513, 516, 1500])
def test_a_quote_is_whole_words_of_128_octets_or_more(bench: Bench, size: int) -> None:
    """RFC 4884 4; all of it within 576 octets (RFC 4884 7)."""
    packet = p.ipv4(w.H1, w.U, bytes(255 - i % 251 for i in range(size - 20)))
    (error,) = w.exchange(bench, w.P1, [frame(packet)])[w.P1]
    assert error == error_to_h1(packet, 3, 0, extension=OF_P1)
    message = p.ip_of(error)[20:]
    quoted = message[5] * 4
    assert quoted == min(max(128, size + -size % 4), 576 - 28 - len(OF_P1))
    assert message[8 : 8 + quoted] == packet[:quoted].ljust(quoted, b"\0")
    assert message[8 + quoted :] == OF_P1


def test_the_link_it_came_by_is_told_and_not_the_way_out() -> None:
    """A packet of a host behind p3 comes in by p2: the error leaves by p3."""
    bench = w.bed(icmp=ON)
    packet = p.ipv4("198.19.0.9", w.U, UDP)
    extension = interface(2, "p2", address=w.R2)
    error = icmp_error(packet, 3, 0, sender=w.R3, extension=extension)
    out = w.exchange(bench, w.P2, [p.ether(w.M2, w.h2, packet)])
    assert out == only(p3=[p.ether(w.g3, w.M3, error)])


@pytest.mark.parametrize("mtu", [68, SHORTEST_MTU - 1, SHORTEST_MTU, SHORTEST_MTU + 3, 300, 1500])
def test_without_room_for_128_octets_there_is_no_extension(mtu: int) -> None:
    bench = w.bed(icmp=ON, mtu1=mtu)
    extension = interface(1, "p1", mtu, w.R1) if mtu >= SHORTEST_MTU else b""
    for size in (20, 60, min(mtu, 400)):
        packet = p.ipv4(w.H1, w.U, bytes(range(100)) * 4)[:size]
        packet = p.ipv4(w.H1, w.U, packet[20:])
        (error,) = w.exchange(bench, w.P1, [frame(packet)])[w.P1]
        assert error == error_to_h1(packet, 3, 0, mtu=mtu, extension=extension)


@pytest.mark.parametrize("name", ["a", "lan", "eth0", "downstream-west"])
def test_names_end_on_a_word(name: str) -> None:
    """RFC 5837 4.3: NULs behind the name, and a length that counts itself."""
    config = parse_config(
        f'[icmp]\nextensions = true\n[port.{name}]\naddress = "10.1.0.1/24"\nmac = "{w.M1}"\n'
        f'[[neighbor]]\nport = "{name}"\naddress = "{w.H1}"\nmac = "{w.h1}"\n'
        '[sim]\nneighbors = "silent"\n'
    )
    bench = Bench.from_config(config)
    bench.run_until_idle()
    bench.port(name).clear()
    packet = p.ipv4(w.H1, w.U, UDP)
    bench.port(name).send(frame(packet))
    bench.run_until_idle()
    (error,) = w.received(bench, name)
    assert error == error_to_h1(packet, 3, 0, extension=interface(1, name, address=w.R1))


def test_a_port_that_has_lost_its_address_is_told_by_name() -> None:
    """The packet waits for a silent neighbour of p2, while p1 loses its address."""
    bench = w.bed(icmp=ON, slow={"arp_retries": 1, "arp_retry_ms": 100})
    packet = p.ipv4("198.19.0.9", "10.2.0.99", UDP)
    bench.port(w.P1).send(frame(packet))
    bench.run(us=100)
    new = w.bed_config(icmp=ON, slow={"arp_retries": 1, "arp_retry_ms": 100})
    ports = {**new.ports, w.P1: new.ports[w.P1].model_copy(update={"addresses": []})}
    neighbors = [one for one in new.neighbors if one.port != w.P1]
    reload(
        bench.only,
        "sim",
        w.bed_config(icmp=ON, slow={"arp_retries": 1, "arp_retry_ms": 100}),
        new.model_copy(update={"ports": ports, "neighbors": neighbors}),
    )
    bench.run_until_idle()
    bench.check_conservation()
    error = icmp_error(packet, 3, 1, sender=w.R3, extension=interface(1, "p1"))
    assert w.received(bench, w.P3) == [p.ether(w.g3, w.M3, error)]


def test_no_other_message_has_one(bench: Bench) -> None:
    """RFC 4884 4.6: neither redirects nor echo replies."""
    redirected = p.ipv4(w.H1, "10.1.0.254", UDP)
    out = w.exchange(bench, w.P1, [frame(redirected)])[w.P1]
    redirect = error_to_h1(redirected, 5, 1, int.from_bytes(p.address_bytes(w.G1)))
    assert sorted(out) == sorted([redirect, p.forwarded(frame(redirected), w.M1, w.g1)])
    echo = p.echo_request(data=bytes(200))
    (reply,) = w.exchange(bench, w.P1, [frame(p.ipv4(w.H1, w.R1, echo, protocol=p.ICMP))])[w.P1]
    assert p.ip_of(reply)[20:] == p.icmp(0, 0, echo[4:8], echo[8:])


def test_a_reload_switches_them() -> None:
    bench = w.bed()
    packet = p.ipv4(w.H1, w.U, UDP)
    assert w.exchange(bench, w.P1, [frame(packet)]) == only(p1=[error_to_h1(packet, 3, 0)])
    done = reload(bench.only, "sim", w.bed_config(), w.bed_config(icmp=ON))
    assert done.summary()["settings"] == {"icmp.extensions": True}
    bench.settle()
    error = error_to_h1(packet, 3, 0, extension=OF_P1)
    assert w.exchange(bench, w.P1, [frame(packet)]) == only(p1=[error])
    reload(bench.only, "sim", w.bed_config(icmp=ON), w.bed_config())
    bench.settle()
    assert w.exchange(bench, w.P1, [frame(packet)]) == only(p1=[error_to_h1(packet, 3, 0)])


def test_what_gets_no_error_gets_none_with_extensions(bench: Bench) -> None:
    error = p.icmp(3, 0, data=p.ipv4(w.H1, w.U, UDP))
    for packet in (
        p.ipv4(w.H1, w.U, error, protocol=p.ICMP),
        p.ipv4(w.H1, w.U, UDP, fragment=7),
        p.ipv4("127.0.0.1", w.U, UDP),
    ):
        assert w.exchange(bench, w.P1, [frame(packet)]) == SILENCE


def test_the_key_is_a_switch() -> None:
    with pytest.raises(ConfigError, match=r"icmp\.extensions = 1: expected true"):
        parse_config('[icmp]\nextensions = 1\n[port.p0]\naddress = "10.0.0.1/24"\n')
    assert not parse_config('[port.p0]\naddress = "10.0.0.1/24"\n').icmp.extensions
