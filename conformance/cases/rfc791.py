# SPDX-License-Identifier: MIT
"""RFC 791 and RFC 894: fragments, and frames from the shortest to the longest; RFC 6864: IDs."""

from twinroute.conformance.kit import (
    B1,
    DF,
    DROP,
    ERR,
    FRAGMENTS,
    FWD,
    G2,
    G3,
    MF,
    P1,
    P2,
    P3,
    ROUTES,
    Route,
    T,
    Testbed,
    case,
    ip_of,
)
from twinroute.errors import ConfigError

LONG = bytes(i * 5 & 255 for i in range(1400))  # the payload of a packet of 1420 octets


def long_packet(fragment: int = 0, options: bytes = b"") -> bytes:
    """Return a packet of 1420 octets, or more by its options."""
    return T(payload=LONG, fragment=fragment, options=options)


@case("RFC894-FrameFormat-1")
def short_packets_are_padded(t: Testbed) -> None:
    """A packet of 20 octets leaves in a frame of 60, padded with zeros, whatever came before."""
    longest = T(payload=b"\xff" * 1480, protocol=253)
    short = T(payload=b"", protocol=253)
    assert ip_of(short)[2:4] == b"\0\x14"
    t.send(P1, *[longest] * 8)
    t.expect([FWD(longest)] * 8, note="buffers full of ones")
    frames = [short + b"\xff" * 26, short, T(payload=b"\1", protocol=253) + b"\xff" * 25]
    t.send(P1, *frames)
    got = t.collect(count=3)[P2]
    passed = [frame for frame in got if frame[23] == 253]
    for frame, out in zip(frames, passed, strict=True):
        wanted = FWD(frame).data
        t.check(out[: len(wanted)] == wanted, "the packet is whole")
        t.check(not any(out[len(wanted) :]), f"padding: {out[len(wanted) :].hex()}")
        t.check(len(out) >= 60 or not t.has("padding"), f"{len(out)} octets")


@case("RFC894-FrameFormat-2")
def full_packets_are_accepted(t: Testbed) -> None:
    """1500 octets are forwarded, and cut in two where the next link takes 1400."""
    packet = T(data=bytes(1472))
    assert len(ip_of(packet)) == 1500
    t.send(P1, packet)
    t.expect(FWD(packet))
    t.configure(mtu={P2: 1400})
    wanted = FRAGMENTS(packet, 1400)
    assert len(wanted) == 2
    t.send(P1, packet)
    t.expect(wanted, drop="fragmented")


@case("RFC791-2.3-2")
def fragments_end_on_8_octets(t: Testbed) -> None:
    """MTUs that are not 4 beyond a multiple of 8: still 600 octets of data, none larger."""
    for mtu in (620, 621, 622, 627):
        t.configure(mtu={P2: mtu})
        wanted = FRAGMENTS(long_packet(), mtu)
        assert [len(ip_of(one.data)) - 20 for one in wanted] == [600, 600, 200]
        t.send(P1, long_packet())
        t.expect(wanted, drop="fragmented", note=f"MTU {mtu}")


