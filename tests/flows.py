# SPDX-License-Identifier: MIT
"""Which of several gateways a packet's flow takes (RFC 2991): the rule of the router, written once
more from its description. It is fixed, as a router that changed it would move all flows."""

from collections.abc import Sequence
from ipaddress import IPv4Address

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
WITH_PORTS = {6, 17, 33, 132, 136}  # TCP, UDP, DCCP, SCTP, UDP-Lite


def chosen(seed: int, packet: bytes, gateways: Sequence[str]) -> str:
    """Return the gateway that gets an IPv4 packet."""
    return _heaviest(flow(seed, packet), gateways)


def chosen_for_own(seed: int, destination: str, gateways: Sequence[str]) -> str:
    """Return the gateway that gets what the router itself sends to an address."""
    return _heaviest(_flow(seed, int(IPv4Address(destination)), 0), gateways)


def flow(seed: int, packet: bytes) -> int:
    """Hash addresses, protocol, and the ports of what is no fragment."""
    header = (packet[0] & 15) * 4
    total = int.from_bytes(packet[2:4])
    ports = 0
    is_fragment = int.from_bytes(packet[6:8]) & 0x3FFF != 0
    if packet[9] in WITH_PORTS and not is_fragment and total >= header + 4:
        ports = int.from_bytes(packet[header : header + 4])
    return _flow(seed, int.from_bytes(packet[12:20]), ports << 8 | packet[9])


def _flow(seed: int, addresses: int, rest: int) -> int:
    return _fold(addresses ^ _word(seed + GOLDEN), rest ^ _word(seed + 2 * GOLDEN))


def _heaviest(hashed: int, gateways: Sequence[str]) -> str:
    ordered = sorted(gateways, key=lambda address: int(IPv4Address(address)))
    return max(
        ordered,
        key=lambda address: _fold(hashed ^ (int(IPv4Address(address)) * GOLDEN & MASK), GOLDEN),
    )


def _fold(a: int, b: int) -> int:
    """Multiply to 128 bits, and put the halves on each other."""
    product = a * b
    return product >> 64 ^ product & MASK


def _word(x: int) -> int:
    """SplitMix64's output."""
    x &= MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31
