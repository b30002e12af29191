# SPDX-License-Identifier: MIT
"""What a case expects to come out: whole frames, with what an RFC leaves open marked as such.

    t.expect(FWD(packet))               # out of p2, TTL one less, nothing anywhere else
    t.expect(ERR(packet, 3, 0), drop="no_route")
    t.expect(DROP, drop="ip_checksum")  # silence

An open octet may have any value, or one that a rule accepts.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from twinroute.conformance import frames as f
from twinroute.conformance import names as n

ETHER = 14
# What a frame is: on its way through, made by the router, for the host stack, of the host stack.
FORWARDED, ORIGINATED, DELIVERED, STACK = "forwarded", "originated", "delivered", "of the stack"
TTL_MIN = 64  # RFC 1812 4.2.2.9: larger than the diameter of the Internet


@dataclass(frozen=True)
class Free:
    """Bits of a frame that are open, and what they must obey all the same.

    at: octet of the frame. mask: the open bits. rule: takes the frame; None: anything goes.
    """

    at: int
    mask: bytes
    what: str
    rule: Callable[[bytes], bool] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the rule behind, for another process: what came has been judged by it."""
        return Free, (self.at, self.mask, self.what)


@dataclass(frozen=True)
class Wanted:
    """A frame that must come out at a place: a port, or the twin of a port.

    kind: FORWARDED, ORIGINATED, DELIVERED or STACK. others: frames that would
    do as well. optional: it may be missing.
    """

    place: str
    data: bytes
    text: str
    kind: str
    free: tuple[Free, ...] = ()
    others: tuple["Wanted", ...] = ()
    optional: bool = False
    about: dict[str, Any] = field(default_factory=dict, compare=False)

    def problems(self, got: bytes) -> list[str]:
        """Say what is wrong with a frame that came out in this one's place."""
        found = self._problems(got)
        for other in self.others:
            if not found:
                break
            found = found if other.problems(got) else []
        return found

    def _problems(self, got: bytes) -> list[str]:
        if got == self.data:
            return []
        want = self.data if len(got) == len(self.data) else f.pad(self.data)
        if len(got) != len(want):
            return [f"{len(got)} octets instead of {len(want)}"]
        mask = self.open_bits(len(want))
        wrong = [i for i, (a, b) in enumerate(zip(want, got, strict=True)) if (a ^ b) & ~mask[i]]
        found = [
            f"octet {i}: {got[i]:02x} instead of {want[i]:02x}{_field(want, i)}" for i in wrong[:8]
        ]
        if len(wrong) > 8:
            found.append(f"and {len(wrong) - 8} octets more")
        if not found:
            broken = [one for one in self.free if one.rule is not None and not one.rule(got)]
            found = [f"{one.what}: {got[one.at : one.at + len(one.mask)].hex()}" for one in broken]
        return found

    def open_bits(self, length: int) -> bytes:
        """Return a mask of the frame's open bits."""
        mask = bytearray(max(length, len(self.data)))
        for one in self.free:
            for i, bits in enumerate(one.mask):
                mask[one.at + i] |= bits
        return bytes(mask[:length])