@case("RFC791-2.3-3")
def fragments_of_fragments(t: Testbed) -> None:
    """Offsets are those of the whole datagram, and the last piece keeps the more-fragments flag."""
    t.configure(mtu={P2: 620})
    for flag in (MF, 0):
        packet = T(payload=bytes(1480), fragment=flag | 2960 // 8)
        wanted = FRAGMENTS(packet, 620)
        words = [int.from_bytes(one.data[20:22], "big") for one in wanted]
        assert [(word & 0x1FFF) * 8 for word in words] == [2960, 3560, 4160]
        assert [word & MF for word in words] == [MF, MF, flag]
        t.send(P1, packet)
        t.expect(wanted, drop="fragmented", note="MF set" if flag else "the last")


@case("RFC791-3.2-1")
def every_link_takes_68_octets(t: Testbed) -> None:
    """With an MTU of 68 as much is forwarded whole, one octet more is cut; less is refused."""
    t.configure(mtu={P2: 68})
    t.goods(P1, T(data=b""))
    packet = T(data=bytes(range(40)))
    assert len(ip_of(packet)) == 68
    t.send(P1, packet)
    t.expect(FWD(packet))
    longer = T(data=bytes(range(41)))
    wanted = FRAGMENTS(longer, 68)
    assert len(wanted) == 2
    t.send(P1, longer)
    t.expect(wanted, drop="fragmented")
    header = T(options=b"\x9f\x28" + bytes(38), payload=bytes(16), protocol=253)
    t.send(P1, header)
    t.expect(FRAGMENTS(header, 68), drop="fragmented", note="header of 60 octets")
    if t.device.ours:
        refused = False
        try:
            t.configure(mtu={P2: 67})
        except ConfigError:
            refused = True
        t.check(refused, "an MTU of 67 is refused")


@case("RFC791-3.2-4")
def later_headers_are_shorter(t: Testbed) -> None:
    """Options that are not copied are in the first fragment only."""
    t.configure(mtu={P2: 620})
    for options, words in (
        (b"\x9f\3a\x1f\6bcde", (8, 6)),
        (b"\x1f\4ab", (6, 5)),
        (b"\x9f\4ab", (6, 6)),
        (b"\1\1\x9f\6abcd\x1f\x0a" + bytes(8), (10, 7)),
    ):
        packet = long_packet(options=options)
        wanted = FRAGMENTS(packet, 620)
        assert (wanted[0].data[14] & 15, wanted[1].data[14] & 15) == words
        t.send(P1, packet)
        t.expect(wanted, drop="fragmented", note=options.hex(" "))


@case("RFC6864-4.1-2")
def the_id_of_whole_packets_is_ignored(t: Testbed) -> None:
    """A thousand packets with DF and the same ID are forwarded, all by one path, the ID kept."""
    for ident in (0, 0x1234):
        packet = T(fragment=DF, ident=ident)
        t.send(P1, *[packet] * 1000)
        t.expect([FWD(packet)] * 1000, note=f"ID {ident:#06x}")
    t.configure(routes=(Route("198.18.0.0/16", (G2, G3)), ROUTES[1]))
    t.goods(P1, T(dst=B1), FWD(T(dst=B1), P3))
    packets = [T(fragment=DF, ident=ident) for ident in (*[0] * 100, *range(100))]
    t.send(P1, *packets)
    got = t.collect(count=len(packets), note="one gateway of two")
    port = P2 if got[P2] else P3
    t.check(got[port] == [FWD(packet, port).data for packet in packets], "all by one port")


@case("RFC6864-4.3-1")
def own_packets_are_told_apart(t: Testbed) -> None:
    """A thousand ICMP errors: each has DF set, or an ID of its own."""
    packets = [T(ttl=1, ident=ident) for ident in range(1000)]
    wanted = [ERR(packet, 11, 0) for packet in packets]
    t.send(P1, *packets)
    got = t.collect(count=1000)[P1]
    t.check(len(got) == 1000, f"{len(got)} errors")
    for one, frame in zip(wanted, got, strict=True):
        t.check(not one.problems(frame), "; ".join(one.problems(frame)))
    loose = [frame[18:20] for frame in got if not frame[20] & 0x40]
    t.check(len(set(loose)) == len(loose), "an ID twice")


@case("RFC6864-4.3-2")
def what_must_not_be_cut_is_not(t: Testbed) -> None:
    """DF: whole packets, first fragments and later ones are dropped where they do not fit."""
    t.configure(mtu={P2: 620})
    for flags in (DF, DF | MF):
        for data in (593, 1400):
            packet = T(data=bytes(data), fragment=flags)
            t.send(P1, packet)
            t.expect(ERR(packet, 3, 4, 620), drop="fragmentation_needed", note=f"{data} octets")
        later = T(payload=bytes(1400), fragment=flags | 100)
        t.send(P1, later)
        t.expect(DROP, drop="fragmentation_needed", note="a later fragment")
        fits = T(payload=bytes(600), fragment=flags)
        t.send(P1, fits)
        t.expect(FWD(fits), note="620 octets")


@case("RFC6864-4.3-3")
def df_is_kept(t: Testbed) -> None:
    """DF leaves as it came, with every length, by the fast path and by the slow one."""
    for data in (b"", bytes(32), bytes(1472)):
        for options in (b"", b"\1\1\1\1") if len(data) < 1400 else (b"",):
            packet = T(fragment=DF, data=data, options=options)
            t.send(P1, packet)
            t.expect(FWD(packet), note=f"{len(data)} octets, options {options.hex()}")
