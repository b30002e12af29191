# SPDX-License-Identifier: MIT
"""Echo requests to the router (RFC 1812 4.3.3.6): which are answered, and by which octets."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import MAC, OWN, SILENCE, asks, dropped, only, stack, told
from twinroute.sim import Bench

ENTRANCES = {w.P1: (w.H1, w.h1), w.P2: (w.H2, w.h2), w.P3: (w.H3, w.h3)}


def request(destination: str = w.R1, *, src: str = w.H1, data: bytes = b"ping", **ip: int) -> bytes:
    """Return an echo request as an IP packet; `ip` are fields of its header."""
    echo = p.echo_request(0xBEEF, 0x1234, data)
    return p.ipv4(src, destination, echo, protocol=p.ICMP, **ip)  # type: ignore[arg-type]


def reply(packet: bytes) -> bytes:
    """Return the answer to an echo request without options (RFC 792, RFC 1812 4.3.3.6)."""
    asked = p.ip_fields(packet)
    message = asked["payload"]
    assert isinstance(message, bytes)
    return p.ipv4(
        str(asked["dst"]),
        str(asked["src"]),
        p.icmp(0, 0, message[4:8], message[8:]),
        protocol=p.ICMP,
        ident=int(asked["ident"]),
        fragment=int(asked["fragment"]),
        tos=int(asked["tos"]) & 0xFC,
        ttl=64,
    )


def ping(bench: Bench, packet: bytes, port: str = w.P1) -> dict[str, list[bytes]]:
    """Send a packet into a port from its host."""
    return w.exchange(bench, port, [p.ether(MAC[port], ENTRANCES[port][1], packet)])


def answer(packet: bytes, port: str = w.P1) -> bytes:
    """Return the frame with the reply as it leaves to the port's host."""
    return p.pad(p.ether(ENTRANCES[port][1], MAC[port], reply(packet)))


@pytest.mark.parametrize("destination", OWN.values())
@pytest.mark.parametrize("port", ENTRANCES)
def test_any_own_address_answers_by_any_port(port: str, destination: str) -> None:
    """From the address that was asked, also if it is on the far side."""
    bench = w.bed()
    packet = request(destination, src=ENTRANCES[port][0])
    assert ping(bench, packet, port) == only(**{port: [answer(packet, port)]})
    assert dropped(bench) == {"echo_answered": 1}
    counters = bench.only.counters()
    assert (counters.generated, counters.forwarded, counters.punted) == (1, 0, {"local": 1})


@pytest.mark.parametrize("length", [0, 1, 2, 7, 8, 17, 18, 19, 56, 577, 1471, 1472])
def test_all_data_comes_back(length: int) -> None:
    """RFC 1812 4.3.3.6, odd lengths included."""
    packet = request(data=bytes(i * 11 + 5 & 255 for i in range(length)))
    (frame,) = ping(w.bed(), packet)[w.P1]
    assert frame == answer(packet)
    assert p.checksum(p.ip_of(frame)[20:]) == 0


@pytest.mark.parametrize("checksum_data", [b"\xff\xff" * 8, bytes(16), b"\x00\x01\xff\xfe"])
def test_a_checksum_of_either_zero(checksum_data: bytes) -> None:
    """RFC 1071: all ones and all zeros are the same sum."""
    packet = request(data=checksum_data)
    assert ping(w.bed(), packet) == only(p1=[answer(packet)])


@pytest.mark.parametrize("dscp", [0, 10, 46, *range(8, 64, 8), 63])
@pytest.mark.parametrize("ecn", range(4))
def test_dscp_is_kept_and_ecn_cleared(dscp: int, ecn: int) -> None:
    """RFC 1812 4.3.2.5; RFC 3168: what the router sends is not ECN-capable."""
    packet = request(tos=dscp << 2 | ecn)
    assert ping(w.bed(), packet) == only(p1=[answer(packet)])


@pytest.mark.parametrize("ttl", [0, 1, 2, 64, 255])
def test_any_ttl_will_do(ttl: int) -> None:
    """RFC 1812 4.2.2.9: it is not looked at; 4.3.2.2: the reply has its own."""
    packet = request(w.R2, ttl=ttl)
    assert ping(w.bed(), packet) == only(p1=[answer(packet)])


@pytest.mark.parametrize("fragment", [0, p.DF, 0x8000], ids=["may", "df", "reserved"])
@pytest.mark.parametrize("ident", [0, 0xFFFF])
def test_id_and_df_are_the_requests(ident: int, fragment: int) -> None:
    packet = request(ident=ident, fragment=fragment)
    expected = request(ident=ident, fragment=fragment & p.DF)
    assert ping(w.bed(), packet) == only(p1=[answer(expected)])


@pytest.mark.parametrize("padding", [b"\xff" * 20, b"\x01"])
def test_the_padding_of_the_link_does_not_come_back(padding: bytes) -> None:
    packet = request(data=b"")
    frame = p.ether(w.M1, w.h1, packet) + padding
    assert w.exchange(w.bed(), w.P1, [frame]) == only(p1=[answer(packet)])


@pytest.mark.parametrize("burst", [1, 63, 64, 67, 512])
def test_in_a_burst(burst: int) -> None:
    bench = w.bed(fast={"burst": 512}, slow={"punt_ring": 1024})
    packets = [request(w.R3, ident=i) for i in range(burst)]
    out = w.exchange(bench, w.P1, [p.ether(w.M1, w.h1, packet) for packet in packets])
    assert out == only(p1=[answer(packet) for packet in packets])