def _field(frame: bytes, at: int) -> str:
    """Name the field of a frame that an octet belongs to."""
    if at < ETHER:
        return (" (destination MAC)", " (source MAC)", " (EtherType)")[min(at // 6, 2)]
    if not f.is_ipv4(frame):
        return ""
    names = ("version, IHL", "TOS", *["total length"] * 2, *["ID"] * 2, *["fragment"] * 2)
    names += ("TTL", "protocol", *["header checksum"] * 2, *["source"] * 4, *["destination"] * 4)
    place = at - ETHER
    if place < len(names):
        return f" ({names[place]})"
    header = f.header_length(frame[ETHER:])
    return " (options)" if place < header else f" (payload octet {place - header})"


DROP: tuple[Wanted, ...] = ()  # nothing comes out anywhere


def EITHER(*ones: Wanted) -> Wanted:
    """Expect any one of these, all at the same place."""
    assert len({one.place for one in ones}) == 1
    text = " or ".join(one.text for one in ones)
    return replace(ones[0], others=ones[1:], text=text)


def MAYBE(one: Wanted) -> Wanted:
    """Allow this, and its absence."""
    return replace(one, optional=True, text=f"[{one.text}]")


def OUT(port: str, frame: bytes, text: str = "", *, kind: str = ORIGINATED) -> Wanted:
    """Expect exactly this frame out of a port."""
    return Wanted(port, frame, text or f"frame out of {port}", kind)


def TWIN(frame: bytes, port: str = n.P1) -> Wanted:
    """Expect a packet at the twin of a port, as it was sent, without the link's padding."""
    bare = frame[:ETHER] + f.ip_of(frame) if f.is_ipv4(frame) else frame
    return Wanted(n.twin(port), bare, f"at the twin of {port}", DELIVERED)


def FWD(
    frame: bytes,
    port: str = n.P2,
    *,
    to: str = "",
    options: bytes | None = None,
    dst: str = "",
    ttl_less: int = 1,
    free: tuple[Free, ...] = (),
) -> Wanted:
    """Expect a frame forwarded out of a port: MACs, TTL one less, a right checksum, no change else.

    to: MAC address of the next hop; by default the station with the destination's address, or else
    the port's gateway. options, dst: what the router puts in the place of those sent. free: octets
    of the IP packet that are open (at counts from the IP header).
    """
    packet = f.ip_of(frame)
    if options is not None:
        header = f.header_length(packet)
        assert len(options) == header - 20
        packet = packet[:20] + options + packet[header:]
    if dst:
        packet = packet[:16] + f.address_bytes(dst) + packet[20:]
    return _forwarded(packet, port, to, ttl_less, free)


def _forwarded(
    packet: bytes, port: str, to: str, ttl_less: int, free: tuple[Free, ...] = ()
) -> Wanted:
    changed = f.with_checksum(packet[:8] + bytes([packet[8] - ttl_less]) + packet[9:])
    to = to or n.next_hop_mac(port, f.text_of(packet[16:20]))
    return Wanted(
        port,
        f.ether(to, n.MAC[port], changed),
        f"FWD({port.upper()})",
        FORWARDED,
        tuple(replace(one, at=one.at + ETHER) for one in free),
    )


def FRAGMENTS(frame: bytes, mtu: int, port: str = n.P2, *, to: str = "") -> list[Wanted]:
    """Expect a frame forwarded in as few and as long fragments as an MTU allows (RFC 791 3.2)."""
    pieces = f.fragments_of(f.ip_of(frame), mtu)
    made = [_forwarded(piece, port, to, 1) for piece in pieces]
    return [
        replace(one, text=f"{one.text} fragment {i} of {len(made)}")
        for i, one in enumerate(made, 1)
    ]


# --- what the router originates ---------------------------------------------------------------


def right_ip_checksum(frame: bytes) -> bool:
    """Tell whether the checksum of the IP header is right."""
    packet = frame[ETHER:]
    return f.checksum(packet[: f.header_length(packet)]) == 0


def right_icmp_checksum(frame: bytes) -> bool:
    """Tell whether the checksum of an ICMP message is right."""
    packet = f.ip_of(frame)
    return f.checksum(packet[f.header_length(packet) :]) == 0


# What the RFCs leave to a router in a packet that it makes: ID, DF, and the TTL within limits.
OWN_HEADER = (
    Free(18, b"\xff\xff", "ID"),
    Free(20, b"\x40", "DF"),
    Free(22, b"\xff", f"TTL of {TTL_MIN} or more", lambda frame: frame[22] >= TTL_MIN),
    Free(24, b"\xff\xff", "right header checksum", right_ip_checksum),
)


def ERR(
    frame: bytes,
    kind: int,
    code: int,
    rest: int = 0,
    *,
    port: str = n.P1,
    source: str = "",
    to: str = "",
    size_max: int = 576,
    options: bytes = b"",
    dst: str = "",
) -> Wanted:
    """Expect an ICMP error about a frame (RFC 1812 4.3.2).

    rest: octets 4 to 7 (the MTU of 3/4; a pointer is `n << 24`). port: where it leaves by; source:
    the router's address there; to: MAC address of the next hop. size_max: of its IP packet.
    options, dst: of the error, where they are not none and the sender's address.
    """
    packet = f.ip_of(frame)[: max(len(frame) - ETHER, 20)]
    target = dst or f.text_of(packet[12:16])
    options += bytes(-len(options) % 4)
    message_at = ETHER + 20 + len(options)
    quote = packet[: size_max - 28 - len(options)]
    message = f.icmp(kind, code, struct.pack("!I", rest), quote)
    source = source or n.OWN[port]
    error = f.ipv4(
        *(source, target, message),
        protocol=f.ICMP,
        ident=0,
        fragment=f.DF,
        tos=0xC0,
        options=options,
    )
    to = to or n.next_hop_mac(port, target)
    quoted = message_at + 8
    free = (
        *OWN_HEADER,
        Free(message_at + 2, b"\xff\xff", "right ICMP checksum", right_icmp_checksum),
        Free(quoted + 8, b"\xff", "quoted TTL as sent or one less", _quoted_ttl(quoted, packet[8])),
        Free(
            quoted + 10,
            b"\xff\xff",
            "quoted checksum as sent, or right",
            _quoted_sum(quoted, packet),
        ),
    )
    return Wanted(
        port,
        f.ether(to, n.MAC[port], error),
        f"ERR({kind}/{code})",
        ORIGINATED,
        free,
        about={"icmp": (kind, code)},
    )


def _quoted_ttl(quoted: int, sent: int) -> Callable[[bytes], bool]:
    return lambda frame: frame[quoted + 8] in (sent, max(sent - 1, 0))


def _quoted_sum(at: int, sent: bytes) -> Callable[[bytes], bool]:
    """RFC 1812 4.3.2.3: the quoted checksum goes with the quoted TTL."""

    def rule(frame: bytes) -> bool:
        quoted = frame[at : at + len(sent)]
        if quoted[8] == sent[8]:
            return quoted[10:12] == sent[10:12]
        header = f.header_length(quoted)
        return len(quoted) >= header and f.checksum(quoted[:header]) == 0

    return rule


def REPLY(
    frame: bytes,
    port: str = n.P1,
    *,
    to: str = "",
    source: str = "",
    options: bytes | None = None,
    dst: str = "",
) -> Wanted:
    """Expect the echo reply to a frame with an echo request: all its data, from the address asked.

    options, dst: of the reply, where they are not none and the asker's address. Its DSCP is the
    request's; ECN, ID and DF are the router's.
    """
    packet = f.ip_of(frame)
    header = f.header_length(packet)
    request = packet[header:]
    message = f.icmp(0, 0, request[4:8], request[8:])
    dst = dst or f.text_of(packet[12:16])
    reply = f.ipv4(
        source or f.text_of(packet[16:20]),
        dst,
        message,
        protocol=f.ICMP,
        ident=0,
        tos=packet[1] & 0xFC,
        options=options or b"",
    )
    to = to or n.next_hop_mac(port, dst)
    free = (*OWN_HEADER, Free(15, b"\x03", "ECN"))
    return Wanted(
        port,
        f.ether(to, n.MAC[port], reply),
        "echo reply",
        ORIGINATED,
        free,
        about={"icmp": (0, 0)},
    )


def RST(frame: bytes, port: str = n.P1, *, to: str = "") -> Wanted:
    """Expect the reset that a SYN to a closed TCP port gets (RFC 9293 3.10.7.1)."""
    packet = f.ip_of(frame)
    header = f.header_length(packet)
    syn = packet[header:]
    source, target = f.text_of(packet[16:20]), f.text_of(packet[12:16])
    ends = int.from_bytes(syn[2:4], "big"), int.from_bytes(syn[:2], "big")
    number = (int.from_bytes(syn[4:8], "big") + 1) & 0xFFFFFFFF
    segment = f.tcp(source, target, *ends, flags=0x14, sequence=0, acknowledged=number, window=0)
    reset = f.ipv4(source, target, segment, protocol=f.TCP, ident=0, fragment=f.DF)
    to = to or n.next_hop_mac(port, target)
    free = (*OWN_HEADER, Free(15, b"\xff", "TOS"))
    return Wanted(port, f.ether(to, n.MAC[port], reset), "RST", ORIGINATED, free)


def ASKS(port: str, target: str, *, sender: str = "", to: str = n.BROADCAST) -> Wanted:
    """Expect the router's ARP request for a neighbour at a port (RFC 826)."""
    request = f.arp(1, n.MAC[port], sender or n.OWN[port], n.NO_MAC, target, to=to)
    # The target's hardware address is what is asked for: zero or all ones.
    free = (Free(32, b"\xff" * 6, "no target MAC", lambda frame: _no_mac(frame[32:38])),)
    return Wanted(port, request, f"ARP request for {target}", ORIGINATED, free)


def _no_mac(octets: bytes) -> bool:
    return octets in (bytes(6), b"\xff" * 6)


def TELLS(port: str, asker_mac: str, asker: str, *, address: str = "") -> Wanted:
    """Expect the router's ARP reply to a station at a port (RFC 826)."""
    reply = f.arp(2, n.MAC[port], address or n.OWN[port], asker_mac, asker)
    return Wanted(port, reply, f"ARP reply to {asker}", ORIGINATED)
