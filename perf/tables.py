# SPDX-License-Identifier: MIT
"""Routing tables for benchmarks: made up in the shape of the Internet's, or read from a file."""

import lzma
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import numpy as np
import numpy.typing as npt

# Prefixes of each length in a full IPv4 table of 2024 (those longer than /24 are leaks).
INTERNET = {
    **{8: 16, 9: 13, 10: 38, 11: 103, 12: 299, 13: 581, 14: 1203, 15: 2100, 16: 13490},
    **{17: 8235, 18: 13798, 19: 24870, 20: 42611, 21: 50750, 22: 108623, 23: 96510, 24: 537698},
}
# What a test bed has its own addresses in, and what is not unicast.
RESERVED = [IPv4Network(text) for text in ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3")]


@dataclass(frozen=True)
class RouteTable:
    """Prefixes without duplicates, as numbers in host order, sorted; and their lengths."""

    prefixes: npt.NDArray[np.uint32]
    bits: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """Number of routes."""
        return len(self.prefixes)

    def write(self, path: Path) -> None:
        """Write a route file, a prefix a line."""
        pairs = zip(self.prefixes.tolist(), self.bits.tolist(), strict=True)
        path.write_text("".join(f"{IPv4Address(prefix)}/{bits}\n" for prefix, bits in pairs))

    def addresses(self, count: int, seed: int = 1, *, zipf: bool = False) -> npt.NDArray[np.uint32]:
        """Draw addresses that the table covers, each from a prefix drawn from all.

        zipf: the n-th prefix (of a random order) is drawn n times less often than the first; else
        one is drawn as often as another.
        """
        random = np.random.default_rng(seed)
        if zipf:
            shares: npt.NDArray[np.float64] = np.cumsum(1 / np.arange(1, len(self) + 1))
            ranks = np.searchsorted(shares, random.random(count) * shares[-1])
            chosen = random.permutation(len(self))[ranks].astype(np.int64)
        else:
            chosen = random.integers(0, len(self), count)
        below = (1 << (32 - self.bits[chosen].astype(np.uint64))) - 1
        noise = random.integers(0, 1 << 32, count, dtype=np.uint64) & below
        addresses: npt.NDArray[np.uint32] = (self.prefixes[chosen] | noise).astype(np.uint32)
        return addresses


def make_table(count: int, seed: int = 1, shape: dict[int, int] = INTERNET) -> RouteTable:
    """Make up a table of `count` routes; `shape` is how often each prefix length is in it.

    Half of the prefixes of a length lie within shorter ones that were drawn before, as far as
    there are any: nesting is what makes longest-prefix match hard.
    """
    random = np.random.default_rng(seed)
    total = sum(shape.values())
    wanted = {bits: round(count * share / total) for bits, share in shape.items()}
    longest = max(wanted)
    wanted[longest] += count - sum(wanted.values())
    covers = np.zeros((0, 2), np.uint64)
    tables = []
    for bits, number in sorted(wanted.items()):
        found = np.zeros(0, np.uint64)
        while len(found) < number:
            more = _draw(random, 2 * (number - len(found)) + 16, covers)
            more &= np.uint64((1 << 32) - (1 << (32 - bits)))
            found = np.unique(np.concatenate([found, more[~_is_reserved(more)]]))
        found = np.sort(random.choice(found, number, replace=False))
        tables.append(np.stack([found, np.full(number, bits, np.uint64)], axis=1))
        covers = np.concatenate([covers, tables[-1]])
    rows = np.concatenate(tables)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    return RouteTable(rows[:, 0].astype(np.uint32), rows[:, 1].astype(np.uint8))


def slash24s(count: int, seed: int = 1) -> RouteTable:
    """Make up a table of `count` prefixes of 24 bits, at random; 2^24: all that routes may have."""
    every = np.arange(1 << 24, dtype=np.uint32) << np.uint32(8)
    every = every[~_is_reserved(every.astype(np.uint64))]
    if count < len(every):
        every = np.sort(np.random.default_rng(seed).choice(every, count, replace=False))
    return RouteTable(every, np.full(len(every), 24, np.uint8))


def _draw(
    random: np.random.Generator, count: int, covers: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    """Draw addresses, half of them within prefixes that there are already."""
    free = random.integers(0, 1 << 32, count, dtype=np.uint64)
    if len(covers):
        cover = covers[random.integers(0, len(covers), count // 2)]
        below = (np.uint64(1) << (np.uint64(32) - cover[:, 1])) - np.uint64(1)
        free[: count // 2] = cover[:, 0] | (free[: count // 2] & below)
    return free


def _is_reserved(prefixes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Mark the prefixes that are not for routes of a benchmark."""
    marks = np.zeros(len(prefixes), bool)
    for network in RESERVED:
        marks |= (prefixes & int(network.netmask)) == int(network.network_address)
    return marks


def read_table(path: Path) -> RouteTable:
    """Read a table of one prefix a line; a file that ends in .xz is unpacked."""
    content = path.read_bytes()
    text = (lzma.decompress(content) if path.suffix == ".xz" else content).decode()
    networks = [IPv4Network(line) for line in text.split()]
    prefixes = np.array([int(network.network_address) for network in networks], np.uint32)
    return RouteTable(prefixes, np.array([network.prefixlen for network in networks], np.uint8))