def test_the_reply_is_routed_to_the_source() -> None:
    """Not to the frame's sender: by the route to 198.19/16, out of p3."""
    packet = request(src="198.19.0.9")
    assert ping(w.bed(), packet) == only(p3=[p.pad(p.ether(w.g3, w.M3, reply(packet)))])


def test_the_reply_waits_for_arp() -> None:
    bench = w.bed(resolved=False)
    packet = request()
    bench.port(w.P1).send(p.ether(w.M1, w.h1, packet))
    bench.run(us=1)
    assert w.received(bench, w.P1) == [asks(w.P1, w.H1)]
    bench.port(w.P1).send(told(w.P1, w.h1, w.H1))
    bench.run_until_idle()
    assert w.received(bench, w.P1)[1:] == [answer(packet)]
    assert dropped(bench) == {"echo_answered": 1, "arp_done": 1}
    bench.check_conservation()


def test_without_a_way_back_there_is_no_reply() -> None:
    bench = w.bed()
    assert ping(bench, request(src="192.88.99.9")) == SILENCE
    assert dropped(bench) == {"echo_answered": 1, "no_route": 1}


def test_a_long_reply_is_fragmented() -> None:
    bench = w.bed(mtu1=620)
    packet = request(data=bytes(range(250)) * 4)
    frames = ping(bench, packet)[w.P1]
    parts = [p.ip_fields(p.ip_of(frame)) for frame in frames]
    assert [(part["fragment"], part["total"]) for part in parts] == [(p.MF, 620), (75, 428)]
    whole = b"".join(part["payload"] for part in parts if isinstance(part["payload"], bytes))
    assert whole == reply(packet)[20:]
    assert {part["src"] for part in parts} == {w.R1}
    assert ping(w.bed(mtu1=620), request(data=bytes(1000), fragment=p.DF)) == SILENCE


# --- what is not answered -------------------------------------------------------------------------


def test_a_wrong_checksum() -> None:
    bench = w.bed()
    echo = p.echo_request()
    for at in range(2, len(echo)):
        bad = echo[:at] + bytes([echo[at] ^ 0x10]) + echo[at + 1 :]
        assert ping(bench, p.ipv4(w.H1, w.R1, bad, protocol=p.ICMP)) == SILENCE
    assert dropped(bench) == {"icmp_malformed": len(echo) - 2}


@pytest.mark.parametrize("length", range(8))
def test_too_short(length: int) -> None:
    bench = w.bed()
    stump = p.echo_request()[:length]
    if length >= 4:  # its checksum is right
        stump = stump[:2] + p.checksum(stump[:2] + stump[4:]).to_bytes(2) + stump[4:]
    packet = p.ipv4(w.H1, w.R1, stump, protocol=p.ICMP)
    assert ping(bench, packet) == SILENCE
    assert dropped(bench) == {"icmp_malformed": 1}


@pytest.mark.parametrize(
    "destination", ["255.255.255.255", "10.1.0.255", "10.1.0.0", "10.2.0.255", "224.0.0.1"]
)
@pytest.mark.parametrize("mac", [w.M1, p.BROADCAST, "01:00:5e:00:00:01"])
def test_a_group_is_not_answered(mac: str, destination: str) -> None:
    """RFC 1812 4.3.3.6: so nobody can be flooded by our help."""
    bench = w.bed()
    stack(bench, w.P1)
    assert w.exchange(bench, w.P1, [p.ether(mac, w.h1, request(destination))]) == SILENCE
    assert bench.only.counters().generated == 0


@pytest.mark.parametrize("mac", [p.BROADCAST, "01:00:5e:00:00:01"])
def test_a_link_broadcast_is_not_answered(mac: str) -> None:
    """RFC 1812 5.3.4."""
    bench = w.bed()
    assert w.exchange(bench, w.P1, [p.ether(mac, w.h1, request())]) == SILENCE
    assert dropped(bench) == {"link_broadcast": 1}


@pytest.mark.parametrize(
    "source",
    [
        *("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.5", "240.0.0.1", "255.255.255.255"),
        *("10.1.0.255", "10.2.0.255", "10.1.0.0"),
    ],
)
def test_a_source_that_nobody_has_is_dropped(source: str) -> None:
    """RFC 1812 4.2.2.11: silently, and the host stack does not see it either."""
    bench = w.bed()
    twin = stack(bench, w.P1)
    assert ping(bench, request(src=source)) == SILENCE
    assert dropped(bench) == {"martian_source": 1}
    assert twin.received_count == 0


@pytest.mark.parametrize("kind", [0, 3, 4, 5, 9, 10, 11, 12, 13, 15, 17, 18, 42, 255])
def test_other_messages_are_the_host_stacks(kind: int) -> None:
    """RFC 1812 4.3.2.1."""
    bench = w.bed()
    twin = stack(bench, w.P1)
    packet = p.ipv4(w.H1, w.R1, p.icmp(kind, data=p.ipv4(w.R1, w.H1)), protocol=p.ICMP)
    assert ping(bench, packet) == SILENCE
    assert [frame.data for frame in twin.received()] == [p.ether(w.M1, w.h1, packet)]
    assert dropped(bench) == {}
