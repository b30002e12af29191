# SPDX-License-Identifier: MIT
"""The test bed with routes of several gateways, and by whom the packets of many flows leave it."""

import struct
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address
from typing import Any

from tests import packets as p
from tests import worlds as w
from twinroute.sim import Bench

NET = "198.20.0.0/16"
G2B, G3B = "10.2.0.253", "10.3.0.253"
FOUR = [G2B, w.G2, G3B, w.G3]
MACS = {
    **{w.G2: w.g2, w.G3: w.g3},
    **{G2B: "02:00:00:00:02:fd", G3B: "02:00:00:00:03:fd"},
}
PORT_OF = {w.G2: w.P2, G2B: w.P2, w.G3: w.P3, G3B: w.P3}
OWN_MAC = {w.P2: w.M2, w.P3: w.M3}
MAC_TEXT = {p.mac_bytes(mac): gateway for gateway, mac in MACS.items()}


def group_bed(
    gateways: Sequence[str] = (w.G2, w.G3), *, seed: int = 1, mtu: int = 0, **options: Any
) -> Bench:
    """Return the bed with a route to NET by these gateways; all four of FOUR are known."""
    via = ", ".join(f'"{gateway}"' for gateway in gateways)
    route = f'[[route]]\nto = "{NET}"\nvia = [{via}]\nmtu = {mtu}\n'
    fast = {"hash_seed": w.HASH_SEED, **options.pop("fast", {})}
    bench = w.bed(seed=seed, routes=route, fast=fast, **options)
    for gateway in (G2B, G3B):
        bench.only.neighbor_set(PORT_OF[gateway], gateway, MACS[gateway])
    bench.settle()
    return bench


def flows(count: int = 256) -> list[bytes]:
    """Return a UDP packet of each of so many flows: sources, destinations and ports vary."""
    return [
        p.ipv4(
            f"10.1.0.{2 + n % 50}",
            str(IPv4Address("198.20.0.0") + n * 7 % 300),
            p.udp(1024 + n, 9 + n % 3, bytes(20)),
            ident=n,
        )
        for n in range(count)
    ]


def framed(packet: bytes) -> bytes:
    """Put a packet into the frame in which H1 sends it to the router."""
    return p.ether(w.M1, w.h1, packet)


def sent_by(gateway: str, packet: bytes) -> bytes:
    """Return the frame in which the router sends a packet on to a gateway."""
    return p.forwarded(framed(packet), OWN_MAC[PORT_OF[gateway]], MACS[gateway])


def spread(packets: Iterable[bytes], choose: Callable[[bytes], str]) -> dict[str, list[bytes]]:
    """Return what leaves by each port when `choose` names the gateway of each packet."""
    out: dict[str, list[bytes]] = {w.P1: [], w.P2: [], w.P3: []}
    for packet in packets:
        gateway = choose(packet)
        out[PORT_OF[gateway]].append(sent_by(gateway, packet))
    return out


def mapping(bench: Bench, packets: Sequence[bytes]) -> list[str]:
    """Send packets that differ in their identification; return the gateway that each went to."""
    out = w.exchange(bench, w.P1, [framed(packet) for packet in packets])
    assert out[w.P1] == []
    by_ident = {
        struct.unpack("!H", frame[18:20])[0]: MAC_TEXT[frame[:6]] for frame in out[w.P2] + out[w.P3]
    }
    assert len(by_ident) == len(packets) == len(out[w.P2]) + len(out[w.P3])
    return [by_ident[struct.unpack("!H", packet[4:6])[0]] for packet in packets]
