# SPDX-License-Identifier: MIT
"""Make office.pcapng: half a minute of what the hosts of a small office send to their router.

    python make_office.py [OUTPUT]

It fits two_ports.toml, taken at p0. Most of it is forwarded, and a little of everything else is in
it: what the router answers, what it must drop, and what takes the slow path. Everything is made up,
and from a seed: the same file each time.
"""

import random
import struct
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

SEED = 1812
START_NS = 1_700_000_000 * 10**9
SECONDS = 30.0
ROUTER, ROUTER_MAC = "10.0.0.1", bytes.fromhex("025452000000")
HOSTS = [f"10.0.0.{number}" for number in range(10, 42)]
NETWORKS = ("198.18.2", "198.18.100", "198.19.113")  # for benchmarks (RFC 2544)
SERVERS = [f"{network}.{host}" for network in NETWORKS for host in (5, 80, 123)]
BROADCAST = b"\xff" * 6
ALL_ROUTERS = bytes.fromhex("333300000002")  # of IPv6
TEXT = b"The quick brown fox jumps over the lazy dog. " * 40
ICMP, TCP, UDP = 1, 6, 17
DF, MF = 0x4000, 0x2000
SYN, FIN, ACK, PUSH = 0x02, 0x01, 0x10, 0x08

Timed = tuple[float, bytes]  # seconds, frame


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac(host: str) -> bytes:
    """Return the MAC address of a host of the office."""
    return b"\x02\x00\x00\x0a\x00" + IPv4Address(host).packed[3:]


def ethernet(source: str, payload: bytes, kind: int = 0x0800, to: bytes = ROUTER_MAC) -> bytes:
    """Return a frame of at least 60 bytes."""
    frame = to + mac(source) + struct.pack("!H", kind) + payload
    return frame + b"\0" * (60 - len(frame))


class Office:
    """The hosts: each makes its packets with a counter for the identification field."""

    def __init__(self) -> None:
        """Begin with the seed."""
        self.random = random.Random(SEED)
        self.ident = 0

    def ip(
        self, src: str, dst: str, protocol: int, payload: bytes, *, ttl: int = 64, flags: int = DF
    ) -> bytes:
        """Return an IPv4 packet; `flags` holds the fragment offset too."""
        self.ident = (self.ident + 1) & 0xFFFF
        addresses = IPv4Address(src).packed + IPv4Address(dst).packed
        head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(payload), self.ident, flags, ttl, protocol)
        return head + struct.pack("!H", checksum(head + addresses)) + addresses + payload

    def udp(self, src: str, dst: str, ports: tuple[int, int], data: bytes, **ip: int) -> bytes:
        """Return a frame with a UDP datagram."""
        length = 8 + len(data)
        pseudo = IPv4Address(src).packed + IPv4Address(dst).packed + struct.pack("!HH", UDP, length)
        body = struct.pack("!HHHH", *ports, length, 0) + data
        body = body[:6] + struct.pack("!H", checksum(pseudo + body) or 0xFFFF) + data
        return ethernet(src, self.ip(src, dst, UDP, body, **ip))

    def tcp(
        self, src: str, dst: str, ports: tuple[int, int], seq: int, flags: int, data: bytes = b""
    ) -> bytes:
        """Return a frame with a TCP segment."""
        options = b"\x02\x04\x05\xb4" if flags & SYN else b""  # MSS 1460
        words = (20 + len(options)) // 4
        body = struct.pack("!HHIIBBHHH", *ports, seq, 1, words << 4, flags, 64240, 0, 0)
        body += options + data
        pseudo = IPv4Address(src).packed + IPv4Address(dst).packed
        value = checksum(pseudo + struct.pack("!HH", TCP, len(body)) + body)
        body = body[:16] + struct.pack("!H", value) + body[18:]
        return ethernet(src, self.ip(src, dst, TCP, body))

    def echo(self, src: str, dst: str, sequence: int, size: int = 56) -> bytes:
        """Return a frame with an echo request."""
        body = struct.pack("!HH", 7, sequence) + TEXT[:size]
        value = checksum(b"\x08\0\0\0" + body)
        return ethernet(src, self.ip(src, dst, ICMP, struct.pack("!BBH", 8, 0, value) + body))

    # --- what hosts do ----------------------------------------------------------------------------

    def arp(self) -> Iterator[Timed]:
        """Every host asks for the router, and once more later on."""
        for host in HOSTS:
            ask = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac(host) + IPv4Address(host).packed
            ask += bytes(6) + IPv4Address(ROUTER).packed
            yield self.random.uniform(0, 0.2), ethernet(host, ask, 0x0806, BROADCAST)
            yield self.random.uniform(12, 25), ethernet(host, ask, 0x0806)

    def names(self) -> Iterator[Timed]:
        """Hosts ask for names, two families at a time."""
        for _ in range(240):
            host, now = self.random.choice(HOSTS), self.random.uniform(0.3, SECONDS)
            port = self.random.randrange(32768, 61000)
            for kind in (1, 28):
                name = b"\x03www\x07example\x03net\0" + struct.pack("!HH", kind, 1)
                query = struct.pack("!HHHHHH", port, 0x100, 1, 0, 0, 0) + name
                yield now, self.udp(host, "198.18.2.53", (port, 53), query)
                now += 0.00002

    def web(self) -> Iterator[Timed]:
        """Downloads: a handshake, a request, and acknowledgements of what comes back."""
        for _ in range(110):
            host, server = self.random.choice(HOSTS), self.random.choice(SERVERS)
            now, seq = self.random.uniform(0.3, SECONDS - 3), self.random.randrange(1 << 31)
            ports = (self.random.randrange(32768, 61000), 443)
            yield now, self.tcp(host, server, ports, seq, SYN)
            now += 0.018
            yield now, self.tcp(host, server, ports, seq + 1, ACK)
            request = TEXT[: self.random.randrange(180, 620)]
            yield now + 0.0001, self.tcp(host, server, ports, seq + 1, ACK | PUSH, request)
            seq += 1 + len(request)
            for _ in range(self.random.randrange(4, 24)):
                now += 0.018 + self.random.expovariate(300)
                yield now, self.tcp(host, server, ports, seq, ACK)
            yield now + 0.01, self.tcp(host, server, ports, seq, ACK | FIN)

    def uploads(self) -> Iterator[Timed]:
        """A few hosts send files, in segments that find the MTU of the way."""
        for host, server in zip(HOSTS[:3], SERVERS, strict=False):
            now, seq = self.random.uniform(1, 10), self.random.randrange(1 << 31)
            ports = (self.random.randrange(32768, 61000), 22)
            yield now, self.tcp(host, server, ports, seq, SYN)
            # The first segments are too long for the uplink, and may not be fragmented.
            for size in (1460, 1460, *([1452] * 70)):
                now += 0.0005 + self.random.expovariate(2000)
                yield now, self.tcp(host, server, ports, seq + 1, ACK, TEXT[:size])
                seq += size if size < 1460 else 0

    def calls(self) -> Iterator[Timed]:
        """Two calls: a datagram of 200 bytes every 20 ms."""
        for host, server, begin in ((HOSTS[5], SERVERS[2], 2.0), (HOSTS[9], SERVERS[7], 11.0)):
            for index in range(400):
                now = begin + index * 0.02 + self.random.uniform(0, 0.0004)
                yield now, self.udp(host, server, (16384, 16384), TEXT[:172])

    def tests(self) -> Iterator[Timed]:
        """Somebody looks for a fault: pings and a traceroute."""
        for sequence in range(1, 11):
            yield 4 + sequence, self.echo(HOSTS[0], ROUTER, sequence)
            yield 4.3 + sequence, self.echo(HOSTS[0], "10.0.1.1", sequence)
            yield 4.6 + sequence, self.echo(HOSTS[1], SERVERS[0], sequence)
        for hop in range(1, 4):
            for probe in range(3):
                port = 33431 + 3 * hop + probe
                frame = self.udp(HOSTS[2], SERVERS[4], (45678, port), TEXT[:32], ttl=hop)
                yield 15 + hop * 0.06 + probe * 0.02, frame

    def large(self) -> Iterator[Timed]:
        """Datagrams too long for the uplink, and one that comes in fragments."""
        for index in range(6):
            data = TEXT[:1470]
            yield 18 + index, self.udp(HOSTS[7], SERVERS[6], (2049, 2049), data, flags=0)
        for index in range(4):
            self.ident += 1
            now, ident = 18.5 + index, self.ident
            for offset, more in ((0, MF), (1400, MF), (2800, 0)):
                self.ident = ident
                payload = TEXT[: 1400 if more else 300]
                packet = self.ip(HOSTS[8], SERVERS[6], UDP, payload, flags=more | offset // 8)
                yield now + offset / 1e8, ethernet(HOSTS[8], packet)

    def noise(self) -> Iterator[Timed]:
        """What switches flood, hosts announce, and broken or hostile machines send."""
        for index in range(15):
            host, now = HOSTS[index], 1.1 + 1.9 * index
            announce = self.ip(host, "224.0.0.251", UDP, TEXT[:90], ttl=255, flags=0)
            yield now, ethernet(host, announce, to=bytes.fromhex("01005e0000fb"))
            browse = self.ip(host, "10.0.0.255", UDP, TEXT[:200], flags=0)
            yield now + 0.2, ethernet(host, browse, to=BROADCAST)
            yield (
                now + 0.4,
                ethernet(host, b"\x60" + bytes(47), 0x86DD, ALL_ROUTERS),
            )
            other = self.ip(host, "198.18.2.5", TCP, TEXT[:40])
            yield now + 0.6, ethernet(host, other, to=mac(HOSTS[index + 1]))
        for index in range(5):
            good = bytearray(self.udp(HOSTS[11], SERVERS[1], (5000, 5000), TEXT[:80]))
            good[24] ^= 0x10  # the header's checksum is wrong now
            yield 3.3 + index, bytes(good)
            loop = self.ip("127.0.0.1", SERVERS[1], UDP, TEXT[:40])
            yield 3.5 + index, ethernet(HOSTS[12], loop)
            reserved = self.ip(HOSTS[12], "240.1.2.3", UDP, TEXT[:40])
            yield 3.6 + index, ethernet(HOSTS[12], reserved)
            branch = self.udp(HOSTS[13], "10.2.3.4", (4000, 4000), TEXT[:120])
            yield 3.7 + index, branch
            shell = self.tcp(HOSTS[14], ROUTER, (50000 + index, 22), 1, SYN)
            yield 3.8 + index, shell
        short = ethernet(HOSTS[15], self.ip(HOSTS[15], SERVERS[1], UDP, TEXT[:64]))
        yield 9.0, short[:50]

    def frames(self) -> list[Timed]:
        """Return all frames in the order of their times."""
        parts = (self.arp, self.names, self.web, self.uploads, self.calls, self.tests, self.large)
        return sorted(frame for part in (*parts, self.noise) for frame in part())


def block(kind: int, body: bytes) -> bytes:
    """Return a block of a pcapng file."""
    size = 12 + len(body)
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def pcapng(frames: list[Timed]) -> bytes:
    """Return a pcapng file of Ethernet frames with nanosecond times."""
    nanoseconds = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)  # if_tsresol = 10^-9, end of options
    parts = [
        block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(1, struct.pack("<HHI", 1, 0, 262144) + nanoseconds),
    ]
    for seconds, frame in frames:
        time = START_NS + round(seconds * 10**9)
        lengths = (len(frame), len(frame))
        head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, *lengths)
        parts.append(block(6, head + frame + b"\0" * (-len(frame) % 4)))
    return b"".join(parts)


if __name__ == "__main__":
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("office.pcapng")
    output.write_bytes(pcapng(Office().frames()))
